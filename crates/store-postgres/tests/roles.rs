//! What each role may do, and what the server refuses it.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "roles/access.rs"]
mod access;
mod common;

use common::findings::watch;
use common::resolved::{resolution, resolve};
use common::whole::fill;
use common::{LEASE, at, first_batch, run_id, settings, source};
use kasparro_domain::{CommandKind, Generation, ListingId, RunReason};
use kasparro_store::{
    AlertOutcome, AlertStore, AnomalyFilter, AnomalyStore, AuditStore, BudgetStore, CommandStore,
    DriftFilter, DriftStore, HistoryRange, HistoryStore, IdentityStore, LeaseStore, NewsFilter,
    NewsStore, PageFilter, PageStore, QuarantineStore, ReadStore, RunFilter, RunStore, StoreError,
};
use kasparro_store_postgres::{MigrateMode, PostgresStore, migrate, roles_sql};
use kasparro_testkit::postgres::{Database, Postgres, execute};

/// A server of its own, since roles belong to a server and not to a database.
async fn with_roles() -> (Postgres, Database) {
    let server = Postgres::own();
    let database = server.fresh_database();
    database.sql(&roles_sql("kasparro")).await;
    database
        .sql(
            "CREATE ROLE the_owner LOGIN IN ROLE kasparro_owner;
             CREATE ROLE another_owner LOGIN IN ROLE kasparro_owner;
             CREATE ROLE the_worker LOGIN IN ROLE kasparro_worker;
             CREATE ROLE the_api LOGIN IN ROLE kasparro_api",
        )
        .await;
    migrate(&settings(&url(&server, &database, "the_owner"))).await.unwrap();
    (server, database)
}

fn url(server: &Postgres, database: &Database, user: &str) -> String {
    format!("postgres://{user}@{}/{}", server.address(), database.name)
}

async fn open(server: &Postgres, database: &Database, user: &str) -> PostgresStore {
    let mut settings = settings(&url(server, database, user));
    settings.migrate = MigrateMode::Check;
    PostgresStore::open(settings).await.unwrap()
}

/// The server refuses each statement for lack of a right.
async fn may_not(url: &str, statements: &[&str]) {
    for sql in statements {
        let sql = format!("SET search_path = kasparro; {sql}");
        let refused = execute(url, &sql).await;
        let code = refused.as_ref().err().and_then(|error| error.code());
        assert_eq!(code.map(|code| code.code()), Some("42501"), "{sql}: {refused:?}");
    }
}

#[tokio::test]
async fn everything_belongs_to_the_group_of_owners() {
    let (server, database) = with_roles().await;
    let owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class
                  WHERE relnamespace = 'kasparro'::regnamespace";
    assert_eq!(database.sql(owners).await, [[Some("kasparro_owner".to_owned())]]);
    // So another one may go on with it.
    migrate(&settings(&url(&server, &database, "another_owner"))).await.unwrap();
}

