//! `GET /`

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::problem::Problem;
use crate::query::no_params;
use crate::respond;

/// The welcome.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Welcome {
    /// The name of this installation.
    name: String,
    /// The version of the program.
    version: &'static str,
    /// What it is.
    description: &'static str,
    /// The label of this installation.
    environment: String,
    links: Links,
}

/// Where to go from here.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Links {
    data: &'static str,
    endpoints: &'static str,
    documentation: &'static str,
    openapi: &'static str,
    health: &'static str,
}

/// Says what this is and where to go from here.
#[utoipa::path(
    get, path = "/", tag = "Service",
    responses((status = 200, description = "The welcome", body = Enveloped<Welcome>), Problems),
)]
pub(crate) async fn welcome(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let links = Links {
        data: "/data",
        endpoints: "/api",
        documentation: "/docs",
        openapi: "/openapi.json",
        health: "/health",
    };
    Ok(respond::json(
        &context,
        Welcome {
            name: shared.settings.project_name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            description: "Crypto market data from many sources, with every digit as it was sent",
            environment: shared.settings.environment.clone(),
            links,
        },
    ))
}
