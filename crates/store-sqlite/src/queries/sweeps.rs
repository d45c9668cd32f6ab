//! Listings that a complete sweep did not show, and those that came back.

use kasparro_domain::{ListingId, SWEEPS_TO_INACTIVE, Timestamp};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::applied::Applied;
use super::{first, instant};
use crate::error::{Queried, refused};

const MISSED: &str = "SELECT missed, active, first_seen_at,
        (SELECT fetched_at FROM quote WHERE quote.listing_id = listing.listing_id)
    FROM listing WHERE listing_id = ?1 AND source_id = ?2";

/// A list that says so keeps a listing inactive.
const RETURNED: &str = "UPDATE listing SET missed = 0, last_seen_at = NULL,
        active = NOT EXISTS (SELECT 1 FROM evidence
                             WHERE evidence.listing_id = ?1 AND evidence.active = 0)
    WHERE listing_id = ?1";

const MISS: &str = "UPDATE listing SET missed = ?2, active = active AND ?3,
        last_seen_at = coalesce(last_seen_at, ?4)
    WHERE listing_id = ?1";

const SWEPT: &str = "SELECT swept_at FROM sweep WHERE source_id = ?1";

/// When a source was swept last.
pub(super) fn swept_at(connection: &Connection, source: i64) -> Queried<Option<Timestamp>> {
    first(connection, SWEPT, [source], |row| instant(row, 0))
}

const SWEEP: &str = "INSERT INTO sweep (source_id, swept_at) VALUES (?1, ?2)
    ON CONFLICT (source_id) DO UPDATE SET swept_at = excluded.swept_at";

/// How a listing stands to the sweeps of its source. Instants are milliseconds.
struct Standing {
    missed: u8,
    active: bool,
    first_seen_at: i64,
    quoted_at: Option<i64>,
}

fn standing(
    applied: &Applied<'_>,
    select: &mut CachedStatement<'_>,
    listing_id: ListingId,
) -> Queried<Standing> {
    let found = select
        .query_row(params![listing_id.0, applied.source], |row| {
            Ok(Standing {
                missed: row.get(0)?,
                active: row.get(1)?,
                first_seen_at: row.get(2)?,
                quoted_at: row.get(3)?,
            })
        })
        .optional()?;
    match found {
        Some(standing) => Ok(standing),
        None => refused(format!("{} has no listing {listing_id}", applied.batch.source)),
    }
}

/// Writes which listings came back, and what the sweep that ends with this batch showed.
pub(super) fn write(applied: &mut Applied<'_>) -> Queried<()> {
    let (connection, batch) = (applied.connection, applied.batch);
    if batch.returned.is_empty() && batch.sweep.is_none() {
        return Ok(());
    }
    let mut select = connection.prepare_cached(MISSED)?;
    let mut returned = connection.prepare_cached(RETURNED)?;
    for listing_id in &batch.returned {
        if standing(applied, &mut select, *listing_id)?.missed > 0 {
            returned.execute([listing_id.0])?;
            applied.changed.push(*listing_id);
        }
    }
    let Some(sweep) = &batch.sweep else {
        return Ok(());
    };
    let before: Option<i64> = connection
        .prepare_cached(SWEPT)?
        .query_row([applied.source], |row| row.get(0))
        .optional()?;
    connection
        .prepare_cached(SWEEP)?
        .execute(params![applied.source, batch.fetched_at.as_millis()])?;
    let mut miss = connection.prepare_cached(MISS)?;
    for listing_id in &sweep.missing {
        let Standing { missed, active, first_seen_at, quoted_at } =
            standing(applied, &mut select, *listing_id)?;
        if missed >= SWEEPS_TO_INACTIVE {
            continue;
        }
        let swept_at = before.filter(|swept_at| first_seen_at <= *swept_at);
        let last_seen_at = swept_at.max(quoted_at).max(Some(first_seen_at));
        let stays = missed + 1 < SWEEPS_TO_INACTIVE;
        miss.execute(params![listing_id.0, missed + 1, stays, last_seen_at])?;
        if missed == 0 || (active && !stays) {
            applied.changed.push(*listing_id);
        }
    }
    Ok(())
}
