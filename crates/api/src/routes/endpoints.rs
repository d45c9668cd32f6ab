//! `GET /api`

use std::sync::LazyLock;

use axum::extract::RawQuery;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Enveloped, RequestContext};
use crate::openapi::{self, Problems};
use crate::problem::Problem;
use crate::query::no_params;
use crate::respond;

/// Every path that is served.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Endpoints {
    /// The version of the program.
    version: &'static str,
    /// The paths, each also under `/api/v1`.
    endpoints: &'static [Endpoint],
}

/// One path.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Endpoint {
    /// The path, with parameters in braces.
    path: String,
    /// The method.
    method: &'static str,
    /// What it does.
    summary: String,
}

static ENDPOINTS: LazyLock<Vec<Endpoint>> = LazyLock::new(|| {
    let paths = openapi::document().paths.paths;
    let described = paths.into_iter().flat_map(|(path, item)| {
        let operations = [("GET", item.get), ("POST", item.post)];
        operations.into_iter().filter_map(move |(method, operation)| {
            let summary = operation?.summary.unwrap_or_default();
            Some(Endpoint { path: path.clone(), method, summary })
        })
    });
    described.collect()
});

/// Lists every path that is served.
#[utoipa::path(
    get, path = "/api", tag = "Service",
    responses((status = 200, description = "The paths", body = Enveloped<Endpoints>), Problems),
)]
pub(crate) async fn endpoints(
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let body = Endpoints { version: env!("CARGO_PKG_VERSION"), endpoints: &ENDPOINTS };
    Ok(respond::json(&context, body))
}
