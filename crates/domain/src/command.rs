//! What one process asks of the process that holds the store.

use serde::{Deserialize, Serialize};

use crate::{
    AssetRelation, DecisionKind, DriftId, ListingKey, PageId, RunId, SourceName, Timestamp,
};

/// The number of a command row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(pub i64);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CommandKind {
    /// Run a source now. The run row exists as `queued` from the moment of asking.
    Run {
        /// The source to run.
        source: SourceName,
        /// The queued run.
        run_id: RunId,
        /// True to ask for every list as well, also for those that are not due.
        #[serde(default)]
        lists: bool,
    },
    /// Read quarantined rows of a source again.
    Retry {
        /// Their source.
        source: SourceName,
        /// Their numbers.
        rows: Vec<i64>,
        /// Who asks.
        who: String,
        /// Why.
        why: String,
    },
    /// Give quarantined rows of a source up.
    Discard {
        /// Their source.
        source: SourceName,
        /// Their numbers.
        rows: Vec<i64>,
        /// Who asks.
        who: String,
        /// Why.
        why: String,
    },
    /// Read a refused page of a source after all.
    RetryPage {
        /// Its source.
        source: SourceName,
        /// The page.
        page_id: PageId,
        /// True to read it whatever speaks against it.
        forced: bool,
        /// Who asks.
        who: String,
        /// Why.
        why: String,
    },
    /// Accept changes of an upstream.
    AcceptDrift {
        /// Their source.
        source: SourceName,
        /// Their numbers.
        drift: Vec<DriftId>,
        /// Who asks.
        who: String,
        /// Why.
        why: String,
    },
    /// Decide what pairs of listings are to each other.
    DecideIdentity {
        /// The source of the first listing.
        source: SourceName,
        /// What: one of the kinds that are about listings.
        decision: DecisionKind,
        /// The pairs, each sorted, all sorted.
        pairs: Vec<(ListingKey, ListingKey)>,
        /// How one listing of the only pair relates to the other, where that is decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        relation: Option<AssetRelation>,
        /// Who asks.
        who: String,
        /// Why.
        why: String,
    },
}

impl CommandKind {
    /// The source that it is about: who holds it carries the command out.
    #[must_use]
    pub const fn source(&self) -> &SourceName {
        match self {
            Self::Run { source, .. }
            | Self::Retry { source, .. }
            | Self::Discard { source, .. }
            | Self::RetryPage { source, .. }
            | Self::AcceptDrift { source, .. }
            | Self::DecideIdentity { source, .. } => source,
        }
    }
}

/// How a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Waiting for the holder of the store.
    Pending,
    /// Taken up; after a crash of the holder it is taken up again.
    Claimed,
    /// Carried out; the result is in the row.
    Done,
}

/// A command row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Its number.
    pub command_id: CommandId,
    /// What is asked.
    pub kind: CommandKind,
    /// How it stands.
    pub state: CommandState,
    /// The epoch under which it was taken up last; 0 before that, and where one process alone takes every
    /// command up.
    pub epoch: u64,
    /// When it was asked.
    pub created_at: Timestamp,
    /// The outcome, once done (JSON).
    pub result: Option<serde_json::Value>,
}
