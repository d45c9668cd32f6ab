//! What the engine shows of its sources.

use kasparro_store::SourceState;
use rusqlite::{Connection, params};

use super::{each, json, json_text, source_id};
use crate::error::Queried;

/// Replaces the state of a source.
pub(crate) fn put(connection: &Connection, state: &SourceState) -> Queried<()> {
    connection
        .prepare_cached(
            "INSERT INTO source_state (source_id, state) VALUES (?1, ?2)
             ON CONFLICT (source_id) DO UPDATE SET state = excluded.state",
        )?
        .execute(params![source_id(connection, &state.source)?, json_text(state)?])?;
    Ok(())
}

/// The state of every source, by name.
pub(crate) fn all(connection: &Connection) -> Queried<Vec<SourceState>> {
    let sql = "SELECT state FROM source_state JOIN source USING (source_id) ORDER BY name";
    each(connection, sql, [], |row| json(row, 0))
}
