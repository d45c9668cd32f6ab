//! `/data`, `/csv-data` and `/listings`: a page of listings from the read model.

mod cache;
pub(crate) mod cursor;
mod fields;
mod query;
mod render;

use bytes::Bytes;
use kasparro_domain::Generation;

pub(crate) use cache::PageCache;
pub(crate) use fields::FieldSet;
pub(crate) use query::{DataQuery, Selection, source_name};
pub(crate) use render::listed_row;

use crate::Shared;
use crate::problem::{Code, Problem};

/// The answer to a query string: everything of the body behind the request's own members, and the
/// generation it was computed from. It is the same for every request with the same meaning, so it is
/// made once for each snapshot.
pub(crate) fn page(
    shared: &Shared,
    selection: Selection,
    query: Option<&str>,
) -> Result<(Bytes, Generation), Problem> {
    let query = DataQuery::read(query, selection, shared)?;
    if !shared.view.loaded() {
        return Err(not_loaded());
    }
    let snapshot = shared.view.snapshot();
    if let Some(middle) = shared.pages.get(snapshot.version(), &query) {
        return Ok((middle, snapshot.generation()));
    }
    let page = snapshot.page(&query.listings);
    let middle = render::middle(&query, &page, &shared.settings.cursor_key);
    shared.pages.put(snapshot.version(), query, middle.clone());
    Ok((middle, snapshot.generation()))
}

/// Before the first load nothing is known; an empty answer would say that there is nothing.
pub(crate) fn not_loaded() -> Problem {
    Problem::new(Code::Loading, "the listings are being read from the store")
}
