//! What the in-memory store keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use kasparro_domain::{
    Alert, AssetClass, AssetId, Attributes, BodyHash, Checkpoint, Command, CommandId, Contract,
    Decision, DriftKey, DriftRow, Evidence, Generation, IdentityState, ListingId, ListingKey,
    PageId, Quote, Run, RunCounts, RunId, SWEEPS_TO_INACTIVE, SourceName, Timestamp,
};

use crate::{
    Committed, HistoryPoint, ListingRow, Origin, PageRecord, QuarantineRecord, SourceState,
    StoreError, StoreResult, StoredBudget, StoredNews,
};

use super::access::Access;
use super::anomalies::Anomalies;
use super::identity::Identity;

/// Everything, in maps by business key or by minted id.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    pub(super) bodies: BTreeMap<BodyHash, Body>,
    pub(super) pages: BTreeMap<PageId, PageRecord>,
    pub(super) listings: BTreeMap<ListingId, Listing>,
    pub(super) keys: BTreeMap<(SourceName, CompactString), ListingId>,
    pub(super) history: BTreeMap<(ListingId, Timestamp, u32), HistoryPoint>,
    /// Statements by listing, endpoint and part.
    pub(super) evidence: BTreeMap<(ListingId, CompactString, CompactString), Statement>,
    /// News by source, feed and the feed's id.
    pub(super) news: BTreeMap<(SourceName, CompactString, CompactString), News>,
    /// When each source was swept last.
    pub(super) sweeps: BTreeMap<SourceName, Timestamp>,
    /// By source, text of the request, body and ordinal.
    pub(super) quarantine: BTreeMap<(SourceName, String, BodyHash, u64), Quarantined>,
    pub(super) decisions: Vec<Decision>,
    /// Changes of upstreams by source and what has changed.
    pub(super) drift: BTreeMap<(SourceName, DriftKey), DriftRow>,
    /// What is known of endpoints, by source.
    pub(super) profiles: BTreeMap<(SourceName, String), serde_json::Value>,
    pub(super) anomalies: Anomalies,
    pub(super) budgets: BTreeMap<(SourceName, String), StoredBudget>,
    pub(super) alerts: BTreeMap<i64, Alert>,
    pub(super) identity: Identity,
    pub(super) batches: BTreeMap<(SourceName, u64), Manifest>,
    pub(super) checkpoints: BTreeMap<SourceName, Checkpoint>,
    pub(super) leases: BTreeMap<SourceName, Lease>,
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) options: BTreeMap<RunId, serde_json::Value>,
    pub(super) commands: BTreeMap<CommandId, Command>,
    pub(super) states: BTreeMap<SourceName, SourceState>,
    pub(super) access: Access,
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
    pub(super) founded_asset_id: AssetId,
    pub(super) class: AssetClass,
    pub(super) identity: IdentityState,
    pub(super) source: SourceName,
    pub(super) external_id: CompactString,
    pub(super) attributes: Attributes,
    pub(super) contracts: Vec<Contract>,
    /// True when one of its statements says that it is not listed any more.
    pub(super) delisted: bool,
    pub(super) missed: u8,
    pub(super) last_seen_at: Option<Timestamp>,
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
    pub(super) unusual: bool,
}

/// What a list states about a listing.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) evidence: Evidence,
    pub(super) first_seen_at: Timestamp,
    pub(super) fetched_at: Timestamp,
    pub(super) content_hash: u64,
    pub(super) ordinal: u64,
}

/// A piece of news and the hash of its present text.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) stored: StoredNews,
    pub(super) content_hash: u64,
}

/// A row in quarantine.
#[derive(Debug, Clone)]
pub(super) struct Quarantined {
    pub(super) quarantine_id: i64,
    pub(super) run_id: RunId,
    pub(super) first_seen_at: Timestamp,
    pub(super) record: QuarantineRecord,
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
    pub(super) retry: bool,
}

