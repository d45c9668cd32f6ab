//! What the fifth migration makes of a store of the fourth version: everything stays, and nothing is decided
//! about any listing.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "common/old_versions.rs"]
mod old_versions;

use std::path::PathBuf;
use std::sync::Arc;

use kasparro_domain::{
    AssetClass, DecisionId, DecisionKind, Generation, IdentityState, ListingKey, ManualClock,
    SourceName, Timestamp,
};
use kasparro_store::{
    IdentityDecision, IdentityPosition, IdentityStore, QuarantineStore, ReadStore,
};
use kasparro_store_sqlite::SqliteStore;
use old_versions::{ROWS, TO_THIRD, columns, digests, migrate, third_version};
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::mpsc;

const V4: &str = include_str!("../migrations/V4__watchfulness.sql");

/// XXH3-64 of V4 as it was released.
const V4_HASH: u64 = 16_531_698_435_319_040_930;

/// What the fourth version added, such as it would have written it.
const NEW_ROWS: &str = r#"
    UPDATE quote SET unusual = 1;
    INSERT INTO decision VALUES
        (41, 'reopen', 1, '[{"page_id":2,"ordinal":0}]', 'ada', '', 1900, 2,
            '00000000-0000-0000-0000-000000000002', '[]', 1),
        (42, 'accept_drift', 1, '[]', 'ada', 'fine', 1950, 2, NULL, '[{"endpoint":"tickers",
            "kind":"type_changed","pointer":"/a","before":"number","after":"string"}]', 0);
    UPDATE sqlite_sequence SET seq = 50 WHERE name = 'decision';
    INSERT INTO drift_profile VALUES (1, 'tickers', '{}');
    INSERT INTO drift VALUES (7, 1, 'tickers', 'type_changed', '/a', 'number', 'string', 'info', 1, 2, 90,
        '', '[]', 1, 0, 1500, 1500, 1, 'accepted');
    INSERT INTO anomaly VALUES (1, 1, 'price_jump', 1, 1400, 1, NULL, '9', '1', 1500);
    INSERT INTO budget VALUES (1, 'day', 3, '{}');
    INSERT INTO alert VALUES (2, 1, '00000000-0000-0000-0000-000000000001', 'x', 'm', 'h', 1500, 0, NULL,
        NULL);
"#;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::EPOCH))
}

/// A store of the fourth version, which was one of the third before.
fn fourth_version(rows: &str) -> (TempDir, PathBuf) {
    let (folder, path) = third_version(ROWS);
    let mut connection = Connection::open(&path).unwrap();
    let [first, second, third] = TO_THIRD;
    migrate(&mut connection, &[first, second, third, ("watchfulness", V4)]);
    connection.execute_batch(rows).unwrap();
    (folder, path)
}

#[test]
fn the_fourth_migration_is_as_it_was_released() {
    assert_eq!(xxhash_rust::xxh3::xxh3_64(V4.as_bytes()), V4_HASH);
}

#[tokio::test]
async fn every_table_of_the_fourth_version_has_the_same_digest_afterwards() {
    let (_folder, path) = fourth_version(NEW_ROWS);
    let tables = columns(&path);
    let before = digests(&path, &tables);
    assert_eq!(before.len(), 25, "{before:?}");
    assert!(before.values().all(|(rows, _)| *rows > 0), "{before:?}");
    let store = SqliteStore::open(&path, clock()).unwrap();
    assert_eq!(store.ping().await.unwrap().schema_version, 7);
    drop(store);
    assert_eq!(digests(&path, &tables), before);
}

#[tokio::test]
async fn every_listing_is_an_asset_of_its_own_that_nobody_looked_at() {
    let (_folder, path) = fourth_version(NEW_ROWS);
    let store = SqliteStore::open(&path, clock()).unwrap();
    let (pieces, mut sent) = mpsc::channel(8);
    store.changes(Generation(0), pieces).await.unwrap();
    let listings = sent.recv().await.unwrap();
    let seen: Vec<_> = listings.iter().map(|row| (row.asset_id, row.founded_asset_id)).collect();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|(asset, founded)| asset == founded), "{seen:?}");
    let undecided = (AssetClass::Other, IdentityState::Unresolved);
    assert!(listings.iter().all(|row| (row.class, row.identity) == undecided), "{listings:?}");
    assert!(listings[0].unusual);

    let position = store.identity_position().await.unwrap();
    let generation = Generation(1);
    assert_eq!(position, IdentityPosition { generation, ..IdentityPosition::default() });
    let (pieces, mut sent) = mpsc::channel(8);
    store.identity_input(Generation(0), pieces).await.unwrap();
    let inputs = sent.recv().await.unwrap();
    let [btc, eth] = inputs.as_slice() else { panic!("{inputs:?}") };
    assert_eq!((btc.quoted, btc.statements.len(), eth.quoted), (true, 0, false));
    let [stated] = eth.statements.as_slice() else { panic!("{eth:?}") };
    assert_eq!((stated.endpoint.as_str(), &stated.evidence.kind), ("coins", &None));
    assert_eq!(stated.evidence.external_id, "eth");
    assert!(btc.past.is_empty() && eth.past.is_empty());
    let of_paprika = SourceName::new("coinpaprika");
    let sighted = store.sightings(&of_paprika, Timestamp::EPOCH).await.unwrap();
    assert_eq!(sighted.len(), 1, "the loaded page, without the name of an endpoint: {sighted:?}");
}

#[tokio::test]
async fn people_go_on_deciding_with_the_next_number() {
    let (_folder, path) = fourth_version(NEW_ROWS);
    let store = SqliteStore::open(&path, clock()).unwrap();
    let before = store.decisions().await.unwrap();
    assert_eq!(before.len(), 4);
    assert!(before.iter().all(|one| one.pairs.is_empty()), "{before:?}");
    assert_eq!(before[3].drift.len(), 1);
    let key = |id| ListingKey::new("coinpaprika", id);
    let decision = IdentityDecision {
        kind: DecisionKind::Unlink,
        source: SourceName::new("coinpaprika"),
        pairs: vec![(key("btc"), key("eth"))],
        relation: None,
        who: "ada".to_owned(),
        why: "two chains".to_owned(),
        decided_at: Timestamp::EPOCH,
    };
    assert_eq!(store.decide_identity(decision).await.unwrap(), DecisionId(51));
    let after = store.decisions().await.unwrap();
    assert_eq!(after[..4], before);
    let direct = Connection::open(&path).unwrap();
    for statement in ["DELETE FROM decision", "UPDATE decision SET pairs = '[]'"] {
        assert!(direct.execute_batch(statement).is_err(), "{statement}");
    }
}

#[test]
fn a_decision_that_points_nowhere_leaves_the_fourth_version_as_it_was() {
    let gone =
        "INSERT INTO decision VALUES (60, 'discard', 99, '[]', '', '', 1, 1, NULL, '[]', 0);";
    let (_folder, path) = fourth_version(&format!("{NEW_ROWS}{gone}"));
    let tables = columns(&path);
    let before = digests(&path, &tables);
    assert!(SqliteStore::open(&path, clock()).is_err());
    assert_eq!((columns(&path), digests(&path, &tables)), (tables, before));
}
