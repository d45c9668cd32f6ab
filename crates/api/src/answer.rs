//! The body of an answer, and the request it answers.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::FromRequestParts;
use bytes::Bytes;
use http::HeaderValue;
use http::request::Parts;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use kasparro_domain::{Clock, Timestamp};
use serde::Serialize;

use crate::cors::Sharing;
use crate::limits::Standing;
use crate::listen::InFlight;

/// The longest request id that is taken over from a client.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// What an answer says of its request.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    request_id: HeaderValue,
    started: Instant,
    /// What pages of other sites may do with the answer.
    sharing: Sharing,
    /// How the sender stands with its limit, if there is one.
    standing: Option<Standing>,
    /// Where the sender is, for the log.
    client: Option<IpAddr>,
}

impl RequestContext {
    /// The context of a request that arrives now. Its id is the client's `X-Request-ID` if that is 1
    /// to 128 visible ASCII characters, else a new UUID (version 7).
    pub(crate) fn new(given: Option<&HeaderValue>, clock: &dyn Clock) -> Self {
        let started = Instant::now();
        let request_id = given
            .filter(|id| {
                (1..=MAX_REQUEST_ID_BYTES).contains(&id.len())
                    && id.as_bytes().iter().all(u8::is_ascii_graphic)
            })
            .cloned();
        Self {
            request_id: request_id.unwrap_or_else(|| new_id(clock.now())),
            started,
            sharing: Sharing::default(),
            standing: None,
            client: None,
        }
    }

    /// When the request arrived.
    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// How the sender stands with its limit, if there is one.
    pub(crate) const fn standing(&self) -> Option<&Standing> {
        self.standing.as_ref()
    }

    /// Notes how the sender stands with its limit.
    pub(crate) const fn set_standing(&mut self, standing: Standing) {
        self.standing = Some(standing);
    }

    /// Where the sender is, once that is known.
    pub(crate) const fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// Notes where the sender is.
    pub(crate) const fn set_client(&mut self, address: IpAddr) {
        self.client = Some(address);
    }

    /// The same for a request whose answer pages of other sites may use in this way.
    pub(crate) fn shared_with(self, sharing: Sharing) -> Self {
        Self { sharing, ..self }
    }

    /// What pages of other sites may do with the answer.
    pub(crate) const fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// The id as a header.
    pub(crate) fn id_header(&self) -> HeaderValue {
        self.request_id.clone()
    }

    /// The id as text.
    pub(crate) fn id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }

    /// Microseconds since the request arrived.
    pub(crate) fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Milliseconds since the request arrived, to the microsecond.
    pub(crate) fn latency_ms(&self) -> f64 {
        self.started.elapsed().as_micros() as f64 / 1000.0
    }

    /// Seconds since the request arrived.
    pub(crate) fn elapsed_seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The header `Server-Timing`: milliseconds since the request arrived.
    pub(crate) fn server_timing(&self) -> HeaderValue {
        let mut text = Vec::with_capacity(24);
        text.extend_from_slice(b"app;dur=");
        write_millis(&mut text, self.elapsed_us());
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("app"))
    }

    /// `{"request_id":"…","api_latency_ms":…,`: how every JSON body of ours begins.
    pub(crate) fn prefix(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(192);
        out.extend_from_slice(br#"{"request_id":"#);
        if serde_json::to_writer(&mut out, self.id()).is_err() {
            out.extend_from_slice(b"null");
        }
        out.extend_from_slice(br#","api_latency_ms":"#);
        write_millis(&mut out, self.elapsed_us());
        out.push(b',');
        out
    }
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        // The listener puts it there for every request.
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self {
            request_id: HeaderValue::from_static("unknown"),
            started: Instant::now(),
            sharing: Sharing::default(),
            standing: None,
            client: None,
        }))
    }
}

/// Writes microseconds as milliseconds with three decimals.
fn write_millis(out: &mut Vec<u8>, elapsed_us: u64) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(elapsed_us / 1000).as_bytes());
    out.push(b'.');
    let fraction = digits.format(1000 + elapsed_us % 1000).as_bytes();
    out.extend_from_slice(fraction.get(1..).unwrap_or_default());
}

