//! Which sources a filter asks for.

use deadpool_postgres::GenericClient;
use kasparro_domain::SourceName;

use super::{each, get};
use crate::error::Queried;

/// The numbers of the sources that a filter asks for, as two parameters; both are NULL where any will do. One
/// source is told apart from several: only one lets PostgreSQL read an index over a source and something else
/// in the order of that.
#[derive(Debug, Default)]
pub(super) struct AskedSources {
    pub(super) one: Option<i64>,
    pub(super) several: Option<Vec<i64>>,
}

impl AskedSources {
    /// Looks the names up; nothing where some are given and none of them was ever written.
    pub(super) async fn find(
        client: &impl GenericClient,
        names: &[SourceName],
    ) -> Queried<Option<Self>> {
        if names.is_empty() {
            return Ok(Some(Self::default()));
        }
        let names: Vec<&str> = names.iter().map(SourceName::as_str).collect();
        let sql = "SELECT source_id FROM source WHERE name = ANY($1)";
        let found: Vec<i64> = each(client, sql, &[&names], |row| get(row, 0)).await?;
        Ok(match found.as_slice() {
            [] => None,
            [one] => Some(Self { one: Some(*one), several: None }),
            _ => Some(Self { one: None, several: Some(found) }),
        })
    }
}
