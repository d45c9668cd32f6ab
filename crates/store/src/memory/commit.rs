//! One batch, applied to a copy of the tables.

use std::collections::BTreeSet;

use compact_str::CompactString;
use kasparro_domain::{
    AssetClass, AssetId, Attributes, Checkpoint, Generation, IdentityState, ListingId, PageState,
    RunCounts,
};

use super::tables::{CurrentQuote, Listing, Manifest, Tables};
use super::{drift, quarantine, refused, statements};
use crate::{
    Batch, BatchRow, Committed, HistoryPoint, ListingRef, Origin, RowChange, StoreError,
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

    let evidence_version = tables.identity.evidence_version;
    let counts = RunCounts {
        unchanged: batch.unchanged,
        duplicate: batch.duplicate,
        ..RunCounts::default()
    };
    let mut applied = Applied {
        tables,
        batch: &batch,
        counts,
        new_listings: Vec::new(),
        changed: BTreeSet::new(),
    };
    for row in &batch.rows {
        applied.row(row)?;
    }
    for row in &batch.evidence {
        statements::evidence(&mut applied, row)?;
    }
    for row in &batch.news {
        statements::news(&mut applied, row)?;
    }
    statements::returned(&mut applied)?;
    statements::sweep(&mut applied)?;
    let Applied { tables, mut counts, new_listings, changed, .. } = applied;
    match &batch.retry {
        Some(retry) => quarantine::retry(tables, &batch, retry, &mut counts)?,
        None => quarantine::keep(tables, &batch, &mut counts)?,
    }
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
    if let Some(position) = batch.position.clone() {
        let checkpoint = Checkpoint { position, moved_at: batch.fetched_at };
        let before = tables.checkpoints.get(&batch.source);
        if before.is_none_or(|before| before.moved_at <= checkpoint.moved_at) {
            tables.checkpoints.insert(batch.source.clone(), checkpoint);
        }
    }
    if let Some(examined) = &batch.examined {
        drift::examined(tables, batch.page_id, examined, false)?;
    }
    // Once for a commit, however much of it is evidence.
    let version = &mut tables.identity.evidence_version;
    *version = (*version).min(evidence_version + 1);
    tables.generation += 1;
    let manifest = Manifest {
        run_id: batch.run_id,
        page_id: batch.page_id,
        generation: Generation(tables.generation),
        counts,
        new_listings,
        changed: changed.into_iter().collect(),
        retry: batch.retry.is_some(),
    };
    let committed = manifest.committed();
    tables.batches.insert(key, manifest);
    Ok(committed)
}

/// A batch on its way into the tables, and what came of it so far.
pub(super) struct Applied<'a> {
    pub(super) tables: &'a mut Tables,
    pub(super) batch: &'a Batch,
    pub(super) counts: RunCounts,
    pub(super) new_listings: Vec<ListingId>,
    pub(super) changed: BTreeSet<ListingId>,
}

