//! What `verify` says of a file that somebody changed behind the store's back.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;
#[path = "common/findings.rs"]
mod findings;
#[path = "common/first_batch.rs"]
mod first_batch;
#[path = "common/run_with_findings.rs"]
mod run_with_findings;

use common::{LEASE, at, batch, body, new_page, new_row, new_store, source};
use findings::{change, unusual};
use first_batch::first_batch;
use kasparro_domain::{
    Attributes, Contract, Decimal, Evidence, ListingId, Membership, NewsItem, ValueAnomalyKind,
};
use kasparro_store::{
    AuditStore, BatchRow, BatchStore, DriftFilter, DriftStore, EvidenceChange, EvidenceRow,
    LeaseStore, ListingRef, NewPage, NewsRow, PageStore, QuarantineStore, RowChange, Sweep,
    Violation, evidence_hash, news_hash,
};
use kasparro_store_sqlite::SqliteStore;
use run_with_findings::{examined, run_with_findings};
use rusqlite::Connection;
use tempfile::TempDir;

fn later_row(ordinal: u64, id: &str, minute: i64, change: RowChange) -> BatchRow {
    let mut row = new_row(ordinal, id);
    row.change = change;
    row.observed_at = at(minute);
    row.quote.price_usd = Some(Decimal::parse(&format!("{ordinal}.5")).unwrap());
    row
}

/// A store with two loaded pages: points, a correction, a statement, news, a sweep that misses a listing,
/// a position, a row in quarantine that was given up, an unusual value, and two changes of which one was
/// accepted.
async fn whole_store() -> (TempDir, SqliteStore) {
    let (folder, store) = new_store();
    first_batch(&store).await;
    let epoch = store.acquire(&source(), "test", LEASE).await.unwrap();
    let context = serde_json::json!({"position": {"sequence": 1}});
    let page = store.land(NewPage { context, epoch, ..new_page() }, body(b"a page")).await.unwrap();
    let btc = ListingRef::Stored(ListingId(1));
    let mut unheard_of = later_row(0, "btc", 10, RowChange::Newer { listing: btc });
    unheard_of.anomalies = vec![unusual(ValueAnomalyKind::PriceJump)];
    let rows = vec![
        unheard_of,
        later_row(1, "btc", 10, RowChange::Correction { listing: btc }),
        later_row(2, "btc", 20, RowChange::Newer { listing: btc }),
    ];
    let mut second = batch(&page, epoch, 1, rows);
    let contract = Contract { platform: "ethereum".into(), address: "0xabc".into() };
    let evidence = Evidence {
        external_id: "xrp".into(),
        part: "".into(),
        attributes: Attributes { symbol: Some("XRP".into()), name: None },
        contracts: vec![contract],
        active: None,
        kind: None,
        same_as: Vec::new(),
    };
    second.evidence = vec![EvidenceRow {
        ordinal: 3,
        change: EvidenceChange::New { membership: Membership::Founds },
        endpoint: "coins_list".into(),
        content_hash: evidence_hash(&evidence),
        evidence,
    }];
    let item = NewsItem {
        item_id: "1".into(),
        title: "a headline".to_owned(),
        link: None,
        summary: None,
        author: None,
        published_at: None,
    };
    let (feed, content_hash) = ("news.example.com/feed".into(), news_hash(&item));
    second.news = vec![NewsRow { ordinal: 4, known: false, feed, item, content_hash }];
    second.sweep = Some(Sweep { missing: vec![ListingId(2)] });
    (second.rows_done, second.page_done) = (5, true);
    second.examined = Some(examined(vec![change("/a"), change("/b")]));
    store.commit(second).await.unwrap();
    assert_eq!(store.discard(vec![1], "a person", "noise", at(5)).await.unwrap(), 1);
    let first = store.drift(DriftFilter::default()).await.unwrap()[0].drift_id;
    assert_eq!(store.accept_drift(vec![first], "a person", "fine", at(6)).await.unwrap(), 1);
    (folder, store)
}

/// What `verify` finds after one row was changed; before it, nothing.
async fn found_after(change: impl FnOnce(&Connection) -> usize) -> Vec<Violation> {
    let (_folder, store) = whole_store().await;
    let before = store.verify().await.unwrap();
    assert_eq!(before.violations, []);
    let direct = Connection::open(store.path()).unwrap();
    direct.pragma_update(None, "foreign_keys", false).unwrap();
    assert_eq!(change(&direct), 1, "one row is changed");
    drop(direct);
    let after = store.verify().await.unwrap();
    after.violations
}

async fn found_after_sql(sql: &str) -> Vec<Violation> {
    found_after(|direct| direct.execute(sql, []).unwrap()).await
}

#[track_caller]
fn names(violations: &[Violation], invariant: &str, part: &str) {
    let named = |one: &Violation| one.invariant == invariant && one.detail.contains(part);
    assert!(violations.iter().any(named), "{invariant} {part}: {violations:?}");
}

