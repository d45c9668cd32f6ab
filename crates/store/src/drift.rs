//! Changes in what upstreams send, as people look at them.

use kasparro_domain::{DriftEvent, DriftKind, DriftSeverity, DriftStatus, SourceName};
use serde_json::Value;

/// What examining a page brought, committed with the page's last batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The endpoint whose rows the page holds.
    pub endpoint: String,
    /// What has changed since the pages before, each change once.
    pub drift: Vec<DriftEvent>,
    /// What is known of the endpoint from now on (JSON); only the engine reads it. `None` leaves it.
    pub profile: Option<Value>,
}

/// Which changes to list, by ascending number; the default is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DriftFilter {
    /// Only of these sources; any where there are none.
    pub sources: Vec<SourceName>,
    /// Only of this endpoint.
    pub endpoint: Option<String>,
    /// Only of this kind.
    pub kind: Option<DriftKind>,
    /// Only of this severity.
    pub severity: Option<DriftSeverity>,
    /// Only in this status.
    pub status: Option<DriftStatus>,
    /// Only with a greater number.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: Option<u32>,
    /// Leave out the first so many.
    pub offset: u64,
}
