//! A store that fails or does not return, and then does.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kasparro_domain::{Generation, ListingId};

use super::follow::Followed;
use super::listing;
use super::store::Listings;

/// How long a view takes at most to show what a store holds that answers again: what hung is given up,
/// the next poll asks, and two swaps are a second apart.
const AFTER_A_HANG: Duration = Duration::from_secs(33);

#[tokio::test(start_paused = true)]
async fn a_reader_that_was_cut_off_shows_many_generations_at_once() {
    let followed = Followed::start(Listings::new());
    followed.store.commit(vec![listing(1)]);
    followed.shows(Generation(1), Duration::from_secs(2)).await;
    followed.store.away.store(true, Ordering::SeqCst);
    for id in 2..=500 {
        followed.store.commit_unannounced(vec![listing(id)]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (version, asked) =
        (followed.view.snapshot().version(), followed.store.asked.load(Ordering::SeqCst));
    assert_eq!(followed.view.snapshot().generation(), Generation(1));
    followed.store.away.store(false, Ordering::SeqCst);
    followed.shows(Generation(500), Duration::from_secs(2)).await;
    let snapshot = followed.view.snapshot();
    assert_eq!((snapshot.len(), snapshot.version()), (500, version + 1), "no gap, one swap");
    assert_eq!(followed.store.asked.load(Ordering::SeqCst), asked + 1);
    followed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_given_up_and_followed_again_once_it_answers() {
    let followed = Followed::start(Listings::new());
    followed.store.commit(vec![listing(1)]);
    followed.shows(Generation(1), Duration::from_secs(2)).await;
    for (round, seconds) in [0, 5, 40, 300].into_iter().enumerate() {
        let next = 2 + i64::try_from(round).unwrap();
        followed.store.hanging.store(true, Ordering::SeqCst);
        // Announced or not, the view asks and gets no answer.
        if round % 2 == 0 {
            followed.store.commit(vec![listing(next)]);
        } else {
            followed.store.commit_unannounced(vec![listing(next)]);
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        followed.store.hanging.store(false, Ordering::SeqCst);
        followed.shows(Generation(next.unsigned_abs()), AFTER_A_HANG).await;
        assert!(followed.view.snapshot().listing(ListingId(next)).is_some());
    }
    followed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_stops_in_the_middle_shows_nothing_of_it() {
    let store = Listings::new();
    store.commit((1..=350).map(listing).collect());
    store.stuck.store(true, Ordering::SeqCst);
    let followed = Followed::start(store);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(!followed.view.loaded() && followed.view.snapshot().is_empty());
    assert!(followed.store.asked.load(Ordering::SeqCst) >= 3, "it tries again");
    followed.store.stuck.store(false, Ordering::SeqCst);
    followed.shows(Generation(1), AFTER_A_HANG).await;
    assert_eq!(followed.view.snapshot().len(), 350);
    followed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_a_store_that_hangs() {
    for loaded in [true, false] {
        let followed = Followed::start(Listings::new());
        if loaded {
            followed.shows(Generation(0), Duration::from_secs(1)).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        followed.store.hanging.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let begun = tokio::time::Instant::now();
        followed.stop().await;
        assert!(begun.elapsed() < Duration::from_secs(1), "after {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_generation_announced_before_anything_was_asked_is_shown() {
    let store = Listings::new();
    for id in 1..=5 {
        store.commit(vec![listing(id)]);
    }
    let followed = Followed::start(store);
    followed.shows(Generation(5), Duration::from_secs(1)).await;
    assert_eq!(followed.view.snapshot().len(), 5);
    followed.stop().await;
}
