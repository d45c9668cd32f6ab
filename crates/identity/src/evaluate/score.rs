//! Counts, and the shares that come of them.

use serde::Serialize;

/// What became of a set of listings whose truth is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Score {
    /// Linked to what they are.
    pub tp: usize,
    /// Linked to something else, whether what they are is in the other list or not.
    pub fp: usize,
    /// Not linked, though what they are is in the other list.
    #[serde(rename = "fn")]
    pub missed: usize,
    /// Not linked because the evidence did not suffice, rather than because nothing fits; those whose
    /// counterpart is there are counted in `fn` as well.
    pub abstained: usize,
    /// `tp / (tp + fp)`, absent where nothing was linked.
    pub precision: Option<f64>,
    /// `tp / (tp + fn)`, absent where that is 0 / 0.
    pub recall: Option<f64>,
    /// The harmonic mean of the two, absent where one is.
    pub f1: Option<f64>,
    /// All listings of this set.
    pub scored: usize,
    /// Those whose counterpart is in the other list.
    pub present: usize,
    /// Where the precision lies with 95 % confidence (Wilson's interval).
    pub precision_95: Option<[f64; 2]>,
    /// Where the recall lies with 95 % confidence (Wilson's interval).
    pub recall_95: Option<[f64; 2]>,
}

/// What became of one listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Right,
    Wrong,
    /// Not linked; true where that was on doubt.
    Alone(bool),
}

impl Score {
    /// The counts of both, as if their listings had been scored together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            tp: self.tp + other.tp,
            fp: self.fp + other.fp,
            missed: self.missed + other.missed,
            abstained: self.abstained + other.abstained,
            scored: self.scored + other.scored,
            present: self.present + other.present,
            ..Self::default()
        }
        .with_shares()
    }

    pub(super) fn add(&mut self, fate: Fate, present: bool) {
        self.scored += 1;
        self.present += usize::from(present);
        match fate {
            Fate::Right => self.tp += 1,
            Fate::Wrong => self.fp += 1,
            Fate::Alone(on_doubt) => {
                self.missed += usize::from(present);
                self.abstained += usize::from(on_doubt);
            }
        }
    }

    pub(super) fn with_shares(self) -> Self {
        let (linked, sought) = (self.tp + self.fp, self.tp + self.missed);
        let (precision, recall) = (share(self.tp, linked), share(self.tp, sought));
        let f1 = precision.zip(recall).map(|(precision, recall)| {
            let sum = precision + recall;
            if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 }
        });
        Self {
            precision,
            recall,
            f1,
            precision_95: wilson(self.tp, linked),
            recall_95: wilson(self.tp, sought),
            ..self
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of listings, far below 2^52")]
const fn real(number: usize) -> f64 {
    number as f64
}

pub(super) fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| real(part) / real(whole))
}

/// Wilson's score interval at 95 %, which holds also for few pairs and for shares near 1.
pub(super) fn wilson(part: usize, whole: usize) -> Option<[f64; 2]> {
    const Z: f64 = 1.959_963_984_540_054;
    let share = share(part, whole)?;
    let n = real(whole);
    let z2 = Z * Z / n;
    let middle = share + z2 / 2.0;
    let half = Z * ((share * (1.0 - share) + z2 / 4.0) / n).sqrt();
    let bound = |bound: f64| (bound / (1.0 + z2)).clamp(0.0, 1.0);
    // None and all are bounds themselves, which rounding would miss by a hair.
    let low = if part == 0 { 0.0 } else { bound(middle - half) };
    let high = if part == whole { 1.0 } else { bound(middle + half) };
    Some([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_that_of_the_books() {
        // 81 of 263, a textbook example: 0.2553 to 0.3662.
        let [low, high] = wilson(81, 263).unwrap();
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
        let [low, high] = wilson(20, 20).unwrap();
        assert!((low - 0.8389).abs() < 5e-5, "{low}");
        assert!(high.to_bits() == 1.0_f64.to_bits(), "{high}");
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn shares_of_nothing_are_unknown_and_not_nought() {
        let score = Score::default().with_shares();
        assert_eq!((score.precision, score.recall, score.f1), (None, None, None));
        let mut missed = Score::default();
        missed.add(Fate::Alone(true), true);
        let missed = missed.with_shares();
        assert_eq!((missed.missed, missed.abstained), (1, 1));
        assert_eq!((missed.precision, missed.recall, missed.f1), (None, Some(0.0), None));
    }
}
