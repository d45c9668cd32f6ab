//! Keys, usage and requests with one effect of the in-memory store.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use async_trait::async_trait;
use kasparro_domain::{ApiKey, CommandId, CommandKind, Timestamp};
use serde_json::Value;

use super::tables::Tables;
use super::{MemoryStore, add_command, refused};
use crate::{
    KeyEnd, KeyStore, KeysMark, NewKey, Once, SharedUsage, StoreResult, Submitted, Usage,
    UsageStore,
};

/// What is kept of those who ask.
#[derive(Debug, Clone, Default)]
pub(super) struct Access {
    /// By public id.
    keys: BTreeMap<String, ApiKey>,
    /// Requests by beginning of the slot and client.
    usage: BTreeMap<(Timestamp, String), u64>,
    /// By caller and name.
    once: BTreeMap<(String, String), Done>,
}

/// What was handed in under a name.
#[derive(Debug, Clone)]
struct Done {
    asked: [u8; 32],
    commands: Vec<CommandId>,
    answer: Value,
    created_at: Timestamp,
}

/// Hands commands in, unless the caller used the name before.
pub(super) fn submit_once(
    tables: &mut Tables,
    once: Once,
    kinds: Vec<CommandKind>,
    now: Timestamp,
    forget_before: Timestamp,
) -> Submitted {
    tables.access.once.retain(|_, done| done.created_at >= forget_before);
    let name = (once.caller, once.name);
    if let Some(done) = tables.access.once.get(&name) {
        return if done.asked == once.asked {
            Submitted::Before(done.commands.clone(), done.answer.clone())
        } else {
            Submitted::Other
        };
    }
    let commands: Vec<_> = kinds.into_iter().map(|kind| add_command(tables, kind, now)).collect();
    let done = Done {
        asked: once.asked,
        commands: commands.clone(),
        answer: once.answer,
        created_at: now,
    };
    tables.access.once.insert(name, done);
    Submitted::New(commands)
}

#[async_trait]
impl KeyStore for MemoryStore {
    async fn keys(&self) -> StoreResult<Vec<ApiKey>> {
        let mut keys: Vec<_> = self.tables().access.keys.values().cloned().collect();
        keys.sort_by(|a, b| (a.created_at, &a.key_id).cmp(&(b.created_at, &b.key_id)));
        Ok(keys)
    }

    async fn keys_since(
        &self,
        known: Option<KeysMark>,
    ) -> StoreResult<Option<(KeysMark, Vec<ApiKey>)>> {
        let keys = self.keys().await?;
        let mark = KeysMark::of(&keys);
        Ok((known.as_ref() != Some(&mark)).then_some((mark, keys)))
    }

    async fn add_key(&self, NewKey { key, replaces }: NewKey) -> StoreResult<()> {
        let mut tables = self.tables();
        let keys = &mut tables.access.keys;
        if keys.contains_key(&key.key_id) {
            return refused(format!("key {} exists", key.key_id));
        }
        if let Some((replaced, good_until)) = replaces {
            match keys.get_mut(&replaced).filter(|known| known.good_at(key.created_at)) {
                Some(known) => end(known, KeyEnd::Expires(good_until)),
                None => {
                    return refused(format!("key {replaced} is not known or not good any more"));
                }
            }
        }
        keys.insert(key.key_id.clone(), key);
        Ok(())
    }

    async fn add_first_key(&self, key: ApiKey) -> StoreResult<bool> {
        let keys = &mut self.tables().access.keys;
        let first = keys.is_empty();
        if first {
            keys.insert(key.key_id.clone(), key);
        }
        Ok(first)
    }

    async fn end_key(&self, key_id: &str, ending: KeyEnd) -> StoreResult<bool> {
        let mut tables = self.tables();
        let known = tables.access.keys.get_mut(key_id);
        Ok(known.map(|known| end(known, ending)).is_some())
    }

    async fn note_key_uses(&self, uses: Vec<(String, Timestamp)>) -> StoreResult<()> {
        let mut tables = self.tables();
        for (key_id, used_at) in uses {
            if let Some(key) = tables.access.keys.get_mut(&key_id) {
                key.last_used_at = key.last_used_at.max(Some(used_at));
            }
        }
        Ok(())
    }
}

fn end(key: &mut ApiKey, end: KeyEnd) {
    match end {
        KeyEnd::Revoked(at) => {
            key.revoked_at.get_or_insert(at);
        }
        KeyEnd::Expires(at) => {
            key.expires_at = Some(key.expires_at.map_or(at, |before| before.min(at)));
        }
    }
}

#[async_trait]
impl UsageStore for MemoryStore {
    async fn share_usage(&self, used: Vec<Usage>, since: Timestamp) -> StoreResult<SharedUsage> {
        let now = self.clock.as_ref().map(|clock| clock.now()).unwrap_or_default();
        let mut tables = self.tables();
        let clients: Vec<_> = used.iter().map(|one| one.client.clone()).collect();
        for one in used {
            match tables.access.usage.entry((one.slot_at, one.client)) {
                Entry::Occupied(mut known) => {
                    *known.get_mut() = known.get().saturating_add(one.requests);
                }
                Entry::Vacant(free) => {
                    free.insert(one.requests);
                }
            }
        }
        let asked = |client: &String| clients.is_empty() || clients.contains(client);
        let used = tables.access.usage.iter();
        let used = used.filter(|((slot_at, client), _)| *slot_at >= since && asked(client)).map(
            |((slot_at, client), requests)| Usage {
                client: client.clone(),
                slot_at: *slot_at,
                requests: *requests,
            },
        );
        Ok(SharedUsage { now, used: used.collect() })
    }

    async fn forget_usage(&self, before: Timestamp) -> StoreResult<()> {
        self.tables().access.usage.retain(|(slot_at, _), _| *slot_at >= before);
        Ok(())
    }
}
