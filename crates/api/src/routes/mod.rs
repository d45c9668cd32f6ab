//! The operations, one file each. A route and its description are registered together.

mod anomalies;
mod asset;
mod asset_details;
mod asset_identity;
mod asset_reason;
mod assets;
mod compare_runs;
mod data;
mod docs;
mod drift;
mod endpoints;
mod health;
mod history;
mod listing;
mod listings;
mod livez;
mod metrics;
mod moved;
mod news;
mod openapi_json;
mod params;
mod problems;
mod quarantine;
mod quarantine_pages;
mod readyz;
mod rss_feed;
mod run;
mod run_body;
mod runs;
mod sources;
mod stats;
mod welcome;

#[cfg(test)]
pub(crate) use {
    anomalies::KNOWN as ANOMALIES_KNOWN, assets::KNOWN as ASSETS_KNOWN,
    compare_runs::KNOWN as COMPARE_RUNS_KNOWN, drift::KNOWN as DRIFT_KNOWN,
    news::KNOWN as NEWS_KNOWN, quarantine::KNOWN as QUARANTINE_KNOWN,
    quarantine_pages::KNOWN as QUARANTINE_PAGES_KNOWN, rss_feed::KNOWN as RSS_FEED_KNOWN,
    runs::KNOWN as RUNS_KNOWN,
};

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::AppState;
use crate::problem::{Code, Problem};
use crate::{Shared, awaited};

/// Every operation with its description.
pub(crate) fn router() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(crate::openapi::frame())
        .routes(routes!(welcome::welcome))
        .routes(routes!(endpoints::endpoints))
        .routes(routes!(data::data))
        .routes(routes!(listings::csv_data))
        .routes(routes!(listings::listings))
        .routes(routes!(listing::listing))
        .routes(routes!(history::listing_history))
        .routes(routes!(assets::assets))
        .routes(routes!(asset::asset))
        .routes(routes!(history::asset_history))
        .routes(routes!(asset_identity::identity))
        .routes(routes!(news::news))
        .routes(routes!(rss_feed::rss_feed))
        .routes(routes!(sources::sources))
        .routes(routes!(stats::stats))
        .routes(routes!(runs::runs))
        .routes(routes!(run::run))
        .routes(routes!(compare_runs::compare, compare_runs::compare_posted))
        .routes(routes!(quarantine::quarantine))
        .routes(routes!(quarantine_pages::quarantine_pages))
        .routes(routes!(quarantine::quarantined))
        .routes(routes!(drift::drift))
        .routes(routes!(drift::one_drift))
        .routes(routes!(anomalies::anomalies))
        .routes(routes!(livez::livez))
        .routes(routes!(readyz::readyz))
        .routes(routes!(health::health))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi_json::openapi_json))
        .routes(routes!(docs::docs))
        .routes(routes!(problems::problems))
        .routes(routes!(docs::docs_file))
}

/// What is served: every operation, and answers where there is none.
pub(crate) fn served(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    let (router, _) = router().split_for_parts();
    router
        .route_layer(from_fn_with_state(Arc::clone(shared), await_generation))
        .route_layer(from_fn(note_route))
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
}

/// The pattern of the path that was matched, for the metrics.
#[derive(Debug, Clone)]
pub(crate) struct MatchedRoute(pub(crate) Arc<str>);

async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| Arc::from(path.as_str()));
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(MatchedRoute(route));
    }
    response
}

/// Lets a request that names a generation wait for it.
async fn await_generation(
    State(shared): AppState,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let path = request.extensions().get::<MatchedPath>();
    if path.is_some_and(|path| awaited::taken_by(path.as_str()))
        && let Some(generation) = awaited::asked(request.headers())?
    {
        awaited::wait(&shared.view, generation).await?;
    }
    Ok(next.run(request).await)
}

async fn nothing_here() -> Problem {
    Problem::new(Code::NotFound, "no operation has this path")
}

/// The header `Allow` is added by the router.
async fn other_method(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    Problem::new(Code::MethodNotAllowed, "this path does not take the method").into_response()
}
