//! SQL by topic, and how its values are read.

pub(crate) mod alerts;
pub(crate) mod anomalies;
mod applied;
mod asked_sources;
pub(crate) mod audit;
pub(crate) mod batches;
pub(crate) mod budgets;
pub(crate) mod commands;
mod conditions;
pub(crate) mod decisions;
pub(crate) mod drift;
mod evidence;
pub(crate) mod history;
pub(crate) mod identity;
mod identity_audit;
pub(crate) mod identity_input;
pub(crate) mod keys;
pub(crate) mod leases;
pub(crate) mod listings;
pub(crate) mod memory;
pub(crate) mod news;
pub(crate) mod once;
pub(crate) mod pages;
mod past;
#[cfg(test)]
mod plans;
pub(crate) mod quarantine;
pub(crate) mod refusals;
pub(crate) mod resolve;
mod row_statements;
mod rows;
pub(crate) mod runs;
pub(crate) mod source_states;
mod sweeps;
pub(crate) mod usage;

use compact_str::CompactString;
use kasparro_domain::{Decimal, RunId, SourceName, Timestamp};
use kasparro_store::StoreError;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Queried, damaged, store_error};

/// A number as SQLite takes it.
pub(crate) fn int(number: u64) -> Queried<i64> {
    i64::try_from(number)
        .map_err(|_| StoreError::Conflict(format!("{number} is too large for a store")).into())
}

/// A number that is stored and never negative.
pub(crate) fn uint(row: &Row<'_>, column: usize) -> Queried<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| damaged("a count", number).into())
}

/// An instant that is stored.
pub(crate) fn instant(row: &Row<'_>, column: usize) -> Queried<Timestamp> {
    let millis: i64 = row.get(column)?;
    Timestamp::from_millis(millis).map_err(|_| damaged("an instant", millis).into())
}

/// An instant that may be stored.
pub(crate) fn maybe_instant(row: &Row<'_>, column: usize) -> Queried<Option<Timestamp>> {
    let read = |millis| Timestamp::from_millis(millis).map_err(|_| damaged("an instant", millis));
    let millis: Option<i64> = row.get(column)?;
    Ok(millis.map(read).transpose()?)
}

/// A text that may be stored, without copying it.
pub(crate) fn maybe_text<'row>(row: &'row Row<'_>, column: usize) -> Queried<Option<&'row str>> {
    let text = row.get_ref(column)?.as_str_or_null();
    text.map_err(|error| damaged("a text", error).into())
}

/// A text that is stored, without copying it.
pub(crate) fn text<'row>(row: &'row Row<'_>, column: usize) -> Queried<&'row str> {
    maybe_text(row, column)?.ok_or_else(|| damaged("a text", "it is NULL").into())
}

/// A text that may be stored.
pub(crate) fn maybe_string(row: &Row<'_>, column: usize) -> Queried<Option<CompactString>> {
    Ok(maybe_text(row, column)?.map(CompactString::from))
}

/// A decimal that may be stored.
pub(crate) fn maybe_decimal(row: &Row<'_>, column: usize) -> Queried<Option<Decimal>> {
    let read = |text| Decimal::from_canonical(text).map_err(|_| damaged("a decimal", text));
    Ok(maybe_text(row, column)?.map(read).transpose()?)
}

/// A run's id that is stored.
pub(crate) fn run_id(row: &Row<'_>, column: usize) -> Queried<RunId> {
    let text = text(row, column)?;
    text.parse().map_err(|_| damaged("the id of a run", text).into())
}

/// A JSON value that may be stored.
pub(crate) fn maybe_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Queried<Option<T>> {
    let read = |text| serde_json::from_str(text).map_err(|error| damaged("a JSON value", error));
    Ok(maybe_text(row, column)?.map(read).transpose()?)
}

/// A JSON value that is stored.
pub(crate) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Queried<T> {
    maybe_json(row, column)?.ok_or_else(|| damaged("a JSON value", "it is NULL").into())
}

/// A value as JSON text.
pub(crate) fn json_text(value: &impl Serialize) -> Queried<String> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Conflict(format!("no JSON can be made of it: {error}")).into())
}

/// A name from a fixed set that is stored.
pub(crate) fn named<T>(
    row: &Row<'_>,
    column: usize,
    from_name: impl FnOnce(&str) -> Option<T>,
) -> Queried<T> {
    let text = text(row, column)?;
    from_name(text).ok_or_else(|| damaged("a name", text).into())
}

/// The number of a source, if it was ever written.
pub(crate) fn find_source(connection: &Connection, source: &SourceName) -> Queried<Option<i64>> {
    let mut statement =
        connection.prepare_cached("SELECT source_id FROM source WHERE name = ?1")?;
    Ok(statement.query_row([source.as_str()], |row| row.get(0)).optional()?)
}

/// The number of a source, written now where it is new.
pub(crate) fn source_id(connection: &Connection, source: &SourceName) -> Queried<i64> {
    if let Some(known) = find_source(connection, source)? {
        return Ok(known);
    }
    let mut insert = connection.prepare_cached("INSERT INTO source (name) VALUES (?1)")?;
    Ok(insert.insert([source.as_str()])?)
}

/// The names of the sources by number.
#[derive(Debug)]
pub(crate) struct Sources(Vec<(i64, SourceName)>);

impl Sources {
    /// Reads the names.
    pub(crate) fn read(connection: &Connection) -> Queried<Self> {
        let names =
            each(connection, "SELECT source_id, name FROM source ORDER BY source_id", [], |row| {
                Ok((row.get(0)?, SourceName::new(text(row, 1)?)))
            })?;
        Ok(Self(names))
    }

    /// Every source, by name.
    pub(crate) fn by_name(&self) -> Vec<(i64, &SourceName)> {
        let mut sources: Vec<_> = self.0.iter().map(|(number, name)| (*number, name)).collect();
        sources.sort_unstable_by_key(|(_, name)| *name);
        sources
    }

    /// The name of a source's number.
    pub(crate) fn name(&self, source_id: i64) -> Queried<&SourceName> {
        let found = self.0.iter().find(|(known, _)| *known == source_id);
        found.map(|(_, name)| name).ok_or_else(|| damaged("a source", source_id).into())
    }
}

/// Reads every row of a query into memory.
pub(crate) fn each<T>(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    mut read: impl FnMut(&Row<'_>) -> Queried<T>,
) -> Queried<Vec<T>> {
    let mut all = Vec::new();
    walk(connection, sql, params, |row| {
        all.push(read(row)?);
        Ok(())
    })?;
    Ok(all)
}

/// Hands every row of a query to `see` and keeps none.
pub(crate) fn walk(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    mut see: impl FnMut(&Row<'_>) -> Queried<()>,
) -> Queried<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    while let Some(row) = rows.next()? {
        see(row)?;
    }
    Ok(())
}

/// Reads the first row of a query.
pub(crate) fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl FnOnce(&Row<'_>) -> Queried<T>,
) -> Queried<Option<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    match rows.next() {
        Ok(Some(row)) => read(row).map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(store_error(&error).into()),
    }
}
