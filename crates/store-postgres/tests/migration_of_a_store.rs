//! What migrations make of the store of an earlier version: everything stays, and what is new has the value
//! that was true of every row.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::collections::BTreeMap;

use common::access::ask;
use common::findings::watch;
use common::resolved::{relate, resolve};
use common::whole::fill;
use common::{at, run_id, settings, source};
use kasparro_domain::{EdgeTerms, Generation, IdentityState, ListingId};
use kasparro_store::{
    AlertStore, AnomalyFilter, AnomalyStore, AuditStore, BudgetStore, DriftFilter, DriftStore,
    IdentityPosition, IdentityStore, KeyStore, PageFilter, PageStore, QuarantineFilter,
    QuarantineStore, ReadStore, RunStore, StoreError, UsageStore,
};
use kasparro_store_postgres::{MigrateMode, Migrated, PostgresStore, migrate, roles_sql, status};
use kasparro_testkit::postgres::{Database, Postgres, connect};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The store of an earlier version in the schema `kasparro`: empty, as its program made it.
async fn earlier_version(database: &Database, version: i32) {
    let mut client = connect(&database.url()).await.unwrap();
    let schema = "CREATE SCHEMA kasparro; SET search_path = kasparro";
    client.batch_execute(schema).await.unwrap();
    let target = refinery::Target::Version(version);
    let runner = embedded::migrations::runner().set_grouped(true).set_target(target);
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

/// Has the store of an earlier version hold what a store of now holds, column by column, as far as that
/// version knows them. The first two never counted how often evidence changed.
async fn hold_what(database: &Database, schema: &str, version: i32) {
    let counted = if version < 3 { "0" } else { "evidence_version" };
    let mut sql = format!(
        "SET search_path = kasparro; SET session_replication_role = replica;
         SELECT ensure_history_partition(hour) FROM {schema}.history;
         DELETE FROM generation; DELETE FROM minted;
         UPDATE {schema}.generation SET evidence_version = {counted};"
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

fn pending(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A store of now in the schema `now`, and one of an earlier version that holds the same: everything that the
/// version knows.
async fn both(version: i32) -> (Database, PostgresStore) {
    let database = Postgres::shared().fresh_database();
    let now = settings(&database.url()).with_schema("now").unwrap();
    let now = PostgresStore::open(now).await.unwrap();
    fill(&now).await;
    if version > 1 {
        watch(&now).await;
    }
    if version > 2 {
        resolve(&now).await;
    }
    if version > 3 {
        ask(&now).await;
    }
    earlier_version(&database, version).await;
    hold_what(&database, "now", version).await;
    (database, now)
}

#[tokio::test]
async fn every_row_of_the_first_version_is_there_with_the_same_digest() {
    let (database, now) = both(1).await;
    let settings = settings(&database.url());
    let before = status(&settings).await.unwrap();
    assert_eq!((before.found, before.pending.len()), (1, 4));
    let mut checking = settings.clone();
    checking.migrate = MigrateMode::Check;
    let refused = PostgresStore::open(checking).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Unavailable(why) if why.contains("db migrate")));

    assert_eq!(migrate(&settings).await.unwrap(), Migrated { from: 1, to: 5 });
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
    let (database, now) = both(1).await;
    let store = PostgresStore::open(settings(&database.url())).await.unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    store.changes(Generation(0), sender).await.unwrap();
    assert!(receiver.recv().await.unwrap().iter().all(|row| !row.unusual));
    assert_eq!(store.drift(DriftFilter::default()).await.unwrap(), []);
    assert_eq!(store.profile(&source(), "tickers").await.unwrap(), None);
    assert_eq!(store.anomalies(AnomalyFilter::default()).await.unwrap(), []);
    assert_eq!(store.budgets().await.unwrap(), []);
    assert_eq!(store.alerts(9).await.unwrap(), []);
    watch(&store).await;
    watch(&now).await;
    resolve(&store).await;
    resolve(&now).await;
    assert_eq!(store.dump().await.unwrap(), now.dump().await.unwrap());
    assert_eq!(store.verify().await.unwrap().violations, []);
}

#[tokio::test]
async fn every_row_of_the_second_version_is_there_with_the_same_digest() {
    let (database, now) = both(2).await;
    let settings = settings(&database.url());
    let before = status(&settings).await.unwrap();
    let names = ["V3__one_asset", "V4__trusted_api", "V5__relations"];
    assert_eq!((before.found, before.pending), (2, pending(&names)));
    assert_eq!(migrate(&settings).await.unwrap(), Migrated { from: 2, to: 5 });
    let store = PostgresStore::open(settings).await.unwrap();
    let (report, expected) = (store.verify().await.unwrap(), now.verify().await.unwrap());
    assert_eq!(report.violations, []);
    assert!(report.tables["drift"].rows == 2 && report.tables["evidence"].rows == 1);
    assert_eq!(report, expected);
    assert_eq!(store.dump().await.unwrap(), now.dump().await.unwrap());
    let decisions = store.decisions().await.unwrap();
    assert_eq!(decisions, now.decisions().await.unwrap());
    assert!(decisions.len() == 2 && decisions.iter().all(|decision| decision.pairs.is_empty()));

    let generation = store.generation().await.unwrap();
    let nothing_yet = IdentityPosition { generation, ..IdentityPosition::default() };
    assert_eq!(store.identity_position().await.unwrap(), nothing_yet);
    assert_eq!(store.identity_records(&[ListingId(1)]).await.unwrap(), []);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    store.changes(Generation(0), sender).await.unwrap();
    let rows = receiver.recv().await.unwrap();
    assert!(rows.iter().all(|row| row.asset_id == row.founded_asset_id && rows.len() == 3));
    assert!(rows.iter().all(|row| row.identity == IdentityState::Unresolved));
    let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    store.identity_input(Generation(0), sender).await.unwrap();
    let inputs = receiver.recv().await.unwrap();
    let said: Vec<_> = inputs.iter().map(|one| (one.statements.len(), one.past.len())).collect();
    assert_eq!(said, [(0, 0), (0, 0), (1, 0)]);
    assert_eq!(inputs[2].statements[0].evidence.kind, None);

    resolve(&store).await;
    resolve(&now).await;
    assert_eq!(store.dump().await.unwrap(), now.dump().await.unwrap());
    assert_eq!(store.verify().await.unwrap().violations, []);
}

#[tokio::test]
async fn every_row_of_the_third_version_is_there_with_the_same_digest() {
    let (database, now) = both(3).await;
    let settings = settings(&database.url());
    let before = status(&settings).await.unwrap();
    assert_eq!((before.found, before.pending), (3, pending(&["V4__trusted_api", "V5__relations"])));
    assert_eq!(migrate(&settings).await.unwrap(), Migrated { from: 3, to: 5 });
    let store = PostgresStore::open(settings).await.unwrap();
    let (report, expected) = (store.verify().await.unwrap(), now.verify().await.unwrap());
    assert_eq!(report.violations, []);
    assert_eq!(report.tables["listing"].rows, 4);
    assert_eq!(report, expected);
    assert_eq!(store.dump().await.unwrap(), now.dump().await.unwrap());
    let position = store.identity_position().await.unwrap();
    assert_eq!(position, now.identity_position().await.unwrap());
    assert_eq!(store.resolutions(9).await.unwrap(), now.resolutions(9).await.unwrap());

    assert_eq!(store.keys().await.unwrap(), []);
    assert_eq!(store.share_usage(Vec::new(), at(0)).await.unwrap().used, []);
    ask(&store).await;
    ask(&now).await;
    assert_eq!(store.keys().await.unwrap(), now.keys().await.unwrap());
    assert_eq!(store.verify().await.unwrap(), now.verify().await.unwrap());
}

#[tokio::test]
async fn every_row_of_the_fourth_version_is_there_with_the_same_digest() {
    let (database, now) = both(4).await;
    let settings = settings(&database.url());
    let before = status(&settings).await.unwrap();
    assert_eq!((before.found, before.pending), (4, pending(&["V5__relations"])));
    assert_eq!(migrate(&settings).await.unwrap(), Migrated { from: 4, to: 5 });
    let store = PostgresStore::open(settings).await.unwrap();
    let (report, expected) = (store.verify().await.unwrap(), now.verify().await.unwrap());
    assert_eq!(report.violations, []);
    assert_eq!(report, expected);
    assert_eq!(store.dump().await.unwrap(), now.dump().await.unwrap());
    let decisions = store.decisions().await.unwrap();
    assert_eq!(decisions, now.decisions().await.unwrap());
    assert!(decisions.len() == 3 && decisions.iter().all(|decision| decision.relation.is_none()));
    let edges = store.asset_edges(&[ListingId(2)]).await.unwrap();
    assert_eq!(edges, now.asset_edges(&[ListingId(2)]).await.unwrap());
    assert!(edges.len() == 1 && edges[0].terms == EdgeTerms::default());
    assert_eq!(store.keys().await.unwrap(), now.keys().await.unwrap());

    relate(&store).await;
    relate(&now).await;
    let edges = store.asset_edges(&[ListingId(2)]).await.unwrap();
    assert!(edges.len() == 2 && edges[0].terms.ratio.is_some());
    assert_eq!(store.dump().await.unwrap(), now.dump().await.unwrap());
    assert_eq!(store.verify().await.unwrap().violations, []);
}

/// A program of the first version goes on until it is replaced.
#[tokio::test]
async fn rows_that_the_first_version_writes_later_are_as_it_would_have_written_them() {
    let (database, now) = both(1).await;
    let store = PostgresStore::open(settings(&database.url())).await.unwrap();
    let written = "SET search_path = kasparro;
        UPDATE quote SET price_usd = 7 WHERE listing_id = 1;
        INSERT INTO quote (listing_id, observed_at, source_timed, fetched_at, raw_hash, page_id,
                           ordinal)
        VALUES (3, now(), true, now(), 0, 1, 0) ON CONFLICT DO NOTHING;
        INSERT INTO evidence (listing_id, endpoint, part, content_hash, page_id, ordinal,
                              first_seen_at, fetched_at)
        VALUES (1, 'coins_list', '', 0, 1, 0, 'epoch', 'epoch');
        UPDATE generation SET value = value + 1;
        INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, after_page)
        VALUES ('discard', 1, '[]', 'a', 'b', 'epoch', 0)";
    database.sql(written).await;
    let marked = "SELECT bool_or(unusual)::text FROM kasparro.quote";
    assert_eq!(database.sql(marked).await, [[Some("false".to_owned())]]);
    let stated = "SELECT count(*)::text FROM kasparro.evidence WHERE kind IS NULL";
    assert_eq!(database.sql(stated).await, [[Some("2".to_owned())]]);
    assert_eq!(store.identity_position().await.unwrap().evidence_version, 0);
    assert_eq!(store.decisions().await.unwrap().len(), now.decisions().await.unwrap().len() + 1);
}

#[tokio::test]
async fn roles_get_their_rights_on_what_is_new() {
    let server = Postgres::own();
    let database = server.fresh_database();
    database.sql(&roles_sql("kasparro")).await;
    let logins = "CREATE ROLE the_worker LOGIN IN ROLE kasparro_worker;
                  CREATE ROLE the_api LOGIN IN ROLE kasparro_api";
    database.sql(logins).await;
    earlier_version(&database, 1).await;
    migrate(&settings(&database.url())).await.unwrap();
    let open = async |user| {
        let url = format!("postgres://{user}@{}/{}", server.address(), database.name);
        let mut settings = settings(&url);
        settings.migrate = MigrateMode::Check;
        PostgresStore::open(settings).await.unwrap()
    };
    ask(&open("the_api").await).await;
    let worker = open("the_worker").await;
    fill(&worker).await;
    watch(&worker).await;
    resolve(&worker).await;
    relate(&worker).await;
    assert_eq!(worker.verify().await.unwrap().violations, []);
}
