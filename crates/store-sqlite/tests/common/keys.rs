//! Keys, usage and requests with one effect to write.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use kasparro_domain::{ApiKey, CommandKind, RunId, Scope, SourceName, Timestamp};
use kasparro_store::{Once, Usage};
use serde_json::json;

pub(crate) fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + minutes * 60_000).unwrap()
}

pub(crate) fn key(key_id: &str, minutes: i64) -> ApiKey {
    ApiKey {
        key_id: key_id.to_owned(),
        name: format!("the key {key_id}"),
        scope: Scope::Operate,
        hmac: [9; 32],
        requests: Some(500),
        created_at: minute(minutes),
        expires_at: Some(minute(1_000)),
        revoked_at: None,
        last_used_at: None,
    }
}

pub(crate) fn usage(client: &str, minutes: i64, requests: u64) -> Usage {
    Usage { client: client.to_owned(), slot_at: minute(minutes), requests }
}

pub(crate) fn once(name: &str) -> Once {
    Once {
        caller: "aaaaaaaa".to_owned(),
        name: name.to_owned(),
        asked: [3; 32],
        answer: json!({"run": 1}),
    }
}

/// A run for each of these sources.
pub(crate) fn kinds(sources: &[&str]) -> Vec<CommandKind> {
    let run = |(&source, number): (&&str, u128)| CommandKind::Run {
        source: SourceName::new(source),
        run_id: RunId(uuid::Uuid::from_u128(number)),
        lists: false,
    };
    sources.iter().zip(1..).map(run).collect()
}
