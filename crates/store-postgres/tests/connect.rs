//! Reaching a server: its sessions, what is said when it cannot be reached, and coming back to it.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::time::Duration;

use common::{LEASE, batch, first_batch, landed, new_row, new_store, settings, source, within};
use kasparro_store::{Batch, BatchStore, KeyStore, LeaseStore, ReadStore, StoreError};
use kasparro_store_postgres::{MigrateMode, PostgresStore, migrate};
use kasparro_testkit::postgres::{Postgres, Relay};

/// What is said when a store at this URL is opened, in one line and without the password.
async fn refusal(url: &str) -> String {
    let refused = PostgresStore::open(settings(url)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    let told = refused.to_string();
    assert!(!told.contains('\n') && !told.contains("hidden"), "{told}");
    told
}

fn says(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "{told}");
    }
}

#[tokio::test]
async fn a_session_has_its_limits_and_its_schema() {
    let (database, store) = new_store().await;
    // What holds in the session of the store is written down by a statement of that session.
    database
        .sql(
            "CREATE TABLE public.seen (name text, value text);
             CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               INSERT INTO public.seen SELECT name, current_setting(name) FROM pg_settings;
               RETURN new;
             END $$;
             CREATE TRIGGER look BEFORE INSERT ON kasparro.source
               FOR EACH ROW EXECUTE FUNCTION public.look()",
        )
        .await;
    store.acquire(&source(), "test", LEASE).await.unwrap();
    for (name, value) in [
        ("application_name", "kasparro"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "3s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("client_connection_check_interval", "10s"),
        ("search_path", "kasparro,pg_temp"),
        ("TimeZone", "UTC"),
        ("transaction_isolation", "read committed"),
        ("synchronous_commit", "on"),
    ] {
        let seen =
            database.sql(&format!("SELECT value FROM public.seen WHERE name = '{name}'")).await;
        assert_eq!(seen, [[Some(value.to_owned())]], "{name}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_told_with_a_remedy() {
    let told = refusal("postgres://kasparro:hidden@127.0.0.1:1/market").await;
    says(&told, &["127.0.0.1:1/market", "check that the server runs"]);
}

#[tokio::test]
async fn an_unknown_host_is_told_with_a_remedy() {
    let told = refusal("postgres://kasparro:hidden@host.invalid/market").await;
    says(&told, &["host.invalid:5432/market", "check that the server runs"]);
}

#[tokio::test]
async fn a_missing_database_is_told_with_a_remedy() {
    let address = Postgres::shared().address();
    let told = refusal(&format!("postgres://kasparro:hidden@{address}/no_such_database")).await;
    says(&told, &[&address, "\"no_such_database\" does not exist", "create the database"]);
}

#[tokio::test]
async fn a_wrong_password_is_told_with_a_remedy() {
    let server = Postgres::own();
    let database = server.fresh_database();
    database.sql("CREATE ROLE somebody LOGIN PASSWORD 'right'").await;
    let rules = "host all somebody 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
    let file = database.sql("SHOW hba_file").await;
    std::fs::write(file[0][0].as_deref().unwrap(), rules).unwrap();
    database.sql("SELECT pg_reload_conf()").await;
    let url = |password: &str| {
        format!("postgres://somebody{password}@{}/{}", server.address(), database.name)
    };
    // The server takes the new rules up in a moment.
    let told = within(Duration::from_secs(5), async || {
        let told = PostgresStore::open(settings(&url(":hidden"))).await;
        let told = told.unwrap_err().to_string();
        told.contains("password authentication failed").then_some(told)
    })
    .await;
    says(&told, &["check user and password"]);
    assert!(!told.contains("hidden"), "{told}");
    let told = refusal(&url("")).await;
    says(&told, &["password missing", "check user and password"]);
    let told = refusal(&url(":right")).await;
    says(&told, &["permission denied for database", "as the owner"]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let relay = Relay::start(&Postgres::shared().address());
    let database = Postgres::shared().fresh_database();
    relay.stall();
    let mut settings = settings(&database.url_at(&relay.address));
    settings.connect_timeout = Duration::from_millis(300);
    let begun = std::time::Instant::now();
    let told = PostgresStore::open(settings).await.unwrap_err().to_string();
    says(&told, &["check"]);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_store_is_back_within_seconds_of_its_server() {
    let server = Postgres::own();
    let database = server.fresh_database();
    let store = PostgresStore::open(settings(&database.url())).await.unwrap();
    first_batch(&store).await;
    let watch = store.watch();
    server.kill();
    let told = store.generation().await.unwrap_err();
    assert!(matches!(told, StoreError::Unavailable(_)), "{told}");
    server.start();
    let begun = std::time::Instant::now();
    let generation = within(Duration::from_secs(5), async || store.generation().await.ok()).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(generation.0, 1);
    store.acquire(&source(), "test", LEASE).await.unwrap();
    // What others commit from now on is heard of again.
    let other = PostgresStore::open(settings(&database.url())).await.unwrap();
    let (epoch, page) = landed(&other).await;
    let more = batch(&page, epoch, 1, vec![new_row(0, "doge")]);
    other.commit(Batch { rows_done: 1, ..more }).await.unwrap();
    within(Duration::from_secs(5), async || (watch.borrow().0 == 2).then_some(())).await;
}

#[tokio::test]
async fn connections_that_were_cut_off_cost_nobody_an_error() {
    let relay = Relay::start(&Postgres::shared().address());
    let database = Postgres::shared().fresh_database();
    let store = PostgresStore::open(settings(&database.url_at(&relay.address))).await.unwrap();
    store.generation().await.unwrap();
    for _ in 0..3 {
        relay.cut();
        relay.heal();
        assert_eq!(store.generation().await.unwrap().0, 0);
    }
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(!database.sql(ended).await.is_empty());
    assert_eq!(store.generation().await.unwrap().0, 0);
}

#[tokio::test]
async fn a_pool_whose_connections_are_all_busy_says_so() {
    let database = Postgres::shared().fresh_database();
    let mut settings = settings(&database.url());
    (settings.pool_size, settings.statement_timeout) = (1, Duration::from_millis(500));
    let store = PostgresStore::open(settings).await.unwrap();
    first_batch(&store).await;
    let (sender, _kept) = tokio::sync::mpsc::channel(1);
    // Nobody takes the pieces, and one fits into the channel: the second call holds the connection.
    sender.send(Vec::new()).await.unwrap();
    let changes = store.changes(kasparro_domain::Generation(0), sender);
    let waiting = tokio::time::timeout(Duration::from_secs(2), async {
        tokio::join!(changes, async {
            let told = store.generation().await.unwrap_err().to_string();
            says(&told, &["every one of 1 connections is busy"]);
        })
    });
    assert!(waiting.await.is_err(), "the changes are not taken");
    assert_eq!(store.generation().await.unwrap().0, 1);
}

#[tokio::test]
async fn a_lock_that_is_not_given_up_is_told_as_busy() {
    let database = Postgres::shared().fresh_database();
    let mut settings = settings(&database.url());
    settings.lock_timeout = Duration::from_millis(200);
    let store = PostgresStore::open(settings).await.unwrap();
    store.acquire(&source(), "test", LEASE).await.unwrap();
    let other = kasparro_testkit::postgres::connect(&database.url()).await.unwrap();
    other.batch_execute("BEGIN; SELECT * FROM kasparro.lease FOR UPDATE").await.unwrap();
    let told = store.renew(&source(), 1, LEASE).await.unwrap_err().to_string();
    says(&told, &["55P03", "try again"]);
    other.batch_execute("ROLLBACK").await.unwrap();
    store.renew(&source(), 1, LEASE).await.unwrap();
}

#[tokio::test]
async fn checking_makes_nothing() {
    let database = Postgres::shared().fresh_database();
    let mut settings = settings(&database.url());
    settings.migrate = MigrateMode::Check;
    let told = PostgresStore::open(settings).await.unwrap_err().to_string();
    says(&told, &["kasparro db migrate"]);
    assert_eq!(database.sql("SELECT to_regnamespace('kasparro')").await, [[None]]);
}

#[tokio::test]
async fn before_the_schema_is_there_no_table_is_asked_for() {
    let server = Postgres::own();
    let database = server.fresh_database();
    let store = PostgresStore::unopened(settings(&database.url())).unwrap();
    let watch = store.watch();
    for told in [store.generation().await.unwrap_err(), store.keys().await.unwrap_err()] {
        says(&told.to_string(), &["the schema kasparro holds no store", "kasparro db migrate"]);
    }
    // Made by another program, or by one of us that has only begun.
    database.sql("CREATE SCHEMA kasparro; CREATE TABLE kasparro.theirs (n int)").await;
    let told = store.generation().await.unwrap_err().to_string();
    says(&told, &["another program"]);
    database.sql("DROP SCHEMA kasparro CASCADE").await;
    migrate(&settings(&database.url())).await.unwrap();
    assert_eq!(store.generation().await.unwrap().0, 0);
    first_batch(&store).await;
    within(Duration::from_secs(5), async || (watch.borrow().0 == 1).then_some(())).await;
    assert_eq!(server.refused(), [""; 0]);
}

#[tokio::test]
async fn a_role_without_rights_in_the_schema_is_told_so_and_not_refused() {
    let server = Postgres::own();
    let database = server.fresh_database();
    migrate(&settings(&database.url())).await.unwrap();
    database.sql("CREATE ROLE somebody LOGIN").await;
    let url = format!("postgres://somebody@{}/{}", server.address(), database.name);
    let store = PostgresStore::unopened(settings(&url)).unwrap();
    for right in ["USAGE ON SCHEMA kasparro", "SELECT ON ALL TABLES IN SCHEMA kasparro"] {
        let told = store.generation().await.unwrap_err().to_string();
        says(&told, &["the role lacks a right", "kasparro db migrate"]);
        database.sql(&format!("GRANT {right} TO somebody")).await;
    }
    assert_eq!(store.generation().await.unwrap().0, 0);
    assert_eq!(server.refused(), [""; 0]);
}
