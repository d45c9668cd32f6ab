//! What migrations make of the store of an earlier version: everything stays, and what is new has the value
//! that was true of every row.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::collections::BTreeMap;

use common::findings::watch;
use common::whole::fill;
use common::{run_id, settings, source};
use kasparro_store::{
    AlertStore, AnomalyFilter, AnomalyStore, AuditStore, BudgetStore, DriftFilter, DriftStore,
    PageFilter, PageStore, QuarantineFilter, QuarantineStore, ReadStore, RunStore, StoreError,
};
use kasparro_store_postgres::{MigrateMode, Migrated, PostgresStore, migrate, roles_sql, status};
use kasparro_testkit::postgres::{Database, Postgres, connect};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The store of the first version in the schema `kasparro`: empty, as its program made it.
async fn first_version(database: &Database) {
    let mut client = connect(&database.url()).await.unwrap();
    let schema = "CREATE SCHEMA kasparro; SET search_path = kasparro";
    client.batch_execute(schema).await.unwrap();
    let first = refinery::Target::Version(1);
    let runner = embedded::migrations::runner().set_grouped(true).set_target(first);
    runner.run_async(&mut client).await.unwrap();
}

/// The columns that a program fills, by table.
async fn columns(database: &Database, schema: &str) -> BTreeMap<String, String> {
    let sql = "SELECT relname, string_agg(attname, ', ' ORDER BY attnum)
               FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
               WHERE relnamespace = to_regnamespace('{}') AND relkind IN ('r', 'p')
                 AND NOT relispartition AND relname <> 'refinery_schema_history'
                 AND attnum > 0 AND NOT attisdropped AND attgenerated = '' GROUP BY relname";
    let rows = database.sql(&sql.replace("{}", schema)).await.into_iter();
    rows.map(|row| <[_; 2]>::try_from(row).unwrap().map(Option::unwrap).into()).collect()
}

/// Has the store of the first version hold what a store of now holds, column by column, as far as the first
/// version knows them.
async fn hold_what(database: &Database, schema: &str) {
    let mut sql = format!(
        "SET search_path = kasparro; SET session_replication_role = replica;
         SELECT ensure_history_partition(hour) FROM {schema}.history;
         DELETE FROM generation; DELETE FROM minted;"
    );
    for (table, columns) in columns(database, "kasparro").await {
        let copied =
            format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM {schema}.{table};");
        sql.push_str(&copied);
    }
    let numbers = "SELECT setval(pg_get_serial_sequence(relname, attname), 1000)
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = 'kasparro'::regnamespace AND attidentity <> ''";
    database.sql(&format!("{sql} {numbers}")).await;
}

/// A store of now in the schema `now`, and one of the first version that holds the same.
async fn both() -> (Database, PostgresStore) {
    let database = Postgres::shared().fresh_database();
    let now = settings(&database.url()).with_schema("now").unwrap();
    let now = PostgresStore::open(now).await.unwrap();
    fill(&now).await;
    first_version(&database).await;
    hold_what(&database, "now").await;
    (database, now)
}

#[tokio::test]
async fn every_row_of_the_first_version_is_there_with_the_same_digest() {
    let (database, now) = both().await;
    let settings = settings(&database.url());
    let before = status(&settings).await.unwrap();
    assert_eq!((before.found, before.pending), (1, vec!["V2__watched_upstreams".to_owned()]));
    let mut checking = settings.clone();
    checking.migrate = MigrateMode::Check;
    let refused = PostgresStore::open(checking).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Unavailable(why) if why.contains("db migrate")));

    assert_eq!(migrate(&settings).await.unwrap(), Migrated { from: 1, to: 2 });
    let store = PostgresStore::open(settings).await.unwrap();
    let (report, expected) = (store.verify().await.unwrap(), now.verify().await.unwrap());
    assert_eq!(report.violations, []);
    assert!(report.tables["listing"].rows == 3 && report.tables["decision"].rows == 1);
    assert_eq!(report, expected);
    assert_eq!(store.dump().await.unwrap(), now.dump().await.unwrap());
    let all = QuarantineFilter::default();
    assert_eq!(store.quarantined(all.clone()).await, now.quarantined(all).await);
    let decisions = store.decisions().await.unwrap();
    assert_eq!(decisions, now.decisions().await.unwrap());
    assert!(decisions[0].drift.is_empty() && !decisions[0].forced);
    let pages = PageFilter::default();
    assert_eq!(store.pages(pages.clone()).await, now.pages(pages).await);
    assert_eq!(store.run(run_id(1)).await, now.run(run_id(1)).await);
}

#[tokio::test]
async fn a_migrated_store_goes_on_like_any_other() {
    let (database, now) = both().await;
    let store = PostgresStore::open(settings(&database.url())).await.unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    store.changes(kasparro_domain::Generation(0), sender).await.unwrap();
    assert!(receiver.recv().await.unwrap().iter().all(|row| !row.unusual));
    assert_eq!(store.drift(DriftFilter::default()).await.unwrap(), []);
    assert_eq!(store.profile(&source(), "tickers").await.unwrap(), None);
    assert_eq!(store.anomalies(AnomalyFilter::default()).await.unwrap(), []);
    assert_eq!(store.budgets().await.unwrap(), []);
    assert_eq!(store.alerts(9).await.unwrap(), []);
    watch(&store).await;
    watch(&now).await;
    assert_eq!(store.dump().await.unwrap(), now.dump().await.unwrap());
    assert_eq!(store.verify().await.unwrap().violations, []);
}

/// A program of the first version goes on until it is replaced.
#[tokio::test]
async fn rows_that_the_first_version_writes_later_are_as_it_would_have_written_them() {
    let (database, now) = both().await;
    let store = PostgresStore::open(settings(&database.url())).await.unwrap();
    let written = "SET search_path = kasparro;
        UPDATE quote SET price_usd = 7 WHERE listing_id = 1;
        INSERT INTO quote (listing_id, observed_at, source_timed, fetched_at, raw_hash, page_id,
                           ordinal)
        VALUES (3, now(), true, now(), 0, 1, 0) ON CONFLICT DO NOTHING;
        INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, after_page)
        VALUES ('discard', 1, '[]', 'a', 'b', 'epoch', 0)";
    database.sql(written).await;
    let marked = "SELECT bool_or(unusual)::text FROM kasparro.quote";
    assert_eq!(database.sql(marked).await, [[Some("false".to_owned())]]);
    assert_eq!(store.decisions().await.unwrap().len(), now.decisions().await.unwrap().len() + 1);
}

#[tokio::test]
async fn roles_get_their_rights_on_what_is_new() {
    let server = Postgres::own();
    let database = server.fresh_database();
    database.sql(&roles_sql("kasparro")).await;
    database.sql("CREATE ROLE the_worker LOGIN IN ROLE kasparro_worker").await;
    first_version(&database).await;
    migrate(&settings(&database.url())).await.unwrap();
    let worker = format!("postgres://the_worker@{}/{}", server.address(), database.name);
    let mut worker = settings(&worker);
    worker.migrate = MigrateMode::Check;
    let worker = PostgresStore::open(worker).await.unwrap();
    fill(&worker).await;
    watch(&worker).await;
    assert_eq!(worker.verify().await.unwrap().violations, []);
}
