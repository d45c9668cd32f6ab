//! Every table, sent in pieces.

use deadpool_postgres::{Client, Transaction};
use futures_util::TryStreamExt;
use kasparro_store::{Audit, Piece, Rows, TABLES, TableSpec, receiver_gone};
use tokio::sync::mpsc::Sender;
use tokio_postgres::IsolationLevel;
use tokio_postgres::binary_copy::BinaryCopyOutStream;

use super::cells::Received;
use super::{types_of, without_limits};
use crate::error::{Queried, damaged};
use crate::queries::audit;

/// Sends everything and hands it to the audit, in one snapshot.
pub(crate) async fn export(
    client: &mut Client,
    out: Sender<Piece>,
    audit: Audit,
) -> Queried<Audit> {
    let snapshot = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    without_limits(&snapshot).await?;
    for table in TABLES {
        let count = format!("SELECT count(*) FROM {}", table.name);
        let rows: i64 = snapshot.query_one(&count, &[]).await?.try_get(0)?;
        let rows = u64::try_from(rows).unwrap_or(0);
        let minted = minted(&snapshot, table).await?;
        send(&out, Piece::Table { table, rows, minted }).await?;
        send_rows(&snapshot, table, &out).await?;
    }
    send(&out, Piece::End).await?;
    // The target need not wait for what follows.
    drop(out);
    let audit = audit::audit(&snapshot, audit).await?;
    snapshot.commit().await?;
    Ok(audit)
}

async fn send(out: &Sender<Piece>, piece: Piece) -> Queried<()> {
    out.send(piece).await.map_err(|_| receiver_gone().into())
}

/// The largest number that was given out, whatever became of its row. Sequences are not part of a
/// snapshot, so this may be ahead of the rows, which costs nothing.
async fn minted(snapshot: &Transaction<'_>, table: &TableSpec) -> Queried<Option<i64>> {
    let Some(column) = table.mints else {
        return Ok(None);
    };
    let sequence = "SELECT pg_get_serial_sequence($1, $2)";
    let sequence: Option<String> =
        snapshot.query_one(sequence, &[&table.name, &column]).await?.try_get(0)?;
    let given = match sequence {
        Some(sequence) => {
            format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")
        }
        None => format!("SELECT {column} FROM minted"),
    };
    let sql = format!(
        "SELECT greatest(({given}), coalesce((SELECT max({column}) FROM {}), 0))",
        table.name
    );
    Ok(Some(snapshot.query_one(&sql, &[]).await?.try_get(0)?))
}

async fn send_rows(
    snapshot: &Transaction<'_>,
    table: &'static TableSpec,
    out: &Sender<Piece>,
) -> Queried<()> {
    let types = types_of(snapshot, table).await?;
    let (columns, key) = (table.column_list(), table.key_list());
    let sql = format!(
        "COPY (SELECT {columns} FROM {} ORDER BY {key}) TO STDOUT (FORMAT binary)",
        table.name
    );
    let stream = BinaryCopyOutStream::new(snapshot.copy_out(&sql).await?, &types);
    let mut stream = std::pin::pin!(stream);
    let mut rows = Rows::of(table);
    while let Some(row) = stream.try_next().await? {
        for (index, column) in table.columns.iter().enumerate() {
            let value: Received = row.try_get(index).map_err(|error| {
                let cause = std::error::Error::source(&error);
                let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
                damaged(&format!("{}.{}", table.name, column.name), cause)
            })?;
            rows.push(value.0);
        }
        if rows.is_full() {
            send(out, Piece::Rows(std::mem::replace(&mut rows, Rows::of(table)))).await?;
        }
    }
    if rows.is_empty() { Ok(()) } else { send(out, Piece::Rows(rows)).await }
}
