//! The only HTTP client: sends requests, keeps limits, tries again, and bounds what arrives.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use kasparro_domain::Clock;
use kasparro_extract::{Answer, HttpRequest, PageError, Remedy};
use reqwest::header::{HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::EngineError;
use crate::body::{Body, BodyWriter};
use crate::land::{Arrival, spool_failed};
use crate::retry_after;

/// Redirects that are followed, within one origin only.
const MAX_REDIRECTS: usize = 3;

/// A wait longer than this ends the run; the schedule asks again later.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Response headers that are kept with a page. None of them can carry a secret of ours.
const KEPT_HEADERS: [&str; 8] = [
    "age",
    "cache-control",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "retry-after",
    "x-ratelimit-remaining",
];

/// How pages are fetched.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// Value of `User-Agent`.
    pub user_agent: String,
    /// Scheme, host and port used in place of every source's own; the vendors' paths stay.
    pub upstream: Option<String>,
    /// Longest body, in bytes after decoding.
    pub max_body_bytes: u64,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time without a byte.
    pub idle_timeout: Duration,
    /// Longest time for a whole answer.
    pub total_timeout: Duration,
    /// Most times one request is sent.
    pub max_attempts: u32,
    /// Wait before the second attempt; it doubles with each further one.
    pub backoff: Duration,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            user_agent: concat!("kasparro/", env!("CARGO_PKG_VERSION")).to_owned(),
            upstream: None,
            max_body_bytes: 256 << 20,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_secs(120),
            max_attempts: 3,
            backoff: Duration::from_secs(1),
        }
    }
}

/// An answer that came in whole.
pub(crate) struct Fetched {
    pub(crate) arrival: Arrival,
    pub(crate) content_type: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Body,
}

impl Fetched {
    /// The answer as a source judges it.
    pub(crate) fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.arrival.http_status.unwrap_or(0),
            content_type: self.content_type.as_deref(),
            retry_after: self.retry_after,
            head: &self.body.head,
        }
    }
}

