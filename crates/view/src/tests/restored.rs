//! A store whose generation goes back, because a backup was restored or another database took its place.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kasparro_domain::{Generation, ListingId, ManualClock, SourceName};

use super::follow::Followed;
use super::store::Listings;
use super::{NOW, decimal, instant, listing, settings};
use crate::View;

#[tokio::test]
async fn i6_the_generation_of_a_view_never_goes_back_while_that_of_its_store_does_not() {
    let store = Listings::new();
    let clock = Arc::new(ManualClock::new(instant(NOW)));
    let view = View::new(Arc::clone(&store) as _, clock, settings());
    assert!(!view.loaded());
    let mut shown = Generation(0);
    for number in 1..=50 {
        store.commit(vec![listing(number)]);
        let (one, other) = tokio::join!(view.refresh(), view.refresh());
        assert_eq!(
            (one.unwrap(), other.unwrap()),
            (Generation(number.unsigned_abs()), shown_by(&view))
        );
        assert!(shown_by(&view) > shown);
        shown = shown_by(&view);
    }
}

fn shown_by(view: &View) -> Generation {
    view.snapshot().generation()
}

#[tokio::test]
async fn a_store_that_went_back_is_read_anew_from_its_beginning() {
    let store = Listings::new();
    let clock = Arc::new(ManualClock::new(instant(NOW)));
    let view = View::new(Arc::clone(&store) as _, clock, settings());
    for id in 1..=9 {
        store.commit(vec![listing(id)]);
    }
    assert_eq!(view.refresh().await.unwrap(), Generation(9));
    let before = view.snapshot();
    let mut older = listing(4);
    older.quote.as_mut().unwrap().price_usd = Some(decimal("0.25"));
    older.source = SourceName::new("other");
    // Below what was shown, and neither row would be among what changed since generation 9.
    store.restore(3, vec![listing(2), older]);

    assert_eq!(view.refresh().await.unwrap(), Generation(3));
    let snapshot = view.snapshot();
    assert_eq!((snapshot.generation(), snapshot.len()), (Generation(3), 2));
    assert!(snapshot.version() > before.version(), "pages that were rendered are not mixed up");
    assert_eq!(snapshot.listing(ListingId(4)).unwrap().price_usd(), Some(&decimal("0.25")));
    assert!(snapshot.listing(ListingId(1)).is_none());
    let by_source = snapshot.listings_by_source();
    assert_eq!(
        by_source.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["coinpaprika", "other"]
    );
    assert_eq!(before.len(), 9, "whoever holds the older snapshot keeps it");

    store.commit(vec![listing(1)]);
    assert_eq!(view.refresh().await.unwrap(), Generation(4));
    assert_eq!(view.snapshot().len(), 3);
}

#[tokio::test]
async fn a_store_that_went_back_to_nothing_is_shown_as_empty() {
    let store = Listings::new();
    let clock = Arc::new(ManualClock::new(instant(NOW)));
    let view = View::new(Arc::clone(&store) as _, clock, settings());
    store.commit(vec![listing(1)]);
    view.refresh().await.unwrap();
    store.restore(0, Vec::new());
    assert_eq!(view.refresh().await.unwrap(), Generation(0));
    assert!(view.loaded() && view.snapshot().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_view_that_follows_finds_by_polling_that_its_store_went_back() {
    let followed = Followed::start(Listings::new());
    followed.store.commit((1..=9).map(listing).collect());
    followed.store.commit(vec![listing(10)]);
    followed.shows(Generation(2), Duration::from_secs(2)).await;
    followed.store.away.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(5)).await;
    followed.store.restore(1, vec![listing(7)]);
    followed.store.away.store(false, Ordering::SeqCst);
    followed.shows(Generation(1), Duration::from_secs(3)).await;
    assert_eq!(followed.view.snapshot().len(), 1);
    followed.store.commit_unannounced(vec![listing(8)]);
    followed.shows(Generation(2), Duration::from_secs(3)).await;
    assert_eq!(followed.view.snapshot().len(), 2);
    followed.stop().await;
}
