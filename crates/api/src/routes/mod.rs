//! The operations, one file each. A route and its description are registered together.

pub(crate) mod anomalies;
mod asset;
mod asset_decisions;
mod asset_details;
mod asset_identity;
mod asset_pairs;
mod asset_reason;
mod assets;
mod change_params;
mod command;
pub(crate) mod compare_runs;
mod data;
mod decide_assets;
mod decide_drift;
mod decide_rows;
mod docs;
mod drift;
mod endpoints;
mod health;
mod history;
pub(crate) mod key_body;
mod keys;
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
mod redoc;
pub(crate) mod registry;
mod relate_assets;
pub(crate) mod rss_feed;
mod run;
mod run_body;
mod runs;
mod sources;
mod stats;
mod stream;
mod trigger;
mod welcome;

#[cfg(test)]
pub(crate) use {
    anomalies::KNOWN as ANOMALIES_KNOWN, assets::KNOWN as ASSETS_KNOWN,
    compare_runs::KNOWN as COMPARE_RUNS_KNOWN, drift::KNOWN as DRIFT_KNOWN,
    news::KNOWN as NEWS_KNOWN, quarantine::KNOWN as QUARANTINE_KNOWN,
    quarantine_pages::KNOWN as QUARANTINE_PAGES_KNOWN, rss_feed::KNOWN as RSS_FEED_KNOWN,
    runs::KNOWN as RUNS_KNOWN, stream::KNOWN as STREAM_KNOWN,
};

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_request};
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_ENCODING, ALLOW};
use http::{HeaderValue, Method, StatusCode};
use kasparro_domain::Scope;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, NotForContentType, Predicate as _, SizeAbove};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{self, Access, Area, Asked, Journal, Named, Operation};
use crate::admission::Visitor;
use crate::answer::AppState;
use crate::problem::{Code, Problem};
use crate::represent::Encoding;
use crate::{Shared, awaited, respond};
use registry::Registry;

/// Every operation with its description, and who may ask for it.
fn registry() -> Registry {
    use Access::{Needs, Open};
    use Area::*;
    use Scope::{Admin, Operate, Read};

    Registry::new(crate::openapi::frame())
        .routes(Open(Welcome), routes!(welcome::welcome))
        .routes(Open(Welcome), routes!(endpoints::endpoints))
        .routes(Open(Data), routes!(data::data))
        .routes(Open(CsvData), routes!(listings::csv_data))
        .routes(Open(Listings), routes!(listings::listings))
        .routes(Open(Listings), routes!(listing::listing))
        .routes(Open(Listings), routes!(history::listing_history))
        .routes(Open(Assets), routes!(assets::assets))
        .routes(Open(Assets), routes!(asset::asset))
        .routes(Open(Assets), routes!(history::asset_history))
        .routes(Open(Assets), routes!(asset_identity::identity))
        .routes(Open(Stream), routes!(stream::stream))
        .routes(Open(News), routes!(news::news))
        .routes(Open(RssFeed), routes!(rss_feed::rss_feed))
        .routes(Needs(Read), routes!(sources::sources))
        .routes(Open(Stats), routes!(stats::stats))
        .routes(Needs(Read), routes!(runs::runs))
        .routes(Needs(Read), routes!(run::run))
        .routes(Needs(Read), routes!(compare_runs::compare, compare_runs::compare_posted))
        .routes(Needs(Read), routes!(quarantine::quarantine))
        .routes(Needs(Read), routes!(quarantine_pages::quarantine_pages))
        .routes(Needs(Read), routes!(quarantine::quarantined))
        .routes(Needs(Read), routes!(drift::drift))
        .routes(Needs(Read), routes!(drift::one_drift))
        .routes(Needs(Read), routes!(anomalies::anomalies))
        .routes(Needs(Operate), routes!(trigger::trigger, trigger::trigger_posted))
        .routes(Needs(Operate), routes!(trigger::start_run))
        .routes(Needs(Operate), routes!(decide_rows::retry))
        .routes(Needs(Operate), routes!(decide_rows::discard))
        .routes(Needs(Operate), routes!(decide_rows::retry_page))
        .routes(Needs(Operate), routes!(decide_drift::accept))
        .routes(Needs(Operate), routes!(command::command))
        .routes(Needs(Admin), routes!(decide_assets::link))
        .routes(Needs(Admin), routes!(decide_assets::unlink))
        .routes(Needs(Admin), routes!(decide_assets::merge))
        .routes(Needs(Admin), routes!(decide_assets::split))
        .routes(Needs(Admin), routes!(relate_assets::relate))
        .routes(Needs(Admin), routes!(relate_assets::unrelate))
        .routes(Needs(Admin), routes!(decide_assets::withdraw))
        .routes(Needs(Admin), routes!(keys::keys, keys::create))
        .routes(Needs(Admin), routes!(keys::revoke))
        .routes(Needs(Admin), routes!(keys::rotate))
        .routes(Open(Health), routes!(livez::livez))
        .routes(Open(Health), routes!(readyz::readyz))
        .routes(Open(Health), routes!(health::health))
        .routes(Open(Metrics), routes!(metrics::metrics))
        .routes(Open(Docs), routes!(openapi_json::openapi_json))
        .routes(Open(Docs), routes!(docs::docs))
        .routes(Open(Docs), routes!(problems::problems))
        .routes(Open(Docs), routes!(docs::docs_file))
        .routes(Open(Docs), routes!(redoc::redoc))
        .routes(Open(Docs), routes!(redoc::redoc_file))
}

