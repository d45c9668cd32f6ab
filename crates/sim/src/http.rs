//! The upstream over HTTP: numbering, keys, validators, and bodies that are written while they are sent.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};

use crate::answer::{Answer, Ask, Content, Rows, Validator};
use crate::body::RowStream;
use crate::conditional::{unchanged, weak_etag};
use crate::connection::Connection;
use crate::faults::Effect;
use crate::ledger::{Head, Recorder};
use crate::limits::Asked;
use crate::replay::{self, Capture, Replayed};
use crate::requests::RequestLine;
use crate::secrets::{key_id, key_kind, without_secrets};
use crate::text::http_date;
use crate::whole::Whole;
use crate::world::World;
use crate::{Simulator, control, vendors};

pub(crate) fn router(simulator: &Arc<Simulator>) -> Router {
    Router::new()
        .route("/_sim/step", post(control::step))
        .route("/_sim/ledger", get(control::ledger))
        .route("/_sim/requests", get(control::requests))
        .route("/_sim/faults", get(control::faults).put(control::put_faults))
        .route("/_sim/limits", get(control::limits).put(control::put_limits))
        .fallback(upstream)
        .with_state(Arc::clone(simulator))
}

/// An answer as HTTP has it, its body still unwritten.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Whether `If-Modified-Since` is read.
    pub(crate) by_date: bool,
    pub(crate) body: ReplyBody,
}

pub(crate) enum ReplyBody {
    /// A short body without rows.
    Text(Vec<u8>),
    /// Generated rows.
    Rows(Rows),
    /// A file.
    Capture(Arc<Capture>),
    /// What a fault made of an answer.
    Whole { whole: Whole, then_break_off: bool },
}

impl ReplyBody {
    /// The body in memory, at least its first `enough` bytes.
    fn into_whole(self, enough: usize) -> io::Result<Whole> {
        Ok(match self {
            Self::Text(text) => Whole::text(text),
            Self::Rows(rows) => Whole::generated(rows, enough),
            Self::Capture(capture) => replay::whole(&capture, enough)?,
            Self::Whole { whole, .. } => whole,
        })
    }
}

impl Reply {
    /// A generated answer with the headers that its vendor sends.
    pub(crate) fn generated(world: &World, ask: &Ask, shown_query: &str, answer: Answer) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding, Origin"));
        if let Some(policy) = answer.cache_control {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(policy));
        }
        let (state, changed_ms) = match answer.validator {
            Validator::WeakEtag => (Some(ask.step), None),
            Validator::LastModified => (None, Some(world.now_ms(ask.step))),
            Validator::Both { version, changed_ms } => (Some(version), Some(changed_ms)),
            Validator::None => (None, None),
        };
        let etag = state.map(|state| weak_etag(world, state, &ask.path, shown_query));
        for (name, text) in
            [(header::ETAG, etag), (header::LAST_MODIFIED, changed_ms.map(http_date))]
        {
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
                headers.insert(name, value);
            }
        }
        let body = match answer.content {
            Content::Text(text) => ReplyBody::Text(text),
            Content::Rows(rows) => ReplyBody::Rows(rows),
        };
        let by_date = matches!(answer.validator, Validator::Both { .. });
        Self { status: answer.status, headers, by_date, body }
    }

    /// The answer as a fault that needs it leaves it.
    fn spoilt(mut self, fault: &Effect) -> io::Result<Self> {
        self.body = match fault {
            Effect::Truncate(bytes) => {
                let whole = self.body.into_whole(*bytes)?.truncated(*bytes);
                ReplyBody::Whole { whole, then_break_off: true }
            }
            Effect::Replace { find, with } => {
                self.forget_validators();
                let whole = self.body.into_whole(usize::MAX)?.replaced(find, with);
                ReplyBody::Whole { whole, then_break_off: false }
            }
            Effect::Drift(drift) => {
                self.forget_validators();
                let kind = self.headers.get(header::CONTENT_TYPE);
                let is_csv = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/csv"));
                let whole = drift.applied(self.body.into_whole(usize::MAX)?, is_csv);
                ReplyBody::Whole { whole, then_break_off: false }
            }
            _ => self.body,
        };
        Ok(self)
    }

    /// The right body's validators would make clients keep the wrong one for right.
    fn forget_validators(&mut self) {
        for name in [header::ETAG, header::LAST_MODIFIED] {
            self.headers.remove(name);
        }
    }
}

