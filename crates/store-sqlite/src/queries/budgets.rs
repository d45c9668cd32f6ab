//! How much of the limits of upstreams is spent.

use kasparro_domain::SourceName;
use kasparro_store::{Audit, NamedBudget, StoredBudget};
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::{each, find_source, first, int, json, json_text, source_id, text, uint};
use crate::error::Queried;

/// Writes nothing where the version is another. A budget that was never stored has version 0.
const PUT: &str = "INSERT INTO budget (source_id, name, version, state)
    SELECT ?1, ?2, ?3 + 1, ?4
    WHERE ?3 = (SELECT coalesce(max(version), 0) FROM budget WHERE source_id = ?1 AND name = ?2)
    ON CONFLICT (source_id, name) DO UPDATE SET version = excluded.version, state = excluded.state";

/// Version and state, which stand from column `from` on.
fn read_budget(row: &Row<'_>, from: usize) -> Queried<StoredBudget> {
    Ok(StoredBudget { version: uint(row, from)?, state: json(row, from + 1)?, now: None })
}

/// One budget.
pub(crate) fn budget(
    connection: &Connection,
    source: &SourceName,
    name: &str,
) -> Queried<StoredBudget> {
    let sql = "SELECT version, state FROM budget WHERE source_id = ?1 AND name = ?2";
    let params = params![find_source(connection, source)?, name];
    Ok(first(connection, sql, params, |row| read_budget(row, 0))?.unwrap_or_default())
}

/// Replaces a budget where it still has this version; false where it has another.
pub(crate) fn put(
    connection: &Connection,
    source: &SourceName,
    name: &str,
    version: u64,
    state: &Value,
) -> Queried<bool> {
    let source = source_id(connection, source)?;
    let params = params![source, name, int(version)?, json_text(state)?];
    Ok(connection.prepare_cached(PUT)?.execute(params)? == 1)
}

/// Every budget, by source and name.
pub(crate) fn all(connection: &Connection) -> Queried<Vec<NamedBudget>> {
    let sql = "SELECT source.name, budget.name, version, state
               FROM budget JOIN source USING (source_id) ORDER BY source.name, budget.name";
    each(connection, sql, [], |row| {
        Ok(NamedBudget {
            source: SourceName::new(text(row, 0)?),
            name: text(row, 1)?.to_owned(),
            budget: read_budget(row, 2)?,
        })
    })
}

/// Hands every budget to an audit.
pub(super) fn audit(connection: &Connection, audit: &mut Audit) -> Queried<()> {
    for NamedBudget { source, name, budget } in all(connection)? {
        audit.budget(&source, &name, budget.version, &budget.state);
    }
    Ok(())
}
