//! Stories drawn by lot, told to a store and to the one in memory: both must know the same.
//!
//! Each store includes this file in its tests and gives, as `crate::support`, its hand-made rows and
//! `open`: an empty store, and what has to be kept as long as it is used.

mod compare;
mod lot;
mod pages;
mod rows;

use std::collections::BTreeMap;

use kasparro_domain::{DriftId, RunCounts, RunReason, Timestamp};
use kasparro_store::{
    AnomalyFilter, AnomalyStore, BatchStore, DriftFilter, DriftStore, LeaseStore, ListingRef,
    MemoryStore, NewsFilter, NewsStore, PageStore, QuarantineStore, RunStore, Store,
};

use crate::support::{LEASE, at, body, landed, new_page, open, run_id, source};
use lot::Lot;

/// What the teller knows of a listing: its number once it is stored, and the minute of its quote.
#[derive(Debug, Clone, Copy)]
struct Known {
    listing: ListingRef,
    minute: Option<i64>,
}

/// A story: what was told so far, and to whom.
struct Story<'a> {
    lot: Lot,
    stores: [&'a dyn Store; 2],
    known: BTreeMap<String, Known>,
    sequence: u64,
    epoch: u64,
}

/// What came of a story.
#[derive(Debug, Default)]
struct Told {
    batches: usize,
    taken: usize,
    counts: RunCounts,
    /// By kind.
    decisions: BTreeMap<&'static str, usize>,
    news: usize,
    changes: u64,
    anomalies: u64,
    inactive: usize,
}

async fn tell(seed: u64, all: &mut Told) {
    let (_kept, store) = open().await;
    let memory = MemoryStore::new();
    let stores: [&dyn Store; 2] = [&store, &memory];
    let (epoch, page) = landed(&store).await;
    memory.acquire(&source(), "test", LEASE).await.unwrap();
    memory.queue_run(run_id(1), &source(), RunReason::Manual, at(0)).await.unwrap();
    assert_eq!(memory.land(new_page(), body(b"a page")).await.unwrap(), page);
    let lot = Lot(seed);
    let mut story = Story { lot, stores, known: BTreeMap::new(), sequence: 0, epoch };
    let (mut taken, mut pages) = (0, 1);
    for step in 0..40 {
        let before = story.known.clone();
        let retry = if story.lot.once_in(5) { story.retry().await } else { None };
        let batch = match retry {
            Some(batch) => batch,
            None => {
                pages += 1;
                story.page().await
            }
        };
        if story.tell(batch).await {
            taken += 1;
        } else {
            story.known = before;
        }
        story.sequence += 1;
        if story.lot.once_in(12) {
            let rows: Vec<i64> = (0..2).map(|_| story.lot.below(9).cast_signed()).collect();
            let now: Timestamp = at(200);
            let told = stores[0].discard(rows.clone(), "me", "beyond repair", now).await;
            assert_eq!(told, stores[1].discard(rows, "me", "beyond repair", now).await);
        }
        if story.lot.once_in(9) {
            let changes: Vec<_> =
                (0..2).map(|_| DriftId(story.lot.below(9).cast_signed())).collect();
            let told = stores[0].accept_drift(changes.clone(), "me", "fine", at(201)).await;
            assert_eq!(told, stores[1].accept_drift(changes, "me", "fine", at(201)).await);
        }
        if step % 8 == 7 {
            story.compare(pages).await;
        }
    }
    all.taken += taken;
    all.batches += 40;
    all.counts.add(&store.run(run_id(1)).await.unwrap().unwrap().counts);
    for decision in store.decisions().await.unwrap() {
        *all.decisions.entry(decision.kind.name()).or_default() += 1;
    }
    all.news += store.news(NewsFilter::default()).await.unwrap().len();
    all.changes += store.count_drift(DriftFilter::default()).await.unwrap();
    all.anomalies += store.count_anomalies(AnomalyFilter::default()).await.unwrap();
    let known = store.memory(&source()).await.unwrap().listings;
    all.inactive += known.iter().filter(|known| known.missed == 3).count();
}

/// Tells twelve stories, and sees that they were about something.
pub(crate) async fn tell_all() {
    let mut all = Told::default();
    for number in 1..=12 {
        tell(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number), &mut all).await;
    }
    // Stories of refusals alone would say little, and so would stories without any.
    assert!(all.taken * 2 > all.batches && all.taken < all.batches, "{all:?}");
    let RunCounts { inserted, updated, unchanged, stale, duplicate, quarantined, .. } = all.counts;
    let came = [inserted, updated, unchanged, stale, duplicate, quarantined];
    assert!(came.into_iter().all(|count| count > 0), "{all:?}");
    assert!(all.decisions.len() == 4 && all.news > 0 && all.inactive > 0, "{all:?}");
    assert!(all.changes > 0 && all.anomalies > 0, "{all:?}");
}
