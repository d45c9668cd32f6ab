//! One batch, applied to a copy of the tables.

use kasparro_domain::{
    AssetId, Checkpoint, Generation, ListingId, PageState, RunCounts, SourceName,
};

use super::refused;
use super::tables::{CurrentQuote, Listing, Manifest, Tables};
use crate::{
    Batch, BatchRow, Committed, HistoryPoint, Origin, QuarantineRecord, RowChange, StoreError,
    StoreResult,
};

/// Applies a batch. On an error the tables are half changed and must be thrown away.
pub(super) fn commit(tables: &mut Tables, batch: Batch) -> StoreResult<Committed> {
    if tables.leases.get(&batch.source).map(|lease| lease.epoch) != Some(batch.epoch) {
        return Err(StoreError::Fenced { source_name: batch.source, epoch: batch.epoch });
    }
    let key = (batch.source.clone(), batch.sequence);
    if let Some(manifest) = tables.batches.get(&key) {
        return Ok(manifest.committed());
    }
    batch.check()?;
    if tables.runs.get(&batch.run_id).is_none_or(|run| run.source != batch.source) {
        return refused(format!("run {} of {} is not known", batch.run_id, batch.source));
    }

    let mut counts = RunCounts {
        unchanged: batch.unchanged,
        duplicate: batch.duplicate,
        ..RunCounts::default()
    };
    let mut new_listings = Vec::new();
    let mut changed = Vec::new();
    for row in &batch.rows {
        apply(tables, &batch, row, &mut counts, &mut new_listings, &mut changed)?;
    }
    quarantine(tables, &batch, &mut counts)?;
    counts.received = counts.inserted
        + counts.updated
        + counts.unchanged
        + counts.stale
        + counts.duplicate
        + counts.quarantined;
    advance_page(tables, &batch, &counts)?;

    if let Some(run) = tables.runs.get_mut(&batch.run_id) {
        run.counts.add(&counts);
    }
    if let Some(position) = batch.position {
        let checkpoint = Checkpoint { position, moved_at: batch.fetched_at };
        let before = tables.checkpoints.get(&batch.source);
        if before.is_none_or(|before| before.moved_at <= checkpoint.moved_at) {
            tables.checkpoints.insert(batch.source, checkpoint);
        }
    }
    tables.generation += 1;
    changed.sort_unstable();
    changed.dedup();
    let manifest = Manifest {
        run_id: batch.run_id,
        page_id: batch.page_id,
        generation: Generation(tables.generation),
        counts,
        new_listings,
        changed,
    };
    let committed = manifest.committed();
    tables.batches.insert(key, manifest);
    Ok(committed)
}

/// Applies one believed row and counts its disposition.
fn apply(
    tables: &mut Tables,
    batch: &Batch,
    row: &BatchRow,
    counts: &mut RunCounts,
    new_listings: &mut Vec<ListingId>,
    changed: &mut Vec<ListingId>,
) -> StoreResult<()> {
    let listing_id = match row.change {
        RowChange::New { .. } => {
            let listing_id = insert_listing(tables, batch, row)?;
            new_listings.push(listing_id);
            counts.inserted += 1;
            replace_quote(tables, listing_id, batch, row);
            append_history(tables, listing_id, &batch.source, row);
            listing_id
        }
        RowChange::Newer { listing_id } => {
            let current = current(tables, listing_id, batch, row)?;
            if current.observed_at >= row.observed_at {
                return refused(format!(
                    "the point is not newer than that of listing {listing_id}"
                ));
            }
            counts.updated += 1;
            replace_quote(tables, listing_id, batch, row);
            append_history(tables, listing_id, &batch.source, row);
            listing_id
        }
        RowChange::Correction { listing_id } => {
            let current = current(tables, listing_id, batch, row)?;
            if current.observed_at != row.observed_at {
                return refused(format!("the point is not that of listing {listing_id}"));
            }
            counts.updated += 1;
            replace_quote(tables, listing_id, batch, row);
            append_history(tables, listing_id, &batch.source, row);
            listing_id
        }
        RowChange::Late { listing_id } => {
            let current = current(tables, listing_id, batch, row)?;
            if current.observed_at <= row.observed_at {
                return refused(format!(
                    "the point is not older than that of listing {listing_id}"
                ));
            }
            match tables.last_revision(listing_id, row.observed_at) {
                None => counts.stale += 1,
                Some(point) if point.agrees(&row.quote) => counts.unchanged += 1,
                Some(_) => counts.updated += 1,
            }
            append_history(tables, listing_id, &batch.source, row);
            // The quote and the attributes of a newer point stay, so readers see no change.
            return Ok(());
        }
    };
    changed.push(listing_id);
    Ok(())
}

