//! Every table, sent in pieces.

use compact_str::CompactString;
use kasparro_domain::{Decimal, Timestamp};
use kasparro_store::{Cell, CellKind, ColumnSpec, Piece, Rows, TABLES, TableSpec, receiver_gone};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tokio::sync::mpsc::Sender;

use crate::error::{Queried, damaged};
use crate::queries::{first, walk};

/// Sends everything. The caller has a transaction open, so that all of it is one snapshot.
pub(crate) fn export(connection: &Connection, out: &Sender<Piece>) -> Queried<()> {
    for table in TABLES {
        let count = format!("SELECT count(*) FROM {}", table.name);
        let rows = first(connection, &count, [], |row| crate::queries::uint(row, 0))?.unwrap_or(0);
        let minted = minted(connection, table)?;
        send(out, Piece::Table { table, rows, minted })?;
        send_rows(connection, table, out)?;
    }
    send(out, Piece::End)
}

fn send(out: &Sender<Piece>, piece: Piece) -> Queried<()> {
    out.blocking_send(piece).map_err(|_| receiver_gone().into())
}

/// The largest number that was given out. SQLite remembers it beyond the row where the table asks for it.
fn minted(connection: &Connection, table: &TableSpec) -> Queried<Option<i64>> {
    let Some(column) = table.mints else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT max(coalesce((SELECT max({column}) FROM {name}), 0),
                    coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{name}'), 0))",
        name = table.name
    );
    first(connection, &sql, [], |row| Ok(row.get(0)?))
}

fn send_rows(
    connection: &Connection,
    table: &'static TableSpec,
    out: &Sender<Piece>,
) -> Queried<()> {
    let (columns, key) = (table.column_list(), table.key_list());
    let sql = format!("SELECT {columns} FROM {} ORDER BY {key}", table.name);
    let mut rows = Rows::of(table);
    walk(connection, &sql, [], |row| {
        for (index, column) in table.columns.iter().enumerate() {
            rows.push(cell(table, *column, row.get_ref(index)?)?);
        }
        if rows.is_full() {
            send(out, Piece::Rows(std::mem::replace(&mut rows, Rows::of(table))))?;
        }
        Ok(())
    })?;
    if rows.is_empty() { Ok(()) } else { send(out, Piece::Rows(rows)) }
}

fn cell(table: &TableSpec, column: ColumnSpec, value: ValueRef<'_>) -> Queried<Cell> {
    let unreadable =
        |why: &dyn std::fmt::Display| damaged(&format!("{}.{}", table.name, column.name), why);
    let cell = match (column.kind, value) {
        (_, ValueRef::Null) => Cell::Null,
        (CellKind::Integer, ValueRef::Integer(number)) => Cell::Integer(number),
        (CellKind::Flag, ValueRef::Integer(flag @ (0 | 1))) => Cell::Flag(flag == 1),
        (CellKind::Instant | CellKind::Expiry, ValueRef::Integer(millis)) => {
            Cell::Instant(Timestamp::from_millis(millis).map_err(|error| unreadable(&error))?)
        }
        (CellKind::Bytes, ValueRef::Blob(bytes)) => Cell::Bytes(bytes.to_vec()),
        (kind, ValueRef::Text(text)) => {
            let text = std::str::from_utf8(text).map_err(|error| unreadable(&error))?;
            match kind {
                CellKind::Decimal => Cell::Decimal(
                    Decimal::from_canonical(text).map_err(|error| unreadable(&error))?,
                ),
                CellKind::Text | CellKind::Json | CellKind::Uuid => {
                    Cell::Text(CompactString::from(text))
                }
                _ => return Err(unreadable(&"it is a text").into()),
            }
        }
        (_, other) => return Err(unreadable(&format!("it is {:?}", other.data_type())).into()),
    };
    Ok(cell)
}
