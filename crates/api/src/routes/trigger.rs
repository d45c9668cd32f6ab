//! `GET` and `POST /trigger-etl`, `POST /runs`

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use kasparro_domain::{CommandKind, Run, RunId, RunReason, RunStatus, SourceName, Timestamp};
use kasparro_store::RunFilter;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::change_params::ChangeParams;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::change::{Change, HandedIn};
use crate::openapi::Problems;
use crate::problem::{Code, Mistakes, Problem};
use crate::query::{Params, no_params};
use crate::{Shared, data, respond};

/// Where older services started runs, also by `GET`.
pub(super) const PATH: &str = "/trigger-etl";
/// The methods it takes: HEAD is not among them, for who only looks must not start anything.
pub(super) const ALLOWED: HeaderValue = HeaderValue::from_static("GET,POST,OPTIONS");

/// Every parameter of `/trigger-etl`.
const KNOWN: &[&str] = &["source"];

/// A run that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunAsked {
    /// Its id: `GET /runs/{id}` shows how it goes.
    run_id: String,
    /// The source.
    source: String,
    /// `queued`, or `running` where it was under way already.
    status: String,
}

/// What to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunRequest {
    /// The source, for example `coinpaprika`
    #[schema(max_length = 512)]
    source: String,
    /// True to ask for every list as well, also for those that are not due
    #[serde(default)]
    lists: bool,
}

/// The parameter of `/trigger-etl`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes a parameter that is read by hand")]
pub(crate) struct TriggerParams {
    /// The source to run; the names that older services gave are taken too
    #[param(example = "coinpaprika", max_length = 512)]
    source: String,
}

/// Starts a run of a source.
///
/// Where a run of the source is queued or running already, that run is the answer and no other is started.
#[utoipa::path(
    post, path = "/trigger-etl", tag = "Decisions",
    params(TriggerParams, ChangeParams),
    responses((status = 202, description = "The run", body = Enveloped<RunAsked>, headers(("Location" = String, description = "Where the run is shown"))), Problems),
)]
pub(crate) async fn trigger_posted(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    change.no_body()?;
    let source = source_asked(query.as_deref(), &shared)?;
    start(&shared, &context, &change, source, false).await
}

/// Starts a run of a source, for services that can only send `GET`.
///
/// It is the same as `POST`: asked again while the run is open, it starts no other.
#[utoipa::path(
    get, path = "/trigger-etl", tag = "Decisions",
    params(TriggerParams),
    responses((status = 202, description = "The run", body = Enveloped<RunAsked>, headers(("Location" = String, description = "Where the run is shown"))), Problems),
)]
pub(crate) async fn trigger(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    method: Method,
    change: Change,
) -> Result<Response, Problem> {
    if method == Method::HEAD {
        let problem = Problem::new(Code::MethodNotAllowed, "HEAD starts nothing; send POST or GET");
        let mut response = problem.into_response();
        response.headers_mut().insert(ALLOW, ALLOWED);
        return Ok(response);
    }
    let source = source_asked(query.as_deref(), &shared)?;
    start(&shared, &context, &change, source, false).await
}

/// Starts a run of a source.
///
/// Where a run of the source is queued or running already, that run is the answer, as it was asked for, and
/// no other is started.
#[utoipa::path(
    post, path = "/runs", tag = "Decisions",
    params(ChangeParams),
    request_body(content = RunRequest, description = "What to run"),
    responses((status = 202, description = "The run", body = Enveloped<RunAsked>, headers(("Location" = String, description = "Where the run is shown"))), Problems),
)]
pub(crate) async fn start_run(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let RunRequest { source, lists } = change.body()?;
    let mut mistakes = Mistakes::default();
    let source = configured(&source, &shared).map_err(|message| {
        mistakes.add(Code::InvalidBody, "source", message);
    });
    let unreadable = || Problem::new(Code::InvalidBody, "the source cannot be read");
    let source = mistakes.check(source.ok())?.ok_or_else(unreadable)?;
    start(&shared, &context, &change, source, lists).await
}

