//! `quarantine list`.

use kasparro_domain::{PageState, RejectionReason, RunId};
use kasparro_store::{PageFilter, QuarantineFilter, QuarantineRow, QuarantineStatus};

use super::selection::read_reason;
use super::{Context, RowDocument, pages};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::{Table, note};
use crate::wire;

/// The longest piece of a value in the table, in characters; `show` has the whole of it.
const SHOWN_VALUE: usize = 40;

/// Rows of the table where no limit is given.
const SHOWN_ROWS: u32 = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro quarantine list                                   the first 20 open rows
  kasparro quarantine list --source csv --reason bad_number --limit 500
  kasparro quarantine list --status all --json               as one JSON array
  kasparro quarantine list --pages                           pages that were refused as a whole

A page is refused as a whole where its layout or values have changed (drift), where more than one row in five is
bad (too_many_bad_rows), where fewer than half of the usual rows came (too_few_rows), and where the answer was
no page at all. Nothing of it is stored until `kasparro quarantine retry --page ID`.")]
pub(crate) struct Arguments {
    /// List refused pages in place of rows.
    #[arg(long, conflicts_with_all = ["reason", "status"])]
    pages: bool,
    /// Only of this source.
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only with this reason, for example bad_number.
    #[arg(long, value_name = "REASON", value_parser = read_reason)]
    reason: Option<RejectionReason>,
    /// Only in this status: open, loaded, discarded, or all.
    #[arg(long, value_name = "STATUS", default_value = "open", value_parser = read_status)]
    status: Status,
    /// Only of the pages of this run.
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// At most so many, oldest first; 20 unless told otherwise, and with --json all of them.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Leave out the first so many.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    offset: u64,
}

/// One status, or any.
#[derive(Debug, Clone, Copy)]
struct Status(Option<QuarantineStatus>);

fn read_status(text: &str) -> Result<Status, String> {
    if text == "all" {
        return Ok(Status(None));
    }
    QuarantineStatus::from_name(text).map(|status| Status(Some(status))).ok_or_else(|| {
        let names: Vec<_> = QuarantineStatus::ALL.iter().map(|status| status.name()).collect();
        format!("is none of {}, all", names.join(", "))
    })
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let sources = match &arguments.source {
        Some(name) => vec![wire::known_source(config, name)?],
        None => Vec::new(),
    };
    let limit = arguments.limit.or((!output.json).then_some(SHOWN_ROWS));
    if arguments.pages {
        let filter = PageFilter {
            sources,
            state: Some(PageState::Refused),
            run_id: arguments.run,
            limit,
            offset: arguments.offset,
        };
        return pages::execute(&context, filter).await;
    }
    let filter = QuarantineFilter {
        sources,
        reason: arguments.reason,
        status: arguments.status.0,
        run_id: arguments.run,
        after: None,
        limit,
        offset: arguments.offset,
    };
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let failed = |error| Failure::store(&error, &config.database);
    let all = store.count_quarantined(filter.clone()).await.map_err(failed)?;
    let rows = store.quarantined(filter).await.map_err(failed)?;
    let documents: Vec<_> = rows.iter().map(RowDocument::from).collect();
    output.result(&documents, || text(&rows, output.colour))?;
    if all > rows.len() as u64 {
        note(&format!("{} of {all} rows; --limit and --offset show others", rows.len()));
    }
    Ok(Exit::Done)
}

fn text(rows: &[QuarantineRow], colour: bool) -> String {
    if rows.is_empty() {
        return "no rows".to_owned();
    }
    let headings =
        ["id", "source", "reason", "field", "value", "external id", "status", "first seen"];
    let mut table = Table::new(&headings, colour);
    for row in rows {
        table.row(vec![
            Table::number(row.quarantine_id),
            Table::words(row.source.as_str()),
            Table::words(row.reason.code()),
            Table::words(&row.field),
            Table::words(&cut(&row.value)),
            Table::words(row.external_id.as_deref().unwrap_or("-")),
            Table::words(row.status.name()),
            Table::words(&row.first_seen_at.to_string()),
        ]);
    }
    table.text()
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(SHOWN_VALUE) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}
