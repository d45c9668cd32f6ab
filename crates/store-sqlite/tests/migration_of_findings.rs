//! What the fourth migration makes of a store of the third version: everything stays, and what is new has
//! its defaults.

#[path = "common/old_versions.rs"]
mod old_versions;

use std::sync::Arc;

use kasparro_domain::{DecisionKind, ManualClock, PageId, PageRow, SourceName, Timestamp};
use kasparro_store::{
    AlertStore, AnomalyFilter, AnomalyStore, BudgetStore, DriftFilter, DriftStore, PageFilter,
    PageStore, QuarantineStore, ReadStore, RunStore,
};
use kasparro_store_sqlite::SqliteStore;
use old_versions::{ROWS, V3, columns, digests, third_version};
use rusqlite::Connection;

/// XXH3-64 of V3 as it was released.
const V3_HASH: u64 = 13_509_882_280_698_424_493;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::EPOCH))
}

#[test]
fn the_third_migration_is_as_it_was_released() {
    assert_eq!(xxhash_rust::xxh3::xxh3_64(V3.as_bytes()), V3_HASH);
}

#[tokio::test]
async fn every_table_of_the_third_version_has_the_same_digest_afterwards() {
    let (_folder, path) = third_version(ROWS);
    let tables = columns(&path);
    let before = digests(&path, &tables);
    assert_eq!(before.len(), 20, "{before:?}");
    assert!(before.values().all(|(rows, _)| *rows > 0), "{before:?}");
    let store = SqliteStore::open(&path, clock()).unwrap();
    assert_eq!(store.ping().await.unwrap().schema_version, 7);
    drop(store);
    assert_eq!(digests(&path, &tables), before);
}

#[tokio::test]
async fn old_rows_have_the_defaults_of_what_is_new() {
    let (_folder, path) = third_version(ROWS);
    let store = SqliteStore::open(&path, clock()).unwrap();
    let decisions = store.decisions().await.unwrap();
    let [discard, retry] = decisions.as_slice() else { panic!("{decisions:?}") };
    assert_eq!((discard.kind, retry.kind), (DecisionKind::Discard, DecisionKind::Retry));
    assert_eq!(discard.rows, [PageRow { page_id: PageId(1), ordinal: 0 }]);
    assert!(decisions.iter().all(|one| one.drift.is_empty() && !one.forced), "{decisions:?}");
    assert_eq!((discard.decision_id.0, retry.decision_id.0), (1, 4));

    let (pieces, mut sent) = tokio::sync::mpsc::channel(8);
    store.changes(kasparro_domain::Generation(0), pieces).await.unwrap();
    let listings = sent.recv().await.unwrap();
    assert_eq!(listings.len(), 2);
    assert!(listings.iter().all(|listing| !listing.unusual));

    let states = store.source_states().await.unwrap();
    assert_eq!(states[0].drift_mode, kasparro_domain::DriftMode::Quarantine);
    assert!(states[0].budgets.is_empty());
    assert_eq!(store.count_drift(DriftFilter::default()).await.unwrap(), 0);
    assert_eq!(store.count_anomalies(AnomalyFilter::default()).await.unwrap(), 0);
    assert!(store.budgets().await.unwrap().is_empty() && store.alerts(9).await.unwrap().is_empty());
    let refused = store.pages(PageFilter::default()).await.unwrap();
    assert_eq!((refused.len(), refused[1].error.is_some()), (2, true));
    assert_eq!(store.profile(&SourceName::new("coinpaprika"), "tickers").await.unwrap(), None);
}

#[test]
fn decisions_stay_as_they_were_made_and_their_numbers_go_on() {
    let (_folder, path) = third_version(ROWS);
    drop(SqliteStore::open(&path, clock()).unwrap());
    let direct = Connection::open(&path).unwrap();
    for statement in ["DELETE FROM decision", "UPDATE decision SET why = 'never said'"] {
        assert!(direct.execute_batch(statement).is_err(), "{statement}");
    }
    let next = "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, after_page)
                VALUES ('discard', 1, '[]', '', '', 0, 0) RETURNING decision_id";
    assert_eq!(direct.query_row(next, [], |row| row.get::<_, i64>(0)).unwrap(), 41);
}

#[test]
fn a_decision_that_points_nowhere_leaves_the_third_version_as_it_was() {
    let gone = "INSERT INTO decision VALUES (5, 'discard', 99, '[]', '', '', 1, 1, NULL);";
    let (_folder, path) = third_version(&format!("{ROWS}{gone}"));
    let tables = columns(&path);
    let before = digests(&path, &tables);
    assert!(SqliteStore::open(&path, clock()).is_err());
    assert_eq!((columns(&path), digests(&path, &tables)), (tables, before));
}
