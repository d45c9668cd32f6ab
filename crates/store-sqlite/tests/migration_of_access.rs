//! What the sixth migration makes of a store of the fifth version: everything stays, nobody has a key, and
//! nothing was asked.

#[path = "common/fifth_version.rs"]
mod fifth_version;
#[path = "common/keys.rs"]
mod keys;
#[path = "common/old_versions.rs"]
mod old_versions;

use std::sync::Arc;

use fifth_version::{V5, fifth_version};
use kasparro_domain::{CommandId, ManualClock, Timestamp};
use kasparro_store::{
    CommandStore, IdentityStore, KeyStore, QuarantineStore, ReadStore, SharedUsage, Submitted,
    UsageStore,
};
use kasparro_store_sqlite::SqliteStore;
use keys::{key, kinds, minute, once, usage};
use old_versions::{columns, digests};

/// XXH3-64 of V5 as it was released.
const V5_HASH: u64 = 11_652_994_100_079_407_232;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::EPOCH))
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
    assert_eq!(store.ping().await.unwrap().schema_version, 7);
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
