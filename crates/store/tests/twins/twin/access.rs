use async_trait::async_trait;
use kasparro_domain::{ApiKey, Timestamp};
use kasparro_store::{
    KeyEnd, KeyStore, KeysMark, NewKey, SharedUsage, StoreResult, Usage, UsageStore,
};

use super::{Fault, Twin};

#[async_trait]
impl KeyStore for Twin {
    async fn keys(&self) -> StoreResult<Vec<ApiKey>> {
        self.inner.keys().await
    }

    async fn keys_since(
        &self,
        known: Option<KeysMark>,
    ) -> StoreResult<Option<(KeysMark, Vec<ApiKey>)>> {
        let keys = self.inner.keys().await?;
        let mark = match self.fault {
            // An end is no new key.
            Fault::MarksNewKeysAlone => KeysMark(vec![u8::try_from(keys.len()).unwrap_or(0)]),
            Fault::MarksUsesOfKeys => KeysMark(format!("{keys:?}").into_bytes()),
            _ => return self.inner.keys_since(known).await,
        };
        Ok((known.as_ref() != Some(&mark)).then_some((mark, keys)))
    }

    async fn add_key(&self, mut key: NewKey) -> StoreResult<()> {
        match self.fault {
            Fault::ForgetsTheEndOfKeys => key.key.expires_at = None,
            Fault::KeepsReplacedKeys => key.replaces = None,
            _ => {}
        }
        self.inner.add_key(key).await
    }

    async fn add_first_key(&self, key: ApiKey) -> StoreResult<bool> {
        if self.fault == Fault::MakesEveryKeyTheFirst {
            return self.inner.add_key(NewKey { key, replaces: None }).await.map(|()| true);
        }
        self.inner.add_first_key(key).await
    }

    async fn end_key(&self, key_id: &str, end: KeyEnd) -> StoreResult<bool> {
        let longer = matches!(end, KeyEnd::Expires(at) if self
            .inner
            .keys()
            .await?
            .iter()
            .any(|key| key.key_id == key_id && key.expires_at.is_some_and(|end| at < end)));
        if self.fault == Fault::PutsEndsOff && longer {
            return Ok(true);
        }
        self.inner.end_key(key_id, end).await
    }

    async fn note_key_uses(&self, mut uses: Vec<(String, Timestamp)>) -> StoreResult<()> {
        if self.fault == Fault::NotesOneUse {
            uses.truncate(1);
        }
        self.inner.note_key_uses(uses).await
    }
}

#[async_trait]
impl UsageStore for Twin {
    async fn share_usage(
        &self,
        mut used: Vec<Usage>,
        since: Timestamp,
    ) -> StoreResult<SharedUsage> {
        if self.fault == Fault::GrantsWithoutCounting {
            for one in &mut used {
                one.requests = 0;
            }
        }
        self.inner.share_usage(used, since).await
    }

    async fn forget_usage(&self, before: Timestamp) -> StoreResult<()> {
        if self.fault == Fault::ForgetsClients {
            let all = self.inner.share_usage(Vec::new(), before).await?.used;
            let last = all.iter().map(|one| one.slot_at).max().unwrap_or(before);
            return self.inner.forget_usage(last).await;
        }
        self.inner.forget_usage(before).await
    }
}
