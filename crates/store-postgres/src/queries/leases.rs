//! Who holds a source.
//!
//! Whoever writes about a source first locks the row of its lease and reads the epoch there: a later epoch
//! is granted only after that transaction, or was granted before it and is seen.

use std::time::Duration;

use deadpool_postgres::Transaction;
use kasparro_domain::{PageId, RunId, SourceName};
use kasparro_store::{Lease, StoreError};

use super::{each, execute, find_source, first, get, instant, int, source_id, text, uint};
use crate::error::{Queried, damaged};

/// Takes a source over and returns the new epoch.
pub(crate) async fn acquire(
    transaction: &Transaction<'_>,
    source: &SourceName,
    holder: &str,
    ttl: Duration,
) -> Queried<u64> {
    let number = source_id(transaction, source).await?;
    let lease = "SELECT 1 FROM lease WHERE source_id = $1";
    if first(transaction, lease, &[&number], |_| Ok(())).await?.is_none() {
        first_lease_lock(transaction, number).await?;
    }
    // One statement decides and writes, so that of two who come at once the second sees the first.
    let sql = "INSERT INTO lease AS held (source_id, holder, epoch, expires_at)
               VALUES ($1, $2, 1, store_now() + $3 * interval '1 millisecond')
               ON CONFLICT (source_id) DO UPDATE
               SET holder = excluded.holder, epoch = held.epoch + 1,
                   expires_at = excluded.expires_at
               WHERE held.holder = excluded.holder OR held.expires_at <= store_now()
               RETURNING epoch";
    let params: super::Params<'_> = &[&number, &holder, &ttl_ms(ttl)];
    if let Some(epoch) = first(transaction, sql, params, |row| uint(row, 0)).await? {
        return Ok(epoch);
    }
    let sql = "SELECT holder,
                      greatest(ceil(extract(epoch FROM expires_at - store_now()) * 1000), 0)::bigint
               FROM lease WHERE source_id = $1";
    let read = |row: &_| Ok((text(row, 0)?.to_owned(), uint(row, 1)?));
    let held = first(transaction, sql, &[&number], read).await?;
    let (holder, left_ms) = held.ok_or_else(|| damaged("the lease of a source", source))?;
    Err(StoreError::Held { source_name: source.clone(), holder, left_ms }.into())
}

/// Milliseconds as the database multiplies them; a century stands for longer.
fn ttl_ms(ttl: Duration) -> f64 {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    ttl.min(CENTURY).as_secs_f64() * 1000.0
}

/// Keeps the first lease of a source and writes under epoch 0 apart: before it there is no row to lock.
async fn first_lease_lock(transaction: &Transaction<'_>, source: i64) -> Queried<()> {
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.lease', $1))";
    execute(transaction, sql, &[&source]).await?;
    Ok(())
}

/// Holds on to a source.
pub(crate) async fn renew(
    transaction: &Transaction<'_>,
    source: &SourceName,
    epoch: u64,
    ttl: Duration,
) -> Queried<()> {
    check(transaction, source, epoch).await?;
    let sql = "UPDATE lease SET expires_at = store_now() + $2 * interval '1 millisecond'
               WHERE source_id = $1";
    let number = find_source(transaction, source).await?;
    execute(transaction, sql, &[&number, &ttl_ms(ttl)]).await?;
    Ok(())
}

/// Gives a source up, where the epoch is not over.
pub(crate) async fn release(
    transaction: &Transaction<'_>,
    source: &SourceName,
    epoch: u64,
) -> Queried<()> {
    let sql = "UPDATE lease SET expires_at = timestamptz 'epoch'
               WHERE source_id = (SELECT source_id FROM source WHERE name = $1) AND epoch = $2";
    execute(transaction, sql, &[&source.as_str(), &int(epoch)?]).await?;
    Ok(())
}

/// Every lease, by source.
pub(crate) async fn all(client: &impl deadpool_postgres::GenericClient) -> Queried<Vec<Lease>> {
    let sql = "SELECT name, holder, epoch, expires_at, expires_at > store_now()
               FROM lease JOIN source USING (source_id) ORDER BY name";
    each(client, sql, &[], |row| {
        Ok(Lease {
            source: SourceName::new(text(row, 0)?),
            holder: text(row, 1)?.to_owned(),
            epoch: uint(row, 2)?,
            expires_at: instant(row, 3)?,
            live: get(row, 4)?,
        })
    })
    .await
}

/// Refuses what is written under an epoch that is over, and keeps the epoch as it is until the end of the
/// transaction.
pub(crate) async fn check(
    transaction: &Transaction<'_>,
    source: &SourceName,
    epoch: u64,
) -> Queried<()> {
    let sql = "SELECT epoch FROM lease
               WHERE source_id = (SELECT source_id FROM source WHERE name = $1) FOR UPDATE";
    let held = first(transaction, sql, &[&source.as_str()], |row| uint(row, 0)).await?;
    let held = match held {
        Some(held) => held,
        None if epoch == 0 => never_leased(transaction, source).await?,
        None => 0,
    };
    if held == epoch {
        return Ok(());
    }
    Err(StoreError::Fenced { source_name: source.clone(), epoch }.into())
}

/// The epoch of a source that had no lease a moment ago; nobody takes it for the first time until the end
/// of the transaction.
async fn never_leased(transaction: &Transaction<'_>, source: &SourceName) -> Queried<u64> {
    let Some(number) = find_source(transaction, source).await? else {
        return Ok(0);
    };
    first_lease_lock(transaction, number).await?;
    let sql = "SELECT epoch FROM lease WHERE source_id = $1";
    Ok(first(transaction, sql, &[&number], |row| uint(row, 0)).await?.unwrap_or(0))
}

/// As [`check`], for the source of a run; nothing where the run is not known.
pub(crate) async fn check_run(
    transaction: &Transaction<'_>,
    run: RunId,
    epoch: u64,
) -> Queried<()> {
    let sql = "SELECT name FROM run JOIN source USING (source_id) WHERE run_id = $1";
    let read = |row: &_| Ok(SourceName::new(text(row, 0)?));
    match first(transaction, sql, &[&run.0], read).await? {
        Some(source) => check(transaction, &source, epoch).await,
        None => Ok(()),
    }
}

/// As [`check`], for the source of a page; nothing where the page is not known.
pub(crate) async fn check_page(
    transaction: &Transaction<'_>,
    page: PageId,
    epoch: u64,
) -> Queried<()> {
    let sql = "SELECT name FROM page JOIN source USING (source_id) WHERE page_id = $1";
    let read = |row: &_| Ok(SourceName::new(text(row, 0)?));
    match first(transaction, sql, &[&page.0], read).await? {
        Some(source) => check(transaction, &source, epoch).await,
        None => Ok(()),
    }
}
