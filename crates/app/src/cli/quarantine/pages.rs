//! `quarantine list --pages`: the pages that were refused as a whole.

use kasparro_store::{PageFilter, PageRecord};

use super::Context;
use super::page::{PageDocument, endpoint};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::{Table, note};
use crate::wire;

/// Lists the pages that fit.
///
/// # Errors
/// A [`Failure`] with exit code 3 where the store cannot be read.
pub(super) async fn execute(context: &Context, filter: PageFilter) -> Result<Exit, Failure> {
    let Context { config, output, .. } = context;
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let failed = |error| Failure::store(&error, &config.database);
    let all = store.count_pages(filter.clone()).await.map_err(failed)?;
    let pages = store.pages(filter).await.map_err(failed)?;
    let documents: Vec<_> = pages.iter().map(PageDocument::from).collect();
    output.result(&documents, || text(&pages, output.colour))?;
    if all > pages.len() as u64 {
        note(&format!("{} of {all} pages; --limit and --offset show others", pages.len()));
    } else if all > 0 && !output.json {
        note(
            "`kasparro quarantine show --page ID` shows one; `retry --page ID` has it read after all",
        );
    }
    Ok(Exit::Done)
}

fn text(pages: &[PageRecord], colour: bool) -> String {
    if pages.is_empty() {
        return "no pages".to_owned();
    }
    let mut table = Table::new(&["id", "source", "endpoint", "code", "fetched", "message"], colour);
    for PageRecord { page, error } in pages {
        let error = error.as_ref();
        table.row(vec![
            Table::number(page.page_id),
            Table::words(page.source.as_str()),
            Table::words(endpoint(page).unwrap_or("-")),
            Table::words(error.map_or("-", |error| &error.code)),
            Table::words(&page.fetched_at.to_string()),
            Table::words(error.map_or("-", |error| &error.message)),
        ]);
    }
    table.text()
}
