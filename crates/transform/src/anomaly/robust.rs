//! Middle and spread that a few wild values cannot move.

/// Factor from the median absolute deviation to the standard deviation of a normal distribution:
/// 1 / 0.6745, the inverse of its upper quartile.
pub const MAD_TO_SIGMA: f64 = 1.4826;

/// The middle of the values; of an even number, the mean of the two in the middle.
///
/// Values that are no finite number are left out. `None` where none is left.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get((sorted.len() / 2).checked_sub(1)?)?;
    // Halved before they are added: the sum of two large numbers may not be finite.
    Some(lower / 2.0 + upper / 2.0)
}

/// The median distance of the values from `middle`, scaled to a standard deviation.
///
/// Values that are no finite number are left out. `None` where none is left.
#[must_use]
pub fn mad(values: impl IntoIterator<Item = f64>, middle: f64) -> Option<f64> {
    median(values.into_iter().map(|value| (value - middle).abs())).map(|mad| mad * MAD_TO_SIGMA)
}

/// How many spreads `value` lies above (or, negative, below) `middle`.
///
/// A spread below `floor` counts as `floor`: values that never varied tell little about how far they
/// may. 0 where a number is not finite or neither spread nor floor is above zero, so that what is
/// unknown is never unusual.
#[must_use]
pub fn robust_z(value: f64, middle: f64, spread: f64, floor: f64) -> f64 {
    // `max` drops a NaN on either side.
    let spread = spread.max(floor);
    let z = (value - middle) / spread;
    if spread > 0.0 && z.is_finite() { z } else { 0.0 }
}

/// What is usual, by values seen before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// How many values it rests on.
    pub count: usize,
    /// Their median.
    pub median: f64,
    /// Their median absolute deviation, scaled to a standard deviation; 0 where they never varied.
    pub spread: f64,
}

impl Baseline {
    /// The baseline of these values; `None` where none of them is a finite number.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let median = median(values.iter().copied())?;
        let spread = mad(values.iter().copied(), median)?;
        let count = values.iter().filter(|value| value.is_finite()).count();
        Some(Self { count, median, spread })
    }

    /// [`robust_z`] of a value against this baseline.
    #[must_use]
    pub fn z(&self, value: f64, floor: f64) -> f64 {
        robust_z(value, self.median, self.spread, floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_and_what_is_no_number_have_no_middle() {
        assert_eq!(median([]), None);
        assert_eq!(median([f64::NAN, f64::INFINITY]), None);
        assert_eq!(mad([f64::NAN], 1.0), None);
        assert_eq!(mad([1.0], f64::NAN), None);
        assert_eq!(Baseline::of(&[]), None);
        assert_eq!(median([f64::NAN, 3.0]), Some(3.0));
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert_eq!(median([4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median([f64::MAX, f64::MAX]), Some(f64::MAX));
    }

    #[test]
    fn one_wild_value_moves_neither_middle_nor_spread() {
        let calm = Baseline::of(&[9.0, 10.0, 11.0, 10.0, 9.0, 11.0, 10.0]).unwrap();
        let wild = Baseline::of(&[9.0, 10.0, 1e30, 10.0, 9.0, 11.0, 10.0]).unwrap();
        assert_eq!(calm, wild);
        assert!((calm.spread - MAD_TO_SIGMA).abs() < 1e-12);
    }

    #[test]
    fn a_spread_of_zero_is_replaced_by_the_floor() {
        assert_eq!(robust_z(13.0, 12.0, 0.0, 0.5), 2.0);
        assert_eq!(robust_z(13.0, 12.0, 0.0, 0.0), 0.0);
        assert_eq!(robust_z(13.0, 12.0, f64::NAN, 0.5), 2.0);
        assert_eq!(robust_z(f64::NAN, 12.0, 1.0, 0.5), 0.0);
    }

    proptest! {
        #[test]
        fn the_order_of_values_does_not_matter(
            (values, shuffled) in prop::collection::vec(-1e9..1e9_f64, 0..40)
                .prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle()))
        ) {
            prop_assert_eq!(Baseline::of(&values), Baseline::of(&shuffled));
        }

        #[test]
        fn no_number_makes_it_panic(values in prop::collection::vec(any::<f64>(), 0..40), value: f64, floor: f64) {
            if let Some(baseline) = Baseline::of(&values) {
                prop_assert!(baseline.z(value, floor).is_finite());
            }
        }
    }
}
