//! Raw pages on their way into a store.

use std::io::Read;

use kasparro_domain::{BodyHash, PageState, RunId, SourceName, Timestamp};

/// Length of the pieces in which a compressed body is kept, in bytes; only the last is shorter.
pub const CHUNK_BYTES: usize = 1 << 20;

/// A page that is about to be landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPage {
    /// The source that was asked.
    pub source: SourceName,
    /// The epoch under which it was asked.
    pub epoch: u64,
    /// The run that asked.
    pub run_id: RunId,
    /// The place of the page in its run, from 0.
    pub sequence: u64,
    /// The request without secrets (JSON).
    pub request: serde_json::Value,
    /// What the source noted while surveying the body (JSON).
    pub context: serde_json::Value,
    /// HTTP status, absent for files.
    pub http_status: Option<u16>,
    /// The response headers that are kept (JSON object).
    pub headers: serde_json::Value,
    /// When the answer was complete.
    pub fetched_at: Timestamp,
}

/// Which pages to list, by ascending number; the default is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageFilter {
    /// Only of these sources; any where there are none.
    pub sources: Vec<SourceName>,
    /// Only in this state.
    pub state: Option<PageState>,
    /// Only of this run.
    pub run_id: Option<RunId>,
    /// At most so many.
    pub limit: Option<u32>,
    /// Leave out the first so many.
    pub offset: u64,
}

/// That a person wants a refused page to be read after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reopening {
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
    /// True to read it whatever speaks against it.
    pub forced: bool,
    /// The run that reads it.
    pub run_id: RunId,
    /// When it was decided.
    pub decided_at: Timestamp,
}

/// A body compressed as one zstd frame, and what it was before.
pub struct CompressedBody {
    /// SHA-256 of the body before compression.
    pub hash: BodyHash,
    /// Length before compression, in bytes.
    pub body_bytes: u64,
    /// Reads the zstd frame from its start.
    pub frame: Box<dyn Read + Send>,
}

impl std::fmt::Debug for CompressedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompressedBody")
            .field("hash", &self.hash)
            .field("body_bytes", &self.body_bytes)
            .finish_non_exhaustive()
    }
}
