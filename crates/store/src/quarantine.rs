//! Rows that were not believed, as people look at them.

use kasparro_domain::{BodyHash, PageId, RejectionReason, RunId, SourceName, Timestamp};
use serde::{Deserialize, Serialize};

/// What became of a quarantined row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineStatus {
    /// Nobody has decided.
    Open,
    /// It was read again and believed.
    Loaded,
    /// It was given up.
    Discarded,
}

impl QuarantineStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Open, Self::Loaded, Self::Discarded];

    /// The status as users see it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Loaded => "loaded",
            Self::Discarded => "discarded",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// One row in quarantine. A row is kept once, whenever the same request brings the same body; another
/// request that brings equal bytes has a row of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// Its number, in the order of arrival.
    pub quarantine_id: i64,
    /// The source.
    pub source: SourceName,
    /// The run that met it first.
    pub run_id: RunId,
    /// The page that brought it first.
    pub page_id: PageId,
    /// The body it stands in.
    pub body: BodyHash,
    /// Its place there, from 0.
    pub ordinal: u64,
    /// The source's id of the row, where it could be read.
    pub external_id: Option<String>,
    /// Why it was not believed.
    pub reason: RejectionReason,
    /// JSON pointer of the field, or the column name; empty for the whole row.
    pub field: String,
    /// The offending value as sent, cut to 200 characters.
    pub value: String,
    /// The rule that refused it, with its version.
    pub rule: String,
    /// What became of it.
    pub status: QuarantineStatus,
    /// When the page that brought it first was fetched.
    pub first_seen_at: Timestamp,
}

/// Which quarantined rows to list, by ascending number; the default is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuarantineFilter {
    /// Only of these sources; any where there are none.
    pub sources: Vec<SourceName>,
    /// Only with this reason.
    pub reason: Option<RejectionReason>,
    /// Only in this status.
    pub status: Option<QuarantineStatus>,
    /// Only of the pages of this run.
    pub run_id: Option<RunId>,
    /// Only with a greater number.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: Option<u32>,
    /// Leave out the first so many.
    pub offset: u64,
}
