//! `drift list`.

use kasparro_domain::{DriftRow, DriftSeverity, DriftStatus};
use kasparro_store::DriftFilter;

use super::{Context, DriftDocument};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::{Table, note};
use crate::wire;

/// Rows of the table where no limit is given.
const SHOWN_ROWS: u32 = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro drift list                                what has changed and nobody has decided about
  kasparro drift list --source coingecko --severity breaking
  kasparro drift list --status all --json            as one JSON array

Severity: `info` concerns nothing that is read; `warning` looks unusual, and what was stored stays right;
`breaking` would store wrong values or lose known ones. What is done about each decides the `drift` setting of
the source: evolve, quarantine or freeze.")]
pub(crate) struct Arguments {
    /// Only of this source.
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only in this status: open, accepted, or all.
    #[arg(long, value_name = "STATUS", default_value = "open", value_parser = read_status)]
    status: Status,
    /// Only of this severity: info, warning or breaking.
    #[arg(long, value_name = "SEVERITY", value_parser = read_severity)]
    severity: Option<DriftSeverity>,
    /// At most so many, oldest first; 20 unless told otherwise, and with --json all of them.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Leave out the first so many.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    offset: u64,
}

/// One status, or any.
#[derive(Debug, Clone, Copy)]
struct Status(Option<DriftStatus>);

fn read_status(text: &str) -> Result<Status, String> {
    if text == "all" {
        return Ok(Status(None));
    }
    DriftStatus::from_name(text).map(|status| Status(Some(status))).ok_or_else(|| {
        let names: Vec<_> = DriftStatus::ALL.iter().map(|status| status.name()).collect();
        format!("is none of {}, all", names.join(", "))
    })
}

fn read_severity(text: &str) -> Result<DriftSeverity, String> {
    DriftSeverity::from_name(text).ok_or_else(|| {
        let names: Vec<_> = DriftSeverity::ALL.iter().map(|severity| severity.name()).collect();
        format!("is none of {}", names.join(", "))
    })
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let sources = match &arguments.source {
        Some(name) => vec![wire::known_source(config, name)?],
        None => Vec::new(),
    };
    let filter = DriftFilter {
        sources,
        status: arguments.status.0,
        severity: arguments.severity,
        limit: arguments.limit.or((!output.json).then_some(SHOWN_ROWS)),
        offset: arguments.offset,
        ..DriftFilter::default()
    };
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let failed = |error| Failure::store(&error, &config.database);
    let all = store.count_drift(filter.clone()).await.map_err(failed)?;
    let rows = store.drift(filter).await.map_err(failed)?;
    let documents: Vec<_> = rows.iter().map(DriftDocument::from).collect();
    output.result(&documents, || text(&rows, output.colour))?;
    if all > rows.len() as u64 {
        note(&format!("{} of {all} changes; --limit and --offset show others", rows.len()));
    } else if all > 0 && !output.json {
        note("`kasparro drift show ID` tells what it breaks; `drift accept ID` lets such pages in");
    }
    Ok(Exit::Done)
}

fn text(rows: &[DriftRow], colour: bool) -> String {
    if rows.is_empty() {
        return "no changes".to_owned();
    }
    let headings = [
        "id",
        "source",
        "endpoint",
        "kind",
        "where",
        "before",
        "after",
        "severity",
        "refused",
        "status",
        "last seen",
    ];
    let mut table = Table::new(&headings, colour);
    for row in rows {
        let key = &row.event.key;
        let pointer = if key.pointer.is_empty() { "the page" } else { &key.pointer };
        let severity = table.severity(row.event.severity);
        table.row(vec![
            Table::number(row.drift_id.0),
            Table::words(row.source.as_str()),
            Table::words(&key.endpoint),
            Table::words(key.kind.name()),
            Table::words(pointer),
            Table::words(&key.before),
            Table::words(&key.after),
            severity,
            Table::words(if row.refused { "yes" } else { "no" }),
            Table::words(row.status.name()),
            Table::words(&row.last_seen_at.to_string()),
        ]);
    }
    table.text()
}
