//! The habits of a lively market: which coins are listed when, and how they rank.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};

use crate::chance::Purpose;
use crate::walk::Walk;
use crate::world::World;

const HOUR_MS: i64 = 3_600_000;

/// Within so many hours after the base instant coins come and go.
const HOURS: u64 = 60 * 24;
/// The largest coins stay.
const LASTING: u32 = 50;
/// In a hundred coins, those that come and those that go.
const PERCENT: u64 = 4;

/// Whether a coin is listed at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Nobody has heard of it.
    NotYet,
    Listed,
    /// It was listed and is no more, for good.
    Gone,
}

impl World {
    /// Hours after the base instant at which a coin comes, for one that does.
    pub(crate) fn comes_after_hours(&self, index: u32) -> Option<i64> {
        let drawn = self.seed.draw(Purpose::Life, index);
        (self.may_change(index) && drawn % 100 < PERCENT).then(|| hours(drawn))
    }

    fn goes_after_hours(&self, index: u32) -> Option<i64> {
        let drawn = self.seed.draw(Purpose::Life, index);
        let goes = (PERCENT..2 * PERCENT).contains(&(drawn % 100));
        (self.may_change(index) && goes).then(|| hours(drawn))
    }

    fn may_change(&self, index: u32) -> bool {
        self.lively && (LASTING..self.coins()).contains(&index)
    }

    /// Whether coin `index` is listed at `step`.
    pub(crate) fn life(&self, index: u32, step: u64) -> Life {
        let elapsed_ms = self.now_ms(step).saturating_sub(self.now_ms(0));
        let is_past = |hours: i64| elapsed_ms >= hours * HOUR_MS;
        if self.comes_after_hours(index).is_some_and(|hours| !is_past(hours)) {
            Life::NotYet
        } else if self.goes_after_hours(index).is_some_and(is_past) {
            Life::Gone
        } else {
            Life::Listed
        }
    }

    /// Whether coin `index` has a market at `step`.
    pub(crate) fn is_listed(&self, index: u32, step: u64) -> bool {
        self.life(index, step) == Life::Listed
    }

    /// The ranks at `step`; sorting takes processor time, so not on an async thread.
    pub(crate) fn ranks(&self, step: u64) -> Ranks {
        if !self.lively {
            return Ranks(Arc::default());
        }
        let mut kept = self.kept_ranks.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((known, ranks)) if *known == step => Ranks(Arc::clone(ranks)),
            _ => {
                let ranks = self.ranked(step);
                *kept = Some((step, Arc::clone(&ranks)));
                Ranks(ranks)
            }
        }
    }

    fn ranked(&self, step: u64) -> Arc<[u32]> {
        let at = i64::try_from(step).unwrap_or(i64::MAX);
        let mut coins: Vec<u32> = (0..self.coins()).collect();
        coins.sort_by_cached_key(|index| {
            let coin = self.coin(*index);
            let cap_usd = coin.cap_usd * self.walk(&coin).factor(at) / Walk::UNIT;
            (!self.is_listed(*index, step), Reverse(cap_usd), *index)
        });
        let mut ranks = vec![0; coins.len()];
        for (rank, index) in (1..).zip(coins) {
            if let Some(place) = usize::try_from(index).ok().and_then(|at| ranks.get_mut(at)) {
                *place = rank;
            }
        }
        ranks.into()
    }
}

fn hours(drawn: u64) -> i64 {
    i64::try_from(1 + (drawn >> 8) % HOURS).unwrap_or(1)
}

/// The ranks of the last step asked for: four bytes a coin.
#[derive(Debug, Default)]
pub(crate) struct KeptRanks(Mutex<Option<(u64, Arc<[u32]>)>>);

/// By coin its rank by market cap, from 1.
#[derive(Debug, Clone)]
pub(crate) struct Ranks(Arc<[u32]>);

impl Ranks {
    /// The rank of coin `index`; in a calm market the one it was made with.
    pub(crate) fn of(&self, index: u32) -> u32 {
        let known = usize::try_from(index).ok().and_then(|at| self.0.get(at));
        known.copied().unwrap_or(index.saturating_add(1))
    }
}
