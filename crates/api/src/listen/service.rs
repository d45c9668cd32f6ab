//! One request: the hot path, the router, and what holds for both.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use axum::BoxError;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Body as HttpBody;
use hyper::service::Service;
use kasparro_domain::Scope;
use tower::ServiceExt as _;

use super::connection::Connection;
use super::host::well_addressed;
use super::in_flight::InFlight;
use super::request::{with_normal_path, within_limits};
use super::turn::{Beside, Taker};
use super::upload::Upload;
use crate::access::{Access, Area, Asked, authorise};
use crate::admission::{Admission, Visitor, admit, asks_database, overloaded};
use crate::answer::{Body, RequestContext, Streaming};
use crate::cors::Sharing;
use crate::data::Selection;
use crate::limits::Origin;
use crate::normal_path::normal_path;
use crate::problem::{Code, Problem};
use crate::represent::Encoding;
use crate::routes::MatchedRoute;
use crate::{Api, awaited, data, respond};

/// What ends a connection of HTTP/1 with its answer.
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// What comes with a request: over a connection, or from a test that needs none.
pub(crate) trait Sent:
    HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static
{
}

impl<B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static> Sent for B {}

/// Where the requests of one connection come in.
#[derive(Clone)]
pub(crate) struct Door {
    api: Arc<Api>,
    connection: Arc<Connection>,
    /// Who is at the other end of the connection.
    origin: Origin,
}

impl Door {
    pub(super) const fn new(api: Arc<Api>, connection: Arc<Connection>, origin: Origin) -> Self {
        Self { api, connection, origin }
    }
}

impl<B: Sent> Service<Request<B>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<B>) -> Answering {
        // Where a body in pieces ends is for the parser alone to say; so nothing may come after it.
        let last = request.headers().contains_key(TRANSFER_ENCODING);
        // A connection of HTTP/2 is told as a whole.
        let ending = self.api.shared.draining.load(Ordering::Relaxed);
        let last = last || (ending && request.version() != Version::HTTP_2);
        let answering = self.let_in(request);
        if !last {
            return answering;
        }
        Answering::Routed(Box::pin(async move {
            let Ok(mut response) = answering.await;
            response.headers_mut().insert(CONNECTION, CLOSE);
            response
        }))
    }
}

impl Door {
    /// Answers a request, or says why not.
    fn let_in<B: Sent>(&self, request: Request<B>) -> Answering {
        let in_flight = self.connection.begin();
        let shared = &self.api.shared;
        let mut context = RequestContext::new(
            request.headers().get(respond::X_REQUEST_ID),
            shared.clock.as_ref(),
        )
        .shared_with(Sharing::of(request.headers(), &shared.settings.cors_origins));
        match admit(shared, &self.origin, in_flight.room(), &request, &mut context) {
            Admission::In(visitor) => answer(&self.api, request, visitor, context, in_flight),
            Admission::Out(problem) => {
                refuse(&self.api, &problem, request.method(), &context, in_flight)
            }
            Admission::Asking(asking) => {
                let api = Arc::clone(&self.api);
                Answering::Routed(Box::pin(async move {
                    let answering = match asking.decided(&api.shared, &mut context).await {
                        Ok(visitor) => answer(&api, request, visitor, context, in_flight),
                        Err(problem) => {
                            refuse(&api, &problem, request.method(), &context, in_flight)
                        }
                    };
                    let Ok(response) = answering.await;
                    response
                }))
            }
        }
    }
}

/// Answers a request that is let in.
fn answer<B: Sent>(
    api: &Arc<Api>,
    mut request: Request<B>,
    visitor: Visitor,
    context: RequestContext,
    in_flight: InFlight,
) -> Answering {
    let shared = &api.shared;
    if let Err(problem) = within_limits(&request).and_then(|()| well_addressed(&request)) {
        return refuse(api, &problem, request.method(), &context, in_flight);
    }
    // Before the first load the database may have to be asked why there is nothing.
    if api.hot
        && shared.view.loaded()
        && *request.method() == Method::GET
        && normal_path(request.uri().path()) == "/data"
        && let Some(wanted) = Encoding::wanted(request.headers())
        && wanted != Encoding::Brotli
    {
        let area = Access::Open(Area::Data);
        let told = Asked::of(&context, request.uri());
        let allowed = authorise(shared, visitor, request.headers(), area, told);
        let asked = allowed.and_then(|_| awaited::asked(request.headers()));
        return match asked {
            Ok(Some(generation)) if !awaited::shown(&shared.view, generation) => {
                let api = Arc::clone(api);
                Answering::Routed(Box::pin(async move {
                    let waited = awaited::wait(&api.shared.view, generation).await;
                    answer_data(&api, waited, &request, wanted, &context)
                        .map(|body| body.holding(in_flight))
                }))
            }
            asked => {
                let response = answer_data(api, asked.map(drop), &request, wanted, &context);
                Answering::ready(response, in_flight)
            }
        };
    }
    let operates = visitor.key.as_ref().is_some_and(|key| key.kept.scope >= Scope::Operate);
    let taker = Taker { client: visitor.client, reserved: operates };
    request.extensions_mut().insert(visitor);
    let mut in_flight = in_flight;
    let request = if asks_database(normal_path(request.uri().path())) {
        // All of them share one question, so that only the places of others would be in the way.
        let turn = in_flight.beside(Beside::Check, taker);
        if let Err(crowded_out) = turn.wait() {
            let told = Asked::of(&context, request.uri());
            let problem = overloaded(shared, told, crowded_out.why());
            return refuse(api, &problem, request.method(), &context, in_flight);
        }
        request.map(axum::body::Body::new)
    } else if request.body().is_end_stream() {
        request.map(axum::body::Body::new)
    } else {
        let turn = in_flight.beside(Beside::Body, taker);
        request.map(|body| axum::body::Body::new(Upload::new(body, turn)))
    };
    let api = Arc::clone(api);
    Answering::Routed(Box::pin(async move {
        let response = route(&api, request, &context, &mut in_flight).await;
        response.map(|body| body.holding(in_flight))
    }))
}

