//! Spreads the credits of a month over the month, and says how long they last.

use std::time::Duration;

use kasparro_domain::Timestamp;
use kasparro_extract::Limits;
use serde::Serialize;

use super::Budget;
use super::month::Month;

/// Runs whose cost is remembered.
const RUNS: usize = 3;

/// How long the credits of a month last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Forecast {
    /// Credits that are left in this month.
    pub(crate) credits_left: u64,
    /// When they are used up at this schedule; `None` where they last until the month's end.
    pub(crate) lasts_until: Option<Timestamp>,
    /// The shortest time between two runs with which they last until the month's end.
    #[serde(rename = "interval_affordable_seconds", serialize_with = "as_seconds")]
    pub(crate) interval_affordable: Duration,
}

impl Budget {
    /// Notes what an ordinary run cost, in credits. A run that also asked for lists is not ordinary.
    pub(crate) fn run_ended(&mut self, credits: u64) {
        self.runs.insert(0, credits);
        self.runs.truncate(RUNS);
    }

    /// The most that one of the latest ordinary runs cost, in credits; 1 where none is known.
    pub(crate) fn cost_of_run(&self) -> u64 {
        self.runs.iter().copied().max().unwrap_or(1).max(1)
    }

    /// When a run that is scheduled for `scheduled` may start, so that the credits of the month last
    /// until its end: never before `scheduled`. What is not spent lets later runs come sooner.
    pub(crate) fn next_start(
        &self,
        limits: &Limits,
        now: Timestamp,
        last_start: Timestamp,
        cost_of_run: u64,
        scheduled: Timestamp,
    ) -> Timestamp {
        let Some(credits) = limits.credits_per_month else { return scheduled };
        let month = self.month_at(now);
        let (left, cost) = (month.left(credits), cost_of_run.max(1));
        if left < cost {
            return scheduled.max(month.end());
        }
        let from = last_start.max(month.begin());
        let spread = share(month.end().since(from), cost, left);
        scheduled.max(last_start.plus(spread))
    }

    /// How long the credits of this month last where a run starts every `interval`; `None` where nothing
    /// limits them.
    pub(crate) fn forecast(
        &self,
        limits: &Limits,
        now: Timestamp,
        interval: Option<Duration>,
    ) -> Option<Forecast> {
        let month = self.month_at(now);
        let (left, cost) = (month.left(limits.credits_per_month?), self.cost_of_run());
        let rest = month.end().since(now);
        let lasts = interval.map(|interval| {
            let runs = u32::try_from(left / cost).unwrap_or(u32::MAX);
            now.plus(interval.saturating_mul(runs))
        });
        Some(Forecast {
            credits_left: left,
            lasts_until: lasts.filter(|until| *until < month.end()),
            interval_affordable: if left < cost { rest } else { share(rest, cost, left) },
        })
    }

    /// The month as it is at `now`.
    pub(super) fn month_at(&self, now: Timestamp) -> Month {
        let mut month = self.month.clone();
        month.roll(now);
        month
    }
}

/// `of` times `cost` through `left`, rounded up to a millisecond.
fn share(of: Duration, cost: u64, left: u64) -> Duration {
    let millis = of.as_millis().saturating_mul(u128::from(cost)).div_ceil(u128::from(left.max(1)));
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

fn as_seconds<S: serde::Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(value.as_secs())
}
