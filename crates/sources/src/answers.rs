//! Judging the head of an HTTP answer: what every upstream has in common.

use kasparro_extract::{Answer, ErrorClass, PageError, holds_secret};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// The most characters of an upstream's own message that are passed on.
const MAX_MESSAGE_CHARS: usize = 300;

/// True when the body begins like a web page. Portals and firewalls send one in place of the answer,
/// often with status 200.
pub(crate) fn html(answer: &Answer<'_>) -> bool {
    first_byte(answer.head) == Some(b'<')
}

fn first_byte(head: &[u8]) -> Option<u8> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    head.trim_ascii_start().first().copied()
}

/// The body as a JSON object, where it is one that fits into the head.
pub(crate) fn object(answer: &Answer<'_>) -> Option<Value> {
    if first_byte(answer.head) != Some(b'{') {
        return None;
    }
    let head = answer.head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(answer.head);
    serde_json::from_slice(head).ok()
}

/// An upstream's own message as it may be shown: one short line without our key, should the upstream
/// repeat it; nothing where it repeats it encoded.
pub(crate) fn shown(message: &str, key: Option<&SecretString>) -> String {
    let mut line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Some(key) = key {
        line = line.replace(key.expose_secret(), "***");
        // Written otherwise, as in an address: nobody knows where it begins.
        if holds_secret(line.as_bytes(), key) {
            return String::new();
        }
    }
    line.trim().chars().take(MAX_MESSAGE_CHARS).collect()
}

/// A web page in place of an answer with status 200.
pub(crate) fn page_for_answer(title: &str) -> PageError {
    let hint = "a portal, proxy or firewall stands between here and the upstream; try from another network";
    PageError::retry("not_json", format!("{title} answered with a web page"), hint)
}

/// The upstream asks for fewer requests: for a while, or until the month is over where it says so.
pub(crate) fn too_many_requests(title: &str, answer: &Answer<'_>, message: &str) -> PageError {
    if month_is_used_up(message) {
        let hint = "they start anew next month; run it less often, or use a key of a larger plan";
        let what = said(title, "the month's credits are used up", message);
        return PageError::stop("quota_used_up", what, hint).of_class(ErrorClass::Plan);
    }
    let hint = "lower requests_per_minute, run it less often, or use a key of a larger plan";
    PageError::retry("rate_limited", said(title, "the request limit is reached", message), hint)
        .of_class(ErrorClass::RateLimited)
        .after(answer.retry_after)
}

/// True where an upstream says that what it grants in a month is spent. One that speaks of the rate and
/// praises the credits of a larger plan does not say so.
fn month_is_used_up(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    says(&["month"])
        && says(&["quota", "credit", "limit", "cap", "call", "request", "usage"])
        && says(&["reach", "exceed", "exhaust", "used up", "run out"])
        && !says(&["rate limit", "minute", "second"])
}

/// Access to an address of the user's is refused, which no key of ours opens and other addresses need not
/// share.
pub(crate) fn access_refused(title: &str, answer: &Answer<'_>) -> Option<PageError> {
    let refused = [401, 403].contains(&answer.status) && !html(answer);
    refused.then(|| {
        let what = format!("{title}: access is refused (HTTP {})", answer.status);
        let hint = "addresses are fetched without a login; look for an open one";
        PageError::stop("access_refused", what, hint)
    })
}

/// A status other than 200 that needs no knowledge of the upstream. `message` is the upstream's own,
/// or empty.
pub(crate) fn status(title: &str, answer: &Answer<'_>, message: &str) -> PageError {
    let number = answer.status;
    let what = |words: &str| said(title, &format!("{words} (HTTP {number})"), message);
    match number {
        401 | 403 if html(answer) => {
            let hint = "a firewall refuses this network; wait a while or try from another one";
            PageError::stop("blocked", what("access is blocked"), hint)
        }
        401 | 403 => {
            let hint = "check api_key: it may be mistyped, expired or of another plan";
            PageError::stop("key_refused", what("the key is refused"), hint)
                .of_class(ErrorClass::Key)
        }
        402 if month_is_used_up(message) => too_many_requests(title, answer, message),
        402 => {
            let hint =
                "the plan is too small or its monthly quota is used up; it starts anew next month";
            PageError::stop("plan_too_small", what("the plan does not cover the request"), hint)
                .of_class(ErrorClass::Plan)
        }
        404 | 410 => {
            let hint = "the upstream may have changed: look for a newer version";
            PageError::stop("not_found", what("there is no such page"), hint)
                .of_class(ErrorClass::Gone)
        }
        // Some exchanges say 418 to those who go on after 429.
        418 | 429 => too_many_requests(title, answer, message),
        451 => {
            let hint = "the upstream does not serve this country";
            PageError::stop("unavailable_here", what("access is refused for legal reasons"), hint)
        }
        408 | 425 | 500..=599 => {
            let hint = "the upstream has a problem; the schedule asks again";
            PageError::retry("server_error", what("the server failed"), hint)
                .after(answer.retry_after)
        }
        400..=499 => {
            let hint = "the upstream may have changed: look for a newer version";
            PageError::stop("request_refused", what("the request is refused"), hint)
        }
        _ => {
            let hint = "something between here and the upstream may have answered in its place";
            PageError::retry("unexpected_status", what("the status is unexpected"), hint)
        }
    }
}

/// One sentence of what happened, with the upstream's own words behind it.
pub(crate) fn said(title: &str, what: &str, message: &str) -> String {
    if message.is_empty() {
        format!("{title}: {what}")
    } else {
        format!("{title}: {what}: {message}")
    }
}
