//! Snapshots that another took the place of, for those who walk them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use kasparro_domain::{Generation, ListingId, ManualClock};
use kasparro_store::ListingRow;

use super::store::Listings;
use super::{NOW, decimal, instant, listing, settings, snapshot};
use crate::{Snapshot, View};

struct World {
    store: Arc<Listings>,
    clock: Arc<ManualClock>,
    view: Arc<View>,
}

impl World {
    fn new() -> Self {
        let (store, clock) = (Listings::new(), Arc::new(ManualClock::new(instant(NOW))));
        let view = View::new(Arc::clone(&store) as _, Arc::clone(&clock) as _, settings());
        Self { store, clock, view }
    }

    async fn commit(&self, listings: Vec<ListingRow>) {
        self.store.commit(listings);
        self.view.refresh().await.unwrap();
    }

    /// The generations up to the tenth that can be asked for.
    fn kept(&self) -> Vec<u64> {
        let generations = (0..=10).filter(|generation| {
            let snapshot = self.view.kept(Generation(*generation));
            snapshot.is_some_and(|found| {
                assert_eq!(found.generation(), Generation(*generation));
                true
            })
        });
        generations.collect()
    }
}

fn priced(id: i64, price: &str) -> ListingRow {
    let mut listing = listing(id);
    listing.quote.get_or_insert_default().price_usd = Some(decimal(price));
    listing
}

fn price(snapshot: &Snapshot) -> String {
    let row = snapshot.listing(ListingId(1)).unwrap();
    row.price_usd().unwrap().as_str().to_owned()
}

#[tokio::test]
async fn a_view_that_was_never_loaded_keeps_nothing() {
    let world = World::new();
    assert!(world.kept().is_empty());
    world.commit(vec![listing(1)]).await;
    assert_eq!(world.kept(), [1], "nothing was shown before");
}

#[tokio::test]
async fn the_two_swaps_before_the_present_one_are_kept_however_long_ago_they_were() {
    let world = World::new();
    for generation in 1..=5 {
        world.commit(vec![priced(1, &generation.to_string())]).await;
        world.clock.advance(Duration::from_secs(24 * 3600));
    }
    assert_eq!(world.kept(), [3, 4, 5]);
    world.view.judge().await.unwrap();
    assert_eq!(world.kept(), [3, 4, 5]);
    for generation in 3..=5 {
        let kept = world.view.kept(Generation(generation)).unwrap();
        assert_eq!(price(&kept), generation.to_string(), "with what it showed then");
    }
}

