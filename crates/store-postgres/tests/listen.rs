//! Following what other handles commit.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::time::{Duration, Instant};

use common::{batch, first_batch, new_store, settings, within};
use kasparro_domain::{Generation, RawPage};
use kasparro_store::{BatchStore, PageStore, ReadStore};
use kasparro_store_postgres::PostgresStore;
use kasparro_testkit::postgres::{Postgres, Relay};
use tokio::sync::watch::Receiver;

/// Commits an empty batch.
async fn commit(store: &PostgresStore, page: &RawPage, sequence: u64) -> Generation {
    let mut batch = batch(page, 1, sequence, Vec::new());
    batch.rows_done = 3;
    batch.position = None;
    store.commit(batch).await.unwrap().generation
}

async fn hears(watch: &Receiver<Generation>, generation: Generation, most: Duration) {
    within(most, async || (*watch.borrow() == generation).then_some(())).await;
}

#[tokio::test]
async fn a_commit_of_another_handle_is_heard_of_at_once() {
    let (database, writer) = new_store().await;
    let first = first_batch(&writer).await;
    let page = writer.page(kasparro_domain::PageId(1)).await.unwrap().unwrap();
    let reader = PostgresStore::open(settings(&database.url())).await.unwrap();
    let mut watch = reader.watch();
    hears(&watch, first.generation, Duration::from_secs(5)).await;
    let mut quickest = Duration::MAX;
    for sequence in 1..=5 {
        watch.mark_unchanged();
        let committed = commit(&writer, &page, sequence).await;
        let begun = Instant::now();
        watch.changed().await.unwrap();
        assert_eq!(*watch.borrow(), committed);
        quickest = quickest.min(begun.elapsed());
    }
    // Polling alone would take half a second on average.
    assert!(quickest < Duration::from_millis(200), "{quickest:?}");
}

#[tokio::test]
async fn what_was_committed_during_a_loss_is_caught_up_with() {
    let (database, writer) = new_store().await;
    let first = first_batch(&writer).await;
    let page = writer.page(kasparro_domain::PageId(1)).await.unwrap().unwrap();
    let relay = Relay::start(&Postgres::shared().address());
    let reader = PostgresStore::open(settings(&database.url_at(&relay.address))).await.unwrap();
    let watch = reader.watch();
    hears(&watch, first.generation, Duration::from_secs(5)).await;
    relay.cut();
    let second = commit(&writer, &page, 1).await;
    relay.heal();
    hears(&watch, second, Duration::from_secs(5)).await;
    // A network that loses everything closes no connection.
    relay.stall();
    let third = commit(&writer, &page, 2).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(*watch.borrow(), second);
    relay.heal();
    hears(&watch, third, Duration::from_secs(8)).await;
}

#[tokio::test]
async fn without_any_notification_polling_tells_the_truth() {
    let (database, writer) = new_store().await;
    let first = first_batch(&writer).await;
    let reader = PostgresStore::open(settings(&database.url())).await.unwrap();
    let watch = reader.watch();
    hears(&watch, first.generation, Duration::from_secs(5)).await;
    // Moved past the program, so nobody is notified.
    database.sql("UPDATE kasparro.generation SET value = 7").await;
    hears(&watch, Generation(7), Duration::from_secs(5)).await;
}

#[tokio::test]
async fn nothing_listens_until_somebody_watches_and_nothing_stays_behind() {
    let (database, store) = new_store().await;
    let listening = async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                   AND (query LIKE 'LISTEN%' OR query LIKE 'SELECT value FROM generation%')
                   AND pid <> pg_backend_pid()";
        database.sql(sql).await[0][0].clone().unwrap()
    };
    assert_eq!(listening().await, "0");
    let watch = store.watch();
    within(Duration::from_secs(5), async || (listening().await == "1").then_some(())).await;
    drop((store, watch));
    within(Duration::from_secs(5), async || (listening().await == "0").then_some(())).await;
}
