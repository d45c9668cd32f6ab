//! The invariants of a store, checked while its rows go by.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use kasparro_domain::{
    AssetId, BodyHash, Checkpoint, Contract, Decision, DriftRow, Evidence, ListingId, PageId,
    PageState, RawPage, Run, RunCounts, RunId, SWEEPS_TO_INACTIVE, SourceName, Timestamp,
};
use serde_json::Value;

use super::body::read_body;
use super::found::Found;
use super::judged::Judged;
use super::points::Points;
use super::positions::Positions;
use super::{BodyChunks, EvidenceRecord, QuarantineRecord, Violation};
use crate::{HistoryPoint, ListingRow, StoreResult, StoredNews, evidence_hash, news_hash};

#[derive(Debug)]
struct PageMark {
    source: SourceName,
    body: BodyHash,
    state: PageState,
    rows_done: u64,
    fetched_at: Timestamp,
    /// Rows that its batches account for.
    accounted: u64,
}

/// Collects what invariants are about.
#[derive(Debug, Default)]
pub(super) struct Checks {
    found: Found,
    judged: Judged,
    positions: Positions,
    points: Points,
    listings: HashSet<ListingId>,
    /// Listings that are not active, and whether sweeps or lists tell why.
    inactive: HashMap<ListingId, bool>,
    contracts: HashMap<ListingId, Vec<Contract>>,
    stated: HashMap<ListingId, Vec<Contract>>,
    /// Sources with listings that missed sweeps.
    missing: BTreeSet<SourceName>,
    /// How many listings and pieces of news there are, and how many were inserted.
    kept: u64,
    inserted: u64,
    pages: BTreeMap<PageId, PageMark>,
    bodies: BTreeSet<BodyHash>,
    run_counts: HashMap<RunId, RunCounts>,
    generations: u64,
    last_generation: u64,
    /// Generations that resolutions made.
    resolved: BTreeSet<u64>,
    /// The source of the founder of each asset, where the founder stands in it, and those of the others.
    founded: HashMap<AssetId, Option<SourceName>>,
    members: HashMap<AssetId, Vec<SourceName>>,
    after_page: PageId,
}

impl Checks {
    fn say(&mut self, invariant: &'static str, detail: String) {
        self.found.say(invariant, detail);
    }

    pub(super) fn listing(&mut self, row: &ListingRow, missed: u8) {
        self.listings.insert(row.listing_id);
        self.identity(row);
        self.kept += 1;
        if missed > 0 {
            self.missing.insert(row.source.clone());
        }
        let (source, id) = (&row.source, &row.external_id);
        if row.last_seen_at.is_some() != (missed > 0) {
            let what =
                format!("{source} {id} missed {missed} sweeps, its last sight says otherwise");
            self.say("sweep", what);
        }
        let gone = missed >= SWEEPS_TO_INACTIVE;
        if row.active && gone {
            self.say("sweep", format!("{source} {id} is active and missed {missed} sweeps"));
        }
        if !row.active {
            self.inactive.insert(row.listing_id, gone);
        }
        if !row.contracts.is_empty() {
            self.contracts.insert(row.listing_id, row.contracts.clone());
        }
        self.points.quote(row);
    }

    pub(super) fn evidence(&mut self, record: &EvidenceRecord) {
        let EvidenceRecord { evidence, listing_id: listing, endpoint, content_hash, .. } = record;
        let (listing, Evidence { external_id, contracts, active, .. }) = (*listing, evidence);
        if *content_hash != evidence_hash(evidence) {
            let source = &record.source;
            let what =
                format!("{source} {external_id}: {endpoint} does not say what its hash is of");
            self.say("evidence", what);
        }
        if !self.listings.contains(&listing) {
            self.say("evidence", format!("a statement is about listing {listing}, which is gone"));
        }
        if *active == Some(false) {
            match self.inactive.get_mut(&listing) {
                Some(told) => *told = true,
                None => {
                    let what = format!("listing {listing} is active, a list says that it is not");
                    self.say("evidence", what);
                }
            }
        }
        self.stated.entry(listing).or_default().extend_from_slice(contracts);
    }

    pub(super) fn point(&mut self, point: &HistoryPoint) {
        self.points.point(point, &mut self.found);
    }

    pub(super) fn news(&mut self, news: &StoredNews, content_hash: u64) {
        self.kept += 1;
        if content_hash != news_hash(&news.item) {
            let StoredNews { source, feed, item, .. } = news;
            let what =
                format!("{source} {feed} {}: its text is not that of its hash", item.item_id);
            self.say("news", what);
        }
    }

