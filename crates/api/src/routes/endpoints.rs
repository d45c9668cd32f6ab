//! `GET /api`

use axum::extract::{RawQuery, State};
use axum::response::Response;
use kasparro_domain::Scope;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::problem::Problem;
use crate::query::no_params;
use crate::{access, respond};

/// Every path that is served.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Endpoints {
    /// The version of the program.
    version: &'static str,
    /// The paths, each also under `/api/v1`.
    endpoints: Vec<Endpoint>,
}

/// One path.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Endpoint {
    /// The path, with parameters in braces.
    path: &'static str,
    /// The method.
    method: &'static str,
    /// The scope that a key needs; `null` where no key is needed.
    scope: Option<&'static str>,
    /// What it does.
    summary: &'static str,
}

/// Lists every path that is served.
#[utoipa::path(
    get, path = "/api", tag = "Service",
    responses((status = 200, description = "The paths", body = Enveloped<Endpoints>), Problems),
)]
pub(crate) async fn endpoints(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let closed = &shared.settings.closed;
    let endpoints = access::operations().iter().map(|operation| Endpoint {
        path: &operation.path,
        method: operation.method,
        scope: operation.access.needed(closed).map(Scope::name),
        summary: &operation.summary,
    });
    let body = Endpoints { version: env!("CARGO_PKG_VERSION"), endpoints: endpoints.collect() };
    Ok(respond::json(&context, body))
}
