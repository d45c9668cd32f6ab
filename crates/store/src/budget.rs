//! How much of an upstream's limits is spent, shared by every process.

use kasparro_domain::{SourceName, Timestamp};
use serde_json::Value;

/// The state of one budget.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredBudget {
    /// Counts the changes; 0 where nothing is stored.
    pub version: u64,
    /// What the engine wrote (JSON); null where nothing is stored.
    pub state: Value,
    /// The time of the database, where processes of several machines share it.
    pub now: Option<Timestamp>,
}

/// A stored budget with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBudget {
    /// The source whose upstream it is about.
    pub source: SourceName,
    /// Which upstream and key of the source.
    pub name: String,
    /// Its state.
    pub budget: StoredBudget,
}

/// How sending an alert went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertOutcome {
    /// It arrived.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// It did not arrive.
    Failed {
        /// When to try again; `None` gives it up.
        next_attempt_at: Option<Timestamp>,
    },
}
