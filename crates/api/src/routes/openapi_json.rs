//! `GET /openapi.json`

use std::sync::LazyLock;

use axum::response::Response;
use http::HeaderMap;

use crate::openapi::{self, Problems};
use crate::represent::{self, NotModified, Tag};
use crate::respond;

static DOCUMENT: LazyLock<String> = LazyLock::new(openapi::openapi_json);
static TAG: LazyLock<Tag> = LazyLock::new(|| Tag::of_bytes(DOCUMENT.as_bytes()));

/// Describes this API in OpenAPI.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Service",
    responses(
        (status = 200, description = "The OpenAPI document", content_type = "application/json", body = Object, headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        NotModified, Problems,
    ),
)]
pub(crate) async fn openapi_json(headers: HeaderMap) -> Response {
    represent::unless_known(&headers, &TAG, || respond::text("application/json", DOCUMENT.as_str()))
}
