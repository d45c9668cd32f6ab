//! Every table, written as its pieces come.

use kasparro_store::{Arrival, Cell, GENERATION, Piece, Rows, TableSpec, not_empty};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params, params_from_iter};
use tokio::sync::mpsc::Receiver;

use super::holds;
use crate::error::Queried;
use crate::writer::Minted;

/// Writes everything that comes. The caller has a transaction open and undoes it when this fails.
pub(crate) fn import(
    connection: &Connection,
    minted: &mut Minted,
    mut pieces: Receiver<Piece>,
) -> Queried<()> {
    if let Some(table) = holds(connection)? {
        return Err(not_empty(table).into());
    }
    // Its row is there from the beginning; that of the other store comes in its place.
    connection.execute(&format!("DELETE FROM {GENERATION}"), [])?;
    let mut arrival = Arrival::default();
    while let Some(piece) = pieces.blocking_recv() {
        arrival.see(&piece)?;
        match piece {
            Piece::Table { table, minted: Some(last), .. } => reserve(connection, table, last)?,
            Piece::Table { .. } => {}
            Piece::Rows(rows) => write(connection, &rows)?,
            Piece::End => break,
        }
    }
    arrival.ended()?;
    *minted = Minted::read(connection)?;
    Ok(())
}

fn write(connection: &Connection, rows: &Rows) -> Queried<()> {
    let table = rows.table();
    let places = vec!["?"; table.columns.len()].join(", ");
    let sql = format!("INSERT INTO {} ({}) VALUES ({places})", table.name, table.column_list());
    let mut insert = connection.prepare_cached(&sql)?;
    for row in rows.iter() {
        insert.execute(params_from_iter(row.iter().map(Sent)))?;
    }
    Ok(())
}

/// Keeps the numbers up to `last` from being given a second time. SQLite itself moves on behind every row
/// that is written; a table without AUTOINCREMENT goes by its rows alone, since none of them is ever
/// removed.
fn reserve(connection: &Connection, table: &TableSpec, last: i64) -> Queried<()> {
    let remembers = "SELECT 1 FROM sqlite_schema
                     WHERE type = 'table' AND name = ?1 AND sql LIKE '%AUTOINCREMENT%'";
    if crate::queries::first(connection, remembers, [table.name], |_| Ok(()))?.is_none() {
        return Ok(());
    }
    connection.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [table.name])?;
    let insert = "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)";
    connection.execute(insert, params![table.name, last])?;
    Ok(())
}

/// A value as SQLite keeps it.
struct Sent<'a>(&'a Cell);

impl ToSql for Sent<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            Cell::Null => ValueRef::Null,
            Cell::Integer(number) => ValueRef::Integer(*number),
            Cell::Flag(flag) => ValueRef::Integer(i64::from(*flag)),
            Cell::Instant(at) => ValueRef::Integer(at.as_millis()),
            Cell::Decimal(decimal) => ValueRef::Text(decimal.as_str().as_bytes()),
            Cell::Text(text) => ValueRef::Text(text.as_bytes()),
            Cell::Bytes(bytes) => ValueRef::Blob(bytes),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}
