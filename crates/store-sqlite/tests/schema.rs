//! The last net: rules that the database itself enforces, tried past the program.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

mod common;
#[path = "common/first_batch.rs"]
mod first_batch;

use common::{batch, clock, landed, new_row, new_store, source};
use first_batch::first_batch;
use kasparro_store::{AuditStore, BatchStore, StoreError};
use kasparro_store_sqlite::SqliteStore;
use rusqlite::{Connection, ErrorCode};

/// Runs a statement on a store with one batch and expects the schema to refuse it.
async fn refused(statements: &[&str]) {
    let (_folder, store) = new_store();
    first_batch(&store).await;
    let before = store.dump().await.unwrap();
    let direct = Connection::open(store.path()).unwrap();
    direct.pragma_update(None, "foreign_keys", true).unwrap();
    for statement in statements {
        let error = direct.execute_batch(statement).expect_err(statement);
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation), "{statement}");
    }
    assert_eq!(store.dump().await.unwrap(), before);
}

#[tokio::test]
async fn i1_counters_that_do_not_add_up_cannot_be_stored() {
    refused(&[
        "UPDATE batch SET received = received + 1",
        "UPDATE batch SET inserted = inserted - 1",
        "UPDATE run SET received = received + 1",
        "UPDATE run SET quarantined = quarantined + 1",
        "UPDATE run SET received = received - 1, unchanged = unchanged - 1",
        "INSERT INTO batch SELECT 2, source_id, 1, run_id, page_id, epoch, 5, 1, 1, 1, 0, 0, 1,
             NULL, x'', 0 FROM batch",
    ])
    .await;
}

#[tokio::test]
async fn rows_that_point_nowhere_cannot_be_stored() {
    refused(&[
        "UPDATE quote SET page_id = 99",
        "UPDATE quote SET listing_id = 99 WHERE listing_id = 1",
        "UPDATE history SET listing_id = 99",
        "UPDATE listing SET asset_id = 99",
        "UPDATE listing SET source_id = 99",
        "DELETE FROM asset",
        "DELETE FROM raw_body",
        "DELETE FROM page",
        "DELETE FROM run",
    ])
    .await;
}

#[tokio::test]
async fn values_that_mean_nothing_cannot_be_stored() {
    refused(&[
        "UPDATE quote SET rank = 0",
        "UPDATE quote SET price_usd = x'00'",
        "UPDATE listing SET name = 'a' || char(0)",
        "UPDATE listing SET external_id = ''",
        "UPDATE listing SET external_id = 'btc'",
        "UPDATE history SET hour = hour + 1",
        "UPDATE page SET state = 'lost'",
        "UPDATE page SET state = 'refused'",
        "UPDATE run SET status = 'success'",
        "UPDATE quarantine SET status = 'gone'",
        "INSERT INTO generation (one, value) VALUES (2, 0)",
        "INSERT INTO batch SELECT generation + 1, source_id, sequence, run_id, page_id, epoch,
             received, inserted, updated, unchanged, stale, duplicate, quarantined, NULL, x'', 0
             FROM batch",
    ])
    .await;
}

#[tokio::test]
async fn a_request_that_fails_costs_no_neighbour_in_its_transaction() {
    let (_folder, store) = new_store();
    let (epoch, page) = landed(&store).await;
    let good = batch(&page, epoch, 0, vec![new_row(0, "btc")]);
    let bad = batch(&page, epoch, 1, vec![new_row(1, "eth"), new_row(2, "btc")]);
    let late = batch(&page, epoch, 2, vec![new_row(3, "xrp")]);
    // Polled together, so the three stand in the queue while the first is begun.
    let (good, bad, late) = tokio::join!(store.commit(good), store.commit(bad), store.commit(late));
    assert!(matches!(bad, Err(StoreError::Conflict(_))), "{bad:?}");
    let ids = |committed: kasparro_store::Committed| {
        committed.new_listings.into_iter().map(|id| id.0).collect::<Vec<_>>()
    };
    assert_eq!(ids(good.unwrap()), [1]);
    assert_eq!(ids(late.unwrap()), [2]);
    let memory = store.memory(&source()).await.unwrap();
    assert_eq!(memory.listings.len(), 2);
    assert_eq!(memory.next_sequence, 3);
}

#[tokio::test]
async fn a_value_that_was_damaged_is_told_and_not_guessed() {
    let (_folder, store) = new_store();
    first_batch(&store).await;
    let direct = Connection::open(store.path()).unwrap();
    direct.execute_batch("UPDATE quote SET price_usd = '1.50' WHERE listing_id = 1").unwrap();
    let outcome = store.memory(&source()).await;
    assert!(matches!(outcome, Err(StoreError::Corrupt(_))), "{outcome:?}");
    let path = store.path().to_owned();
    drop(store);
    let outcome = SqliteStore::open(&path, clock()).unwrap().dump().await;
    assert!(matches!(outcome, Err(StoreError::Corrupt(_))), "{outcome:?}");
}
