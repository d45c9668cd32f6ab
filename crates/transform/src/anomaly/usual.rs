//! What is usual for the runs of one source.

use kasparro_domain::{Run, RunReason, RunStatus};

use super::robust::Baseline;
use super::text::{percent_of, short};

/// The fewest comparable runs that anything is called unusual against.
pub const MIN_RUNS: usize = 5;

/// How many earlier runs are looked at, the latest ones: five days of hourly runs, four months of daily
/// ones. It holds several runs that bring the daily lists besides the prices.
pub const BASELINE_RUNS: usize = 120;

/// How many spreads from the median a run must lie to be unusual. With [`Usual::limit`] healthy sources
/// stay silent over 30 simulated days of hourly runs, which 4 did not achieve.
const SPREADS: f64 = 6.0;

/// Few runs know little: with this many the limit is twice as wide, with ten times as many a tenth wider.
const WIDENED_BELOW: f64 = 5.0;

/// How much of a value's distance from the median an earlier run must have had to count as like it.
const LIKE: f64 = 0.9;

/// The least spread of a count of rows, as a share of the median: lists grow and shrink.
const ROWS_SPREAD: f64 = 0.03;

/// The least spread of the logarithm of a duration: 15 %, what a network adds on a quiet day.
const DURATION_SPREAD: f64 = 0.15;

/// The least spread of the share of rejected rows: one percentage point.
const REJECTS_SPREAD: f64 = 0.01;

/// True for a run that asks its source for what is new. Retries and replays read what is there.
pub(super) fn ordinary(run: &Run) -> bool {
    matches!(run.reason, RunReason::Schedule | RunReason::Manual)
}

/// The earlier runs that `this` may be compared with, newest first: ordinary and ended, whatever
/// became of them.
pub(super) fn earlier<'a>(history: &'a [Run], this: &Run) -> Vec<&'a Run> {
    history
        .iter()
        .filter(|run| run.run_id != this.run_id && ordinary(run) && !run.status.open())
        .filter(|run| run.created_at <= this.created_at)
        .take(BASELINE_RUNS)
        .collect()
}

/// The earlier runs that brought what they were asked for.
pub(super) fn fruitful<'a>(earlier: &[&'a Run]) -> Vec<&'a Run> {
    let fruitful = |run: &&&Run| run.status == RunStatus::Success && run.counts.received > 0;
    earlier.iter().filter(fruitful).copied().collect()
}

/// On which side of the usual a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Low,
    High,
}

/// The usual values of one property of a source's runs.
pub(super) struct Usual {
    values: Vec<f64>,
    baseline: Baseline,
    floor: f64,
}

impl Usual {
    fn of(values: Vec<f64>, floor: impl Fn(&Baseline) -> f64) -> Option<Self> {
        let baseline = Baseline::of(&values).filter(|baseline| baseline.count >= MIN_RUNS)?;
        Some(Self { floor: floor(&baseline), values, baseline })
    }

    /// A usual count of rows, pages or requests; `None` where too few runs are known.
    pub(super) fn counts(values: impl Iterator<Item = u64>) -> Option<Self> {
        let values = values.map(|count| count as f64).collect();
        Self::of(values, |baseline| (baseline.median * ROWS_SPREAD).max(1.0))
    }

    /// A usual duration, as a logarithm: durations have a long tail.
    pub(super) fn durations(logs: impl Iterator<Item = f64>) -> Option<Self> {
        Self::of(logs.collect(), |_| DURATION_SPREAD)
    }

    /// A usual share of rejected rows, for a run of `rows`: chance alone spreads a share of few rows more.
    pub(super) fn shares(values: impl Iterator<Item = f64>, rows: u64) -> Option<Self> {
        let rows = rows.max(1) as f64;
        Self::of(values.collect(), |baseline| {
            let share = baseline.median.clamp(1.0 / rows, 1.0);
            (share * (1.0 - share) / rows).sqrt().max(REJECTS_SPREAD)
        })
    }

    pub(super) const fn median(&self) -> f64 {
        self.baseline.median
    }

