//! Who holds a source.

use kasparro_domain::{SourceName, Timestamp};

/// The lease of a source, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The source.
    pub source: SourceName,
    /// Who took it last.
    pub holder: String,
    /// How often it was taken.
    pub epoch: u64,
    /// When it ends unless it is renewed, in the time of the database.
    pub expires_at: Timestamp,
    /// True when it had not ended when it was read.
    pub live: bool,
}
