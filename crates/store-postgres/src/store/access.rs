//! The store's traits about who may ask, and how much.

use async_trait::async_trait;
use kasparro_domain::{ApiKey, Timestamp};
use kasparro_store::{
    KeyEnd, KeyStore, KeysMark, NewKey, SharedUsage, StoreResult, Usage, UsageStore,
};

use super::traits::begin;
use super::{PostgresStore, finish};
use crate::queries::{keys, usage};

#[async_trait]
impl KeyStore for PostgresStore {
    async fn keys(&self) -> StoreResult<Vec<ApiKey>> {
        let client = self.connection().await?;
        Ok(keys::all(&client).await?)
    }

    async fn keys_since(
        &self,
        known: Option<KeysMark>,
    ) -> StoreResult<Option<(KeysMark, Vec<ApiKey>)>> {
        let client = self.connection().await?;
        Ok(keys::since(&client, known.as_ref()).await?)
    }

    async fn add_key(&self, key: NewKey) -> StoreResult<()> {
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        keys::add(&transaction, &key).await?;
        Ok(finish(transaction).await?)
    }

    async fn add_first_key(&self, key: ApiKey) -> StoreResult<bool> {
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        let added = keys::add_first(&transaction, &key).await?;
        finish(transaction).await?;
        Ok(added)
    }

    async fn end_key(&self, key_id: &str, end: KeyEnd) -> StoreResult<bool> {
        let client = self.connection().await?;
        Ok(keys::end(&client, key_id, end).await?)
    }

    async fn note_key_uses(&self, uses: Vec<(String, Timestamp)>) -> StoreResult<()> {
        let client = self.connection().await?;
        Ok(keys::note_uses(&client, uses).await?)
    }
}

#[async_trait]
impl UsageStore for PostgresStore {
    async fn share_usage(&self, used: Vec<Usage>, since: Timestamp) -> StoreResult<SharedUsage> {
        let client = self.connection().await?;
        Ok(usage::share(&client, used, since).await?)
    }

    async fn forget_usage(&self, before: Timestamp) -> StoreResult<()> {
        let client = self.connection().await?;
        Ok(usage::forget(&client, before).await?)
    }
}
