//! What a plan of limits says.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Map, Value};

use crate::path::Path;

/// Limits of which a client learns only from refusals, or from headers where a rule sends them.
#[derive(Debug, Clone, Default)]
pub struct HiddenLimits {
    pub(super) rules: Vec<Rule>,
}

impl HiddenLimits {
    /// How many rules it has; limits without any are none.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }
}

/// One limit.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) path: Path,
    /// The keys that it holds for; `None` for all.
    pub(super) key: Option<KeyKind>,
    pub(super) window: Window,
    /// The most of what is counted in a window.
    pub(super) limit: u64,
    pub(super) counted: Counted,
    /// What a request weighs by its path; others weigh 1.
    pub(super) weights: Vec<(Path, u64)>,
    /// Whether refused requests use the limit up too.
    pub(super) counts_refused: bool,
    pub(super) headers: Vec<HeaderStyle>,
    pub(super) refusal: Refusal,
    /// As it was sent, for showing.
    pub(super) text: Map<String, Value>,
}

impl Rule {
    /// What a request for `path` uses up.
    pub(super) fn cost(&self, path: &str) -> u64 {
        if self.counted == Counted::Requests {
            return 1;
        }
        let fitting = self.weights.iter().filter(|(known, _)| known.matches(path));
        fitting.max_by_key(|(known, _)| known.start().len()).map_or(1, |(_, weight)| *weight)
    }
}

/// What stands for who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// No key.
    Keyless,
    /// `CoinGecko`'s demo key.
    Demo,
    /// Any other key.
    Pro,
}

/// The time in which a limit holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Window {
    /// Any span of this length.
    Sliding(Duration),
    /// Spans of this length, one after the other since the Unix epoch.
    Fixed(Duration),
    /// A calendar month in UTC.
    Month,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    Requests,
    Weight,
}

/// Headers that state a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderStyle {
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset` in Unix seconds.
    XRateLimit,
    /// The same, with `-Reset` in seconds from now.
    XRateLimitDelta,
    /// `RateLimit-Policy` and `RateLimit` of the IETF's draft.
    RateLimit,
    /// `X-MBX-USED-WEIGHT-1M`.
    UsedWeight,
}

/// What a client is told that went over the limit.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// `None`: what the vendor would send.
    pub(super) status: Option<StatusCode>,
    pub(super) retry_after: RetryAfter,
    /// The seconds to wait that it tells; `None`: until there is room.
    pub(super) wait_s: Option<u64>,
    /// `None`: what the vendor would say.
    pub(super) body: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryAfter {
    None,
    Seconds,
    Date,
}
