//! Answers that have nothing of the right one.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use super::drift::ErrorPage;
use super::plan::Effect;
use crate::http::{Reply, ReplyBody};
use crate::whole::Whole;

const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// What a proxy in front of an upstream shows to a browser.
const PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><title>One moment</title></head>\
    <body><h1>One moment</h1><p>This page stands where data should be.</p></body></html>\n";

impl Effect {
    /// The answer for `path` in place of the right one; `None` where the right one is needed.
    pub(crate) fn answer(&self, path: &str) -> Option<Reply> {
        let (status, headers, content_type, whole) = match self {
            Self::Status { status, headers, body } => {
                let (content_type, usual) = vendor_error(path, *status);
                let body = body.clone().unwrap_or(usual).into_bytes();
                // A body with a status of success can be data.
                let data = status.is_success() && path != "/v1/contracts";
                let whole = if data { Whole::json(body) } else { Whole::text(body) };
                (*status, Some(headers), content_type, whole)
            }
            Self::Html => web_page(),
            Self::Drift(drift) => match drift.error_page()? {
                ErrorPage::Html => web_page(),
                ErrorPage::Object => {
                    let (content_type, body) = vendor_error(path, StatusCode::SERVICE_UNAVAILABLE);
                    (StatusCode::OK, None, content_type, Whole::text(body.into_bytes()))
                }
            },
            Self::Empty => (StatusCode::OK, None, JSON, Whole::text(b"[]".to_vec())),
            Self::Delay(_) | Self::Truncate(_) | Self::Reset | Self::Replace { .. } => return None,
        };
        let mut all =
            HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        all.extend(headers.cloned().unwrap_or_default());
        let body = ReplyBody::Whole { whole, then_break_off: false };
        Some(Reply { status, headers: all, by_date: false, body })
    }
}

fn web_page() -> (StatusCode, Option<&'static HeaderMap>, &'static str, Whole) {
    let whole = Whole::text(PAGE.as_bytes().to_vec());
    (StatusCode::OK, None, "text/html; charset=utf-8", whole)
}

/// How the vendor behind a path tells an error.
fn vendor_error(path: &str, status: StatusCode) -> (&'static str, String) {
    let reason = status.canonical_reason().unwrap_or("simulated fault").to_lowercase();
    if path.starts_with("/api/v3/") && status == StatusCode::TOO_MANY_REQUESTS {
        let status = json!({ "error_code": status.as_u16(), "error_message": reason });
        return (JSON, json!({ "status": status }).to_string());
    }
    if path.starts_with("/csv/") || path.starts_with("/feed/") {
        return (TEXT, format!("{reason}\n"));
    }
    (JSON, json!({ "error": reason }).to_string())
}
