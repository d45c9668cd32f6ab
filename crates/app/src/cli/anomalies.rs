//! `anomalies`: what is possible but unusual, flagged and kept.

use kasparro_domain::{Anomaly, AnomalySubject, RunAnomalyKind, ValueAnomalyKind};
use kasparro_store::AnomalyFilter;
use serde_json::{Value, json};

use super::Context;
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::{Table, note};
use crate::wire;

/// Rows of the table where no limit is given.
const SHOWN_ROWS: u32 = 20;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// List what was unusual about values and runs, newest first.
    List(Arguments),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro anomalies list                                 the newest 20
  kasparro anomalies list --source coingecko --kind price_jump
  kasparro anomalies list --json                          all of them as one JSON array

Kinds of values: price_jump, cap_mismatch, volume_absurd. Kinds of runs: few_rows, many_rows, no_rows, slow, fast,
many_rejects, failed, failure_rate. Nothing is dropped because it is unusual: the values are stored and served, and
marked. What is usual is told by the history of the listing or of the source itself.")]
pub(crate) struct Arguments {
    /// Only of this source.
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only of this kind, for example price_jump or few_rows.
    #[arg(long, value_name = "KIND", value_parser = read_kind)]
    kind: Option<String>,
    /// At most so many, newest first; 20 unless told otherwise, and with --json all of them.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Leave out the first so many.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    offset: u64,
}

fn read_kind(text: &str) -> Result<String, String> {
    if ValueAnomalyKind::from_name(text).is_some() || RunAnomalyKind::from_name(text).is_some() {
        return Ok(text.to_owned());
    }
    let values = ValueAnomalyKind::ALL.iter().map(|kind| kind.name());
    let names: Vec<_> = values.chain(RunAnomalyKind::ALL.iter().map(|kind| kind.name())).collect();
    Err(format!("is none of {}", names.join(", ")))
}

pub(crate) async fn execute(context: Context, action: Action) -> Result<Exit, Failure> {
    let Action::List(arguments) = action;
    let Context { config, output, .. } = &context;
    let sources = match &arguments.source {
        Some(name) => vec![wire::known_source(config, name)?],
        None => Vec::new(),
    };
    let filter = AnomalyFilter {
        sources,
        kind: arguments.kind,
        limit: arguments.limit.or((!output.json).then_some(SHOWN_ROWS)),
        offset: arguments.offset,
        ..AnomalyFilter::default()
    };
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let failed = |error| Failure::store(&error, &config.database);
    let all = store.count_anomalies(filter.clone()).await.map_err(failed)?;
    let found = store.anomalies(filter).await.map_err(failed)?;
    let documents: Vec<_> = found.iter().map(document).collect();
    output.result(&documents, || text(&found, output.colour))?;
    if all > found.len() as u64 {
        note(&format!("{} of {all} anomalies; --limit and --offset show others", found.len()));
    }
    Ok(Exit::Done)
}

/// An anomaly as `anomalies list --json` gives it; what it is not about is null.
fn document(anomaly: &Anomaly) -> Value {
    let (about, kind, external_id, observed_at, run_id, value, expected) = match &anomaly.subject {
        AnomalySubject::Value(of) => {
            let listing = Some(of.external_id.as_str());
            let at = Some(of.observed_at);
            ("value", of.kind.name(), listing, at, None, &of.value, &of.expected)
        }
        AnomalySubject::Run { run_id, anomaly: of } => {
            let run = Some(run_id.to_string());
            ("run", of.kind.name(), None, None, run, &of.value, &of.expected)
        }
    };
    json!({
        "id": anomaly.anomaly_id,
        "source": anomaly.source.as_str(),
        "about": about,
        "kind": kind,
        "external_id": external_id,
        "observed_at": observed_at,
        "run_id": run_id,
        "value": value,
        "expected": expected,
        "found_at": anomaly.found_at,
    })
}

fn text(found: &[Anomaly], colour: bool) -> String {
    if found.is_empty() {
        return "no anomalies".to_owned();
    }
    let headings = ["id", "source", "kind", "about", "value", "usual", "found"];
    let mut table = Table::new(&headings, colour);
    for anomaly in found {
        let (kind, about, value, expected) = match &anomaly.subject {
            AnomalySubject::Value(of) => {
                (of.kind.name(), of.external_id.to_string(), &of.value, &of.expected)
            }
            AnomalySubject::Run { run_id, anomaly: of } => {
                (of.kind.name(), format!("run {run_id}"), &of.value, &of.expected)
            }
        };
        table.row(vec![
            Table::number(anomaly.anomaly_id),
            Table::words(anomaly.source.as_str()),
            Table::words(kind),
            Table::words(&about),
            Table::words(value),
            Table::words(expected),
            Table::words(&anomaly.found_at.to_string()),
        ]);
    }
    table.text()
}
