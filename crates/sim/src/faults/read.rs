//! Reading a fault plan, so that whatever is wrong is named by its field.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use super::plan::{Effect, FaultPlan, Path, Rule};

/// What is wrong with a fault plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {message}")]
pub struct FaultPlanError {
    /// Where, for example `rules[2].probability`; `the plan` for the document as a whole.
    pub field: String,
    /// What is wrong there.
    pub message: String,
    /// What to do about it.
    pub hint: &'static str,
}

const WHOLE: &str = "the plan";
const PLAN_HINT: &str = "write {\"seed\": 1, \"rules\": [{\"path\": \"/v1/*\", \"status\": 503}]} or only the array of rules; \
     an empty array ends all faults";
const RULE_FIELDS: &str = "a rule has path, query, from, times, probability and one of status (with headers and body), \
     delay_ms, truncate_bytes, reset, html, replace, empty";
const ONE_EFFECT: &str =
    "give each rule exactly one of status, delay_ms, truncate_bytes, reset, html, replace, empty";

/// Fields of which a rule has exactly one.
const EFFECTS: [&str; 7] =
    ["status", "delay_ms", "truncate_bytes", "reset", "html", "replace", "empty"];

impl FaultPlan {
    /// Reads a plan: `{"seed": N, "rules": [...]}`, or only the array of rules.
    ///
    /// # Errors
    /// The text is no JSON, or a field is missing, unknown or has a value that makes no sense; the first
    /// one found is named.
    pub fn parse(text: &[u8]) -> Result<Self, FaultPlanError> {
        let whole = |message: String| wrong(WHOLE, message, PLAN_HINT);
        let document: Value =
            serde_json::from_slice(text).map_err(|error| whole(format!("is no JSON: {error}")))?;
        let (seed, rules) = match document {
            Value::Array(rules) => (Self::USUAL_SEED, rules),
            Value::Object(fields) => {
                let mut fields = Fields { place: String::new(), fields };
                let seed = fields.number("seed")?.unwrap_or(Self::USUAL_SEED);
                let rules = match fields.take("rules") {
                    Some(Value::Array(rules)) => rules,
                    Some(_) => return Err(wrong("rules", "is no array", PLAN_HINT)),
                    None => return Err(wrong("rules", "is missing", PLAN_HINT)),
                };
                fields.end("a plan has only seed and rules")?;
                (seed, rules)
            }
            _ => return Err(whole("is neither an object nor an array".to_owned())),
        };
        let rules = rules.into_iter().enumerate().map(|(place, rule)| read_rule(place, rule));
        Ok(Self { seed, rules: rules.collect::<Result<_, _>>()? })
    }
}

fn wrong(
    field: impl Into<String>,
    message: impl Into<String>,
    hint: &'static str,
) -> FaultPlanError {
    FaultPlanError { field: field.into(), message: message.into(), hint }
}

fn read_rule(place: usize, rule: Value) -> Result<Rule, FaultPlanError> {
    let place = format!("rules[{place}]");
    let Value::Object(text) = rule else {
        return Err(wrong(place, "is no object", RULE_FIELDS));
    };
    let mut fields = Fields { place: format!("{place}."), fields: text.clone() };
    let path = fields.path()?;
    let query = fields.texts("query")?;
    let from = fields.number("from")?.unwrap_or(0);
    let times = fields.number("times")?;
    let probability = fields.probability()?;
    let given: Vec<&str> =
        EFFECTS.into_iter().filter(|name| fields.fields.contains_key(*name)).collect();
    let effect = match given.as_slice() {
        [name] => fields.effect(name)?,
        [] => {
            // A misspelt effect is better told as the unknown field that it is.
            fields.end(RULE_FIELDS)?;
            return Err(wrong(place, "says nothing that happens", ONE_EFFECT));
        }
        [first, second, ..] => {
            let message = format!("cannot stand beside {first}");
            return Err(wrong(fields.name(second), message, ONE_EFFECT));
        }
    };
    for name in ["headers", "body"] {
        if fields.fields.contains_key(name) {
            let hint = "take it out, or give the rule a status";
            return Err(wrong(fields.name(name), "belongs to a status", hint));
        }
    }
    fields.end(RULE_FIELDS)?;
    Ok(Rule { path, query, from, times, probability, effect, text })
}

/// The fields of an object that were not read yet.
struct Fields {
    /// What stands before a field's name in messages.
    place: String,
    fields: Map<String, Value>,
}

