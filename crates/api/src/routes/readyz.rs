//! `GET /readyz`

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::problem::{Code, Problem};
use crate::{data, respond};

/// The server is ready.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// Always `ready`.
    status: &'static str,
    /// `healthy` or `unhealthy`; listings are served from memory either way.
    database: &'static str,
    /// Seconds since anything was fetched last, from whatever source.
    behind_seconds: u64,
}

/// Says whether requests should be sent here.
///
/// 503 until the read model is loaded (`loading`; `store_unavailable` where the database does not answer
/// either), while shutting down (`draining`), before anything was fetched (`no_data`), and when nothing was
/// fetched for longer than allowed (`stale_data`). Once loaded, a database that is away does not change it.
#[utoipa::path(
    get, path = "/readyz", tag = "Operations",
    responses((status = 200, description = "Ready", body = Enveloped<Ready>), Problems),
)]
pub(crate) async fn readyz(
    State(shared): AppState,
    context: RequestContext,
) -> Result<Response, Problem> {
    if shared.draining.load(Ordering::Relaxed) {
        return Err(Problem::new(Code::Draining, "the server is shutting down"));
    }
    if !shared.view.loaded() {
        return Err(data::not_loaded());
    }
    let snapshot = shared.view.snapshot();
    let fetched_at = snapshot
        .newest_fetched_at()
        .ok_or_else(|| Problem::new(Code::NoData, "no source has brought a quote yet"))?;
    let behind = shared.clock.now().since(fetched_at);
    if behind > shared.settings.max_staleness {
        let detail = format!(
            "nothing was fetched for {} seconds, {} are allowed",
            behind.as_secs(),
            shared.settings.max_staleness.as_secs()
        );
        return Err(Problem::new(Code::StaleData, detail));
    }
    let database = if shared.database_answers().await { "healthy" } else { "unhealthy" };
    let body = Ready { status: "ready", database, behind_seconds: behind.as_secs() };
    Ok(respond::at_generation(respond::json(&context, body), snapshot.generation()))
}
