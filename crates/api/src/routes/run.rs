//! `GET /runs/{id}`

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use kasparro_domain::RunId;

use super::run_body::RunBody;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::problem::{Code, Problem};
use crate::query::no_params;
use crate::respond;

/// Shows one run.
#[utoipa::path(
    get, path = "/runs/{id}", tag = "Operations",
    params(("id" = String, Path, description = "The run's id, a UUID")),
    responses((status = 200, description = "The run", body = Enveloped<RunBody>), Problems),
)]
pub(crate) async fn run(
    State(shared): AppState,
    context: RequestContext,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let id: RunId =
        id.parse().map_err(|_| Problem::new(Code::InvalidId, "the id of a run is a UUID"))?;
    let run = shared.store.run(id).await?;
    let run =
        run.ok_or_else(|| Problem::new(Code::RunNotFound, format!("there is no run {id}")))?;
    Ok(respond::json(&context, RunBody::from(&run)))
}
