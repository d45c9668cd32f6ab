//! What of a request is looked at and changed before it is answered.

use axum::extract::OriginalUri;
use http::header::CONTENT_LENGTH;
use http::uri::PathAndQuery;
use http::{Request, Uri};

use crate::normal_path::normal_path;
use crate::problem::{Code, Problem};
use crate::settings::{MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_HEADERS, MAX_TARGET_BYTES};

/// Refuses what is too large to be read.
pub(super) fn within_limits<B>(request: &Request<B>) -> Result<(), Problem> {
    let target_bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target_bytes > MAX_TARGET_BYTES {
        let detail =
            format!("path and query have {target_bytes} bytes, {MAX_TARGET_BYTES} are allowed");
        return Err(Problem::new(Code::UriTooLong, detail));
    }
    let (headers, head_bytes) = (request.headers().len(), head_bytes(request, target_bytes));
    if headers > MAX_HEADERS || head_bytes > MAX_HEAD_BYTES {
        let detail = format!(
            "the head has {headers} headers and {head_bytes} bytes, {MAX_HEADERS} and {MAX_HEAD_BYTES} are allowed"
        );
        return Err(Problem::new(Code::HeadersTooLarge, detail));
    }
    let Some(length) = request.headers().get(CONTENT_LENGTH) else {
        return Ok(());
    };
    let length = length.to_str().ok().and_then(|text| text.parse::<usize>().ok());
    if length.is_none_or(|length| length > MAX_BODY_BYTES) {
        let detail = format!("{MAX_BODY_BYTES} bytes of body are allowed");
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    Ok(())
}

/// Bytes of a head as HTTP/1.1 writes it, without blanks that mean nothing.
fn head_bytes<B>(request: &Request<B>, target_bytes: usize) -> usize {
    const REQUEST_LINE_AND_END: usize = "  HTTP/1.1\r\n\r\n".len();
    const BETWEEN_AND_BEHIND: usize = ": \r\n".len();
    let lines = request.headers().iter();
    let lines = lines.map(|(name, value)| name.as_str().len() + value.len() + BETWEEN_AND_BEHIND);
    let line = request.method().as_str().len() + target_bytes + REQUEST_LINE_AND_END;
    line + lines.sum::<usize>()
}

/// The request under the path that its operation is registered under; the original one stays known.
pub(super) fn with_normal_path<B>(mut request: Request<B>) -> Request<B> {
    let original = request.uri().clone();
    let path = normal_path(original.path());
    if path != original.path() {
        let target = match original.query() {
            Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
            None => PathAndQuery::try_from(path),
        };
        // Part of a valid target is a valid target.
        if let Ok(target) = target {
            let mut parts = original.clone().into_parts();
            parts.path_and_query = Some(target);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request.extensions_mut().insert(OriginalUri(original));
    request
}
