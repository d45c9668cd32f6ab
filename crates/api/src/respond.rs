//! How every answer gets its headers.

use axum::body::Body as RoutedBody;
use axum::response::Response as Routed;
use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ETAG, LINK, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use kasparro_domain::Generation;
use serde::Serialize;

use crate::Shared;
use crate::answer::{Body, Enveloped, RequestContext};
use crate::data::Answered;
use crate::problem::{Code, Problem};
use crate::represent::{self, Encoding, Format, Tag, X_TOTAL_COUNT};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_GENERATION: HeaderName = HeaderName::from_static("x-generation");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// What else decides what a page looks like.
const VARY_FORM: HeaderValue =
    HeaderValue::from_static("accept, accept-encoding, x-min-generation");
const VARY_ORIGIN: HeaderValue =
    HeaderValue::from_static("accept, accept-encoding, x-min-generation, origin");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
/// Below that a body fits into one packet anyway.
pub(crate) const ENCODED_FROM_BYTES: u64 = 860;
/// Nothing of ours is a page but the documentation, which brings a policy of its own.
const NO_CONTENT_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// What a client that was refused for the moment should wait, in seconds.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");
/// The same for a generation that is not shown yet: the next swap may bring it.
const RETRY_GENERATION_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Gives an answer the headers that all answers have; the only place that does. A header that the
/// answer brought stays.
pub(crate) fn add_headers(
    headers: &mut HeaderMap,
    context: &RequestContext,
    generation: Option<Generation>,
) {
    headers.insert(X_REQUEST_ID, context.id_header());
    if let Some(generation) = generation {
        headers.insert(X_GENERATION, HeaderValue::from(generation.0));
    }
    headers.insert(SERVER_TIMING, context.server_timing());
    context.sharing().add_headers(headers);
    if let Some(standing) = context.standing() {
        standing.add_to(headers);
    }
    headers.insert(NOSNIFF, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(NO_CACHE);
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(NO_CONTENT_POLICY);
}

/// A page of listings as an answer in the encoding that is wanted, where it is kept in that one; and its
/// generation. `tell_encoding` and `add_headers` go over it afterwards, as over every answer.
pub(crate) fn page(
    shared: &Shared,
    answered: Answered,
    uri: &Uri,
    asked: &HeaderMap,
    wanted: Option<Encoding>,
    context: &RequestContext,
) -> (Response<Body>, Generation) {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.reserve(16);
    headers.insert(ETAG, answered.tag.header());
    headers.insert(CACHE_CONTROL, shared.cache_control(asked));
    let Some(page) = answered.page else {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return (response, answered.generation);
    };
    headers.insert(CONTENT_TYPE, content_type(answered.format));
    let mut prefix = Bytes::new();
    if answered.format == Format::Json {
        prefix = Bytes::from(context.prefix());
    } else {
        headers.insert(X_TOTAL_COUNT, HeaderValue::from(page.total));
        let cursor = page.next_cursor.as_deref();
        if let Some(next) = cursor.and_then(|cursor| represent::next_link(uri, cursor)) {
            headers.insert(LINK, next);
        }
    }
    let worth_it = (prefix.len() + page.body.len()) as u64 >= ENCODED_FROM_BYTES;
    let encoded = wanted.filter(|_| worth_it).and_then(|encoding| {
        let pieces = shared.pages.encoded(&page, encoding, &prefix)?;
        headers.insert(CONTENT_ENCODING, encoding.header());
        Some(pieces)
    });
    // As it is wherever the layer is to encode it, and where an encoder failed.
    let pieces = encoded.unwrap_or_else(|| [prefix, page.body.clone(), Bytes::new()]);
    *response.body_mut() = Body::pieces(pieces);
    (response, answered.generation)
}

/// The media type of a form.
pub(crate) const fn content_type(format: Format) -> HeaderValue {
    match format {
        Format::Json => JSON,
        Format::Csv => HeaderValue::from_static(represent::CSV_TYPE),
        Format::Ndjson => HeaderValue::from_static(represent::NDJSON_TYPE),
    }
}

/// A problem as an answer.
pub(crate) fn problem(problem: &Problem, context: &RequestContext) -> Response<Body> {
    let body = problem.to_json(context.id(), context.latency_ms());
    let mut response = Response::new(Body::whole(Bytes::from(body)));
    let status = problem.code.status();
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = problem.retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    } else if status == StatusCode::SERVICE_UNAVAILABLE {
        let soon = problem.code == Code::GenerationNotReached;
        let seconds = if soon { RETRY_GENERATION_SECONDS } else { RETRY_SECONDS };
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    add_headers(response.headers_mut(), context, problem.generation);
    response
}

/// A problem as the answer to a method: to `HEAD` without the body.
pub(crate) fn refusal(
    found: &Problem,
    context: &RequestContext,
    method: &Method,
) -> Response<Body> {
    let mut response = problem(found, context);
    if method == Method::HEAD {
        let length = hyper::body::Body::size_hint(response.body()).exact().unwrap_or_default();
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        *response.body_mut() = Body::empty();
    }
    response
}

/// Turns what a route made into an answer. Problems are written here, and an error without a JSON
/// body becomes one, so that no library's plain text gets out.
pub(crate) fn routed(routed: Routed, context: &RequestContext, method: &Method) -> Response<Body> {
    let (mut parts, body) = routed.into_parts();
    let found = parts.extensions.remove::<Problem>().or_else(|| bare_error(&parts));
    if let Some(found) = found {
        let mut response = refusal(&found, context, method);
        if let Some(allow) = parts.headers.remove(ALLOW) {
            response.headers_mut().insert(ALLOW, allow);
        }
        return response;
    }
    let generation = parts.extensions.remove::<Generation>();
    if parts.status == StatusCode::NOT_MODIFIED {
        // It would be that of the answer which is not sent again, and the router counts the body that is not there.
        parts.headers.remove(CONTENT_LENGTH);
    }
    tell_encoding(&mut parts.headers, context);
    add_headers(&mut parts.headers, context, generation);
    Response::from_parts(parts, Body::routed(body))
}

/// Tells in the headers of an answer that is known again by a tag what its encoding means for it: bytes that
/// differ have strong tags that differ, and whoever keeps it looks at what was asked. The layer that compresses
/// names itself under `Vary` in its own way, and knows nothing of tags.
pub(crate) fn tell_encoding(headers: &mut HeaderMap, context: &RequestContext) {
    if let Some(tag) = headers.get(ETAG) {
        if let Some(encoding) = headers.get(CONTENT_ENCODING)
            && let Some(tag) = Tag::encoded(tag, encoding)
        {
            headers.insert(ETAG, tag);
        }
        headers.insert(VARY, if context.sharing().varies() { VARY_ORIGIN } else { VARY_FORM });
    }
}

fn bare_error(parts: &http::response::Parts) -> Option<Problem> {
    let error = parts.status.is_client_error() || parts.status.is_server_error();
    if !error || parts.headers.get(CONTENT_TYPE) == Some(&JSON) {
        return None;
    }
    Some(match parts.status {
        StatusCode::NOT_FOUND => Problem::new(Code::NotFound, "no operation has this path"),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(Code::MethodNotAllowed, "this path does not take the method")
        }
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::BodyTooLarge, "the body is too large"),
        status if status.is_client_error() => {
            Problem::new(Code::BadRequest, "the request cannot be read")
        }
        _ => Problem::new(Code::Internal, "the request could not be answered"),
    })
}

/// A JSON answer with the request's id and latency.
pub(crate) fn json<T: Serialize>(context: &RequestContext, body: T) -> Routed {
    json_with(context, StatusCode::OK, body)
}

/// A JSON answer with a status, the request's id and latency.
pub(crate) fn json_with<T: Serialize>(
    context: &RequestContext,
    status: StatusCode,
    body: T,
) -> Routed {
    let enveloped = Enveloped {
        request_id: context.id().to_owned(),
        api_latency_ms: context.latency_ms(),
        body,
    };
    let mut response = match serde_json::to_vec(&enveloped) {
        Ok(body) => Response::new(RoutedBody::from(body)),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            let mut response = Response::new(RoutedBody::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return response;
        }
    };
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// The same answer, marked as computed from one generation of the read model.
pub(crate) fn at_generation(mut response: Routed, generation: Generation) -> Routed {
    response.extensions_mut().insert(generation);
    response
}

/// A text that is the whole answer, with its media type.
pub(crate) fn text(content_type: &'static str, body: impl Into<RoutedBody>) -> Routed {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
