//! What a commit records beside its rows: manifest, progress of the page, counters of the run, checkpoint.

use deadpool_postgres::Transaction;
use kasparro_domain::{Generation, ListingId, PageState, RunCounts};
use kasparro_store::{Batch, Committed, encode_changed};

use super::applied::Applied;
use crate::error::{Queried, refused};
use crate::queries::{Instant, counts, execute, first, get, int, json_text, named, uint};

/// The outcome of a batch that was committed before; with an epoch, only of one that it wrote.
pub(super) async fn outcome(
    transaction: &Transaction<'_>,
    source: i64,
    sequence: u64,
    epoch: Option<u64>,
) -> Queried<Option<Committed>> {
    let sql = "SELECT generation, first_new_id, received, inserted, updated, unchanged, stale,
                      duplicate, quarantined, new_listings
               FROM batch
               WHERE source_id = $1 AND sequence = $2 AND ($3::bigint IS NULL OR epoch = $3)";
    let epoch = epoch.map(int).transpose()?;
    first(transaction, sql, &[&source, &int(sequence)?, &epoch], |row| {
        let (first_new, new): (Option<i64>, u64) = (get(row, 1)?, uint(row, 9)?);
        let new_ids = first_new.map_or(1..1, |first| first..first.saturating_add_unsigned(new));
        let new_listings = new_ids.map(ListingId).collect();
        Ok(Committed {
            generation: Generation(uint(row, 0)?),
            counts: counts(row, 2)?,
            new_listings,
        })
    })
    .await
}

/// A page that takes rows of the batch.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) body_id: i64,
    state: PageState,
    rows_done: u64,
}

/// The page of a batch, where it takes rows of the source.
pub(super) async fn take_page(
    transaction: &Transaction<'_>,
    source: i64,
    batch: &Batch,
) -> Queried<Option<Page>> {
    let sql = "SELECT body_id, state, rows_done FROM page
               WHERE page_id = $1 AND source_id = $2 AND state <> 'refused'";
    first(transaction, sql, &[&batch.page_id.0, &source], |row| {
        let state = named(row, 1, PageState::from_name)?;
        Ok(Page { body_id: get(row, 0)?, state, rows_done: uint(row, 2)? })
    })
    .await
}

/// Whether the run of a batch is one of its source.
pub(super) async fn run_is_known(
    transaction: &Transaction<'_>,
    source: i64,
    batch: &Batch,
) -> Queried<bool> {
    let sql = "SELECT true FROM run WHERE run_id = $1 AND source_id = $2";
    let known = first(transaction, sql, &[&batch.run_id.0, &source], |_| Ok(())).await?;
    Ok(known.is_some())
}

impl Page {
    /// Refuses a batch that would move the page over rows which no batch accounts for (invariant I1).
    pub(super) fn check(&self, batch: &Batch, counts: &RunCounts) -> Queried<()> {
        let page = batch.page_id;
        if batch.retry.is_some() {
            // Quarantined rows were accounted for when their page was loaded: nothing moves on.
            if self.state == PageState::Loaded && batch.rows_done == self.rows_done {
                return Ok(());
            }
            return refused(format!("page {page} is not loaded, or its progress would move"));
        }
        if (self.rows_done..=self.rows_done + counts.received).contains(&batch.rows_done) {
            return Ok(());
        }
        refused(format!(
            "page {page} has {} rows done, a batch of {} cannot make that {}",
            self.rows_done, counts.received, batch.rows_done
        ))
    }
}

/// Moves page, run and checkpoint on.
pub(super) async fn advance(
    transaction: &Transaction<'_>,
    source: i64,
    applied: &Applied<'_>,
) -> Queried<()> {
    tokio::try_join!(
        biased;
        advance_page(transaction, applied.batch),
        advance_run(transaction, source, applied),
        move_checkpoint(transaction, source, applied.batch)
    )?;
    Ok(())
}

async fn advance_page(transaction: &Transaction<'_>, batch: &Batch) -> Queried<()> {
    if batch.retry.is_some() {
        return Ok(());
    }
    let sql = "UPDATE page SET rows_done = $2, state = CASE WHEN $3 THEN 'loaded' ELSE state END
               WHERE page_id = $1";
    let rows_done = int(batch.rows_done)?;
    execute(transaction, sql, &[&batch.page_id.0, &rows_done, &batch.page_done]).await?;
    Ok(())
}

