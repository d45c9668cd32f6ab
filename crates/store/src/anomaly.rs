//! What is unusual, as people look at it.

use compact_str::CompactString;
use kasparro_domain::{RunId, SourceName, ValueAnomalyKind};

/// Something unusual about the values of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowAnomaly {
    /// What is unusual.
    pub kind: ValueAnomalyKind,
    /// The value as it was sent.
    pub value: String,
    /// What would not have been unusual, in words.
    pub expected: String,
}

/// What anomalies are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnomalyAbout {
    /// Values of listings.
    Values,
    /// Runs.
    Runs,
}

/// Which anomalies to list, newest first; the default is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnomalyFilter {
    /// Only of these sources; any where there are none.
    pub sources: Vec<SourceName>,
    /// Only about these.
    pub about: Option<AnomalyAbout>,
    /// Only of the kind with this name.
    pub kind: Option<String>,
    /// Only about this listing, by the source's own id.
    pub external_id: Option<CompactString>,
    /// Only about this run.
    pub run_id: Option<RunId>,
    /// At most so many.
    pub limit: Option<u32>,
    /// Leave out the first so many.
    pub offset: u64,
}

impl AnomalyFilter {
    /// True when the kind asked for, if any, is one of values.
    #[must_use]
    pub fn asks_for(&self, kind: ValueAnomalyKind) -> bool {
        self.kind.as_deref().is_none_or(|name| name == kind.name())
    }
}
