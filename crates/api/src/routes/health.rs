//! `GET /health`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use kasparro_domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::run_body::RunErrorBody;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::budgets::Breaker;
use crate::openapi::Problems;
use crate::reports::{self, Condition, SourceReport};
use crate::respond;
use crate::settings::PING_TIMEOUT;

/// How everything is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy`, `degraded` (`etl` is not healthy) or `unhealthy` (the database is away).
    status: &'static str,
    /// `healthy` or `unhealthy`.
    database: &'static str,
    /// `healthy`, `degraded` (some source is not healthy) or `unhealthy` (none ever succeeded, or the
    /// database is away).
    etl: &'static str,
    /// How each source is.
    etl_status: BTreeMap<String, SourceHealth>,
    /// Seconds since the server started.
    uptime_seconds: u64,
    /// Now.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// The version of the program.
    version: &'static str,
    /// The label of this installation.
    environment: String,
}

/// How a source is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SourceHealth {
    /// `healthy`; `degraded`: its newest run failed, its last success is too old or its breaker is open;
    /// `unhealthy`: it never succeeded; `pending`: no run has ended; `disabled`.
    status: &'static str,
    /// Why it is degraded or unhealthy: `failing`, `stale`, `breaker_open` or `never_succeeded`.
    reason: Option<&'static str>,
    /// When its newest successful run ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_success: Option<Timestamp>,
    /// When its newest run that did not succeed ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_failure: Option<Timestamp>,
    /// Seconds since its newest successful run ended.
    lag_seconds: Option<u64>,
    /// True when that is longer than it may be; `null` where it is not known.
    stale: Option<bool>,
    /// `closed`, `half_open` or `open`: nothing is sent, because it failed so often; `null` where nothing
    /// was ever sent.
    breaker: Option<&'static str>,
    /// True while a process holds the source; `/sources` says which.
    held: bool,
    /// Why its newest run that ended did not succeed.
    error: Option<RunErrorBody>,
}

/// Says how the database and every source are.
///
/// 200 while the database answers, also when sources fail (`degraded`); 503 with the same body when
/// the database is away or takes longer than two seconds. Sources that are pending or disabled do not
/// count.
#[utoipa::path(
    get, path = "/health", tag = "Operations",
    responses(
        (status = 200, description = "The database answers", body = Enveloped<Health>),
        (status = 503, description = "The database is away", body = Enveloped<Health>),
        Problems,
    ),
)]
pub(crate) async fn health(State(shared): AppState, context: RequestContext) -> Response {
    let now = shared.clock.now();
    let (store, sources) = (Arc::clone(&shared.store), Arc::clone(&shared.sources));
    let contact = Arc::clone(&shared.contact);
    let checkup = shared.checkups.ask(PING_TIMEOUT, || async move {
        let asking = async {
            store.ping().await?;
            reports::source_reports(store.as_ref(), &sources).await
        };
        let reports = asking.await;
        contact.note(&reports);
        reports.ok().map(Arc::new)
    });
    let reports = checkup.await;
    let database_healthy = reports.is_some();
    if !database_healthy {
        shared.contact.lost(&"no answer to a health check");
    }
    let reports = reports.unwrap_or_default();
    let judged: Vec<_> = reports.iter().map(|report| report.condition(now)).collect();
    let conditions: Vec<_> = judged.iter().map(|(condition, _)| *condition).collect();
    let etl = if database_healthy { reports::overall(&conditions) } else { Condition::Unhealthy };
    let status = match (database_healthy, etl) {
        (false, _) => Condition::Unhealthy,
        (true, Condition::Healthy) => Condition::Healthy,
        (true, _) => Condition::Degraded,
    };
    let etl_status = reports.iter().zip(judged).map(|(report, condition)| {
        (report.source.to_string(), source_health(report, condition, now))
    });
    let body = Health {
        status: status.name(),
        database: if database_healthy { "healthy" } else { "unhealthy" },
        etl: etl.name(),
        etl_status: etl_status.collect(),
        uptime_seconds: now.since(shared.started_at).as_secs(),
        timestamp: now,
        version: env!("CARGO_PKG_VERSION"),
        environment: shared.settings.environment.clone(),
    };
    let code = if database_healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    respond::json_with(&context, code, body)
}

fn source_health(
    report: &SourceReport,
    (condition, reason): (Condition, Option<&'static str>),
    now: Timestamp,
) -> SourceHealth {
    SourceHealth {
        status: condition.name(),
        reason,
        last_success: report.last_success(),
        last_failure: report.last_failure(),
        lag_seconds: report.lag_seconds(now),
        stale: report.stale(now),
        breaker: report.budgets(now).breaker().map(Breaker::name),
        held: report.lease.as_ref().is_some_and(|lease| lease.live),
        error: report.error().map(RunErrorBody::from),
    }
}
