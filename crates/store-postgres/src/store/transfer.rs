//! The store's part in a copy.

use async_trait::async_trait;
use kasparro_store::{Audit, Piece, StoreResult, TransferStore};
use tokio::sync::mpsc;

use super::PostgresStore;
use crate::transfer;

#[async_trait]
impl TransferStore for PostgresStore {
    async fn export(&self, out: mpsc::Sender<Piece>, audit: Audit) -> StoreResult<Audit> {
        let mut client = self.connection().await?;
        Ok(transfer::export(&mut client, out, audit).await?)
    }

    async fn import(&self, pieces: mpsc::Receiver<Piece>) -> StoreResult<()> {
        let mut client = self.connection().await?;
        let channel = self.settings.channel();
        let generation = transfer::import(&mut client, &channel, pieces).await?;
        self.announce(generation);
        Ok(())
    }

    async fn is_empty(&self) -> StoreResult<bool> {
        let client = self.connection().await?;
        Ok(transfer::holds(&client).await?.is_none())
    }
}
