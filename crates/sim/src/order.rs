//! The sequences in which CoinGecko lists coins, sorted once for each step.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};

use crate::market::market_cap;
use crate::names::Identity;
use crate::world::World;

/// A sequence of all coins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    MarketCapDescending,
    MarketCapAscending,
    VolumeDescending,
    VolumeAscending,
    IdAscending,
    IdDescending,
}

/// The last sequence of each kind: four bytes a coin.
#[derive(Debug, Default)]
pub(crate) struct Orders(Mutex<Vec<Sorted>>);

#[derive(Debug)]
struct Sorted {
    order: Order,
    step: u64,
    coins: Arc<[u32]>,
}

impl Order {
    /// The order with the vendor's name for it; anything else is the vendor's default.
    pub(crate) fn named(name: Option<&str>) -> Self {
        match name {
            Some("market_cap_asc") => Self::MarketCapAscending,
            Some("volume_desc") => Self::VolumeDescending,
            Some("volume_asc") => Self::VolumeAscending,
            Some("id_asc") => Self::IdAscending,
            Some("id_desc") => Self::IdDescending,
            _ => Self::MarketCapDescending,
        }
    }

    const fn by_id(self) -> bool {
        matches!(self, Self::IdAscending | Self::IdDescending)
    }

    const fn ascending_values(self) -> bool {
        matches!(self, Self::MarketCapAscending | Self::VolumeAscending)
    }
}

impl Orders {
    /// Every coin in `order` at `step`; sorting them takes processor time, so not on an async thread.
    pub(crate) fn sorted(&self, world: &World, order: Order, step: u64) -> Arc<[u32]> {
        let valid = |sorted: &&Sorted| {
            sorted.order == order && (sorted.step == step || order.by_id() && !world.lively)
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sorted) = kept.iter().find(valid) {
            return Arc::clone(&sorted.coins);
        }
        let coins = sort(world, order, step);
        kept.retain(|sorted| sorted.order != order);
        kept.push(Sorted { order, step, coins: Arc::clone(&coins) });
        coins
    }
}

fn sort(world: &World, order: Order, step: u64) -> Arc<[u32]> {
    let mut coins: Vec<u32> =
        (0..world.coins()).filter(|index| world.is_listed(*index, step)).collect();
    match order {
        Order::MarketCapDescending | Order::MarketCapAscending => {
            // Unknown is less than every cap and so comes last in the usual order.
            coins.sort_by_cached_key(|index| {
                (Reverse(market_cap(world, &world.coin(*index), step)), *index)
            });
        }
        Order::VolumeDescending | Order::VolumeAscending => {
            let step = i64::try_from(step).unwrap_or(i64::MAX);
            coins.sort_by_cached_key(|index| {
                (Reverse(world.volume(&world.coin(*index), step)), *index)
            });
        }
        Order::IdAscending | Order::IdDescending => {
            let mut identity = Identity::default();
            coins.sort_by_cached_key(|index| {
                identity.fill(world.seed, *index);
                identity.gecko_id.clone()
            });
        }
    }
    if order.ascending_values() || order == Order::IdDescending {
        coins.reverse();
    }
    coins.into()
}
