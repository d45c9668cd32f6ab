//! What `verify` says of tables that somebody changed behind the store's back.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use common::{LEASE, at, batch, body, first_batch, new_page, new_row, new_store, source};
use kasparro_domain::{Attributes, Contract, Decimal, Evidence, ListingId, Membership, NewsItem};
use kasparro_store::{
    AuditStore, BatchRow, BatchStore, EvidenceChange, EvidenceRow, LeaseStore, ListingRef, NewPage,
    NewsRow, PageStore, QuarantineStore, RowChange, Sweep, Violation, evidence_hash, news_hash,
};
use kasparro_store_postgres::PostgresStore;
use kasparro_testkit::postgres::Database;

fn later_row(ordinal: u64, id: &str, minute: i64, change: RowChange) -> BatchRow {
    let mut row = new_row(ordinal, id);
    row.change = change;
    row.observed_at = at(minute);
    row.quote.price_usd = Some(Decimal::parse(&format!("{ordinal}.5")).unwrap());
    row
}

/// A store with two loaded pages: points, a correction, a statement, news, a sweep that misses a listing,
/// a position, and a row in quarantine that was given up.
async fn whole_store() -> (Database, PostgresStore) {
    let (database, store) = new_store().await;
    first_batch(&store).await;
    let epoch = store.acquire(&source(), "test", LEASE).await.unwrap();
    let context = serde_json::json!({"position": {"sequence": 1}});
    let page = NewPage { context, epoch, ..new_page() };
    let page = store.land(page, body(b"a page")).await.unwrap();
    let btc = ListingRef::Stored(ListingId(1));
    let rows = vec![
        later_row(0, "btc", 10, RowChange::Newer { listing: btc }),
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
    store.commit(second).await.unwrap();
    assert_eq!(store.discard(vec![1], "a person", "noise", at(5)).await.unwrap(), 1);
    (database, store)
}

/// What `verify` finds after rows were changed; before it, nothing.
async fn found_after(change: &str) -> Vec<Violation> {
    let (database, store) = whole_store().await;
    assert_eq!(store.verify().await.unwrap().violations, []);
    // Past foreign keys and triggers.
    let past = "SET search_path = kasparro; SET session_replication_role = replica;";
    database.sql(&format!("{past} {change}")).await;
    store.verify().await.unwrap().violations
}

#[track_caller]
fn names(violations: &[Violation], invariant: &str, part: &str) {
    let named = |one: &Violation| one.invariant == invariant && one.detail.contains(part);
    assert!(violations.iter().any(named), "{invariant} {part}: {violations:?}");
}

#[tokio::test]
async fn a_changed_value_is_named() {
    for (change, invariant, part) in [
        ("UPDATE quote SET price_usd = 2.6 WHERE listing_id = 1", "quote", "coinpaprika btc"),
        (
            "UPDATE run SET received = received + 1, unchanged = unchanged + 1",
            "I1",
            "received 9 rows",
        ),
        ("UPDATE listing SET contracts = NULL WHERE listing_id = 3", "evidence", "listing 3"),
        ("UPDATE evidence SET symbol = 'XPR'", "evidence", "coinpaprika xrp: coins_list"),
        (
            "UPDATE news SET title = 'another headline'",
            "news",
            "coinpaprika news.example.com/feed 1",
        ),
        (
            "UPDATE quarantine SET status = 'open'",
            "decision",
            "decision 1 gives row 2 of page 1 up",
        ),
        ("UPDATE checkpoint SET position = '{}'", "I2", "the checkpoint is not the position"),
        ("UPDATE raw_chunk SET bytes = set_byte(bytes, length(bytes) - 1, 0)", "I21", "body"),
        (
            "UPDATE page SET request_hash = request_hash + 1 WHERE page_id = 2",
            "integrity",
            "the hash of the request of page 2",
        ),
        (
            "UPDATE page SET request = '{\"path\":\"/v2\"}' WHERE page_id = 2",
            "integrity",
            "the hash of the request of page 2",
        ),
        (
            "UPDATE minted SET listing_id = 2",
            "integrity",
            "there is listing 3, and the last number given to one is 2",
        ),
    ] {
        names(&found_after(change).await, invariant, part);
    }
}

#[tokio::test]
async fn a_deleted_row_is_named() {
    for (change, invariant, part) in [
        ("DELETE FROM history WHERE listing_id = 2", "quote", "1 quotes have no point in history"),
        ("DELETE FROM history WHERE revision = 0 AND listing_id = 1", "history", "coinpaprika btc"),
        ("DELETE FROM batch WHERE generation = 1", "generation", "generation 2 follows 0"),
        ("DELETE FROM batch WHERE generation = 2", "generation", "the generation is 2"),
        ("DELETE FROM evidence", "evidence", "listing 3"),
        ("DELETE FROM news", "I1", "batches inserted 4"),
        ("DELETE FROM quarantine", "I1", "page 1 has 0 rows in quarantine"),
        ("DELETE FROM checkpoint", "I2", "coinpaprika: its pages reach a position"),
        ("DELETE FROM sweep", "sweep", "coinpaprika: listings missed sweeps"),
        ("DELETE FROM raw_chunk", "I21", "body"),
        ("DELETE FROM decision", "decision", "no decision tells why row 2 of page 1 is discarded"),
    ] {
        names(&found_after(change).await, invariant, part);
    }
}

#[tokio::test]
async fn a_row_that_points_nowhere_is_named() {
    for (change, part) in [
        ("DELETE FROM asset WHERE asset_id = 2", "row 2 of listing points to no row of asset"),
        ("DELETE FROM listing WHERE listing_id = 2", "row 2 of quote points to no row of listing"),
        (
            "DELETE FROM listing WHERE listing_id = 2",
            "472222 2 0 of history points to no row of listing",
        ),
        (
            "DELETE FROM listing WHERE listing_id = 3",
            "row 3 coins_list  of evidence points to no row of listing",
        ),
        (
            "UPDATE quote SET page_id = 77 WHERE listing_id = 1",
            "row 1 of quote points to no row of page",
        ),
        ("UPDATE evidence SET page_id = 77", "of evidence points to no row of page"),
        ("DELETE FROM run", "row 1 of page points to no row of run"),
        ("UPDATE news SET page_id = 77", "row 1 of news points to no row of page"),
        ("UPDATE batch SET page_id = 77", "row 1 of batch points to no row of page"),
        ("UPDATE quarantine SET body_id = 77", "row 1 of quarantine points to no row of raw_body"),
    ] {
        let (database, store) = whole_store().await;
        let past = "SET search_path = kasparro; SET session_replication_role = replica;";
        database.sql(&format!("{past} {change}")).await;
        let found = store.integrity().await.unwrap();
        assert!(found.iter().any(|line| line.contains(part)), "{change}: {found:?}");
    }
}

#[tokio::test]
async fn an_instant_or_a_number_that_is_none_of_ours_is_damage() {
    for change in [
        "UPDATE listing SET first_seen_at = 'infinity'",
        "UPDATE listing SET first_seen_at = first_seen_at + interval '1 microsecond'",
        "UPDATE listing SET first_seen_at = '1969-01-01T00:00:00Z'",
        "UPDATE quote SET price_usd = 1.23456789012345678901234567890123456789",
        "UPDATE listing SET contracts = '{}'",
    ] {
        let (database, store) = whole_store().await;
        database.sql(&format!("SET search_path = kasparro; {change}")).await;
        let told = store.verify().await.unwrap_err();
        assert!(matches!(told, kasparro_store::StoreError::Corrupt(_)), "{change}: {told}");
    }
}
