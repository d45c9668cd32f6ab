//! `GET /runs/{id}`

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use kasparro_domain::RunId;
use serde::Serialize;
use utoipa::ToSchema;

use super::run_body::RunBody;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::problem::{Code, Problem};
use crate::query::no_params;
use crate::respond;

/// One run, and how to see what it brought.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunDetail {
    #[serde(flatten)]
    run: RunBody,
    /// A generation that holds everything the run has written so far. Sent as `X-Min-Generation`, no
    /// answer lacks what the run brought.
    generation: u64,
}

/// Shows one run.
#[utoipa::path(
    get, path = "/runs/{id}", tag = "Operations",
    params(("id" = String, Path, description = "The run's id, a UUID")),
    responses((status = 200, description = "The run", body = Enveloped<RunDetail>), Problems),
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
    let asking = async {
        let run = shared.store.run(id).await?;
        // Taken after the run is: it holds at least what the run has written.
        Ok((run, shared.store.generation().await?))
    };
    let (run, generation) = shared.ask(asking).await?;
    let run =
        run.ok_or_else(|| Problem::new(Code::RunNotFound, format!("there is no run {id}")))?;
    let body = RunDetail { run: RunBody::from(&run), generation: generation.0 };
    Ok(respond::json(&context, body))
}
