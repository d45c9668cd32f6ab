//! `GET /redoc` and `GET /redoc/{file}`: the reference for reading, from this binary alone.

use std::sync::LazyLock;

use axum::extract::{OriginalUri, Path};
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderMap, HeaderValue};

use crate::openapi::Problems;
use crate::problem::{Code, Problem};
use crate::represent::{self, NotModified, Tag};
use crate::respond;

const PAGE: &str = include_str!("../assets/redoc.html");
const SCRIPT: &str = include_str!("../assets/redoc.js");
/// Scripts and requests of this server only. Redoc writes style elements, shows pictures that it brings along
/// as data, and searches in a worker that it makes of its own text.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     worker-src 'self' blob:; frame-ancestors 'none'",
);

/// Redoc itself. The library that brings it has it only within a page of its own.
static BUNDLE: LazyLock<Bytes> = LazyLock::new(|| {
    let page = aide::redoc::Redoc::new("").html();
    let script = page.split_once("<script>").map(|(_, rest)| rest).unwrap_or_default();
    let script = script.rsplit_once("Redoc.init(").map(|(bundle, _)| bundle).unwrap_or_default();
    Bytes::from(script.trim().to_owned())
});

static SCRIPT_TAG: LazyLock<Tag> = LazyLock::new(|| Tag::of_bytes(SCRIPT.as_bytes()));
static BUNDLE_TAG: LazyLock<Tag> = LazyLock::new(|| Tag::of_bytes(&BUNDLE));

/// Shows the reference of the API for reading.
#[utoipa::path(
    get, path = "/redoc", tag = "Service",
    responses((status = 200, description = "A page for people", content_type = "text/html", body = String), Problems),
)]
pub(crate) async fn redoc(OriginalUri(uri): OriginalUri) -> Response {
    // References are relative, so that the page also works behind a proxy that adds a prefix.
    let (files, root) = if uri.path().ends_with('/') { ("", "../") } else { ("redoc/", "") };
    let page = PAGE.replace("{files}", files).replace("{root}", root);
    let mut response = respond::text("text/html; charset=utf-8", page);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
    response
}

/// Brings a file of the reference page.
#[utoipa::path(
    get, path = "/redoc/{file}", tag = "Service",
    params(("file" = String, Path, description = "`redoc.js` or `redoc.standalone.js`", example = "redoc.js")),
    responses(
        (status = 200, description = "The file", content_type = "text/javascript", body = String, headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        NotModified, Problems,
    ),
)]
pub(crate) async fn redoc_file(
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
    match file.as_str() {
        "redoc.js" => {
            Ok(represent::unless_known(&headers, &SCRIPT_TAG, || respond::text(JAVASCRIPT, SCRIPT)))
        }
        "redoc.standalone.js" => Ok(represent::unless_known(&headers, &BUNDLE_TAG, || {
            respond::text(JAVASCRIPT, BUNDLE.clone())
        })),
        _ => Err(Problem::new(Code::NotFound, "the reference has no such file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_is_redoc_and_nothing_of_a_page() {
        let bundle = std::str::from_utf8(&BUNDLE).unwrap();
        assert!(bundle.len() > 500_000 && bundle.contains("Redoc"));
        assert!(bundle.starts_with("/*!") && bundle.ends_with(".js.map"));
        assert!(!bundle.contains("redoc-container"), "the page that the library makes of it");
    }

    #[test]
    fn the_page_asks_no_other_server() {
        for text in [PAGE, SCRIPT] {
            assert!(!text.contains("https://") && !text.contains("http://"), "{text}");
        }
    }
}
