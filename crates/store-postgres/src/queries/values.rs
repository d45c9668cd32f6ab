//! Values between rows and the types of the domain.

use std::error::Error;

use bytes::BytesMut;
use compact_str::CompactString;
use kasparro_domain::{Decimal, RunCounts, RunId, Timestamp};
use kasparro_store::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::error::{Queried, damaged};

/// From the Unix epoch to that of PostgreSQL, 2000-01-01, in microseconds.
const EPOCH_US: i64 = 946_684_800_000_000;

/// An instant on its way into or out of a `timestamptz`. Whole milliseconds, both ways exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant(pub(crate) Timestamp);

impl ToSql for Instant {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let since_2000_us = self.0.as_millis() * 1000 - EPOCH_US;
        out.extend_from_slice(&since_2000_us.to_be_bytes());
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Instant {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let since_2000_us = i64::from_be_bytes(raw.try_into()?);
        // Infinity is stored as the ends of the range and overflows here.
        let us = since_2000_us.checked_add(EPOCH_US).ok_or("an instant without end")?;
        if us % 1000 != 0 {
            return Err("an instant with a part of a millisecond".into());
        }
        Ok(Self(Timestamp::from_millis(us / 1000)?))
    }

    accepts!(TIMESTAMPTZ);
}

/// A JSON column as its text.
struct JsonText<'a>(&'a str);

impl<'a> FromSql<'a> for JsonText<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?))
    }

    accepts!(JSON, TEXT);
}

/// A value as JSON text, for columns of `json` and of `text`.
#[derive(Debug)]
pub(crate) struct AsJson(String);

impl AsJson {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl ToSql for AsJson {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    accepts!(JSON, TEXT);
    to_sql_checked!();
}

/// A value as JSON text.
pub(crate) fn json_text(value: &(impl Serialize + ?Sized)) -> Queried<AsJson> {
    serde_json::to_string(value)
        .map(AsJson)
        .map_err(|error| StoreError::Conflict(format!("no JSON can be made of it: {error}")).into())
}

/// A number as PostgreSQL takes it.
pub(crate) fn int(number: u64) -> Queried<i64> {
    i64::try_from(number)
        .map_err(|_| StoreError::Conflict(format!("{number} is too large for a store")).into())
}

/// A column of a type that is read as it is.
pub(crate) fn get<'row, T: FromSql<'row>>(row: &'row Row, column: usize) -> Queried<T> {
    row.try_get(column).map_err(|error| {
        let name = row.columns().get(column).map_or("", |column| column.name());
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        damaged(&format!("column {name}"), cause).into()
    })
}

/// A number that is stored and never negative.
pub(crate) fn uint(row: &Row, column: usize) -> Queried<u64> {
    let number: i64 = get(row, column)?;
    u64::try_from(number).map_err(|_| damaged("a count", number).into())
}

/// An instant that is stored.
pub(crate) fn instant(row: &Row, column: usize) -> Queried<Timestamp> {
    get::<Instant>(row, column).map(|instant| instant.0)
}

/// An instant that may be stored.
pub(crate) fn maybe_instant(row: &Row, column: usize) -> Queried<Option<Timestamp>> {
    Ok(get::<Option<Instant>>(row, column)?.map(|instant| instant.0))
}

/// A text that is stored, without copying it.
pub(crate) fn text(row: &Row, column: usize) -> Queried<&str> {
    get(row, column)
}

/// A text that is stored.
pub(crate) fn string(row: &Row, column: usize) -> Queried<CompactString> {
    text(row, column).map(CompactString::from)
}

/// A text that may be stored.
pub(crate) fn maybe_string(row: &Row, column: usize) -> Queried<Option<CompactString>> {
    Ok(get::<Option<&str>>(row, column)?.map(CompactString::from))
}

/// A decimal that may be stored.
pub(crate) fn maybe_decimal(row: &Row, column: usize) -> Queried<Option<Decimal>> {
    Ok(get::<Option<crate::numeric::Numeric>>(row, column)?.map(|numeric| numeric.0))
}

/// A run's id that is stored.
pub(crate) fn run_id(row: &Row, column: usize) -> Queried<RunId> {
    get(row, column).map(RunId)
}

/// A JSON value that may be stored.
pub(crate) fn maybe_json<T: DeserializeOwned>(row: &Row, column: usize) -> Queried<Option<T>> {
    let read = |JsonText(text)| {
        serde_json::from_str(text).map_err(|error| damaged("a JSON value", error).into())
    };
    get::<Option<JsonText<'_>>>(row, column)?.map(read).transpose()
}

/// A JSON value that is stored.
pub(crate) fn json<T: DeserializeOwned>(row: &Row, column: usize) -> Queried<T> {
    maybe_json(row, column)?.ok_or_else(|| damaged("a JSON value", "it is NULL").into())
}

/// A name from a fixed set that is stored.
pub(crate) fn named<T>(
    row: &Row,
    column: usize,
    from_name: impl FnOnce(&str) -> Option<T>,
) -> Queried<T> {
    let text = text(row, column)?;
    from_name(text).ok_or_else(|| damaged("a name", text).into())
}

/// The counters that stand from column `from` on, in the order of the schema.
pub(crate) fn counts(row: &Row, from: usize) -> Queried<RunCounts> {
    Ok(RunCounts {
        received: uint(row, from)?,
        inserted: uint(row, from + 1)?,
        updated: uint(row, from + 2)?,
        unchanged: uint(row, from + 3)?,
        stale: uint(row, from + 4)?,
        duplicate: uint(row, from + 5)?,
        quarantined: uint(row, from + 6)?,
    })
}
