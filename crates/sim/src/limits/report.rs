//! What became of requests under limits.

use std::collections::BTreeMap;

use kasparro_domain::Timestamp;
use serde::{Deserialize, Serialize};

/// What became of requests since the limits were set; `GET /_sim/limits` has the same members, and in
/// each rule the rule's own fields.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LimitsReport {
    /// One for each rule, in order.
    pub rules: Vec<LimitReport>,
    /// The last violations, oldest first, at most [`LimitsReport::MAX_VIOLATIONS`].
    pub violations: Vec<LimitViolation>,
    /// Earlier violations that are not kept.
    pub violations_dropped: u64,
}

impl LimitsReport {
    /// How many violations are kept.
    pub const MAX_VIOLATIONS: usize = 10_000;
}

/// What became of the requests that one rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LimitReport {
    /// Requests that every rule allowed.
    pub allowed: u64,
    /// Requests for which this rule had no room.
    pub refused: u64,
    /// Requests that came before the time had passed that this rule's last refusal told the same key to
    /// wait.
    pub before_retry_after: u64,
    /// When this rule had no room for the first time.
    pub first_refused_at: Option<Timestamp>,
    /// When this rule had no room for the last time.
    pub last_refused_at: Option<Timestamp>,
    /// The most of what is counted that any window held, over all keys.
    pub most_in_window: u64,
    /// What was used up in each calendar month (UTC, `2026-01`), in requests or weight as the rule counts.
    pub spent_by_month: BTreeMap<String, u64>,
}

/// One request that should not have come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitViolation {
    /// When it came, by the simulator's clock.
    pub at: Timestamp,
    /// The rule, from 0.
    pub rule: usize,
    /// What was wrong.
    pub kind: LimitViolationKind,
    /// The path asked for.
    pub path: String,
    /// The key's name in the ledger.
    pub key_id: Option<String>,
    /// Milliseconds since the refusal that told to wait; `None` for [`LimitViolationKind::OverLimit`].
    pub since_refusal_ms: Option<u64>,
}

/// What was wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitViolationKind {
    /// The rule had no room for it.
    OverLimit,
    /// It came before the time had passed that the last refusal told to wait.
    BeforeRetryAfter,
}