impl Applied<'_> {
    /// Applies one believed row and counts its disposition.
    fn row(&mut self, row: &BatchRow) -> StoreResult<()> {
        let listing_id = match row.change {
            RowChange::New { .. } => {
                let listing_id = self.insert_listing(&row.external_id, &row.attributes)?;
                self.counts.inserted += 1;
                listing_id
            }
            RowChange::Newer { listing } => {
                let listing_id = self.listing(listing, &row.external_id)?;
                if self.observed_at(listing_id).is_some_and(|current| current >= row.observed_at) {
                    return refused(format!(
                        "the point is not newer than that of listing {listing_id}"
                    ));
                }
                self.counts.updated += 1;
                listing_id
            }
            RowChange::Correction { listing } => {
                let listing_id = self.listing(listing, &row.external_id)?;
                if self.observed_at(listing_id) != Some(row.observed_at) {
                    return refused(format!("the point is not that of listing {listing_id}"));
                }
                self.counts.updated += 1;
                listing_id
            }
            RowChange::Late { listing, repeated } => return self.late(row, listing, repeated),
        };
        self.replace_quote(listing_id, row);
        self.append_history(listing_id, row);
        self.keep_anomalies(listing_id, row);
        self.changed.insert(listing_id);
        Ok(())
    }

    /// Keeps a point of the past. Quote and attributes stay, so readers see no change.
    fn late(&mut self, row: &BatchRow, listing: ListingRef, repeated: bool) -> StoreResult<()> {
        let listing_id = self.listing(listing, &row.external_id)?;
        if self.observed_at(listing_id).is_none_or(|current| current <= row.observed_at) {
            return refused(format!("the point is not older than that of listing {listing_id}"));
        }
        match self.tables.last_revision(listing_id, row.observed_at) {
            None => self.counts.stale += 1,
            Some(_) if repeated => {
                self.counts.duplicate += 1;
                return Ok(());
            }
            Some(point) if point.agrees(&row.quote) => self.counts.unchanged += 1,
            Some(_) => self.counts.updated += 1,
        }
        self.append_history(listing_id, row);
        self.keep_anomalies(listing_id, row);
        Ok(())
    }

    fn keep_anomalies(&mut self, listing_id: ListingId, row: &BatchRow) {
        self.tables.anomalies.keep_values(
            &self.batch.source,
            self.batch.fetched_at,
            listing_id,
            row,
        );
    }

    /// The listing that a row names, which must be one of the batch's source and have the row's id.
    pub(super) fn listing(&self, named: ListingRef, external_id: &str) -> StoreResult<ListingId> {
        let source = &self.batch.source;
        match named {
            ListingRef::Stored(listing_id) => {
                let known = self.tables.listings.get(&listing_id);
                if known
                    .is_none_or(|known| known.source != *source || known.external_id != external_id)
                {
                    return refused(format!(
                        "listing {listing_id} is not {external_id} of {source}"
                    ));
                }
                Ok(listing_id)
            }
            ListingRef::InBatch => {
                let key = (source.clone(), CompactString::from(external_id));
                let found = self.tables.keys.get(&key).filter(|id| self.new_listings.contains(id));
                match found {
                    Some(listing_id) => Ok(*listing_id),
                    None => refused(format!(
                        "no earlier row of the batch brings {external_id} of {source}"
                    )),
                }
            }
        }
    }

    fn observed_at(&self, listing_id: ListingId) -> Option<kasparro_domain::Timestamp> {
        self.tables.listings.get(&listing_id)?.quote.as_ref().map(|quote| quote.observed_at)
    }

    /// Stores a listing without a quote.
    pub(super) fn insert_listing(
        &mut self,
        external_id: &CompactString,
        attributes: &Attributes,
    ) -> StoreResult<ListingId> {
        let key = (self.batch.source.clone(), external_id.clone());
        if self.tables.keys.contains_key(&key) {
            return refused(format!("{} has a listing {} already", key.0, key.1));
        }
        let last = self.tables.listings.last_key_value().map_or(0, |(id, _)| id.0);
        let listing_id = ListingId(last + 1);
        let listing = Listing {
            listing_id,
            asset_id: AssetId(last + 1),
            founded_asset_id: AssetId(last + 1),
            class: AssetClass::Other,
            identity: IdentityState::Unresolved,
            source: key.0.clone(),
            external_id: external_id.clone(),
            attributes: attributes.clone(),
            contracts: Vec::new(),
            delisted: false,
            missed: 0,
            last_seen_at: None,
            first_seen_at: self.batch.fetched_at,
            quote: None,
        };
        self.tables.listings.insert(listing_id, listing);
        self.tables.keys.insert(key, listing_id);
        self.new_listings.push(listing_id);
        self.changed.insert(listing_id);
        self.tables.identity.evidence_version += 1;
        Ok(listing_id)
    }

    fn replace_quote(&mut self, listing_id: ListingId, row: &BatchRow) {
        if let Some(listing) = self.tables.listings.get_mut(&listing_id) {
            let before = std::mem::replace(&mut listing.attributes, row.attributes.clone());
            if before != row.attributes {
                self.tables.identity.renamed(listing_id, before, self.batch.fetched_at);
            }
            listing.quote = Some(CurrentQuote {
                values: row.quote.clone(),
                observed_at: row.observed_at,
                source_timed: row.source_timed,
                fetched_at: self.batch.fetched_at,
                origin: Origin { raw_hash: row.raw_hash, ordinal: row.ordinal },
                unusual: !row.anomalies.is_empty(),
            });
        }
    }

    /// Adds a revision, unless the newest one of the same instant says the same.
    fn append_history(&mut self, listing_id: ListingId, row: &BatchRow) {
        let revision = match self.tables.last_revision(listing_id, row.observed_at) {
            Some(point) if point.agrees(&row.quote) => return,
            Some(point) => point.revision + 1,
            None => 0,
        };
        let point = HistoryPoint {
            source: self.batch.source.clone(),
            external_id: row.external_id.clone(),
            observed_at: row.observed_at,
            revision,
            price_usd: row.quote.price_usd.clone(),
            market_cap: row.quote.market_cap.clone(),
            volume_24h: row.quote.volume_24h.clone(),
            source_timed: row.source_timed,
        };
        self.tables.history.insert((listing_id, row.observed_at, revision), point);
    }
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
    if batch.retry.is_some() {
        // Its rows were accounted for when the page was loaded.
        if page.state != PageState::Loaded || batch.rows_done != page.rows_done {
            return refused(format!("page {page_id} is not loaded, or its progress would move"));
        }
        return Ok(());
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
