//! What a view tells of its changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Generation, ListingId, ManualClock};
use kasparro_store::ListingRow;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use super::store::Listings;
use super::{NOW, decimal, instant, listing, settings};
use crate::{Row, Swap, View};

struct World {
    store: Arc<Listings>,
    clock: Arc<ManualClock>,
    view: Arc<View>,
    swaps: Receiver<Arc<Swap>>,
}

impl World {
    fn new() -> Self {
        let (store, clock) = (Listings::new(), Arc::new(ManualClock::new(instant(NOW))));
        let view = View::new(Arc::clone(&store) as _, Arc::clone(&clock) as _, settings());
        let swaps = view.swaps();
        Self { store, clock, view, swaps }
    }

    async fn commit(&self, listings: Vec<ListingRow>) {
        self.store.commit(listings);
        self.view.refresh().await.unwrap();
    }

    /// The next change: between which generations, and the ids of its rows.
    fn told(&mut self) -> (u64, u64, Vec<i64>) {
        let swap = self.swaps.try_recv().unwrap();
        let snapshot = self.view.snapshot();
        for row in &swap.rows {
            assert_eq!(snapshot.listing(row.listing_id()).as_ref(), Some(row), "it is shown");
        }
        (swap.from.0, swap.to.0, swap.rows.iter().map(|row| row.listing_id().0).collect())
    }

    fn told_nothing(&mut self) {
        assert_eq!(self.swaps.try_recv(), Err(TryRecvError::Empty));
    }
}

fn seen(id: i64, minutes_ago: i64) -> ListingRow {
    let mut listing = listing(id);
    listing.observed_at = Some(instant(NOW - minutes_ago * 60_000));
    listing
}

#[tokio::test]
async fn a_swap_tells_the_rows_that_changed_by_ascending_id() {
    let mut world = World::new();
    world.commit(vec![listing(3), listing(1), listing(9)]).await;
    assert_eq!(world.told(), (0, 1, vec![1, 3, 9]));
    let mut dearer = listing(9);
    dearer.quote.get_or_insert_default().price_usd = Some(decimal("2"));
    // Below the greatest id, so that everything is built anew; the first is what it was.
    world.store.commit(vec![dearer]);
    world.store.commit(vec![listing(5), listing(1)]);
    world.view.refresh().await.unwrap();
    assert_eq!(world.told(), (1, 3, vec![5, 9]), "two commits in one swap");
    world.commit(vec![listing(1)]).await;
    assert_eq!(world.told(), (3, 4, Vec::new()), "a generation that changed nothing is told too");
    world.view.refresh().await.unwrap();
    world.told_nothing();
}

#[tokio::test]
async fn a_swap_that_only_judges_ages_tells_the_rows_whose_judgement_changed() {
    let mut world = World::new();
    world.commit(vec![seen(1, 30), seen(2, 50), seen(3, 50), seen(4, 70)]).await;
    assert_eq!(world.told(), (0, 1, vec![1, 2, 3, 4]));
    world.clock.advance(Duration::from_secs(15 * 60));
    world.view.judge().await.unwrap();
    assert_eq!(world.told(), (1, 1, vec![2, 3]));
    world.view.judge().await.unwrap();
    world.told_nothing();
    world.clock.advance(Duration::from_secs(30 * 60));
    world.commit(vec![seen(3, -45)]).await;
    assert_eq!(world.told(), (1, 2, vec![1, 3]), "one became old, the other is new");
    assert_eq!(world.view.snapshot().stale_rows(), 3);
}

#[tokio::test]
async fn a_store_that_went_back_is_told_as_a_smaller_generation_with_all_rows() {
    let mut world = World::new();
    for id in 1..=4 {
        world.commit(vec![listing(id)]).await;
        assert_eq!(world.told(), (id.unsigned_abs() - 1, id.unsigned_abs(), vec![id]));
    }
    world.store.restore(2, vec![listing(7), listing(2)]);
    world.view.refresh().await.unwrap();
    assert_eq!(world.told(), (4, 2, vec![2, 7]));
}

#[tokio::test]
async fn swaps_put_one_upon_the_other_give_what_is_shown() {
    let mut world = World::new();
    let mut own: BTreeMap<ListingId, Arc<Row>> = BTreeMap::new();
    let mut generation = Generation(0);
    for step in 0..40_i64 {
        let ids = (1..=60).filter(|id| (id * 31 + step * 17) % 7 == 0);
        world.commit(ids.map(|id| seen(id + step % 3, 55 - step)).collect()).await;
        world.clock.advance(Duration::from_secs(step.unsigned_abs() * 20));
        if step % 4 == 0 {
            world.view.judge().await.unwrap();
        }
        while let Ok(swap) = world.swaps.try_recv() {
            assert_eq!(swap.from, generation);
            assert!(swap.rows.is_sorted_by(|left, right| left.listing_id() < right.listing_id()));
            generation = swap.to;
            own.extend(swap.rows.iter().map(|row| (row.listing_id(), Arc::clone(row))));
        }
        let snapshot = world.view.snapshot();
        assert_eq!((generation, own.len()), (snapshot.generation(), snapshot.listings()));
        assert!(own.iter().all(|(id, row)| snapshot.listing(*id).as_ref() == Some(row)));
        assert_eq!(snapshot.stale_rows(), own.values().filter(|row| row.stale()).count());
    }
}

#[tokio::test]
async fn who_does_not_listen_loses_the_oldest_swaps_and_holds_nobody_up() {
    let mut world = World::new();
    for _ in 0..70 {
        world.commit(vec![listing(1)]).await;
    }
    assert_eq!(world.swaps.try_recv(), Err(TryRecvError::Lagged(6)));
    let (from, to, _) = world.told();
    assert_eq!((from, to), (6, 7));
}
