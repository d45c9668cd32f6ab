//! A budget as it is shown.

use std::time::Duration;

use kasparro_domain::Timestamp;
use kasparro_extract::Limits;
use serde::Serialize;

use super::window::Window;
use super::{BreakerState, Budget, Forecast};

/// How a budget stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BudgetView {
    /// Its windows as they were configured, then the month as `month`.
    pub(crate) windows: Vec<WindowView>,
    /// How the breaker stands.
    pub(crate) breaker: BreakerState,
    /// Nothing is sent before; `None` where no pause lasts.
    pub(crate) not_before: Option<Timestamp>,
    /// Requests that were granted since the state began.
    pub(crate) requests_total: u64,
    /// Retries among the last hundred requests.
    pub(crate) retries_in_last_100: u32,
    /// How long the credits of the month last; `None` where nothing limits them.
    pub(crate) forecast: Option<Forecast>,
}

/// One window of a budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WindowView {
    /// Its name, for example `minute`.
    pub(crate) window: &'static str,
    /// The most that may be spent in it now, after what was learned.
    pub(crate) limit: u64,
    /// What is left of that.
    pub(crate) remaining: u64,
    /// When all of it is there again; `None` where it is now.
    pub(crate) resets_at: Option<Timestamp>,
}

impl Budget {
    /// How the breaker stands at `now`.
    pub(crate) fn breaker_state(&self, now: Timestamp) -> BreakerState {
        self.breaker.state(now)
    }

    /// Until when nothing is sent; `None` where no pause lasts.
    pub(crate) fn not_before(&mut self, limits: &Limits, now: Timestamp) -> Option<Timestamp> {
        self.settle(limits, now);
        self.pauses.not_before(now)
    }

    /// How the budget stands at `now`, with a forecast for runs that start every `interval`.
    pub(crate) fn view(
        &self,
        limits: &Limits,
        now: Timestamp,
        interval: Option<Duration>,
    ) -> BudgetView {
        let mut then = self.clone();
        then.settle(limits, now);
        let flights = &then.flights;
        let shown = |name, window: &Window| {
            let limit = u64::from(window.allowance(now));
            WindowView {
                window: name,
                limit,
                remaining: limit.saturating_sub(window.spent(flights, now)),
                resets_at: window.empty_at(flights, now),
            }
        };
        let windows = limits.windows.iter().filter_map(|of| {
            let window = then.windows.iter().find(|window| window.is(of))?;
            Some(shown(of.name, window))
        });
        let month = limits.credits_per_month.map(|configured| WindowView {
            window: "month",
            limit: then.month.limit(configured),
            remaining: then.month.left(configured),
            resets_at: Some(then.month.end()),
        });
        BudgetView {
            windows: windows.chain(month).collect(),
            breaker: then.breaker.state(now),
            not_before: then.pauses.not_before(now),
            requests_total: then.requests_total,
            retries_in_last_100: then.retries.in_last_hundred(),
            forecast: then.forecast(limits, now, interval),
        }
    }
}
