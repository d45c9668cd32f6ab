//! The coins and their markets, as a function of seed, coin and step; nothing is kept per coin.

use kasparro_domain::Timestamp;

use crate::chance::{Purpose, Seed, further};
use crate::life::KeptRanks;
use crate::names::FAMOUS;
use crate::order::Orders;
use crate::settings::SimSettings;
use crate::text::Number;
use crate::walk::Walk;

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

/// The first coin after [`FAMOUS`], and every 500th after it, has the price 3.84e-18, which never moves.
const TINY_FROM: u32 = 24;
/// The coin after each tiny one has a supply of 9223372036854775807.
const HUGE_FROM: u32 = 25;
const ODD_EVERY: u32 = 500;

/// Significant digits of a base price; with a [`Walk`] factor the product still fits 63 bits.
const BASE_DIGITS: u32 = 12;

/// A generated market.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: Seed,
    coins: u32,
    base_ms: i64,
    step_ms: i64,
    scatter: u64,
    /// Prices jump, ranks move, coins come and go.
    pub(crate) lively: bool,
    pub(crate) orders: Orders,
    pub(crate) kept_ranks: KeptRanks,
}

/// What is true of a coin at every step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coin {
    pub(crate) index: u32,
    /// Market capitalisation in US dollars where the price factor is one.
    pub(crate) cap_usd: i64,
    /// Units in circulation.
    pub(crate) supply: i64,
    pub(crate) total_supply: i64,
    pub(crate) max_supply: i64,
    /// Price in US dollars where the price factor is one, 12 digits.
    pub(crate) price: Number,
    /// Thousandths of the usual price movement.
    pub(crate) volatility: u16,
    /// Days between the first data and the base instant; below zero for a coin that comes later.
    pub(crate) age_days: i64,
    /// False where no vendor ranks the coin.
    pub(crate) ranked: bool,
    /// Drawn bits that decide what each vendor does not know.
    pub(crate) known: u64,
}

impl World {
    pub(crate) fn new(settings: &SimSettings) -> Self {
        let coins = settings.coins.min(SimSettings::MAX_COINS);
        let step_ms = i64::try_from(settings.step_span.as_millis()).unwrap_or(i64::MAX);
        Self {
            seed: Seed::new(settings.seed),
            coins,
            base_ms: settings.base_at.as_millis(),
            step_ms: step_ms.clamp(1, 366 * DAY_MS),
            scatter: scatter_stride(u64::from(coins)),
            lively: settings.lively,
            orders: Orders::default(),
            kept_ranks: KeptRanks::default(),
        }
    }

    /// Everything but the step that decides the values.
    pub(crate) fn fingerprint(&self) -> String {
        let lively = if self.lively { " lively" } else { "" };
        format!("{:?} {} {} {}{lively}", self.seed, self.coins, self.base_ms, self.step_ms)
    }

    /// Coins with a market.
    pub(crate) const fn coins(&self) -> u32 {
        self.coins
    }

    /// Coins that vendors still list without a market; their indexes follow those of the others.
    pub(crate) const fn inactive_coins(&self) -> u32 {
        self.coins / 8
    }

    /// The coin at `position` of a list whose order means nothing.
    pub(crate) fn scattered(&self, position: u32) -> u32 {
        let count = u64::from(self.coins).max(1);
        u32::try_from(u64::from(position) * self.scatter % count).unwrap_or(0)
    }

    /// Simulated time in milliseconds since the Unix epoch.
    pub(crate) fn now_ms(&self, step: u64) -> i64 {
        let elapsed = i64::try_from(step).unwrap_or(i64::MAX).saturating_mul(self.step_ms);
        self.base_ms.saturating_add(elapsed).min(MAX_MS)
    }

    /// Simulated time.
    pub(crate) fn now(&self, step: u64) -> Timestamp {
        Timestamp::from_millis(self.now_ms(step)).unwrap_or_default()
    }

