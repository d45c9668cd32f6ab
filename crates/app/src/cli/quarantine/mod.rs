//! `quarantine`: rows and pages that were not believed, and what people decide about them.

mod discard;
mod list;
mod page;
mod pages;
mod rerun;
mod retry;
mod selection;
mod show;

use kasparro_domain::Timestamp;
use kasparro_store::QuarantineRow;
use serde::Serialize;

use super::Context;
use crate::failure::{Exit, Failure};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// List quarantined rows, the open ones unless told otherwise; with --pages the refused pages.
    List(list::Arguments),
    /// Show one quarantined row with the raw bytes around it, or one refused page.
    Show(show::Arguments),
    /// Read quarantined rows or a refused page again; beside a server, the server does it.
    Retry(retry::Arguments),
    /// Give open rows up for good; beside a server, the server does it.
    Discard(discard::Arguments),
}

pub(crate) async fn execute(context: Context, action: Action) -> Result<Exit, Failure> {
    match action {
        Action::List(arguments) => list::execute(context, arguments).await,
        Action::Show(arguments) => show::execute(context, arguments).await,
        Action::Retry(arguments) => retry::execute(context, arguments).await,
        Action::Discard(arguments) => discard::execute(context, arguments).await,
    }
}

/// A row as `quarantine list --json` gives it.
#[derive(Debug, Serialize)]
struct RowDocument<'a> {
    id: i64,
    source: &'a str,
    run_id: String,
    raw_page_id: i64,
    ordinal: u64,
    external_id: Option<&'a str>,
    reason: &'static str,
    field: &'a str,
    value: &'a str,
    rule: &'a str,
    status: &'static str,
    first_seen_at: Timestamp,
}

impl<'a> From<&'a QuarantineRow> for RowDocument<'a> {
    fn from(row: &'a QuarantineRow) -> Self {
        Self {
            id: row.quarantine_id,
            source: row.source.as_str(),
            run_id: row.run_id.to_string(),
            raw_page_id: row.page_id.0,
            ordinal: row.ordinal,
            external_id: row.external_id.as_deref(),
            reason: row.reason.code(),
            field: &row.field,
            value: &row.value,
            rule: &row.rule,
            status: row.status.name(),
            first_seen_at: row.first_seen_at,
        }
    }
}
