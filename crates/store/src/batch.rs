//! Rows committed together.

use compact_str::CompactString;
use kasparro_domain::{
    Attributes, Checkpoint, Evidence, Generation, ListingId, Membership, NewsItem, PageId, Quote,
    Rejection, RunCounts, RunId, SourceName, Timestamp,
};

use crate::{Examined, RowAnomaly};

/// Which listing a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingRef {
    /// One that is stored.
    Stored(ListingId),
    /// The one that an earlier row of the same batch inserts, found by its external id.
    InBatch,
}

/// How a row relates to what is known of its listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowChange {
    /// The listing is not known: insert it. Counts as `inserted`.
    New {
        /// Which asset it belongs to.
        membership: Membership,
    },
    /// The point is newer than the current quote, or the listing has none yet: set the quote, append
    /// history. Counts as `updated`.
    Newer {
        /// The listing.
        listing: ListingRef,
    },
    /// The point is that of the current quote, with other values or attributes: replace the quote,
    /// keep both in history where the values differ. Counts as `updated`.
    Correction {
        /// The listing.
        listing: ListingRef,
    },
    /// The point is older than the current quote, which stays. The store looks the point up: unknown
    /// counts as `stale` and is kept as history, known with the same values as `unchanged`, known with
    /// others as `updated` (a further revision in history).
    Late {
        /// The listing.
        listing: ListingRef,
        /// True when the point seems to have been seen in this run already. If it is known it then
        /// counts as `duplicate`, whatever its values.
        repeated: bool,
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
    /// What the source calls the listing; written where it differs from what is stored.
    pub attributes: Attributes,
    /// The values.
    pub quote: Quote,
    /// The instant the values hold for: the source's, or `fetched_at` where it gives none.
    pub observed_at: Timestamp,
    /// True when the source gave the instant.
    pub source_timed: bool,
    /// XXH3-64 of the row's bytes, by which an identical row is recognised.
    pub raw_hash: u64,
    /// What is unusual about the values, each kind at most once. It is kept beside the point, and a quote
    /// that the row brings is marked.
    pub anomalies: Vec<RowAnomaly>,
}

/// Where a statement of a list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvidenceChange {
    /// The listing is not known: insert it without a quote. Counts as `inserted`.
    New {
        /// Which asset it belongs to.
        membership: Membership,
    },
    /// The listing is known; the statement about it is new or another than before. Counts as `updated`.
    Stated {
        /// The listing.
        listing: ListingRef,
    },
    /// A newer page of the same endpoint was loaded before. The statement is kept only where none is
    /// stored. Counts as `stale`.
    Late {
        /// The listing.
        listing: ListingRef,
    },
}

/// One statement of a list that has to be written.
///
/// A listing shows the contracts of all its statements. Symbol and name are those of its quote; until it
/// has one, those that the statement written last gives. It is not active where a statement says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceRow {
    /// Its place on the page, from 0.
    pub ordinal: u64,
    /// Where it goes.
    pub change: EvidenceChange,
    /// The endpoint that states it, for example `coins_list`.
    pub endpoint: CompactString,
    /// What it says.
    pub evidence: Evidence,
    /// XXH3-64 of what it says, by which a row that says the same is recognised.
    pub content_hash: u64,
}

/// One piece of news that has to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewsRow {
    /// Its place on the page, from 0.
    pub ordinal: u64,
    /// False counts as `inserted`, true as `updated`: the item is stored with another text.
    pub known: bool,
    /// The feed that carries it: its address without the scheme.
    pub feed: CompactString,
    /// The item.
    pub item: NewsItem,
    /// XXH3-64 of what it says, by which a row that says the same is recognised.
    pub content_hash: u64,
}

/// What a complete sweep showed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sweep {
    /// Listings that were not on any of its pages: each has missed one more sweep. Ascending.
    pub missing: Vec<ListingId>,
}

/// That a person asked for the rows of a batch to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
    /// The ordinals that were read again, ascending. Those that the batch does not quarantine once more
    /// are `loaded` from now on; the others keep the reason that they have now.
    pub ordinals: Vec<u64>,
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
    /// Statements to write, at most one per listing, endpoint and part. Their new listings are given
    /// ids behind those of `rows`, in this order.
    pub evidence: Vec<EvidenceRow>,
    /// News to write.
    pub news: Vec<NewsRow>,
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
    /// Listings that had missed sweeps and were seen again: they have missed none. Ascending.
    pub returned: Vec<ListingId>,
    /// What the sweep that this page completes showed, where it completes one.
    pub sweep: Option<Sweep>,
    /// Set when the rows come from quarantine. The page is loaded already and does not move on; the
    /// store writes the decision into the same transaction.
    pub retry: Option<Retry>,
    /// What examining the page brought, with the batch that ends it.
    pub examined: Option<Examined>,
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
    /// Ids of the new listings, in the order of the rows whose change is [`RowChange::New`], and behind
    /// them of the evidence whose change is [`EvidenceChange::New`].
    pub new_listings: Vec<ListingId>,
}

/// What the engine needs to know of a listing to judge its next row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownListing {
    /// The listing.
    pub listing_id: ListingId,
    /// The source's id.
    pub external_id: CompactString,
    /// What the source calls it.
    pub attributes: Attributes,
    /// Its current values; absent for a listing known only from a list.
    pub quote: Option<KnownQuote>,
    /// Complete sweeps in a row that it is missing from, up to
    /// [`kasparro_domain::SWEEPS_TO_INACTIVE`].
    pub missed: u8,
}

/// The current values of a known listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownQuote {
    /// The values.
    pub values: Quote,
    /// The instant they hold for.
    pub observed_at: Timestamp,
    /// True when the source gave the instant.
    pub source_timed: bool,
    /// XXH3-64 of the bytes of the row that brought them.
    pub raw_hash: u64,
}

/// A stored statement of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEvidence {
    /// The listing it is about.
    pub listing_id: ListingId,
    /// The endpoint that states it.
    pub endpoint: CompactString,
    /// Which of several statements it is.
    pub part: CompactString,
    /// XXH3-64 of what it says.
    pub content_hash: u64,
}

/// A stored piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownNews {
    /// The feed that carries it.
    pub feed: CompactString,
    /// The feed's id of it.
    pub item_id: CompactString,
    /// XXH3-64 of what it says.
    pub content_hash: u64,
}

/// What is known of a source when a process takes it.
#[derive(Debug, Default)]
pub struct SourceMemory {
    /// How far it came.
    pub checkpoint: Option<Checkpoint>,
    /// The number for its next batch.
    pub next_sequence: u64,
    /// Every listing.
    pub listings: Vec<KnownListing>,
    /// Every statement of its lists.
    pub evidence: Vec<KnownEvidence>,
    /// Every piece of its news.
    pub news: Vec<KnownNews>,
}
