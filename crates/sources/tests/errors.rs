//! What each answer of the vendors that is no page comes to: code, whose fault it is, and whether asking
//! again can help.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use kasparro_extract::ErrorClass::{self, Gone, Key, Other, Plan, RateLimited, Transient};
use kasparro_extract::{Answer, PageError, Remedy, Source};
use serde_json::json;

/// What comes of a status, whoever sends it and whatever is in the body, as long as that says no more.
const STATUSES: [(u16, u16, &str, ErrorClass); 20] = [
    (100, 199, "unexpected_status", Transient),
    (201, 399, "unexpected_status", Transient),
    (400, 400, "request_refused", Other),
    (401, 401, "key_refused", Key),
    (402, 402, "plan_too_small", Plan),
    (403, 403, "key_refused", Key),
    (404, 404, "not_found", Gone),
    (405, 407, "request_refused", Other),
    (408, 408, "server_error", Transient),
    (409, 409, "request_refused", Other),
    (410, 410, "not_found", Gone),
    (411, 417, "request_refused", Other),
    (418, 418, "rate_limited", RateLimited),
    (419, 424, "request_refused", Other),
    (425, 425, "server_error", Transient),
    (426, 428, "request_refused", Other),
    (429, 429, "rate_limited", RateLimited),
    (430, 450, "request_refused", Other),
    (451, 451, "unavailable_here", Other),
    (452, 499, "request_refused", Other),
];

fn expected(status: u16) -> (&'static str, ErrorClass) {
    let found = STATUSES.iter().find(|(from, to, ..)| (*from..=*to).contains(&status));
    found.map_or(("server_error", Transient), |(_, _, code, class)| (code, *class))
}

const RETRY_AFTER: Duration = Duration::from_secs(42);

