//! `POST /quarantine/retry`, `POST /quarantine/discard`, `POST /quarantine/pages/{id}/retry`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use kasparro_domain::{CommandId, CommandKind, PageId, PageState, SourceName};
use kasparro_store::{QuarantineFilter, QuarantineStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::change_params::ChangeParams;
use super::listing::number_id;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::change::{self, Change, CommandsPending, Decided};
use crate::openapi::Problems;
use crate::problem::{Code, Mistakes, Problem};
use crate::query::no_params;
use crate::{Shared, respond};

/// At most so many rows or changes are decided at once.
pub(super) const MAX_IDS: usize = 500;

/// Rows to decide about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowsRequest {
    /// Open rows by their ids, as `/quarantine` lists them
    #[schema(min_items = 1, max_items = 500)]
    rows: Vec<i64>,
    /// Why, for the record
    why: String,
}

/// A page to read after all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageRequest {
    /// Why, for the record
    why: String,
    /// True to load it whatever speaks against it
    #[serde(default)]
    forced: bool,
}

/// What was read again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Retried {
    /// The commands by which it was done.
    command_ids: Vec<i64>,
    /// The runs that it took; `GET /runs/{id}` tells what became of the rows. Empty where somebody else had
    /// decided about all of them meanwhile.
    run_ids: Vec<String>,
}

/// What was given up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Discarded {
    /// The commands by which it was done.
    command_ids: Vec<i64>,
    /// Rows that were open until now.
    discarded: u64,
}

/// Reads quarantined rows again, with the program and the settings of now; no upstream is asked.
#[utoipa::path(
    post, path = "/quarantine/retry", tag = "Decisions",
    params(ChangeParams),
    request_body(content = RowsRequest, description = "The rows"),
    responses(
        (status = 200, description = "They were read", body = Enveloped<Retried>),
        (status = 202, description = "They will be read", body = Enveloped<CommandsPending>, headers(("Location" = String, description = "Where the first command is shown"))),
        Problems,
    ),
)]
pub(crate) async fn retry(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let decided = decided(&shared, &change, |source, rows, who, why| CommandKind::Retry {
        source,
        rows,
        who,
        why,
    });
    let commands = change.hand_in(&shared, decided.await).await?.commands;
    retried(&shared, &context, &change, &commands).await
}

/// Gives quarantined rows up. Nothing is deleted: they stay listed as discarded.
#[utoipa::path(
    post, path = "/quarantine/discard", tag = "Decisions",
    params(ChangeParams),
    request_body(content = RowsRequest, description = "The rows"),
    responses(
        (status = 200, description = "They were given up", body = Enveloped<Discarded>),
        (status = 202, description = "They will be given up", body = Enveloped<CommandsPending>, headers(("Location" = String, description = "Where the first command is shown"))),
        Problems,
    ),
)]
pub(crate) async fn discard(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let decided = decided(&shared, &change, |source, rows, who, why| CommandKind::Discard {
        source,
        rows,
        who,
        why,
    });
    let commands = change.hand_in(&shared, decided.await).await?.commands;
    let Some(results) = change::results(&shared, &commands).await? else {
        return Ok(change::pending(&context, &change, &commands));
    };
    let body =
        Discarded { command_ids: numbers(&commands), discarded: total(&results, "discarded") };
    done(&shared, &context, body).await
}

/// Reads a page after all that was refused as a whole.
///
/// The rules judge it as they judge every page and may refuse it once more, unless it is forced.
#[utoipa::path(
    post, path = "/quarantine/pages/{id}/retry", tag = "Decisions",
    params(("id" = i64, Path, description = "The page's id, as `/quarantine/pages` lists it", minimum = 0), ChangeParams),
    request_body(content = PageRequest, description = "Why"),
    responses(
        (status = 200, description = "It was read", body = Enveloped<Retried>),
        (status = 202, description = "It will be read", body = Enveloped<CommandsPending>, headers(("Location" = String, description = "Where the first command is shown"))),
        Problems,
    ),
)]
pub(crate) async fn retry_page(
    State(shared): AppState,
    context: RequestContext,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let id = number_id(&id)?;
    let PageRequest { why, forced } = change.body()?;
    let mut mistakes = Mistakes::default();
    let why = change::why(&mut mistakes, &why);
    let why = mistakes.check(why)?;
    let page = shared.ask(shared.store.page(PageId(id))).await?;
    let decided = match page {
        None => Err(Problem::new(Code::PageNotFound, format!("there is no page {id}"))),
        Some(page) if page.state != PageState::Refused => {
            let detail = format!("page {id} is {}, not refused", page.state.name());
            Err(Problem::new(Code::NotOpen, detail))
        }
        Some(page) => {
            let (source, who) = (page.source, change.caller.who());
            let page_id = page.page_id;
            Ok((vec![CommandKind::RetryPage { source, page_id, forced, who, why }], json!(null)))
        }
    };
    let commands = change.hand_in(&shared, decided).await?.commands;
    retried(&shared, &context, &change, &commands).await
}