    /// How many spreads from the median are still usual.
    fn limit(&self) -> f64 {
        SPREADS * (1.0 + WIDENED_BELOW / self.baseline.count as f64)
    }

    /// The side on which a value is unusual: further out than the limit, and with fewer earlier runs like it
    /// than `known`. A source that brings its lists once a day has two kinds of usual runs.
    pub(super) fn unusual(&self, value: f64, known: impl Fn(Side) -> usize) -> Option<Side> {
        let z = self.baseline.z(value, self.floor);
        let side = if z > 0.0 { Side::High } else { Side::Low };
        let away = (value - self.baseline.median) * LIKE;
        let like = self.values.iter().filter(|seen| {
            let seen = **seen - self.baseline.median;
            if side == Side::High { seen >= away } else { seen <= away }
        });
        (z.abs() > self.limit() && like.count() < known(side)).then_some(side)
    }

    fn spread(&self) -> f64 {
        self.baseline.spread.max(self.floor)
    }

    pub(super) fn in_counts(&self, noun: &str) -> String {
        format!("median {} {noun}, spread {}", short(self.median()), short(self.spread()))
    }

    pub(super) fn in_seconds(&self) -> String {
        let (seconds, spread) = (self.median().exp() / 1000.0, percent_of(self.spread().exp()));
        format!("median {seconds:.1} s, spread {spread}")
    }

    pub(super) fn in_percent(&self) -> String {
        let (share, spread) = (percent_of(1.0 + self.median()), percent_of(1.0 + self.spread()));
        format!("median {share}, spread {spread}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::samples::{failed, run, steady};

    fn once(_: Side) -> usize {
        1
    }

    #[test]
    fn fewer_than_five_runs_know_nothing() {
        assert!(Usual::counts([12; 4].into_iter()).is_none());
        assert!(Usual::counts([12; 5].into_iter()).is_some());
    }

    #[test]
    fn a_spread_of_zero_does_not_make_one_row_unusual() {
        let usual = Usual::counts([12; 100].into_iter()).unwrap();
        assert_eq!(usual.in_counts("rows"), "median 12 rows, spread 1");
        for healthy in [10.0, 11.0, 13.0, 14.0] {
            assert_eq!(usual.unusual(healthy, once), None);
        }
        assert_eq!(usual.unusual(2.0, once), Some(Side::Low));
        assert_eq!(usual.unusual(30.0, once), Some(Side::High));
    }

    #[test]
    fn few_runs_allow_more_than_many() {
        let few = Usual::counts([1000; 5].into_iter()).unwrap();
        let many = Usual::counts([1000; 100].into_iter()).unwrap();
        assert_eq!(few.unusual(750.0, once), None);
        assert_eq!(many.unusual(750.0, once), Some(Side::Low));
    }

    #[test]
    fn what_was_seen_before_is_not_unusual() {
        let mut counts = vec![2_000; 47];
        counts.push(50_000);
        let usual = Usual::counts(counts.into_iter()).unwrap();
        assert_eq!(usual.unusual(50_100.0, once), None);
        assert_eq!(usual.unusual(90_000.0, once), Some(Side::High));
        assert_eq!(usual.unusual(50_100.0, |_| 2), Some(Side::High));
    }

    #[test]
    fn neither_itself_nor_open_nor_later_runs_nor_retries_are_earlier_runs() {
        let this = run(50, 10, 1000);
        let mut retry = run(49, 10, 1000);
        retry.reason = RunReason::Retry;
        let mut open = run(48, 10, 1000);
        open.status = RunStatus::Running;
        let history = [
            run(51, 10, 1000),
            this.clone(),
            retry,
            open,
            failed(run(47, 10, 1000)),
            run(46, 10, 1000),
        ];
        let found = earlier(&history, &this);
        assert_eq!(found, [&history[4], &history[5]]);
        assert_eq!(fruitful(&found), [&history[5]]);
        assert_eq!(earlier(&steady(500, 300, 10, 1000), &run(500, 10, 1000)).len(), BASELINE_RUNS);
    }
}
