//! Answers that are made anew only for those who do not have them.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use super::{Tag, matched};
use crate::problem::{Code, Problem};

/// The answer that `make` makes, with its tag; or 304 where `If-None-Match` names the tag.
pub(crate) fn unless_known(
    asked: &HeaderMap,
    tag: &Tag,
    make: impl FnOnce() -> Response,
) -> Response {
    let (mut response, tag) = match matched(asked, tag) {
        Some(named) => (not_modified(), named),
        None => (make(), tag.clone()),
    };
    response.headers_mut().insert(ETAG, tag.header());
    response
}

/// The same answer, which may be used as long as this says.
pub(crate) fn kept(mut response: Response, cache_control: HeaderValue) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, cache_control);
    response
}

/// What a body shows, for a tag of it.
pub(crate) fn shown<T: Serialize>(body: &T) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Problem::new(Code::Internal, "the answer could not be written")
    })
}

/// The answer to a client that has it already.
pub(super) fn not_modified() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}
