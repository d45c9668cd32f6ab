//! The budget against upstreams whose limits it does not know, in simulated time.

mod learning;
mod month;
mod rules;
mod told;
mod upstream;
mod windows;
mod world;

use std::time::Duration;

use kasparro_domain::Timestamp;
use kasparro_extract::{Cost, Counted, ErrorClass, LimitWindow, Limits};

use super::*;

/// Midnight of 2026-01-01, in milliseconds.
pub(super) const START_MS: i64 = 1_767_225_600_000;
pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const DAY_MS: i64 = 24 * 3600 * 1000;

/// An instant so many milliseconds after the start.
pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(START_MS + ms).unwrap()
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn window(span_ms: u64, limit: u32, counted: Counted) -> LimitWindow {
    LimitWindow { name: "window", span: Duration::from_millis(span_ms), limit, counted }
}

pub(super) const FIRST: Ask = Ask { cost: Cost::ONE, attempt: 1 };

pub(super) fn failed(class: ErrorClass) -> Outcome {
    Outcome { class: Some(class), ..Outcome::default() }
}

pub(super) fn refused(retry_after: Option<Duration>) -> Outcome {
    Outcome { retry_after, ..failed(ErrorClass::RateLimited) }
}

/// Leave, or a panic that says what was answered.
pub(super) fn granted(turn: Turn) -> Ticket {
    match turn {
        Turn::Go(ticket) => ticket,
        other => panic!("expected leave, got {other:?}"),
    }
}

/// The same budget after it was stored and read again, by a version that knows more.
pub(super) fn stored(budget: &Budget) -> Budget {
    let mut state = serde_json::to_value(budget).unwrap();
    state["of_a_later_version"] = true.into();
    serde_json::from_value(serde_json::from_str(&state.to_string()).unwrap()).unwrap()
}
