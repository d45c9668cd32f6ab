//! Whether an answer is one that may be given, whatever was sent.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::Answer;
use super::places::{Part, Place};

/// The code of every problem, with its status.
pub(super) type Codes = BTreeMap<String, u16>;

/// What only a database or this program itself says; no text that is sent holds any of it.
const INSIDE: [&str; 14] = [
    "syntax error",
    "SQLSTATE",
    "no such table",
    "no such column",
    "unrecognized token",
    "unterminated quoted",
    "SQL logic error",
    "constraint failed",
    "violates ",
    "invalid byte sequence",
    "rusqlite",
    "tokio_postgres",
    "panicked at",
    ".rs:",
];

/// Checks an answer to a request with `text` at a place.
pub(super) fn judge(
    place: &Place,
    text: &str,
    answer: &Answer,
    codes: &Codes,
) -> Result<(), String> {
    status(place, answer, codes)?;
    request_id(place, text, answer)?;
    headers(text, answer)?;
    body(text, answer)
}

pub(super) fn ensure(holds: bool, why: impl Into<String>) -> Result<(), String> {
    holds.then_some(()).ok_or_else(|| why.into())
}

/// The problem in an answer, which is complete.
fn problem(answer: &Answer) -> Result<Value, String> {
    let is = |name: &str, value: &str| answer.headers.get(name).is_some_and(|it| it == value);
    ensure(is("content-type", "application/problem+json"), "an error is no problem+json")?;
    let problem: Value =
        serde_json::from_slice(&answer.body).map_err(|error| format!("no JSON: {error}"))?;
    for member in ["type", "title", "detail", "hint", "code", "request_id"] {
        let text = problem[member].as_str().unwrap_or_default();
        ensure(!text.is_empty(), format!("the problem has no {member}"))?;
    }
    ensure(problem["status"] == answer.status, "the problem has another status")?;
    ensure(problem["api_latency_ms"].is_number(), "the problem has no api_latency_ms")?;
    ensure(problem["errors"].is_array(), "the problem has no errors")?;
    ensure(
        problem["request_id"].as_str().is_some_and(|id| is("x-request-id", id)),
        "the problem has another request id than the header",
    )?;
    Ok(problem)
}

fn status(place: &Place, answer: &Answer, codes: &Codes) -> Result<(), String> {
    let (status, answers) = (answer.status, &place.operation.answers);
    if answer.headers.contains_key("content-encoding") {
        return ensure(answers.contains(&status.to_string()), "the status is not described");
    }
    if status < 400 {
        return ensure(answers.contains(&status.to_string()), "the status is not described");
    }
    let problem = problem(answer)?;
    let code = problem["code"].as_str().unwrap_or_default();
    ensure(
        codes.get(code) == Some(&status),
        "the code of the problem is not known, or has another status",
    )?;
    ensure(
        answers.contains(&status.to_string()) || answers.contains("default"),
        "the status is not described",
    )?;
    // The one cause that a request itself brings: everything else is there.
    let waits = place.part == Part::Header("X-Min-Generation".to_owned())
        && code == "generation_not_reached";
    ensure(status < 500 || waits, "the server failed")
}

/// The client's own id where it has the form of one, else one of ours.
fn request_id(place: &Place, text: &str, answer: &Answer) -> Result<(), String> {
    let mut ids = answer.headers.get_all("x-request-id").iter();
    let id = ids.next().and_then(|id| id.to_str().ok()).ok_or("there is no request id")?;
    ensure(ids.next().is_none(), "there are two request ids")?;
    let taken_over = place.part == Part::Header("X-Request-ID".to_owned())
        && (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    match taken_over {
        true => ensure(id == text, "the request id is not the one that was sent"),
        false => ensure(uuid::Uuid::parse_str(id).is_ok(), "the request id is none of ours"),
    }
}

/// No header tells what was sent, but for the request id.
fn headers(text: &str, answer: &Answer) -> Result<(), String> {
    for name in ["x-injected", "set-cookie"] {
        ensure(!answer.headers.contains_key(name), format!("there is a header {name}"))?;
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain || text.len() < 6 {
        return Ok(());
    }
    let decoded: Vec<u8> = percent_decode_str(text).collect();
    for (name, value) in answer.headers.iter().filter(|(name, _)| *name != "x-request-id") {
        let holds = |part: &[u8]| memchr::memmem::find(value.as_bytes(), part).is_some();
        let sent = holds(text.as_bytes()) || holds(&decoded);
        ensure(!sent, format!("the header {name} tells what was sent"))?;
    }
    Ok(())
}

fn body(text: &str, answer: &Answer) -> Result<(), String> {
    if answer.headers.contains_key("content-encoding") {
        return Ok(());
    }
    let kind = answer.headers.get("content-type").map(|kind| kind.to_str().unwrap_or_default());
    let kind = kind.unwrap_or_default();
    let body = String::from_utf8_lossy(&answer.body);
    if answer.status >= 400 {
        let told = INSIDE.iter().find(|part| body.contains(**part));
        ensure(told.is_none(), format!("the answer speaks of the inside: {told:?}"))?;
    }
    if kind.starts_with("application/json") {
        let json: Result<Value, _> = serde_json::from_slice(&answer.body);
        ensure(json.is_ok(), "the body is not the JSON that it is called")?;
    }
    let marked = kind.contains("html") || kind.contains("xml");
    ensure(!(marked && text.contains('<') && body.contains(text)), "the page holds what was sent")
}
