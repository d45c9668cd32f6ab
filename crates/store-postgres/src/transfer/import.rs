//! Every table, written as its pieces come.

use std::collections::BTreeSet;

use bytes::Bytes;
use deadpool_postgres::{Client, Transaction};
use kasparro_domain::Generation;
use kasparro_store::{
    Arrival, Cell, GENERATION, Piece, Rows, StoreError, TABLES, TableSpec, not_empty,
};
use tokio::sync::mpsc::Receiver;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::cells::Sent;
use super::{holds, types_of, without_limits};
use crate::error::{Queried, refused};
use crate::store::finish;

/// Writes everything that comes in one transaction, and returns the generation that it brought.
pub(crate) async fn import(
    client: &mut Client,
    channel: &str,
    mut pieces: Receiver<Piece>,
) -> Queried<Generation> {
    let transaction = client.transaction().await?;
    lock(&transaction).await?;
    if let Some(table) = holds(&transaction).await? {
        return Err(not_empty(table).into());
    }
    without_limits(&transaction).await?;
    // Its row is there from the beginning; that of the other store comes in its place.
    transaction.batch_execute(&format!("DELETE FROM {GENERATION}")).await?;
    let (mut arrival, mut types, mut minted) = (Arrival::default(), Vec::new(), Vec::new());
    while let Some(piece) = pieces.recv().await {
        arrival.see(&piece)?;
        match piece {
            Piece::Table { table, minted: last, .. } => {
                types = types_of(&transaction, table).await?;
                minted.extend(table.mints.zip(last).map(|(column, last)| (table, column, last)));
            }
            Piece::Rows(rows) => write(&transaction, &rows, &types).await?,
            Piece::End => break,
        }
    }
    arrival.ended()?;
    // Before anybody reads: a plan made for empty tables would serve the first hours badly.
    transaction.batch_execute(&format!("ANALYZE {}", every_table())).await?;
    for (table, column, last) in minted {
        reserve(&transaction, table, column, last).await?;
    }
    let generation = format!("SELECT value FROM {GENERATION}");
    let generation: i64 = transaction.query_one(&generation, &[]).await?.try_get(0)?;
    let notify = "SELECT pg_notify($1, $2)";
    transaction.query_one(notify, &[&channel, &generation.to_string()]).await?;
    finish(transaction).await?;
    Ok(Generation(u64::try_from(generation).unwrap_or(0)))
}

fn every_table() -> String {
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    names.join(", ")
}

/// Keeps everybody else from writing. Readers see an empty store until the end.
async fn lock(transaction: &Transaction<'_>) -> Queried<()> {
    let lock = format!("LOCK TABLE minted, {} IN SHARE ROW EXCLUSIVE MODE", every_table());
    Ok(transaction.batch_execute(&lock).await?)
}

async fn write(transaction: &Transaction<'_>, rows: &Rows, types: &[Type]) -> Queried<()> {
    let table = rows.table();
    make_months(transaction, rows).await?;
    let sql = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", table.name, table.column_list());
    let writer = BinaryCopyInWriter::new(transaction.copy_in::<_, Bytes>(&sql).await?, types);
    let mut writer = std::pin::pin!(writer);
    for row in rows.iter() {
        let values: Vec<Sent<'_>> = row.iter().map(Sent).collect();
        let mut given: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(values.len());
        for value in &values {
            given.push(value);
        }
        if let Err(error) = writer.as_mut().write(&given).await {
            return unfit(table, error);
        }
    }
    let written = writer.as_mut().finish().await?;
    if written == rows.len() { Ok(()) } else { refused(format!("{written} rows were written")) }
}

/// Says which table has the value that cannot be written.
fn unfit<T>(table: &TableSpec, error: tokio_postgres::Error) -> Queried<T> {
    match std::error::Error::source(&error) {
        Some(cause) if error.code().is_none() && !crate::error::lost(&error) => {
            refused(format!("{}: {cause}", table.name))
        }
        _ => Err(error.into()),
    }
}

/// Makes the months of history that rows fall into, which have to be there before them.
async fn make_months(transaction: &Transaction<'_>, rows: &Rows) -> Queried<()> {
    let hour = rows.table().columns.iter().position(|column| column.name == "hour");
    let Some(hour) = hour.filter(|_| rows.table().name == "history") else {
        return Ok(());
    };
    let mut hours = BTreeSet::new();
    for row in rows.iter() {
        if let Some(Cell::Integer(number)) = row.get(hour) {
            let unfit = |_| StoreError::Conflict(format!("history: there is no hour {number}"));
            hours.insert(i32::try_from(*number).map_err(unfit)?);
        }
    }
    let hours: Vec<i32> = hours.into_iter().collect();
    let sql = "SELECT ensure_history_partition(min(hour)) FROM unnest($1::integer[]) AS hour
               GROUP BY date_trunc('month', to_timestamp(hour::float8 * 3600) AT TIME ZONE 'UTC')";
    transaction.query(sql, &[&hours]).await?;
    Ok(())
}

/// Keeps the numbers up to `last` from being given a second time.
async fn reserve(
    transaction: &Transaction<'_>,
    table: &TableSpec,
    column: &str,
    last: i64,
) -> Queried<()> {
    let sequence = "SELECT pg_get_serial_sequence($1, $2)";
    let sequence: Option<String> =
        transaction.query_one(sequence, &[&table.name, &column]).await?.try_get(0)?;
    match sequence {
        Some(sequence) => {
            let set = "SELECT setval($1::text::regclass, greatest($2::bigint, 1), $2 > 0)";
            transaction.query_one(set, &[&sequence, &last]).await?;
        }
        None => {
            let set = format!("UPDATE minted SET {column} = greatest({column}, $1::bigint)");
            transaction.execute(&set, &[&last]).await?;
        }
    }
    Ok(())
}
