//! Pauses that the upstream asked for or that its answers call for.

use std::time::Duration;

use kasparro_domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::turn::{Turn, Why};

/// No upstream asks for a longer pause in earnest.
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(31 * 24 * 3600);
/// The pause in place of one that cannot be meant.
const NONSENSE_DELAY: Duration = Duration::from_secs(24 * 3600);
/// The pause after a plan was refused, unless the next month begins earlier.
const PLAN_PAUSE: Duration = Duration::from_secs(24 * 3600);
/// The pause after a key was refused, unless the configuration is changed.
const KEY_PAUSE: Duration = Duration::from_secs(3600);

/// Until when nothing is sent, by the reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pauses {
    rate_limited: Option<Timestamp>,
    plan: Option<Timestamp>,
    key: Option<Timestamp>,
}

impl Pauses {
    /// What to answer while a pause lasts.
    pub(super) fn turn(&self, now: Timestamp) -> Option<Turn> {
        let lasting = |until: Option<Timestamp>| until.filter(|until| now < *until);
        if let Some(until) = lasting(self.key) {
            return Some(Turn::Never { why: Why::KeyRefused, until: Some(until) });
        }
        if let Some(until) = lasting(self.plan) {
            return Some(Turn::Never { why: Why::Plan, until: Some(until) });
        }
        lasting(self.rate_limited).map(|until| Turn::Wait { until, why: Why::RateLimited })
    }

    /// Until when nothing is sent; `None` where no pause lasts.
    pub(super) fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        [self.key, self.plan, self.rate_limited].into_iter().flatten().max().filter(|at| now < *at)
    }

    /// The upstream asked for this delay.
    pub(super) fn asked_for(&mut self, delay: Duration, now: Timestamp) {
        let delay = if delay > LONGEST_DELAY { NONSENSE_DELAY } else { delay };
        self.rate_limited = self.rate_limited.max(Some(now.plus(delay)));
    }

    pub(super) fn plan_refused(&mut self, next_month: Timestamp, now: Timestamp) {
        self.plan = self.plan.max(Some(now.plus(PLAN_PAUSE).min(next_month)));
    }

    pub(super) fn key_refused(&mut self, now: Timestamp) {
        self.key = self.key.max(Some(now.plus(KEY_PAUSE)));
    }

    pub(super) fn settle(&mut self, now: Timestamp) {
        for pause in [&mut self.rate_limited, &mut self.plan, &mut self.key] {
            let _ = pause.take_if(|until| *until <= now);
        }
    }

    pub(super) fn shift_back(&mut self, step: Duration) {
        for until in [&mut self.rate_limited, &mut self.plan, &mut self.key].into_iter().flatten() {
            *until = until.minus(step);
        }
    }
}
