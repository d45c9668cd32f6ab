//! What a client is told that went over a limit, and headers that state one.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use super::account::Account;
use super::plan::{HeaderStyle, RetryAfter, Rule, Window};
use crate::http::{Reply, ReplyBody};
use crate::text::http_date;

const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

impl Rule {
    /// The refusal of a request for `path`, and until when it tells to wait.
    pub(super) fn refuse(&self, path: &str, now_ms: i64, free_at_ms: i64) -> (Reply, Option<i64>) {
        let (usual_status, content_type, usual_body) = vendor_refusal(path, self.window);
        let status = self.refusal.status.unwrap_or(usual_status);
        let mut headers =
            HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        let free_at_ms = match self.refusal.wait_s {
            Some(wait_s) => now_ms.saturating_add_unsigned(wait_s.saturating_mul(1000)),
            None => free_at_ms,
        };
        // Whoever waits as long as it is told has waited long enough: both forms are rounded up.
        let told = match self.refusal.retry_after {
            RetryAfter::None => None,
            RetryAfter::Seconds => {
                let wait_s = ceil_seconds(free_at_ms - now_ms);
                Some((wait_s.to_string(), now_ms.saturating_add(wait_s.saturating_mul(1000))))
            }
            RetryAfter::Date => {
                let until_ms = ceil_seconds(free_at_ms).saturating_mul(1000);
                Some((http_date(until_ms), until_ms))
            }
        };
        if let Some(value) = told.as_ref().and_then(|(text, _)| HeaderValue::from_str(text).ok()) {
            headers.insert(header::RETRY_AFTER, value);
        }
        let body = self.refusal.body.clone().unwrap_or(usual_body).into_bytes();
        let reply = Reply { status, headers, by_date: false, body: ReplyBody::Text(body) };
        (reply, told.map(|(_, until_ms)| until_ms))
    }

    /// Adds the headers with which the rule states itself; those of an earlier rule stay.
    pub(super) fn state(&self, headers: &mut HeaderMap, account: &mut Account, now_ms: i64) {
        let used = account.used(self.window, now_ms);
        let left = self.limit.saturating_sub(used);
        // A sliding window is free again when its oldest part is.
        let reset_ms = account.free_at_ms(self, now_ms, left.saturating_add(1));
        let wait_s = ceil_seconds(reset_ms - now_ms).max(0);
        let mut put = |name: &'static str, text: String| {
            let Ok(value) = HeaderValue::from_str(&text) else {
                return;
            };
            headers.entry(HeaderName::from_static(name)).or_insert(value);
        };
        for style in &self.headers {
            match style {
                HeaderStyle::XRateLimit | HeaderStyle::XRateLimitDelta => {
                    let reset = match style {
                        HeaderStyle::XRateLimit => ceil_seconds(reset_ms),
                        _ => wait_s,
                    };
                    put("x-ratelimit-limit", self.limit.to_string());
                    put("x-ratelimit-remaining", left.to_string());
                    put("x-ratelimit-reset", reset.to_string());
                }
                HeaderStyle::RateLimit => {
                    let span_s = match self.window {
                        Window::Sliding(span) | Window::Fixed(span) => span.as_secs().max(1),
                        Window::Month => 30 * 86_400,
                    };
                    put("ratelimit-policy", format!("\"default\";q={};w={span_s}", self.limit));
                    put("ratelimit", format!("\"default\";r={left};t={wait_s}"));
                }
                HeaderStyle::UsedWeight => put("x-mbx-used-weight-1m", used.to_string()),
            }
        }
    }
}

/// Milliseconds as seconds, rounded up.
const fn ceil_seconds(millis: i64) -> i64 {
    millis.div_euclid(1000) + if millis.rem_euclid(1000) > 0 { 1 } else { 0 }
}

/// How the vendor behind a path refuses.
fn vendor_refusal(path: &str, window: Window) -> (StatusCode, &'static str, String) {
    let many = StatusCode::TOO_MANY_REQUESTS;
    if path.starts_with("/api/v3/") {
        let message = "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing \
                       to subscribe to our API plans for higher rate limits.";
        let status = json!({ "error_code": 429, "error_message": message });
        return (many, JSON, json!({ "status": status }).to_string());
    }
    if path.starts_with("/v1/") {
        // What a month allows is a matter of the plan there.
        let (status, message) = match window {
            Window::Month => (
                StatusCode::PAYMENT_REQUIRED,
                "Free tier rate limit reached, or this endpoint requires a paid plan",
            ),
            _ => (many, "you have reached maximum request limit"),
        };
        return (status, JSON, json!({ "error": message }).to_string());
    }
    (many, TEXT, "too many requests\n".to_owned())
}
