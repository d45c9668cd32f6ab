//! What readers get from a store.

use compact_str::CompactString;
use kasparro_domain::{
    AssetClass, AssetId, Attributes, Checkpoint, Contract, DriftMode, IdentityState, ListingId,
    NewAlert, Quote, RejectionReason, Run, RunAnomaly, RunError, RunStatus, SourceName, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A listing with its current quote, as the read model takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingRow {
    /// The listing.
    pub listing_id: ListingId,
    /// The asset it belongs to.
    pub asset_id: AssetId,
    /// The asset that it founded: the same, unless it was found to be another listing's asset.
    pub founded_asset_id: AssetId,
    /// What sort of thing it is.
    pub class: AssetClass,
    /// How far it is decided what it is.
    pub identity: IdentityState,
    /// The source.
    pub source: SourceName,
    /// The source's id.
    pub external_id: CompactString,
    /// What the source calls it.
    pub attributes: Attributes,
    /// The contracts that its lists state, sorted, each once.
    pub contracts: Vec<Contract>,
    /// False once the source no longer lists it: it was missing from three complete sweeps in a row, or
    /// a list says so.
    pub active: bool,
    /// When the source listed it last; given only for a listing that is missing from its sweeps.
    pub last_seen_at: Option<Timestamp>,
    /// The current values; absent for a listing known only from a list.
    pub quote: Option<Quote>,
    /// The instant the values hold for.
    pub observed_at: Option<Timestamp>,
    /// True when the source gave the instant.
    pub source_timed: bool,
    /// When the values were fetched.
    pub fetched_at: Option<Timestamp>,
    /// True when something is unusual about the values.
    pub unusual: bool,
    /// When the listing was first fetched.
    pub first_seen_at: Timestamp,
}

/// Which runs to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Only of these sources; any where there are none.
    pub sources: Vec<SourceName>,
    /// Only in this status.
    pub status: Option<RunStatus>,
    /// At most so many.
    pub limit: u32,
    /// Leave out the first so many.
    pub offset: u64,
}

/// How a run moves on. Row and page counters are moved by commits and landings, never here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunUpdate {
    /// It began.
    Started {
        /// When.
        at: Timestamp,
        /// The options of its source, secrets left out (JSON object): replay reads its pages with them.
        options: serde_json::Value,
    },
    /// It ended.
    Ended {
        /// When.
        at: Timestamp,
        /// How.
        status: RunStatus,
        /// Requests it sent, retries included.
        requests: u64,
        /// Why it ended early.
        error: Option<RunError>,
        /// What else there is to say of it.
        findings: Findings,
    },
}

/// What the end of a run brings to light.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// What is unusual about the run, each kind at most once.
    pub anomalies: Vec<RunAnomaly>,
    /// What operators should hear of.
    pub alerts: Vec<NewAlert>,
    /// True when alerts are to be sent; otherwise they are only kept.
    pub send_alerts: bool,
}

/// Totals and latest runs of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSummary {
    /// The source.
    pub source: SourceName,
    /// Runs of every status.
    pub total_runs: u64,
    /// Runs that ended `success`.
    pub successful_runs: u64,
    /// Runs that ended in any way.
    pub ended_runs: u64,
    /// Rows received over all runs.
    pub rows_received: u64,
    /// Listings stored.
    pub listings: u64,
    /// The newest run.
    pub last_run: Option<Run>,
    /// The newest run that ended `success`.
    pub last_success: Option<Run>,
    /// The newest run that ended `partial`, `failed` or `abandoned`.
    pub last_failure: Option<Run>,
    /// How far the source came.
    pub checkpoint: Option<Checkpoint>,
}

/// Quarantined rows of one source and reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineCount {
    /// The source.
    pub source: SourceName,
    /// Why.
    pub reason: RejectionReason,
    /// How many.
    pub rows: u64,
}

/// What the engine shows others about a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// The source.
    pub source: SourceName,
    /// False when the configuration switches it off.
    pub enabled: bool,
    /// How often it runs, in words: `every 1h` or a cron expression.
    pub schedule: String,
    /// When it runs next.
    pub next_run_at: Option<Timestamp>,
    /// Age in seconds from which its quotes count as stale.
    pub stale_after_seconds: u64,
    /// What it does about pages that have drifted.
    #[serde(default)]
    pub drift_mode: DriftMode,
    /// What is left of its upstreams' limits, one object for each key (JSON array), as the engine shows it.
    #[serde(default)]
    pub budgets: Vec<Value>,
}

/// What a store says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// `sqlite`, `memory`.
    pub kind: &'static str,
    /// Version of its schema.
    pub schema_version: u32,
}
