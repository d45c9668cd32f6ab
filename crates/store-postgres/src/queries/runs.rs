//! The log of runs.

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::{Run, RunCounts, RunId, RunReason, RunStatus, SourceName, Timestamp};
use kasparro_store::{Findings, RunFilter, RunUpdate};
use serde_json::Value;
use tokio_postgres::Row;

use super::asked_sources::AskedSources;
use super::{
    Instant, Sources, alerts, anomalies, counts, each, execute, first, get, instant, int,
    json_text, leases, maybe_instant, maybe_json, named, run_id, source_id, uint, walk,
};
use crate::error::{Queried, refused};

/// The columns of a run, and where they stand for [`read_run`].
macro_rules! select_run {
    ($rest:literal) => {
        concat!(
            "SELECT run_id, source_id, status, reason, received, inserted, updated, unchanged, \
             stale, duplicate, quarantined, pages, requests, created_at, started_at, \
             completed_at, error, options FROM run ",
            $rest
        )
    };
}
pub(super) use select_run;

pub(super) fn read_run(row: &Row, sources: &Sources) -> Queried<Run> {
    Ok(Run {
        run_id: run_id(row, 0)?,
        source: sources.name(get(row, 1)?)?.clone(),
        status: named(row, 2, RunStatus::from_name)?,
        reason: named(row, 3, RunReason::from_name)?,
        counts: counts(row, 4)?,
        pages: uint(row, 11)?,
        requests: uint(row, 12)?,
        created_at: instant(row, 13)?,
        started_at: maybe_instant(row, 14)?,
        completed_at: maybe_instant(row, 15)?,
        error: maybe_json(row, 16)?,
    })
}

/// How often a run is tried to be recorded while others end between two looks.
const ATTEMPTS: u32 = 5;

/// Records a queued run, or finds the one that is open. Several processes may ask at once: the index over
/// open runs lets one of them in.
pub(crate) async fn queue(
    client: &impl GenericClient,
    run_id: RunId,
    source: &SourceName,
    reason: RunReason,
    now: Timestamp,
) -> Queried<Run> {
    let source_id = source_id(client, source).await?;
    let sources = Sources::read(client).await?;
    for _ in 0..ATTEMPTS {
        let open = select_run!("WHERE source_id = $1 AND status IN ('queued', 'running')");
        let found = first(client, open, &[&source_id], |row| read_run(row, &sources)).await?;
        if let Some(run) = found {
            return Ok(run);
        }
        let sql = "INSERT INTO run (run_id, source_id, status, reason, created_at)
                   VALUES ($1, $2, 'queued', $3, $4) ON CONFLICT DO NOTHING";
        let params: super::Params<'_> = &[&run_id.0, &source_id, &reason.name(), &Instant(now)];
        if execute(client, sql, params).await? == 1 {
            return Ok(Run {
                run_id,
                source: source.clone(),
                status: RunStatus::Queued,
                reason,
                counts: RunCounts::default(),
                pages: 0,
                requests: 0,
                created_at: now,
                started_at: None,
                completed_at: None,
                error: None,
            });
        }
    }
    refused(format!("run {run_id} is known already"))
}

/// Moves a run on.
pub(crate) async fn update(
    transaction: &Transaction<'_>,
    run_id: RunId,
    epoch: u64,
    update: &RunUpdate,
) -> Queried<()> {
    leases::check_run(transaction, run_id, epoch).await?;
    let moved = match update {
        RunUpdate::Started { at, options } => {
            let sql = "UPDATE run SET status = 'running', started_at = $2, options = $3
                       WHERE run_id = $1 AND status = 'queued'";
            execute(transaction, sql, &[&run_id.0, &Instant(*at), &json_text(options)?]).await?
        }
        RunUpdate::Ended { status, .. } if status.open() => 0,
        RunUpdate::Ended { at, status, requests, error, findings: _ } => {
            let sql = "UPDATE run SET status = $2, completed_at = $3, requests = $4, error = $5
                       WHERE run_id = $1 AND status IN ('queued', 'running')";
            let error = error.as_ref().map(json_text).transpose()?;
            let params: super::Params<'_> =
                &[&run_id.0, &status.name(), &Instant(*at), &int(*requests)?, &error];
            execute(transaction, sql, params).await?
        }
    };
    if moved == 0 {
        return refused(format!("run {run_id} is not where it could do that"));
    }
    if let RunUpdate::Ended { at, findings, .. } = update {
        let Findings { anomalies, alerts, send_alerts } = findings;
        anomalies::keep_of_run(transaction, run_id, *at, anomalies).await?;
        alerts::raise(transaction, run_id, *at, alerts, *send_alerts).await?;
    }
    Ok(())
}

/// One run.
pub(crate) async fn run(client: &impl GenericClient, run_id: RunId) -> Queried<Option<Run>> {
    let sources = Sources::read(client).await?;
    let sql = select_run!("WHERE run_id = $1");
    first(client, sql, &[&run_id.0], |row| read_run(row, &sources)).await
}

/// The options that a run was started with.
pub(crate) async fn options(client: &impl GenericClient, run_id: RunId) -> Queried<Option<Value>> {
    let sql = "SELECT options FROM run WHERE run_id = $1";
    Ok(first(client, sql, &[&run_id.0], |row| maybe_json(row, 0)).await?.flatten())
}

/// Hands every run with its options to `see`.
pub(super) async fn every_run(
    client: &impl GenericClient,
    sources: &Sources,
    mut see: impl FnMut(&Run, Option<&Value>),
) -> Queried<()> {
    walk(client, select_run!("ORDER BY run_id"), &[], |row| {
        see(&read_run(row, sources)?, maybe_json(row, 17)?.as_ref());
        Ok(())
    })
    .await
}

/// Runs that fit, newest first.
pub(crate) async fn list(client: &impl GenericClient, filter: &RunFilter) -> Queried<Vec<Run>> {
    let sources = Sources::read(client).await?;
    let Some(of) = AskedSources::find(client, &filter.sources).await? else {
        return Ok(Vec::new());
    };
    let (status, limit) = (filter.status.map(RunStatus::name), i64::from(filter.limit));
    let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
    let sql = select_run!(
        "WHERE ($1::text IS NULL OR status = $1) AND ($2::bigint IS NULL OR source_id = $2) \
         AND ($3::bigint[] IS NULL OR source_id = ANY($3)) \
         ORDER BY created_at DESC, run_id DESC LIMIT $4 OFFSET $5"
    );
    let params: super::Params<'_> = &[&status, &of.one, &of.several, &limit, &offset];
    each(client, sql, params, |row| read_run(row, &sources)).await
}

/// How many runs fit.
pub(crate) async fn count(client: &impl GenericClient, filter: &RunFilter) -> Queried<u64> {
    let Some(of) = AskedSources::find(client, &filter.sources).await? else {
        return Ok(0);
    };
    let sql = "SELECT count(*) FROM run
               WHERE ($1::text IS NULL OR status = $1) AND ($2::bigint IS NULL OR source_id = $2)
                   AND ($3::bigint[] IS NULL OR source_id = ANY($3))";
    let status = filter.status.map(RunStatus::name);
    let counted = first(client, sql, &[&status, &of.one, &of.several], |row| uint(row, 0)).await?;
    Ok(counted.unwrap_or(0))
}
