//! One page that was refused as a whole: what it is, and reading it after all.

use std::sync::Arc;

use kasparro_domain::{Clock, CommandKind, PageId, PageState, RawPage, RunError, Timestamp};
use kasparro_store::{PageFilter, PageRecord, Store};
use serde::Serialize;
use serde_json::Value;

use super::Context;
use super::rerun::rerun;
use crate::cli::request::Request;
use crate::failure::{Exit, Failure};
use crate::output::{one_line, runs_document, runs_table};
use crate::wire;

/// Rows of a page that are shown as they were sent.
const ROWS_SHOWN: u64 = 2;

/// A refused page as `quarantine list --pages --json` gives it.
#[derive(Debug, Serialize)]
pub(super) struct PageDocument<'a> {
    id: i64,
    source: &'a str,
    run_id: String,
    /// The endpoint that was asked.
    endpoint: Option<&'a str>,
    /// What was asked, without secrets.
    request: &'a Value,
    code: Option<&'a str>,
    message: Option<&'a str>,
    hint: Option<&'a str>,
    /// Rows on it; absent where they could not be counted.
    rows: Option<u64>,
    bytes: u64,
    http_status: Option<u16>,
    fetched_at: Timestamp,
}

impl<'a> From<&'a PageRecord> for PageDocument<'a> {
    fn from(record: &'a PageRecord) -> Self {
        let PageRecord { page, error } = record;
        let error = error.as_ref();
        Self {
            id: page.page_id.0,
            source: page.source.as_str(),
            run_id: page.run_id.to_string(),
            endpoint: endpoint(page),
            request: &page.request,
            code: error.map(|error| error.code.as_str()),
            message: error.map(|error| error.message.as_str()),
            hint: error.map(|error| error.hint.as_str()),
            rows: page.context.get("rows").and_then(Value::as_u64).filter(|rows| *rows > 0),
            bytes: page.body_bytes,
            http_status: page.http_status,
            fetched_at: page.fetched_at,
        }
    }
}

/// The endpoint whose answer a page is.
pub(super) fn endpoint(page: &RawPage) -> Option<&str> {
    page.request.get("endpoint").and_then(Value::as_str)
}

/// The document of `quarantine show --page ID --json`.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    page: PageDocument<'a>,
    /// Its first rows as they were sent; what is not UTF-8 is replaced.
    head: Vec<String>,
}

/// Shows a refused page with its first rows.
///
/// # Errors
/// A [`Failure`] with exit code 1 where no refused page has this number.
pub(super) async fn show(
    context: &Context,
    clock: &Arc<dyn Clock>,
    id: PageId,
) -> Result<Exit, Failure> {
    let store = wire::open_to_read(&context.config, clock).await?;
    let record = refused(context, store.as_ref(), id).await?;
    // A web page in place of rows cannot be cut into any.
    let head = kasparro_engine::raw_row(&store, id, 0, ROWS_SHOWN).await;
    let head = head.map(|found| {
        let rows = found.rows.into_iter().map(|(_, row)| row);
        found.header.into_iter().chain(rows).collect()
    });
    let shown = Shown { page: PageDocument::from(&record), head: head.unwrap_or_default() };
    context.output.result(&shown, || text(&shown))?;
    Ok(Exit::Done)
}

fn text(shown: &Shown<'_>) -> String {
    let page = &shown.page;
    let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let facts = [
        ("page", page.id.to_string()),
        ("source", page.source.to_owned()),
        ("run", page.run_id.clone()),
        ("request", page.request.to_string()),
        ("code", or_none(page.code)),
        ("message", or_none(page.message)),
        ("hint", or_none(page.hint)),
        ("rows", page.rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string())),
        ("bytes", page.bytes.to_string()),
        ("fetched", page.fetched_at.to_string()),
    ];
    let mut lines: Vec<_> =
        facts.iter().map(|(name, fact)| format!("{name:12}{}", one_line(fact))).collect();
    lines.push(String::new());
    if shown.head.is_empty() {
        lines.push("the body cannot be cut into rows".to_owned());
    }
    lines.extend(shown.head.iter().map(|row| format!("  {}", one_line(row))));
    lines.join("\n")
}

/// A refused page that is to be read after all.
pub(super) struct Retrial {
    pub(super) id: PageId,
    /// Whatever speaks against it.
    pub(super) forced: bool,
    pub(super) who: String,
    pub(super) why: String,
}

/// Reads a refused page after all.
///
/// # Errors
/// A [`Failure`] with exit code 1 where no refused page has this number.
pub(super) async fn retry(
    context: &Context,
    clock: &Arc<dyn Clock>,
    retrial: Retrial,
) -> Result<Exit, Failure> {
    let Retrial { id, forced, who, why } = retrial;
    // Closed again before the store is opened to write: whoever closes it last tidies its files up.
    let source = {
        let store = wire::open_to_read(&context.config, clock).await?;
        refused(context, store.as_ref(), id).await?.page.source
    };
    let kind = CommandKind::RetryPage { source, page_id: id, forced, who, why };
    let runs = rerun(context, clock, vec![Request::new(kind)]).await?;
    let store = wire::open_to_read(&context.config, clock).await?;
    let page = found(context, store.as_ref(), id).await?;
    let output = context.output;
    output.result(&runs_document(&runs), || {
        let outcome = match (page.state, runs.is_empty()) {
            (PageState::Refused, true) => format!("page {id} holds no rows that could be read"),
            (PageState::Refused, false) => {
                format!("page {id} is refused once more; --force loads it")
            }
            (_, true) => format!("nothing was read: page {id} is not refused any more"),
            (_, false) => loaded(id, runs.iter().map(|run| run.counts.quarantined).sum()),
        };
        match runs.is_empty() {
            true => outcome,
            false => format!("{}\n{outcome}", runs_table(&runs, false, output.colour)),
        }
    })?;
    Ok(if page.state == PageState::Refused { Exit::Failed } else { Exit::Done })
}

fn loaded(id: PageId, bad_rows: u64) -> String {
    match bad_rows {
        0 => format!("page {id} is loaded"),
        rows => format!(
            "page {id} is loaded; {rows} of its rows are in quarantine, `kasparro quarantine list` shows why"
        ),
    }
}

async fn found(context: &Context, store: &dyn Store, id: PageId) -> Result<RawPage, Failure> {
    let page = store.page(id).await;
    let page = page.map_err(|error| Failure::store(&error, &context.config.database))?;
    page.ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "unknown_page",
            format!("there is no page {id}"),
            "`kasparro quarantine list --pages` lists the ids",
        )
    })
}

/// A refused page by its number.
async fn refused(context: &Context, store: &dyn Store, id: PageId) -> Result<PageRecord, Failure> {
    let page = found(context, store, id).await?;
    if page.state != PageState::Refused {
        return Err(Failure::new(
            Exit::Failed,
            "not_refused",
            format!("page {id} is {}, not refused", page.state.name()),
            "`kasparro quarantine list --pages` shows the pages that are refused",
        ));
    }
    let filter = PageFilter {
        sources: vec![page.source.clone()],
        state: Some(PageState::Refused),
        run_id: Some(page.run_id),
        ..PageFilter::default()
    };
    let records = store.pages(filter).await;
    let records = records.map_err(|error| Failure::store(&error, &context.config.database))?;
    let record = records.into_iter().find(|record| record.page.page_id == id);
    let unknown = || RunError {
        code: "unknown".to_owned(),
        message: "the reason is not on record".to_owned(),
        hint: "read the page again".to_owned(),
    };
    Ok(record.unwrap_or_else(|| PageRecord { page, error: Some(unknown()) }))
}
