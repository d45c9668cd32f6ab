//! Stops asking an upstream that fails, and finds out with single probes when it is back.

use std::time::Duration;

use kasparro_domain::Timestamp;
use kasparro_extract::ErrorClass;
use serde::{Deserialize, Serialize};

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it stays open at first; each failed probe doubles it.
const FIRST_INTERVAL: Duration = Duration::from_secs(30);
/// How long it stays open at most.
const LONGEST_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// The breaker of one budget.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Breaker {
    /// Failures in a row.
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    /// The number of the newest request when it opened: later ones are probes.
    after: u64,
    /// When the next probe may go.
    until: Timestamp,
    interval_ms: u64,
}

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BreakerState {
    /// Requests go.
    Closed,
    /// None goes.
    Open,
    /// One goes, to find out.
    HalfOpen,
}

impl Breaker {
    pub(super) fn state(&self, now: Timestamp) -> BreakerState {
        match &self.open {
            None => BreakerState::Closed,
            Some(open) if now < open.until => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// Until when no request may go; `None` where one may.
    pub(super) fn shut_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.open.as_ref().map(|open| open.until).filter(|until| now < *until)
    }

    /// A request goes. Where it is a probe the next one waits for a whole interval, also if this one is
    /// never heard of again.
    pub(super) fn granted(&mut self, now: Timestamp) {
        if let Some(open) = &mut self.open {
            open.until = now.plus(Duration::from_millis(open.interval_ms));
        }
    }

    /// The request numbered `id` ended; `newest` is the number of the newest one.
    pub(super) fn answered(
        &mut self,
        id: u64,
        newest: u64,
        class: Option<ErrorClass>,
        now: Timestamp,
    ) {
        let open = match &mut self.open {
            // It was sent before the breaker opened and says nothing about the upstream of now.
            Some(open) if id <= open.after => return,
            open => open,
        };
        match (class, open) {
            (Some(ErrorClass::Transient), Some(open)) => {
                let interval = Duration::from_millis(open.interval_ms).saturating_mul(2);
                let interval = interval.min(LONGEST_INTERVAL);
                open.interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
                open.until = open.until.max(now.plus(interval));
            }
            (Some(ErrorClass::Transient), open @ None) => {
                self.failures += 1;
                if self.failures >= FAILURES {
                    *open = Some(Open {
                        after: newest,
                        until: now.plus(FIRST_INTERVAL),
                        interval_ms: u64::try_from(FIRST_INTERVAL.as_millis()).unwrap_or(u64::MAX),
                    });
                }
            }
            // It may be our own fault: no news about the upstream.
            (Some(ErrorClass::Other), _) => {}
            // It answered, if only to refuse.
            _ => *self = Self::default(),
        }
    }

    pub(super) fn shift_back(&mut self, step: Duration) {
        if let Some(open) = &mut self.open {
            open.until = open.until.minus(step);
        }
    }
}
