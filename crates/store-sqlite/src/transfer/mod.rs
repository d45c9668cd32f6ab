//! A whole store on its way out of or into the file.

mod export;
mod import;

use kasparro_store::{GENERATION, TABLES};
use rusqlite::Connection;

use crate::error::Queried;
use crate::queries::first;

pub(crate) use export::export;
pub(crate) use import::import;

/// The first table in which something was ever written, if any.
pub(crate) fn holds(connection: &Connection) -> Queried<Option<&'static str>> {
    for table in TABLES {
        // Its row is there from the beginning.
        let written = if table.name == GENERATION { "WHERE value > 0" } else { "" };
        let sql = format!("SELECT 1 FROM {} {written} LIMIT 1", table.name);
        if first(connection, &sql, [], |_| Ok(()))?.is_some() {
            return Ok(Some(table.name));
        }
    }
    Ok(None)
}