/// Says why a request is not answered.
fn refuse(
    api: &Api,
    problem: &Problem,
    method: &Method,
    context: &RequestContext,
    in_flight: InFlight,
) -> Answering {
    let response = respond::refusal(problem, context, method);
    record(api, "other", method, &response, context);
    Answering::ready(response, in_flight)
}

/// An answer that is there, or one that is still being made: by the router, or for want of a generation.
#[expect(clippy::large_enum_variant, reason = "an answer that is there is not worth an allocation")]
pub(crate) enum Answering {
    Ready(Option<Response<Body>>),
    Routed(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Answering {
    fn ready(response: Response<Body>, in_flight: InFlight) -> Self {
        Self::Ready(Some(response.map(|body| body.holding(in_flight))))
    }
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Ready(response) => {
                response.take().map_or(Poll::Pending, |it| Poll::Ready(Ok(it)))
            }
            Self::Routed(answering) => answering.as_mut().poll(cx).map(Ok),
        }
    }
}

/// Answers `GET /data` without the router, unless the request was refused before.
fn answer_data<B>(
    api: &Api,
    accepted: Result<(), Problem>,
    request: &Request<B>,
    wanted: Encoding,
    context: &RequestContext,
) -> Response<Body> {
    let shared = &api.shared;
    // Nothing is left half-changed by a panic: the read model is immutable, and a cached page is put
    // in whole.
    let answered = catch_unwind(AssertUnwindSafe(|| {
        let (uri, headers) = (request.uri(), request.headers());
        accepted.and_then(|()| {
            let answered = data::answer(shared, Selection::Data, uri, headers)?;
            Ok(respond::page(shared, answered, uri, headers, Some(wanted), context))
        })
    }));
    match answered.unwrap_or_else(|_| Err(panicked())) {
        Ok((mut response, generation)) => {
            respond::tell_encoding(response.headers_mut(), context);
            respond::add_headers(response.headers_mut(), context, Some(generation));
            if response.status() == StatusCode::OK {
                shared.metrics.record_data_ok(context.elapsed_seconds());
                shared.journal.answered("/data", &Method::GET, StatusCode::OK, context);
            } else {
                record(api, "/data", &Method::GET, &response, context);
            }
            response
        }
        Err(problem) => {
            let response = respond::problem(&problem, context);
            record(api, "/data", &Method::GET, &response, context);
            response
        }
    }
}

/// Answers a request through the router.
async fn route(
    api: &Api,
    request: Request<axum::body::Body>,
    context: &RequestContext,
    in_flight: &mut InFlight,
) -> Response<Body> {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let version = request.version();
    let mut request = with_normal_path(request);
    request.extensions_mut().insert(context.clone());
    let routing = AssertUnwindSafe(api.router.clone().oneshot(request)).catch_unwind();
    let limit = api.shared.settings.request_timeout;
    let routed = tokio::time::timeout(limit, routing).await;
    let problem = match (routed, in_flight.crowded_out()) {
        (Ok(Ok(Ok(_))), Some(why)) => overloaded(&api.shared, Asked::of(context, &uri), why),
        (Ok(Ok(Ok(mut routed))), None) => {
            let matched = routed.extensions_mut().remove::<MatchedRoute>();
            if routed.extensions_mut().remove::<Streaming>().is_some() {
                in_flight.goes_on();
            }
            let loading = routed.extensions().get::<Problem>();
            if loading.is_some_and(|problem| problem.code == Code::Loading)
                && !api.shared.database_answers().await
            {
                routed.extensions_mut().insert(Problem::never_loaded());
            }
            let response = respond::routed(routed, context, &method);
            let route = matched.as_ref().map_or("other", |route| &*route.0);
            record(api, route, &method, &response, context);
            return response;
        }
        (Ok(Ok(Err(never))), _) => match never {},
        (Ok(Err(_)), _) => panicked(),
        (Err(_), _) if in_flight.waits_for_body() => {
            Problem::new(Code::BodyTimeout, "the body did not come in time")
        }
        (Err(_), _) => Problem::new(Code::RequestTimeout, "the request was given up"),
    };
    let mut response = respond::problem(&problem, context);
    if problem.code == Code::BodyTimeout && version != Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, CLOSE);
    }
    record(api, "other", &method, &response, context);
    response
}

fn panicked() -> Problem {
    // The panic hook has logged where.
    Problem::new(Code::Internal, "the request could not be answered")
}

fn record(
    api: &Api,
    route: &str,
    method: &Method,
    response: &Response<Body>,
    context: &RequestContext,
) {
    api.shared.metrics.record(route, method, response.status(), context.elapsed_seconds());
    api.shared.journal.answered(route, method, response.status(), context);
}