    /// Notes a page; `first` is the first that brought the same body for the same request.
    pub(super) fn page(&mut self, page: &RawPage, first: PageId) {
        self.judged.page(page.page_id, first);
        self.positions.page(page);
        let mark = PageMark {
            source: page.source.clone(),
            body: page.body,
            state: page.state,
            rows_done: page.rows_done,
            fetched_at: page.fetched_at,
            accounted: 0,
        };
        self.pages.insert(page.page_id, mark);
    }

    /// Reads a body; returns length and XXH3-64 of each chunk.
    pub(super) fn body(
        &mut self,
        hash: BodyHash,
        body_bytes: u64,
        chunks: &mut BodyChunks<'_>,
    ) -> StoreResult<Vec<Value>> {
        let (read, seen) = read_body(chunks)?;
        self.bodies.insert(hash);
        match read {
            Ok((found, bytes)) if found == hash && bytes == body_bytes => {}
            Ok((found, bytes)) => self.say(
                "I21",
                format!("body {hash} of {body_bytes} bytes is {found} of {bytes} bytes"),
            ),
            Err(error) => self.say("I21", format!("body {hash} cannot be read: {error}")),
        }
        Ok(seen)
    }

    pub(super) fn quarantined(&mut self, row: &QuarantineRecord) {
        let (source, ordinal) = (&row.source, row.ordinal);
        let found = self.pages.get(&row.page_id);
        let fits = found.is_some_and(|page| page.body == row.body && page.source == *source);
        let counted = found.is_some_and(|page| ordinal < page.rows_done);
        if !fits || !counted {
            let what =
                format!("{source}: row {ordinal} in quarantine is none of page {}", row.page_id);
            self.say("I1", what);
        }
        self.judged.quarantined(row);
    }

    pub(super) fn decision(&mut self, decision: &Decision) {
        let number = decision.decision_id.0;
        if decision.after_page < self.after_page {
            self.say("decision", format!("decision {number} stands before an earlier one"));
        }
        self.after_page = decision.after_page;
        for row in decision.rows.iter().filter(|row| !self.pages.contains_key(&row.page_id)) {
            let what = format!("decision {number} is about page {}, which is gone", row.page_id);
            self.found.say("decision", what);
        }
        self.judged.decision(decision, &mut self.found);
    }

    pub(super) fn drift(&mut self, row: &DriftRow) {
        self.judged.drift(row);
        if !self.pages.contains_key(&row.page_id) {
            let (number, page) = (row.drift_id.0, row.page_id);
            self.say("drift", format!("change {number} was seen on page {page}, which is gone"));
        }
    }

    pub(super) fn sweep(&mut self, source: &SourceName) {
        self.missing.remove(source);
    }

    pub(super) fn checkpoint(&mut self, source: &SourceName, checkpoint: &Checkpoint) {
        let behind = self.pages.values().any(|page| {
            page.source == *source
                && page.state == PageState::Loaded
                && page.fetched_at == checkpoint.moved_at
        });
        if !behind {
            let what = format!("{source}: no loaded page stands behind the checkpoint");
            self.say("I2", what);
        }
        self.positions.checkpoint(source, checkpoint, &mut self.found);
    }

    /// An asset has at most one listing of each source.
    fn identity(&mut self, row: &ListingRow) {
        let (source, id) = (&row.source, &row.external_id);
        let at_home = row.asset_id == row.founded_asset_id;
        let founder = at_home.then(|| source.clone());
        if self.founded.insert(row.founded_asset_id, founder).is_some() {
            let what =
                format!("asset {} was founded twice, by {source} {id} too", row.founded_asset_id);
            self.say("identity", what);
        }
        if at_home {
            return;
        }
        let members = self.members.entry(row.asset_id).or_default();
        if members.contains(source) {
            let what =
                format!("asset {} has {source} {id} and another listing of {source}", row.asset_id);
            self.say("identity", what);
        } else {
            members.push(source.clone());
        }
    }

    pub(super) fn resolution(&mut self, generation: u64, changed: &[ListingId]) {
        self.generations += 1;
        self.resolved.insert(generation);
        if let Some(gone) = changed.iter().find(|id| !self.listings.contains(id)) {
            let what = format!("generation {generation} names listing {gone}, which is gone");
            self.say("generation", what);
        }
    }

