//! `GET /stream`

use std::convert::Infallible;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use futures_util::stream::unfold;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::access::Caller;
use crate::answer::{AppState, Streaming};
use crate::openapi::Problems;
use crate::problem::Problem;
use crate::respond;
use crate::stream::{self, Client};

#[cfg(test)]
pub(crate) use crate::stream::KNOWN;

/// The media type of Server-Sent Events.
pub(super) const EVENT_STREAM: &str = "text/event-stream";
/// Asks a proxy to hand every event on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Tells every change of `/data` as it happens.
///
/// The answer goes on for as long as the client listens: Server-Sent Events, as a browser's `EventSource`
/// reads them. `event: quote` brings a row of `/data` whenever what it shows changes. A new client is told
/// `event: hello` with the present generation first; what it reads from `/data` then is at least that new.
///
/// Whoever is cut off sends the last id that came as `Last-Event-ID`, to any process, and is told what it
/// missed. An id is a generation that its reader has seen whole, a dash, and a number that tells the changes
/// behind it apart; the changes of one swap of the read model end with an id without an event. So rows in
/// the middle of a swap may come twice, and none is lost. `event: reset` says that too much was missed: read
/// `/data` anew, at least at the generation that it names. Comments keep the connection alive.
#[utoipa::path(
    get, path = "/stream", tag = "Market data",
    params(
        ("symbol" = Option<String>, Query, description = "Only of these symbols, separated by commas, without regard to case"),
        ("source" = Option<String>, Query, description = "Only of these sources, separated by commas; older services' names of them are taken too"),
        ("asset_id" = Option<String>, Query, description = "Only of these assets, separated by commas"),
        ("last_event_id" = Option<String>, Query, description = "The same as the header `Last-Event-ID`, for clients that cannot set headers; the header counts where both are there"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last id that came, for example `17-3`"),
    ),
    responses(
        (status = 200, description = "The changes from now on, or from where the client was cut off", content_type = "text/event-stream", body = String),
        Problems,
    ),
)]
pub(crate) async fn stream(
    State(shared): AppState,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let client = stream::begin(&shared, query.as_deref(), &headers, &caller).await?;
    Ok(answer(client))
}

fn answer(client: Client) -> Response {
    let generation = client.generation();
    let pieces = unfold(client, |mut client| async move {
        let piece = client.next().await?;
        Some((Ok::<_, Infallible>(piece), client))
    });
    let mut response = respond::text(EVENT_STREAM, Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response.extensions_mut().insert(Streaming);
    respond::at_generation(response, generation)
}
