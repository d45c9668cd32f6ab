//! Rows committed together.

use std::collections::BTreeSet;

use compact_str::CompactString;
use kasparro_domain::{
    Attributes, Checkpoint, Generation, ListingId, Membership, PageId, Quote, Rejection, RunCounts,
    RunId, SourceName, Timestamp,
};

use crate::{StoreError, StoreResult};

/// How a row relates to what is known of its listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowChange {
    /// The listing is not known: insert it. Counts as `inserted`.
    New {
        /// Which asset it belongs to.
        membership: Membership,
    },
    /// The point is newer than the current quote: replace the quote, append history. Counts as
    /// `updated`.
    Newer {
        /// The listing.
        listing_id: ListingId,
    },
    /// The point is that of the current quote, with other values or attributes: replace the quote,
    /// keep both in history where the values differ. Counts as `updated`.
    Correction {
        /// The listing.
        listing_id: ListingId,
    },
    /// The point is older than the current quote, which stays. The store looks the point up: unknown
    /// counts as `stale` and is kept as history, known with the same values as `unchanged`, known with
    /// others as `updated` (a further revision in history).
    Late {
        /// The listing.
        listing_id: ListingId,
    },
}

/// One believed row that has to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// Its place on the page, from 0.
    pub ordinal: u64,
    /// How it relates to what is known.
    pub change: RowChange,
    /// The source's id of the listing.
    pub external_id: CompactString,
    /// What the source says the listing is; written where it differs from what is stored.
    pub attributes: Attributes,
    /// The values.
    pub quote: Quote,
    /// The instant the values hold for: the source's, or `fetched_at` where it gives none.
    pub observed_at: Timestamp,
    /// True when the source gave the instant.
    pub source_timed: bool,
    /// XXH3-64 of the row's bytes, by which an identical row is recognised.
    pub raw_hash: u64,
}

/// One row that was not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// Its place on the page, from 0.
    pub ordinal: u64,
    /// Why.
    pub rejection: Rejection,
    /// The rule that refused it, with its version, for example `domain/1`.
    pub rule: &'static str,
}

/// What is committed in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The source.
    pub source: SourceName,
    /// The epoch under which it was prepared.
    pub epoch: u64,
    /// The run it belongs to.
    pub run_id: RunId,
    /// The page its rows stand on.
    pub page_id: PageId,
    /// When that page was fetched.
    pub fetched_at: Timestamp,
    /// Its number within the source; with the source the key of its manifest.
    pub sequence: u64,
    /// Rows to write, at most one per listing and instant. New listings are given ids in this order.
    pub rows: Vec<BatchRow>,
    /// Rows for quarantine.
    pub quarantined: Vec<QuarantinedRow>,
    /// Further rows that said what was known.
    pub unchanged: u64,
    /// Further rows that repeated a listing and instant within the run.
    pub duplicate: u64,
    /// Rows of the page whose disposition is known once this batch is committed.
    pub rows_done: u64,
    /// True when that is all of them: the page becomes `loaded`.
    pub page_done: bool,
    /// The new position of the source, where this batch moves it.
    pub position: Option<serde_json::Value>,
    /// The time of the commit.
    pub stored_at: Timestamp,
}

/// What came of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The generation it made.
    pub generation: Generation,
    /// What became of its rows.
    pub counts: RunCounts,
    /// Ids of the new listings, in the order of the rows whose change is [`RowChange::New`].
    pub new_listings: Vec<ListingId>,
}

/// What the engine needs to know of a listing to judge its next row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownListing {
    /// The listing.
    pub listing_id: ListingId,
    /// The source's id.
    pub external_id: CompactString,
    /// What the source says it is.
    pub attributes: Attributes,
    /// The current values.
    pub quote: Quote,
    /// The instant they hold for.
    pub observed_at: Timestamp,
    /// True when the source gave the instant.
    pub source_timed: bool,
    /// XXH3-64 of the bytes of the row that brought them.
    pub raw_hash: u64,
}

/// What is known of a source when a process takes it.
#[derive(Debug, Default)]
pub struct SourceMemory {
    /// How far it came.
    pub checkpoint: Option<Checkpoint>,
    /// The number for its next batch.
    pub next_sequence: u64,
    /// Every listing that has a quote.
    pub listings: Vec<KnownListing>,
}

impl Batch {
    /// Checks what can be checked without looking at what is stored; stores call it before they
    /// write.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] when a row has two dispositions, a text holds U+0000 or a rank
    /// is 0.
    pub fn check(&self) -> StoreResult<()> {
        for row in &self.rows {
            let Attributes { symbol, name, contracts } = &row.attributes;
            let contracts = contracts.iter().flat_map(|stated| [&stated.platform, &stated.address]);
            let mut texts =
                [Some(&row.external_id), symbol.as_ref(), name.as_ref()].into_iter().flatten();
            if texts.any(|text| text.contains('\0'))
                || contracts.into_iter().any(|text| text.contains('\0'))
            {
                return Err(self.refusal(row.ordinal, "holds the character U+0000"));
            }
            if row.external_id.is_empty() {
                return Err(self.refusal(row.ordinal, "has an empty external id"));
            }
            if row.quote.rank == Some(0) {
                return Err(self.refusal(row.ordinal, "has rank 0"));
            }
        }
        self.check_quarantined()
    }

    /// A row that is quarantined must be so once, and must not be written as well (invariant I1).
    fn check_quarantined(&self) -> StoreResult<()> {
        if self.quarantined.is_empty() {
            return Ok(());
        }
        let mut seen: BTreeSet<u64> = self.rows.iter().map(|row| row.ordinal).collect();
        for row in &self.quarantined {
            if !seen.insert(row.ordinal) {
                return Err(self.refusal(row.ordinal, "has two dispositions"));
            }
            let Rejection { field, value, external_id, .. } = &row.rejection;
            if [Some(field), Some(value), external_id.as_ref()]
                .into_iter()
                .flatten()
                .any(|text| text.contains('\0'))
            {
                return Err(self.refusal(row.ordinal, "holds the character U+0000"));
            }
        }
        Ok(())
    }

    /// The refusal of this batch because of one of its rows.
    fn refusal(&self, ordinal: u64, what: &str) -> StoreError {
        StoreError::Conflict(format!(
            "{}: row {ordinal} of batch {} {what}",
            self.source, self.sequence
        ))
    }
}
