//! Batches applied one after another give what building anew gives, and old snapshots stay.

use std::collections::BTreeMap;
use std::sync::Arc;

use kasparro_domain::{Generation, ListingId};
use kasparro_store::ListingRow;
use proptest::prelude::*;
use proptest::sample::Index;

use super::model::{answer, any_listing, any_listings, any_query, asked};
use super::{NOW, decimal, instant, listing, settings, snapshot};
use crate::key::Field;
use crate::{Filter, ListingQuery, Order, Snapshot, SortKey, Start};

impl Snapshot {
    /// Every fact that a snapshot derives, index by index, and that its blocks are well formed.
    fn check(&self, listings: &[ListingRow]) {
        let rebuilt = Self::default().next(
            listings.to_vec(),
            self.generation(),
            self.version(),
            &settings(),
            instant(NOW),
        );
        assert_eq!(self.len(), rebuilt.len());
        assert_eq!(self.rows.len(), rebuilt.rows.len());
        assert_eq!(self.stale_rows(), rebuilt.stale_rows());
        assert_eq!(self.newest_fetched_at(), rebuilt.newest_fetched_at());
        assert_eq!(self.listings_by_source(), rebuilt.listings_by_source());
        for field in Field::ALL {
            let (own, other) = (self.index(field).unwrap(), rebuilt.index(field).unwrap());
            assert_eq!(own.len(), other.len(), "{field:?}");
            for position in 0..=own.len() {
                assert_eq!(own.entry(position), other.entry(position), "{field:?} {position}");
                for all in [true, false] {
                    let count = other.count_before(position, all);
                    assert_eq!(own.count_before(position, all), count, "{field:?} {position}");
                    assert_eq!(own.select(position, all), other.select(position, all));
                }
            }
            let all_but_last = own.blocks.iter().rev().skip(1);
            assert!(all_but_last.clone().all(|block| block.keys.len() >= 64), "{field:?}");
            for block in &own.blocks {
                assert!((1..=256).contains(&block.keys.len()), "{field:?}");
                assert_eq!(block.keys.len(), block.tags.len());
            }
        }
        let rows = rebuilt.page(&everything(Start::Offset(0), usize::MAX)).rows;
        for row in &rows {
            assert_eq!(self.listing(row.listing_id()).as_ref(), Some(row));
        }
        assert_eq!(self.stale_rows(), rows.iter().filter(|row| row.stale()).count());
    }
}

fn everything(start: Start, limit: usize) -> ListingQuery {
    let filter = Filter { unpriced: true, ..Filter::default() };
    ListingQuery { filter, sort: SortKey::Id, order: Order::Ascending, start, limit }
}

fn stored(store: &BTreeMap<i64, ListingRow>) -> Vec<ListingRow> {
    store.values().cloned().collect()
}

/// Which listing a row of a random batch is about.
#[derive(Debug, Clone, Copy)]
enum Aim {
    Known,
    Newest,
    Anywhere,
}

/// Mostly listings that are known, sometimes new ones, rarely an id that was passed over.
fn aim() -> impl Strategy<Value = Aim> {
    prop_oneof![30 => Just(Aim::Known), 8 => Just(Aim::Newest), 1 => Just(Aim::Anywhere)]
}

