//! `drift show`.

use kasparro_domain::{DriftId, DriftRow};
use serde::Serialize;

use super::{Context, DriftDocument, found};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::one_line;
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro drift show 3             what changed, what it breaks, what to do, and a row as it was sent
  kasparro drift show 3 --json")]
pub(crate) struct Arguments {
    /// The change, by its id.
    #[arg(value_name = "ID")]
    id: i64,
}

/// The document of `drift show --json`.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    drift: DriftDocument<'a>,
    /// The header of a delimited text.
    header: Option<String>,
    /// The first row of that page as it was sent; what is not UTF-8 is replaced. Absent where the page
    /// cannot be cut into rows.
    row: Option<String>,
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let drift = found(&context, store.as_ref(), DriftId(arguments.id)).await?;
    let raw = kasparro_engine::raw_row(&store, drift.page_id, 0, 0).await.ok();
    let (header, row) = raw
        .map_or((None, None), |raw| (raw.header, raw.rows.into_iter().next().map(|(_, row)| row)));
    let shown = Shown { drift: DriftDocument::from(&drift), header, row };
    output.result(&shown, || text(&drift, &shown))?;
    Ok(Exit::Done)
}

fn text(row: &DriftRow, shown: &Shown<'_>) -> String {
    let (event, key) = (&row.event, &row.event.key);
    let whole = |text: &str| if text.is_empty() { "the page".to_owned() } else { text.to_owned() };
    let breaks = if event.breaks.is_empty() { "nothing".into() } else { event.breaks.join(", ") };
    let rows = format!(
        "{} of {} that were looked at, {} % sure",
        event.rows_affected, event.rows_examined, event.confidence_percent
    );
    let pages = match row.refused {
        true => format!("{}, refused because of it", row.pages_seen),
        false => row.pages_seen.to_string(),
    };
    let facts = [
        ("change", row.drift_id.0.to_string()),
        ("source", row.source.to_string()),
        ("endpoint", key.endpoint.clone()),
        ("kind", key.kind.name().to_owned()),
        ("where", whole(&key.pointer)),
        ("before", key.before.clone()),
        ("after", key.after.clone()),
        ("severity", event.severity.name().to_owned()),
        ("rows", rows),
        ("breaks", breaks),
        ("to do", event.suggestion.clone()),
        ("status", row.status.name().to_owned()),
        ("pages", pages),
        ("first page", row.page_id.0.to_string()),
        ("first seen", row.first_seen_at.to_string()),
        ("last seen", row.last_seen_at.to_string()),
    ];
    let mut lines: Vec<_> =
        facts.iter().map(|(name, fact)| format!("{name:12}{}", one_line(fact))).collect();
    lines.push(String::new());
    lines.extend(shown.header.iter().map(|header| format!("  {}", one_line(header))));
    match &shown.row {
        Some(row) => lines.push(format!("  {}", one_line(row))),
        None => lines.push("the page cannot be cut into rows".to_owned()),
    }
    lines.join("\n")
}