    /// Steps over the generations that resolutions made, up to the next that none did.
    fn step(&mut self) {
        while self.resolved.remove(&(self.last_generation + 1)) {
            self.last_generation += 1;
        }
    }

    pub(super) fn batch(
        &mut self,
        generation: u64,
        run_id: RunId,
        page_id: PageId,
        counts: &RunCounts,
        changed: &[ListingId],
        retry: bool,
    ) {
        self.generations += 1;
        self.step();
        if generation != self.last_generation + 1 {
            let what = format!("generation {generation} follows {}", self.last_generation);
            self.say("generation", what);
        }
        self.last_generation = generation;
        if !counts.balanced() {
            self.say("I1", format!("the counters of generation {generation} do not add up"));
        }
        self.run_counts.entry(run_id).or_default().add(counts);
        self.inserted += counts.inserted;
        if retry {
            self.judged.retried(counts.received.saturating_sub(counts.quarantined));
        } else {
            self.judged.batch(page_id, counts.quarantined);
        }
        match self.pages.get_mut(&page_id) {
            Some(page) if !retry => page.accounted += counts.received,
            Some(_) => {}
            None => self
                .say("I2", format!("generation {generation} is of page {page_id}, which is gone")),
        }
        if let Some(gone) = changed.iter().find(|id| !self.listings.contains(id)) {
            let what = format!("generation {generation} names listing {gone}, which is gone");
            self.say("generation", what);
        }
    }

    pub(super) fn run(&mut self, run: &Run) {
        let counted = self.run_counts.remove(&run.run_id).unwrap_or_default();
        if counted != run.counts {
            let what = format!(
                "run {} says that it received {} rows, its batches say {}",
                run.run_id, run.counts.received, counted.received
            );
            self.say("I1", what);
        }
    }

    /// Everything that does not hold.
    pub(super) fn finish(mut self, generation: u64) -> Vec<Violation> {
        std::mem::take(&mut self.points).finish(&mut self.found);
        for run_id in std::mem::take(&mut self.run_counts).into_keys() {
            self.say("I1", format!("run {run_id} has batches and is gone"));
        }
        for (page_id, page) in std::mem::take(&mut self.pages) {
            if page.accounted != page.rows_done {
                let what = format!(
                    "page {page_id} has {} rows done, its batches account for {}",
                    page.rows_done, page.accounted
                );
                self.say("I1", what);
            }
            if !self.bodies.contains(&page.body) {
                self.say("I2", format!("the body of page {page_id} is gone"));
            }
        }
        self.step();
        if let Some(first) = self.resolved.first() {
            let what = format!("generation {first} follows {}", self.last_generation);
            self.say("generation", what);
        }
        for (asset, members) in std::mem::take(&mut self.members) {
            let what = match self.founded.get(&asset) {
                None => format!("asset {asset} of {} listings was founded by none", members.len()),
                Some(None) => format!("the founder of asset {asset} stands in another one"),
                Some(Some(source)) if members.contains(source) => {
                    format!("asset {asset} has its founder and another listing of {source}")
                }
                Some(Some(_)) => continue,
            };
            self.say("identity", what);
        }
        if generation != self.generations {
            let what =
                format!("the generation is {generation}, there are {} commits", self.generations);
            self.say("generation", what);
        }
        if self.inserted != self.kept {
            let (kept, inserted) = (self.kept, self.inserted);
            let what = format!(
                "there are {kept} listings and pieces of news, batches inserted {inserted}"
            );
            self.say("I1", what);
        }
        for source in std::mem::take(&mut self.missing) {
            let what = format!("{source}: listings missed sweeps, and none is known");
            self.say("sweep", what);
        }
        for (listing, told) in std::mem::take(&mut self.inactive) {
            if !told {
                self.say("sweep", format!("nothing tells why listing {listing} is not active"));
            }
        }
        for (listing, mut stated) in std::mem::take(&mut self.stated) {
            stated.sort_unstable();
            stated.dedup();
            if self.contracts.remove(&listing).unwrap_or_default() != stated {
                let what = format!("the contracts of listing {listing} are not those of its lists");
                self.say("evidence", what);
            }
        }
        for listing in std::mem::take(&mut self.contracts).into_keys() {
            self.say("evidence", format!("no list states the contracts of listing {listing}"));
        }
        let Self { mut found, judged, positions, .. } = self;
        judged.finish(&mut found);
        positions.finish(&mut found);
        found.into_vec()
    }
}
