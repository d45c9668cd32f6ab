//! `stale` stays right as time passes, without a commit.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Generation, ListingId, ManualClock, SourceName};
use kasparro_store::ListingRow;

use super::store::Listings;
use super::{NOW, decimal, instant, listing, settings, snapshot};
use crate::View;

const MINUTE: i64 = 60_000;

fn seen(id: i64, source: &str, minutes_ago: i64) -> ListingRow {
    let mut listing = listing(id);
    listing.source = SourceName::new(source);
    listing.observed_at = Some(instant(NOW - minutes_ago * MINUTE));
    listing
}

fn stale(view: &View) -> Vec<i64> {
    let snapshot = view.snapshot();
    let rows = (1..=9).filter_map(|id| snapshot.listing(ListingId(id)));
    let stale: Vec<i64> = rows
        .filter(|row| {
            assert!(row.json().contains(&format!("\"stale\":{},", row.stale())));
            row.stale()
        })
        .map(|row| row.listing_id().0)
        .collect();
    assert_eq!(snapshot.stale_rows(), stale.len());
    stale
}

#[tokio::test]
async fn rows_become_stale_at_their_sources_limit_and_fresh_again() {
    let (store, clock) = (Listings::new(), Arc::new(ManualClock::new(instant(NOW))));
    let view = View::new(Arc::clone(&store) as _, Arc::clone(&clock) as _, settings());
    let mut untimed = seen(4, "csv", 500);
    untimed.source_timed = false;
    let mut bare = listing(5);
    bare.quote = None;
    store.commit(vec![seen(1, "csv", 59), seen(2, "csv", 61), seen(3, "slow", 61), untimed, bare]);
    view.refresh().await.unwrap();
    assert_eq!(stale(&view), [2]);
    let first = view.snapshot();

    clock.advance(Duration::from_secs(60));
    view.refresh().await.unwrap();
    assert_eq!(stale(&view), [2], "an age equal to the limit is not above it");
    assert_eq!(view.snapshot().version(), first.version(), "nothing changed, nothing is swapped");

    clock.advance(Duration::from_millis(1));
    view.refresh().await.unwrap();
    assert_eq!(stale(&view), [1, 2]);
    assert_eq!(view.snapshot().generation(), first.generation());
    assert!(view.snapshot().version() > first.version());
    assert!(!first.listing(ListingId(1)).unwrap().stale(), "the old snapshot stays as it was");

    clock.advance(Duration::from_secs(3600));
    view.judge().await.unwrap();
    assert_eq!(stale(&view), [1, 2, 4], "without a source time the fetch counts");

    let newer = seen(2, "csv", -60);
    store.commit(vec![newer]);
    view.refresh().await.unwrap();
    assert_eq!(stale(&view), [1, 4]);

    clock.advance(Duration::from_secs(24 * 3600));
    view.judge().await.unwrap();
    assert_eq!(stale(&view), [1, 2, 3, 4]);

    clock.set(instant(NOW));
    view.judge().await.unwrap();
    assert_eq!(stale(&view), [0_i64; 0], "a clock that was set back judges as if it had never run");
}

#[test]
fn a_row_that_changes_while_it_crosses_its_limit_shows_the_change() {
    let rows = (1..=100).map(|id| seen(id, "csv", 50)).collect();
    let before = snapshot(rows);
    let mut changed = seen(7, "csv", -20);
    changed.quote.get_or_insert_default().price_usd = Some(decimal("2"));
    let now = instant(NOW + 20 * MINUTE);
    let after = before.next(vec![changed], Generation(2), 2, &settings(), now);
    let row = after.listing(ListingId(7)).unwrap();
    assert_eq!((row.stale(), row.price_usd()), (false, Some(&decimal("2"))));
    let stale = (1..=100).filter(|id| after.listing(ListingId(*id)).unwrap().stale());
    assert_eq!(stale.count(), 99);
}
