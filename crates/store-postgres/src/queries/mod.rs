//! SQL by topic, and how its values are read.

pub(crate) mod alerts;
pub(crate) mod anomalies;
mod asked_sources;
pub(crate) mod audit;
pub(crate) mod bodies;
pub(crate) mod budgets;
pub(crate) mod commands;
pub(crate) mod drift;
pub(crate) mod history;
pub(crate) mod identity;
pub(crate) mod identity_input;
pub(crate) mod integrity;
pub(crate) mod keys;
pub(crate) mod leases;
pub(crate) mod listings;
pub(crate) mod news;
pub(crate) mod once;
pub(crate) mod pages;
#[cfg(test)]
mod plans;
pub(crate) mod quarantine;
pub(crate) mod runs;
pub(crate) mod source_states;
pub(crate) mod summaries;
pub(crate) mod usage;
mod values;

use deadpool_postgres::GenericClient;
use futures_util::TryStreamExt;
use kasparro_domain::SourceName;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::error::{Queried, damaged};

pub(crate) use values::{
    AsJson, Instant, counts, get, instant, int, json, json_text, maybe_decimal, maybe_instant,
    maybe_json, maybe_string, named, run_id, string, text, uint,
};

/// What a statement is given.
pub(crate) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Reads every row of a query into memory.
pub(crate) async fn each<T>(
    client: &impl GenericClient,
    sql: &str,
    params: Params<'_>,
    mut read: impl FnMut(&Row) -> Queried<T>,
) -> Queried<Vec<T>> {
    let statement = client.prepare_cached(sql).await?;
    client.query(&statement, params).await?.iter().map(&mut read).collect()
}

/// Hands every row of a query to `see` as it comes, and keeps none.
pub(crate) async fn walk(
    client: &impl GenericClient,
    sql: &str,
    params: Params<'_>,
    mut see: impl FnMut(&Row) -> Queried<()>,
) -> Queried<()> {
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query_raw(&statement, params.iter().copied()).await?;
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.try_next().await? {
        see(&row)?;
    }
    Ok(())
}

/// Reads the first row of a query, which has at most one.
pub(crate) async fn first<T>(
    client: &impl GenericClient,
    sql: &str,
    params: Params<'_>,
    read: impl FnOnce(&Row) -> Queried<T>,
) -> Queried<Option<T>> {
    let statement = client.prepare_cached(sql).await?;
    client.query_opt(&statement, params).await?.as_ref().map(read).transpose()
}

/// Carries a statement out; returns how many rows it wrote.
pub(crate) async fn execute(
    client: &impl GenericClient,
    sql: &str,
    params: Params<'_>,
) -> Queried<u64> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.execute(&statement, params).await?)
}

/// The number of a source, if it was ever written.
pub(crate) async fn find_source(
    client: &impl GenericClient,
    source: &SourceName,
) -> Queried<Option<i64>> {
    let sql = "SELECT source_id FROM source WHERE name = $1";
    first(client, sql, &[&source.as_str()], |row| get(row, 0)).await
}

/// The number of a source, written now where it is new.
pub(crate) async fn source_id(client: &impl GenericClient, source: &SourceName) -> Queried<i64> {
    if let Some(known) = find_source(client, source).await? {
        return Ok(known);
    }
    // Two processes may come with the same new name: the second waits here for the first.
    let sql = "INSERT INTO source (name) VALUES ($1) ON CONFLICT DO NOTHING";
    execute(client, sql, &[&source.as_str()]).await?;
    let known = find_source(client, source).await?;
    known.ok_or_else(|| damaged("a source", source.as_str()).into())
}

/// The names of the sources by number.
#[derive(Debug)]
pub(crate) struct Sources(Vec<(i64, SourceName)>);

impl Sources {
    /// Reads the names.
    pub(crate) async fn read(client: &impl GenericClient) -> Queried<Self> {
        let sql = "SELECT source_id, name FROM source ORDER BY source_id";
        let read = |row: &Row| Ok((get(row, 0)?, SourceName::new(text(row, 1)?)));
        Ok(Self(each(client, sql, &[], read).await?))
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
