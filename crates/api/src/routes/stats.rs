//! `GET /stats`

use std::collections::BTreeMap;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use kasparro_domain::{RunStatus, Timestamp};
use kasparro_store::{IdentityPosition, RunFilter};
use serde::Serialize;
use utoipa::ToSchema;

use super::run_body::RunBody;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::problem::Problem;
use crate::query::no_params;
use crate::reports::{self, SourceReport};
use crate::respond;

const RECENT_RUNS: u32 = 10;

/// Totals over all runs, in the shapes of the older services side by side.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stats {
    summary: Summary,
    /// Each source.
    per_source: Vec<SourceStats>,
    /// The ten newest runs, newest first.
    recent_runs: Vec<RunBody>,
    /// Runs of every status, except those that only read stored rows again (`retry`, `replay`).
    total_runs: u64,
    /// Share of successful runs among those that ended, from 0 to 1; `null` before the first ended.
    success_rate: Option<f64>,
    /// Rows received over all runs, whatever their reason.
    records_processed: u64,
    /// The same as `records_processed`.
    total_records_processed: u64,
    /// When the newest successful run ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_success: Option<Timestamp>,
    /// When the newest run that did not succeed ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_failure: Option<Timestamp>,
    /// Each source by name.
    sources: BTreeMap<String, SourceProgress>,
    /// Each source that ever ran.
    pipelines: Vec<Pipeline>,
    /// How far it is decided which listings are one asset.
    identity: IdentityStats,
}

/// How far it is decided which listings are one asset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IdentityStats {
    /// How often evidence of identity has changed: listings that came, other names, new statements of lists,
    /// decisions of people.
    evidence_version: u64,
    /// The evidence that was decided by; `null` before the first resolution.
    resolved_version: Option<u64>,
    /// True where some evidence is too new to count: a change counts once it was seen again later.
    pending: bool,
    /// Name and version of the rules that decided.
    rule_version: Option<String>,
    /// When it was decided last.
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Timestamp>,
    /// Listings that were looked at.
    listings: u64,
    /// Assets that they form.
    assets: u64,
    /// Those that share their asset with a listing of another source.
    linked: u64,
    /// Those of which it stays open what they are: they are kept apart.
    ambiguous: u64,
}

impl From<IdentityPosition> for IdentityStats {
    fn from(position: IdentityPosition) -> Self {
        let resolved = position.resolved.as_ref();
        let totals = resolved.map(|resolved| resolved.totals).unwrap_or_default();
        Self {
            evidence_version: position.evidence_version,
            resolved_version: resolved.map(|resolved| resolved.evidence_version),
            pending: resolved.is_some_and(|resolved| resolved.pending),
            rule_version: resolved.map(|resolved| resolved.rule_version.clone()),
            resolved_at: resolved.map(|resolved| resolved.resolved_at),
            listings: totals.listings,
            assets: totals.assets,
            linked: totals.linked,
            ambiguous: totals.ambiguous,
        }
    }
}

/// The totals at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Summary {
    /// Runs of every status, except those that only read stored rows again (`retry`, `replay`).
    total_runs: u64,
    /// Share of successful runs among those that ended, as in `100.0%`.
    success_rate: Option<String>,
    /// When the newest successful run ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_successful_run: Option<Timestamp>,
}

/// Totals of one source.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SourceStats {
    /// The source.
    source: String,
    /// Runs of every status, except those that only read stored rows again (`retry`, `replay`).
    total_runs: u64,
    /// Runs that ended `success`.
    successful_runs: u64,
    /// Runs that ended in any other way.
    failed_runs: u64,
    /// Share of successful runs among those that ended, from 0 to 1.
    success_rate: Option<f64>,
    /// Rows received over all runs, whatever their reason.
    records_processed: u64,
    /// Listings stored.
    listings: u64,
    /// The newest run.
    last_run: Option<RunBody>,
}

/// How far one source is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SourceProgress {
    /// `completed`, `running`, `failed` or `pending`.
    status: &'static str,
    /// The newest run.
    run_id: Option<String>,
    /// The checkpoint where it is a single number or text, else `null`: of the sources that come with this
    /// program none has such a one, and `checkpoint` says where they stand.
    #[schema(value_type = Option<String>)]
    last_processed_id: Option<serde_json::Value>,
    /// When the checkpoint was moved last.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_processed_at: Option<Timestamp>,
    /// When the newest successful run ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_success: Option<Timestamp>,
    /// When the newest run that did not succeed ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_failure: Option<Timestamp>,
    /// Rows received over all runs, whatever their reason.
    records_processed: u64,
    /// The source's position in its own terms.
    #[schema(value_type = Option<Object>)]
    checkpoint: Option<serde_json::Value>,
}