#[tokio::test]
async fn a_worker_does_its_work_and_changes_no_table() {
    let (server, database) = with_roles().await;
    let worker = open(&server, &database, "the_worker").await;
    first_batch(&worker).await;
    let kind = CommandKind::Run { source: source(), run_id: run_id(1), lists: false };
    let command = worker.submit(kind, at(0)).await.unwrap();
    let claimed = worker.claim_held(&[(source(), 1)], &[]).await.unwrap();
    assert_eq!(claimed.len(), 1);
    worker.complete(command, 1, serde_json::json!("done")).await.unwrap();
    assert_eq!(worker.discard(vec![1], "a person", "noise", at(5)).await.unwrap(), 1);
    worker.release(&source(), 1).await.unwrap();
    assert_eq!(worker.verify().await.unwrap().violations, []);
    may_not(
        &url(&server, &database, "the_worker"),
        &[
            "DELETE FROM history",
            "DELETE FROM quote",
            "UPDATE history SET price_usd = 1",
            "UPDATE raw_chunk SET bytes = ''",
            "UPDATE batch SET epoch = 1",
            "UPDATE decision SET who = ''",
            "UPDATE source SET name = 'x'",
            "DELETE FROM drift",
            "DELETE FROM evidence_past",
            "UPDATE evidence_past SET symbol = ''",
            "DELETE FROM identity",
            "TRUNCATE asset_edge",
            "UPDATE resolution SET pending = true",
            "DELETE FROM resolution",
            "DELETE FROM drift_profile",
            "DELETE FROM anomaly",
            "DELETE FROM budget",
            "TRUNCATE alert",
            "TRUNCATE quote",
            "DROP TABLE quote",
            "ALTER TABLE quote DROP COLUMN rank",
            "CREATE TABLE theirs (one integer)",
            "DELETE FROM refinery_schema_history",
            "INSERT INTO api_key SELECT * FROM api_key",
            "UPDATE api_key SET expires_at = NULL",
            "UPDATE api_key SET revoked_at = NULL",
            "UPDATE api_key SET last_used_at = NULL",
            "DELETE FROM api_key",
            "INSERT INTO request_usage VALUES ('a', now(), 0)",
            "UPDATE request_usage SET requests = 0",
            "DELETE FROM request_usage",
            "INSERT INTO once SELECT * FROM once",
            "UPDATE once SET commands = '{}'",
            "DELETE FROM once",
            "CREATE OR REPLACE FUNCTION store_now() RETURNS timestamptz LANGUAGE sql RETURN now()",
            "DROP SCHEMA kasparro CASCADE",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_worker_keeps_what_it_finds_and_the_api_reads_it() {
    let (server, database) = with_roles().await;
    let worker = open(&server, &database, "the_worker").await;
    fill(&worker).await;
    watch(&worker).await;
    resolve(&worker).await;
    let spent = worker.budget(&source(), "key").await.unwrap();
    let put = worker.put_budget(&source(), "key", spent.version, serde_json::json!(2)).await;
    assert_eq!(put, Ok(true));
    let due = worker.due_alerts(&[source()], at(50), 9).await.unwrap();
    let [alert] = due.as_slice() else { panic!("{due:?}") };
    worker.settle_alert(alert.alert_id, AlertOutcome::Delivered { at: at(51) }).await.unwrap();

    let api = open(&server, &database, "the_api").await;
    assert_eq!(api.drift(DriftFilter::default()).await.unwrap().len(), 2);
    assert!(api.profile(&source(), "tickers").await.unwrap().is_some());
    assert_eq!(api.anomalies(AnomalyFilter::default()).await.unwrap().len(), 2);
    assert_eq!(api.budget(&source(), "key").await.unwrap().version, 2);
    assert_eq!(api.budgets().await.unwrap().len(), 1);
    assert_eq!(api.alerts(9).await.unwrap()[1].delivered_at, Some(at(51)));
    assert_eq!(api.pages(PageFilter::default()).await.unwrap().len(), 5);
    let looked_at = api.identity_records(&[ListingId(1), ListingId(2)]).await.unwrap();
    assert_eq!((looked_at.len(), looked_at[0].past.len()), (2, 1));
    assert_eq!(api.asset_edges(&[ListingId(1)]).await.unwrap().len(), 1);
    assert_eq!(api.resolutions(9).await.unwrap().len(), 1);
    assert_eq!(api.identity_position().await.unwrap().resolved.unwrap().totals.listings, 3);
    assert_eq!(api.verify().await.unwrap().violations, []);
    let numbers = vec![kasparro_domain::DriftId(2)];
    let refused = api.accept_drift(numbers, "the api", "why", at(52)).await.unwrap_err();
    assert!(refused.to_string().contains("lacks a right"), "{refused}");
    let nothing = resolution(&api, Vec::new()).await;
    let refused = api.commit_resolution(nothing).await.unwrap_err();
    assert!(refused.to_string().contains("lacks a right"), "{refused}");
    let refused = api.put_budget(&source(), "key", 2, serde_json::json!(3)).await.unwrap_err();
    assert!(refused.to_string().contains("lacks a right"), "{refused}");
}

#[tokio::test]
async fn the_api_reads_and_asks_and_does_nothing_else() {
    let (server, database) = with_roles().await;
    let worker = open(&server, &database, "the_worker").await;
    first_batch(&worker).await;
    let api = open(&server, &database, "the_api").await;

    assert_eq!(api.ping().await.unwrap().kind, "postgres");
    let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    assert_eq!(api.changes(Generation(0), sender).await.unwrap().0, 1);
    assert_eq!(receiver.recv().await.unwrap().len(), 2);
    let points = api.history(ListingId(1), HistoryRange::default()).await.unwrap();
    assert_eq!(points.len(), 1);
    assert_eq!(api.runs(RunFilter { limit: 5, ..RunFilter::default() }).await.unwrap().len(), 1);
    assert_eq!(
        api.quarantined(kasparro_store::QuarantineFilter::default()).await.unwrap().len(),
        1
    );
    assert!(api.news(NewsFilter::default()).await.unwrap().is_empty());
    assert_eq!(api.source_summaries().await.unwrap().len(), 1);
    assert_eq!(api.verify().await.unwrap().violations, []);

    let gecko = kasparro_domain::SourceName::new("coingecko");
    let queued = api.queue_run(run_id(7), &gecko, RunReason::Manual, at(1)).await.unwrap();
    assert_eq!(queued.run_id, run_id(7));
    let kind = CommandKind::Run { source: gecko, run_id: run_id(7), lists: false };
    let command = api.submit(kind, at(1)).await.unwrap();
    assert!(api.command(command).await.unwrap().is_some());

    let refused = api.acquire(&source(), "the api", LEASE).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unavailable(why)
        if why.contains("kasparro db migrate")),
        "{refused}"
    );
    may_not(
        &url(&server, &database, "the_api"),
        &[
            "UPDATE quote SET price_usd = 1",
            "UPDATE run SET status = 'success'",
            "UPDATE command SET state = 'done'",
            "INSERT INTO command (kind, created_at, state, result) VALUES ('{}', now(), 'done', '{}')",
            "INSERT INTO lease VALUES (1, 'a', 1, now())",
            "UPDATE drift SET status = 'accepted'",
            "UPDATE identity SET class = 'coin'",
            "DELETE FROM asset_edge",
            "INSERT INTO evidence_past VALUES (1, '', '', now())",
            "UPDATE generation SET evidence_version = 7",
            "INSERT INTO drift_profile VALUES (1, 'tickers', '{}')",
            "UPDATE anomaly SET value = ''",
            "UPDATE alert SET delivered_at = now(), next_attempt_at = NULL",
            "INSERT INTO budget VALUES (1, 'key', 1, '{}')",
            "UPDATE budget SET version = 7",
            "UPDATE page SET state = 'landed', error = NULL",
            "DELETE FROM run",
            "DELETE FROM command",
            "TRUNCATE history",
            "DROP TABLE quote",
            "CREATE TABLE theirs (one integer)",
            "SELECT ensure_history_partition(0)",
        ],
    )
    .await;
}

#[tokio::test]
async fn who_may_not_even_look_is_told_what_to_do() {
    let (server, database) = with_roles().await;
    database.sql("CREATE ROLE a_stranger LOGIN").await;
    let mut settings = settings(&url(&server, &database, "a_stranger"));
    settings.migrate = MigrateMode::Check;
    let refused = PostgresStore::open(settings).await.unwrap_err().to_string();
    assert!(refused.contains("kasparro db migrate"), "{refused}");
}

#[tokio::test]
async fn the_statements_may_be_run_again() {
    let (_server, database) = with_roles().await;
    database.sql(&roles_sql("kasparro")).await;
    database.sql(&roles_sql("kasparro")).await;
}

#[tokio::test]
async fn roles_that_are_made_after_the_tables_get_their_rights() {
    let server = Postgres::own();
    let database = server.fresh_database();
    migrate(&settings(&database.url())).await.unwrap();
    database.sql(&roles_sql("kasparro")).await;
    database.sql("CREATE ROLE the_worker LOGIN IN ROLE kasparro_worker").await;
    let worker = open(&server, &database, "the_worker").await;
    first_batch(&worker).await;
    assert_eq!(worker.verify().await.unwrap().violations, []);
}
