//! An answer as it came in, and what tells an upstream which answer is known already.

use std::time::Duration;

use kasparro_domain::Timestamp;
use kasparro_extract::{Answer, Framing, PageError};
use reqwest::Response;
use reqwest::header::{
    CONTENT_TYPE, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, RETRY_AFTER,
};
use serde_json::{Map, Value};

use crate::body::Body;
use crate::land::Arrival;
use crate::retry_after;

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

/// How the names of headers begin that state limits, in lower case.
const LIMIT_HEADERS: [&str; 4] = ["ratelimit", "x-ratelimit", "x-mbx-used-weight", "retry-after"];

/// The most headers that are taken for statements of limits.
const MAX_LIMIT_HEADERS: usize = 16;

/// The longest name and the longest value of one, in bytes.
const MAX_LIMIT_BYTES: usize = 256;

/// An answer that came in whole.
pub(crate) struct Fetched {
    pub(crate) arrival: Arrival,
    pub(crate) content_type: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// What the upstream says of its limits: names in lower case, and values as they came.
    pub(crate) limit_headers: Vec<(String, String)>,
    /// Length of the body as it arrived, before it was decoded.
    pub(crate) arrived_bytes: u64,
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

    /// Makes sure that the stated type of a body can be that of what was asked for.
    ///
    /// # Errors
    /// [`PageError`] where JSON was asked for and a web page is announced. Other types pass, and a
    /// missing one too: upstreams send JSON as text and as bytes.
    pub(crate) fn check_type(&self, framing: &Framing) -> Result<(), PageError> {
        if believable_type(self.content_type.as_deref(), framing) {
            return Ok(());
        }
        let stated = self.content_type.as_deref().unwrap_or_default();
        let hint = "a portal, proxy or firewall stands between here and the upstream; try from another network";
        let message = format!("a web page ({}) came in place of JSON", plain_type(stated));
        Err(PageError::retry("not_json", message, hint))
    }
}

/// False where JSON was asked for and the type says that the body is a web page. A page says so even where
/// it begins with a brace.
fn believable_type(content_type: Option<&str>, framing: &Framing) -> bool {
    let page = matches!(
        plain_type(content_type.unwrap_or_default()).as_str(),
        "text/html" | "application/xhtml+xml"
    );
    !(page && matches!(framing, Framing::JsonArray { .. }))
}

/// A type without its parameters, in lower case.
fn plain_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// What the head of an answer says.
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) kept: Value,
    pub(super) content_type: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) limits: Vec<(String, String)>,
}

impl Head {
    pub(super) fn of(response: &Response, now: Timestamp) -> Self {
        let headers = response.headers();
        let text = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let kept: Map<String, Value> = KEPT_HEADERS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), Value::String(text(name)?))))
            .collect();
        let retry_after = text(RETRY_AFTER.as_str());
        Self {
            status: response.status().as_u16(),
            kept: Value::Object(kept),
            content_type: text(CONTENT_TYPE.as_str()),
            retry_after: retry_after.and_then(|value| retry_after::read(&value, now)),
            limits: limits(headers),
        }
    }
}

/// The headers that state limits, as far as they are short enough to be believed.
fn limits(headers: &HeaderMap) -> Vec<(String, String)> {
    let stated = headers.iter().filter_map(|(name, value)| {
        let (name, value) = (name.as_str(), value.to_str().ok()?);
        let meant = LIMIT_HEADERS.iter().any(|start| name.starts_with(start));
        let short = name.len() <= MAX_LIMIT_BYTES && value.len() <= MAX_LIMIT_BYTES;
        (meant && short).then(|| (name.to_owned(), value.to_owned()))
    });
    stated.take(MAX_LIMIT_HEADERS).collect()
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

    /// The tag of a stored page; `None` where it has none.
    pub(crate) fn tag_of(kept: &Value) -> Option<Self> {
        let etag = kept.get("etag").and_then(Value::as_str)?.to_owned();
        Some(Self { etag: Some(etag), last_modified: None })
    }

    pub(super) fn headers(&self) -> HeaderMap {
        let stated =
            [(IF_NONE_MATCH, &self.etag), (IF_MODIFIED_SINCE, &self.last_modified)].into_iter();
        stated
            .filter_map(|(name, value)| Some((name, HeaderValue::from_str(value.as_ref()?).ok()?)))
            .collect()
    }
}

