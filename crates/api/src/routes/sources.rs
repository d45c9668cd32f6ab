//! `GET /sources`

use std::collections::BTreeMap;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use kasparro_domain::Timestamp;
use kasparro_store::Lease;
use serde::Serialize;
use utoipa::ToSchema;

use super::run_body::RunErrorBody;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::budgets::{Breaker, BudgetBody, ForecastBody, WindowBody};
use crate::openapi::Problems;
use crate::problem::Problem;
use crate::query::no_params;
use crate::reports::{self, SourceReport};
use crate::respond;
use crate::settings::SourceInfo;

/// Every source.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sources {
    /// The configured sources in their order, then others that once ran.
    data: Vec<SourceBody>,
}

/// One source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Source)]
pub(crate) struct SourceBody {
    /// Its name.
    name: String,
    /// Its title for people; `null` once it is no longer configured.
    title: Option<String>,
    /// Where its vendor documents it.
    documentation: Option<String>,
    /// False when the configuration switches it off; `null` where no engine has run.
    enabled: Option<bool>,
    /// How often it runs, in words or as a cron expression.
    schedule: Option<String>,
    /// When it runs next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_run_at: Option<Timestamp>,
    /// `healthy`, `degraded`, `unhealthy`, `pending` or `disabled`; `/health` says what each means.
    status: &'static str,
    /// The id of its newest run.
    last_run_id: Option<String>,
    /// The status of its newest run.
    last_run_status: Option<&'static str>,
    /// When its newest run was asked for.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_run_at: Option<Timestamp>,
    /// When its newest successful run ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_success_at: Option<Timestamp>,
    /// Seconds since then.
    lag_seconds: Option<u64>,
    /// Age in seconds from which its quotes count as stale.
    stale_after_seconds: Option<u64>,
    /// True when its newest success is longer ago than that; `null` where either is not known.
    stale: Option<bool>,
    /// Of each limit of its upstreams what is left where least is, as it was when the source last ran.
    budget: Vec<WindowBody>,
    /// `closed`, `half_open` or `open`: nothing is sent, because it failed so often; `null` where nothing
    /// was ever sent.
    breaker: Option<&'static str>,
    /// Nothing is sent before; `null` where no pause lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
    /// How long the credits of the month last; `null` where nothing limits them.
    forecast: Option<ForecastBody>,
    /// The budgets, one for each upstream and key.
    budgets: Vec<BudgetBody>,
    /// What it does about pages that have drifted: `evolve`, `quarantine` or `freeze`; `null` where no
    /// engine has run.
    drift_mode: Option<&'static str>,
    /// Why its newest run that ended did not succeed.
    error: Option<RunErrorBody>,
    /// Listings stored.
    listings: u64,
    /// Rows received over all runs.
    rows_received: u64,
    /// Which process works on it; `null` where none ever did.
    lease: Option<LeaseBody>,
    /// Open quarantined rows by reason.
    quarantined: BTreeMap<&'static str, u64>,
}

/// Who works on a source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lease)]
pub(crate) struct LeaseBody {
    /// The process that took the source last.
    holder: String,
    /// How often it was taken.
    epoch: u64,
    /// True while that process holds it; others may take it where it does not.
    live: bool,
}

impl From<&Lease> for LeaseBody {
    fn from(lease: &Lease) -> Self {
        Self { holder: lease.holder.clone(), epoch: lease.epoch, live: lease.live }
    }
}

/// Lists the sources with their schedules and how they are.
#[utoipa::path(
    get, path = "/sources", tag = "Operations",
    responses((status = 200, description = "The sources", body = Enveloped<Sources>), Problems),
)]
pub(crate) async fn sources(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let now = shared.clock.now();
    let asking = async {
        let reports = reports::source_reports(shared.store.as_ref(), &shared.sources).await?;
        Ok((reports, shared.store.quarantine_counts().await?))
    };
    let (reports, quarantine) = shared.ask(asking).await?;
    let data = reports.iter().map(|report| {
        let info = shared.sources.iter().find(|info| info.name == report.source);
        let counts = quarantine.iter().filter(|count| count.source == report.source);
        let quarantined = counts.map(|count| (count.reason.code(), count.rows)).collect();
        source_body(report, info, quarantined, now)
    });
    Ok(respond::json(&context, Sources { data: data.collect() }))
}

fn source_body(
    report: &SourceReport,
    info: Option<&SourceInfo>,
    quarantined: BTreeMap<&'static str, u64>,
    now: Timestamp,
) -> SourceBody {
    let (state, summary, last_run) =
        (report.state.as_ref(), report.summary.as_ref(), report.last_run());
    let budgets = report.budgets(now);
    SourceBody {
        name: report.source.to_string(),
        title: info.map(|info| info.title.clone()),
        documentation: info.map(|info| info.documentation.clone()),
        enabled: state.map(|state| state.enabled),
        schedule: state.map(|state| state.schedule.clone()),
        next_run_at: state.and_then(|state| state.next_run_at),
        status: report.condition(now).0.name(),
        last_run_id: last_run.map(|run| run.run_id.to_string()),
        last_run_status: last_run.map(|run| run.status.name()),
        last_run_at: last_run.map(|run| run.created_at),
        last_success_at: report.last_success(),
        lag_seconds: report.lag_seconds(now),
        stale_after_seconds: state.map(|state| state.stale_after_seconds),
        stale: report.stale(now),
        budget: budgets.tightest(),
        breaker: budgets.breaker().map(Breaker::name),
        not_before: budgets.not_before(),
        forecast: budgets.forecast().cloned(),
        budgets: budgets.0,
        drift_mode: state.map(|state| state.drift_mode.name()),
        error: report.error().map(RunErrorBody::from),
        listings: summary.map_or(0, |summary| summary.listings),
        rows_received: summary.map_or(0, |summary| summary.rows_received),
        lease: report.lease.as_ref().map(LeaseBody::from),
        quarantined,
    }
}
