//! Reading kept bytes again, wherever their source is held.

use std::sync::Arc;

use kasparro_domain::{Clock, CommandKind, Run, RunId, RunStatus};
use kasparro_engine::{Engine, Holding};
use kasparro_store::{Store, StoreError};
use serde_json::Value;

use super::Context;
use crate::cli::decision::{ask_elsewhere, ask_holder};
use crate::cli::fleet::{self, Member};
use crate::cli::request::Request;
use crate::cli::withdraw::Held;
use crate::config::Database;
use crate::failure::{Exit, Failure};
use crate::wire::{self, Opened};

/// Carries the requests out, here where the store or the source is free, else by whoever holds it; the runs
/// that this took.
///
/// # Errors
/// A [`Failure`] where the store cannot be used or the holder refuses.
pub(super) async fn rerun(
    context: &Context,
    clock: &Arc<dyn Clock>,
    mut requests: Vec<Request>,
) -> Result<Vec<Run>, Failure> {
    let config = &context.config;
    let mut runs = Vec::new();
    while !requests.is_empty() {
        match wire::open_store(config, clock).await? {
            Opened::Alone(store) => return alone(context, &store, clock, &mut requests).await,
            Opened::Shared(store) => {
                let member = Member::join(config, store, clock).await?;
                let retried = shared(context, &member, clock, &mut requests).await;
                member.leave().await;
                return retried;
            }
            // A holder that is gone leaves the store to this process.
            Opened::Held(locked) => {
                if ask_holder(context, &locked, clock, &mut requests).await? {
                    let store = wire::open_to_read(config, clock).await?;
                    for answer in requests.iter().filter_map(Request::answer) {
                        runs.extend(runs_of(store.as_ref(), answer, &config.database).await?);
                    }
                    break;
                }
            }
        }
    }
    Ok(runs)
}

/// Reads again in a store that no other process works on.
async fn alone(
    context: &Context,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    requests: &mut [Request],
) -> Result<Vec<Run>, Failure> {
    let (config, database) = (&context.config, &context.config.database);
    let (mut runs, mut left) = (Vec::new(), Vec::new());
    for request in requests {
        match request.withdraw(store.as_ref(), Held::Store, database).await? {
            Some(answer) => runs.extend(runs_of(store.as_ref(), &answer, database).await?),
            None => left.push(request.kind().clone()),
        }
    }
    if left.is_empty() {
        return Ok(runs);
    }
    let (sources, store, clock) = (wire::sources(config)?, Arc::clone(store), Arc::clone(clock));
    let engine = wire::start_engine(config, sources, store, clock, Holding::Alone).await?;
    for kind in left {
        runs.extend(again(&engine, &kind, database).await?);
    }
    engine.resolve_after_runs().await;
    Ok(runs)
}

/// Reads again, here where the source is free, else by its holder.
async fn shared(
    context: &Context,
    member: &Member,
    clock: &Arc<dyn Clock>,
    requests: &mut [Request],
) -> Result<Vec<Run>, Failure> {
    let (database, store) = (&context.config.database, member.store.as_ref());
    let mut runs = Vec::new();
    for request in requests {
        let source = request.kind().source().clone();
        let answer = loop {
            let Some(elsewhere) = member.take(&source, database).await? else {
                let epoch = fleet::own_epoch(store, &source, database).await?;
                break request.withdraw(store, Held::Source(&source, epoch), database).await?;
            };
            let asked = ask_elsewhere(context, &elsewhere, store, clock, request);
            // A holder that is gone leaves the source to this process.
            if let Some(answer) = asked.await? {
                break Some(answer);
            }
        };
        runs.extend(match answer {
            Some(answer) => runs_of(store, &answer, database).await?,
            None => again(&member.engine, request.kind(), database).await?,
        });
    }
    member.engine.resolve_after_runs().await;
    Ok(runs)
}

async fn again(
    engine: &Arc<Engine>,
    kind: &CommandKind,
    database: &Database,
) -> Result<Vec<Run>, Failure> {
    let failed = |error| Failure::engine(error, database);
    match kind {
        CommandKind::Retry { rows, who, why, .. } => {
            engine.retry(rows, who, why).await.map_err(failed)
        }
        CommandKind::RetryPage { page_id, forced, who, why, .. } => {
            let run = engine.retry_page(*page_id, *forced, who, why).await.map_err(failed)?;
            Ok(run.into_iter().collect())
        }
        // These need no engine, or are no second reading.
        CommandKind::Run { .. }
        | CommandKind::Discard { .. }
        | CommandKind::AcceptDrift { .. }
        | CommandKind::DecideIdentity { .. } => Ok(Vec::new()),
    }
}

/// The runs that a holder names in its answer.
async fn runs_of(
    store: &dyn Store,
    answer: &Value,
    database: &Database,
) -> Result<Vec<Run>, Failure> {
    let failed = |error: StoreError| Failure::store(&error, database);
    let ids = answer.get("run_ids").and_then(Value::as_array).into_iter().flatten();
    let mut runs = Vec::new();
    for id in ids.filter_map(|id| id.as_str()?.parse::<RunId>().ok()) {
        runs.extend(store.run(id).await.map_err(failed)?);
    }
    Ok(runs)
}

/// A row that is refused again is no failure of the command: it was read.
pub(super) fn exit_of(runs: &[Run]) -> Exit {
    let failed = |run: &&Run| matches!(run.status, RunStatus::Failed | RunStatus::Abandoned);
    match runs.iter().filter(failed).count() {
        0 => Exit::Done,
        all if all == runs.len() => Exit::Failed,
        _ => Exit::Partial,
    }
}
