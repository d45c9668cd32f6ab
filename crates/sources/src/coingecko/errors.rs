//! How CoinGecko says that something went wrong: in three JSON shapes and as HTML, also with status 200.

use kasparro_extract::{Answer, ErrorClass, PageError};
use secrecy::SecretString;
use serde_json::Value;

use super::SPEC;
use crate::answers;

/// Recognises an error; `key` is masked in what the vendor says.
pub(super) fn judge(answer: &Answer<'_>, key: Option<&SecretString>) -> Result<(), PageError> {
    let object = answers::object(answer);
    let stated = object.as_ref().and_then(StatedError::of);
    match (answer.status, stated) {
        (200, None) if answers::html(answer) => Err(answers::page_for_answer(SPEC.title)),
        (200, None) => Ok(()),
        (_, None) => Err(answers::status(SPEC.title, answer, "")),
        (_, Some(stated)) => Err(stated.judged(answer, key)),
    }
}

/// An error as the vendor states it.
struct StatedError<'a> {
    code: Option<u64>,
    message: &'a str,
}

impl<'a> StatedError<'a> {
    /// Finds `{"status":{"error_code",…}}`, `{"error":{"status":{"error_code",…}}}` or
    /// `{"error":"…"}`.
    fn of(object: &'a Value) -> Option<Self> {
        let status =
            object.get("status").or_else(|| object.pointer("/error/status")).unwrap_or(object);
        let message = status.get("error_message").or_else(|| object.get("error"));
        let code = status.get("error_code").and_then(Value::as_u64);
        if code.is_none() && message.is_none() {
            return None;
        }
        Some(Self { code, message: message.and_then(Value::as_str).unwrap_or_default() })
    }

    fn judged(&self, answer: &Answer<'_>, key: Option<&SecretString>) -> PageError {
        let message = answers::shown(self.message, key);
        let stop = |class, code, what: &str, hint: &str| {
            PageError::stop(code, answers::said(SPEC.title, what, &message), hint).of_class(class)
        };
        match self.code {
            Some(429) => answers::too_many_requests(SPEC.title, answer, &message),
            Some(1020) => {
                let hint = "a firewall refuses this network; wait a while or try from another one";
                stop(ErrorClass::Other, "blocked", "access is blocked", hint)
            }
            Some(10002) => stop(ErrorClass::Key, "key_missing", "a key is needed", "set api_key"),
            Some(10005) => {
                let hint = "use a key of a plan that covers it";
                let what = "the plan does not cover the request";
                stop(ErrorClass::Plan, "plan_too_small", what, hint)
            }
            Some(10010) => {
                let hint = "set key_kind to \"pro\"";
                stop(ErrorClass::Key, "wrong_key_kind", "this is a pro key", hint)
            }
            Some(10011) => {
                let hint = "set key_kind to \"demo\"";
                stop(ErrorClass::Key, "wrong_key_kind", "this is a demo key", hint)
            }
            Some(10012) => {
                let hint = "neither waiting nor another key of the same plan helps";
                let what = "the time range is not in the plan";
                stop(ErrorClass::Plan, "plan_too_small", what, hint)
            }
            _ if answer.status != 200 => answers::status(SPEC.title, answer, &message),
            Some(code @ 400..=599) => {
                // A status that stands in the body is as good as one before it.
                let status = u16::try_from(code).unwrap_or(answer.status);
                answers::status(SPEC.title, &Answer { status, ..*answer }, &message)
            }
            _ => {
                let hint = "the vendor's message says what is wrong";
                stop(ErrorClass::Other, "upstream_error", "an error instead of a page", hint)
            }
        }
    }
}
