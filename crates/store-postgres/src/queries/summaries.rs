//! Totals over the log of runs.

use deadpool_postgres::GenericClient;
use kasparro_domain::{Checkpoint, RejectionReason};
use kasparro_store::{QuarantineCount, SourceSummary};
use tokio_postgres::Row;

use super::runs::{read_run, select_run};
use super::{Sources, each, first, get, instant, json, named, uint};
use crate::error::Queried;

/// What reads stored rows again says nothing of how the source is doing.
const TOTALS: &str = "
    SELECT source_id,
           count(*) FILTER (WHERE reason NOT IN ('retry', 'replay')),
           count(*) FILTER (WHERE reason NOT IN ('retry', 'replay') AND status = 'success'),
           count(*) FILTER (WHERE reason NOT IN ('retry', 'replay')
                              AND status NOT IN ('queued', 'running')),
           sum(received)::bigint,
           (SELECT count(*) FROM listing WHERE listing.source_id = run.source_id)
    FROM run GROUP BY source_id";

/// Totals and latest runs of every source that ever ran, by name. Runs that fetch nothing (`retry` and
/// `replay`) count in the rows received only.
pub(crate) async fn summaries(client: &impl GenericClient) -> Queried<Vec<SourceSummary>> {
    let sources = Sources::read(client).await?;
    let mut summaries = Vec::new();
    let totals = each(client, TOTALS, &[], |row| {
        let source_id: i64 = get(row, 0)?;
        let summary = SourceSummary {
            source: sources.name(source_id)?.clone(),
            total_runs: uint(row, 1)?,
            successful_runs: uint(row, 2)?,
            ended_runs: uint(row, 3)?,
            rows_received: uint(row, 4)?,
            listings: uint(row, 5)?,
            last_run: None,
            last_success: None,
            last_failure: None,
            checkpoint: None,
        };
        Ok((source_id, summary))
    });
    for (source_id, mut summary) in totals.await? {
        let read = |row: &Row| read_run(row, &sources);
        let last_run = select_run!(
            "WHERE source_id = $1 AND reason NOT IN ('retry', 'replay') \
             ORDER BY created_at DESC, run_id DESC LIMIT 1"
        );
        let last_success = select_run!(
            "WHERE source_id = $1 AND status = 'success' AND reason NOT IN ('retry', 'replay') \
             ORDER BY created_at DESC, run_id DESC LIMIT 1"
        );
        let last_failure = select_run!(
            "WHERE source_id = $1 AND status IN ('partial', 'failed', 'abandoned') \
             AND reason NOT IN ('retry', 'replay') \
             ORDER BY created_at DESC, run_id DESC LIMIT 1"
        );
        summary.last_run = first(client, last_run, &[&source_id], read).await?;
        summary.last_success = first(client, last_success, &[&source_id], read).await?;
        summary.last_failure = first(client, last_failure, &[&source_id], read).await?;
        summary.checkpoint = checkpoint(client, source_id).await?;
        summaries.push(summary);
    }
    summaries.sort_by(|left, right| left.source.cmp(&right.source));
    Ok(summaries)
}

/// The checkpoint of a source.
pub(crate) async fn checkpoint(
    client: &impl GenericClient,
    source: i64,
) -> Queried<Option<Checkpoint>> {
    let sql = "SELECT position, moved_at FROM checkpoint WHERE source_id = $1";
    first(client, sql, &[&source], |row| {
        Ok(Checkpoint { position: json(row, 0)?, moved_at: instant(row, 1)? })
    })
    .await
}

/// Open quarantined rows by source and reason.
pub(crate) async fn quarantine_counts(
    client: &impl GenericClient,
) -> Queried<Vec<QuarantineCount>> {
    let sources = Sources::read(client).await?;
    let sql = "SELECT source_id, reason, count(*) FROM quarantine WHERE status = 'open'
               GROUP BY source_id, reason";
    let mut counts = each(client, sql, &[], |row| {
        Ok(QuarantineCount {
            source: sources.name(get(row, 0)?)?.clone(),
            reason: named(row, 1, RejectionReason::from_code)?,
            rows: uint(row, 2)?,
        })
    })
    .await?;
    counts.sort_by(|left, right| (&left.source, left.reason).cmp(&(&right.source, right.reason)));
    Ok(counts)
}
