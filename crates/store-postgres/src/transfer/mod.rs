//! A whole store on its way out of or into a schema.

mod cells;
mod export;
mod import;

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_store::{GENERATION, TABLES, TableSpec};
use tokio_postgres::types::Type;

use crate::error::Queried;

pub(crate) use export::export;
pub(crate) use import::import;

/// The first table in which something was ever written, if any.
pub(crate) async fn holds(client: &impl GenericClient) -> Queried<Option<&'static str>> {
    for table in TABLES {
        // Its row is there from the beginning.
        let written = if table.name == GENERATION { "WHERE value > 0" } else { "" };
        let sql = format!("SELECT EXISTS (SELECT FROM {} {written})", table.name);
        if client.query_one(&sql, &[]).await?.try_get(0)? {
            return Ok(Some(table.name));
        }
    }
    Ok(None)
}

/// A copy takes as long as it takes, and each side waits for the other in between.
async fn without_limits(transaction: &Transaction<'_>) -> Queried<()> {
    let limits =
        "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
    Ok(transaction.batch_execute(limits).await?)
}

/// The types of the columns of a table.
async fn types_of(transaction: &Transaction<'_>, table: &TableSpec) -> Queried<Vec<Type>> {
    let sql = format!("SELECT {} FROM {}", table.column_list(), table.name);
    let statement = transaction.prepare(&sql).await?;
    Ok(statement.columns().iter().map(|column| column.type_().clone()).collect())
}
