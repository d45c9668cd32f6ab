//! The only HTTP client: sends requests, keeps limits, tries again, and bounds what arrives.

mod answer;
mod encoding;
mod errors;
mod guard;
mod public;
mod redirect;
mod repeats;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use answer::{Fetched, Validators, freshened};
pub(crate) use encoding::most_unpacked;
pub(crate) use errors::{body_too_large, bomb};
pub(crate) use repeats::repeats_secret;
pub use settings::{FetchSettings, contact_problem};

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::Clock;
use kasparro_extract::{ErrorClass, HttpRequest, PageError, Remedy};
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Client, Response, Url};
use secrecy::ExposeSecret;

use crate::EngineError;
use crate::body::BodyWriter;
use crate::fetch::answer::Head;
use crate::fetch::guard::{Guard, Lookup, Standing, SystemLookup};
use crate::land::{Arrival, spool_failed};

/// A wait longer than this ends the run; the schedule asks again later.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// The longest wait of our own before a further attempt.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// Sends requests.
#[derive(Debug)]
pub(crate) struct Fetcher {
    client: Client,
    guard: Guard,
    pub(crate) settings: FetchSettings,
}

impl Fetcher {
    pub(crate) fn new(settings: FetchSettings) -> Result<Self, EngineError> {
        Self::with_lookup(settings, Arc::new(SystemLookup))
    }

    /// A fetcher that finds the addresses of names so.
    fn with_lookup(settings: FetchSettings, lookup: Arc<dyn Lookup>) -> Result<Self, EngineError> {
        // A second installation is refused by rustls and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let guard = Guard::new(lookup);
        let accepted = (ACCEPT_ENCODING, HeaderValue::from_static(encoding::ACCEPTED));
        let client = Client::builder()
            .user_agent(settings.full_user_agent()?)
            .default_headers(HeaderMap::from_iter([accepted]))
            .redirect(redirect::same_origin())
            // The address of the request before may hold a key.
            .referer(false)
            .dns_resolver(guard.clone())
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.idle_timeout)
            .timeout(settings.total_timeout)
            .build()
            .map_err(|error| {
                EngineError::Setup(format!("the HTTP client: {}", errors::causes(&error)))
            })?;
        Ok(Self { client, guard, settings })
    }

    /// Sends a request once and takes the whole answer in.
    pub(crate) async fn send(
        &self,
        request: &HttpRequest,
        validators: Option<&Validators>,
        spool_dir: &Path,
        clock: &dyn Clock,
    ) -> Result<Fetched, PageError> {
        let (origin, standing) = match &self.settings.upstream {
            Some(upstream) => (upstream.as_str(), Standing::Upstream),
            None if request.origin_matters => (request.origin.as_str(), Standing::Written),
            None => (request.origin.as_str(), Standing::Vendors),
        };
        let url = address(origin, request)?;
        self.guard
            .admit(&url, standing)
            .map_err(|refused| errors::address_refused(origin, &refused))?;
        let mut headers = validators.map(Validators::headers).unwrap_or_default();
        if let Some(credential) = &request.credential {
            let mut value =
                HeaderValue::from_str(credential.value.expose_secret()).map_err(|_| {
                    let hint = "write the key again, without line breaks";
                    PageError::stop("bad_key", "the key cannot stand in a header", hint)
                        .of_class(ErrorClass::Key)
                })?;
            value.set_sensitive(true);
            headers.insert(credential.header, value);
        }
        let sent = self.client.get(url.clone()).headers(headers).send().await;
        let response = sent.map_err(|error| {
            if error.is_connect() {
                self.guard.forget(&url);
            }
            errors::transport(origin, error)
        })?;
        if redirect::leads_nowhere(&response) {
            let message = format!("{origin}: a redirect leads to no web address");
            return Err(errors::redirect_refused(message));
        }
        self.take_in(response, origin, spool_dir, clock).await
    }

    async fn take_in(
        &self,
        response: Response,
        origin: &str,
        spool_dir: &Path,
        clock: &dyn Clock,
    ) -> Result<Fetched, PageError> {
        let head = Head::of(&response, clock.now());
        let writer = BodyWriter::new(spool_dir).map_err(|error| spool_failed(&error))?;
        let max_body_bytes = self.settings.max_body_bytes;
        let (writer, arrived_bytes) =
            encoding::take_in(response, origin, max_body_bytes, writer).await?;
        Ok(Fetched {
            arrival: Arrival {
                http_status: Some(head.status),
                headers: head.kept,
                fetched_at: clock.now(),
            },
            content_type: head.content_type,
            retry_after: head.retry_after,
            limit_headers: head.limits,
            arrived_bytes,
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
        let doubled = self.settings.backoff.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        // Full jitter on the upper half, so that many processes do not come back together.
        let jittered = doubled.min(LONGEST_BACKOFF).mul_f64(rand::random_range(0.5..1.0));
        let wait = after.map_or(jittered, |after| after.max(jittered));
        (wait <= LONGEST_WAIT).then_some(wait)
    }
}

/// The whole address of a request, its secrets included.
fn address(origin: &str, request: &HttpRequest) -> Result<Url, PageError> {
    let url = format!("{}{}", origin.trim_end_matches('/'), request.path);
    let mut url = Url::parse_with_params(&url, &request.query).map_err(|error| {
        let hint = "correct the address in the configuration";
        PageError::stop("bad_address", format!("{origin}: {error}"), hint)
    })?;
    // No parameters leave a bare question mark.
    if url.query() == Some("") {
        url.set_query(None);
    }
    for (name, value) in &request.secret_query {
        url.query_pairs_mut().append_pair(name, value.expose_secret());
    }
    Ok(url)
}
