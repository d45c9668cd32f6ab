//! The exact bytes of one response.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{PageId, RunId, SourceName, Timestamp};

/// SHA-256 of a raw body as it was after transfer decoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyHash(pub [u8; 32]);

impl fmt::Display for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How far the rows of a landed page have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageState {
    /// Durable, its rows not all committed.
    Landed,
    /// Every row has its disposition.
    Loaded,
    /// Not believed as a whole: kept, with the reason, and not retried by itself.
    Refused,
}

impl PageState {
    /// The state as stores write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Landed => "landed",
            Self::Loaded => "loaded",
            Self::Refused => "refused",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Landed, Self::Loaded, Self::Refused].into_iter().find(|state| state.name() == name)
    }
}

/// One fetch and the body it brought: what replay reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPage {
    /// Its number, in landing order.
    pub page_id: PageId,
    /// The source that was asked.
    pub source: SourceName,
    /// The run that asked.
    pub run_id: RunId,
    /// The place of the page in its run, from 0.
    pub sequence: u64,
    /// The request without secrets, as the source describes it (JSON).
    pub request: serde_json::Value,
    /// What the source noted while surveying the body, for example a CSV header (JSON).
    pub context: serde_json::Value,
    /// HTTP status, absent for files.
    pub http_status: Option<u16>,
    /// The response headers that are kept (JSON object).
    pub headers: serde_json::Value,
    /// When the answer was complete.
    pub fetched_at: Timestamp,
    /// Which body it brought.
    pub body: BodyHash,
    /// Length of the body in bytes, before our compression.
    pub body_bytes: u64,
    /// How far its rows have come.
    pub state: PageState,
    /// Rows whose disposition is committed: a page taken up again after a crash starts behind them.
    pub rows_done: u64,
}
