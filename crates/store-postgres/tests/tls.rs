//! Every sslmode against a server that speaks TLS, and against one that does not.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::time::Duration;

use common::{settings, within};
use kasparro_store::ReadStore;
use kasparro_store_postgres::PostgresStore;
use kasparro_testkit::postgres::{Database, Postgres};

/// What the session of a store is encrypted with, or why it could not be opened.
async fn opened(database: &Database, url: &str, query: &str) -> Result<bool, String> {
    let store = PostgresStore::open(settings(&format!("{url}?{query}"))).await;
    let store = store.map_err(|error| error.to_string())?;
    store.ping().await.map_err(|error| error.to_string())?;
    // The store's only session; that of the test has no name.
    let ssl = "SELECT DISTINCT ssl::text FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
               WHERE datname = current_database() AND application_name = 'kasparro'";
    let ssl = database.sql(ssl).await;
    assert_eq!(ssl.len(), 1, "{ssl:?}");
    drop(store);
    let sessions = "SELECT 1 FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'kasparro'";
    within(Duration::from_secs(5), async || database.sql(sessions).await.is_empty().then_some(()))
        .await;
    Ok(ssl[0][0].as_deref() == Some("true"))
}

fn refused(outcome: &Result<bool, String>, part: &str) {
    let told = outcome.as_ref().unwrap_err();
    let remedy = told.contains("sslmode") || told.contains("sslrootcert");
    assert!(told.contains(part) && remedy, "{told}");
}

fn at(server: &Postgres, database: &Database, host: &str) -> String {
    let port = server.address();
    let port = port.rsplit(':').next().unwrap();
    database.url_at(&format!("{host}:{port}"))
}

#[tokio::test]
async fn each_mode_asks_for_what_it_says() {
    let server = Postgres::with_tls();
    let database = server.fresh_database();
    let certificates = server.certificates();
    let (own, foreign) =
        (certificates.authority.display(), certificates.foreign_authority.display());
    let (named, numbered) =
        (at(&server, &database, "localhost"), at(&server, &database, "127.0.0.1"));

    assert_eq!(opened(&database, &numbered, "sslmode=disable").await, Ok(false));
    assert_eq!(opened(&database, &numbered, "sslmode=prefer").await, Ok(true));
    assert_eq!(opened(&database, &numbered, "").await, Ok(true));
    assert_eq!(opened(&database, &numbered, "sslmode=require").await, Ok(true));

    let with =
        |mode: &str, root: &dyn std::fmt::Display| format!("sslmode={mode}&sslrootcert={root}");
    assert_eq!(opened(&database, &named, &with("verify-full", &own)).await, Ok(true));
    assert_eq!(opened(&database, &numbered, &with("verify-ca", &own)).await, Ok(true));
    refused(&opened(&database, &numbered, &with("verify-full", &own)).await, "not valid for name");
    for mode in ["require", "verify-ca", "verify-full"] {
        refused(&opened(&database, &named, &with(mode, &foreign)).await, "certificate");
    }
    // The authorities of the machine have not signed it either.
    for mode in ["verify-ca", "verify-full"] {
        refused(&opened(&database, &named, &format!("sslmode={mode}")).await, "");
    }
    refused(
        &opened(&database, &named, &with("verify-full", &"/no/such/file")).await,
        "/no/such/file",
    );
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    let server = Postgres::own();
    let database = server.fresh_database();
    let url = database.url();
    assert_eq!(opened(&database, &url, "sslmode=disable").await, Ok(false));
    assert_eq!(opened(&database, &url, "sslmode=prefer").await, Ok(false));
    for mode in ["require", "verify-ca&sslrootcert=/dev/null", "verify-full&sslrootcert=/dev/null"]
    {
        refused(&opened(&database, &url, &format!("sslmode={mode}")).await, "");
    }
    refused(&opened(&database, &url, "sslmode=require").await, "does not support TLS");
}
