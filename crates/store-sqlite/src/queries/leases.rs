//! Who holds a source.

use std::time::Duration;

use kasparro_domain::{PageId, RunId, SourceName, Timestamp};
use kasparro_store::{Lease, StoreError};
use rusqlite::{Connection, params};

use super::{each, find_source, first, instant, source_id, text, uint};
use crate::error::Queried;

/// Takes a source over and returns the new epoch.
pub(crate) fn acquire(
    connection: &Connection,
    source: &SourceName,
    holder: &str,
    now: Timestamp,
    ttl: Duration,
) -> Queried<u64> {
    let number = source_id(connection, source)?;
    let lease = "SELECT holder, expires_at FROM lease WHERE source_id = ?1";
    let held =
        first(connection, lease, [number], |row| Ok((text(row, 0)?.to_owned(), instant(row, 1)?)))?;
    if let Some((by, expires_at)) = held
        && by != holder
        && expires_at > now
    {
        let left = expires_at.since(now).as_millis();
        let left_ms = u64::try_from(left).unwrap_or(u64::MAX);
        let source_name = source.clone();
        return Err(StoreError::Held { source_name, holder: by, left_ms }.into());
    }
    let sql = "INSERT INTO lease (source_id, holder, epoch, expires_at) VALUES (?1, ?2, 1, ?3)
               ON CONFLICT (source_id) DO UPDATE
               SET holder = excluded.holder, epoch = epoch + 1, expires_at = excluded.expires_at
               RETURNING epoch";
    let params = params![number, holder, now.plus(ttl).as_millis()];
    // Read to the end: a statement with RETURNING that is left early has done its work, but says so
    // only on its reset.
    let epochs = each(connection, sql, params, |row| uint(row, 0))?;
    Ok(epochs.first().copied().unwrap_or(0))
}

/// Holds on to a source.
pub(crate) fn renew(
    connection: &Connection,
    source: &SourceName,
    epoch: u64,
    expires_at: Timestamp,
) -> Queried<()> {
    check(connection, source, epoch)?;
    connection
        .prepare_cached("UPDATE lease SET expires_at = ?2 WHERE source_id = ?1")?
        .execute(params![find_source(connection, source)?, expires_at.as_millis()])?;
    Ok(())
}

/// Gives a source up, where the epoch is not over.
pub(crate) fn release(connection: &Connection, source: &SourceName, epoch: u64) -> Queried<()> {
    connection
        .prepare_cached("UPDATE lease SET expires_at = 0 WHERE source_id = ?1 AND epoch = ?2")?
        .execute(params![find_source(connection, source)?, super::int(epoch)?])?;
    Ok(())
}

/// Ends every lease: whoever asks holds the file, so all former holders are gone.
pub(crate) fn release_all(connection: &Connection) -> Queried<()> {
    connection.execute("UPDATE lease SET expires_at = 0 WHERE expires_at <> 0", [])?;
    Ok(())
}

/// Every lease, by source.
pub(crate) fn all(connection: &Connection, now: Timestamp) -> Queried<Vec<Lease>> {
    let sql = "SELECT name, holder, epoch, expires_at FROM lease JOIN source USING (source_id)
               ORDER BY name";
    each(connection, sql, [], |row| {
        let expires_at = instant(row, 3)?;
        Ok(Lease {
            source: SourceName::new(text(row, 0)?),
            holder: text(row, 1)?.to_owned(),
            epoch: uint(row, 2)?,
            expires_at,
            live: expires_at > now,
        })
    })
}

/// Refuses what is written under an epoch that is over.
pub(super) fn check(connection: &Connection, source: &SourceName, epoch: u64) -> Queried<()> {
    let sql = "SELECT epoch FROM lease JOIN source USING (source_id) WHERE name = ?1";
    let held = first(connection, sql, [source.as_str()], |row| uint(row, 0))?;
    if held.unwrap_or(0) == epoch {
        return Ok(());
    }
    Err(StoreError::Fenced { source_name: source.clone(), epoch }.into())
}

/// As [`check`], for the source of a run; nothing where the run is not known.
pub(super) fn check_run(connection: &Connection, run: RunId, epoch: u64) -> Queried<()> {
    let sql = "SELECT name FROM run JOIN source USING (source_id) WHERE run_id = ?1";
    let run = run.to_string();
    let source = first(connection, sql, [run], |row| Ok(SourceName::new(text(row, 0)?)))?;
    source.map_or(Ok(()), |source| check(connection, &source, epoch))
}

/// As [`check`], for the source of a page; nothing where the page is not known.
pub(super) fn check_page(connection: &Connection, page: PageId, epoch: u64) -> Queried<()> {
    let sql = "SELECT name FROM page JOIN source USING (source_id) WHERE page_id = ?1";
    let source = first(connection, sql, [page.0], |row| Ok(SourceName::new(text(row, 0)?)))?;
    source.map_or(Ok(()), |source| check(connection, &source, epoch))
}