fn source_asked(query: Option<&str>, shared: &Shared) -> Result<SourceName, Problem> {
    let mut params = Params::read(query, KNOWN);
    if params.get("source").is_none() && !params.mistaken() {
        params.refuse("source", format!("is missing; sources are {}", sources(shared)));
    }
    let source = params.read_as("source", |text| configured(text, shared));
    let unreadable = || Problem::new(Code::InvalidParameter, "the source cannot be read");
    params.check(source)?.ok_or_else(unreadable)
}

/// The configured source of a name; others cannot be run.
fn configured(text: &str, shared: &Shared) -> Result<SourceName, String> {
    let none = || format!("is no source that is configured; sources are {}", sources(shared));
    let name = data::source_name(text, shared).map_err(|_| none())?;
    let known = shared.sources.iter().any(|source| source.name == name);
    if known { Ok(name) } else { Err(none()) }
}

fn sources(shared: &Shared) -> String {
    let names: Vec<_> = shared.sources.iter().map(|source| source.name.as_str()).collect();
    names.join(", ")
}

async fn start(
    shared: &Arc<Shared>,
    context: &RequestContext,
    change: &Change,
    source: SourceName,
    lists: bool,
) -> Result<Response, Problem> {
    let now = shared.clock.now();
    let run_id = new_run_id(now);
    let open = shared.ask(open_run(shared, &source)).await?;
    // One that is running needs no command; one that is queued may have lost its own.
    let (run_id, status) = open.map_or((run_id, RunStatus::Queued), |run| (run.run_id, run.status));
    let command = CommandKind::Run { source: source.clone(), run_id, lists };
    let commands = if status == RunStatus::Queued { vec![command] } else { Vec::new() };
    let answer = json!({"run_id": run_id, "status": status.name()});
    let handed_in = change.hand_in(shared, Ok((commands, answer))).await?;
    let (run_id, status) = run_of(shared, &source, &handed_in, now).await?;
    let body = RunAsked { run_id: run_id.to_string(), source: source.to_string(), status };
    let response = respond::json_with(context, StatusCode::ACCEPTED, body);
    Ok(change.located(response, &format!("/runs/{run_id}")))
}

/// The run of a request, now or when it came first: its row is there from now on.
///
/// It is queued behind its command, which names it for good: a name that a caller uses twice then finds one
/// run, and whoever carries the command out queues what a crash in between left out.
async fn run_of(
    shared: &Arc<Shared>,
    source: &SourceName,
    handed_in: &HandedIn,
    now: Timestamp,
) -> Result<(RunId, String), Problem> {
    let read = |name: &str| handed_in.answer.get(name).and_then(Value::as_str);
    let status = read("status").unwrap_or_default().to_owned();
    let Some(run_id) = read("run_id").and_then(|id| id.parse().ok()) else {
        return Err(Problem::new(Code::Internal, "what is kept of the request has no run"));
    };
    let asking = async {
        if handed_in.new && status == RunStatus::Queued.name() {
            let store = &shared.store;
            let queued = store.queue_run(run_id, source, RunReason::Manual, now).await?;
            return Ok(Some(queued.run_id));
        }
        if shared.store.run(run_id).await?.is_some() {
            return Ok(Some(run_id));
        }
        // Another run was queued first, and the command was carried out with that one.
        for command in &handed_in.commands {
            let command = shared.store.command(*command).await?;
            let result = command.and_then(|command| command.result);
            let run = result.as_ref().and_then(|result| result.get("run_id")?.as_str());
            if let Some(run) = run.and_then(|id| id.parse().ok()) {
                return Ok(Some(run));
            }
        }
        Ok(open_run(shared, source).await?.map(|run| run.run_id))
    };
    let found = shared.ask(asking).await?;
    Ok((found.unwrap_or(run_id), status))
}

/// The queued or running run of a source; there is one at most.
async fn open_run(
    shared: &Shared,
    source: &SourceName,
) -> kasparro_store::StoreResult<Option<Run>> {
    for status in [RunStatus::Running, RunStatus::Queued] {
        let filter =
            RunFilter { sources: vec![source.clone()], status: Some(status), limit: 1, offset: 0 };
        if let Some(run) = shared.store.runs(filter).await?.pop() {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

fn new_run_id(now: Timestamp) -> RunId {
    let millis = u64::try_from(now.as_millis()).unwrap_or_default();
    RunId(uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid())
}
