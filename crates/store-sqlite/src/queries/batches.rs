//! Batches: the commit, and what became of a page.

use kasparro_domain::{Checkpoint, Generation, ListingId, PageId, PageState, RunCounts};
use kasparro_faults::crash_point;
use kasparro_store::{Batch, Committed, StoreError, encode_changed};
use rusqlite::{Connection, Row, params};

use super::applied::Applied;
use super::quarantine::Brought;
use super::rows::RowWriter;
use super::{
    drift, evidence, first, instant, int, json, json_text, named, news, quarantine, sweeps, text,
    uint,
};
use crate::error::{Queried, refused};
use crate::writer::Minted;

/// The checkpoint of a source.
pub(super) fn checkpoint(connection: &Connection, source: i64) -> Queried<Option<Checkpoint>> {
    let sql = "SELECT position, moved_at FROM checkpoint WHERE source_id = ?1";
    first(connection, sql, [source], |row| {
        Ok(Checkpoint { position: json(row, 0)?, moved_at: instant(row, 1)? })
    })
}

/// The counters that stand from column `from` on, in the order of the schema.
pub(super) fn read_counts(row: &Row<'_>, from: usize) -> Queried<RunCounts> {
    Ok(RunCounts {
        received: uint(row, from)?,
        inserted: uint(row, from + 1)?,
        updated: uint(row, from + 2)?,
        unchanged: uint(row, from + 3)?,
        stale: uint(row, from + 4)?,
        duplicate: uint(row, from + 5)?,
        quarantined: uint(row, from + 6)?,
    })
}

