//! The upstream over HTTP: numbering, keys, validators, and bodies that are written while they are sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::{get, post, put};
use bytes::Bytes;
use futures_util::Stream;
use sha2::{Digest, Sha256};

use crate::answer::{Answer, Ask, Content, Rows, Validator};
use crate::ledger::{Head, Recorder};
use crate::requests::RequestLine;
use crate::text::{hex, http_date};
use crate::world::World;
use crate::{Simulator, coingecko, coinpaprika, control, csv, feed};

/// Headers in which the vendors take keys.
const KEY_HEADERS: [&str; 3] = ["authorization", "x-cg-demo-api-key", "x-cg-pro-api-key"];

/// The size at which a piece of a body is handed over.
const PIECE_BYTES: usize = 64 * 1024;

pub(crate) fn router(simulator: &Arc<Simulator>) -> Router {
    Router::new()
        .route("/_sim/step", post(control::step))
        .route("/_sim/ledger", get(control::ledger))
        .route("/_sim/requests", get(control::requests))
        .route("/_sim/faults", put(control::faults))
        .fallback(upstream)
        .with_state(Arc::clone(simulator))
}

/// The generated answer; recorded ones can take its place, path by path.
fn generate(world: &Arc<World>, ask: &Ask) -> Answer {
    let below = |root: &str| ask.path.starts_with(root);
    if below("/v1/") {
        coinpaprika::answer(world, ask)
    } else if below("/api/v3/") {
        coingecko::answer(world, ask)
    } else if below("/csv/") {
        csv::answer(world, ask)
    } else if below("/feed/") {
        feed::answer(world, ask)
    } else {
        Answer::error(
            StatusCode::NOT_FOUND,
            "application/json",
            "not found: the simulator serves /v1, /api/v3, /csv and /feed, and is moved by /_sim",
        )
    }
}

async fn upstream(State(simulator): State<Arc<Simulator>>, request: Request) -> Response {
    let (method, uri) = (request.method(), request.uri());
    let head_only = method == Method::HEAD;
    let query = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs);
    let shown_query = without_secrets(uri, query.as_deref().ok());
    let query = query.unwrap_or_default();
    let step = simulator.current_step();
    let ask = Ask { path: uri.path().to_owned(), query, step };
    let key_id = key_id(request.headers(), &ask.query);

    let answer = if method == Method::GET || head_only {
        let world = Arc::clone(&simulator.world);
        let ask = ask.clone();
        tokio::task::spawn_blocking(move || generate(&world, &ask)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "an answer could not be generated");
            Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "application/json", "simulator failed")
        })
    } else {
        Answer::error(StatusCode::METHOD_NOT_ALLOWED, "application/json", "method not allowed")
    };

    let at = simulator.world.now(step);
    let etag = (answer.validator == Validator::WeakEtag)
        .then(|| weak_etag(&simulator.world, step, &ask.path, &shown_query));
    let unchanged = etag.as_deref().is_some_and(|etag| matches(request.headers(), etag));
    let status = if unchanged { StatusCode::NOT_MODIFIED } else { answer.status };
    let number = simulator.requests.record(RequestLine {
        request: 0,
        at,
        method: method.to_string(),
        path: ask.path.clone(),
        query: shown_query.clone(),
        status: status.as_u16(),
        key_id: key_id.clone(),
    });

    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding, Origin"));
    if let Some(policy) = answer.cache_control {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(policy));
    }
    if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
        headers.insert(header::ETAG, etag);
    }
    if answer.validator == Validator::LastModified
        && let Ok(date) = HeaderValue::from_str(&http_date(at.as_millis()))
    {
        headers.insert(header::LAST_MODIFIED, date);
    }
    if head_only || unchanged {
        return response;
    }
    *response.body_mut() = match answer.content {
        Content::Text(text) => Body::from(text),
        Content::Rows(rows) => {
            let head = Head {
                request: number,
                at,
                path: ask.path,
                query: shown_query,
                status: status.as_u16(),
                completed: false,
                key_id,
            };
            let recorder = Recorder::new(Arc::clone(&simulator.ledger), head);
            Body::from_stream(RowStream {
                rows,
                recorder,
                state: Position::Start,
                external_id: String::new(),
            })
        }
    };
    response
}

/// The query string with the values of all parameters that can hold a secret taken out.
fn without_secrets(uri: &Uri, pairs: Option<&[(String, String)]>) -> String {
    let Some(raw) = uri.query() else {
        return String::new();
    };
    let parts: Vec<&str> = raw.split('&').filter(|part| !part.is_empty()).collect();
    match pairs {
        Some(pairs) if pairs.len() == parts.len() => {
            let shown = parts.iter().zip(pairs).map(|(part, (name, _))| {
                if secret(name) { format!("{name}=***") } else { (*part).to_owned() }
            });
            shown.collect::<Vec<_>>().join("&")
        }
        _ => "***".to_owned(),
    }
}

/// Whether a parameter can hold a secret, judged by its decoded name.
fn secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["key", "token", "secret", "auth", "password"].iter().any(|word| name.contains(word))
}

/// A short name for the key that was sent, from which the key cannot be read.
fn key_id(headers: &HeaderMap, query: &[(String, String)]) -> Option<String> {
    let sent = KEY_HEADERS.iter().find_map(|name| headers.get(*name)).map(HeaderValue::as_bytes);
    let in_query =
        || query.iter().find(|(name, _)| secret(name)).map(|(_, value)| value.as_bytes());
    let key = sent.or_else(in_query)?;
    let digest =
        Sha256::new().chain_update("kasparro simulator key id\0").chain_update(key).finalize();
    digest.get(..6).map(hex)
}

/// A validator of everything that decides a body.
fn weak_etag(world: &World, step: u64, path: &str, query: &str) -> String {
    let digest = Sha256::digest(format!("{}\0{step}\0{path}\0{query}", world.fingerprint()));
    format!("W/\"{}\"", hex(digest.get(..16).unwrap_or_default()))
}

fn matches(headers: &HeaderMap, etag: &str) -> bool {
    let sent =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).any(|value| {
        let value = value.trim();
        value == "*" || value.trim_start_matches("W/") == etag.trim_start_matches("W/")
    })
}

/// A body that is written piece by piece as fast as the client reads.
struct RowStream {
    rows: Rows,
    recorder: Recorder,
    state: Position,
    external_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Start,
    First,
    Later,
    End,
}

impl RowStream {
    fn next_piece(&mut self) -> Option<Bytes> {
        let mut out = Vec::with_capacity(PIECE_BYTES + 4096);
        if self.state == Position::Start {
            out.append(&mut self.rows.prefix);
            self.state = Position::First;
        }
        while self.state != Position::End && out.len() < PIECE_BYTES {
            let Some(subject) = self.rows.subjects.next() else {
                out.extend_from_slice(self.rows.suffix.as_bytes());
                self.state = Position::End;
                break;
            };
            let between =
                if self.state == Position::First { self.rows.lead } else { self.rows.separator };
            self.state = Position::Later;
            out.extend_from_slice(between.as_bytes());
            let start = out.len();
            self.external_id.clear();
            (self.rows.write)(subject, &mut out, &mut self.external_id);
            self.recorder.row(&self.external_id, out.get(start..).unwrap_or_default());
        }
        if out.is_empty() {
            self.recorder.complete();
            return None;
        }
        Some(Bytes::from(out))
    }
}

impl Stream for RowStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.get_mut().next_piece().map(Ok))
    }
}
