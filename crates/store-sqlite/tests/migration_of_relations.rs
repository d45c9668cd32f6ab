//! What the seventh migration makes of a store of the sixth version: everything stays, nobody stated how
//! listings relate, and from then on people may.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "common/fifth_version.rs"]
mod fifth_version;
#[path = "common/old_versions.rs"]
mod old_versions;

use std::path::PathBuf;
use std::sync::Arc;

use fifth_version::{TO_FIFTH, fifth_version};
use kasparro_domain::{
    AssetRelation, DecisionId, DecisionKind, EdgeKind, EdgeTerms, ListingId, ListingKey,
    ManualClock, SourceName, Timestamp,
};
use kasparro_store::{IdentityDecision, IdentityStore, QuarantineStore, ReadStore, StoredEdge};
use kasparro_store_sqlite::SqliteStore;
use old_versions::{columns, digests, migrate};
use rusqlite::Connection;
use tempfile::TempDir;

const V6: &str = include_str!("../migrations/V6__trusted_api.sql");

/// XXH3-64 of V6 as it was released.
const V6_HASH: u64 = 13_171_832_550_851_590_042;

/// What the sixth version added, such as it would have written it.
const NEW_ROWS: &str = r#"
    INSERT INTO api_key VALUES ('0aZ9zA00', 'a dashboard', 'admin', zeroblob(32), NULL, 1000, NULL, NULL, 1500);
    INSERT INTO request_usage VALUES (60000, '0aZ9zA00', 7);
    INSERT INTO once VALUES ('0aZ9zA00', 'a', zeroblob(32), '[1]', '{"run" : 1}', 1000);
    UPDATE evidence SET same_as = '[]';
    INSERT INTO evidence_past VALUES (2, 'coins', '', 1300, 'ETH', NULL, NULL, NULL, '[]');
    INSERT INTO decision (decision_id, kind, source_id, page_rows, who, why, decided_at, after_page, run_id,
            drift, forced, pairs) VALUES
        (46, 'reopen', 1, '[{"page_id":2,"ordinal":0}]', 'ada', '', 1900, 2,
            '00000000-0000-0000-0000-000000000002', '[]', 1, '[]'),
        (47, 'accept_drift', 1, '[]', 'ada', 'fine', 1950, 2, NULL, '[{"endpoint":"tickers",
            "kind":"type_changed","pointer":"/a","before":"number","after":"string"}]', 0, '[]');
    -- As after a copy that brought numbers beyond its rows.
    UPDATE sqlite_sequence SET seq = 60 WHERE name = 'decision';
"#;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::EPOCH))
}

/// A store of the sixth version, which was one of the fifth before.
fn sixth_version(rows: &str) -> (TempDir, PathBuf) {
    let (folder, path) = fifth_version();
    let mut connection = Connection::open(&path).unwrap();
    let mut to_sixth = TO_FIFTH.to_vec();
    to_sixth.push(("trusted_api", V6));
    migrate(&mut connection, &to_sixth);
    connection.execute_batch(rows).unwrap();
    (folder, path)
}

fn key(external_id: &str) -> ListingKey {
    ListingKey::new("coinpaprika", external_id)
}

/// That one listing was renamed into another, with everything that can be known of it.
fn renamed() -> IdentityDecision {
    let relation = AssetRelation {
        from: key("eth"),
        kind: EdgeKind::MigratedTo,
        to: key("btc"),
        terms: EdgeTerms {
            ratio: EdgeTerms::read_ratio("0.00000000123456789012345678901").ok(),
            effective_on: EdgeTerms::read_day("2024-02-29").ok(),
        },
    };
    assert!(relation.terms.ratio.is_some() && relation.terms.effective_on.is_some());
    IdentityDecision {
        kind: DecisionKind::Relate,
        source: SourceName::new("coinpaprika"),
        pairs: vec![relation.pair()],
        relation: Some(relation),
        who: "ada".to_owned(),
        why: "a new chain".to_owned(),
        decided_at: Timestamp::EPOCH,
    }
}

#[test]
fn the_sixth_migration_is_as_it_was_released() {
    assert_eq!(xxhash_rust::xxh3::xxh3_64(V6.as_bytes()), V6_HASH);
}

#[tokio::test]
async fn every_table_of_the_sixth_version_has_the_same_digest_afterwards() {
    let (_folder, path) = sixth_version(NEW_ROWS);
    let tables = columns(&path);
    let before = digests(&path, &tables);
    assert_eq!(before.len(), 32, "{before:?}");
    assert!(before.values().all(|(rows, _)| *rows > 0), "{before:?}");
    let store = SqliteStore::open(&path, clock()).unwrap();
    assert_eq!(store.ping().await.unwrap().schema_version, 7);
    drop(store);
    assert_eq!(digests(&path, &tables), before);
}

#[tokio::test]
async fn nothing_is_known_of_relations_besides_what_was() {
    let (_folder, path) = sixth_version(NEW_ROWS);
    let store = SqliteStore::open(&path, clock()).unwrap();
    let edge = StoredEdge {
        from: ListingId(2),
        kind: EdgeKind::WrappedOf,
        to: ListingId(1),
        why: "its name says so".into(),
        terms: EdgeTerms::default(),
    };
    assert_eq!(store.asset_edges(&[ListingId(1)]).await.unwrap(), [edge]);
    let decisions = store.decisions().await.unwrap();
    let kinds: Vec<_> = decisions.iter().map(|one| one.kind).collect();
    let (discard, retry) = (DecisionKind::Discard, DecisionKind::Retry);
    let (unlink, reopen) = (DecisionKind::Unlink, DecisionKind::Reopen);
    assert_eq!(kinds, [discard, retry, unlink, reopen, DecisionKind::AcceptDrift]);
    assert!(decisions.iter().all(|one| one.relation.is_none()), "{decisions:?}");
    assert_eq!(decisions[2].pairs, [(key("btc"), key("eth"))]);
}

#[tokio::test]
async fn people_state_relations_with_the_next_number_and_they_stand() {
    let (_folder, path) = sixth_version(NEW_ROWS);
    let store = SqliteStore::open(&path, clock()).unwrap();
    let before = store.decisions().await.unwrap();
    assert_eq!(store.decide_identity(renamed()).await.unwrap(), DecisionId(61));
    let unrelated = IdentityDecision { kind: DecisionKind::Unrelate, relation: None, ..renamed() };
    assert_eq!(store.decide_identity(unrelated).await.unwrap(), DecisionId(62));
    let after = store.decisions().await.unwrap();
    assert_eq!(after[..5], before);
    let relations: Vec<_> = after[5..].iter().map(|one| one.relation.clone()).collect();
    assert_eq!(relations, [renamed().relation, None]);
    let direct = Connection::open(&path).unwrap();
    for statement in ["DELETE FROM decision", "UPDATE decision SET relation = NULL"] {
        let error = direct.execute_batch(statement).unwrap_err().to_string();
        assert!(error.contains("a decision is never"), "{statement}: {error}");
    }
}

#[test]
fn a_decision_that_points_nowhere_leaves_the_sixth_version_as_it_was() {
    let gone =
        "INSERT INTO decision (decision_id, kind, source_id, page_rows, who, why, decided_at,
        after_page) VALUES (61, 'discard', 99, '[]', '', '', 1, 1);";
    let (_folder, path) = sixth_version(&format!("{NEW_ROWS}{gone}"));
    let tables = columns(&path);
    let before = digests(&path, &tables);
    assert!(SqliteStore::open(&path, clock()).is_err());
    assert_eq!((columns(&path), digests(&path, &tables)), (tables, before));
}
