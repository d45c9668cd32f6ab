//! A view that follows its store.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kasparro_domain::{Generation, ListingId, ManualClock};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::store::Listings;
use super::{NOW, instant, listing, settings};
use crate::View;

pub(super) struct Followed {
    pub(super) store: Arc<Listings>,
    clock: Arc<ManualClock>,
    pub(super) view: Arc<View>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Followed {
    pub(super) fn start(store: Arc<Listings>) -> Self {
        let clock = Arc::new(ManualClock::new(instant(NOW)));
        let view = View::new(Arc::clone(&store) as _, Arc::clone(&clock) as _, settings());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&view).follow(shutdown.clone()));
        Self { store, clock, view, shutdown, task }
    }

    /// Lets the view work until it shows this generation, at most so long.
    pub(super) async fn shows(&self, generation: Generation, within: Duration) {
        let reached = async {
            while self.view.snapshot().generation() != generation {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let message = "the view did not show the commit in time";
        tokio::time::timeout(within, reached).await.expect(message);
    }

    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_shown_within_a_second_and_many_in_few_swaps() {
    let followed = Followed::start(Listings::new());
    followed.shows(Generation(0), Duration::from_secs(1)).await;
    for id in 1..=400 {
        followed.store.commit(vec![listing(id)]);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    followed.shows(Generation(400), Duration::from_millis(1_100)).await;
    assert_eq!(followed.view.snapshot().len(), 400);
    let swaps = followed.view.snapshot().version();
    assert!((4..=8).contains(&swaps), "{swaps} swaps in four seconds");
    tokio::time::sleep(Duration::from_secs(3)).await;
    followed.store.commit(vec![listing(7)]);
    followed.shows(Generation(401), Duration::from_millis(100)).await;
    followed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn commits_of_another_process_are_found_by_polling() {
    let followed = Followed::start(Listings::new());
    followed.store.commit_unannounced(vec![listing(1)]);
    followed.shows(Generation(1), Duration::from_millis(2_100)).await;
    let asked = followed.store.asked.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(followed.store.asked.load(Ordering::SeqCst), asked, "nothing new, nothing asked");
    followed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn ages_are_judged_while_nothing_is_committed() {
    let followed = Followed::start(Listings::new());
    followed.store.commit(vec![listing(1)]);
    followed.shows(Generation(1), Duration::from_secs(2)).await;
    assert!(!followed.view.snapshot().listing(ListingId(1)).unwrap().stale());
    followed.clock.advance(Duration::from_secs(3601));
    tokio::time::sleep(Duration::from_secs(31)).await;
    let snapshot = followed.view.snapshot();
    assert!(snapshot.listing(ListingId(1)).unwrap().stale());
    assert_eq!(snapshot.generation(), Generation(1));
    followed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_last_snapshot_stays_while_the_store_is_away() {
    let store = Listings::new();
    store.commit(vec![listing(1)]);
    store.away.store(true, Ordering::SeqCst);
    let followed = Followed::start(store);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!followed.view.loaded());
    assert!(followed.view.refresh().await.is_err());
    followed.store.away.store(false, Ordering::SeqCst);
    followed.shows(Generation(1), Duration::from_secs(2)).await;
    assert!(followed.view.loaded());
    followed.store.away.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(followed.view.snapshot().len(), 1);
    followed.stop().await;
}

#[tokio::test]
async fn an_empty_store_is_loaded_too() {
    let clock = Arc::new(ManualClock::new(instant(NOW)));
    let view = View::new(Listings::new() as _, clock, settings());
    assert_eq!(view.refresh().await.unwrap(), Generation(0));
    assert!(view.loaded() && view.snapshot().is_empty());
    let version = view.snapshot().version();
    view.refresh().await.unwrap();
    assert_eq!(view.snapshot().version(), version);
}

#[tokio::test]
async fn a_generation_that_changed_no_listing_is_shown_too() {
    let store = Listings::new();
    let clock = Arc::new(ManualClock::new(instant(NOW)));
    let view = View::new(Arc::clone(&store) as _, clock, settings());
    store.commit(vec![listing(1)]);
    view.refresh().await.unwrap();
    store.commit(Vec::new());
    assert_eq!(view.refresh().await.unwrap(), Generation(2));
    assert_eq!(view.snapshot().generation(), Generation(2));
    assert_eq!(view.snapshot().len(), 1);
}
