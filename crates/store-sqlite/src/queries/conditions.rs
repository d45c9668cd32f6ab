//! The conditions of a filter, written out only where they were asked for.
//!
//! "Any source" as `?1 IS NULL OR source_id = ?1` would keep SQLite from using the index of a source.

use kasparro_domain::SourceName;
use rusqlite::types::Value;
use rusqlite::{Connection, ParamsFromIter, params_from_iter};

use super::find_source;
use crate::error::Queried;

/// Conditions, all of which must hold, and the values of their parameters.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds a condition without a parameter.
    pub(super) fn and(&mut self, condition: &str) {
        self.sql.push_str(if self.sql.is_empty() { "WHERE " } else { " AND " });
        self.sql.push_str(condition);
    }

    /// Adds a condition whose one parameter is its last token: `kind = ?`.
    pub(super) fn and_with(&mut self, condition: &str, value: impl Into<Value>) {
        self.and(condition);
        self.values.push(value.into());
    }

    /// Adds that `column` is this source, where one is named; false where it was never written, so that
    /// nothing fits.
    pub(super) fn and_source(
        &mut self,
        connection: &Connection,
        column: &str,
        source: Option<&SourceName>,
    ) -> Queried<bool> {
        let Some(source) = source else {
            return Ok(true);
        };
        let found = find_source(connection, source)?;
        if let Some(source_id) = found {
            self.and_with(&format!("{column} = ?"), source_id);
        }
        Ok(found.is_some())
    }

    /// The statement that begins with `select`, and goes on with the conditions and `rest`.
    pub(super) fn statement(&self, select: &str, rest: &str) -> String {
        format!("{select} {} {rest}", self.sql)
    }

    /// The values for a statement without a part of the result.
    pub(super) fn values(&self) -> ParamsFromIter<Vec<Value>> {
        params_from_iter(self.values.clone())
    }

    /// The values for a statement that ends with `LIMIT ? OFFSET ?`.
    pub(super) fn values_of_part(
        &self,
        limit: Option<u32>,
        offset: u64,
    ) -> ParamsFromIter<Vec<Value>> {
        let limit = limit.map_or(-1, i64::from);
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let mut values = self.values.clone();
        values.extend([Value::Integer(limit), Value::Integer(offset)]);
        params_from_iter(values)
    }
}
