//! Waiting until a view shows a generation.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Generation, ManualClock};
use tokio::time::timeout;

use super::store::Listings;
use super::{NOW, instant, listing, settings};
use crate::View;

fn view() -> (Arc<Listings>, Arc<View>) {
    let store = Listings::new();
    let clock = Arc::new(ManualClock::new(instant(NOW)));
    let view = View::new(Arc::clone(&store) as _, clock, settings());
    (store, view)
}

#[tokio::test]
async fn those_who_wait_are_woken_by_the_swap_that_they_wait_for() {
    let (store, view) = view();
    let waiting: Vec<_> = [1, 2, 2, 5]
        .into_iter()
        .map(|generation| {
            let view = Arc::clone(&view);
            let wait = async move {
                view.reached(Generation(generation)).await;
                view.snapshot().generation()
            };
            (generation, tokio::spawn(wait))
        })
        .collect();
    while view.waiting() < waiting.len() {
        tokio::task::yield_now().await;
    }
    store.commit(vec![listing(1)]);
    store.commit(vec![listing(2)]);
    view.refresh().await.unwrap();
    for (generation, task) in waiting {
        if generation > 2 {
            assert!(!task.is_finished(), "{generation} is not shown");
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        } else {
            assert_eq!(task.await.unwrap(), Generation(2));
        }
    }
    assert_eq!(view.waiting(), 0, "whoever gives up no longer waits");
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_already_is_not_waited_for_and_a_later_generation_only_as_long_as_asked() {
    let (store, view) = view();
    view.reached(Generation(0)).await;
    store.commit(vec![listing(1)]);
    view.refresh().await.unwrap();
    view.reached(Generation(1)).await;
    let limit = Duration::from_secs(2);
    assert!(timeout(limit, view.reached(Generation(2))).await.is_err());
    assert_eq!(view.waiting(), 0);
}
