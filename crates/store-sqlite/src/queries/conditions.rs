//! The conditions of a filter, written out only where they were asked for.
//!
//! "Any source" as `?1 IS NULL OR source_id = ?1` would keep SQLite from using the index of a source.

use kasparro_domain::SourceName;
use rusqlite::types::Value;
use rusqlite::{Connection, ParamsFromIter, params_from_iter};

use super::asked_sources::AskedSources;
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

    /// Adds that `column` is one of these sources, where some are named; false where none of them was ever
    /// written, so that nothing fits.
    pub(super) fn and_source(
        &mut self,
        connection: &Connection,
        column: &str,
        sources: &[SourceName],
    ) -> Queried<bool> {
        let Some(asked) = AskedSources::find(connection, sources)? else {
            return Ok(false);
        };
        match &asked {
            AskedSources::Any => {}
            AskedSources::One(_) => self.and_with(&format!("{column} = ?"), asked.value()),
            AskedSources::Several(_) => {
                let condition = format!("{column} IN (SELECT value FROM json_each(?))");
                self.and_with(&condition, asked.value());
            }
        }
        Ok(true)
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
