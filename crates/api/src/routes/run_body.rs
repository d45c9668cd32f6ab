//! A run as readers see it.

use kasparro_domain::{Run, RunError, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// One attempt to move one source forward. `received` is the sum of the six counts behind it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub(crate) struct RunBody {
    /// Its id.
    run_id: String,
    /// The source.
    source: String,
    /// `queued`, `running`, `success`, `partial`, `failed` or `abandoned`.
    status: &'static str,
    /// `schedule`, `manual`, `replay` or `retry`.
    reason: &'static str,
    /// Rows that arrived.
    received: u64,
    /// Rows that brought a new listing.
    inserted: u64,
    /// Rows that brought newer or corrected values.
    updated: u64,
    /// Rows that said what was known.
    unchanged: u64,
    /// Rows older than the current quote, kept as history.
    stale: u64,
    /// Rows that repeated a listing and instant.
    duplicate: u64,
    /// Rows that were not believed, kept in quarantine.
    quarantined: u64,
    /// Pages landed.
    pages: u64,
    /// Requests sent, retries included.
    requests: u64,
    /// Milliseconds from start to end.
    duration_ms: Option<u64>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it began.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
    /// Why it ended early.
    error: Option<RunErrorBody>,
}

/// Why a run ended early.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RunError)]
pub(crate) struct RunErrorBody {
    /// A stable code.
    code: String,
    /// What happened.
    message: String,
    /// What to do about it.
    hint: String,
}

impl From<&RunError> for RunErrorBody {
    fn from(error: &RunError) -> Self {
        let RunError { code, message, hint } = error.clone();
        Self { code, message, hint }
    }
}

impl From<&Run> for RunBody {
    fn from(run: &Run) -> Self {
        Self {
            run_id: run.run_id.to_string(),
            source: run.source.to_string(),
            status: run.status.name(),
            reason: run.reason.name(),
            received: run.counts.received,
            inserted: run.counts.inserted,
            updated: run.counts.updated,
            unchanged: run.counts.unchanged,
            stale: run.counts.stale,
            duplicate: run.counts.duplicate,
            quarantined: run.counts.quarantined,
            pages: run.pages,
            requests: run.requests,
            duration_ms: run.duration_ms(),
            created_at: run.created_at,
            started_at: run.started_at,
            completed_at: run.completed_at,
            error: run.error.as_ref().map(RunErrorBody::from),
        }
    }
}
