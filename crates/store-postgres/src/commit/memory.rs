//! What the engine asks of a source: what is known of it, and what became of a page.

use deadpool_postgres::{Client, GenericClient};
use kasparro_domain::{Checkpoint, ListingId, PageId, RunCounts, RunId, SourceName};
use kasparro_store::{KnownEvidence, KnownListing, KnownNews, KnownQuote, SourceMemory};
use tokio_postgres::Row;

use crate::error::Queried;
use crate::queries::listings::{read_attributes, read_missed, read_quote, select_quoted};
use crate::queries::{
    counts, each, find_source, first, get, instant, int, json, maybe_instant, run_id, string, uint,
    walk,
};
use crate::store::snapshot;

/// What is known of a source, as of one moment.
pub(super) async fn memory(client: &mut Client, source: &SourceName) -> Queried<SourceMemory> {
    let transaction = snapshot(client).await?;
    let Some(source) = find_source(&transaction, source).await? else {
        return Ok(SourceMemory::default());
    };
    let memory = SourceMemory {
        checkpoint: checkpoint(&transaction, source).await?,
        next_sequence: sequence_of(&transaction, source).await?,
        listings: listings(&transaction, source).await?,
        evidence: evidence(&transaction, source).await?,
        news: news(&transaction, source).await?,
    };
    transaction.commit().await?;
    Ok(memory)
}

async fn checkpoint(client: &impl GenericClient, source: i64) -> Queried<Option<Checkpoint>> {
    let sql = "SELECT position, moved_at FROM checkpoint WHERE source_id = $1";
    let read = |row: &Row| Ok(Checkpoint { position: json(row, 0)?, moved_at: instant(row, 1)? });
    first(client, sql, &[&source], read).await
}

/// The number for the next batch of a source.
pub(super) async fn next_sequence(
    client: &impl GenericClient,
    source: &SourceName,
) -> Queried<u64> {
    match find_source(client, source).await? {
        Some(source) => sequence_of(client, source).await,
        None => Ok(0),
    }
}

async fn sequence_of(client: &impl GenericClient, source: i64) -> Queried<u64> {
    let sql = "SELECT coalesce(max(sequence) + 1, 0) FROM batch WHERE source_id = $1";
    Ok(first(client, sql, &[&source], |row| uint(row, 0)).await?.unwrap_or(0))
}

const LISTINGS: &str = select_quoted!(
    " FROM listing AS l LEFT JOIN quote AS q ON q.listing_id = l.listing_id \
     WHERE l.source_id = $1 ORDER BY l.listing_id"
);

async fn listings(client: &impl GenericClient, source: i64) -> Queried<Vec<KnownListing>> {
    let mut listings = Vec::new();
    walk(client, LISTINGS, &[&source], |row| {
        listings.push(read_known(row)?);
        Ok(())
    })
    .await?;
    Ok(listings)
}

fn read_known(row: &Row) -> Queried<KnownListing> {
    let quote = match maybe_instant(row, 9)? {
        None => None,
        Some(observed_at) => Some(KnownQuote {
            values: read_quote(row)?,
            observed_at,
            source_timed: get(row, 10)?,
            raw_hash: get::<i64>(row, 21)?.cast_unsigned(),
        }),
    };
    Ok(KnownListing {
        listing_id: ListingId(get(row, 0)?),
        external_id: string(row, 3)?,
        attributes: read_attributes(row)?,
        quote,
        missed: read_missed(row)?,
    })
}

async fn evidence(client: &impl GenericClient, source: i64) -> Queried<Vec<KnownEvidence>> {
    let sql = "SELECT e.listing_id, e.endpoint, e.part, e.content_hash
               FROM evidence AS e JOIN listing AS l ON l.listing_id = e.listing_id
               WHERE l.source_id = $1 ORDER BY e.listing_id, e.endpoint, e.part";
    each(client, sql, &[&source], |row| {
        Ok(KnownEvidence {
            listing_id: ListingId(get(row, 0)?),
            endpoint: string(row, 1)?,
            part: string(row, 2)?,
            content_hash: get::<i64>(row, 3)?.cast_unsigned(),
        })
    })
    .await
}

async fn news(client: &impl GenericClient, source: i64) -> Queried<Vec<KnownNews>> {
    let sql = "SELECT feed, item_id, content_hash FROM news WHERE source_id = $1
               ORDER BY feed, item_id";
    each(client, sql, &[&source], |row| {
        Ok(KnownNews {
            feed: string(row, 0)?,
            item_id: string(row, 1)?,
            content_hash: get::<i64>(row, 2)?.cast_unsigned(),
        })
    })
    .await
}

/// Batches that are looked at together, newest first.
const STEP: u64 = 256;

const BEFORE: &str = "SELECT sequence, page_id, run_id, retry, received, inserted, updated,
        unchanged, stale, duplicate, quarantined
    FROM batch WHERE source_id = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3";

/// What a batch says of a page.
struct Before {
    sequence: i64,
    page_id: i64,
    run_id: RunId,
    retry: bool,
    counts: RunCounts,
}

/// What became of the rows of a loaded page, if no batch of a later run of its source wrote a row.
pub(super) async fn settled(client: &mut Client, page: PageId) -> Queried<Option<RunCounts>> {
    let transaction = snapshot(client).await?;
    let sql = "SELECT source_id, run_id, rows_done FROM page
               WHERE page_id = $1 AND state = 'loaded'";
    let found = first(&transaction, sql, &[&page.0], |row| {
        Ok((get::<i64>(row, 0)?, run_id(row, 1)?, uint(row, 2)?))
    })
    .await?;
    let Some((source, run, rows_done)) = found else {
        return Ok(None);
    };
    let mut counted = RunCounts::default();
    let mut sequence = i64::MAX;
    // Newest first, until every row of the page is found.
    loop {
        let batches = each(&transaction, BEFORE, &[&source, &sequence, &int(STEP)?], |row| {
            Ok(Before {
                sequence: get(row, 0)?,
                page_id: get(row, 1)?,
                run_id: run_id(row, 2)?,
                retry: get(row, 3)?,
                counts: counts(row, 4)?,
            })
        })
        .await?;
        let Some(last) = batches.last() else {
            return Ok(None);
        };
        sequence = last.sequence;
        for batch in &batches {
            let wrote = batch.counts.inserted + batch.counts.updated + batch.counts.stale > 0;
            if batch.page_id == page.0 && !batch.retry {
                counted.add(&batch.counts);
                if counted.received >= rows_done {
                    return Ok(Some(counted));
                }
            } else if (batch.retry || batch.run_id != run) && wrote {
                return Ok(None);
            }
        }
    }
}
