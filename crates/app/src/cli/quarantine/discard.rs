//! `quarantine discard`.

use kasparro_domain::{CommandKind, SourceName};
use serde_json::{Value, json};

use super::Context;
use super::selection::Selection;
use crate::cli::decision::{carry_out, decider, read_words};
use crate::cli::request::Request;
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};

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
    let clock = SystemClock::shared();
    let rows = arguments.selection.rows(&context, &clock).await?;
    let who = decider(arguments.who, &context);
    let why = arguments.why;
    let ask = |(source, rows): (&SourceName, &Vec<i64>)| {
        let (source, rows) = (source.clone(), rows.clone());
        let (who, why) = (who.clone(), why.clone());
        Request::new(CommandKind::Discard { source, rows, who, why })
    };
    let answers = carry_out(&context, &clock, rows.iter().map(ask).collect()).await?;
    let number = |answer: &Value| answer.get("discarded").and_then(Value::as_u64);
    let discarded: u64 = answers.iter().filter_map(number).sum();
    context.output.result(&json!({ "discarded": discarded }), || match discarded {
        0 => "no open row fits: nothing was discarded".to_owned(),
        1 => "1 row is discarded".to_owned(),
        many => format!("{many} rows are discarded"),
    })?;
    Ok(Exit::Done)
}