    /// The number of whole steps from the base instant to `now`.
    pub(crate) fn step_at(&self, now: Timestamp) -> u64 {
        u64::try_from(now.as_millis().saturating_sub(self.base_ms) / self.step_ms).unwrap_or(0)
    }

    /// When a vendor last updated `coin`: some time up to `spread_ms` ago that is the coin's own.
    pub(crate) fn updated_ms(&self, coin: &Coin, step: u64, spread_ms: u64) -> i64 {
        let drawn = further(self.seed.draw(Purpose::Jitter, coin.index), spread_ms);
        let jitter = i64::try_from(drawn % spread_ms.max(1)).unwrap_or(0);
        self.now_ms(step).saturating_sub(jitter).max(0)
    }

    /// Days for which there are data of `coin` at `step`; in a calm market nothing grows older.
    pub(crate) fn age_days(&self, coin: &Coin, step: u64) -> i64 {
        let elapsed_ms = self.now_ms(step).saturating_sub(self.base_ms);
        coin.age_days + if self.lively { elapsed_ms / DAY_MS } else { 0 }
    }

    /// Midnight of the day on which data of `coin` begin.
    pub(crate) fn first_data_ms(&self, coin: &Coin) -> i64 {
        let midnight = self.base_ms - self.base_ms.rem_euclid(DAY_MS);
        (midnight - coin.age_days * DAY_MS).max(0)
    }

    /// An instant between the first data of `coin` and the base instant.
    pub(crate) fn past_ms(&self, coin: &Coin, drawn: u64) -> i64 {
        let first = self.first_data_ms(coin);
        let past = u64::try_from(self.base_ms - first).unwrap_or(0).max(1);
        first + i64::try_from(drawn % past).unwrap_or(0)
    }

    /// The step `minutes` of simulated time before `step`; at least one step back.
    pub(crate) fn step_before(&self, step: i64, minutes: i64) -> i64 {
        step - (minutes * 60_000 / self.step_ms).max(1)
    }

    /// What coin `index` is.
    pub(crate) fn coin(&self, index: u32) -> Coin {
        let known = self.seed.draw(Purpose::Known, index);
        let character = self.seed.draw(Purpose::Character, index);
        let famous = usize::try_from(index).ok().and_then(|at| FAMOUS.get(at));
        let odd = |first: u32| index >= first && (index - first).is_multiple_of(ODD_EVERY);
        let mut cap_usd = self.base_cap(index, famous.is_some());
        let mut volatility = match character % 100 {
            0..4 => 2,
            4..14 => 2_900,
            _ => 1_000,
        };
        let age_range = 4_800 - (character >> 20) % 4_000;
        let mut age_days = i64::try_from(1 + (character >> 40) % age_range).unwrap_or(1);
        let supply;
        let price;
        if let Some(famous) = famous {
            price = base_price(famous.price.0, famous.price.1);
            supply = units(cap_usd, price);
            volatility = if famous.pegged { 2 } else { 1_000 };
            age_days = i64::try_from(1_500 + (character >> 40) % 3_500).unwrap_or(1_500);
        } else if odd(TINY_FROM) {
            price = base_price(384, -20);
            supply = 1_000_000_000_000_000_000;
            cap_usd = 3;
            volatility = 0;
        } else {
            supply = if odd(HUGE_FROM) { i64::MAX } else { self.drawn_supply(index) };
            price = quotient(cap_usd, supply);
        }
        if let Some(hours) = self.comes_after_hours(index) {
            age_days = -(hours / 24);
        }
        let supplies = self.seed.draw(Purpose::Supplies, index);
        let total_permille = i64::try_from(1_000 + supplies % 400).unwrap_or(1_000);
        let max_permille = i64::try_from((supplies >> 16) % 1_600).unwrap_or(0) + total_permille;
        Coin {
            index,
            cap_usd,
            supply,
            total_supply: permille(supply, total_permille),
            max_supply: permille(supply, max_permille),
            price,
            volatility,
            age_days,
            ranked: !odd(TINY_FROM) && (famous.is_some() || !(character >> 8).is_multiple_of(25)),
            known,
        }
    }

