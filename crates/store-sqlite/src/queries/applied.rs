//! A batch on its way into the tables.

use std::collections::BTreeMap;

use kasparro_domain::{ListingId, RunCounts};
use kasparro_store::{Batch, EvidenceChange, ListingRef, RowChange};
use rusqlite::Connection;

use crate::error::{Queried, refused};

/// A batch, and what came of it so far.
pub(super) struct Applied<'a> {
    pub(super) connection: &'a Connection,
    pub(super) source: i64,
    pub(super) batch: &'a Batch,
    pub(super) inserted: Inserted<'a>,
    pub(super) counts: RunCounts,
    /// Listings that readers see changed, in any order and perhaps repeated.
    pub(super) changed: Vec<ListingId>,
    /// True once something was written that speaks for what a listing is.
    pub(super) evidence_changed: bool,
}

impl<'a> Applied<'a> {
    pub(super) fn new(connection: &'a Connection, source: i64, batch: &'a Batch) -> Self {
        let counts = RunCounts {
            unchanged: batch.unchanged,
            duplicate: batch.duplicate,
            quarantined: batch.quarantined.len() as u64,
            ..RunCounts::default()
        };
        let changed = Vec::with_capacity(batch.rows.len() + batch.evidence.len());
        let inserted = Inserted::of(batch);
        Self { connection, source, batch, inserted, counts, changed, evidence_changed: false }
    }

    /// The id of the listing that a row names.
    pub(super) fn listing(&self, named: ListingRef, external_id: &str) -> Queried<ListingId> {
        match named {
            ListingRef::Stored(listing_id) => Ok(listing_id),
            ListingRef::InBatch => match self.inserted.ids.get(external_id) {
                Some(listing_id) => Ok(*listing_id),
                None => refused(format!(
                    "no earlier row of the batch brings {external_id} of {}",
                    self.batch.source
                )),
            },
        }
    }

    /// The refusal of a row about a listing that is another one.
    pub(super) fn other_listing<T>(&self, listing_id: ListingId, external_id: &str) -> Queried<T> {
        refused(format!("listing {listing_id} is not {external_id} of {}", self.batch.source))
    }

    /// The counters with their sum, and the changed listings: ascending, each once.
    pub(super) fn finish(self) -> (RunCounts, Vec<ListingId>) {
        let Self { mut counts, mut changed, .. } = self;
        counts.received = counts.inserted
            + counts.updated
            + counts.unchanged
            + counts.stale
            + counts.duplicate
            + counts.quarantined;
        changed.sort_unstable();
        changed.dedup();
        (counts, changed)
    }
}

/// The listings that the batch has inserted so far, by external id.
pub(super) struct Inserted<'a> {
    /// False for a batch that never asks, as most that insert much: noting would cost for nothing.
    pub(super) wanted: bool,
    ids: BTreeMap<&'a str, ListingId>,
}

impl<'a> Inserted<'a> {
    fn of(batch: &Batch) -> Self {
        let by_row = batch.rows.iter().any(|row| match row.change {
            RowChange::New { .. } => false,
            RowChange::Newer { listing }
            | RowChange::Correction { listing }
            | RowChange::Late { listing, .. } => listing == ListingRef::InBatch,
        });
        let by_statement = batch.evidence.iter().any(|row| match row.change {
            EvidenceChange::New { .. } => false,
            EvidenceChange::Stated { listing } | EvidenceChange::Late { listing } => {
                listing == ListingRef::InBatch
            }
        });
        Self { wanted: by_row || by_statement, ids: BTreeMap::new() }
    }

    pub(super) fn note(&mut self, external_id: &'a str, listing_id: ListingId) {
        if self.wanted {
            self.ids.insert(external_id, listing_id);
        }
    }
}
