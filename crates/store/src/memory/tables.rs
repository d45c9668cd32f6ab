//! What the in-memory store keeps.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;
use kasparro_domain::{
    AssetId, Attributes, BodyHash, Checkpoint, Command, CommandId, Generation, ListingId, PageId,
    Quote, Run, RunCounts, RunId, SourceName, Timestamp,
};

use crate::{
    Committed, HistoryPoint, ListingRow, Origin, PageRecord, QuarantineRecord, SourceState,
};

/// Everything, in maps by business key or by minted id.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    pub(super) bodies: BTreeMap<BodyHash, Body>,
    pub(super) pages: BTreeMap<PageId, PageRecord>,
    pub(super) listings: BTreeMap<ListingId, Listing>,
    pub(super) keys: BTreeMap<(SourceName, CompactString), ListingId>,
    pub(super) history: BTreeMap<(ListingId, Timestamp, u32), HistoryPoint>,
    pub(super) quarantine: BTreeMap<(SourceName, BodyHash, u64), QuarantineRecord>,
    pub(super) batches: BTreeMap<(SourceName, u64), Manifest>,
    pub(super) checkpoints: BTreeMap<SourceName, Checkpoint>,
    pub(super) leases: BTreeMap<SourceName, Lease>,
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) commands: BTreeMap<CommandId, Command>,
    pub(super) states: BTreeMap<SourceName, SourceState>,
    pub(super) generation: u64,
}

/// A body's zstd frame; shared between the copies that commits make.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) body_bytes: u64,
    pub(super) frame: Arc<[u8]>,
}

/// A listing and its current quote.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) listing_id: ListingId,
    pub(super) asset_id: AssetId,
    pub(super) source: SourceName,
    pub(super) external_id: CompactString,
    pub(super) attributes: Attributes,
    pub(super) first_seen_at: Timestamp,
    pub(super) quote: Option<CurrentQuote>,
}

/// The current values of a listing.
#[derive(Debug, Clone)]
pub(super) struct CurrentQuote {
    pub(super) values: Quote,
    pub(super) observed_at: Timestamp,
    pub(super) source_timed: bool,
    pub(super) fetched_at: Timestamp,
    pub(super) origin: Origin,
}

/// What a batch did.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) run_id: RunId,
    pub(super) page_id: PageId,
    pub(super) generation: Generation,
    pub(super) counts: RunCounts,
    pub(super) new_listings: Vec<ListingId>,
    pub(super) changed: Vec<ListingId>,
}

/// Who holds a source.
#[derive(Debug, Clone, Default)]
pub(super) struct Lease {
    pub(super) holder: String,
    pub(super) epoch: u64,
}

impl Manifest {
    pub(super) fn committed(&self) -> Committed {
        Committed {
            generation: self.generation,
            counts: self.counts,
            new_listings: self.new_listings.clone(),
        }
    }
}

impl Listing {
    pub(super) fn row(&self) -> ListingRow {
        let quote = self.quote.as_ref();
        ListingRow {
            listing_id: self.listing_id,
            asset_id: self.asset_id,
            source: self.source.clone(),
            external_id: self.external_id.clone(),
            attributes: self.attributes.clone(),
            active: true,
            quote: quote.map(|quote| quote.values.clone()),
            observed_at: quote.map(|quote| quote.observed_at),
            source_timed: quote.is_some_and(|quote| quote.source_timed),
            fetched_at: quote.map(|quote| quote.fetched_at),
            first_seen_at: self.first_seen_at,
        }
    }
}

impl Tables {
    /// The newest revision of a point.
    pub(super) fn last_revision(&self, listing: ListingId, at: Timestamp) -> Option<&HistoryPoint> {
        let revisions = (listing, at, 0)..=(listing, at, u32::MAX);
        self.history.range(revisions).next_back().map(|(_, point)| point)
    }
}