async fn advance_run(
    transaction: &Transaction<'_>,
    source: i64,
    applied: &Applied<'_>,
) -> Queried<()> {
    let sql = "UPDATE run SET received = received + $3, inserted = inserted + $4,
                   updated = updated + $5, unchanged = unchanged + $6, stale = stale + $7,
                   duplicate = duplicate + $8, quarantined = quarantined + $9
               WHERE run_id = $1 AND source_id = $2";
    let counts = Columns::of(&applied.counts)?;
    let [received, inserted, updated, unchanged, stale, duplicate, quarantined] = &counts.0;
    execute(
        transaction,
        sql,
        &[
            &applied.batch.run_id.0,
            &source,
            received,
            inserted,
            updated,
            unchanged,
            stale,
            duplicate,
            quarantined,
        ],
    )
    .await?;
    Ok(())
}

async fn move_checkpoint(transaction: &Transaction<'_>, source: i64, batch: &Batch) -> Queried<()> {
    let Some(position) = &batch.position else {
        return Ok(());
    };
    let sql = "INSERT INTO checkpoint (source_id, position, moved_at) VALUES ($1, $2, $3)
               ON CONFLICT (source_id) DO UPDATE
               SET position = excluded.position, moved_at = excluded.moved_at
               WHERE excluded.moved_at >= checkpoint.moved_at";
    let moved_at = Instant(batch.fetched_at);
    execute(transaction, sql, &[&source, &json_text(position)?, &moved_at]).await?;
    Ok(())
}

/// Counters in the order of the schema.
struct Columns([i64; 7]);

impl Columns {
    fn of(counts: &RunCounts) -> Queried<Self> {
        let RunCounts { received, inserted, updated, unchanged, stale, duplicate, quarantined } =
            *counts;
        Ok(Self([
            int(received)?,
            int(inserted)?,
            int(updated)?,
            int(unchanged)?,
            int(stale)?,
            int(duplicate)?,
            int(quarantined)?,
        ]))
    }
}

/// Takes the next generation, writes the manifest under it and tells those who listen: one statement, so
/// that other writers wait no longer for the generation than this takes and the commit.
const MANIFEST: &str = "WITH next AS (
        UPDATE generation SET value = value + 1, evidence_version = evidence_version + $18
        RETURNING value)
    INSERT INTO batch (generation, source_id, sequence, run_id, page_id, epoch, received, inserted,
                       updated, unchanged, stale, duplicate, quarantined, first_new_id, changed,
                       stored_at, retry, new_listings)
    SELECT value, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17
    FROM next
    RETURNING generation, pg_notify('kasparro_generation_' || current_schema(), generation::text)";

/// Last of all: takes the next generation and writes the manifest under it.
pub(super) async fn write_manifest(
    transaction: &Transaction<'_>,
    source: i64,
    applied: Applied<'_>,
) -> Queried<Committed> {
    let batch = applied.batch;
    let columns = Columns::of(&applied.counts)?;
    let [received, inserted, updated, unchanged, stale, duplicate, quarantined] = &columns.0;
    let new_listings = applied.new_listings;
    let written = first(
        transaction,
        MANIFEST,
        &[
            &source,
            &int(batch.sequence)?,
            &batch.run_id.0,
            &batch.page_id.0,
            &int(batch.epoch)?,
            received,
            inserted,
            updated,
            unchanged,
            stale,
            duplicate,
            quarantined,
            &new_listings.first().map(|listing_id| listing_id.0),
            &encode_changed(&applied.changed),
            &Instant(batch.stored_at),
            &batch.retry.is_some(),
            &int(new_listings.len() as u64)?,
            &i64::from(applied.evidence_changed),
        ],
        |row| uint(row, 0),
    )
    .await?;
    match written {
        Some(generation) => Ok(Committed {
            generation: Generation(generation),
            counts: applied.counts,
            new_listings,
        }),
        None => refused("the schema has no generation: it was not made by `kasparro db migrate`"),
    }
}
