//! How much of the limits of upstreams is spent.

use deadpool_postgres::GenericClient;
use kasparro_domain::SourceName;
use kasparro_store::{NamedBudget, StoredBudget};
use serde_json::Value;
use tokio_postgres::Row;

use super::{
    each, execute, first, get, instant, int, json, json_text, maybe_json, source_id, text, uint,
};
use crate::error::Queried;

/// One budget with the time of the database, also where nothing is stored.
pub(crate) async fn one(
    client: &impl GenericClient,
    source: &SourceName,
    name: &str,
) -> Queried<StoredBudget> {
    let sql = "SELECT store_now(), coalesce(stored.version, 0), stored.state
               FROM (SELECT) AS always LEFT JOIN (
                 SELECT version, state FROM budget JOIN source USING (source_id)
                 WHERE source.name = $1 AND budget.name = $2) AS stored ON true";
    let read = |row: &Row| {
        let state = maybe_json(row, 2)?.unwrap_or_default();
        Ok(StoredBudget { version: uint(row, 1)?, state, now: Some(instant(row, 0)?) })
    };
    let budget = first(client, sql, &[&source.as_str(), &name], read).await?;
    Ok(budget.unwrap_or_default())
}

/// One statement compares and writes: of two who come with the same version the second waits for the first,
/// and then finds another version. A budget is never deleted, so one that is there stays there.
const PUT: &str = "INSERT INTO budget AS held (source_id, name, version, state)
    SELECT $1, $2, 1, $4
    WHERE $3::bigint = 0 OR EXISTS (SELECT 1 FROM budget WHERE source_id = $1 AND name = $2)
    ON CONFLICT (source_id, name) DO UPDATE
    SET version = held.version + 1, state = excluded.state
    WHERE held.version = $3";

/// Replaces a budget that still has this version.
pub(crate) async fn put(
    client: &impl GenericClient,
    source: &SourceName,
    name: &str,
    version: u64,
    state: &Value,
) -> Queried<bool> {
    let source = source_id(client, source).await?;
    let (version, state) = (int(version)?, json_text(state)?);
    Ok(execute(client, PUT, &[&source, &name, &version, &state]).await? == 1)
}

/// Every budget, by source and name.
pub(crate) async fn all(client: &impl GenericClient) -> Queried<Vec<NamedBudget>> {
    let sql = "SELECT source.name, budget.name, version, state
               FROM budget JOIN source USING (source_id) ORDER BY source.name, budget.name";
    each(client, sql, &[], |row| {
        Ok(NamedBudget {
            source: SourceName::new(text(row, 0)?),
            name: get(row, 1)?,
            budget: StoredBudget { version: uint(row, 2)?, state: json(row, 3)?, now: None },
        })
    })
    .await
}
