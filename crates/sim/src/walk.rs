//! A coin's price path: a random walk that can be asked for any step at once.
//!
//! Summing the moves from step 0 would cost as much as the walk is long. Instead seven layers of noise
//! are added, each eight times slower and the square root of eight times stronger than the one before,
//! interpolated between grid points whose values are drawn by their place. The sum has the roughness of
//! Brownian motion at every scale, returns to where it came from, and costs the same at every step.

use crate::chance::further;

/// Steps before step 0 that the path covers, so that changes over a year have something to look back at.
const PAST: i64 = 1 << 40;

/// Deflection of each layer in millionths of the price, slowest last.
const LAYERS: [i64; 7] = [400, 1_130, 3_200, 9_050, 25_600, 72_400, 204_800];

/// The path of one coin, remembering the grid points it passed last.
#[derive(Debug)]
pub(crate) struct Walk {
    key: u64,
    /// Thousandths of the usual deflection; 3,000 keeps every price positive.
    volatility: i64,
    /// Steps of a day with its jump; `None` for a path without jumps.
    day_steps: Option<u64>,
    spans: [Span; LAYERS.len()],
}

/// Two neighbouring grid points of one layer.
#[derive(Debug, Clone, Copy)]
struct Span {
    cell: u64,
    from: i64,
    to: i64,
}

/// Makes the jumps independent of the noise.
const JUMPS: u64 = 0x6a75_6d70_7321_0000;

/// No step lies in this cell.
const NOWHERE: u64 = u64::MAX;

impl Walk {
    /// The price factor that stands for the coin's base price.
    pub(crate) const UNIT: i64 = 1_000_000;

    pub(crate) fn new(key: u64, volatility: u16) -> Self {
        let volatility = i64::from(volatility.min(3_000));
        let spans = [Span { cell: NOWHERE, from: 0, to: 0 }; LAYERS.len()];
        Self { key, volatility, day_steps: None, spans }
    }

    /// A path that also jumps once in so many steps.
    pub(crate) fn with_jumps(self, day_steps: u64) -> Self {
        Self { day_steps: Some(day_steps.max(1)), ..self }
    }

    /// The price at `step` in millionths of the base price, always above zero.
    pub(crate) fn factor(&mut self, step: i64) -> i64 {
        if self.volatility == 0 {
            return Self::UNIT;
        }
        let time = u64::try_from(step.saturating_add(PAST)).unwrap_or(0);
        let mut deflection = 0;
        for ((layer, strength), span) in (0_u64..).zip(LAYERS).zip(&mut self.spans) {
            let shift = 3 * layer;
            let cell = time >> shift;
            if span.cell != cell {
                let key = self.key.wrapping_add(layer);
                let point = |cell| {
                    let drawn = i64::try_from(further(key, cell) >> 44).unwrap_or(0);
                    ((drawn - (1 << 19)) * strength) >> 19
                };
                *span = Span { cell, from: point(cell), to: point(cell + 1) };
            }
            let within = i64::try_from(time & ((1 << shift) - 1)).unwrap_or(0);
            deflection += span.from + (((span.to - span.from) * within) >> shift);
        }
        let calm = Self::UNIT + deflection * self.volatility / 1_000;
        let jump = self.day_steps.map_or(0, |day_steps| self.jump(time, day_steps));
        calm + calm * jump / Self::UNIT
    }

    /// How far the jump of a day carries, in millionths. Each day has its own, reached within its first
    /// eighth; the days of different coins begin at different steps.
    fn jump(&self, time: u64, day_steps: u64) -> i64 {
        let time = time.saturating_add(self.key % day_steps);
        let (day, within) = (time / day_steps, time % day_steps);
        let ramp = (day_steps / 8).max(1);
        let to = self.tail(day);
        let from = self.tail(day.wrapping_sub(1));
        let part = |steps: u64| i64::try_from(steps).unwrap_or(1);
        from + (to - from) * part((within + 1).min(ramp)) / part(ramp)
    }

    /// A number from Student's distribution with two degrees of freedom, by its inverse: most are near
    /// zero, and one in a hundred is ten times as large as usual.
    fn tail(&self, day: u64) -> i64 {
        const HALF: i64 = 1 << 20;
        let drawn = i64::try_from(further(self.key ^ JUMPS, day) >> 43).unwrap_or(HALF) - HALF;
        let root = (HALF * HALF - drawn * drawn).isqrt().max(1);
        let usual = drawn * 14_142 * 15_000 / root / 10_000;
        (usual * self.volatility / 1_000).clamp(-600_000, 2_000_000)
    }
}

/// The change from one price factor to another in units of `1/scale` (10,000 gives hundredths of a
/// percent).
pub(crate) fn change(from: i64, to: i64, scale: i64) -> i64 {
    (to - from).saturating_mul(scale).checked_div(from).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_same_however_it_is_asked() {
        let mut forward = Walk::new(7, 1_000);
        let path: Vec<(i64, i64)> =
            (-100..2_000).map(|step| (step, forward.factor(step))).collect();
        for (step, expected) in path.into_iter().rev() {
            assert_eq!(Walk::new(7, 1_000).factor(step), expected);
        }
    }

    #[test]
    fn prices_move_a_little_each_step_and_stay_above_zero() {
        for key in 0..50 {
            let mut walk = Walk::new(further(key, 1), 3_000);
            let mut before = walk.factor(0);
            for step in 1..3_000 {
                let now = walk.factor(step * 17);
                assert!(now > 0);
                before = now;
            }
            assert!((walk.factor(2_999 * 17 + 1) - before).abs() < Walk::UNIT / 50);
        }
    }

    #[test]
    fn jumps_are_mostly_small_and_sometimes_large() {
        let mut moves = Vec::new();
        for key in 0..400 {
            let mut walk = Walk::new(further(key, 1), 1_000).with_jumps(24);
            for day in 0..30 {
                let (before, after) = (walk.factor(day * 24), walk.factor(day * 24 + 24));
                assert!(before > 0 && before < 4 * Walk::UNIT);
                moves.push((change(before, after, 10_000)).abs());
            }
        }
        moves.sort_unstable();
        let share = |numerator: usize, of: usize| moves[moves.len() * numerator / of];
        assert!((50..500).contains(&share(1, 2)), "the median day moves by a few percent");
        // In a normal distribution this quantile is less than four times the median.
        assert!(share(99, 100) > 6 * share(1, 2), "{} {}", share(99, 100), share(1, 2));
    }

    #[test]
    fn a_coin_without_volatility_stands_still() {
        assert_eq!(Walk::new(3, 0).factor(12_345), Walk::UNIT);
    }
}
