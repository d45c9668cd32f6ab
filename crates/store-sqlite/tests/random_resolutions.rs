//! Resolutions drawn by lot, told to this store and to the one in memory: both must take the same, refuse the
//! same and know the same.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[expect(dead_code, reason = "here pages are landed of several sources")]
mod common;

use common::{LEASE, at, batch, body, new_page, new_row, new_store, run_id};
use kasparro_domain::{
    AssetClass, EdgeKind, EdgeTerms, IdentityState, ListingId, RunReason, SourceName,
};
use kasparro_store::{
    AuditStore, EdgeRow, IdentityRow, IdentityTotals, MemoryStore, NewPage, Resolution, Store,
    StoreError,
};

const SOURCES: [&str; 3] = ["coinpaprika", "coingecko", "csv"];
const LISTINGS_OF_SOURCE: i64 = 4;
const RESOLUTIONS: u64 = 400;

/// Numbers that look random and are the same in every run (xorshift).
struct Lot(u64);

impl Lot {
    fn below(&mut self, end: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.unsigned_abs()).cast_signed()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(i64::try_from(of.len()).unwrap())).unwrap()]
    }

    fn listing(&mut self) -> ListingId {
        // Now and then one that is none.
        let last = SOURCES.len() as i64 * LISTINGS_OF_SOURCE;
        ListingId(if self.below(60) == 0 { last + 1 } else { self.below(last) + 1 })
    }

    /// Mostly nothing more than the kind, as edges are that names suggest.
    fn terms(&mut self) -> EdgeTerms {
        let ratio =
            self.one(&[None, None, Some("1e-60"), Some("1000.000000000000000000000000000000001")]);
        let day = self.one(&[None, None, Some("0001-01-01"), Some("2024-02-29")]);
        EdgeTerms {
            ratio: ratio.map(|text| EdgeTerms::read_ratio(text).unwrap()),
            effective_on: day.map(|text| EdgeTerms::read_day(text).unwrap()),
        }
    }

    /// Mostly a listing of another source or its own founder, so that a good part is taken.
    fn row(&mut self, listing_id: ListingId) -> IdentityRow {
        let founder = if self.below(3) == 0 { self.listing() } else { listing_id };
        let mut edges: Vec<EdgeRow> = (0..self.below(3))
            .map(|_| EdgeRow {
                kind: self.one(EdgeKind::ALL),
                to: self.listing(),
                why: "so".into(),
                terms: self.terms(),
            })
            .collect();
        edges.sort_unstable();
        edges.dedup_by_key(|edge| (edge.kind, edge.to));
        IdentityRow {
            listing_id,
            founder,
            class: self.one(&AssetClass::ALL[..3]),
            state: self.one(IdentityState::ALL),
            confidence: [None, Some(1), Some(10_000)][usize::try_from(self.below(3)).unwrap()],
            candidates: serde_json::json!([self.below(9)]),
            edges,
        }
    }
}

/// A store with listings of every source.
async fn fill(store: &dyn Store) {
    for (number, source) in SOURCES.into_iter().enumerate() {
        let (name, run) = (SourceName::new(source), run_id(number as u128 + 1));
        let epoch = store.acquire(&name, "test", LEASE).await.unwrap();
        store.queue_run(run, &name, RunReason::Manual, at(0)).await.unwrap();
        let page = NewPage { source: name.clone(), run_id: run, epoch, ..new_page() };
        let page = store.land(page, body(source.as_bytes())).await.unwrap();
        let rows = (0..LISTINGS_OF_SOURCE).map(|id| new_row(id.unsigned_abs(), &format!("{id}")));
        let mut batch = batch(&page, epoch, 0, rows.collect());
        (batch.source, batch.run_id, batch.position) = (name, run, None);
        (batch.rows_done, batch.page_done) = (LISTINGS_OF_SOURCE.unsigned_abs(), true);
        store.commit(batch).await.unwrap();
    }
}

#[tokio::test]
async fn both_stores_take_the_same_resolutions() {
    let (_folder, file) = new_store();
    let memory = MemoryStore::new();
    let stores: [&dyn Store; 2] = [&memory, &file];
    for store in stores {
        fill(store).await;
    }
    let mut lot = Lot(0x9e37_79b9_7f4a_7c15);
    let (mut taken, mut linked) = (0, 0);
    for number in 0..RESOLUTIONS {
        let mut listings: Vec<ListingId> = (0..=lot.below(4)).map(|_| lot.listing()).collect();
        listings.sort_unstable();
        listings.dedup();
        let rows: Vec<IdentityRow> = listings.into_iter().map(|id| lot.row(id)).collect();
        let moved = rows.iter().filter(|row| row.founder != row.listing_id).count();
        let mut outcomes = Vec::new();
        for store in stores {
            let position = store.identity_position().await.unwrap();
            let resolution = Resolution {
                evidence_version: position.evidence_version,
                follows: position.resolved.map(|row| row.generation),
                rule_version: format!("identity/{number}"),
                resolved_at: at(30),
                rows: rows.clone(),
                totals: IdentityTotals { listings: number, ..IdentityTotals::default() },
                pending: number.is_multiple_of(2),
                alerts: Vec::new(),
                send_alerts: false,
            };
            outcomes.push(store.commit_resolution(resolution).await);
        }
        match (&outcomes[0], &outcomes[1]) {
            (Ok(one), Ok(other)) => {
                assert_eq!(one, other);
                (taken, linked) = (taken + 1, linked + moved);
            }
            (Err(StoreError::Conflict(_)), Err(StoreError::Conflict(_))) => {}
            _ => panic!("{outcomes:?} of {rows:#?}"),
        }
        assert_eq!(memory.dump().await.unwrap(), file.dump().await.unwrap(), "{rows:#?}");
    }
    assert!(taken > RESOLUTIONS / 10 && linked > 20, "{taken} taken, {linked} moved");
    assert_eq!(file.verify().await.unwrap().violations, Vec::new());
}
