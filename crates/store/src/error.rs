//! Errors of a store, whose type says what to do.

use kasparro_domain::SourceName;

/// The result of a store call.
pub type StoreResult<T> = Result<T, StoreError>;

/// Why a store call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the store: wait for it or ask it.
    #[error("the store is in use by another process: {holder}")]
    Locked {
        /// Who holds it: process id, since when, address.
        holder: String,
    },
    /// The store was written by a newer program: upgrade this one.
    #[error("the store has schema version {found}, this program knows {known}")]
    Newer {
        /// The version found.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// The database cannot be reached or written now; trying later may help.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
    /// Another process holds the source: wait, or ask that process.
    #[error("{source_name} is held by {holder} for another {left_ms} ms unless it holds on")]
    Held {
        /// The source.
        source_name: SourceName,
        /// Who holds it.
        holder: String,
        /// How long its lease still lasts, in milliseconds.
        left_ms: u64,
    },
    /// Somebody else took the source over: stop writing.
    #[error("{source_name}: epoch {epoch} is over, the source was taken over")]
    Fenced {
        /// The source.
        source_name: SourceName,
        /// The epoch that is over.
        epoch: u64,
    },
    /// The request contradicts what is stored: a defect of the caller.
    #[error("refused by the store: {0}")]
    Conflict(String),
    /// What is stored cannot be read: the store is damaged.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
}
