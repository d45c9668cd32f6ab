//! What became of commands.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use kasparro_domain::{CommandId, CommandState};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::Change;
use crate::answer::RequestContext;
use crate::problem::{Code, Problem};
use crate::{Shared, respond};

/// The longest wait for a command to be carried out.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often it is looked at, at first and later on.
const FIRST_LOOK: Duration = Duration::from_millis(25);
const LAST_LOOK: Duration = Duration::from_millis(250);

/// Commands that are still to be carried out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CommandsPending {
    /// `pending`: the process that works on the source takes them up.
    status: &'static str,
    /// Their ids; `GET /commands/{id}` tells how each stands.
    command_ids: Vec<i64>,
}

/// The results of commands, in their order, once all are carried out; `None` where that takes longer than a
/// request may wait.
///
/// # Errors
/// 409 with what the process said that refused one of them.
pub(crate) async fn results(
    shared: &Arc<Shared>,
    commands: &[CommandId],
) -> Result<Option<Vec<Value>>, Problem> {
    // The answer has to be made within the time limit of requests.
    let patience = PATIENCE.min(shared.settings.request_timeout.mul_f64(0.8));
    let (asked_at, mut look) = (Instant::now(), FIRST_LOOK);
    let mut results = Vec::with_capacity(commands.len());
    while let Some(command) = commands.get(results.len()) {
        let found = shared.ask(shared.store.command(*command)).await?;
        let found = found.ok_or_else(|| Problem::new(Code::CommandNotFound, "it is gone"))?;
        if found.state == CommandState::Done {
            results.push(found.result.unwrap_or_default());
            continue;
        }
        let left = patience.saturating_sub(asked_at.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        tokio::time::sleep(look.min(left)).await;
        look = (look * 2).min(LAST_LOOK);
    }
    match results.iter().find_map(refusal) {
        Some(why) => Err(Problem::new(Code::CommandRefused, why)),
        None => Ok(Some(results)),
    }
}

/// Why a command was not carried out, if it was not; never what a database said.
pub(crate) fn refusal(result: &Value) -> Option<String> {
    if result.get("withdrawn").is_some() {
        return Some("it was taken back by whoever took the source over".to_owned());
    }
    let why = result.get("error")?.as_str().unwrap_or_default();
    if why.starts_with("the store ") {
        return Some("the database failed while it was carried out; the log says more".to_owned());
    }
    Some(why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect())
}

/// Says that commands are still to be carried out, and where to look.
pub(crate) fn pending(
    context: &RequestContext,
    change: &Change,
    commands: &[CommandId],
) -> Response {
    let command_ids: Vec<_> = commands.iter().map(|command| command.0).collect();
    let first = command_ids.first().copied();
    let body = CommandsPending { status: "pending", command_ids };
    let response = respond::json_with(context, StatusCode::ACCEPTED, body);
    match first {
        Some(first) => change.located(response, &format!("/commands/{first}")),
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_is_told_but_not_what_a_database_said() {
        assert_eq!(refusal(&json!({"discarded": 1})), None);
        let unknown = refusal(&json!({"error": "no source is called x; known are csv"}));
        assert_eq!(unknown.unwrap(), "no source is called x; known are csv");
        let secret = "the store cannot be used: secret-host:5432 refused";
        assert!(!refusal(&json!({ "error": secret })).unwrap().contains("secret-host"));
        assert!(refusal(&json!({"withdrawn": true})).is_some());
    }
}
