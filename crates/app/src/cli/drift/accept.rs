//! `drift accept`.

use std::collections::BTreeMap;
use std::sync::Arc;

use kasparro_domain::{Clock, CommandKind, DriftId, DriftStatus, SourceName};
use serde_json::{Value, json};

use super::{Context, found};
use crate::cli::decision::{carry_out, decider, read_words};
use crate::cli::request::Request;
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::note;
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro drift accept 3 --why 'the vendor now sends ranks as texts, which the source reads'
  kasparro drift accept 3 4 5 --why 'announced in the changelog' --who ada
  kasparro quarantine retry --page 42                 then has a page that waits for it loaded

An accepted change refuses no page any more; who accepted it and why is recorded for good. It does not change
how rows are read: where a field was renamed, the source has to be taught the new name first.")]
pub(crate) struct Arguments {
    /// Changes by their ids, as `kasparro drift list` shows them.
    #[arg(value_name = "ID", required = true)]
    ids: Vec<i64>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT", value_parser = read_words)]
    why: String,
    /// Who decides, for the record; the user of this process unless told otherwise.
    #[arg(long, value_name = "NAME", value_parser = read_words)]
    who: Option<String>,
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let clock = SystemClock::shared();
    let by_source = open(&context, &clock, &arguments.ids).await?;
    let who = decider(arguments.who, &context);
    let why = arguments.why;
    let ask = |(source, drift): (&SourceName, &Vec<DriftId>)| {
        let (source, drift) = (source.clone(), drift.clone());
        let (who, why) = (who.clone(), why.clone());
        Request::new(CommandKind::AcceptDrift { source, drift, who, why })
    };
    let answers = carry_out(&context, &clock, by_source.iter().map(ask).collect()).await?;
    let number = |answer: &Value| answer.get("accepted").and_then(Value::as_u64);
    let accepted: u64 = answers.iter().filter_map(number).sum();
    context.output.result(&json!({ "accepted": accepted }), || match accepted {
        0 => "no change was open any more: nothing was accepted".to_owned(),
        1 => "1 change is accepted".to_owned(),
        many => format!("{many} changes are accepted"),
    })?;
    if accepted > 0 && !context.output.json {
        note(
            "pages that were refused because of it: `kasparro quarantine list --pages`, then `retry --page ID`",
        );
    }
    Ok(Exit::Done)
}

/// The changes by their source: each source is its holder's.
///
/// # Errors
/// A [`Failure`] with exit code 1 for an id that no change has and for a change that is not open.
async fn open(
    context: &Context,
    clock: &Arc<dyn Clock>,
    ids: &[i64],
) -> Result<BTreeMap<SourceName, Vec<DriftId>>, Failure> {
    // Closed again before the store is opened to write: whoever closes it last tidies its files up.
    let store = wire::open_to_read(&context.config, clock).await?;
    let mut by_source: BTreeMap<SourceName, Vec<DriftId>> = BTreeMap::new();
    let mut ids: Vec<DriftId> = ids.iter().copied().map(DriftId).collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let row = found(context, store.as_ref(), id).await?;
        if row.status != DriftStatus::Open {
            return Err(Failure::new(
                Exit::Failed,
                "not_open",
                format!("change {} is {} already", id.0, row.status.name()),
                "`kasparro drift list` shows the changes that are open",
            ));
        }
        by_source.entry(row.source).or_default().push(id);
    }
    Ok(by_source)
}
