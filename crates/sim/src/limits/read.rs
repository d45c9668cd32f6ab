//! Reading limits, so that whatever is wrong is named by its field.

use std::path::Path as File;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;

use super::plan::{Counted, HeaderStyle, HiddenLimits, KeyKind, Refusal, RetryAfter, Rule, Window};
use crate::SimError;
use crate::fields::{Fields, WHOLE, Wrong, wrong};
use crate::path::Path;

/// What is wrong with a plan of limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {message}")]
pub struct HiddenLimitsError {
    /// Where, for example `rules[2].span_ms`; `the plan` for the document as a whole.
    pub field: String,
    /// What is wrong there.
    pub message: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl From<Wrong> for HiddenLimitsError {
    fn from(Wrong { field, message, hint }: Wrong) -> Self {
        Self { field, message, hint }
    }
}

const PLAN_HINT: &str = "write {\"rules\": [{\"vendor\": \"coingecko\", \"window\": \"sliding\", \"span_ms\": 60000, \"limit\": 30}]} \
     or only the array of rules; an empty array ends all limits";
const RULE_FIELDS: &str = "a rule has path or vendor, key, window, span_ms, limit, counted, weights, counts_refused, headers, \
     refusal";
const WHICH: &str = "give each rule either a path or a vendor";
const VENDORS: &str = "write coingecko, coinpaprika, csv or feed";
const KEYS: &str = "write keyless, demo or pro, or take it out for all keys";
const WINDOWS: &str = "write sliding, fixed or month";
const SPAN: &str = "write the window's length in milliseconds, from 1 to 31622400000 (366 days)";
const LIMIT: &str = "write how much a window allows, as a whole number";
const COUNTED: &str = "write requests or weight";
const HEADERS: &str = "write an array of x_ratelimit, x_ratelimit_delta, ratelimit and used_weight";
const REFUSAL: &str =
    "write an object with some of status, retry_after, retry_after_seconds and body";
const RETRY_AFTER: &str = "write none, seconds or date";
const STATUS: &str = "write a status from 400 to 599";

/// 366 days.
const MAX_SPAN_MS: u64 = 31_622_400_000;

const VENDOR_PATHS: [(&str, &str); 4] =
    [("coingecko", "/api/v3/*"), ("coinpaprika", "/v1/*"), ("csv", "/csv/*"), ("feed", "/feed/*")];

impl HiddenLimits {
    /// Reads limits: `{"rules": [...]}`, or only the array of rules.
    ///
    /// # Errors
    /// The text is no JSON, or a field is missing, unknown or has a value that makes no sense; the first
    /// one found is named.
    pub fn parse(text: &[u8]) -> Result<Self, HiddenLimitsError> {
        read(text).map_err(HiddenLimitsError::from)
    }

