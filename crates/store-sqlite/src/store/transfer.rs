//! The store's part in a copy.

use async_trait::async_trait;
use kasparro_store::{Audit, Piece, StoreResult, TransferStore};
use tokio::sync::mpsc;

use super::SqliteStore;
use crate::queries::audit;
use crate::transfer;

/// More than any group takes, so that a copy has its transaction for itself.
const ALL_ROWS: usize = usize::MAX / 2;

#[async_trait]
impl TransferStore for SqliteStore {
    async fn export(&self, out: mpsc::Sender<Piece>, audit: Audit) -> StoreResult<Audit> {
        self.readers
            .read_large(move |connection| {
                transfer::export(connection, &out)?;
                // The target need not wait for what follows.
                drop(out);
                audit::audit(connection, audit)
            })
            .await
    }

    async fn import(&self, pieces: mpsc::Receiver<Piece>) -> StoreResult<()> {
        self.write(ALL_ROWS, move |connection, minted| transfer::import(connection, minted, pieces))
            .await
    }

    async fn is_empty(&self) -> StoreResult<bool> {
        self.readers.read(|connection| Ok(transfer::holds(connection)?.is_none())).await
    }
}
