//! The last net: rules that the database itself enforces, tried past the program.

mod common;
#[path = "common/first_batch.rs"]
mod first_batch;
#[path = "common/refused.rs"]
mod refused;

use common::{at, batch, body, clock, landed, new_page, new_row, new_store, source};
use first_batch::first_batch;
use kasparro_domain::{Rejection, RejectionReason};
use kasparro_store::{
    AuditStore, BatchStore, NewPage, PageStore, QuarantineFilter, QuarantineStore, QuarantinedRow,
    StoreError,
};
use kasparro_store_sqlite::SqliteStore;
use refused::refused;
use rusqlite::{Connection, ErrorCode};

#[tokio::test]
async fn i1_counters_that_do_not_add_up_cannot_be_stored() {
    refused(&[
        "UPDATE batch SET received = received + 1",
        "UPDATE batch SET inserted = inserted - 1",
        "UPDATE run SET received = received + 1",
        "UPDATE run SET quarantined = quarantined + 1",
        "UPDATE run SET received = received - 1, unchanged = unchanged - 1",
        "UPDATE batch SET new_listings = inserted + 1",
        "INSERT INTO batch SELECT 2, source_id, 1, run_id, page_id, epoch, 5, 1, 1, 1, 0, 0, 1,
             NULL, x'', 0, 0, 0 FROM batch",
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
             received, inserted, updated, unchanged, stale, duplicate, quarantined, NULL, x'', 0,
             0, 0 FROM batch",
        "UPDATE batch SET retry = 2",
        "UPDATE run SET reason = 'whim'",
        "UPDATE run SET options = '{}'",
    ])
    .await;
}

#[tokio::test]
async fn a_listing_is_missing_and_last_seen_or_neither() {
    refused(&[
        "UPDATE listing SET missed = 1",
        "UPDATE listing SET last_seen_at = 0",
        "UPDATE listing SET missed = 4, last_seen_at = 0, active = 0",
        "UPDATE listing SET missed = -1, last_seen_at = 0",
        // Missing from three sweeps, and active nevertheless.
        "UPDATE listing SET missed = 3, last_seen_at = 0",
    ])
    .await;
}

#[tokio::test]
async fn statements_and_news_that_mean_nothing_cannot_be_stored() {
    let evidence = |values: &str| {
        format!(
            "INSERT INTO evidence (listing_id, endpoint, part, contracts, active, content_hash,
                 page_id, ordinal, first_seen_at, fetched_at) VALUES ({values}, 0, 0)"
        )
    };
    let news = |values: &str| {
        format!(
            "INSERT INTO news (source_id, feed, item_id, title, content_hash, page_id, ordinal,
                 first_seen_at, fetched_at) VALUES ({values}, 0, 0)"
        )
    };
    let statements = [
        evidence("99, 'coins', '', NULL, 1, 0, 1, 0"),
        evidence("1, 'coins', '', NULL, 1, 0, 99, 0"),
        evidence("1, '', '', NULL, 1, 0, 1, 0"),
        evidence("1, 'coins', 'a' || char(0), NULL, 1, 0, 1, 0"),
        evidence("1, 'coins', '', '[', 1, 0, 1, 0"),
        evidence("1, 'coins', '', NULL, 2, 0, 1, 0"),
        evidence("1, 'coins', '', NULL, 1, 0, 1, -1"),
        news("99, 'feed', 'item', 'title', 0, 1, 0"),
        news("1, '', 'item', 'title', 0, 1, 0"),
        news("1, 'feed', '', 'title', 0, 1, 0"),
        news("1, 'feed', 'item', 'a' || char(0), 0, 1, 0"),
        news("1, 'feed', 'item', NULL, 0, 1, 0"),
        news("1, 'feed', 'item', 'title', 0, 99, 0"),
        "INSERT INTO sweep (source_id, swept_at) VALUES (99, 0)".to_owned(),
    ];
    refused(&statements.each_ref().map(String::as_str)).await;
}

#[tokio::test]
async fn a_decision_is_whole_and_stays_as_it_was_made() {
    let decision = |values: &str| {
        format!(
            "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, after_page,
                 run_id) VALUES ({values})"
        )
    };
    let statements = [
        decision("'forget', 1, '[]', 'me', '', 0, 0, NULL"),
        decision("'discard', 99, '[]', 'me', '', 0, 0, NULL"),
        decision("'discard', 1, '[', 'me', '', 0, 0, NULL"),
        decision("'discard', 1, '[]', 'me' || char(0), '', 0, 0, NULL"),
        decision("'discard', 1, '[]', 'me', '', 0, -1, NULL"),
        // A retry has a run, a discard has none.
        decision("'retry', 1, '[]', 'me', '', 0, 0, NULL"),
        decision("'discard', 1, '[]', 'me', '', 0, 0, (SELECT run_id FROM run)"),
    ];
    refused(&statements.each_ref().map(String::as_str)).await;

    let (_folder, store) = new_store();
    first_batch(&store).await;
    assert_eq!(store.discard(vec![1], "me", "beyond repair", at(2)).await.unwrap(), 1);
    let before = store.decisions().await.unwrap();
    let direct = Connection::open(store.path()).unwrap();
    for statement in ["DELETE FROM decision", "UPDATE decision SET why = 'never said'"] {
        let error = direct.execute_batch(statement).expect_err(statement);
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation), "{statement}");
    }
    assert_eq!(store.decisions().await.unwrap(), before);
    assert_eq!(before[0].why, "beyond repair");
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

#[tokio::test]
async fn a_row_is_quarantined_once_for_each_request_whatever_its_hash() {
    let (_folder, store) = new_store();
    first_batch(&store).await;
    let (epoch, same) = landed(&store).await;
    let request = serde_json::json!({"path": "/v2"});
    let other = NewPage { request, epoch, ..new_page() };
    let other = store.land(other, body(b"a page")).await.unwrap();
    let direct = Connection::open(store.path()).unwrap();
    // As if both requests had the same hash.
    direct.execute_batch("UPDATE page SET request_hash = 1").unwrap();
    let again = |page: i64| {
        let sql =
            "INSERT INTO quarantine (source_id, body_id, ordinal, page_id, run_id, reason, field,
                       value, rule, first_seen_at)
                   SELECT source_id, body_id, ordinal, ?1, run_id, reason, field, value, rule, 0
                   FROM quarantine WHERE quarantine_id = 1";
        direct.execute(sql, [page])
    };
    let error = again(same.page_id.0).unwrap_err();
    assert!(error.to_string().contains("quarantined once for each request"), "{error}");
    let count = async || store.count_quarantined(QuarantineFilter::default()).await.unwrap();
    let rejection = Rejection::new(RejectionReason::WrongType, "/price", "true");
    for (page, sequence, expected) in [(&same, 1, 1), (&other, 2, 2), (&other, 3, 2)] {
        let mut batch = batch(page, epoch, sequence, Vec::new());
        let rejection = rejection.clone();
        batch.quarantined = vec![QuarantinedRow { ordinal: 2, rejection, rule: "domain/1" }];
        store.commit(batch).await.unwrap();
        assert_eq!(count().await, expected);
    }
    assert!(again(other.page_id.0).is_err());
}
