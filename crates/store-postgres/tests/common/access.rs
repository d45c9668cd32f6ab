//! Keys, usage, and requests that are to have one effect.

use kasparro_domain::{ApiKey, CommandKind, Scope};
use kasparro_store::{CommandStore, KeyStore, NewKey, Once, Submitted, Usage, UsageStore};
use kasparro_store_postgres::PostgresStore;
use serde_json::json;

use super::{at, run_id, source};

/// A key without an end.
pub(crate) fn key(key_id: &str, minutes: i64) -> ApiKey {
    ApiKey {
        key_id: key_id.to_owned(),
        name: format!("the key {key_id}"),
        scope: Scope::Operate,
        hmac: [7; 32],
        requests: Some(5_000),
        created_at: at(minutes),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

pub(crate) fn usage(client: &str, minutes: i64, requests: u64) -> Usage {
    Usage { client: client.to_owned(), slot_at: at(minutes), requests }
}

pub(crate) fn once(name: &str, asked: u8) -> Once {
    Once {
        caller: "aaaaaaaa".to_owned(),
        name: name.to_owned(),
        asked: [asked; 32],
        answer: json!({"asked": asked}),
    }
}

pub(crate) fn run(number: u128) -> CommandKind {
    CommandKind::Run { source: source(), run_id: run_id(number), lists: false }
}

/// Makes two keys of which one replaces the other and was used, counts a client in two slots, and hands in a
/// request with two commands.
pub(crate) async fn ask(store: &PostgresStore) {
    assert!(store.add_first_key(key("aaaaaaaa", 0)).await.unwrap());
    let replaces = Some(("aaaaaaaa".to_owned(), at(20)));
    store.add_key(NewKey { key: key("bbbbbbbb", 1), replaces }).await.unwrap();
    store.note_key_uses(vec![("bbbbbbbb".to_owned(), at(7))]).await.unwrap();
    let used = vec![usage("one", 0, 3), usage("one", 1, 4)];
    assert_eq!(store.share_usage(used, at(0)).await.unwrap().used.len(), 2);
    let kinds = vec![run(1), run(2)];
    let submitted = store.submit_once(once("first", 1), kinds, at(0), at(-60)).await.unwrap();
    assert!(matches!(submitted, Submitted::New(commands) if commands.len() == 2));
}
