//! What the API may do about keys, usage and requests with one effect.

use kasparro_store::{
    CommandStore, KeyEnd, KeyStore, LeaseStore, NewKey, StoreResult, Submitted, UsageStore,
};
use kasparro_store_postgres::PostgresStore;

use super::common::access::{ask, key, once, run, usage};
use super::common::{LEASE, at, source};
use super::{may_not, open, url, with_roles};

#[tokio::test]
async fn the_api_keeps_keys_counts_requests_and_answers_once() {
    let (server, database) = with_roles().await;
    let api = open(&server, &database, "the_api").await;
    ask(&api).await;
    assert!(!api.add_first_key(key("cccccccc", 9)).await.unwrap());
    let keys = api.keys().await.unwrap();
    assert_eq!(
        (keys.len(), keys[0].expires_at, keys[1].last_used_at),
        (2, Some(at(20)), Some(at(7)))
    );
    assert!(api.end_key("bbbbbbbb", KeyEnd::Revoked(at(8))).await.unwrap());
    let counted = api.share_usage(vec![usage("one", 1, 2)], at(0)).await.unwrap();
    assert_eq!(counted.used.len(), 2);
    api.forget_usage(at(1)).await.unwrap();
    assert_eq!(api.share_usage(Vec::new(), at(0)).await.unwrap().used.len(), 1);
    // Names that are forgotten are taken anew, and those of others go.
    for name in ["first", "second"] {
        let submitted = api.submit_once(once(name, 1), vec![run(3)], at(90), at(80)).await;
        assert!(matches!(submitted, Ok(Submitted::New(_))), "{submitted:?}");
    }
    let worker = open(&server, &database, "the_worker").await;
    let epoch = worker.acquire(&source(), "the worker", LEASE).await.unwrap();
    assert_eq!(worker.claim_held(&[(source(), epoch)], &[]).await.unwrap().len(), 4);
    may_not(
        &url(&server, &database, "the_api"),
        &[
            "UPDATE api_key SET key_id = 'dddddddd'",
            "UPDATE api_key SET name = 'another'",
            "UPDATE api_key SET scope = 'admin'",
            "UPDATE api_key SET hmac = sha256('')",
            "UPDATE api_key SET requests = NULL",
            "UPDATE api_key SET created_at = now()",
            "DELETE FROM api_key",
            "TRUNCATE api_key",
            "UPDATE request_usage SET client = 'another'",
            "UPDATE request_usage SET slot_at = now()",
            "TRUNCATE request_usage",
            "UPDATE once SET caller = 'another'",
            "UPDATE once SET name = 'another'",
            "TRUNCATE once",
            "ALTER TABLE once DROP COLUMN asked",
        ],
    )
    .await;
}

/// Each right by itself: without it, what it was given for is refused.
#[tokio::test]
async fn no_right_about_keys_and_requests_is_given_for_nothing() {
    let (server, database) = with_roles().await;
    let api = open(&server, &database, "the_api").await;
    let rights = include_str!("../../src/roles/api.sql").lines();
    let rights = rights.filter(|line| {
        ["api_key", "request_usage", "once"].iter().any(|table| line.contains(table))
    });
    let mut tried = 0;
    for right in rights.filter(|line| line.starts_with("GRANT")) {
        let (given, tables) = right.split_once(" ON ").unwrap();
        let (given, tables) =
            (given.strip_prefix("GRANT ").unwrap(), tables.split(" TO ").next().unwrap());
        for table in tables.split(", ") {
            let table = table.replace("{schema}", "kasparro");
            let columns = given.split_once(" (").map(|(_, columns)| columns.trim_end_matches(')'));
            let what = given.split(' ').next().unwrap();
            let single: Vec<String> = match columns {
                Some(columns) => {
                    columns.split(", ").map(|column| format!("{what} ({column})")).collect()
                }
                None => vec![what.to_owned()],
            };
            for one in single {
                database.sql(&format!("REVOKE {one} ON {table} FROM kasparro_api")).await;
                let refused = try_to_ask(&api).await.unwrap_err();
                assert!(refused.to_string().contains("lacks a right"), "{one} {table}: {refused}");
                database.sql(&format!("GRANT {one} ON {table} TO kasparro_api")).await;
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 3 + 3 + 1 + 4 + 2, "every right was taken away once");
    try_to_ask(&api).await.unwrap();
}

/// Everything that the API does about keys, usage and requests with one effect.
async fn try_to_ask(api: &PostgresStore) -> StoreResult<()> {
    let number = api.keys().await?.len();
    let (key_id, next) = (format!("{number:08}"), format!("{:08}", number + 1));
    api.add_key(NewKey { key: key(&key_id, 0), replaces: None }).await?;
    let replaces = Some((key_id.clone(), at(20)));
    api.add_key(NewKey { key: key(&next, 1), replaces }).await?;
    api.note_key_uses(vec![(next, at(7))]).await?;
    api.end_key(&key_id, KeyEnd::Revoked(at(8))).await?;
    api.share_usage(vec![usage("one", 1, 2)], at(0)).await?;
    api.share_usage(vec![usage("one", 1, 2)], at(0)).await?;
    api.forget_usage(at(2)).await?;
    api.submit_once(once("first", 1), vec![run(1)], at(1), at(0)).await?;
    api.submit_once(once("first", 1), vec![run(1)], at(3), at(2)).await?;
    api.submit_once(once("second", 1), Vec::new(), at(5), at(4)).await?;
    Ok(())
}