#[tokio::test]
async fn a_changed_price_is_named() {
    let sql = "UPDATE quote SET price_usd = '2.6' WHERE listing_id = 1";
    names(&found_after_sql(sql).await, "quote", "coinpaprika btc");
}

#[tokio::test]
async fn a_deleted_newest_point_is_named() {
    let sql = "DELETE FROM history WHERE listing_id = 2";
    names(&found_after_sql(sql).await, "quote", "1 quotes have no point in history");
    let sql = "DELETE FROM history WHERE listing_id = 1
               AND observed_at = (SELECT max(observed_at) FROM history)";
    names(&found_after_sql(sql).await, "quote", "coinpaprika btc");
}

#[tokio::test]
async fn a_deleted_first_value_of_a_corrected_point_is_named() {
    let sql = "DELETE FROM history WHERE listing_id = 1 AND revision = 0 AND observed_at =
                   (SELECT observed_at FROM history WHERE revision = 1)";
    names(&found_after_sql(sql).await, "history", "coinpaprika btc");
}

#[tokio::test]
async fn a_changed_byte_of_a_raw_body_is_named() {
    let violations = found_after(|direct| {
        let read = "SELECT bytes FROM raw_chunk";
        let mut bytes: Vec<u8> = direct.query_row(read, [], |row| row.get(0)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        direct.execute("UPDATE raw_chunk SET bytes = ?1", [bytes]).unwrap()
    })
    .await;
    names(&violations, "I21", "body");
}

#[tokio::test]
async fn a_changed_counter_of_a_run_is_named() {
    let sql = "UPDATE run SET received = received + 1, unchanged = unchanged + 1";
    names(&found_after_sql(sql).await, "I1", "received 9 rows, its batches say 8");
}

#[tokio::test]
async fn a_deleted_batch_is_named() {
    let violations = found_after_sql("DELETE FROM batch WHERE generation = 1").await;
    names(&violations, "generation", "generation 2 follows 0");
    names(&violations, "I1", "page 1 has 3 rows done");
    let violations = found_after_sql("DELETE FROM batch WHERE generation = 2").await;
    names(&violations, "generation", "the generation is 2");
}

#[tokio::test]
async fn a_changed_contract_is_named() {
    let sql = "UPDATE listing SET contracts = NULL WHERE listing_id = 3";
    names(&found_after_sql(sql).await, "evidence", "listing 3");
    names(&found_after_sql("DELETE FROM evidence").await, "evidence", "listing 3");
}

#[tokio::test]
async fn a_row_that_points_nowhere_is_named() {
    let violations = found_after_sql("DELETE FROM asset WHERE asset_id = 2").await;
    names(&violations, "integrity", "row 2 of listing points to no row of asset");
}

#[tokio::test]
async fn a_changed_statement_is_named() {
    let sql = "UPDATE evidence SET symbol = 'XPR'";
    names(&found_after_sql(sql).await, "evidence", "coinpaprika xrp: coins_list");
}

#[tokio::test]
async fn a_changed_headline_is_named() {
    let sql = "UPDATE news SET title = 'another headline'";
    names(&found_after_sql(sql).await, "news", "coinpaprika news.example.com/feed 1");
}

#[tokio::test]
async fn a_deleted_piece_of_news_or_listing_is_named() {
    let violations = found_after_sql("DELETE FROM news").await;
    names(&violations, "I1", "there are 3 listings and pieces of news, batches inserted 4");
    let violations = found_after_sql("DELETE FROM listing WHERE listing_id = 3").await;
    names(&violations, "I1", "there are 3 listings and pieces of news, batches inserted 4");
}

#[tokio::test]
async fn a_deleted_row_of_quarantine_is_named() {
    let violations = found_after_sql("DELETE FROM quarantine").await;
    names(&violations, "I1", "page 1 has 0 rows in quarantine, its batches count 1");
}

#[tokio::test]
async fn a_row_of_quarantine_whose_status_nobody_decided_is_named() {
    let violations = found_after_sql("UPDATE quarantine SET status = 'open'").await;
    names(&violations, "decision", "decision 1 gives row 2 of page 1 up");
    let violations = found_after_sql("UPDATE quarantine SET status = 'loaded'").await;
    names(&violations, "decision", "no decision tells why row 2 of page 1 is loaded");
}

#[tokio::test]
async fn a_deleted_decision_is_named() {
    let violations = found_after(|direct| {
        direct.execute_batch("DROP TRIGGER decision_kept").unwrap();
        direct.execute("DELETE FROM decision WHERE kind = 'discard'", []).unwrap()
    })
    .await;
    names(&violations, "decision", "no decision tells why row 2 of page 1 is discarded");
}

#[tokio::test]
async fn a_change_that_nobody_accepted_is_named() {
    let violations =
        found_after_sql("UPDATE drift SET status = 'accepted' WHERE drift_id = 2").await;
    names(&violations, "decision", "no decision tells why change 2 is accepted");
    let violations = found_after(|direct| {
        direct.execute_batch("DROP TRIGGER decision_kept").unwrap();
        direct.execute("DELETE FROM decision WHERE kind = 'accept_drift'", []).unwrap()
    })
    .await;
    names(&violations, "decision", "no decision tells why change 1 is accepted");
}

#[tokio::test]
async fn a_change_whose_page_is_gone_is_named() {
    let sql = "UPDATE drift SET page_id = 99 WHERE drift_id = 2";
    let violations = found_after_sql(sql).await;
    names(&violations, "drift", "change 2 was seen on page 99, which is gone");
    names(&violations, "integrity", "row 2 of drift points to no row of page");
}

#[tokio::test]
async fn a_finding_that_points_nowhere_is_named() {
    let (_folder, store) = new_store();
    run_with_findings(&store).await;
    assert_eq!(store.verify().await.unwrap().violations, []);
    let direct = Connection::open(store.path()).unwrap();
    direct.pragma_update(None, "foreign_keys", false).unwrap();
    let rows = [
        ("anomaly", "listing_id = 99 WHERE anomaly_id = 1", "row 1 of anomaly", "listing"),
        ("anomaly", "source_id = 99 WHERE anomaly_id = 2", "row 2 of anomaly", "source"),
        ("alert", "source_id = 99", "row 1 of alert", "source"),
        ("budget", "source_id = 99", "a row of budget", "source"),
        ("drift_profile", "source_id = 99", "row 1 of drift_profile", "source"),
    ];
    for (table, change, row, parent) in rows {
        let sql = format!("UPDATE {table} SET {change}");
        assert_eq!(direct.execute(&sql, []).unwrap(), 1, "{sql}");
        let found = store.integrity().await.unwrap();
        let named = format!("{row} points to no row of {parent}");
        assert!(found.contains(&named), "{named}: {found:?}");
    }
}

#[tokio::test]
async fn the_digest_tells_of_a_tampered_change_or_anomaly() {
    let (_folder, store) = whole_store().await;
    let before = store.verify().await.unwrap();
    let direct = Connection::open(store.path()).unwrap();
    let mut last = before.digest.clone();
    for (table, sql) in [
        ("drift", "UPDATE drift SET pointer = '/c' WHERE drift_id = 2"),
        ("anomaly", "UPDATE anomaly SET kind = 'cap_mismatch'"),
    ] {
        assert_eq!(direct.execute(sql, []).unwrap(), 1, "{sql}");
        let after = store.verify().await.unwrap();
        assert_ne!(after.tables[table], before.tables[table], "{sql}");
        assert_ne!(after.digest, last, "{sql}");
        last = after.digest;
    }
}

#[tokio::test]
async fn a_checkpoint_that_is_gone_or_elsewhere_is_named() {
    let violations = found_after_sql("DELETE FROM checkpoint").await;
    names(&violations, "I2", "coinpaprika: its pages reach a position");
    let sql = "UPDATE checkpoint SET position = '{\"sequence\":0}'";
    names(&found_after_sql(sql).await, "I2", "coinpaprika: the checkpoint is not the position");
}

#[tokio::test]
async fn a_request_under_the_hash_of_another_is_named() {
    let hash = "UPDATE page SET request_hash = request_hash + 1 WHERE page_id = 2";
    let request = "UPDATE page SET request = '{\"path\":\"/v2\"}' WHERE page_id = 2";
    for sql in [hash, request] {
        names(&found_after_sql(sql).await, "integrity", "the hash of the request of page 2");
    }
}

#[tokio::test]
async fn a_deleted_sweep_is_named() {
    let violations = found_after_sql("DELETE FROM sweep").await;
    names(&violations, "sweep", "coinpaprika: listings missed sweeps");
}

#[tokio::test]
async fn an_asset_with_two_listings_of_a_source_or_without_a_founder_is_named() {
    let linked = |asset: u8| {
        format!("INSERT INTO identity VALUES (2, {asset}, 'coin', 'linked', NULL, '[]')")
    };
    let violations = found_after_sql(&linked(1)).await;
    names(&violations, "identity", "asset 1 has its founder and another listing of coinpaprika");
    let violations = found_after(|direct| {
        direct.execute_batch("INSERT INTO asset VALUES (9)").unwrap();
        direct.execute(&linked(9), []).unwrap()
    })
    .await;
    names(&violations, "identity", "asset 9 of 1 listings was founded by none");
}

#[tokio::test]
async fn a_generation_that_nothing_made_is_named() {
    let resolution = |generation: u8| {
        format!(
            "INSERT INTO resolution VALUES ({generation}, 1, 'identity/1', 0, 3, 3, 0, 0, 0, x'')"
        )
    };
    let violations = found_after_sql(&resolution(5)).await;
    names(&violations, "generation", "generation 5 follows 2");
    let violations = found_after_sql(&resolution(3)).await;
    names(&violations, "generation", "the generation is 2, there are 3 commits");
}