/// The recorded answer where captures are replayed, else the generated one; with what `fault` does to it.
fn reply(simulator: &Simulator, ask: &Ask, shown_query: &str, fault: Option<&Effect>) -> Reply {
    let world = &simulator.world;
    let frozen;
    let asked = match fault {
        Some(Effect::Drift(drift)) => {
            frozen = Ask { step: drift.step(ask.step), ..ask.clone() };
            &frozen
        }
        _ => ask,
    };
    let right = || {
        let answer = match &simulator.replay {
            Some(replay) => match replay.answer(asked) {
                Replayed::Capture(reply) => return reply,
                Replayed::Otherwise(answer) => answer,
            },
            None => vendors::generate(world, asked),
        };
        Reply::generated(world, asked, shown_query, answer)
    };
    let Some(fault) = fault else {
        return right();
    };
    fault.answer(&ask.path).unwrap_or_else(|| {
        right().spoilt(fault).unwrap_or_else(|error| {
            tracing::error!(%error, path = ask.path, "an answer could not be read");
            let message = "the capture cannot be read";
            let answer =
                Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "application/json", message);
            Reply::generated(world, ask, shown_query, answer)
        })
    })
}

async fn upstream(
    State(simulator): State<Arc<Simulator>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    let (method, uri) = (request.method(), request.uri());
    let head_only = method == Method::HEAD;
    let query = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs);
    let shown_query = without_secrets(uri, query.as_deref().ok());
    let query = query.unwrap_or_default();
    let step = simulator.current_step();
    let ask = Ask { path: uri.path().to_owned(), query, step };
    let key_id = key_id(request.headers(), &ask.query);
    let verdict = simulator.limits.meet(Asked {
        path: &ask.path,
        key: key_kind(request.headers(), &ask.query),
        key_id: key_id.as_deref(),
        now: simulator.time.now(),
    });
    // What the limits refuse never reaches whatever is broken behind them.
    let meets_faults = method == Method::GET && verdict.refused.is_none();
    let fault = if meets_faults { simulator.faults.meet(&ask) } else { None };
    let (limit, refusal) = verdict.refused.unzip();

    let failed = |status, message| {
        let answer = Answer::error(status, "application/json", message);
        Reply::generated(&simulator.world, &ask, &shown_query, answer)
    };
    let mut reply = if let Some(refusal) = refusal {
        refusal
    } else if method == Method::GET || head_only {
        let (simulator, ask, query) = (Arc::clone(&simulator), ask.clone(), shown_query.clone());
        let fault = fault.clone();
        let made =
            tokio::task::spawn_blocking(move || reply(&simulator, &ask, &query, fault.as_ref()));
        made.await.unwrap_or_else(|error| {
            tracing::error!(%error, "an answer could not be made");
            failed(StatusCode::INTERNAL_SERVER_ERROR, "simulator failed")
        })
    } else {
        failed(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
    };

    reply.headers.extend(verdict.headers);
    if let Some(date) = simulator.time.injected() {
        // What the HTTP library would state is the machine's time.
        let date = HeaderValue::from_str(&http_date(date.as_millis()));
        reply.headers.extend(date.ok().map(|date| (header::DATE, date)));
    }

    let at = simulator.at(step);
    let spoilt = matches!(reply.body, ReplyBody::Whole { .. });
    let unchanged = !spoilt
        && reply.status == StatusCode::OK
        && unchanged(request.headers(), &reply.headers, reply.by_date);
    let status = if unchanged { StatusCode::NOT_MODIFIED } else { reply.status };
    let is_reset = matches!(fault, Some(Effect::Reset));
    let shown_status = if is_reset { 0 } else { status.as_u16() };
    let number = simulator.requests.record(RequestLine {
        request: 0,
        at,
        method: method.to_string(),
        path: ask.path.clone(),
        query: shown_query.clone(),
        status: shown_status,
        key_id: key_id.clone(),
        fault: fault.as_ref().map(Effect::name),
        limit,
    });
    let mut recorder = Recorder::new(
        Arc::clone(&simulator.ledger),
        Head {
            request: number,
            at,
            path: ask.path,
            query: shown_query,
            status: shown_status,
            completed: false,
            key_id,
        },
    );
    match fault {
        // Answers without rows leave a line only where a fault has to be accounted for.
        None if head_only || unchanged || matches!(reply.body, ReplyBody::Text(_)) => {
            recorder.forget();
        }
        Some(Effect::Reset) => {
            drop(recorder);
            connection.reset();
            return std::future::pending().await;
        }
        // A client that leaves meanwhile leaves a line that is not completed.
        Some(Effect::Delay(delay)) => tokio::time::sleep(delay).await,
        _ => {}
    }

    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = reply.headers;
    let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    if head_only || bodiless {
        recorder.complete();
        return response;
    }
    *response.body_mut() = match reply.body {
        ReplyBody::Text(text) => {
            recorder.complete();
            Body::from(text)
        }
        ReplyBody::Rows(rows) => Body::from_stream(RowStream::new(rows, recorder)),
        ReplyBody::Capture(capture) => Body::from_stream(replay::send(capture, recorder)),
        ReplyBody::Whole { whole, then_break_off } => {
            Body::from_stream(whole.send(recorder, then_break_off.then_some(connection)))
        }
    };
    response
}