/// What is decided about the rows in the body, as commands by source.
async fn decided(
    shared: &Arc<Shared>,
    change: &Change,
    kind: impl Fn(SourceName, Vec<i64>, String, String) -> CommandKind,
) -> Decided {
    let RowsRequest { rows, why } = change.body()?;
    let mut mistakes = Mistakes::default();
    let rows = ids(&mut mistakes, "rows", rows);
    let why = change::why(&mut mistakes, &why);
    let (rows, why) = mistakes.check((rows, why))?;
    let found = shared.ask(async {
        let mut found = Vec::with_capacity(rows.len());
        for id in &rows {
            let filter = QuarantineFilter {
                after: id.checked_sub(1),
                limit: Some(1),
                ..QuarantineFilter::default()
            };
            let row = shared.store.quarantined(filter).await?.pop();
            found.push((*id, row.filter(|row| row.quarantine_id == *id)));
        }
        Ok(found)
    });
    let mut by_source: BTreeMap<SourceName, Vec<i64>> = BTreeMap::new();
    for (id, row) in found.await? {
        let Some(row) = row else {
            let detail = format!("there is no quarantined row {id}");
            return Err(Problem::new(Code::QuarantineNotFound, detail));
        };
        if row.status != QuarantineStatus::Open {
            let detail = format!("row {id} is {} already", row.status.name());
            return Err(Problem::new(Code::NotOpen, detail));
        }
        by_source.entry(row.source).or_default().push(id);
    }
    let who = change.caller.who();
    let commands =
        by_source.into_iter().map(|(source, rows)| kind(source, rows, who.clone(), why.clone()));
    Ok((commands.collect(), json!(null)))
}

async fn retried(
    shared: &Arc<Shared>,
    context: &RequestContext,
    change: &Change,
    commands: &[CommandId],
) -> Result<Response, Problem> {
    let Some(results) = change::results(shared, commands).await? else {
        return Ok(change::pending(context, change, commands));
    };
    let runs = results.iter().filter_map(|result| result.get("run_ids")?.as_array()).flatten();
    let run_ids = runs.filter_map(Value::as_str).map(str::to_owned).collect();
    done(shared, context, Retried { command_ids: numbers(commands), run_ids }).await
}

/// Ids as they were sent, sorted and each once.
pub(super) fn ids(mistakes: &mut Mistakes, field: &str, mut ids: Vec<i64>) -> Vec<i64> {
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() || ids.len() > MAX_IDS {
        let message = format!("holds {} ids; 1 to {MAX_IDS} are allowed", ids.len());
        mistakes.add(Code::InvalidBody, field, message);
    }
    ids
}

/// The ids of commands as readers see them.
pub(super) fn numbers(commands: &[CommandId]) -> Vec<i64> {
    commands.iter().map(|command| command.0).collect()
}

/// The sum of a number in results.
pub(super) fn total(results: &[Value], name: &str) -> u64 {
    results.iter().filter_map(|result| result.get(name)?.as_u64()).sum()
}

/// An answer with a generation that holds what was done: `X-Generation`.
pub(super) async fn done<T: Serialize>(
    shared: &Arc<Shared>,
    context: &RequestContext,
    body: T,
) -> Result<Response, Problem> {
    let generation = shared.ask(shared.store.generation()).await?;
    Ok(respond::at_generation(respond::json(context, body), generation))
}