/// Every operation with its description.
pub(crate) fn router() -> OpenApiRouter<Arc<Shared>> {
    registry().finish().0
}

/// Every operation with who may ask for it, in the order in which they are registered.
pub(crate) fn operations() -> Vec<Operation> {
    registry().finish().1
}

/// What is served: every operation, and answers where there is none.
pub(crate) fn served(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    let (router, _) = router().split_for_parts();
    router
        .route_layer(from_fn_with_state(Arc::clone(shared), await_generation))
        .route_layer(from_fn_with_state(Arc::clone(shared), let_in))
        .route_layer(from_fn(note_route))
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer(compression())
        .layer(map_request(with_some_encoding))
}

/// Compresses what is large enough and not compressed yet, fast: it is done anew for each request. Events
/// would be held back until enough of them came together.
pub(crate) fn compression() -> CompressionLayer<And<SizeAbove, NotForContentType>> {
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(
        SizeAbove::new(respond::ENCODED_FROM_BYTES)
            .and(NotForContentType::const_new(stream::EVENT_STREAM)),
    )
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

/// Lets only those in who may ask, and says to the operation who asks.
async fn let_in(
    State(shared): AppState,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let visitor = request.extensions_mut().remove::<Visitor>().unwrap_or_else(Visitor::nobody);
    let path = request.extensions().get::<MatchedPath>().cloned();
    // Where there is none, the router answers that the path does not take the method.
    let operation = path.as_ref().map_or("", MatchedPath::as_str);
    let Some(access) = access::of_operation(operation, request.method()) else {
        return Ok(next.run(request).await);
    };
    let asked = Asked::within(&request);
    let caller = access::authorise(&shared, visitor, request.headers(), access, asked)?;
    let changes = matches!(access, Access::Needs(Scope::Operate | Scope::Admin));
    let told = changes.then(|| (caller.clone(), request.method().clone(), asked.kept()));
    request.extensions_mut().insert(caller);
    let response = next.run(request).await;
    if let Some((caller, method, asked)) = told
        && response.status().is_success()
        && (method == Method::POST || path.is_some_and(|path| path.as_str() == trigger::PATH))
    {
        Journal::changed(asked.borrowed(), Named::of(caller.key.as_deref()), &method);
    }
    Ok(response)
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

/// Leaves out what a client says of encodings where it takes none at all, not even none. The layer would turn the
/// answer into a refusal, whatever was done meanwhile; a client is better served by a body as it is.
async fn with_some_encoding(mut request: Request) -> Request {
    if Encoding::wanted(request.headers()).is_none() {
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
    request
}

/// Answers a method that no operation of a path has. The router itself would count HEAD in wherever there is GET,
/// and leave out OPTIONS.
async fn other_method(method: Method, path: Option<MatchedPath>) -> Response {
    let mut response = if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        Problem::new(Code::MethodNotAllowed, "this path does not take the method").into_response()
    };
    if let Some(path) = path {
        response.headers_mut().insert(ALLOW, allowed(path.as_str()));
        response.extensions_mut().insert(MatchedRoute(Arc::from(path.as_str())));
    }
    response
}

/// The methods of a path as it is registered.
fn allowed(path: &str) -> HeaderValue {
    if path == trigger::PATH {
        return trigger::ALLOWED;
    }
    let of_path = access::operations().iter().filter(|operation| operation.path == path);
    let methods = of_path.flat_map(|operation| match operation.method {
        "GET" => &["GET", "HEAD"][..],
        _ => &["POST"],
    });
    let methods: Vec<_> = methods.copied().chain(["OPTIONS"]).collect();
    HeaderValue::try_from(methods.join(",")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}