fn vendors() -> [(&'static str, Arc<dyn Source>); 2] {
    ["coingecko", "coinpaprika"].map(|name| {
        let source = kasparro_sources::build(name, json!({"api_key": "k"})).unwrap();
        (name, source)
    })
}

fn judged(source: &dyn Source, status: u16, body: &str) -> Option<PageError> {
    let answer = Answer {
        status,
        content_type: None,
        retry_after: Some(RETRY_AFTER),
        head: body.as_bytes(),
    };
    source.judge(answer).err()
}

/// Asking again is the remedy exactly where waiting may help.
fn consistent(error: &PageError) -> bool {
    let temporary = matches!(error.class, Transient | RateLimited);
    let remedied = match error.remedy {
        Remedy::Retry { .. } => temporary,
        Remedy::Stop => !temporary,
    };
    remedied && !error.hint.is_empty()
}

#[test]
fn n15_every_status_has_one_code_and_class_whoever_sends_it() {
    let silent = ["", "{}", "[]", "\u{feff} ", "nothing to say", "{\"status\":null}", "{\"err"];
    let speaking = ["{\"error\":\"no\"}", "{\"status\":{\"error_message\":\"no\"}}"];
    for (name, source) in vendors() {
        for status in (100..=599).filter(|status| *status != 200) {
            for body in silent.into_iter().chain(speaking) {
                let error = judged(source.as_ref(), status, body).unwrap();
                let told = format!("{name} {status} {body}: {error:?}");
                assert_eq!((error.code, error.class), expected(status), "{told}");
                assert!(consistent(&error), "{told}");
            }
        }
    }
}

#[test]
fn n15_a_firewall_s_page_is_not_the_key_s_fault() {
    let page = "<!DOCTYPE html><html><title>Attention Required! | Cloudflare</title></html>";
    for (name, source) in vendors() {
        for status in (100..=599).filter(|status| *status != 200) {
            let error = judged(source.as_ref(), status, page).unwrap();
            let blocked = [401, 403].contains(&status);
            let wanted = if blocked { ("blocked", Other) } else { expected(status) };
            assert_eq!((error.code, error.class), wanted, "{name} {status}");
            assert!(consistent(&error), "{name} {status}");
        }
        let portal = judged(source.as_ref(), 200, page).unwrap();
        assert_eq!((portal.code, portal.class), ("not_json", Transient), "{name}");
    }
}

#[test]
fn i10_the_delay_that_an_upstream_asks_for_is_handed_on() {
    for (name, source) in vendors() {
        for status in [408, 418, 425, 429, 500, 503, 520, 526] {
            let error = judged(source.as_ref(), status, "").unwrap();
            let remedy = Remedy::Retry { after: Some(RETRY_AFTER) };
            assert_eq!(error.remedy, remedy, "{name} {status}");
        }
    }
}

#[test]
fn n16_each_code_of_coingecko_is_known_in_every_shape_and_under_every_status() {
    let [(_, source), _] = vendors();
    for (code, name, class) in [
        (429, "rate_limited", RateLimited),
        (1020, "blocked", Other),
        (10002, "key_missing", Key),
        (10005, "plan_too_small", Plan),
        (10010, "wrong_key_kind", Key),
        (10011, "wrong_key_kind", Key),
        (10012, "plan_too_small", Plan),
    ] {
        for body in [
            format!("{{\"status\":{{\"error_code\":{code},\"error_message\":\"no\"}}}}"),
            format!(
                "{{\"error\":{{\"status\":{{\"timestamp\":\"2024-06-01T00:00:00Z\",\"error_code\":{code}}}}}}}"
            ),
            format!("{{\"error_code\":{code},\"error\":\"no\"}}"),
        ] {
            for status in [200, 400, 401, 403, 429, 500] {
                let error = judged(source.as_ref(), status, &body).unwrap();
                assert_eq!((error.code, error.class), (name, class), "{status} {body}");
                assert!(consistent(&error), "{status} {body}");
            }
        }
    }
}

#[test]
fn n16_a_status_that_coingecko_writes_into_a_good_answer_counts_as_one() {
    let [(_, source), _] = vendors();
    for status in 400..=599 {
        let body = format!("{{\"status\":{{\"error_code\":{status},\"error_message\":\"no\"}}}}");
        let error = judged(source.as_ref(), 200, &body).unwrap();
        assert_eq!((error.code, error.class), expected(status), "{status}");
    }
    for code in [0, 399, 600, 10_999, u64::MAX] {
        let body = format!("{{\"status\":{{\"error_code\":{code}}}}}");
        let error = judged(source.as_ref(), 200, &body).unwrap();
        assert_eq!((error.code, error.class), ("upstream_error", Other), "{code}");
    }
}

#[test]
fn n16_an_error_of_coinpaprika_in_a_good_answer_is_recognised() {
    let [_, (_, source)] = vendors();
    for (body, code, class) in [
        ("{\"error\":\"you have reached maximum request limit\"}", "rate_limited", RateLimited),
        ("{\"error\":\"Monthly request limit exceeded\"}", "quota_used_up", Plan),
        ("{\"error\":\"id not found\"}", "upstream_error", Other),
        ("{\"error\":{}}", "upstream_error", Other),
    ] {
        let error = judged(source.as_ref(), 200, body).unwrap();
        assert_eq!((error.code, error.class), (code, class), "{body}");
        assert!(consistent(&error), "{body}");
    }
    assert_eq!(judged(source.as_ref(), 200, "[]"), None);
}

#[test]
fn a_month_that_is_used_up_is_not_waited_for_and_a_busy_minute_is() {
    for (message, used_up) in [
        ("You've reached your monthly call limit.", true),
        ("Monthly API credits exhausted", true),
        ("The quota of this month is used up", true),
        ("You've exceeded the Rate Limit. Subscribe for 500k calls a month.", false),
        ("You exceeded 30 calls per minute; larger plans have more monthly credits", false),
        ("Throttled", false),
        ("", false),
    ] {
        for (name, source) in vendors() {
            for body in [
                format!("{{\"error\":\"{message}\"}}"),
                format!("{{\"status\":{{\"error_code\":429,\"error_message\":\"{message}\"}}}}"),
            ] {
                // CoinPaprika knows the first shape alone.
                if name == "coinpaprika" && body.contains("error_code") {
                    continue;
                }
                let error = judged(source.as_ref(), 429, &body).unwrap();
                let wanted =
                    if used_up { ("quota_used_up", Plan) } else { ("rate_limited", RateLimited) };
                assert_eq!((error.code, error.class), wanted, "{name} {body}");
                assert!(consistent(&error), "{name} {body}");
            }
        }
    }
}

#[test]
fn an_address_of_the_user_s_that_is_closed_says_nothing_about_the_others() {
    for (name, options) in [
        ("csv", json!({"paths": "https://example.com/a.csv"})),
        ("feed", json!({"urls": "https://example.com/rss"})),
    ] {
        let source = kasparro_sources::build(name, options).unwrap();
        for status in [401, 403] {
            let error = judged(source.as_ref(), status, "closed").unwrap();
            assert_eq!((error.code, error.class), ("access_refused", Other), "{name} {status}");
            assert!(consistent(&error) && !error.hint.contains("api_key"), "{name} {status}");
        }
    }
}