/// What tells an upstream which answer is known already (RFC 9110, section 8.8).
#[derive(Debug, Default)]
pub(crate) struct Validators {
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Validators {
    /// Those of a stored page.
    pub(crate) fn of(kept: &Value) -> Self {
        let text = |name: &str| kept.get(name).and_then(Value::as_str).map(str::to_owned);
        Self { etag: text("etag"), last_modified: text("last-modified") }
    }

    fn headers(&self) -> HeaderMap {
        let stated =
            [(IF_NONE_MATCH, &self.etag), (IF_MODIFIED_SINCE, &self.last_modified)].into_iter();
        stated
            .filter_map(|(name, value)| Some((name, HeaderValue::from_str(value.as_ref()?).ok()?)))
            .collect()
    }
}

/// Sends requests.
#[derive(Debug)]
pub(crate) struct Fetcher {
    client: Client,
    pub(crate) settings: FetchSettings,
}

impl Fetcher {
    pub(crate) fn new(settings: FetchSettings) -> Result<Self, EngineError> {
        // A second installation is refused by rustls and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let same_origin = Policy::custom(|attempt| {
            let first = attempt.previous().first().map(Url::origin);
            if attempt.previous().len() > MAX_REDIRECTS {
                attempt.error("too many redirects")
            } else if first == Some(attempt.url().origin()) {
                attempt.follow()
            } else {
                attempt.error("a redirect to another origin is not followed")
            }
        });
        let client = Client::builder()
            .user_agent(&settings.user_agent)
            .redirect(same_origin)
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.idle_timeout)
            .timeout(settings.total_timeout)
            .build()
            .map_err(|error| EngineError::Setup(format!("the HTTP client: {}", causes(&error))))?;
        Ok(Self { client, settings })
    }

    /// Sends a request once and takes the whole answer in.
    pub(crate) async fn send(
        &self,
        request: &HttpRequest,
        validators: Option<&Validators>,
        spool_dir: &Path,
        clock: &dyn Clock,
    ) -> Result<Fetched, PageError> {
        let origin = self.settings.upstream.as_deref().unwrap_or(&request.origin);
        let url = format!("{}{}", origin.trim_end_matches('/'), request.path);
        let url = Url::parse_with_params(&url, &request.query).map_err(|error| {
            let hint = "correct the address in the configuration";
            PageError::stop("bad_address", format!("{origin}: {error}"), hint)
        })?;
        let mut url = without_empty_query(url);
        for (name, value) in &request.secret_query {
            url.query_pairs_mut().append_pair(name, value.expose_secret());
        }
        let mut headers = validators.map(Validators::headers).unwrap_or_default();
        if let Some(credential) = &request.credential {
            let mut value =
                HeaderValue::from_str(credential.value.expose_secret()).map_err(|_| {
                    let hint = "write the key again, without line breaks";
                    PageError::stop("bad_key", "the key cannot stand in a header", hint)
                })?;
            value.set_sensitive(true);
            headers.insert(credential.header, value);
        }
        let sent = self.client.get(url).headers(headers).send().await;
        let response = sent.map_err(|error| transport(origin, error))?;
        let fetched = self.take_in(response, origin, spool_dir, clock).await?;
        Ok(fetched)
    }

    async fn take_in(
        &self,
        response: reqwest::Response,
        origin: &str,
        spool_dir: &Path,
        clock: &dyn Clock,
    ) -> Result<Fetched, PageError> {
        let text = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let content_type = text("content-type");
        let retry_after =
            text("retry-after").and_then(|value| retry_after::read(&value, clock.now()));
        let headers: Map<String, Value> = KEPT_HEADERS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), Value::String(text(name)?))))
            .collect();
        let status = response.status().as_u16();
        let mut writer = BodyWriter::new(spool_dir).map_err(|error| spool_failed(&error))?;
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| transport(origin, error))?;
            writer.write(&piece).map_err(|error| spool_failed(&error))?;
            if writer.bytes() > self.settings.max_body_bytes {
                return Err(body_too_large(origin, self.settings.max_body_bytes));
            }
        }
        Ok(Fetched {
            arrival: Arrival {
                http_status: Some(status),
                headers: Value::Object(headers),
                fetched_at: clock.now(),
            },
            content_type,
            retry_after,
            body: writer.finish().map_err(|error| spool_failed(&error))?,
        })
    }

    /// How long to wait before attempt number `attempt` + 1, when trying again is worth it.
    pub(crate) fn wait_before_retry(&self, error: &PageError, attempt: u32) -> Option<Duration> {
        let Remedy::Retry { after } = error.remedy else {
            return None;
        };
        if attempt >= self.settings.max_attempts {
            return None;
        }
        let exponential = self.settings.backoff.saturating_mul(1 << (attempt - 1).min(5));
        // Full jitter on the upper half, so that many processes do not come back together.
        let jittered = exponential.mul_f64(rand::random_range(0.5..1.0));
        let wait = after.map_or(jittered, |after| after.max(jittered));
        (wait <= LONGEST_WAIT).then_some(wait)
    }
}

/// A body that is longer than the cap, once decompressed.
pub(crate) fn body_too_large(what: &str, max_bytes: u64) -> PageError {
    let message = format!("{what} has more than {max_bytes} bytes");
    let hint = "raise fetch.max_body_bytes if a body of that size is right";
    PageError::stop("body_too_large", message, hint)
}

/// `Url::parse_with_params` leaves a bare question mark where there are no parameters.
fn without_empty_query(mut url: Url) -> Url {
    if url.query() == Some("") {
        url.set_query(None);
    }
    url
}

/// A failure below HTTP, in words that hold no address parts beyond the origin.
fn transport(origin: &str, error: reqwest::Error) -> PageError {
    let error = error.without_url();
    let (code, hint) = if error.is_connect() {
        ("connect_failed", "check the network, the address and, behind a proxy, its settings")
    } else if error.is_timeout() {
        ("timed_out", "the upstream is slow or unreachable; the schedule asks again")
    } else if error.is_redirect() {
        ("redirect_refused", "check the configured address: only redirects within it are followed")
    } else {
        ("transfer_failed", "the answer broke off; the schedule asks again")
    };
    let message = format!("{origin}: {}", causes(&error));
    if error.is_redirect() {
        PageError::stop(code, message, hint)
    } else {
        PageError::retry(code, message, hint)
    }
}

/// An error with its causes, outermost first, each said once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
