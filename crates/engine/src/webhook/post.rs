//! One attempt to send one alert, without a word of the address or the secret in what is said of it.

use std::error::Error;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use kasparro_domain::{Alert, RunId, SourceName, Timestamp};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::Sha256;

use crate::{Webhook, retry_after};

/// Longest time for one attempt, from connecting to the head of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The number of an alert, the same in every attempt.
const ALERT_ID: &str = "x-kasparro-alert-id";

/// When an attempt was made, in Unix seconds.
const SENT_AT: &str = "x-kasparro-timestamp";

/// Shows who sent an alert, and when.
const SIGNATURE: &str = "x-kasparro-signature";

/// Where alerts go.
pub(super) struct Address {
    client: Client,
    /// May hold a secret in each part but the host.
    url: Url,
    /// The only part that is ever shown.
    pub(super) host: String,
    key: Option<Hmac<Sha256>>,
}

/// The body of an attempt.
#[derive(Serialize)]
struct Message<'a> {
    id: i64,
    code: &'a str,
    source: &'a SourceName,
    run_id: RunId,
    message: &'a str,
    hint: &'a str,
    raised_at: Timestamp,
    attempt: u32,
}

/// Why an alert did not arrive.
#[derive(Debug)]
pub(super) struct Failure {
    /// What happened, without secrets.
    pub(super) message: String,
    /// True where the receiver said that nothing will be taken there again.
    pub(super) gone: bool,
    /// How long the receiver asked to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self { message, gone: false, retry_after: None }
    }
}

impl Address {
    /// The receiver behind a webhook, or what is wrong with it.
    pub(super) fn new(webhook: &Webhook, user_agent: &str) -> Result<Self, String> {
        let no_address = || "alerts.webhook_url is not a web address".to_owned();
        let url = Url::parse(webhook.url.expose_secret()).map_err(|_| no_address())?;
        let host = url.host_str().ok_or_else(no_address)?.to_owned();
        if !matches!(url.scheme(), "http" | "https") {
            return Err(no_address());
        }
        let client = Client::builder()
            .user_agent(user_agent)
            .redirect(Policy::none())
            .referer(false)
            .timeout(TIMEOUT)
            // Alerts are rare: a connection that was kept is one that the receiver has closed.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| format!("the HTTP client: {}", root_cause(error)))?;
        let key = webhook.secret.as_ref().map(key).transpose()?;
        Ok(Self { client, url, host, key })
    }

    /// Sends an alert once; a status of 2xx says that it arrived. The body of the answer is not read, for it
    /// says nothing more.
    pub(super) async fn post(
        &self,
        alert: &Alert,
        attempt: u32,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let message = Message {
            id: alert.alert_id,
            code: &alert.alert.code,
            source: &alert.source,
            run_id: alert.run_id,
            message: &alert.alert.message,
            hint: &alert.alert.hint,
            raised_at: alert.raised_at,
            attempt,
        };
        let body = serde_json::to_vec(&message)
            .map_err(|error| format!("the alert cannot be written as JSON: {error}"))?;
        let sent_at = now.as_millis().div_euclid(1000).to_string();
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ALERT_ID, alert.alert_id)
            .header(SENT_AT, &sent_at);
        if let Some(key) = &self.key {
            request = request.header(SIGNATURE, signature(key, &sent_at, &body));
        }
        let response = request.body(body).send().await.map_err(not_answered)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let remark = if status.is_redirection() { "; redirects are not followed" } else { "" };
        Err(Failure {
            message: format!("the receiver answered {}{remark}", status.as_u16()),
            gone: status == StatusCode::GONE,
            retry_after: wait.and_then(|value| retry_after::read(value, now)),
        })
    }
}

pub(super) fn key(secret: &SecretString) -> Result<Hmac<Sha256>, String> {
    Hmac::new_from_slice(secret.expose_secret().as_bytes())
        .map_err(|_| "alerts.webhook_secret has a length that cannot be used".to_owned())
}

/// The signature of a body that is sent at an instant (Unix seconds). The instant is covered, so that a
/// receiver can refuse what was recorded and is sent again.
pub(super) fn signature(key: &Hmac<Sha256>, sent_at: &str, body: &[u8]) -> String {
    let mac = key.clone().chain_update(sent_at).chain_update(b".").chain_update(body);
    let code = mac.finalize().into_bytes();
    let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={hex}")
}

fn not_answered(error: reqwest::Error) -> Failure {
    let failure = if error.is_timeout() {
        format!("the receiver did not answer within {} s", TIMEOUT.as_secs())
    } else {
        format!("the receiver was not reached: {}", root_cause(error))
    };
    failure.into()
}

/// The innermost cause: the outer ones say that a request failed, which is known.
fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}