/// What became of the rows of a loaded page, if no batch of a later run of its source wrote a row.
pub(crate) fn settled(connection: &Connection, page: PageId) -> Queried<Option<RunCounts>> {
    let page_sql = "SELECT source_id, run_id, rows_done FROM page
                    WHERE page_id = ?1 AND state = 'loaded'";
    let found = first(connection, page_sql, [page.0], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, uint(row, 2)?))
    })?;
    let Some((source, run, rows_done)) = found else {
        return Ok(None);
    };
    // Newest first, until every row of the page is found.
    let sql = "SELECT page_id, run_id, received, inserted, updated, unchanged, stale, duplicate,
                      quarantined, retry
               FROM batch WHERE source_id = ?1 ORDER BY sequence DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let mut batches = statement.query([source])?;
    let mut counts = RunCounts::default();
    while let Some(batch) = batches.next()? {
        let (of_page, of_run): (i64, String) = (batch.get(0)?, batch.get(1)?);
        let (of_batch, retry): (_, bool) = (read_counts(batch, 2)?, batch.get(9)?);
        if of_page == page.0 && !retry {
            counts.add(&of_batch);
            if counts.received >= rows_done {
                return Ok(Some(counts));
            }
        } else if (retry || of_run != run)
            && of_batch.inserted + of_batch.updated + of_batch.stale > 0
        {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Commits a batch within the writer's transaction.
pub(crate) fn commit(
    connection: &Connection,
    minted: &mut Minted,
    batch: &Batch,
) -> Queried<Committed> {
    let source = held(connection, batch)?;
    if let Some(known) = outcome(connection, source, batch.sequence)? {
        return Ok(known);
    }
    batch.check()?;
    let page = take_page(connection, source, batch)?;

    let first_new = minted.listing_id + 1;
    let mut applied = Applied::new(connection, source, batch);
    if !batch.rows.is_empty() {
        let mut rows = RowWriter::new(&mut applied)?;
        for row in &batch.rows {
            rows.write(minted, row)?;
        }
        rows.finish()?;
    }
    crash_point!("commit.rows");
    evidence::write(&mut applied, minted)?;
    news::write(&mut applied)?;
    sweeps::write(&mut applied)?;
    match &batch.retry {
        Some(retry) => quarantine::retry(&applied, &page, retry)?,
        None => quarantine::keep(&applied, &page)?,
    }
    crash_point!("commit.quarantine");
    let evidence_changed = applied.evidence_changed;
    let (counts, changed) = applied.finish();
    if batch.retry.is_none() {
        advance_page(connection, batch, &counts)?;
    }
    advance_run(connection, source, batch, &counts)?;
    if let Some(position) = &batch.position {
        connection
            .prepare_cached(
                "INSERT INTO checkpoint (source_id, position, moved_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (source_id) DO UPDATE
                 SET position = excluded.position, moved_at = excluded.moved_at
                 WHERE excluded.moved_at >= moved_at",
            )?
            .execute(params![source, json_text(position)?, batch.fetched_at.as_millis()])?;
    }
    if let Some(examined) = &batch.examined {
        drift::keep(connection, batch.page_id, examined, false)?;
    }
    // Last of all, so that whoever waits for this row waits no longer than the commit takes.
    minted.generation += 1;
    let generation = Generation(minted.generation);
    connection
        .prepare_cached(
            "UPDATE generation SET value = ?1, evidence_version = evidence_version + ?2",
        )?
        .execute(params![int(generation.0)?, evidence_changed])?;
    let new_listings: Vec<ListingId> = (first_new..=minted.listing_id).map(ListingId).collect();
    let committed = Committed { generation, counts, new_listings };
    write_manifest(connection, source, batch, &committed, &changed)?;
    crash_point!("commit.manifest");
    Ok(committed)
}

/// The number of a source that this batch's epoch still holds.
fn held(connection: &Connection, batch: &Batch) -> Queried<i64> {
    let sql = "SELECT source_id, epoch FROM lease JOIN source USING (source_id) WHERE name = ?1";
    let lease = first(connection, sql, [batch.source.as_str()], |row| {
        Ok((row.get::<_, i64>(0)?, uint(row, 1)?))
    })?;
    match lease {
        Some((source, epoch)) if epoch == batch.epoch => Ok(source),
        _ => {
            let source_name = batch.source.clone();
            Err(StoreError::Fenced { source_name, epoch: batch.epoch }.into())
        }
    }
}

/// The outcome of a batch that was committed before.
fn outcome(connection: &Connection, source: i64, sequence: u64) -> Queried<Option<Committed>> {
    let sql = "SELECT generation, first_new_id, received, inserted, updated, unchanged, stale,
                      duplicate, quarantined, new_listings
               FROM batch WHERE source_id = ?1 AND sequence = ?2";
    first(connection, sql, params![source, int(sequence)?], |row| {
        let counts = read_counts(row, 2)?;
        let (first_new, new): (Option<i64>, u64) = (row.get(1)?, uint(row, 9)?);
        let new_ids = first_new.map_or(1..1, |first| first..first.saturating_add_unsigned(new));
        let new_listings = new_ids.map(ListingId).collect();
        Ok(Committed { generation: Generation(uint(row, 0)?), counts, new_listings })
    })
}

/// What a page brought that may take rows of this source.
fn take_page(connection: &Connection, source: i64, batch: &Batch) -> Queried<Brought> {
    let sql = "SELECT body_id, request, state, rows_done FROM page
               WHERE page_id = ?1 AND source_id = ?2";
    let page = first(connection, sql, [batch.page_id.0, source], |row| {
        let brought = Brought { body_id: row.get(0)?, request: text(row, 1)?.to_owned() };
        Ok((brought, named(row, 2, PageState::from_name)?, uint(row, 3)?))
    })?;
    let Some((brought, state, rows_done)) = page.filter(|page| page.1 != PageState::Refused) else {
        return refused(format!("page {} takes no rows of {}", batch.page_id, batch.source));
    };
    // Quarantined rows were accounted for when their page was loaded: nothing moves on.
    let moves = batch.rows_done != rows_done || batch.page_done || batch.position.is_some();
    if batch.retry.is_some() && (state != PageState::Loaded || moves) {
        let page = batch.page_id;
        return refused(format!("page {page} is not loaded, or reading rows again would move it"));
    }
    Ok(brought)
}

/// Moves the page on. It cannot be moved over rows that no batch accounts for (invariant I1).
fn advance_page(connection: &Connection, batch: &Batch, counts: &RunCounts) -> Queried<()> {
    let moved = connection
        .prepare_cached(
            "UPDATE page SET rows_done = ?2, state = iif(?3, 'loaded', state)
             WHERE page_id = ?1 AND ?2 BETWEEN rows_done AND rows_done + ?4",
        )?
        .execute(params![
            batch.page_id.0,
            int(batch.rows_done)?,
            batch.page_done,
            int(counts.received)?
        ])?;
    if moved == 1 {
        return Ok(());
    }
    refused(format!(
        "a batch of {} rows cannot bring page {} to {} rows done",
        counts.received, batch.page_id, batch.rows_done
    ))
}

/// Adds the counters to those of the run.
fn advance_run(
    connection: &Connection,
    source: i64,
    batch: &Batch,
    counts: &RunCounts,
) -> Queried<()> {
    let moved = connection
        .prepare_cached(
            "UPDATE run SET received = received + ?3, inserted = inserted + ?4,
                            updated = updated + ?5, unchanged = unchanged + ?6, stale = stale + ?7,
                            duplicate = duplicate + ?8, quarantined = quarantined + ?9
             WHERE run_id = ?1 AND source_id = ?2",
        )?
        .execute(params![
            batch.run_id.to_string(),
            source,
            int(counts.received)?,
            int(counts.inserted)?,
            int(counts.updated)?,
            int(counts.unchanged)?,
            int(counts.stale)?,
            int(counts.duplicate)?,
            int(counts.quarantined)?
        ])?;
    if moved == 1 {
        Ok(())
    } else {
        refused(format!("run {} of {} is not known", batch.run_id, batch.source))
    }
}

fn write_manifest(
    connection: &Connection,
    source: i64,
    batch: &Batch,
    committed: &Committed,
    changed: &[ListingId],
) -> Queried<()> {
    let counts = &committed.counts;
    connection
        .prepare_cached(
            "INSERT INTO batch (generation, source_id, sequence, run_id, page_id, epoch, received,
                                inserted, updated, unchanged, stale, duplicate, quarantined,
                                first_new_id, changed, stored_at, retry, new_listings)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                     ?18)",
        )?
        .execute(params![
            int(committed.generation.0)?,
            source,
            int(batch.sequence)?,
            batch.run_id.to_string(),
            batch.page_id.0,
            int(batch.epoch)?,
            int(counts.received)?,
            int(counts.inserted)?,
            int(counts.updated)?,
            int(counts.unchanged)?,
            int(counts.stale)?,
            int(counts.duplicate)?,
            int(counts.quarantined)?,
            committed.new_listings.first().map(|id| id.0),
            encode_changed(changed),
            batch.stored_at.as_millis(),
            batch.retry.is_some(),
            int(committed.new_listings.len() as u64)?
        ])?;
    Ok(())
}
