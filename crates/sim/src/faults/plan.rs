//! What a fault plan says.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::drift::Drift;
use crate::answer::Ask;
use crate::path::Path;

/// Which requests are answered wrongly, and how.
#[derive(Debug, Clone)]
pub struct FaultPlan {
    /// Decides, with a rule's place and the number of its matching request, what a probability comes to.
    pub(super) seed: u64,
    pub(super) rules: Vec<Rule>,
}

impl FaultPlan {
    /// The seed of a plan that names none.
    pub(super) const USUAL_SEED: u64 = 1;

    /// The longest delay; longer ones are cut to it.
    pub const MAX_DELAY: Duration = Duration::from_secs(600);

    /// How many rules it has; a plan without any is none.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }
}

impl Default for FaultPlan {
    /// No faults.
    fn default() -> Self {
        Self { seed: Self::USUAL_SEED, rules: Vec::new() }
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) path: Path,
    /// Parameters that a request has to have, decoded.
    pub(super) query: Vec<(String, String)>,
    /// Matching requests that are let through first.
    pub(super) from: u64,
    /// How often it fires at most.
    pub(super) times: Option<u64>,
    pub(super) probability: f64,
    pub(super) effect: Effect,
    /// As it was sent, for showing.
    pub(super) text: serde_json::Map<String, Value>,
}

impl Rule {
    pub(super) fn matches(&self, ask: &Ask) -> bool {
        let path = self.path.matches(&ask.path);
        path && self.query.iter().all(|(name, value)| ask.parameter(name) == Some(value))
    }
}

/// What happens to an answer.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    /// Another status; without a body what the vendor would say.
    Status { status: StatusCode, headers: HeaderMap, body: Option<String> },
    /// The right answer, late.
    Delay(Duration),
    /// So many bytes of the right body, then nothing more.
    Truncate(usize),
    /// Nothing at all.
    Reset,
    /// A web page.
    Html,
    /// The right body with one text in place of another.
    Replace { find: String, with: String },
    /// An array without elements.
    Empty,
    /// The right rows, but as after a change at the vendor.
    Drift(Drift),
}

impl Effect {
    /// The field of a rule that asks for it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Delay(_) => "delay_ms",
            Self::Truncate(_) => "truncate_bytes",
            Self::Reset => "reset",
            Self::Html => "html",
            Self::Replace { .. } => "replace",
            Self::Empty => "empty",
            Self::Drift(_) => "drift",
        }
    }
}