/// Who holds a source.
#[derive(Debug, Clone, Default)]
pub(super) struct Lease {
    pub(super) holder: String,
    pub(super) epoch: u64,
    /// What is left of it. Time stands still here, so it ends only when it is given no time or given up.
    pub(super) left: Duration,
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
    pub(super) fn key(&self) -> ListingKey {
        ListingKey { source: self.source.clone(), external_id: self.external_id.clone() }
    }

    pub(super) const fn active(&self) -> bool {
        !self.delisted && self.missed < SWEEPS_TO_INACTIVE
    }

    pub(super) fn row(&self) -> ListingRow {
        let quote = self.quote.as_ref();
        ListingRow {
            listing_id: self.listing_id,
            asset_id: self.asset_id,
            founded_asset_id: self.founded_asset_id,
            class: self.class,
            identity: self.identity,
            source: self.source.clone(),
            external_id: self.external_id.clone(),
            attributes: self.attributes.clone(),
            contracts: self.contracts.clone(),
            active: self.active(),
            last_seen_at: self.last_seen_at,
            quote: quote.map(|quote| quote.values.clone()),
            observed_at: quote.map(|quote| quote.observed_at),
            source_timed: quote.is_some_and(|quote| quote.source_timed),
            fetched_at: quote.map(|quote| quote.fetched_at),
            unusual: quote.is_some_and(|quote| quote.unusual),
            first_seen_at: self.first_seen_at,
        }
    }
}

impl Tables {
    /// The number for the next batch of a source.
    pub(super) fn next_sequence(&self, source: &SourceName) -> u64 {
        let sequences = self.batches.keys().filter(|(name, _)| name == source);
        sequences.map(|(_, sequence)| sequence + 1).max().unwrap_or(0)
    }

    /// Refuses what is written under an epoch that is over.
    pub(super) fn check_epoch(&self, source: &SourceName, epoch: u64) -> StoreResult<()> {
        if self.leases.get(source).map_or(0, |lease| lease.epoch) == epoch {
            return Ok(());
        }
        Err(StoreError::Fenced { source_name: source.clone(), epoch })
    }

    /// The newest revision of a point.
    pub(super) fn last_revision(&self, listing: ListingId, at: Timestamp) -> Option<&HistoryPoint> {
        let revisions = (listing, at, 0)..=(listing, at, u32::MAX);
        self.history.range(revisions).next_back().map(|(_, point)| point)
    }

    /// The listings that commits above `since` changed; `None` for all of them.
    pub(super) fn changed_since(&self, since: Generation) -> Option<BTreeSet<ListingId>> {
        if since == Generation(0) {
            return None;
        }
        let batches = self.batches.values().map(|batch| (batch.generation, &batch.changed));
        let resolutions = self.identity.resolutions.iter();
        let all = batches.chain(resolutions.map(|(row, changed)| (row.generation, changed)));
        let newer = all.filter(|(generation, _)| *generation > since);
        Some(newer.flat_map(|(_, changed)| changed.iter().copied()).collect())
    }

    /// What lists state about one listing, by endpoint and part.
    pub(super) fn statements(
        &self,
        listing: ListingId,
    ) -> impl Iterator<Item = (&CompactString, &Statement)> {
        let all =
            self.evidence.range((listing, CompactString::default(), CompactString::default())..);
        all.take_while(move |((id, ..), _)| *id == listing)
            .map(|((_, endpoint, _), statement)| (endpoint, statement))
    }

    /// The newest page of any source; 0 before the first.
    pub(super) fn last_page(&self) -> PageId {
        self.pages.last_key_value().map_or(PageId(0), |(last, _)| *last)
    }
}

/// True where a source is among those that a filter asks for, or any will do.
pub(super) fn of_sources(asked: &[SourceName], source: &SourceName) -> bool {
    asked.is_empty() || asked.contains(source)
}