    /// Caps fall with the power 1.5 of the rank: 2.1e12 for the first coin, 7e7 for the thousandth.
    fn base_cap(&self, index: u32, famous: bool) -> i64 {
        let rank = u64::from(index) + 1;
        let root_256 = (rank << 16).isqrt();
        let cap = 2_100_000_000_000 * 256 / (rank * root_256);
        let spread = 700 + self.seed.draw(Purpose::Cap, index) % 600;
        let cap = if famous { cap } else { cap * spread / 1_000 };
        i64::try_from(cap.max(1)).unwrap_or(1)
    }

    /// Supplies from 1e5 to 1e12, and for one coin in a hundred up to 1e18.
    fn drawn_supply(&self, index: u32) -> i64 {
        let drawn = self.seed.draw(Purpose::Supply, index);
        let decade =
            if drawn.is_multiple_of(100) { 15 + drawn / 100 % 3 } else { 5 + drawn / 100 % 7 };
        let scale = u32::try_from(decade).ok().and_then(|decade| 10_i64.checked_pow(decade - 5));
        let mantissa = i64::try_from(100_000 + (drawn >> 24) % 900_000).unwrap_or(100_000);
        // Half of the supplies are round numbers, the others are what was minted by then.
        let mantissa = if drawn >> 63 == 0 { mantissa / 10_000 * 10_000 } else { mantissa };
        let minted = if drawn >> 63 == 0 { 0 } else { i64::try_from(drawn >> 50).unwrap_or(0) };
        mantissa.saturating_mul(scale.unwrap_or(1)).saturating_add(minted)
    }

    /// The highest price of `coin` in hundredths of its base price.
    pub(crate) fn ath_multiple(&self, coin: &Coin) -> i64 {
        let drawn = self.seed.draw(Purpose::Ath, coin.index) >> 12;
        let multiple = match (coin.volatility, coin.index < TINY_FROM) {
            (..=2, _) => 101 + drawn % 5,
            (_, true) => 132 + drawn % 60,
            (_, false) => 195 + drawn % 5_800,
        };
        i64::try_from(multiple).unwrap_or(195)
    }

    /// The price path of `coin`.
    pub(crate) fn walk(&self, coin: &Coin) -> Walk {
        let walk = Walk::new(self.seed.draw(Purpose::Walk, coin.index), coin.volatility);
        if !self.lively {
            return walk;
        }
        walk.with_jumps(u64::try_from(DAY_MS / self.step_ms).unwrap_or(1))
    }

    /// Volume over 24 hours in units of a hundredth of a cent; 0 where nothing was traded.
    pub(crate) fn volume(&self, coin: &Coin, step: i64) -> i64 {
        let turnover = self.seed.draw(Purpose::Turnover, coin.index);
        if coin.index >= TINY_FROM && turnover.is_multiple_of(40) {
            return 0;
        }
        let noise = further(self.seed.draw(Purpose::Volume, coin.index), step.cast_unsigned());
        let permille = i64::try_from(1 + (turnover >> 8) % 300).unwrap_or(1);
        let noise = i64::try_from(950 + noise % 100).unwrap_or(1_000);
        coin.cap_usd * permille * noise / 100
    }
}

/// The last instant that RFC 3339 can write.
const MAX_MS: i64 = 253_402_300_799_999;

/// A step through `count` positions that reaches each once, near the golden section so that neighbours
/// in the list are far apart in rank.
fn scatter_stride(count: u64) -> u64 {
    let coprime = |candidate: &u64| {
        let (mut left, mut right) = (*candidate, count);
        while right != 0 {
            (left, right) = (right, left % right);
        }
        left == 1
    };
    (count * 618 / 1_000 + 1..=count.max(1)).find(coprime).unwrap_or(1)
}

