//! `drift`: changes in what upstreams send, and accepting them.

mod accept;
mod list;
mod show;

use kasparro_domain::{DriftId, DriftRow, Timestamp};
use kasparro_store::{DriftFilter, Store};
use serde::Serialize;

use super::Context;
use crate::failure::{Exit, Failure};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// List the changes that were found; the open ones unless told otherwise.
    List(list::Arguments),
    /// Show one change in full, with a row that shows it.
    Show(show::Arguments),
    /// Accept changes, so that they refuse no page any more; beside a server, the server does it.
    Accept(accept::Arguments),
}

pub(crate) async fn execute(context: Context, action: Action) -> Result<Exit, Failure> {
    match action {
        Action::List(arguments) => list::execute(context, arguments).await,
        Action::Show(arguments) => show::execute(context, arguments).await,
        Action::Accept(arguments) => accept::execute(context, arguments).await,
    }
}

/// A change as `drift list --json` gives it.
#[derive(Debug, Serialize)]
struct DriftDocument<'a> {
    id: i64,
    source: &'a str,
    endpoint: &'a str,
    kind: &'static str,
    /// JSON pointer of the member; empty for the page as a whole.
    pointer: &'a str,
    before: &'a str,
    after: &'a str,
    severity: &'static str,
    confidence_percent: u8,
    rows_affected: u64,
    rows_examined: u64,
    suggestion: &'a str,
    /// Fields of ours that would be wrong or unknown.
    breaks: &'a [String],
    /// The page that showed it first.
    raw_page_id: i64,
    /// True when a page was refused because of it.
    refused: bool,
    first_seen_at: Timestamp,
    last_seen_at: Timestamp,
    pages_seen: u64,
    status: &'static str,
}

impl<'a> From<&'a DriftRow> for DriftDocument<'a> {
    fn from(row: &'a DriftRow) -> Self {
        let (event, key) = (&row.event, &row.event.key);
        Self {
            id: row.drift_id.0,
            source: row.source.as_str(),
            endpoint: &key.endpoint,
            kind: key.kind.name(),
            pointer: &key.pointer,
            before: &key.before,
            after: &key.after,
            severity: event.severity.name(),
            confidence_percent: event.confidence_percent,
            rows_affected: event.rows_affected,
            rows_examined: event.rows_examined,
            suggestion: &event.suggestion,
            breaks: &event.breaks,
            raw_page_id: row.page_id.0,
            refused: row.refused,
            first_seen_at: row.first_seen_at,
            last_seen_at: row.last_seen_at,
            pages_seen: row.pages_seen,
            status: row.status.name(),
        }
    }
}

/// One change by its number.
///
/// # Errors
/// A [`Failure`] with exit code 1 where there is none.
async fn found(context: &Context, store: &dyn Store, id: DriftId) -> Result<DriftRow, Failure> {
    let filter =
        DriftFilter { after: id.0.checked_sub(1), limit: Some(1), ..DriftFilter::default() };
    let found = store.drift(filter).await;
    let found = found.map_err(|error| Failure::store(&error, &context.config.database))?;
    found.into_iter().find(|row| row.drift_id == id).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "unknown_drift",
            format!("there is no change {}", id.0),
            "`kasparro drift list --status all` lists the ids",
        )
    })
}
