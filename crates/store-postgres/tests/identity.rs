//! Resolutions among others who write, and large ones.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::findings::watched_store;
use common::resolved::{alone, bitcoin, resolution, resolve, resolved_store};
use common::{LEASE, at, batch, body, first_batch, new_page, new_row, new_store, source, within};
use kasparro_domain::{Attributes, Generation, IdentityState, ListingId};
use kasparro_store::{
    AuditStore, BatchStore, IdentityRow, IdentityStore, LeaseStore, ListingRef, ListingRow,
    NewPage, PageStore, ReadStore, RowChange, StoreError,
};
use kasparro_testkit::PATIENCE;
use kasparro_testkit::postgres::{Database, connect};

/// How many statements of others wait for a lock.
async fn waiting(database: &Database) -> usize {
    let sql = "SELECT pid::text FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    database.sql(sql).await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_comes_while_a_resolution_is_written_makes_it_stale() {
    let (database, store) = new_store().await;
    first_batch(&store).await;
    let store = Arc::new(store);
    let early = resolution(&store, vec![alone(ListingId(1))]).await;
    let before = store.dump().await.unwrap();
    let mut other = connect(&database.url()).await.unwrap();
    let open = other.transaction().await.unwrap();
    let raise = "UPDATE kasparro.generation SET evidence_version = evidence_version + 1";
    open.batch_execute(raise).await.unwrap();
    let writing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit_resolution(early).await }
    });
    within(PATIENCE, async || (waiting(&database).await == 1).then_some(())).await;
    open.commit().await.unwrap();
    let refused = writing.await.unwrap().unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("evidence")), "{refused}");
    database.sql("UPDATE kasparro.generation SET evidence_version = evidence_version - 1").await;
    assert_eq!(store.dump().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_resolutions_that_come_at_once_one_is_written() {
    let (_database, store) = watched_store().await;
    let store = Arc::new(store);
    let same = resolution(&store, vec![alone(ListingId(1)), alone(ListingId(2))]).await;
    let writing = (0..8).map(|_| {
        let (store, same) = (Arc::clone(&store), same.clone());
        tokio::spawn(async move { store.commit_resolution(same).await })
    });
    let mut written = Vec::new();
    for outcome in writing.collect::<Vec<_>>() {
        match outcome.await.unwrap() {
            Ok(generation) => written.push(generation),
            Err(refused) => assert!(matches!(refused, StoreError::Conflict(_)), "{refused}"),
        }
    }
    assert_eq!(written, [Generation(4)]);
    assert_eq!(store.resolutions(9).await.unwrap().len(), 1);
    assert_eq!(store.verify().await.unwrap().violations, []);
}

#[tokio::test]
async fn a_listing_that_was_never_looked_at_counts_as_its_own_asset() {
    let (_database, store) = new_store().await;
    first_batch(&store).await;
    let other = bitcoin(&store).await;
    let into = |listing_id, founder| IdentityRow {
        founder,
        state: IdentityState::Linked,
        ..alone(listing_id)
    };
    // The founder has no row yet, and it is of the same source.
    let rows = vec![into(ListingId(2), ListingId(1))];
    let refused = store.commit_resolution(resolution(&store, rows).await).await.unwrap_err();
    assert!(refused.to_string().contains("another one of its source"), "{refused}");
    // It is of another one: it stays in its asset without a row of its own.
    let rows = vec![into(other, ListingId(1))];
    store.commit_resolution(resolution(&store, rows).await).await.unwrap();
    // Now it may not leave.
    let rows = vec![into(ListingId(1), other)];
    let refused = store.commit_resolution(resolution(&store, rows).await).await.unwrap_err();
    assert!(refused.to_string().contains("without its founder"), "{refused}");
    assert_eq!(store.verify().await.unwrap().violations, []);
}

#[tokio::test]
async fn of_several_names_within_a_batch_the_one_before_it_is_kept() {
    let (database, store) = new_store().await;
    first_batch(&store).await;
    let epoch = store.acquire(&source(), "test", LEASE).await.unwrap();
    let page = NewPage { epoch, fetched_at: at(9), ..new_page() };
    let page = store.land(page, body(b"dated rows")).await.unwrap();
    let btc = ListingRef::Stored(ListingId(1));
    let rows = [("a", 5), ("b", 6), ("btc", 7)].into_iter().enumerate().map(|(number, named)| {
        let (symbol, minute) = named;
        let mut row = new_row(number as u64, "btc");
        row.change = RowChange::Newer { listing: btc };
        row.observed_at = at(minute);
        row.attributes = Attributes { symbol: Some(symbol.into()), name: Some("btc".into()) };
        row
    });
    let mut dated = batch(&page, epoch, 1, rows.collect());
    (dated.fetched_at, dated.rows_done) = (at(9), 3);
    store.commit(dated).await.unwrap();
    let past = "SELECT symbol, name FROM kasparro.evidence_past";
    let btc = || Some("btc".to_owned());
    assert_eq!(database.sql(past).await, [[btc(), btc()]]);
    assert_eq!(store.identity_position().await.unwrap().evidence_version, 2);
}

#[tokio::test]
async fn what_is_decided_again_replaces_what_was() {
    let (_database, store) = resolved_store().await;
    let rows = vec![alone(ListingId(1)), alone(ListingId(2)), alone(ListingId(4))];
    store.commit_resolution(resolution(&store, rows).await).await.unwrap();
    let records = store.identity_records(&[4, 2, 1].map(ListingId)).await.unwrap();
    assert!(records.iter().all(|record| record.state == IdentityState::Single));
    assert!(records.iter().all(|record| record.asset_id.0 == record.listing_id.0));
    assert_eq!(store.asset_edges(&[ListingId(2)]).await.unwrap(), []);
    assert_eq!(store.verify().await.unwrap().violations, []);
}

/// A hundred thousand listings of four sources, each asset of one of each, behind a watched store.
const MANY: &str = "SET search_path = kasparro; SET session_replication_role = replica;
    INSERT INTO source (name) SELECT 'source_' || number FROM generate_series(1, 4) AS number;
    INSERT INTO asset SELECT generate_series(1000, 100999);
    INSERT INTO listing (listing_id, source_id, external_id, asset_id, first_seen_at)
    SELECT id, (SELECT source_id FROM source WHERE name = 'source_' || (1 + id % 4)), id::text, id,
           timestamptz '2023-11-14T22:00:00Z'
    FROM generate_series(1000, 100999) AS id;
    UPDATE minted SET listing_id = 100999, asset_id = 100999; ANALYZE";

#[tokio::test]
async fn a_hundred_thousand_listings_are_resolved_at_once() {
    let (database, store) = watched_store().await;
    resolve(&store).await;
    database.sql(MANY).await;
    let candidates = serde_json::json!([{"key": {"source": "source_1", "external_id": "1"},
        "centibits": -120, "why": "the symbols differ, and so do the chains of both"}]);
    let row = |id: i64| IdentityRow {
        founder: ListingId(id - id % 4),
        state: IdentityState::Linked,
        confidence: Some(9_900),
        candidates: candidates.clone(),
        ..alone(ListingId(id))
    };
    let rows: Vec<IdentityRow> = (1000..101_000).map(row).collect();
    let first = resolution(&store, rows).await;
    let before = store.generation().await.unwrap();
    let begun = std::time::Instant::now();
    store.commit_resolution(first).await.unwrap();
    let took = begun.elapsed();
    // A row at a time would take minutes, or looking through all listings for each.
    assert!(took < Duration::from_secs(30), "{took:?}");
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<ListingRow>>(4);
    let reading = async {
        let mut linked = 0;
        while let Some(piece) = receiver.recv().await {
            linked += piece.iter().filter(|row| row.asset_id.0 % 4 == 0).count();
        }
        linked
    };
    let (newest, linked) = tokio::join!(store.changes(before, sender), reading);
    assert_eq!((newest.unwrap(), linked), (Generation(before.0 + 1), 100_000));

    // A second one that moves a few of them looks at those few.
    let begun = std::time::Instant::now();
    let few = vec![alone(ListingId(1001)), alone(ListingId(50_001))];
    store.commit_resolution(resolution(&store, few).await).await.unwrap();
    let again = begun.elapsed();
    assert!(again < took.max(Duration::from_secs(1)), "{again:?} after {took:?}");
}
