//! `/data`, `/csv-data` and `/listings`: a page of listings from the read model.

mod cache;
pub(crate) mod cursor;
mod encoded;
mod fields;
mod query;
mod render;

use std::sync::Arc;

use http::{HeaderMap, Uri};
use kasparro_domain::{Generation, Timestamp};
use kasparro_view::Snapshot;

#[cfg(test)]
pub(crate) use cache::MAX_BYTES as MAX_CACHED_BYTES;
pub(crate) use cache::PageCache;
pub(crate) use fields::FieldSet;
pub(crate) use query::{
    DataQuery, INCLUDED, NUMBERS, ORDERS, SORT_KEYS, Selection, several, source_name, source_names,
};
pub(crate) use render::{Rendered, listed_row};

use crate::Shared;
use crate::problem::{Code, Problem};
use crate::represent::{self, Format, Tag};

/// The answer to a question about listings.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The generation that it is of.
    pub(crate) generation: Generation,
    /// Its form.
    pub(crate) format: Format,
    /// By what it is known again.
    pub(crate) tag: Tag,
    /// The page; none where the client has it already.
    pub(crate) page: Option<Arc<Rendered>>,
}

/// Answers a request. The page is the same for every request with the same meaning, so it is made once for
/// each snapshot; where the client has it already, nothing is looked up at all.
pub(crate) fn answer(
    shared: &Shared,
    selection: Selection,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Answered, Problem> {
    let accepted = represent::accepted(headers);
    let query = DataQuery::read(uri.query(), selection, accepted, shared)?;
    if !shared.view.loaded() {
        return Err(not_loaded());
    }
    let snapshot = match query.pinned {
        None => shared.view.snapshot(),
        Some(generation) => kept(shared, generation, uri)?,
    };
    let (generation, format) = (snapshot.generation(), query.format);
    let tag = Tag::new(generation, &(selection, &query), &shown(&snapshot), format);
    if let Some(tag) = represent::matched(headers, &tag) {
        shared.metrics.pages_not_modified.increment(1);
        return Ok(Answered { generation, format, tag, page: None });
    }
    let present = query.pinned.is_none();
    if present && let Some(page) = shared.pages.get(snapshot.version(), &query) {
        shared.metrics.pages_cached.increment(1);
        return Ok(Answered { generation, format, tag, page: Some(page) });
    }
    shared.metrics.pages_rendered.increment(1);
    let found = snapshot.page(&query.listings);
    let page = render::render(&query, &found, generation, &shared.settings.cursor_key);
    let page = match present {
        true => shared.pages.put(snapshot.version(), query, page),
        false => Arc::new(page),
    };
    Ok(Answered { generation, format, tag, page: Some(page) })
}

/// The snapshot that a cursor goes over, as long as it is kept.
fn kept(shared: &Shared, generation: Generation, uri: &Uri) -> Result<Arc<Snapshot>, Problem> {
    shared.view.kept(generation).ok_or_else(|| {
        let again = represent::without_place(uri);
        let detail = format!(
            "the order of generation {generation} is not kept any more; start again at {again}"
        );
        Problem::new(Code::CursorExpired, detail).at_generation(shared.view.snapshot().generation())
    })
}

/// What decides besides the generation what rows show: how many are stale, and, where a backup was restored,
/// whose generation it is.
pub(crate) fn shown(snapshot: &Snapshot) -> (usize, Option<Timestamp>) {
    (snapshot.stale_rows(), snapshot.newest_fetched_at())
}

/// Before the first load nothing is known; an empty answer would say that there is nothing.
pub(crate) fn not_loaded() -> Problem {
    Problem::new(Code::Loading, "the listings are being read from the store")
}