/// The headers of a page whose upstream said that nothing has changed: those that it sent, and of the
/// stored page what describes its body (RFC 9111, section 4.3.4).
pub(crate) fn freshened(stored: &Value, told: Value) -> Value {
    let Value::Object(mut headers) = told else { return stored.clone() };
    let of_stored = |name: &str| Some((name.to_owned(), stored.get(name)?.clone()));
    headers.extend(of_stored("content-type"));
    for name in ["etag", "last-modified"] {
        if !headers.contains_key(name) {
            headers.extend(of_stored(name));
        }
    }
    Value::Object(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_has_not_changed_keeps_what_describes_its_body() {
        let stored = serde_json::json!({
            "content-type": "application/json", "etag": "\"1\"", "age": "9", "date": "before",
        });
        let told = serde_json::json!({"content-type": "text/plain", "date": "now"});
        assert_eq!(
            freshened(&stored, told),
            serde_json::json!({"content-type": "application/json", "etag": "\"1\"", "date": "now"})
        );
        let told = serde_json::json!({"etag": "\"2\""});
        assert_eq!(freshened(&stored, told)["etag"], "\"2\"");
    }

    #[test]
    fn n9_a_web_page_is_not_believed_to_be_json_and_odd_types_are() {
        let json = Framing::JsonArray { pointer: "".into() };
        for (content_type, framing, believable) in [
            (Some("text/html"), &json, false),
            (Some("Text/HTML; charset=utf-8"), &json, false),
            (Some("application/xhtml+xml"), &json, false),
            (Some("application/json"), &json, true),
            (Some("text/plain;charset=UTF-8"), &json, true),
            (Some("application/octet-stream"), &json, true),
            (Some("nonsense"), &json, true),
            (None, &json, true),
            (Some("text/html"), &Framing::Csv, true),
            (Some("text/html"), &Framing::XmlItems, true),
        ] {
            assert_eq!(believable_type(content_type, framing), believable, "{content_type:?}");
        }
    }

    #[test]
    fn n13_statements_of_limits_are_kept_in_bounded_number_and_length() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("X-RateLimit-Limit", "30"),
            ("ratelimit", "\"default\";r=5;t=30"),
            ("RateLimit-Policy", "\"default\";q=100;w=60"),
            ("x-mbx-used-weight-1m", "812"),
            ("Retry-After", "7"),
            ("x-ratelimit-secret", "\u{7f}"),
            ("x-request-id", "8"),
            ("set-cookie", "a=b"),
        ] {
            let name = reqwest::header::HeaderName::try_from(name).unwrap();
            headers.append(
                name,
                HeaderValue::from_bytes(value.as_bytes())
                    .unwrap_or_else(|_| HeaderValue::from_bytes(b"\xff").unwrap()),
            );
        }
        let mut kept = limits(&headers);
        kept.sort();
        let kept: Vec<(&str, &str)> = kept.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            kept,
            [
                ("ratelimit", "\"default\";r=5;t=30"),
                ("ratelimit-policy", "\"default\";q=100;w=60"),
                ("retry-after", "7"),
                ("x-mbx-used-weight-1m", "812"),
                ("x-ratelimit-limit", "30"),
            ]
        );
        headers.insert("x-ratelimit-note", HeaderValue::from_str(&"9".repeat(257)).unwrap());
        assert_eq!(limits(&headers).len(), 5);
        for number in 0..40 {
            headers.append("x-ratelimit-limit", HeaderValue::from(number));
        }
        assert_eq!(limits(&headers).len(), MAX_LIMIT_HEADERS);
    }
}
