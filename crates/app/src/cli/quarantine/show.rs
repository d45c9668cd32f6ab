//! `quarantine show`.

use kasparro_domain::PageId;
use kasparro_engine::RawRowContext;
use kasparro_store::QuarantineRow;
use serde::Serialize;
use serde_json::Value;

use super::{Context, RowDocument, page, selection};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::one_line;
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro quarantine show 17                    the row, why it is refused, and its neighbours
  kasparro quarantine show 17 --context 0        the row alone
  kasparro quarantine show 17 --json
  kasparro quarantine show --page 42             a refused page: why, and its first rows")]
pub(crate) struct Arguments {
    /// The row, by its id.
    #[arg(value_name = "ID", required_unless_present = "page")]
    id: Option<i64>,
    /// A refused page, by its id, in place of a row.
    #[arg(long, value_name = "ID", conflicts_with_all = ["id", "context"])]
    page: Option<i64>,
    /// How many rows to show on each side.
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=100))]
    context: u64,
}

/// The document of `quarantine show --json`.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    row: RowDocument<'a>,
    /// What was asked.
    request: Option<&'a Value>,
    /// The header of a delimited text.
    header: Option<&'a str>,
    /// The row and its neighbours as they were sent; what is not UTF-8 is replaced.
    rows: Vec<RawRow<'a>>,
}

#[derive(Debug, Serialize)]
struct RawRow<'a> {
    ordinal: u64,
    raw: &'a str,
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let clock = SystemClock::shared();
    if let Some(page) = arguments.page {
        return page::show(&context, &clock, PageId(page)).await;
    }
    let store = wire::open_to_read(config, &clock).await?;
    let row = selection::row(&context, store.as_ref(), arguments.id.unwrap_or_default()).await?;
    let page = store.page(row.page_id).await;
    let page = page.map_err(|error| Failure::store(&error, &config.database))?;
    let raw = kasparro_engine::raw_row(&store, row.page_id, row.ordinal, arguments.context);
    let raw = raw.await.map_err(|error| Failure::engine(error, &config.database))?;
    let request = page.as_ref().map(|page| &page.request);
    let document = Shown {
        row: RowDocument::from(&row),
        request,
        header: raw.header.as_deref(),
        rows: raw.rows.iter().map(|(ordinal, raw)| RawRow { ordinal: *ordinal, raw }).collect(),
    };
    output.result(&document, || text(&row, request, &raw))?;
    Ok(Exit::Done)
}

fn text(row: &QuarantineRow, request: Option<&Value>, raw: &RawRowContext) -> String {
    let request = request.map_or_else(|| "-".to_owned(), ToString::to_string);
    let facts = [
        ("id", row.quarantine_id.to_string()),
        ("source", row.source.to_string()),
        ("status", row.status.name().to_owned()),
        ("reason", row.reason.code().to_owned()),
        ("field", row.field.clone()),
        ("value", row.value.clone()),
        ("rule", row.rule.clone()),
        ("external id", row.external_id.clone().unwrap_or_else(|| "-".to_owned())),
        ("run", row.run_id.to_string()),
        ("page", row.page_id.0.to_string()),
        ("row", row.ordinal.to_string()),
        ("request", request),
        ("first seen", row.first_seen_at.to_string()),
    ];
    let mut lines: Vec<_> =
        facts.iter().map(|(name, fact)| format!("{name:12}{}", one_line(fact))).collect();
    lines.push(String::new());
    if let Some(header) = &raw.header {
        lines.push(format!("{:>10}  {}", "header", one_line(header)));
    }
    for (ordinal, text) in &raw.rows {
        let mark = if *ordinal == row.ordinal { '>' } else { ' ' };
        lines.push(format!("{mark}{ordinal:>9}  {}", one_line(text)));
    }
    lines.join("\n")
}
