//! `GET /openapi.json`

use std::sync::LazyLock;

use axum::response::Response;

use crate::openapi::{self, Problems};
use crate::respond;

static DOCUMENT: LazyLock<String> = LazyLock::new(openapi::openapi_json);

/// Describes this API in OpenAPI.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Service",
    responses((status = 200, description = "The OpenAPI document", content_type = "application/json", body = Object), Problems),
)]
pub(crate) async fn openapi_json() -> Response {
    respond::text("application/json", DOCUMENT.as_str())
}