#[tokio::test]
async fn a_snapshot_is_kept_for_a_minute_after_another_took_its_place() {
    let world = World::new();
    for generation in 1..=6 {
        world.commit(vec![priced(1, &generation.to_string())]).await;
        world.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(world.kept(), [1, 2, 3, 4, 5, 6]);
    // The first was shown for ten seconds; a minute later, and not before, the next judgement drops it.
    world.clock.advance(Duration::from_secs(10));
    world.view.judge().await.unwrap();
    assert_eq!(world.kept(), [1, 2, 3, 4, 5, 6]);
    world.clock.advance(Duration::from_millis(1));
    world.view.judge().await.unwrap();
    assert_eq!(world.kept(), [2, 3, 4, 5, 6]);
    world.clock.advance(Duration::from_secs(20));
    world.commit(vec![priced(1, "7")]).await;
    assert_eq!(world.kept(), [4, 5, 6, 7], "a swap drops too what is old");
    world.clock.advance(Duration::from_secs(3600));
    world.view.judge().await.unwrap();
    assert_eq!(world.kept(), [5, 6, 7]);
}

#[tokio::test]
async fn of_a_generation_that_was_judged_anew_the_newest_snapshot_is_kept() {
    let world = World::new();
    for generation in 1..=3 {
        world.commit(vec![priced(1, &generation.to_string()), priced(2, "2")]).await;
    }
    world.clock.advance(Duration::from_secs(3601));
    let before = world.view.snapshot();
    world.view.judge().await.unwrap();
    let judged = world.view.kept(Generation(3)).unwrap();
    assert_eq!((before.stale_rows(), judged.stale_rows()), (0, 2));
    assert_eq!(world.kept(), [1, 2, 3], "judging takes no earlier generation away");
    let mut fresh = priced(1, "4");
    fresh.observed_at = Some(instant(NOW + 3_601_000));
    world.commit(vec![fresh]).await;
    assert_eq!(world.view.kept(Generation(3)).unwrap().version(), judged.version());
    assert_eq!(world.view.kept(Generation(4)).unwrap().stale_rows(), 1);
}

#[tokio::test]
async fn nothing_is_kept_of_a_store_that_went_back() {
    let world = World::new();
    for generation in 1..=4 {
        world.commit(vec![priced(1, &generation.to_string())]).await;
    }
    world.store.restore(2, vec![priced(1, "0.5")]);
    world.view.refresh().await.unwrap();
    assert_eq!(world.kept(), [2]);
    world.commit(vec![priced(1, "0.25")]).await;
    assert_eq!(world.kept(), [2, 3]);
    let kept = |generation| price(&world.view.kept(Generation(generation)).unwrap());
    assert_eq!((kept(2), kept(3)), ("0.5".to_owned(), "0.25".to_owned()));
}

#[tokio::test]
async fn no_more_is_kept_than_memory_is_granted_for_but_always_two() {
    let wordy = |generation: i64, bytes: usize| {
        let rows = (1..=64).map(move |id| {
            let mut listing = priced(id, &generation.to_string());
            listing.attributes.name = Some(CompactString::from("x".repeat(bytes)));
            listing
        });
        rows.collect::<Vec<_>>()
    };
    // Each holds a few KiB, 15 MiB and 32 MiB beside the next.
    for (bytes, kept) in [
        (16, vec![1, 2, 3, 4, 5, 6, 7, 8]),
        (120 << 10, vec![4, 5, 6, 7, 8]),
        (256 << 10, vec![6, 7, 8]),
    ] {
        let world = World::new();
        for generation in 1..=8 {
            world.commit(wordy(generation, bytes)).await;
        }
        assert_eq!(world.kept(), kept, "{bytes} bytes a name");
    }
}

/// Bytes of everything that one snapshot points to and the other does not.
fn naive_bytes_beyond(old: &Snapshot, new: &Snapshot) -> usize {
    let blocks = |snapshot: &Snapshot| {
        let blocks = snapshot.indexes.iter().flat_map(|index| &index.blocks);
        blocks.map(|block| (Arc::as_ptr(block).addr(), block.bytes())).collect::<Vec<_>>()
    };
    let parts = |snapshot: &Snapshot| {
        let mut parts = blocks(snapshot);
        for chunk in snapshot.rows.chunks() {
            let lists = chunk.bytes() - chunk.bytes_beyond(chunk);
            let shared = chunk.rows.iter().map(|row| (Arc::as_ptr(row).addr(), row.bytes()));
            let texts = [&chunk.folded, &chunk.unpriced];
            let texts = texts.map(|text| (Arc::as_ptr(text).addr(), text.bytes()));
            let shared: Vec<_> = shared.chain(texts).collect();
            assert_eq!(lists, shared.iter().map(|(_, bytes)| bytes).sum::<usize>());
            parts.push((Arc::as_ptr(chunk).addr(), chunk.bytes() - lists));
            parts.extend(shared);
        }
        parts
    };
    let held: BTreeSet<usize> = parts(new).into_iter().map(|(part, _)| part).collect();
    parts(old).iter().filter(|(part, _)| !held.contains(part)).map(|(_, bytes)| bytes).sum()
}

#[test]
fn the_memory_that_a_snapshot_holds_beside_the_next_is_counted_in_full() {
    let mut latest = snapshot((1..=2_000).map(|id| priced(id, &id.to_string())).collect());
    for step in 1..=8_i64 {
        let batch = (1..=2_000).filter(|id| id % 23 == step).map(|id| {
            let mut row = priced(id, &(id * step * 7 % 1_000).to_string());
            if id % 3 == 0 {
                row.attributes.name = Some(CompactString::from(format!("Renamed {step}")));
            }
            row
        });
        let generation = Generation(step as u64 + 1);
        let batch = batch.chain((0..9).map(|n| priced(1_990 + step * 9 + n, "3"))).collect();
        let next = latest.next(batch, generation, generation.0, &settings(), instant(NOW));
        let naive = naive_bytes_beyond(&latest, &next);
        let blocks: usize = latest.indexes.iter().map(|index| index.blocks.len()).sum();
        // Every snapshot has its own lists of chunks and of blocks.
        let lists = latest.rows.chunks().len() * 24 + blocks * 24;
        let counted = next.replaced_bytes();
        assert!((naive..=naive + lists).contains(&counted), "{naive} {counted} {lists}");
        latest = next;
    }
}
