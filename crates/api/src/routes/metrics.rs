//! `GET /metrics`

use axum::extract::State;
use axum::response::Response;
use metrics::gauge;

use crate::answer::AppState;
use crate::openapi::Problems;
use crate::settings::PING_TIMEOUT;
use crate::{Shared, reports, respond};

/// Shows the metrics of this process in the Prometheus text format.
///
/// Gauges that are read from the database keep their last values while it is away.
#[utoipa::path(
    get, path = "/metrics", tag = "Operations",
    responses((status = 200, description = "The metrics", content_type = "text/plain", body = String), Problems),
)]
pub(crate) async fn metrics(State(shared): AppState) -> Response {
    if tokio::time::timeout(PING_TIMEOUT, set_gauges(&shared)).await.is_err() {
        shared.contact.lost(&"no answer in time for the metrics");
    }
    respond::text("text/plain; version=0.0.4; charset=utf-8", shared.metrics.handle.render())
}

async fn set_gauges(shared: &Shared) {
    let generation = shared.view.snapshot().generation();
    gauge!("kasparro_generation").set(generation.0 as f64);
    let now = shared.clock.now();
    if let Ok(reports) = reports::source_reports(shared.store.as_ref(), &shared.sources).await {
        for report in reports {
            if let Some(lag_seconds) = report.lag_seconds(now) {
                gauge!("kasparro_source_lag_seconds", "source" => report.source.to_string())
                    .set(lag_seconds as f64);
            }
        }
    }
    if let Ok(counts) = shared.store.quarantine_counts().await {
        shared.metrics.set_quarantine(&counts);
    }
}
