//! A price that moved far more than it ever did.

use kasparro_domain::{Timestamp, ValueAnomalyKind};

use super::robust::{mad, median};
use super::text::{exact, percent_of, short};
use super::values::UnusualValue;

/// How many earlier points [`jump`] looks at, the latest ones: enough for a median, three months of
/// daily points.
pub const JUMP_HISTORY: usize = 90;

/// ln 1.5: a smaller move is never a jump. Of 674,189 daily moves of 2,496 coins in 2021, 2 % are larger.
pub(super) const LEAST_MOVE: f64 = 0.405_465_108_108_164_4;

/// ln 3: the least jump of a listing with few earlier moves, because a coin's first hours are wild.
const LEAST_MOVE_YOUNG: f64 = 1.098_612_288_668_109_8;

/// How many usual moves make a jump. Prices have heavy tails: at 10, and with the other rules, 0.19 %
/// of the daily points of 2021 are flagged, at 8 half as many again.
const JUMP_SPREADS: f64 = 10.0;

/// The least usual move, as a logarithm, in a day: 5 %. A stablecoin that halves within a day is flagged,
/// one that strays by a third is not.
const LEAST_SPREAD: f64 = 0.05;

/// The usual move that is taken for granted, per day, where few earlier moves are known: 20 %.
const YOUNG_SPREAD: f64 = 0.2;

/// How many earlier moves make a history. Days on which the price stood still do not count: they say that
/// nobody traded, not that it cannot move.
const FEW_MOVES: usize = 8;

/// A jump is larger than the third-largest earlier move: one bad value makes two large moves, up and back,
/// and must not hide the next.
const LARGEST_SKIPPED: usize = 2;

/// How many points say where the price has been: a return from a bad value is no jump.
const LEVEL_POINTS: usize = 5;

/// The least time between two points, in milliseconds, that moves are scaled by.
const LEAST_MILLIS: i64 = 60_000;

const DAY_MILLIS: f64 = 86_400_000.0;

/// What an `f32` may lose of the logarithm of a price: half a unit in the last place below 256, five
/// times over.
const NARROW: f64 = 1e-4;

/// A price at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PricePoint {
    /// The instant the price holds for.
    pub observed_at: Timestamp,
    /// The price of one unit in US dollars.
    pub price: f64,
}

impl PricePoint {
    fn log(&self) -> Option<f64> {
        let log = self.price.ln();
        log.is_finite().then_some(log)
    }
}

/// True where a price may be a jump from the previous one: read the history only then.
///
/// `previous` is the natural logarithm of the previous price. Never false where [`jump`] flags a price whose
/// latest earlier point is `previous`.
#[must_use]
pub fn worth_looking(previous: f32, price: f64) -> bool {
    (price.ln() - f64::from(previous)).abs() > LEAST_MOVE - NARROW
        && price > 0.0
        && price.is_finite()
}

/// What is unusual about a price, against the listing's own earlier prices in any order.
///
/// Points at or after the instant of `now`, and prices that are not above zero, are left out; without
/// an earlier price nothing is unusual. `value` is the shortest text of the number; a caller that has the
/// text as it was sent may put it there.
#[must_use]
pub fn jump(history: &[PricePoint], now: PricePoint) -> Option<UnusualValue> {
    let here = now.log()?;
    let points = earlier(history, now.observed_at);
    let &(last_at, last) = points.last()?;
    let level = points.iter().rev().take(LEVEL_POINTS).map(|&(_, log)| log);
    let level = median(level)?;
    let away = (here - last).abs().min((here - level).abs());
    if away <= LEAST_MOVE {
        return None;
    }
    let usual = Usual::of(&points);
    let limit = usual.limit(days(last_at, now.observed_at.as_millis()).sqrt());
    (away > limit).then(|| UnusualValue {
        kind: ValueAnomalyKind::PriceJump,
        value: exact(now.price),
        expected: format!(
            "{} to {}: {} before, {}",
            short((last - limit).exp()),
            short((last + limit).exp()),
            short(last.exp()),
            usual.words()
        ),
    })
}

/// Instant in milliseconds and logarithm of each usable earlier point, oldest first.
fn earlier(history: &[PricePoint], now: Timestamp) -> Vec<(i64, f64)> {
    let mut points: Vec<(i64, f64)> = history
        .iter()
        .filter(|point| point.observed_at < now)
        .filter_map(|point| Some((point.observed_at.as_millis(), point.log()?)))
        .collect();
    points.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let surplus = points.len().saturating_sub(JUMP_HISTORY);
    points.drain(..surplus);
    points
}

fn days(from_millis: i64, to_millis: i64) -> f64 {
    to_millis.saturating_sub(from_millis).max(LEAST_MILLIS) as f64 / DAY_MILLIS
}

/// How a price has moved so far.
struct Usual {
    /// Spread of its moves, as a logarithm, over one day.
    spread: f64,
    /// The third-largest move, whatever time it took.
    largest: f64,
    young: bool,
}

impl Usual {
    fn of(points: &[(i64, f64)]) -> Self {
        let pairs = || points.iter().zip(points.iter().skip(1));
        // A walk at random strays with the root of the time.
        let scaled: Vec<f64> = pairs()
            .map(|(a, b)| (b.1 - a.1) / days(a.0, b.0).sqrt())
            .filter(|move_| *move_ != 0.0)
            .collect();
        let middle = median(scaled.iter().copied()).unwrap_or(0.0);
        let spread = mad(scaled.iter().copied(), middle).unwrap_or(0.0);
        let mut moves: Vec<f64> = pairs().map(|(a, b)| (b.1 - a.1).abs()).collect();
        moves.sort_unstable_by(|a, b| b.total_cmp(a));
        let largest = moves.get(LARGEST_SKIPPED).copied().unwrap_or(0.0);
        Self { spread, largest, young: scaled.len() < FEW_MOVES }
    }

    fn limit(&self, root_days: f64) -> f64 {
        let least = if self.young { LEAST_MOVE_YOUNG } else { LEAST_MOVE };
        (JUMP_SPREADS * self.taken() * root_days).max(least).max(self.largest)
    }

    /// The spread that is taken for usual.
    fn taken(&self) -> f64 {
        self.spread.max(if self.young { YOUNG_SPREAD } else { LEAST_SPREAD })
    }

    fn words(&self) -> String {
        let why = if self.young { ", as few earlier moves are known" } else { "" };
        format!("usual moves taken as {} a day{why}", percent_of(self.taken().exp()))
    }
}