impl Fields {
    fn name(&self, field: &str) -> String {
        format!("{}{field}", self.place)
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field)
    }

    /// Refuses whatever was not read.
    fn end(&self, hint: &'static str) -> Result<(), FaultPlanError> {
        match self.fields.keys().next() {
            Some(field) => Err(wrong(self.name(field), "is not known", hint)),
            None => Ok(()),
        }
    }

    fn number(&mut self, field: &str) -> Result<Option<u64>, FaultPlanError> {
        let Some(value) = self.take(field) else {
            return Ok(None);
        };
        let hint = "write a whole number from 0 on, without quotes";
        let number = value.as_u64();
        number
            .map(Some)
            .ok_or_else(|| wrong(self.name(field), format!("is {value}, not a count"), hint))
    }

    fn path(&mut self) -> Result<Path, FaultPlanError> {
        let hint = "write a path like \"/v1/tickers\", or its beginning and a *, like \"/v1/*\"";
        let name = self.name("path");
        let text = match self.take("path") {
            Some(Value::String(text)) => text,
            Some(value) => return Err(wrong(name, format!("is {value}, not a text"), hint)),
            None => return Err(wrong(name, "is missing", hint)),
        };
        let (start, is_prefix) = match text.strip_suffix('*') {
            Some(start) => (start, true),
            None => (text.as_str(), false),
        };
        if start.contains(['*', '?']) || !(start.starts_with('/') || text == "*") {
            return Err(wrong(name, format!("is {text:?}, which no path matches"), hint));
        }
        if start.starts_with("/_sim") {
            let hint = "name a path of an upstream; the simulator's own paths know no faults";
            return Err(wrong(name, format!("is {text:?}"), hint));
        }
        Ok(if is_prefix { Path::Prefix(start.to_owned()) } else { Path::Exact(text) })
    }

    fn probability(&mut self) -> Result<f64, FaultPlanError> {
        let Some(value) = self.take("probability") else {
            return Ok(1.0);
        };
        let hint = "write a number from 0 (never) to 1 (always)";
        let number = value.as_f64().filter(|number| (0.0..=1.0).contains(number));
        number.ok_or_else(|| wrong(self.name("probability"), format!("is {value}"), hint))
    }

    /// An object of texts; numbers and true and false are taken as they are written.
    fn texts(&mut self, field: &str) -> Result<Vec<(String, String)>, FaultPlanError> {
        let hint = "write an object of names and texts, like {\"page\": \"2\"}";
        let name = self.name(field);
        let fields = match self.take(field) {
            None => return Ok(Vec::new()),
            Some(Value::Object(fields)) => fields,
            Some(value) => return Err(wrong(name, format!("is {value}, not an object"), hint)),
        };
        let text = |(key, value): (String, Value)| match value {
            Value::String(text) => Ok((key, text)),
            Value::Number(_) | Value::Bool(_) => Ok((key, value.to_string())),
            value => Err(wrong(format!("{name}.{key}"), format!("is {value}, not a text"), hint)),
        };
        fields.into_iter().map(text).collect()
    }

    fn effect(&mut self, name: &str) -> Result<Effect, FaultPlanError> {
        Ok(match name {
            "status" => self.status()?,
            "delay_ms" => {
                let delay = Duration::from_millis(self.number(name)?.unwrap_or(0));
                Effect::Delay(delay.min(FaultPlan::MAX_DELAY))
            }
            "truncate_bytes" => {
                let bytes = self.number(name)?.unwrap_or(0);
                Effect::Truncate(usize::try_from(bytes).unwrap_or(usize::MAX))
            }
            "replace" => self.replace()?,
            "reset" => self.switch(name, Effect::Reset)?,
            "html" => self.switch(name, Effect::Html)?,
            _ => self.switch(name, Effect::Empty)?,
        })
    }

    fn switch(&mut self, name: &str, effect: Effect) -> Result<Effect, FaultPlanError> {
        match self.take(name) {
            Some(Value::Bool(true)) => Ok(effect),
            value => {
                let message = format!("is {}", value.unwrap_or_default());
                Err(wrong(self.name(name), message, "write true, or take the rule out"))
            }
        }
    }

    fn status(&mut self) -> Result<Effect, FaultPlanError> {
        let hint = "write a status from 200 to 599";
        let given = self.take("status").unwrap_or_default();
        let number = given.as_u64().and_then(|number| u16::try_from(number).ok());
        let status = number.filter(|number| (200..=599).contains(number));
        let status = status.and_then(|number| StatusCode::from_u16(number).ok());
        let status =
            status.ok_or_else(|| wrong(self.name("status"), format!("is {given}"), hint))?;
        let headers = self.headers()?;
        let body = match self.take("body") {
            None => None,
            Some(Value::String(body)) => Some(body),
            Some(_) => {
                let hint = "write the body as one text, JSON too: \"{\\\"error\\\":\\\"...\\\"}\"";
                return Err(wrong(self.name("body"), "is not a text", hint));
            }
        };
        Ok(Effect::Status { status, headers, body })
    }

    fn headers(&mut self) -> Result<HeaderMap, FaultPlanError> {
        let mut headers = HeaderMap::new();
        for (name, value) in self.texts("headers")? {
            let place = || self.name(&format!("headers.{name}"));
            let hint = "write a header as HTTP allows it, like \"Retry-After\": \"30\"";
            let header = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(&value).ok());
            let (header, value) = header.ok_or_else(|| wrong(place(), "is no header", hint))?;
            if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(&header) {
                let hint = "take it out; truncate_bytes makes a body shorter than it should be";
                return Err(wrong(place(), "is told by the body", hint));
            }
            headers.append(header, value);
        }
        Ok(headers)
    }

    fn replace(&mut self) -> Result<Effect, FaultPlanError> {
        let hint =
            "write {\"find\": TEXT, \"with\": TEXT}, two texts of which the first is not empty";
        let name = self.name("replace");
        let Some(Value::Object(fields)) = self.take("replace") else {
            return Err(wrong(name, "is no object", hint));
        };
        let mut inner = Fields { place: format!("{name}."), fields };
        let mut text = |field: &str| match inner.take(field) {
            Some(Value::String(text)) => Ok(text),
            Some(value) => Err(wrong(inner.name(field), format!("is {value}, not a text"), hint)),
            None => Err(wrong(inner.name(field), "is missing", hint)),
        };
        let (find, with) = (text("find")?, text("with")?);
        if find.is_empty() {
            return Err(wrong(inner.name("find"), "is empty", hint));
        }
        inner.end(hint)?;
        Ok(Effect::Replace { find, with })
    }
}
