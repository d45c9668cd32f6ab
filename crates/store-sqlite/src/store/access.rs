//! The traits of who may ask, and of how much was asked.

use async_trait::async_trait;
use kasparro_domain::{ApiKey, Timestamp};
use kasparro_store::{
    KeyEnd, KeyStore, KeysMark, NewKey, SharedUsage, StoreResult, Usage, UsageStore,
};

use super::SqliteStore;
use crate::queries::{keys, usage};

/// More than any group takes, so that what is counted has its transaction for itself: a batch behind it in
/// the same one would stand in a savepoint, and take twice as long.
const ALONE: usize = usize::MAX / 2;

/// Keys are also made and ended by people beside the process that holds the store.
#[async_trait]
impl KeyStore for SqliteStore {
    async fn keys(&self) -> StoreResult<Vec<ApiKey>> {
        self.readers.read(keys::all).await
    }

    async fn keys_since(
        &self,
        known: Option<KeysMark>,
    ) -> StoreResult<Option<(KeysMark, Vec<ApiKey>)>> {
        self.readers.read(move |connection| keys::since(connection, known.as_ref())).await
    }

    async fn add_key(&self, key: NewKey) -> StoreResult<()> {
        self.add(move |connection| keys::add(connection, &key)).await
    }

    async fn add_first_key(&self, key: ApiKey) -> StoreResult<bool> {
        self.add(move |connection| keys::add_first(connection, &key)).await
    }

    async fn end_key(&self, key_id: &str, end: KeyEnd) -> StoreResult<bool> {
        let key_id = key_id.to_owned();
        self.add(move |connection| keys::end(connection, &key_id, end)).await
    }

    async fn note_key_uses(&self, uses: Vec<(String, Timestamp)>) -> StoreResult<()> {
        self.add(move |connection| keys::note_uses(connection, &uses)).await
    }
}

/// Only the process that holds the store answers clients, so only it counts them.
#[async_trait]
impl UsageStore for SqliteStore {
    async fn share_usage(&self, used: Vec<Usage>, since: Timestamp) -> StoreResult<SharedUsage> {
        let used = if used.is_empty() {
            self.readers.read(move |connection| usage::of_all(connection, since)).await?
        } else {
            self.write(ALONE, move |connection, _| usage::share(connection, &used, since)).await?
        };
        Ok(SharedUsage { now: self.clock.now(), used })
    }

    async fn forget_usage(&self, before: Timestamp) -> StoreResult<()> {
        self.write(ALONE, move |connection, _| usage::forget(connection, before)).await
    }
}
