//! What a batch takes before its transaction: numbers for its listings, and months for its points.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::Client;
use jiff::tz::TimeZone;
use kasparro_domain::Timestamp;
use kasparro_store::{Batch, EvidenceChange, RowChange, StoreError};

use crate::error::{Queried, refused};
use crate::queries::{each, execute, first, get, int};

/// Successive numbers for the new listings of a batch, and as many for their assets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) first_listing: i64,
    pub(super) first_asset: i64,
    count: i64,
}

/// A flush of the log for the numbers alone would double what a batch waits for. None is needed: the log is
/// written in order, so whatever commits with these numbers makes this durable before itself.
const TAKE: &str = "UPDATE minted SET listing_id = listing_id + $1, asset_id = asset_id + $1
    RETURNING listing_id - $1 + 1, asset_id - $1 + 1,
              set_config('synchronous_commit', 'off', true)";

/// Only where nobody took later ones: a number is never given twice.
const GIVE_BACK: &str = "UPDATE minted SET listing_id = listing_id - $1, asset_id = asset_id - $1
    WHERE listing_id = $2::bigint + $1 - 1 AND asset_id = $3::bigint + $1 - 1";

impl Numbers {
    /// Takes the numbers for a batch; `None` where it brings no listing. Not in the transaction of the
    /// batch: writers of different sources would wait for each other until its end.
    pub(super) async fn take(client: &Client, batch: &Batch) -> Queried<Option<Self>> {
        let new = |row: &&_| matches!(row, RowChange::New { .. });
        let rows = batch.rows.iter().map(|row| &row.change).filter(new).count();
        let new = |row: &&_| matches!(row, EvidenceChange::New { .. });
        let statements = batch.evidence.iter().map(|row| &row.change).filter(new).count();
        let count = int((rows + statements) as u64)?;
        if count == 0 {
            return Ok(None);
        }
        let taken = first(client, TAKE, &[&count], |row| {
            Ok(Self { first_listing: get(row, 0)?, first_asset: get(row, 1)?, count })
        })
        .await?;
        match taken {
            Some(numbers) => Ok(Some(numbers)),
            None => refused("the schema has no numbers: it was not made by `kasparro db migrate`"),
        }
    }

    /// Gives the numbers back after a failure, so that failures leave no gaps. They stay gaps where
    /// somebody took later ones, or where this process dies.
    pub(super) async fn give_back(self, client: &Client) -> Queried<()> {
        let Self { first_listing, first_asset, count } = self;
        execute(client, GIVE_BACK, &[&count, &first_listing, &first_asset]).await?;
        Ok(())
    }
}

/// How long before it begins a month has its partition.
const AHEAD: Duration = Duration::from_secs(7 * 24 * 3600);

/// The first hour of the month of an instant, in hours since the epoch.
fn month(at: Timestamp) -> Queried<i64> {
    let unknown = |error| StoreError::Conflict(format!("the month of {at}: {error}"));
    let instant = jiff::Timestamp::from_millisecond(at.as_millis()).map_err(unknown)?;
    let first = instant.to_zoned(TimeZone::UTC).first_of_month().map_err(unknown)?;
    let midnight = first.start_of_day().map_err(unknown)?;
    Ok(midnight.timestamp().as_second().div_euclid(3600))
}

/// Makes the partitions of history that the points of a batch need, where they are not known to exist.
pub(super) async fn ensure_months(
    client: &Client,
    known: &Mutex<BTreeSet<i64>>,
    batch: &Batch,
) -> Queried<()> {
    // Most rows of a batch share a day, so the calendar is asked once for each.
    let days: BTreeMap<i64, Timestamp> =
        batch.rows.iter().map(|row| (row.observed_at.hour() / 24, row.observed_at)).collect();
    let mut months: BTreeSet<i64> = days.into_values().map(month).collect::<Queried<_>>()?;
    // Ahead as well, so that no batch at the turn of a month waits for a table.
    months.extend([month(batch.stored_at)?, month(batch.stored_at.plus(AHEAD))?]);
    {
        let known = known.lock().unwrap_or_else(PoisonError::into_inner);
        months.retain(|month| !known.contains(month));
    }
    if months.is_empty() {
        return Ok(());
    }
    let hours =
        months.iter().map(|hour| super::hour_number(*hour)).collect::<Queried<Vec<i32>>>()?;
    let sql = "SELECT ensure_history_partition(hour) FROM unnest($1::integer[]) AS hour";
    each(client, sql, &[&hours], |_| Ok(())).await?;
    known.lock().unwrap_or_else(PoisonError::into_inner).extend(months);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_at_its_first_hour() {
        for (at, first) in [
            ("1970-01-01T00:00:00Z", "1970-01-01"),
            ("1970-01-31T23:59:59Z", "1970-01-01"),
            ("2000-02-29T12:00:00Z", "2000-02-01"),
            ("2000-03-01T00:00:00Z", "2000-03-01"),
            ("2026-12-31T23:59:59Z", "2026-12-01"),
            ("2100-02-28T23:00:00Z", "2100-02-01"),
            ("2100-03-31T23:00:00Z", "2100-03-01"),
            ("9999-12-30T12:00:00Z", "9999-12-01"),
        ] {
            let (at, first) = (Timestamp::parse(at).unwrap(), Timestamp::parse(first).unwrap());
            assert_eq!(month(at).unwrap(), first.hour(), "{at}");
        }
    }
}
