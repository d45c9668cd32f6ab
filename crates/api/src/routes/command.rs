//! `GET /commands/{id}`

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use kasparro_domain::{CommandId, CommandKind, CommandState, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::listing::number_id;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::change;
use crate::openapi::Problems;
use crate::problem::{Code, Problem};
use crate::query::no_params;
use crate::respond;

/// A command: what one process asks of the process that works on a source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Command)]
pub(crate) struct CommandBody {
    /// Its id.
    command_id: i64,
    /// `run`, `retry`, `discard`, `retry_page`, `accept_drift` or `decide_identity`.
    kind: &'static str,
    /// The source it is about.
    source: String,
    /// `pending` (nobody took it up yet), `claimed` (it is being carried out), `done`, or `refused`.
    status: &'static str,
    /// When it was asked.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// What came of it, once it is done: `run_id`, `run_ids`, `discarded`, `accepted` or `decision_id`.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// Why it was refused.
    error: Option<String>,
}

/// Shows how a command stands.
#[utoipa::path(
    get, path = "/commands/{id}", tag = "Decisions",
    params(("id" = i64, Path, description = "The command's id", minimum = 0)),
    responses((status = 200, description = "The command", body = Enveloped<CommandBody>), Problems),
)]
pub(crate) async fn command(
    State(shared): AppState,
    context: RequestContext,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let id = number_id(&id)?;
    let found = shared.ask(shared.store.command(CommandId(id))).await?;
    let command = found
        .ok_or_else(|| Problem::new(Code::CommandNotFound, format!("there is no command {id}")))?;
    let kind = match &command.kind {
        CommandKind::Run { .. } => "run",
        CommandKind::Retry { .. } => "retry",
        CommandKind::Discard { .. } => "discard",
        CommandKind::RetryPage { .. } => "retry_page",
        CommandKind::AcceptDrift { .. } => "accept_drift",
        CommandKind::DecideIdentity { .. } => "decide_identity",
    };
    let error = command.result.as_ref().and_then(change::refusal);
    let status = match command.state {
        CommandState::Pending => "pending",
        CommandState::Claimed => "claimed",
        CommandState::Done if error.is_some() => "refused",
        CommandState::Done => "done",
    };
    let body = CommandBody {
        command_id: id,
        kind,
        source: command.kind.source().to_string(),
        status,
        created_at: command.created_at,
        result: command.result.filter(|_| error.is_none()),
        error,
    };
    Ok(respond::json(&context, body))
}
