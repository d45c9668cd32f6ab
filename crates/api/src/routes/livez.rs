//! `GET /livez`

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::respond;

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alive {
    /// Always `alive`.
    status: &'static str,
}

/// Says that the process answers; touches nothing.
#[utoipa::path(
    get, path = "/livez", tag = "Operations",
    responses((status = 200, description = "The process answers", body = Enveloped<Alive>), Problems),
)]
pub(crate) async fn livez(context: RequestContext) -> Response {
    respond::json(&context, Alive { status: "alive" })
}
