//! `quarantine discard`.

use std::sync::Arc;

use kasparro_domain::{Clock, CommandKind, SourceName};
use kasparro_engine::HeldElsewhere;
use kasparro_store::{Store, StoreError};
use serde_json::{Value, json};

use super::selection::Selection;
use super::{Context, Held, Request, ask_elsewhere, ask_holder, decider, read_words};
use crate::clock::SystemClock;
use crate::config::Database;
use crate::failure::{Exit, Failure};
use crate::wire::{self, Opened};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro quarantine discard 17 18 --why 'test rows of the vendor'
  kasparro quarantine discard --source csv --reason missing_field --why 'the export has empty lines'

Nothing is deleted: the raw page stays, the row stays listed as discarded, and who gave it up and why is
recorded for good. A discarded row is not opened again by a run that brings the same body.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT", value_parser = read_words)]
    why: String,
    /// Who decides, for the record; the user of this process unless told otherwise.
    #[arg(long, value_name = "NAME", value_parser = read_words)]
    who: Option<String>,
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let clock = SystemClock::shared();
    let rows = arguments.selection.rows(&context, &clock).await?;
    let who = decider(arguments.who, &context);
    let why = arguments.why;
    let ask = |(source, rows): (&SourceName, &Vec<i64>)| {
        let (source, rows) = (source.clone(), rows.clone());
        let (who, why) = (who.clone(), why.clone());
        Request::new(CommandKind::Discard { source, rows, who, why })
    };
    let mut requests: Vec<_> = rows.iter().map(ask).collect();
    let mut answers = Vec::new();
    while !requests.is_empty() {
        match wire::open_store(config, &clock).await? {
            Opened::Alone(store) => {
                for request in &mut requests {
                    answers.push(alone(store.as_ref(), request, &clock, &config.database).await?);
                }
                break;
            }
            Opened::Shared(store) => {
                for request in &mut requests {
                    answers.push(shared(&context, store.as_ref(), request, &clock).await?);
                }
                break;
            }
            // A holder that is gone leaves the store to this process.
            Opened::Held(locked) => {
                if ask_holder(&context, &locked, &clock, &mut requests).await? {
                    answers.extend(requests.iter().filter_map(|request| request.answer().cloned()));
                    break;
                }
            }
        }
    }
    let number = |answer: &Value| answer.get("discarded").and_then(Value::as_u64);
    let discarded: u64 = answers.iter().filter_map(number).sum();
    output.result(&json!({ "discarded": discarded }), || match discarded {
        0 => "no open row fits: nothing was discarded".to_owned(),
        1 => "1 row is discarded".to_owned(),
        many => format!("{many} rows are discarded"),
    })?;
    Ok(Exit::Done)
}

/// Gives the rows of a request up in a store that no other process works on.
async fn alone(
    store: &dyn Store,
    request: &mut Request,
    clock: &Arc<dyn Clock>,
    database: &Database,
) -> Result<Value, Failure> {
    match request.withdraw(store, Held::Store, database).await? {
        Some(answer) => Ok(answer),
        None => discard(store, request, clock, database).await,
    }
}

/// Gives the rows of a request up, here where their source is free, else by its holder.
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
                let discarded = match request.withdraw(store, held, database).await {
                    Ok(Some(answer)) => Ok(answer),
                    Ok(None) => discard(store, request, clock, database).await,
                    Err(failure) => Err(failure),
                };
                wire::release_all(store).await;
                return discarded;
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

async fn discard(
    store: &dyn Store,
    request: &Request,
    clock: &Arc<dyn Clock>,
    database: &Database,
) -> Result<Value, Failure> {
    let CommandKind::Discard { rows, who, why, .. } = request.kind() else {
        return Ok(Value::Null);
    };
    let discarded = store.discard(rows.clone(), who, why, clock.now()).await;
    let discarded = discarded.map_err(|error| Failure::store(&error, database))?;
    Ok(json!({ "discarded": discarded }))
}
