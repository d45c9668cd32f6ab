//! Stores that share a database, each in a schema of its own or several in one.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "every test uses a part of it, and one that cannot be set up has failed"
)]

#[path = "../common/mod.rs"]
mod common;

pub(crate) use common::*;
use kasparro_domain::RawPage;
use kasparro_store::{Batch, BatchRow};
use kasparro_store_postgres::PostgresStore;
use kasparro_testkit::postgres::{Database, Postgres};

/// An empty database on the server that the tests of this process share.
pub(crate) fn database() -> Database {
    Postgres::shared().fresh_database()
}

/// A store in a schema of a database that is reached as the URL says.
pub(crate) async fn store_at(url: &str, schema: &str) -> PostgresStore {
    PostgresStore::open(settings(url).with_schema(schema).unwrap()).await.unwrap()
}

/// A store in a schema of a database.
pub(crate) async fn new_store(database: &Database, schema: &str) -> PostgresStore {
    store_at(&database.url(), schema).await
}

/// A batch whose rows are counted as done.
pub(crate) fn whole(page: &RawPage, epoch: u64, sequence: u64, rows: Vec<BatchRow>) -> Batch {
    let rows_done = page.rows_done + rows.len() as u64;
    Batch { rows_done, ..batch(page, epoch, sequence, rows) }
}
