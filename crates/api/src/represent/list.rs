//! Lists that routes make, in the form that was asked for and with a tag.

use axum::response::Response;
use http::header::{CACHE_CONTROL, ETAG, LINK};
use http::{HeaderMap, HeaderName, Uri};
use kasparro_domain::Generation;
use kasparro_view::Snapshot;
use serde::Serialize;

use super::known::not_modified;
use super::{CSV_TYPE, Format, NDJSON_TYPE, Tag, csv, matched, ndjson, next_link};
use crate::{Shared, data, respond};

pub(crate) const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// What is asked, as far as the answer and its tag depend on it.
pub(crate) struct Asked<'a> {
    shared: &'a Shared,
    headers: &'a HeaderMap,
    uri: &'a Uri,
    format: Format,
    generation: Generation,
    tag: Tag,
}

impl<'a> Asked<'a> {
    /// A question about a snapshot, or about what the store holds since then.
    pub(crate) fn new(
        shared: &'a Shared,
        snapshot: &Snapshot,
        uri: &'a Uri,
        headers: &'a HeaderMap,
        format: Format,
    ) -> Self {
        // Path and query as they are written: two ways of writing one question have two tags, and both
        // are right.
        let question = uri.path_and_query().map(|target| target.as_str());
        let tag = Tag::new(snapshot.generation(), &question, &data::shown(snapshot), format);
        Self { shared, headers, uri, format, generation: snapshot.generation(), tag }
    }

    /// The answer to a client that has it already.
    pub(crate) fn known(&self) -> Option<Response> {
        matched(self.headers, &self.tag).map(|tag| self.tagged(not_modified(), &tag))
    }

    /// The answer in JSON, which `json` makes, or its rows in another form.
    pub(crate) fn answer<T: Serialize>(
        &self,
        columns: &[&str],
        rows: &[T],
        total: Option<u64>,
        next_cursor: Option<&str>,
        json: impl FnOnce() -> Response,
    ) -> Response {
        // What is shown of rows is always written: they are of our own making.
        let rows = || rows.iter().map(|row| serde_json::to_string(row).unwrap_or_default());
        let mut response = match self.format {
            Format::Json => return self.tagged(json(), &self.tag),
            Format::Csv => respond::text(CSV_TYPE, csv(columns, rows())),
            Format::Ndjson => respond::text(NDJSON_TYPE, ndjson(rows())),
        };
        let headers = response.headers_mut();
        if let Some(total) = total {
            headers.insert(X_TOTAL_COUNT, total.into());
        }
        if let Some(next) = next_cursor.and_then(|cursor| next_link(self.uri, cursor)) {
            headers.insert(LINK, next);
        }
        self.tagged(response, &self.tag)
    }

    fn tagged(&self, mut response: Response, tag: &Tag) -> Response {
        response.headers_mut().insert(ETAG, tag.header());
        response.headers_mut().insert(CACHE_CONTROL, self.shared.cache_control(self.headers));
        respond::at_generation(response, self.generation)
    }
}
