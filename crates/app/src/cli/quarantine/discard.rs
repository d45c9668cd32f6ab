//! `quarantine discard`.

use kasparro_domain::CommandKind;
use kasparro_store::QuarantineStore;
use serde_json::{Value, json};

use super::selection::Selection;
use super::{Context, Request, ask_holder, decider, read_words};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::wire;

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
    let kind = CommandKind::Discard { rows: rows.clone(), who: who.clone(), why: why.clone() };
    let mut request = Request::new(kind);
    let number = |answer: &Value| answer.get("discarded").and_then(Value::as_u64);
    let discarded = loop {
        if rows.is_empty() {
            break 0;
        }
        match wire::open_store(config, &clock)? {
            Ok(store) => {
                if let Some(answer) = request.withdraw(&store, &config.database).await? {
                    break number(&answer).unwrap_or_default();
                }
                let discarded = store.discard(rows, &who, &why, clock.now()).await;
                break discarded.map_err(|error| Failure::store(&error, &config.database))?;
            }
            Err(locked) => {
                // A holder that is gone leaves the store to this process.
                if let Some(answer) = ask_holder(&context, locked, &clock, &mut request).await? {
                    break number(&answer).unwrap_or_default();
                }
            }
        }
    };
    output.result(&json!({ "discarded": discarded }), || match discarded {
        0 => "no open row fits: nothing was discarded".to_owned(),
        1 => "1 row is discarded".to_owned(),
        many => format!("{many} rows are discarded"),
    })?;
    Ok(Exit::Done)
}