/// The current quote of a listing that the batch names.
fn current(
    tables: &Tables,
    listing_id: ListingId,
    batch: &Batch,
    row: &BatchRow,
) -> StoreResult<CurrentQuote> {
    tables
        .listings
        .get(&listing_id)
        .filter(|known| known.source == batch.source && known.external_id == row.external_id)
        .and_then(|known| known.quote.clone())
        .ok_or_else(|| {
            let (source, id) = (&batch.source, &row.external_id);
            StoreError::Conflict(format!("listing {listing_id} is not a quoted {id} of {source}"))
        })
}

fn insert_listing(tables: &mut Tables, batch: &Batch, row: &BatchRow) -> StoreResult<ListingId> {
    let key = (batch.source.clone(), row.external_id.clone());
    if tables.keys.contains_key(&key) {
        return refused(format!("{} has a listing {} already", key.0, key.1));
    }
    let last = tables.listings.last_key_value().map_or(0, |(id, _)| id.0);
    let listing_id = ListingId(last + 1);
    let listing = Listing {
        listing_id,
        asset_id: AssetId(last + 1),
        source: batch.source.clone(),
        external_id: row.external_id.clone(),
        attributes: row.attributes.clone(),
        first_seen_at: batch.fetched_at,
        quote: None,
    };
    tables.listings.insert(listing_id, listing);
    tables.keys.insert(key, listing_id);
    Ok(listing_id)
}

fn replace_quote(tables: &mut Tables, listing_id: ListingId, batch: &Batch, row: &BatchRow) {
    if let Some(listing) = tables.listings.get_mut(&listing_id) {
        listing.attributes = row.attributes.clone();
        listing.quote = Some(CurrentQuote {
            values: row.quote.clone(),
            observed_at: row.observed_at,
            source_timed: row.source_timed,
            fetched_at: batch.fetched_at,
            origin: Origin { raw_hash: row.raw_hash, ordinal: row.ordinal },
        });
    }
}

/// Adds a revision, unless the newest one of the same instant says the same.
fn append_history(tables: &mut Tables, listing_id: ListingId, source: &SourceName, row: &BatchRow) {
    let revision = match tables.last_revision(listing_id, row.observed_at) {
        Some(point) if point.agrees(&row.quote) => return,
        Some(point) => point.revision + 1,
        None => 0,
    };
    let point = HistoryPoint {
        source: source.clone(),
        external_id: row.external_id.clone(),
        observed_at: row.observed_at,
        revision,
        price_usd: row.quote.price_usd.clone(),
        market_cap: row.quote.market_cap.clone(),
        volume_24h: row.quote.volume_24h.clone(),
        source_timed: row.source_timed,
    };
    tables.history.insert((listing_id, row.observed_at, revision), point);
}

/// Keeps the quarantined rows; one that is kept already is counted and stays as it is.
fn quarantine(tables: &mut Tables, batch: &Batch, counts: &mut RunCounts) -> StoreResult<()> {
    let Some(body) = tables.pages.get(&batch.page_id).map(|record| record.page.body) else {
        return refused(format!("page {} is not known", batch.page_id));
    };
    for row in &batch.quarantined {
        counts.quarantined += 1;
        let key = (batch.source.clone(), body, row.ordinal);
        tables.quarantine.entry(key).or_insert_with(|| QuarantineRecord {
            source: batch.source.clone(),
            body,
            ordinal: row.ordinal,
            rejection: row.rejection.clone(),
            rule: row.rule.to_owned(),
            status: "open".to_owned(),
        });
    }
    Ok(())
}

fn advance_page(tables: &mut Tables, batch: &Batch, counts: &RunCounts) -> StoreResult<()> {
    let page_id = batch.page_id;
    let Some(record) = tables.pages.get_mut(&page_id) else {
        return refused(format!("page {page_id} is not known"));
    };
    let page = &mut record.page;
    if page.source != batch.source || page.state == PageState::Refused {
        return refused(format!("page {page_id} takes no rows of {}", batch.source));
    }
    if batch.rows_done < page.rows_done || batch.rows_done > page.rows_done + counts.received {
        return refused(format!(
            "page {page_id} has {} rows done, a batch of {} cannot make that {}",
            page.rows_done, counts.received, batch.rows_done
        ));
    }
    page.rows_done = batch.rows_done;
    if batch.page_done {
        page.state = PageState::Loaded;
    }
    Ok(())
}
