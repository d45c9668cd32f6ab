//! Resolutions drawn by lot, told to this store and to the one in memory: both must take and refuse the same.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use common::resolved::alone;
use common::{LEASE, at, batch, body, new_page, new_row, new_store, run_id};
use kasparro_domain::{
    EdgeKind, EdgeTerms, Generation, IdentityState, ListingId, RunReason, SourceName,
};
use kasparro_store::{
    AuditStore, EdgeRow, IdentityRow, IdentityStore, IdentityTotals, ListingRow, MemoryStore,
    NewPage, Resolution, Store,
};
use tokio::sync::mpsc;

/// Numbers that look random and are the same in every run (xorshift).
struct Lot(u64);

impl Lot {
    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// One of the listings, or, rarely, one that there is not.
    fn listing(&mut self) -> ListingId {
        let number = if self.below(60) == 0 { LISTINGS + 1 } else { 1 + self.below(LISTINGS) };
        ListingId(number.cast_signed())
    }

    /// A ratio of up to 36 digits, a day, both, or neither.
    fn terms(&mut self) -> EdgeTerms {
        let mut terms = EdgeTerms::default();
        if self.below(2) == 0 {
            let (digits, places) =
                (1 + self.below(1 << 60), 1 + usize::try_from(self.below(30)).unwrap());
            let ratio = format!("{}.{digits:0places$}", self.below(1_000_000));
            terms.ratio = Some(EdgeTerms::read_ratio(&ratio).unwrap());
        }
        if self.below(2) == 0 {
            let (year, month) = (1 + self.below(9999), 1 + self.below(12));
            let day = format!("{year:04}-{month:02}-{:02}", 1 + self.below(28));
            terms.effective_on = Some(EdgeTerms::read_day(&day).unwrap());
        }
        terms
    }

    /// A row about this listing.
    fn row(&mut self, listing_id: ListingId) -> IdentityRow {
        if self.below(3) == 0 {
            return alone(listing_id);
        }
        let linked = IdentityState::Linked;
        let founder = if self.below(3) == 0 { listing_id } else { self.listing() };
        let mut row = IdentityRow { founder, state: linked, ..alone(listing_id) };
        let to = self.listing();
        if self.below(4) == 0 && to != listing_id {
            let (kind, terms) = (EdgeKind::WrappedOf, self.terms());
            row.edges = vec![EdgeRow { kind, to, why: "so".into(), terms }];
        }
        row
    }
}

const SOURCES: u64 = 4;
const LISTINGS: u64 = 12;

/// Three listings of each of four sources, one after another.
async fn fill(store: &dyn Store) {
    for number in 0..SOURCES {
        let source = SourceName::new(&format!("source_{number}"));
        let run_id = run_id(u128::from(number) + 1);
        let epoch = store.acquire(&source, "test", LEASE).await.unwrap();
        store.queue_run(run_id, &source, RunReason::Manual, at(0)).await.unwrap();
        let page = NewPage { epoch, source: source.clone(), run_id, ..new_page() };
        let page = store.land(page, body(b"a page")).await.unwrap();
        let rows = ["a", "b", "c"].into_iter().zip(0..).map(|(id, place)| new_row(place, id));
        let mut first = batch(&page, epoch, 0, rows.collect());
        (first.source, first.run_id, first.rows_done, first.page_done) = (source, run_id, 3, true);
        store.commit(first).await.unwrap();
    }
}

async fn changes(store: &dyn Store, since: Generation) -> Vec<ListingRow> {
    let (sender, mut receiver) = mpsc::channel(8);
    store.changes(since, sender).await.unwrap();
    receiver.recv().await.unwrap_or_default()
}

#[tokio::test]
async fn both_stores_take_and_refuse_the_same_resolutions() {
    let (_database, store) = new_store().await;
    let memory = MemoryStore::new();
    let stores: [&dyn Store; 2] = [&store, &memory];
    for store in stores {
        fill(store).await;
    }
    let mut lot = Lot(0x9e37_79b9_7f4a_7c15);
    let all: Vec<ListingId> = (1..=LISTINGS).map(|id| ListingId(id.cast_signed())).collect();
    let (mut taken, mut moved, mut ratios, mut days) = (0, 0, 0, 0);
    for step in 0..300 {
        let mut listings: Vec<ListingId> = (0..=lot.below(3)).map(|_| lot.listing()).collect();
        listings.sort_unstable();
        listings.dedup();
        let position = memory.identity_position().await.unwrap();
        assert_eq!(store.identity_position().await.unwrap(), position);
        let told = Resolution {
            evidence_version: position.evidence_version,
            follows: position.resolved.map(|row| row.generation),
            rule_version: "identity/1".to_owned(),
            resolved_at: at(step),
            rows: listings.into_iter().map(|listing| lot.row(listing)).collect(),
            totals: IdentityTotals::default(),
            pending: false,
            alerts: Vec::new(),
            send_alerts: false,
        };
        let [ours, theirs] = [
            store.commit_resolution(told.clone()).await,
            memory.commit_resolution(told.clone()).await,
        ];
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{told:?}: {ours:?} {theirs:?}");
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            assert_eq!(ours, theirs);
            taken += 1;
            let rows = changes(&store, position.generation).await;
            moved += rows.len();
            assert_eq!(rows, changes(&memory, position.generation).await, "{told:?}");
            let edges = store.asset_edges(&all).await.unwrap();
            assert_eq!(edges, memory.asset_edges(&all).await.unwrap(), "{told:?}");
            ratios += edges.iter().filter(|edge| edge.terms.ratio.is_some()).count();
            days += edges.iter().filter(|edge| edge.terms.effective_on.is_some()).count();
        }
    }
    assert_eq!(store.dump().await.unwrap(), memory.dump().await.unwrap());
    assert_eq!(store.verify().await.unwrap().violations, []);
    // Refusals alone would say little, and so would a story without any.
    assert!(taken > 60 && taken < 240 && moved > 60, "{taken} taken, {moved} moved");
    assert!(ratios > 20 && days > 20, "{ratios} ratios, {days} days");
}