impl Aim {
    fn id(self, which: Index, store: &BTreeMap<i64, ListingRow>) -> i64 {
        let last = store.last_key_value().map_or(0, |(id, _)| *id);
        match self {
            Self::Known if !store.is_empty() => **which.get(&store.keys().collect::<Vec<_>>()),
            Self::Known | Self::Newest => last + 1 + i64::try_from(which.index(3)).unwrap(),
            Self::Anywhere => i64::try_from(which.index(200)).unwrap(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_in_any_sequence_give_the_same_as_building_anew(
        first in any_listings(90),
        batches in prop::collection::vec(
            prop::collection::vec((any::<Index>(), aim(), any_listing(0)), 0..12), 1..8),
        queries in prop::collection::vec(any_query(), 8),
    ) {
        let mut store: BTreeMap<i64, ListingRow> =
            first.iter().map(|row| (row.listing_id.0, row.clone())).collect();
        let mut snapshot = snapshot(first);
        for (number, batch) in batches.into_iter().enumerate() {
            let batch: Vec<ListingRow> = batch
                .into_iter()
                .map(|(which, aim, mut row)| {
                    row.listing_id.0 = aim.id(which, &store);
                    store.insert(row.listing_id.0, row.clone());
                    row
                })
                .collect();
            let generation = Generation(number as u64 + 2);
            let before = snapshot.clone();
            snapshot = snapshot.next(batch, generation, generation.0, &settings(), instant(NOW));
            snapshot.check(&stored(&store));
            for query in &queries {
                prop_assert_eq!(asked(&snapshot, query), answer(&stored(&store), query), "{:?}", query);
            }
            prop_assert!(before.generation() < generation);
        }
    }
}

/// A listing whose values follow from a seed, many of them equal to others.
fn seeded(id: i64, seed: i64) -> ListingRow {
    let mut listing = listing(id);
    let mix = id.wrapping_mul(2_654_435_761).wrapping_add(seed * 40_503).rem_euclid(10_007);
    let quote = listing.quote.as_mut().unwrap();
    quote.price_usd = Some(decimal(&format!("{}.{}", mix % 211, seed)));
    quote.market_cap = (mix % 3 > 0).then(|| decimal(&format!("{mix}00000000000000.0001")));
    quote.volume_24h = Some(decimal(if mix % 2 == 0 { "0" } else { "12.5" }));
    quote.rank = u32::try_from(mix).ok();
    if mix % 17 == 0 {
        listing.quote = None;
    }
    listing.fetched_at = Some(instant(NOW + seed));
    listing
}

#[test]
fn blocks_split_and_join_and_still_equal_a_rebuild() {
    let mut store: BTreeMap<i64, ListingRow> = (1..=3_000).map(|id| (id, seeded(id, 0))).collect();
    let mut snapshot = snapshot(stored(&store));
    for seed in 1..=12_i64 {
        let changed = (1..=3_000).filter(|id| id % 12 == seed % 12).map(|id| match seed % 3 {
            // All to one end of the order, so that blocks there split and elsewhere run empty.
            0 => {
                let mut row = seeded(id, seed);
                row.quote.get_or_insert_default().price_usd = Some(decimal("0.5"));
                row
            }
            _ => seeded(id, seed),
        });
        let new = (0..40).map(|n| seeded(3_000 + seed * 50 + n, seed));
        let batch: Vec<ListingRow> = changed.chain(new).collect();
        store.extend(batch.iter().map(|row| (row.listing_id.0, row.clone())));
        let generation = Generation(seed as u64 + 1);
        snapshot = snapshot.next(batch, generation, generation.0, &settings(), instant(NOW));
        snapshot.check(&stored(&store));
    }
}

#[test]
fn a_batch_copies_only_what_it_touches() {
    let before = snapshot((1..=3_000).map(|id| seeded(id, 0)).collect());
    let mut changed = seeded(1_500, 0);
    changed.quote.get_or_insert_default().price_usd = Some(decimal("77.125"));
    let after = before.next(vec![changed], Generation(2), 2, &settings(), instant(NOW));
    for field in Field::ALL {
        let (old, new) = (before.index(field).unwrap(), after.index(field).unwrap());
        let copied =
            new.blocks.iter().filter(|block| !old.blocks.iter().any(|old| Arc::ptr_eq(old, block)));
        let most = if field == Field::PriceUsd { 2 } else { 0 };
        assert!(copied.count() <= most, "{field:?}");
    }
}

#[test]
fn a_block_that_runs_almost_empty_joins_its_neighbour() {
    let priced = |id: i64, price: i64| {
        let mut listing = listing(id);
        listing.quote.get_or_insert_default().price_usd = Some(decimal(&price.to_string()));
        listing
    };
    let mut store: BTreeMap<i64, ListingRow> = (1..=2_000).map(|id| (id, priced(id, id))).collect();
    let before = snapshot(stored(&store));
    let batch: Vec<ListingRow> = (200..360).map(|id| priced(id, id + 5_000)).collect();
    store.extend(batch.iter().map(|row| (row.listing_id.0, row.clone())));
    let after = before.next(batch, Generation(2), 2, &settings(), instant(NOW));
    after.check(&stored(&store));
}

#[test]
fn the_newest_fetch_is_known_after_the_row_that_had_it_changed() {
    let mut listings: Vec<ListingRow> = (1..=200).map(listing).collect();
    listings[99].fetched_at = Some(instant(NOW + 9));
    let before = snapshot(listings.clone());
    assert_eq!(before.newest_fetched_at(), Some(instant(NOW + 9)));
    listings[99].fetched_at = Some(instant(NOW - 9));
    let batch = vec![listings[99].clone()];
    before.next(batch, Generation(2), 2, &settings(), instant(NOW)).check(&listings);
}

#[test]
fn an_id_below_the_greatest_finds_its_place() {
    let before = snapshot(vec![listing(2), listing(9)]);
    let after = before.next(vec![listing(5)], Generation(2), 2, &settings(), instant(NOW));
    after.check(&[listing(2), listing(5), listing(9)]);
}

#[test]
fn i5_a_snapshot_is_not_changed_by_later_batches() {
    let listings: Vec<ListingRow> = (1..=500).map(|id| seeded(id, 0)).collect();
    let first = snapshot(listings.clone());
    let mut latest = first.clone();
    for seed in 1..=5_i64 {
        let batch = (1..=600).map(|id| seeded(id, seed)).collect();
        let generation = Generation(seed as u64 + 1);
        latest = latest.next(batch, generation, generation.0, &settings(), instant(NOW));
    }
    assert_eq!(latest.generation(), Generation(6));
    assert_eq!(first.generation(), Generation(1));
    first.check(&listings);
}

#[test]
fn pages_walked_by_after_neither_repeat_nor_skip_while_batches_are_applied() {
    let mut latest = snapshot((1..=700).map(|id| seeded(id, 0)).collect());
    let mut walked: Vec<ListingId> = Vec::new();
    let mut start = Start::Offset(0);
    for seed in 1.. {
        let page = latest.page(&everything(start, 50));
        walked.extend(page.rows.iter().map(|row| row.listing_id()));
        let Some(last) = page.rows.last().filter(|_| page.more) else {
            break;
        };
        start = Start::After(last.listing_id());
        let end = 700 + seed.min(6) * 20;
        let batch = (1..=end).filter(|id| id % 5 == seed % 5).map(|id| seeded(id, seed)).collect();
        latest = latest.next(batch, Generation(seed as u64 + 1), 1, &settings(), instant(NOW));
    }
    assert!(walked.is_sorted_by(|left, right| left < right));
    assert!((1..=700).all(|id| walked.binary_search(&ListingId(id)).is_ok()));
}
