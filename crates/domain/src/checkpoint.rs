//! How far a source has come.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A source's position in its own terms, made durable together with the data it covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The position as the source wrote it; only the source reads it.
    pub position: serde_json::Value,
    /// When the page that it stands behind was fetched.
    pub moved_at: Timestamp,
}
