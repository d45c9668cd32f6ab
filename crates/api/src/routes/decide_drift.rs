//! `POST /drift/accept`

use std::collections::BTreeMap;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use kasparro_domain::{CommandKind, DriftId, DriftStatus, SourceName};
use kasparro_store::DriftFilter;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::change_params::ChangeParams;
use super::decide_rows::{done, ids, numbers, total};
use crate::Shared;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::change::{self, Change, CommandsPending, Decided};
use crate::openapi::Problems;
use crate::problem::{Code, Mistakes, Problem};
use crate::query::no_params;

/// Changes to accept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriftRequest {
    /// Open changes by their ids, as `/drift` lists them
    #[schema(min_items = 1, max_items = 500)]
    drift: Vec<i64>,
    /// Why, for the record
    why: String,
}

/// What was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// The commands by which it was done.
    command_ids: Vec<i64>,
    /// Changes that were open until now.
    accepted: u64,
}

/// Accepts changes of an upstream: they refuse no page any more.
///
/// Pages that were refused because of them stay so; `POST /quarantine/pages/{id}/retry` reads one again.
#[utoipa::path(
    post, path = "/drift/accept", tag = "Decisions",
    params(ChangeParams),
    request_body(content = DriftRequest, description = "The changes"),
    responses(
        (status = 200, description = "They are accepted", body = Enveloped<Accepted>),
        (status = 202, description = "They will be accepted", body = Enveloped<CommandsPending>, headers(("Location" = String, description = "Where the first command is shown"))),
        Problems,
    ),
)]
pub(crate) async fn accept(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let DriftRequest { drift, why } = change.body()?;
    let mut mistakes = Mistakes::default();
    let drift = ids(&mut mistakes, "drift", drift);
    let why = change::why(&mut mistakes, &why);
    let (drift, why) = mistakes.check((drift, why))?;
    let decided = decided(&shared, drift, &change.caller.who(), &why).await;
    let commands = change.hand_in(&shared, decided).await?.commands;
    let Some(results) = change::results(&shared, &commands).await? else {
        return Ok(change::pending(&context, &change, &commands));
    };
    let body = Accepted { command_ids: numbers(&commands), accepted: total(&results, "accepted") };
    done(&shared, &context, body).await
}

/// The commands by source.
async fn decided(shared: &Shared, drift: Vec<i64>, who: &str, why: &str) -> Decided {
    let found = shared.ask(async {
        let mut found = Vec::with_capacity(drift.len());
        for id in &drift {
            let filter =
                DriftFilter { after: id.checked_sub(1), limit: Some(1), ..DriftFilter::default() };
            let row = shared.store.drift(filter).await?.pop();
            found.push((DriftId(*id), row.filter(|row| row.drift_id.0 == *id)));
        }
        Ok(found)
    });
    let mut by_source: BTreeMap<SourceName, Vec<DriftId>> = BTreeMap::new();
    for (id, row) in found.await? {
        let Some(row) = row else {
            let detail = format!("there is no change {}", id.0);
            return Err(Problem::new(Code::DriftNotFound, detail));
        };
        if row.status != DriftStatus::Open {
            let detail = format!("change {} is {} already", id.0, row.status.name());
            return Err(Problem::new(Code::NotOpen, detail));
        }
        by_source.entry(row.source).or_default().push(id);
    }
    let commands = by_source.into_iter().map(|(source, drift)| {
        let (who, why) = (who.to_owned(), why.to_owned());
        CommandKind::AcceptDrift { source, drift, who, why }
    });
    Ok((commands.collect(), json!(null)))
}