/// One source in the words of the oldest service.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pipeline {
    /// The source.
    source: String,
    /// `SUCCESS`, `FAILED` or `RUNNING` (also while a run is queued).
    status: &'static str,
    /// Rows received over all runs.
    offset: u64,
    /// When the newest run was asked for.
    #[schema(value_type = String, format = DateTime)]
    last_run: Timestamp,
}

/// Shows totals over all runs, for each source and together.
#[utoipa::path(
    get, path = "/stats", tag = "Operations",
    responses((status = 200, description = "The totals", body = Enveloped<Stats>), Problems),
)]
pub(crate) async fn stats(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let newest = RunFilter { limit: RECENT_RUNS, ..RunFilter::default() };
    let asking = async {
        let reports = reports::source_reports(shared.store.as_ref(), &shared.sources).await?;
        let runs = shared.store.runs(newest).await?;
        Ok((reports, runs, shared.store.identity_position().await?))
    };
    let (reports, recent_runs, position) = shared.ask(asking).await?;
    let summaries = || reports.iter().filter_map(|report| report.summary.as_ref());
    let total_runs = summaries().map(|summary| summary.total_runs).sum();
    let ended_runs = summaries().map(|summary| summary.ended_runs).sum();
    let successful_runs = summaries().map(|summary| summary.successful_runs).sum();
    let records_processed = summaries().map(|summary| summary.rows_received).sum();
    let last_success = reports.iter().filter_map(SourceReport::last_success).max();
    let rate = rate(successful_runs, ended_runs);
    let body = Stats {
        summary: Summary {
            total_runs,
            success_rate: rate.map(|rate| format!("{:.1}%", rate * 100.0)),
            last_successful_run: last_success,
        },
        per_source: reports.iter().map(source_stats).collect(),
        recent_runs: recent_runs.iter().map(RunBody::from).collect(),
        total_runs,
        success_rate: rate,
        records_processed,
        total_records_processed: records_processed,
        last_success,
        last_failure: reports.iter().filter_map(SourceReport::last_failure).max(),
        sources: reports
            .iter()
            .map(|report| (report.source.to_string(), progress(report)))
            .collect(),
        pipelines: reports.iter().filter_map(pipeline).collect(),
        identity: position.into(),
    };
    Ok(respond::json(&context, body))
}

/// A share from 0 to 1; none of nothing.
fn rate(successful: u64, ended: u64) -> Option<f64> {
    (ended > 0).then(|| successful as f64 / ended as f64)
}

fn source_stats(report: &SourceReport) -> SourceStats {
    let count =
        |read: fn(&kasparro_store::SourceSummary) -> u64| report.summary.as_ref().map_or(0, read);
    let (successful_runs, ended_runs) =
        (count(|summary| summary.successful_runs), count(|summary| summary.ended_runs));
    SourceStats {
        source: report.source.to_string(),
        total_runs: count(|summary| summary.total_runs),
        successful_runs,
        failed_runs: ended_runs.saturating_sub(successful_runs),
        success_rate: rate(successful_runs, ended_runs),
        records_processed: count(|summary| summary.rows_received),
        listings: count(|summary| summary.listings),
        last_run: report.last_run().map(RunBody::from),
    }
}

fn progress(report: &SourceReport) -> SourceProgress {
    let checkpoint = report.summary.as_ref().and_then(|summary| summary.checkpoint.clone());
    let position = checkpoint.as_ref().map(|checkpoint| checkpoint.position.clone());
    SourceProgress {
        status: report.older_status(),
        run_id: report.last_run().map(|run| run.run_id.to_string()),
        last_processed_id: position.clone().filter(|value| value.is_string() || value.is_number()),
        last_processed_at: checkpoint.map(|checkpoint| checkpoint.moved_at),
        last_success: report.last_success(),
        last_failure: report.last_failure(),
        records_processed: report.summary.as_ref().map_or(0, |summary| summary.rows_received),
        checkpoint: position,
    }
}

fn pipeline(report: &SourceReport) -> Option<Pipeline> {
    let run = report.last_run()?;
    Some(Pipeline {
        source: report.source.to_string(),
        status: match run.status {
            RunStatus::Success => "SUCCESS",
            RunStatus::Queued | RunStatus::Running => "RUNNING",
            RunStatus::Partial | RunStatus::Failed | RunStatus::Abandoned => "FAILED",
        },
        offset: report.summary.as_ref().map_or(0, |summary| summary.rows_received),
        last_run: run.created_at,
    })
}
