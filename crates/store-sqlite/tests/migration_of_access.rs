//! What the sixth migration makes of a store of the fifth version: everything stays, nobody has a key, and
//! nothing was asked.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "common/keys.rs"]
mod keys;
#[path = "common/old_versions.rs"]
mod old_versions;

use std::path::PathBuf;
use std::sync::Arc;

use kasparro_domain::{CommandId, ManualClock, Timestamp};
use kasparro_store::{
    CommandStore, IdentityStore, KeyStore, QuarantineStore, ReadStore, SharedUsage, Submitted,
    UsageStore,
};
use kasparro_store_sqlite::SqliteStore;
use keys::{key, kinds, minute, once, usage};
use old_versions::{ROWS, TO_THIRD, columns, digests, migrate, third_version};
use rusqlite::Connection;
use tempfile::TempDir;

const V4: &str = include_str!("../migrations/V4__watchfulness.sql");
const V5: &str = include_str!("../migrations/V5__one_asset.sql");

/// XXH3-64 of V5 as it was released.
const V5_HASH: u64 = 11_652_994_100_079_407_232;

/// What the fourth and the fifth version added, such as they would have written it.
const NEW_ROWS: &str = r#"
    UPDATE quote SET unusual = 1;
    UPDATE generation SET value = 2, evidence_version = 4;
    UPDATE evidence SET kind = 'coin';
    INSERT INTO drift_profile VALUES (1, 'tickers', '{}');
    INSERT INTO drift VALUES (7, 1, 'tickers', 'type_changed', '/a', 'number', 'string', 'info', 1, 2, 90,
        '', '[]', 1, 0, 1500, 1500, 1, 'accepted');
    INSERT INTO anomaly VALUES (1, 1, 'price_jump', 1, 1400, 1, NULL, '9', '1', 1500);
    INSERT INTO budget VALUES (1, 'day', 3, '{}');
    INSERT INTO alert VALUES (2, 1, '00000000-0000-0000-0000-000000000001', 'x', 'm', 'h', 1500, 0, NULL,
        NULL);
    INSERT INTO evidence_past VALUES (1, '', '', 1300, 'XBT', NULL, NULL, NULL);
    INSERT INTO identity VALUES (1, 1, 'coin', 'single', NULL, '[]'), (2, 2, 'other', 'unresolved', NULL, '[]');
    INSERT INTO asset_edge VALUES (2, 'wrapped_of', 1, 'its name says so');
    INSERT INTO resolution VALUES (2, 4, 'identity/1', 1700, 2, 2, 0, 0, 0, x'01');
    INSERT INTO decision (decision_id, kind, source_id, page_rows, who, why, decided_at, after_page, pairs)
        VALUES (45, 'unlink', 1, '[]', 'ada', 'two chains', 1900, 2,
            '[[{"source":"coinpaprika","external_id":"btc"},{"source":"coinpaprika","external_id":"eth"}]]');
"#;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::EPOCH))
}

/// A store of the fifth version, which was one of the third before.
fn fifth_version() -> (TempDir, PathBuf) {
    let (folder, path) = third_version(ROWS);
    let mut connection = Connection::open(&path).unwrap();
    let [first, second, third] = TO_THIRD;
    migrate(&mut connection, &[first, second, third, ("watchfulness", V4), ("one_asset", V5)]);
    connection.execute_batch(NEW_ROWS).unwrap();
    (folder, path)
}

#[test]
fn the_fifth_migration_is_as_it_was_released() {
    assert_eq!(xxhash_rust::xxh3::xxh3_64(V5.as_bytes()), V5_HASH);
}

#[tokio::test]
async fn every_table_of_the_fifth_version_has_the_same_digest_afterwards() {
    let (_folder, path) = fifth_version();
    let tables = columns(&path);
    let before = digests(&path, &tables);
    assert_eq!(before.len(), 29, "{before:?}");
    assert!(before.values().all(|(rows, _)| *rows > 0), "{before:?}");
    let store = SqliteStore::open(&path, clock()).unwrap();
    assert_eq!(store.ping().await.unwrap().schema_version, 6);
    drop(store);
    assert_eq!(digests(&path, &tables), before);
}

#[tokio::test]
async fn what_was_decided_is_read_as_before() {
    let (_folder, path) = fifth_version();
    let store = SqliteStore::open(&path, clock()).unwrap();
    let decisions = store.decisions().await.unwrap();
    assert_eq!(decisions.last().unwrap().pairs.len(), 1);
    assert_eq!(store.resolutions(9).await.unwrap().len(), 1);
    let position = store.identity_position().await.unwrap();
    assert_eq!((position.generation.0, position.evidence_version), (2, 4));
}

#[tokio::test]
async fn nobody_has_a_key_and_the_first_request_is_the_first() {
    let (_folder, path) = fifth_version();
    let store = SqliteStore::open(&path, clock()).unwrap();
    assert_eq!(store.keys().await, Ok(Vec::new()));
    let nothing = SharedUsage { now: Timestamp::EPOCH, used: Vec::new() };
    assert_eq!(store.share_usage(Vec::new(), Timestamp::EPOCH).await, Ok(nothing));

    assert_eq!(store.add_first_key(key("aaaaaaaa", 0)).await, Ok(true));
    let shared = store.share_usage(vec![usage("one", 0, 1)], minute(0)).await.unwrap();
    assert_eq!(shared.used, [usage("one", 0, 1)]);
    let kinds = kinds(&["coinpaprika"]);
    let submitted = store.submit_once(once("a"), kinds, minute(0), minute(-1)).await.unwrap();
    assert_eq!(submitted, Submitted::New(vec![CommandId(2)]), "behind the command of before");
}
