//! The log of runs, and totals over it.

use kasparro_domain::{
    RejectionReason, Run, RunCounts, RunId, RunReason, RunStatus, SourceName, Timestamp,
};
use kasparro_store::{QuarantineCount, RunFilter, RunUpdate, SourceSummary};
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::asked_sources::AskedSources;
use super::batches::{checkpoint, read_counts};
use super::{
    Sources, alerts, anomalies, each, first, instant, int, json_text, leases, maybe_instant,
    maybe_json, named, run_id, source_id, uint, walk,
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

fn read_run(row: &Row<'_>, sources: &Sources) -> Queried<Run> {
    Ok(Run {
        run_id: run_id(row, 0)?,
        source: sources.name(row.get(1)?)?.clone(),
        status: named(row, 2, RunStatus::from_name)?,
        reason: named(row, 3, RunReason::from_name)?,
        counts: read_counts(row, 4)?,
        pages: uint(row, 11)?,
        requests: uint(row, 12)?,
        created_at: instant(row, 13)?,
        started_at: maybe_instant(row, 14)?,
        completed_at: maybe_instant(row, 15)?,
        error: maybe_json(row, 16)?,
    })
}

/// Records a queued run, or finds the one that is open.
pub(crate) fn queue(
    connection: &Connection,
    run_id: RunId,
    source: &SourceName,
    reason: RunReason,
    now: Timestamp,
) -> Queried<Run> {
    let source_id = source_id(connection, source)?;
    let sources = Sources::read(connection)?;
    let open = select_run!("WHERE source_id = ?1 AND status IN ('queued', 'running')");
    if let Some(run) = first(connection, open, [source_id], |row| read_run(row, &sources))? {
        return Ok(run);
    }
    connection
        .prepare_cached(
            "INSERT INTO run (run_id, source_id, status, reason, created_at)
             VALUES (?1, ?2, 'queued', ?3, ?4)",
        )?
        .execute(params![run_id.to_string(), source_id, reason.name(), now.as_millis()])?;
    Ok(Run {
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
    })
}

/// Moves a run on.
pub(crate) fn update(
    connection: &Connection,
    run_id: RunId,
    epoch: u64,
    update: &RunUpdate,
) -> Queried<()> {
    leases::check_run(connection, run_id, epoch)?;
    let run = run_id.to_string();
    let moved = match update {
        RunUpdate::Started { at, options } => connection
            .prepare_cached(
                "UPDATE run SET status = 'running', started_at = ?2, options = ?3
                 WHERE run_id = ?1 AND status = 'queued'",
            )?
            .execute(params![run, at.as_millis(), json_text(options)?])?,
        RunUpdate::Ended { status, .. } if status.open() => 0,
        RunUpdate::Ended { at, status, requests, error, findings: _ } => connection
            .prepare_cached(
                "UPDATE run SET status = ?2, completed_at = ?3, requests = ?4, error = ?5
                 WHERE run_id = ?1 AND status IN ('queued', 'running')",
            )?
            .execute(params![
                run,
                status.name(),
                at.as_millis(),
                int(*requests)?,
                error.as_ref().map(json_text).transpose()?
            ])?,
    };
    if moved != 1 {
        return refused(format!("run {run} is not where it could do that"));
    }
    if let RunUpdate::Ended { at, findings, .. } = update {
        anomalies::keep_run(connection, run_id, *at, &findings.anomalies)?;
        alerts::raise(connection, run_id, *at, findings)?;
    }
    Ok(())
}

/// One run.
pub(crate) fn run(connection: &Connection, run_id: RunId) -> Queried<Option<Run>> {
    let sources = Sources::read(connection)?;
    let sql = select_run!("WHERE run_id = ?1");
    first(connection, sql, [run_id.to_string()], |row| read_run(row, &sources))
}

/// The options that a run was started with.
pub(crate) fn options(connection: &Connection, run_id: RunId) -> Queried<Option<Value>> {
    let sql = "SELECT options FROM run WHERE run_id = ?1";
    Ok(first(connection, sql, [run_id.to_string()], |row| maybe_json(row, 0))?.flatten())
}

/// Hands every run with its options to `see`.
pub(super) fn every_run(
    connection: &Connection,
    sources: &Sources,
    mut see: impl FnMut(&Run, Option<&Value>),
) -> Queried<()> {
    walk(connection, select_run!("ORDER BY run_id"), [], |row| {
        see(&read_run(row, sources)?, maybe_json(row, 17)?.as_ref());
        Ok(())
    })
}

/// Runs that fit, newest first.
pub(crate) fn list(connection: &Connection, filter: &RunFilter) -> Queried<Vec<Run>> {
    let sources = Sources::read(connection)?;
    let status = filter.status.map(RunStatus::name);
    let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
    let Some(asked) = AskedSources::find(connection, &filter.sources)? else {
        return Ok(Vec::new());
    };
    // "Any source" in one statement with the others would keep SQLite from using the index of a source.
    let sql = match asked {
        AskedSources::Any => select_run!(
            "WHERE ?4 IS NULL AND (?1 IS NULL OR status = ?1) \
             ORDER BY created_at DESC, run_id DESC LIMIT ?2 OFFSET ?3"
        ),
        AskedSources::One(_) => select_run!(
            "WHERE source_id = ?4 AND (?1 IS NULL OR status = ?1) \
             ORDER BY created_at DESC, run_id DESC LIMIT ?2 OFFSET ?3"
        ),
        AskedSources::Several(_) => select_run!(
            "WHERE +source_id IN (SELECT value FROM json_each(?4)) \
             AND (?1 IS NULL OR status = ?1) \
             ORDER BY created_at DESC, run_id DESC LIMIT ?2 OFFSET ?3"
        ),
    };
    let params = params![status, filter.limit, offset, asked.value()];
    each(connection, sql, params, |row| read_run(row, &sources))
}

/// How many runs fit.
pub(crate) fn count(connection: &Connection, filter: &RunFilter) -> Queried<u64> {
    let Some(asked) = AskedSources::find(connection, &filter.sources)? else {
        return Ok(0);
    };
    let sql = match asked {
        AskedSources::Any => {
            "SELECT count(*) FROM run WHERE ?2 IS NULL AND (?1 IS NULL OR status = ?1)"
        }
        AskedSources::One(_) => {
            "SELECT count(*) FROM run WHERE source_id = ?2 AND (?1 IS NULL OR status = ?1)"
        }
        AskedSources::Several(_) => {
            "SELECT count(*) FROM run WHERE source_id IN (SELECT value FROM json_each(?2))
                AND (?1 IS NULL OR status = ?1)"
        }
    };
    let params = params![filter.status.map(RunStatus::name), asked.value()];
    Ok(first(connection, sql, params, |row| uint(row, 0))?.unwrap_or(0))
}

/// Totals and latest runs of every source that ever ran, by name. Runs that fetch nothing (`retry` and
/// `replay`) count in the rows received only.
pub(crate) fn summaries(connection: &Connection) -> Queried<Vec<SourceSummary>> {
    let sources = Sources::read(connection)?;
    // What reads stored rows again says nothing of how the source is doing.
    let totals = "SELECT source_id, count(*) FILTER (WHERE reason NOT IN ('retry', 'replay')),
                         count(*) FILTER (WHERE reason NOT IN ('retry', 'replay')
                                            AND status = 'success'),
                         count(*) FILTER (WHERE reason NOT IN ('retry', 'replay')
                                            AND status NOT IN ('queued', 'running')),
                         sum(received)
                  FROM run GROUP BY source_id";
    let mut summaries = each(connection, totals, [], |row| {
        let source_id: i64 = row.get(0)?;
        let newest = |sql| first(connection, sql, [source_id], |row| read_run(row, &sources));
        let listings = "SELECT count(*) FROM listing WHERE source_id = ?1";
        Ok(SourceSummary {
            source: sources.name(source_id)?.clone(),
            total_runs: uint(row, 1)?,
            successful_runs: uint(row, 2)?,
            ended_runs: uint(row, 3)?,
            rows_received: uint(row, 4)?,
            listings: first(connection, listings, [source_id], |row| uint(row, 0))?.unwrap_or(0),
            last_run: newest(select_run!(
                "WHERE source_id = ?1 AND reason NOT IN ('retry', 'replay') \
                 ORDER BY created_at DESC, run_id DESC LIMIT 1"
            ))?,
            last_success: newest(select_run!(
                "WHERE source_id = ?1 AND status = 'success' \
                 AND reason NOT IN ('retry', 'replay') \
                 ORDER BY created_at DESC, run_id DESC LIMIT 1"
            ))?,
            last_failure: newest(select_run!(
                "WHERE source_id = ?1 AND status IN ('partial', 'failed', 'abandoned') \
                 AND reason NOT IN ('retry', 'replay') \
                 ORDER BY created_at DESC, run_id DESC LIMIT 1"
            ))?,
            checkpoint: checkpoint(connection, source_id)?,
        })
    })?;
    summaries.sort_by(|left, right| left.source.cmp(&right.source));
    Ok(summaries)
}

/// Open quarantined rows by source and reason.
pub(crate) fn quarantine_counts(connection: &Connection) -> Queried<Vec<QuarantineCount>> {
    let sources = Sources::read(connection)?;
    let sql = "SELECT source_id, reason, count(*) FROM quarantine WHERE status = 'open'
               GROUP BY source_id, reason";
    let mut counts = each(connection, sql, [], |row| {
        Ok(QuarantineCount {
            source: sources.name(row.get(0)?)?.clone(),
            reason: named(row, 1, RejectionReason::from_code)?,
            rows: uint(row, 2)?,
        })
    })?;
    counts.sort_by(|left, right| (&left.source, left.reason).cmp(&(&right.source, right.reason)));
    Ok(counts)
}
