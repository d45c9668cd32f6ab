//! `GET /docs` and `GET /docs/{file}`: Swagger UI from this binary, without any other server.

use std::sync::{Arc, LazyLock};

use axum::body::Body as RoutedBody;
use axum::extract::{OriginalUri, Path};
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use crate::openapi::Problems;
use crate::problem::{Code, Problem};
use crate::represent::{self, NotModified, Tag};
use crate::respond;

const PAGE: &str = include_str!("../assets/docs.html");
const SCRIPT: &str = include_str!("../assets/docs.js");
static SCRIPT_TAG: LazyLock<Tag> = LazyLock::new(|| Tag::of_bytes(SCRIPT.as_bytes()));
/// Scripts, styles and requests of this server only; Swagger UI writes style attributes and shows
/// pictures that it brings along as data.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);

/// Shows the API for trying it out in a browser.
#[utoipa::path(
    get, path = "/docs", tag = "Service",
    responses((status = 200, description = "A page for people", content_type = "text/html", body = String), Problems),
)]
pub(crate) async fn docs(OriginalUri(uri): OriginalUri) -> Response {
    // References are relative, so that the page also works behind a proxy that adds a prefix.
    let (files, root) = if uri.path().ends_with('/') { ("", "../") } else { ("docs/", "") };
    let page = PAGE.replace("{files}", files).replace("{root}", root);
    let mut response = respond::text("text/html; charset=utf-8", page);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
    response
}

/// Brings a file of the documentation page.
#[utoipa::path(
    get, path = "/docs/{file}", tag = "Service",
    params(("file" = String, Path, description = "`docs.js`, `swagger-ui-bundle.js` or `swagger-ui.css`")),
    responses(
        (status = 200, description = "The file", content_type = "text/javascript", body = String, headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        NotModified, Problems,
    ),
)]
pub(crate) async fn docs_file(
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match file.as_str() {
        "docs.js" => Ok(represent::unless_known(&headers, &SCRIPT_TAG, || {
            respond::text("text/javascript; charset=utf-8", SCRIPT)
        })),
        "swagger-ui-bundle.js" | "swagger-ui.css" => vendored(&file, &headers),
        _ => Err(Problem::new(Code::NotFound, "the documentation has no such file")),
    }
}

/// A file of Swagger UI in memory that all answers share: they may be read slowly, and by many.
struct Vendored {
    name: &'static str,
    content_type: HeaderValue,
    bytes: Bytes,
    tag: Tag,
}

static VENDORED: LazyLock<Vec<Vendored>> = LazyLock::new(|| {
    let read = |name: &'static str| {
        let config = Arc::new(utoipa_swagger_ui::Config::new([""; 0]));
        let file = utoipa_swagger_ui::serve(name, config).ok().flatten()?;
        let content_type = HeaderValue::from_str(&file.content_type)
            .unwrap_or(HeaderValue::from_static("application/octet-stream"));
        let bytes = Bytes::from(file.bytes.into_owned());
        Some(Vendored { name, content_type, tag: Tag::of_bytes(&bytes), bytes })
    };
    ["swagger-ui-bundle.js", "swagger-ui.css"].into_iter().filter_map(read).collect()
});

fn vendored(name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let file = VENDORED.iter().find(|file| file.name == name).ok_or_else(|| {
        Problem::new(Code::NotFound, "the documentation was built without this file")
    })?;
    Ok(represent::unless_known(headers, &file.tag, || {
        let mut response = Response::new(RoutedBody::from(file.bytes.clone()));
        response.headers_mut().insert(CONTENT_TYPE, file.content_type.clone());
        response
    }))
}
