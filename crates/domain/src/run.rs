//! One attempt to move one source forward.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{RunId, SourceName, Timestamp};

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Asked for, not begun.
    Queued,
    /// Under way.
    Running,
    /// Everything that was asked for was loaded; rows may be quarantined.
    Success,
    /// Some pages were loaded, then something failed.
    Partial,
    /// Nothing was loaded.
    Failed,
    /// Its process ended before it did.
    Abandoned,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Success, Self::Partial, Self::Failed, Self::Abandoned];

    /// The status as users see it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// True while a run has not ended.
    #[must_use]
    pub const fn open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a run was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunReason {
    /// The schedule said so.
    Schedule,
    /// Somebody asked for it.
    Manual,
    /// Landed pages are read again.
    Replay,
    /// Quarantined rows are read again.
    Retry,
}

impl RunReason {
    /// The reason as users see it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
            Self::Replay => "replay",
            Self::Retry => "retry",
        }
    }

    /// The reason with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Schedule, Self::Manual, Self::Replay, Self::Retry]
            .into_iter()
            .find(|reason| reason.name() == name)
    }
}

/// What became of the rows of a page, a batch or a run.
///
/// `received` is always the sum of the other six; stores enforce it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct RunCounts {
    /// Rows that arrived.
    pub received: u64,
    /// Rows that brought a new listing.
    pub inserted: u64,
    /// Rows that brought newer values, or corrected known ones.
    pub updated: u64,
    /// Rows that said what was known.
    pub unchanged: u64,
    /// Rows older than the current quote, kept as history.
    pub stale: u64,
    /// Rows that repeated a listing and instant within one run, merged.
    pub duplicate: u64,
    /// Rows that were not believed, kept in quarantine.
    pub quarantined: u64,
}

impl RunCounts {
    /// True when every received row has exactly one disposition (invariant I1).
    #[must_use]
    pub const fn balanced(&self) -> bool {
        self.received
            == self.inserted
                + self.updated
                + self.unchanged
                + self.stale
                + self.duplicate
                + self.quarantined
    }

    /// Adds the counts of another batch.
    pub const fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.stale += other.stale;
        self.duplicate += other.duplicate;
        self.quarantined += other.quarantined;
    }
}

/// Why a run ended early: what happened, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunError {
    /// A stable code, for example `connect_failed`.
    pub code: String,
    /// What happened, in one sentence, without secrets.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// One attempt to move one source forward, with its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub run_id: RunId,
    /// The source it moved.
    pub source: SourceName,
    /// How it stands.
    pub status: RunStatus,
    /// Why it was started.
    pub reason: RunReason,
    /// What became of its rows.
    #[serde(flatten)]
    pub counts: RunCounts,
    /// Pages landed.
    pub pages: u64,
    /// Requests sent, retries included.
    pub requests: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Why it ended early.
    pub error: Option<RunError>,
}

impl Run {
    /// Milliseconds from start to end, where both are known.
    #[must_use]
    pub fn duration_ms(&self) -> Option<u64> {
        let elapsed = self.completed_at?.since(self.started_at?);
        u64::try_from(elapsed.as_millis()).ok()
    }
}
