//! Moving a whole store into another one, whatever databases the two are in.
//!
//! The origin is read in one snapshot and may be written meanwhile; the target is written in one
//! transaction, so that a copy that fails leaves it as empty as it was. Numbers are kept, and the target
//! goes on behind the largest.

mod copy;
mod piece;
mod spec;
mod tables;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use tokio::sync::mpsc;

pub use copy::{Copied, CopyError, CopyProgress, copy};
pub use piece::{Arrival, Cell, PIECE_BYTES, Piece, Rows};
pub use spec::{CellKind, ColumnSpec, TableSpec};
pub use tables::{GENERATION, NOT_COPIED, TABLES};

use crate::{Audit, AuditStore, StoreError, StoreResult};

/// Sends everything that it keeps, and takes everything that another one keeps.
#[async_trait]
pub trait TransferStore: AuditStore {
    /// Sends every table of [`TABLES`] and then [`Piece::End`], and hands the same to `audit`, all read in
    /// one snapshot. Memory does not grow with the tables.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] also when the receiver goes away.
    async fn export(&self, out: mpsc::Sender<Piece>, audit: Audit) -> StoreResult<Audit>;

    /// Writes everything in one transaction, which ends after [`Piece::End`]. A sender that goes away
    /// before that leaves the store as it was.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the store holds anything.
    async fn import(&self, pieces: mpsc::Receiver<Piece>) -> StoreResult<()>;

    /// True where nothing was ever written.
    async fn is_empty(&self) -> StoreResult<bool>;
}

/// The error of an import into a store that holds rows of a table.
#[must_use]
pub fn not_empty(table: &str) -> StoreError {
    StoreError::Conflict(format!(
        "the target of a copy must be empty, and its table {table} holds rows; name another one"
    ))
}

/// The error of an export whose receiver went away.
#[must_use]
pub fn receiver_gone() -> StoreError {
    StoreError::Unavailable("the target of the copy went away".to_owned())
}