    /// Reads limits from a file.
    ///
    /// # Errors
    /// The file cannot be read or is not understood.
    pub fn open(path: &File) -> Result<Self, SimError> {
        let text = std::fs::read(path)
            .map_err(|source| SimError::LimitsUnreadable { path: path.to_owned(), source })?;
        Self::parse(&text)
            .map_err(|source| SimError::LimitsInvalid { path: path.to_owned(), source })
    }
}

fn read(text: &[u8]) -> Result<HiddenLimits, Wrong> {
    let whole = |message: String| wrong(WHOLE, message, PLAN_HINT);
    let document: Value =
        serde_json::from_slice(text).map_err(|error| whole(format!("is no JSON: {error}")))?;
    let rules = match document {
        Value::Array(rules) => rules,
        Value::Object(fields) => {
            let mut fields = Fields { place: String::new(), fields };
            let rules = match fields.take("rules") {
                Some(Value::Array(rules)) => rules,
                Some(_) => return Err(wrong("rules", "is no array", PLAN_HINT)),
                None => return Err(wrong("rules", "is missing", PLAN_HINT)),
            };
            fields.end("limits have only rules")?;
            rules
        }
        _ => return Err(whole("is neither an object nor an array".to_owned())),
    };
    let rules = rules.into_iter().enumerate().map(|(place, rule)| read_rule(place, rule));
    Ok(HiddenLimits { rules: rules.collect::<Result<_, _>>()? })
}

fn read_rule(place: usize, rule: Value) -> Result<Rule, Wrong> {
    let place = format!("rules[{place}]");
    let Value::Object(text) = rule else {
        return Err(wrong(place, "is no object", RULE_FIELDS));
    };
    let mut fields = Fields { place: format!("{place}."), fields: text.clone() };
    let path = match fields.word("vendor", &VENDOR_PATHS, VENDORS)? {
        Some(_) if fields.fields.contains_key("path") => {
            return Err(wrong(fields.name("path"), "cannot stand beside vendor", WHICH));
        }
        Some(path) => Path::read(path).ok_or_else(|| wrong(place, "has no path", WHICH))?,
        None if !fields.fields.contains_key("path") => {
            return Err(wrong(place, "says nothing that it is about", WHICH));
        }
        None => fields.path()?,
    };
    let keys = [("keyless", KeyKind::Keyless), ("demo", KeyKind::Demo), ("pro", KeyKind::Pro)];
    let key = fields.word("key", &keys, KEYS)?;
    let window = read_window(&mut fields)?;
    let limit = fields.number("limit")?.ok_or_else(|| fields.missing("limit", LIMIT))?;
    let words = [("requests", Counted::Requests), ("weight", Counted::Weight)];
    let weights = read_weights(&mut fields)?;
    let usual = if weights.is_empty() { Counted::Requests } else { Counted::Weight };
    let counted = fields.word("counted", &words, COUNTED)?.unwrap_or(usual);
    let counts_refused = fields.switch("counts_refused")?;
    let headers = read_headers(&mut fields)?;
    let refusal = read_refusal(&mut fields)?;
    fields.end(RULE_FIELDS)?;
    Ok(Rule { path, key, window, limit, counted, weights, counts_refused, headers, refusal, text })
}

fn read_window(fields: &mut Fields) -> Result<Window, Wrong> {
    let words = [("sliding", 0), ("fixed", 1), ("month", 2)];
    let Some(kind) = fields.word("window", &words, WINDOWS)? else {
        return Err(fields.missing("window", WINDOWS));
    };
    let span_ms = fields.number("span_ms")?;
    if kind == 2 {
        return match span_ms {
            None => Ok(Window::Month),
            Some(_) => {
                let hint = "take it out; a month is as long as the calendar says";
                Err(wrong(fields.name("span_ms"), "belongs to sliding and fixed", hint))
            }
        };
    }
    let span_ms = span_ms.ok_or_else(|| fields.missing("span_ms", SPAN))?;
    if !(1..=MAX_SPAN_MS).contains(&span_ms) {
        return Err(wrong(fields.name("span_ms"), format!("is {span_ms}"), SPAN));
    }
    let span = Duration::from_millis(span_ms);
    Ok(if kind == 0 { Window::Sliding(span) } else { Window::Fixed(span) })
}

fn read_weights(fields: &mut Fields) -> Result<Vec<(Path, u64)>, Wrong> {
    let hint = "write an object of paths and whole numbers, like {\"/v1/tickers\": 5}";
    let name = fields.name("weights");
    let weights = match fields.take("weights") {
        None => return Ok(Vec::new()),
        Some(Value::Object(weights)) => weights,
        Some(value) => return Err(wrong(name, format!("is {value}, not an object"), hint)),
    };
    let weight = |(path, weight): (String, Value)| {
        let read = Path::read(&path).zip(weight.as_u64());
        read.ok_or_else(|| wrong(format!("{name}.{path}"), format!("is {weight}"), hint))
    };
    weights.into_iter().map(weight).collect()
}

fn read_headers(fields: &mut Fields) -> Result<Vec<HeaderStyle>, Wrong> {
    let name = fields.name("headers");
    let styles = match fields.take("headers") {
        None => return Ok(Vec::new()),
        Some(Value::Array(styles)) => styles,
        Some(value) => return Err(wrong(name, format!("is {value}, not an array"), HEADERS)),
    };
    let style = |style: Value| match style.as_str() {
        Some("x_ratelimit") => Ok(HeaderStyle::XRateLimit),
        Some("x_ratelimit_delta") => Ok(HeaderStyle::XRateLimitDelta),
        Some("ratelimit") => Ok(HeaderStyle::RateLimit),
        Some("used_weight") => Ok(HeaderStyle::UsedWeight),
        _ => Err(wrong(name.clone(), format!("has {style}"), HEADERS)),
    };
    styles.into_iter().map(style).collect()
}

fn read_refusal(fields: &mut Fields) -> Result<Refusal, Wrong> {
    let name = fields.name("refusal");
    let fields = match fields.take("refusal") {
        None => serde_json::Map::new(),
        Some(Value::Object(fields)) => fields,
        Some(value) => return Err(wrong(name, format!("is {value}, not an object"), REFUSAL)),
    };
    let mut fields = Fields { place: format!("{name}."), fields };
    let status = match fields.number("status")? {
        None => None,
        Some(number) => {
            let number = u16::try_from(number).ok().filter(|number| (400..=599).contains(number));
            let status = number.and_then(|number| StatusCode::from_u16(number).ok());
            Some(status.ok_or_else(|| wrong(fields.name("status"), "is none", STATUS))?)
        }
    };
    let words =
        [("none", RetryAfter::None), ("seconds", RetryAfter::Seconds), ("date", RetryAfter::Date)];
    let retry_after = fields.word("retry_after", &words, RETRY_AFTER)?.unwrap_or(RetryAfter::None);
    let wait_s = fields.number("retry_after_seconds")?;
    if wait_s.is_some() && retry_after == RetryAfter::None {
        let hint = "give retry_after too, as seconds or date";
        return Err(wrong(fields.name("retry_after_seconds"), "is not sent", hint));
    }
    let body = fields.text("body", "write the body as one text, JSON too")?;
    fields.end(REFUSAL)?;
    Ok(Refusal { status, retry_after, wait_s, body })
}
