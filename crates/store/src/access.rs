//! What is kept of keys, of how much clients used, and of requests that are to have one effect.

use kasparro_domain::{ApiKey, CommandId, Timestamp};
use serde_json::Value;

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
