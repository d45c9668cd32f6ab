//! What is kept of keys, of how much clients used, and of requests that are to have one effect.

use kasparro_domain::{ApiKey, CommandId, Timestamp};
use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

/// How a key comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEnd {
    /// It is taken back at this instant. A key that was taken back before stays as it was.
    Revoked(Timestamp),
    /// It is good until this instant at most; an earlier end that it has stays.
    Expires(Timestamp),
}

/// A new key, and what becomes of the one that it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The key as it is kept.
    pub key: ApiKey,
    /// The public id of the key that it replaces, and how long that one stays good: written with it.
    pub replaces: Option<(String, Timestamp)>,
}

/// Stands for everything that is kept of all keys but when they were used last: two readings of one store that
/// have the same mark have the same keys. What it is made of each store knows for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysMark(pub Vec<u8>);

impl KeysMark {
    /// The mark of keys that are in memory, in this order.
    #[must_use]
    pub fn of(keys: &[ApiKey]) -> Self {
        let mut hash = Xxh3::new();
        for key in keys {
            let ApiKey { key_id, name, scope, hmac, requests, .. } = key;
            let instants = (key.created_at, key.expires_at, key.revoked_at);
            let told = format!("{:?}", (key_id, name, scope, hmac, requests, instants));
            hash.update(told.as_bytes());
        }
        Self(hash.digest128().to_le_bytes().to_vec())
    }
}

/// How many requests a client made within a slot of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Whose they are: a name that tells nothing of the client, of at most 64 characters.
    pub client: String,
    /// When the slot began, in the time of the database.
    pub slot_at: Timestamp,
    /// How many.
    pub requests: u64,
}

/// What all processes together have counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedUsage {
    /// The time of the database.
    pub now: Timestamp,
    /// What was counted, by client and slot.
    pub used: Vec<Usage>,
}

/// A request that is to have one effect, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Who sends it: the public id of a key, or another name of the caller.
    pub caller: String,
    /// The text by which the caller knows the request again.
    pub name: String,
    /// SHA-256 of what is asked: method, path, body.
    pub asked: [u8; 32],
    /// What the answer is made from.
    pub answer: Value,
}

/// What became of commands that were handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// They are written, in this order.
    New(Vec<CommandId>),
    /// The same was handed in before: nothing was written. Its commands, and what its answer is made from.
    Before(Vec<CommandId>, Value),
    /// Something else was handed in under the same name: nothing was written.
    Other,
}
