//! What stores hand to an audit, and what it hands back.

use compact_str::CompactString;
use kasparro_domain::{
    BodyHash, Evidence, ListingId, PageId, RawPage, Rejection, RunError, SourceName, Timestamp,
};
use serde::Serialize;

use crate::{QuarantineStatus, StoreResult};

/// One table in canonical text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDump {
    /// The name of the table.
    pub name: &'static str,
    /// True when the table belongs to the digest of a store; false for what differs between stores
    /// that hold the same data: runs, batches, commands, leases, instants of fetching.
    pub digested: bool,
    /// One JSON array per row, sorted.
    pub rows: Vec<String>,
}

/// What the digest covers of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableAudit {
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 of its canonical text, one row a line, as hex.
    pub digest: String,
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which, for example `I1`.
    pub invariant: &'static str,
    /// Where, and what was found.
    pub detail: String,
}

impl Violation {
    /// Something that the database itself finds wrong.
    #[must_use]
    pub const fn integrity(detail: String) -> Self {
        Self { invariant: "integrity", detail }
    }
}

/// Reads chunk number n (from 0) of a compressed body; `None` past the end.
pub type BodyChunks<'a> = dyn FnMut(u32) -> StoreResult<Option<Vec<u8>>> + 'a;

/// Where something stored came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// XXH3-64 of the row's bytes.
    pub raw_hash: u64,
    /// The row's place on its page.
    pub ordinal: u64,
}

/// A fetch as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRecord {
    /// The page.
    pub page: RawPage,
    /// Why it was refused.
    pub error: Option<RunError>,
}

/// A statement of a list as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceRecord {
    /// The source.
    pub source: SourceName,
    /// The listing it is about.
    pub listing_id: ListingId,
    /// The endpoint that states it.
    pub endpoint: CompactString,
    /// What it says.
    pub evidence: Evidence,
    /// When it was fetched first, whatever it said.
    pub first_seen_at: Timestamp,
    /// When what it says now was fetched first.
    pub fetched_at: Timestamp,
    /// XXH3-64 of what it says now.
    pub content_hash: u64,
    /// The place of the row that says so on its page.
    pub ordinal: u64,
}

/// A row in quarantine as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRecord {
    /// The source.
    pub source: SourceName,
    /// The page that brought the row first.
    pub page_id: PageId,
    /// What that page was asked for, as it is stored.
    pub request: serde_json::Value,
    /// The body the row stands in.
    pub body: BodyHash,
    /// Its place there.
    pub ordinal: u64,
    /// Why it was not believed.
    pub rejection: Rejection,
    /// The rule that refused it.
    pub rule: String,
    /// What became of it.
    pub status: QuarantineStatus,
}