/// `mantissa * 10^exponent` with exactly [`BASE_DIGITS`] digits.
fn base_price(mantissa: i64, exponent: i32) -> Number {
    let digits = mantissa.checked_ilog10().map_or(1, |log| log + 1);
    let missing = BASE_DIGITS.saturating_sub(digits);
    Number::new(mantissa * 10_i64.pow(missing), exponent.saturating_sub_unsigned(missing))
}

/// `cap / supply`, cut to [`BASE_DIGITS`] digits.
fn quotient(cap: i64, supply: i64) -> Number {
    let digits = |value: i64| value.checked_ilog10().map_or(1, |log| log + 1);
    let places = (BASE_DIGITS + 1 + digits(supply)).saturating_sub(digits(cap));
    let scaled = i128::from(cap) * 10_i128.pow(places);
    let mantissa = i64::try_from(scaled / i128::from(supply.max(1))).unwrap_or(i64::MAX);
    Number::new(mantissa, 0_i32.saturating_sub_unsigned(places)).cut(BASE_DIGITS)
}

/// `cap / price` in whole units.
fn units(cap: i64, price: Number) -> i64 {
    let cap = i128::from(cap);
    let places = 10_i128.pow(price.exponent.unsigned_abs());
    let scaled = if price.exponent < 0 { cap * places } else { cap / places };
    i64::try_from(scaled / i128::from(price.mantissa.max(1))).unwrap_or(i64::MAX)
}

/// Thousandths of `value`, at most `i64::MAX`.
fn permille(value: i64, share: i64) -> i64 {
    i64::try_from(i128::from(value) * i128::from(share) / 1_000).unwrap_or(i64::MAX)
}

/// The price of `coin` where its path stands at `factor`: 14 or 15 digits.
pub(crate) const fn price_at(coin: &Coin, factor: i64) -> Number {
    Number::new(coin.price.mantissa * factor / 10_000, coin.price.exponent - 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Identity;

    fn world(coins: u32) -> World {
        World::new(&SimSettings { coins, ..SimSettings::default() })
    }

    #[test]
    fn scattering_reaches_every_coin_once() {
        for coins in [0, 1, 2, 3, 10, 250, 3_795, 100_000] {
            let world = world(coins);
            let mut seen: Vec<u32> = (0..coins).map(|position| world.scattered(position)).collect();
            if coins > 100 {
                assert!(seen.is_sorted_by(|left, right| left > right) || !seen.is_sorted());
            }
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..coins), "{coins}");
        }
    }

    #[test]
    fn ids_are_distinct_and_some_symbols_are_shared() {
        let world = world(300_000);
        let mut identity = Identity::default();
        let mut ids = std::collections::BTreeSet::new();
        let mut symbols = std::collections::BTreeMap::<String, u32>::new();
        for index in 0..300_000 {
            identity.fill(world.seed, index);
            assert!(ids.insert(identity.gecko_id.clone()), "{identity:?}");
            assert!(ids.insert(format!("paprika {}", identity.paprika_id)), "{identity:?}");
            *symbols.entry(identity.symbol.clone()).or_default() += 1;
        }
        let shared: u32 = symbols.values().filter(|count| **count > 1).sum();
        assert!((12_000..60_000).contains(&shared), "{shared}");
    }

    #[test]
    fn caps_follow_the_rank_and_prices_follow_caps() {
        let world = world(100_000);
        for index in (0..100_000).step_by(97) {
            let coin = world.coin(index);
            assert!(coin.supply > 0 && coin.total_supply >= coin.supply, "{coin:?}");
            assert!(coin.max_supply >= coin.total_supply, "{coin:?}");
            assert!(coin.price.mantissa.ilog10() < BASE_DIGITS, "{coin:?}");
            let product = i128::from(coin.supply) * i128::from(coin.price.mantissa);
            let places = 10_i128.pow(coin.price.exponent.unsigned_abs());
            let cap = product / places;
            let off = (cap - i128::from(coin.cap_usd)).abs();
            assert!(off <= 1 + cap / 100_000, "{coin:?}: {cap}");
        }
        assert!(world.coin(0).cap_usd > 1_000 * world.coin(999).cap_usd);
    }
}
