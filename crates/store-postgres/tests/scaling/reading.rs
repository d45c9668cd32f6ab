//! What a standby or a missing month means to a store.

use std::time::Duration;

use kasparro_domain::{CommandKind, Generation, ListingId, PageId, RunReason, SourceName};
use kasparro_store::{
    AlertStore, AnomalyFilter, AnomalyStore, AuditReport, AuditStore, BudgetStore, CommandStore,
    DriftFilter, DriftStore, HistoryRange, HistoryStore, LeaseStore, NewsFilter, NewsStore,
    PageFilter, PageStore, QuarantineFilter, QuarantineStore, ReadStore, RunFilter, RunStore,
    StoreError,
};
use kasparro_store_postgres::{MigrateMode, PostgresStore};
use tokio::sync::mpsc;

use super::common::{at, first_batch, new_store, run_id, settings, source, within};
use super::document;

/// Every call by which an API or `kasparro verify` reads.
async fn every_read(store: &PostgresStore) {
    let (pieces, mut sent) = mpsc::channel(4);
    assert_eq!(store.changes(Generation(0), pieces).await.unwrap(), Generation(1));
    assert_eq!(sent.recv().await.unwrap().len(), 2);
    assert_eq!(store.generation().await.unwrap(), Generation(1));
    store.ping().await.unwrap();
    assert_eq!(store.history(ListingId(1), HistoryRange::default()).await.unwrap().len(), 1);
    let runs = RunFilter { sources: Vec::new(), status: None, limit: 10, offset: 0 };
    assert_eq!(store.runs(runs.clone()).await.unwrap().len(), 1);
    assert_eq!(store.count_runs(runs).await.unwrap(), 1);
    assert!(store.run(run_id(1)).await.unwrap().is_some());
    assert_eq!(store.source_summaries().await.unwrap().len(), 1);
    assert_eq!(store.quarantine_counts().await.unwrap().len(), 1);
    store.source_states().await.unwrap();
    assert_eq!(store.leases().await.unwrap().len(), 1);
    let all = QuarantineFilter::default();
    assert_eq!(store.quarantined(all.clone()).await.unwrap().len(), 1);
    assert_eq!(store.count_quarantined(all).await.unwrap(), 1);
    store.decisions().await.unwrap();
    assert_eq!(store.count_news(NewsFilter::default()).await.unwrap(), 0);
    store.news(NewsFilter::default()).await.unwrap();
    assert_eq!(store.pages(PageFilter::default()).await.unwrap().len(), 1);
    assert_eq!(store.count_pages(PageFilter::default()).await.unwrap(), 1);
    assert_eq!(store.drift(DriftFilter::default()).await.unwrap(), []);
    assert_eq!(store.count_drift(DriftFilter::default()).await.unwrap(), 0);
    assert_eq!(store.profile(&source(), "tickers").await.unwrap(), None);
    assert_eq!(store.anomalies(AnomalyFilter::default()).await.unwrap(), []);
    assert_eq!(store.count_anomalies(AnomalyFilter::default()).await.unwrap(), 0);
    assert!(store.budget(&source(), "key").await.unwrap().now.is_some());
    assert_eq!(store.budgets().await.unwrap(), []);
    assert_eq!(store.alerts(10).await.unwrap(), []);
    assert_eq!(store.due_alerts(&[source()], at(9), 10).await.unwrap(), []);
    assert_eq!(store.pages_after(PageId(0), 10).await.unwrap().len(), 1);
    assert_eq!(store.verify().await.unwrap().violations, []);
}

/// Every call by which an API leaves work for others is refused, with what to do about it.
async fn every_request_is_refused(store: &PostgresStore) {
    let other = SourceName::new("coingecko");
    let queued = store.queue_run(run_id(9), &other, RunReason::Manual, at(9)).await;
    let run = CommandKind::Run { source: other, run_id: run_id(9), lists: false };
    let submitted = store.submit(run, at(9)).await;
    for refused in [queued.map(drop), submitted.map(drop)] {
        match refused {
            Err(StoreError::Unavailable(why)) => assert!(why.contains("not a standby"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

/// A standby refuses writes in the same way, with the same SQLSTATE.
#[tokio::test]
async fn a_database_that_only_reads_serves_every_read_and_refuses_requests() {
    let (database, store) = new_store().await;
    first_batch(&store).await;
    drop(store);
    let only_reads = "ALTER DATABASE {} SET default_transaction_read_only = on";
    database.sql(&only_reads.replace("{}", &database.name)).await;
    let mut settings = settings(&database.url());
    settings.migrate = MigrateMode::Check;
    let store = PostgresStore::open(settings).await.unwrap();
    every_read(&store).await;
    every_request_is_refused(&store).await;
    let announced = store.watch();
    within(Duration::from_secs(10), async || (*announced.borrow() == Generation(1)).then_some(()))
        .await;
}

/// The digests of every table but history.
fn others(report: &AuditReport) -> Vec<String> {
    let tables = report.tables.iter().filter(|(name, _)| **name != "history");
    tables.map(|(name, table)| format!("{name} {table:?}")).collect()
}

#[tokio::test]
async fn verify_tells_of_quotes_whose_month_was_taken_out_and_the_digest_comes_back_with_it() {
    let (database, store) = new_store().await;
    first_batch(&store).await;
    let whole = store.verify().await.unwrap();
    assert_eq!(whole.violations, []);

    let here = |text: &str| {
        let month = text.replace("2025_01", "2023_11");
        month.replace("482136", "471888").replace("482880", "472608")
    };
    for statement in document::statements("detach") {
        database.sql(&here(statement)).await;
    }
    let less = store.verify().await.unwrap();
    let told: Vec<_> =
        less.violations.iter().map(|found| (found.invariant, found.detail.as_str())).collect();
    assert_eq!(told, [("quote", "2 quotes have no point in history")]);
    assert!(document::says("`2 quotes have no point in history`"));
    assert_ne!(less.digest, whole.digest);
    assert_eq!(others(&less), others(&whole));

    for statement in document::statements("attach") {
        database.sql(&here(statement)).await;
    }
    assert_eq!(store.verify().await.unwrap(), whole);
}
