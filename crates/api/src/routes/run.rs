//! `GET /runs/{id}`

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use kasparro_domain::{Anomaly, AnomalySubject, RunId, Timestamp};
use kasparro_store::AnomalyFilter;
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
    /// What is unusual about it beside the runs of its source before it.
    anomalies: Vec<RunAnomalyBody>,
}

/// What is unusual about a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunAnomaly)]
pub(crate) struct RunAnomalyBody {
    /// `few_rows`, `many_rows`, `no_rows`, `slow`, `fast`, `many_rejects`, `failed` or `failure_rate`.
    kind: &'static str,
    /// What the run showed.
    value: String,
    /// What is usual.
    expected: String,
    /// When it was found: the end of the run.
    #[schema(value_type = String, format = DateTime)]
    found_at: Timestamp,
}

impl RunAnomalyBody {
    fn of(anomaly: Anomaly) -> Option<Self> {
        let found_at = anomaly.found_at;
        match anomaly.subject {
            AnomalySubject::Value(_) => None,
            AnomalySubject::Run { anomaly: of, .. } => Some(Self {
                kind: of.kind.name(),
                value: of.value,
                expected: of.expected,
                found_at,
            }),
        }
    }
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
        // A run has each kind at most once.
        let of_run = AnomalyFilter { run_id: Some(id), ..AnomalyFilter::default() };
        let anomalies = shared.store.anomalies(of_run).await?;
        // Taken after the run is: it holds at least what the run has written.
        Ok((run, anomalies, shared.store.generation().await?))
    };
    let (run, mut anomalies, generation) = shared.ask(asking).await?;
    anomalies.reverse();
    let run =
        run.ok_or_else(|| Problem::new(Code::RunNotFound, format!("there is no run {id}")))?;
    let body = RunDetail {
        run: RunBody::from(&run),
        generation: generation.0,
        anomalies: anomalies.into_iter().filter_map(RunAnomalyBody::of).collect(),
    };
    Ok(respond::json(&context, body))
}
