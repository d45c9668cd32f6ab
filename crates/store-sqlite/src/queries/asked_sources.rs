//! Which sources a filter asks for.

use kasparro_domain::SourceName;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::find_source;
use crate::error::Queried;

/// The numbers of the sources that a filter asks for. One is told apart from several, since only one lets
/// SQLite read an index over a source and something else in the order of that.
#[derive(Debug)]
pub(super) enum AskedSources {
    Any,
    One(i64),
    Several(Vec<i64>),
}

impl AskedSources {
    /// Looks the names up; nothing where some are given and none of them was ever written.
    pub(super) fn find(connection: &Connection, names: &[SourceName]) -> Queried<Option<Self>> {
        if names.is_empty() {
            return Ok(Some(Self::Any));
        }
        let mut found = Vec::new();
        for name in names {
            found.extend(find_source(connection, name)?);
        }
        Ok(match found.as_slice() {
            [] => None,
            [one] => Some(Self::One(*one)),
            _ => Some(Self::Several(found)),
        })
    }

    /// The value of the parameter: a number, or the numbers as JSON.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Any => Value::Null,
            Self::One(source_id) => Value::Integer(*source_id),
            Self::Several(source_ids) => {
                let numbers: Vec<String> = source_ids.iter().map(ToString::to_string).collect();
                Value::Text(format!("[{}]", numbers.join(",")))
            }
        }
    }

    /// The statement for one source or any, or that for several.
    pub(super) const fn choose(
        &self,
        one_or_any: &'static str,
        several: &'static str,
    ) -> &'static str {
        match self {
            Self::Any | Self::One(_) => one_or_any,
            Self::Several(_) => several,
        }
    }
}