/// A UUID of version 7 for an instant, in lower case.
fn new_id(now: Timestamp) -> HeaderValue {
    let millis = u64::try_from(now.as_millis()).unwrap_or_default();
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid();
    let mut buffer = uuid::Uuid::encode_buffer();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut buffer))
        .unwrap_or(HeaderValue::from_static("unknown"))
}

/// A JSON body of ours: the request's id and latency, then the answer itself.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Enveloped<T> {
    /// The id of the request, also in the header `X-Request-ID`.
    pub(crate) request_id: String,
    /// Milliseconds the request took here.
    pub(crate) api_latency_ms: f64,
    #[serde(flatten)]
    pub(crate) body: T,
}

/// The body of an answer, of known length wherever that is possible.
#[derive(Debug)]
pub(crate) struct Body {
    content: Content,
    /// Held until the body was handed over.
    in_flight: Option<InFlight>,
}

#[derive(Debug)]
enum Content {
    /// What belongs to one request, and what may be shared with others: a frame each, so that the shared
    /// one is never copied and all leave in one vectored write.
    Pieces([Bytes; 3]),
    /// What a route made.
    Routed(axum::body::Body),
}

impl Body {
    /// A body of pieces; any may be empty.
    pub(crate) const fn pieces(pieces: [Bytes; 3]) -> Self {
        Self { content: Content::Pieces(pieces), in_flight: None }
    }

    /// A body that belongs to one request.
    pub(crate) const fn whole(body: Bytes) -> Self {
        Self::pieces([body, Bytes::new(), Bytes::new()])
    }

    /// No body.
    pub(crate) const fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// The body of a route's answer.
    pub(crate) const fn routed(body: axum::body::Body) -> Self {
        Self { content: Content::Routed(body), in_flight: None }
    }

    /// The same body, which keeps its connection busy until it was handed over.
    pub(crate) fn holding(mut self, mut in_flight: InFlight) -> Self {
        // The work is done. Whoever reads slowly keeps nobody out.
        in_flight.leave_place();
        self.in_flight = Some(in_flight);
        self
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.content {
            Content::Pieces(pieces) => {
                let next = pieces.iter_mut().find(|piece| !piece.is_empty());
                Poll::Ready(next.map(|piece| Ok(Frame::data(std::mem::take(piece)))))
            }
            Content::Routed(body) => {
                let polled = Pin::new(body).poll_frame(cx);
                if let Some(in_flight) = &self.in_flight {
                    in_flight.asked_for_more(polled.is_ready());
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Pieces(pieces) => pieces.iter().all(Bytes::is_empty),
            Content::Routed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Pieces(pieces) => {
                SizeHint::with_exact(pieces.iter().map(|piece| piece.len() as u64).sum())
            }
            Content::Routed(body) => body.size_hint(),
        }
    }
}

/// Marks an answer that goes on for as long as there is something to tell, as an extension of it. It takes no
/// place among the requests under way, and its connection stays open while it moves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Streaming;

/// What operations read from.
pub(crate) type AppState = axum::extract::State<Arc<crate::Shared>>;

#[cfg(test)]
mod tests {
    use super::*;
    use kasparro_domain::ManualClock;

    fn context(given: Option<&str>) -> RequestContext {
        let given = given.map(|text| HeaderValue::from_bytes(text.as_bytes()).unwrap());
        RequestContext::new(given.as_ref(), &ManualClock::new(Timestamp::EPOCH))
    }

    #[test]
    fn a_request_id_is_taken_over_or_made() {
        assert_eq!(context(Some("abc-1")).id(), "abc-1");
        let long = "x".repeat(129);
        for given in [None, Some(""), Some("a b"), Some("é"), Some(long.as_str())] {
            let id = context(given).id().to_owned();
            assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7, "{given:?}");
        }
    }

    #[test]
    fn the_prefix_stays_json_whatever_the_id_holds() {
        let context = context(Some(r#"a"b\c"#));
        let text = format!("{}\"x\":1}}", String::from_utf8(context.prefix()).unwrap());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["request_id"], r#"a"b\c"#);
        assert!(value["api_latency_ms"].is_f64());
    }
}
