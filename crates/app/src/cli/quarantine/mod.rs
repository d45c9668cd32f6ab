//! `quarantine`: rows that were not believed, and what people decide about them.

mod discard;
mod list;
mod retry;
mod selection;
mod show;

use std::sync::Arc;

use kasparro_domain::{Clock, Timestamp};
use kasparro_engine::HeldElsewhere;
use kasparro_store::{QuarantineRow, Store};
use serde::Serialize;
use serde_json::Value;

use super::request::{Holder, Request};
use super::withdraw::Held;
use super::{Context, fleet};
use crate::failure::{Exit, Failure};
use crate::wire::{self, Locked};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// List quarantined rows; the open ones unless told otherwise.
    List(list::Arguments),
    /// Show one quarantined row with the raw bytes around it.
    Show(show::Arguments),
    /// Read quarantined rows again, after the cause was mended; beside a server, the server does it.
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

/// Asks the process that holds the store for each of these; false when it is gone before all are
/// answered.
async fn ask_holder(
    context: &Context,
    locked: &Locked,
    clock: &Arc<dyn Clock>,
    requests: &mut [Request],
) -> Result<bool, Failure> {
    let config = &context.config;
    locked.refuse_upstream(config)?;
    let store = locked.open_beside(clock)?;
    let (database, words) = (&config.database, locked.failure().message);
    let holder = Holder { store: store.as_ref(), clock: clock.as_ref(), database, words: &words };
    for request in requests {
        if request.ask(&holder, async || locked.still_held(clock)).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Asks the process that holds a source; `None` when it is gone before it answers.
async fn ask_elsewhere(
    context: &Context,
    elsewhere: &HeldElsewhere,
    store: &dyn Store,
    clock: &Arc<dyn Clock>,
    request: &mut Request,
) -> Result<Option<Value>, Failure> {
    let config = &context.config;
    let words = fleet::told(elsewhere, &config.database);
    wire::refuse_upstream(config, &words)?;
    let holder = Holder { store, clock: clock.as_ref(), database: &config.database, words: &words };
    request.ask(&holder, async || fleet::holder_alive(store, &elsewhere.source).await).await
}

/// A text that a person gives for the record: one line that says something.
fn read_words(text: &str) -> Result<String, &'static str> {
    let words = text.trim();
    if words.is_empty() {
        return Err("write what the record is to say");
    }
    if words.chars().any(char::is_control) || words.chars().count() > 500 {
        return Err("write one line of at most 500 characters");
    }
    Ok(words.to_owned())
}

/// Who decides, where nobody is named: the user of this process.
fn decider(who: Option<String>, context: &Context) -> String {
    let user = || read_words(context.user.as_deref().unwrap_or_default()).ok();
    who.or_else(user).unwrap_or_else(|| "operator".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_the_record_are_one_line_that_says_something() {
        assert_eq!(read_words(" the file was mended ").unwrap(), "the file was mended");
        for text in ["", "  ", "two\nlines", "\u{1b}[31m", &"x".repeat(501)] {
            assert!(read_words(text).is_err(), "{text:?}");
        }
    }
}
