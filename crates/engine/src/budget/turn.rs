//! What is asked of a budget, and what it answers.

use std::time::Duration;

use kasparro_domain::Timestamp;
use kasparro_extract::{Cost, ErrorClass};

use super::Told;

/// A request that somebody would like to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    /// What it costs.
    pub(crate) cost: Cost,
    /// How often it was tried before, plus one: 1 for the first time.
    pub(crate) attempt: u32,
}

/// Leave to send one request, once, now. Its place is taken until [`super::Budget::answered`] moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// The number of the request, from 1.
    pub(super) id: u64,
    /// When it was granted.
    pub(super) sent_at: Timestamp,
    /// What it costs.
    pub(super) cost: Cost,
}

/// The answer to [`Ask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Send it now.
    Go(Ticket),
    /// Ask again then, not earlier; somebody else may have taken the place by that time.
    Wait {
        /// When to ask again.
        until: Timestamp,
        /// What is waited for.
        why: Why,
    },
    /// Do not send it.
    Never {
        /// Why not.
        why: Why,
        /// From when a new request may be asked for; `None` where that depends on something else than
        /// time.
        until: Option<Timestamp>,
    },
}

/// Why a request may not be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The window of this name is full.
    WindowFull(&'static str),
    /// The upstream said when to come back, or refused a request as one too many.
    RateLimited,
    /// The upstream says that the plan does not cover the request, or that its credits are used up.
    Plan,
    /// The upstream refused the key.
    KeyRefused,
    /// The credits of the month are spent.
    MonthSpent,
    /// The upstream failed too often in a row.
    BreakerOpen,
    /// The request was tried often enough.
    AttemptsSpent,
    /// Too many of the last hundred requests were retries.
    RetriesSpent,
    /// The request alone costs more than a window or a month holds.
    TooCostly,
}

impl Why {
    /// A stable code.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::WindowFull(_) => "window_full",
            Self::RateLimited => "rate_limited",
            Self::Plan => "plan",
            Self::KeyRefused => "key_refused",
            Self::MonthSpent => "month_spent",
            Self::BreakerOpen => "breaker_open",
            Self::AttemptsSpent => "attempts_spent",
            Self::RetriesSpent => "retries_spent",
            Self::TooCostly => "too_costly",
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// What went wrong; `None` where nothing did.
    pub(crate) class: Option<ErrorClass>,
    /// The delay that the upstream asked for (`Retry-After`), from the instant of the answer.
    pub(crate) retry_after: Option<Duration>,
    /// What the headers of the answer said about limits.
    pub(crate) told: Told,
    /// Added to a pause whose length is our own choice, so that many processes do not come back
    /// together.
    pub(crate) jitter: Duration,
}
