//! What people decide about stored things: who, why, and having it carried out wherever the source is held.

use std::sync::Arc;

use kasparro_domain::{Clock, CommandKind};
use kasparro_engine::HeldElsewhere;
use kasparro_store::{IdentityDecision, Store, StoreError};
use serde_json::{Value, json};

use super::request::{Holder, Request};
use super::withdraw::Held;
use super::{Context, fleet};
use crate::failure::Failure;
use crate::wire::{self, Locked, Opened};

/// A text that a person gives for the record: one line that says something.
pub(super) fn read_words(text: &str) -> Result<String, &'static str> {
    let words = text.trim();
    if words.is_empty() {
        return Err("write what the record is to say");
    }
    if words.chars().any(char::is_control) || words.chars().count() > 500 {
        return Err("write one line of at most 500 characters");
    }
    Ok(words.to_owned())
}

/// Who decides, where nobody is named: the user of this process.
pub(super) fn decider(who: Option<String>, context: &Context) -> String {
    let user = || read_words(context.user.as_deref().unwrap_or_default()).ok();
    who.or_else(user).unwrap_or_else(|| "operator".to_owned())
}

/// Carries decisions out that need the store alone, here where it or their source is free, else by whoever
/// holds it; the answers in the order of the requests.
///
/// # Errors
/// A [`Failure`] where the store cannot be used or the holder refuses.
pub(super) async fn carry_out(
    context: &Context,
    clock: &Arc<dyn Clock>,
    mut requests: Vec<Request>,
) -> Result<Vec<Value>, Failure> {
    let config = &context.config;
    let mut answers = Vec::new();
    while !requests.is_empty() {
        match wire::open_store(config, clock).await? {
            Opened::Alone(store) => {
                for request in &mut requests {
                    let answer = request.withdraw(store.as_ref(), Held::Store, &config.database);
                    answers.push(match answer.await? {
                        Some(answer) => answer,
                        None => decide(context, store.as_ref(), request, clock).await?,
                    });
                }
                resolve(store, clock, &requests).await;
                break;
            }
            Opened::Shared(store) => {
                for request in &mut requests {
                    answers.push(shared(context, store.as_ref(), request, clock).await?);
                }
                resolve(store, clock, &requests).await;
                break;
            }
            // A holder that is gone leaves the store to this process.
            Opened::Held(locked) => {
                if ask_holder(context, &locked, clock, &mut requests).await? {
                    answers.extend(requests.iter().filter_map(|request| request.answer().cloned()));
                    break;
                }
            }
        }
    }
    Ok(answers)
}

/// Carries a decision out, here where its source is free, else by its holder.
async fn shared(
    context: &Context,
    store: &dyn Store,
    request: &mut Request,
    clock: &Arc<dyn Clock>,
) -> Result<Value, Failure> {
    let (config, source) = (&context.config, request.kind().source().clone());
    let database = &config.database;
    loop {
        match store.acquire(&source, wire::holder(), config.lease.ttl).await {
            Ok(epoch) => {
                let held = Held::Source(&source, epoch);
                let decided = match request.withdraw(store, held, database).await {
                    Ok(Some(answer)) => Ok(answer),
                    Ok(None) => decide(context, store, request, clock).await,
                    Err(failure) => Err(failure),
                };
                wire::release_all(store).await;
                return decided;
            }
            Err(StoreError::Held { source_name, holder, .. }) => {
                let elsewhere = HeldElsewhere { source: source_name, holder };
                let asked = ask_elsewhere(context, &elsewhere, store, clock, request);
                // A holder that is gone leaves the source to this process.
                if let Some(answer) = asked.await? {
                    return Ok(answer);
                }
            }
            Err(error) => return Err(Failure::store(&error, database)),
        }
    }
}

/// Resolves identity once after everything that was decided about it here. The decisions are kept whatever
/// becomes of that, so a failure is only logged: told as one, people would decide once more.
async fn resolve(store: Arc<dyn Store>, clock: &Arc<dyn Clock>, requests: &[Request]) {
    let about_identity =
        |request: &Request| matches!(request.kind(), CommandKind::DecideIdentity { .. });
    if requests.iter().any(about_identity)
        && let Err(error) = kasparro_engine::resolve_identity(store, Arc::clone(clock)).await
    {
        tracing::error!(%error, "identity could not be resolved; `kasparro assets resolve` does it");
    }
}

async fn decide(
    context: &Context,
    store: &dyn Store,
    request: &Request,
    clock: &Arc<dyn Clock>,
) -> Result<Value, Failure> {
    let failed = |error| Failure::store(&error, &context.config.database);
    match request.kind() {
        CommandKind::Discard { rows, who, why, .. } => {
            let discarded = store.discard(rows.clone(), who, why, clock.now()).await;
            Ok(json!({ "discarded": discarded.map_err(failed)? }))
        }
        CommandKind::AcceptDrift { drift, who, why, .. } => {
            let accepted = store.accept_drift(drift.clone(), who, why, clock.now()).await;
            Ok(json!({ "accepted": accepted.map_err(failed)? }))
        }
        CommandKind::DecideIdentity { source, decision, pairs, relation, who, why } => {
            let decision = IdentityDecision {
                kind: *decision,
                source: source.clone(),
                pairs: pairs.clone(),
                relation: relation.clone(),
                who: who.clone(),
                why: why.clone(),
                decided_at: clock.now(),
            };
            let decided = store.decide_identity(decision).await;
            Ok(json!({ "decision_id": decided.map_err(failed)? }))
        }
        // These need an engine.
        CommandKind::Run { .. } | CommandKind::Retry { .. } | CommandKind::RetryPage { .. } => {
            Ok(Value::Null)
        }
    }
}

/// Asks the process that holds the store for each of these; false when it is gone before all are
/// answered.
pub(super) async fn ask_holder(
    context: &Context,
    locked: &Locked,
    clock: &Arc<dyn Clock>,
    requests: &mut [Request],
) -> Result<bool, Failure> {
    let config = &context.config;
    locked.refuse_upstream(config)?;
    let store = locked.open_beside(clock)?;
    let (database, words) = (&config.database, locked.failure().message);
    let holder = Holder { store: store.as_ref(), clock: clock.as_ref(), database, words: &words };
    for request in requests {
        if request.ask(&holder, async || locked.still_held(clock)).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Asks the process that holds a source; `None` when it is gone before it answers.
pub(super) async fn ask_elsewhere(
    context: &Context,
    elsewhere: &HeldElsewhere,
    store: &dyn Store,
    clock: &Arc<dyn Clock>,
    request: &mut Request,
) -> Result<Option<Value>, Failure> {
    let config = &context.config;
    let words = fleet::told(elsewhere, &config.database);
    wire::refuse_upstream(config, &words)?;
    let holder = Holder { store, clock: clock.as_ref(), database: &config.database, words: &words };
    request.ask(&holder, async || fleet::holder_alive(store, &elsewhere.source).await).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_the_record_are_one_line_that_says_something() {
        assert_eq!(read_words(" the file was mended ").unwrap(), "the file was mended");
        for text in ["", "  ", "two\nlines", "\u{1b}[31m", &"x".repeat(501)] {
            assert!(read_words(text).is_err(), "{text:?}");
        }
    }
}
