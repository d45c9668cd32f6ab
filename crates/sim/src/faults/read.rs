//! Reading a fault plan, so that whatever is wrong is named by its field.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use super::drift;
use super::plan::{Effect, FaultPlan, Rule};
use crate::fields::{Fields, WHOLE, Wrong, wrong};

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

const PLAN_HINT: &str = "write {\"seed\": 1, \"rules\": [{\"path\": \"/v1/*\", \"status\": 503}]} or only the array of rules; \
     an empty array ends all faults";
const RULE_FIELDS: &str = "a rule has path, query, from, times, probability and one of status (with headers and body), \
     delay_ms, truncate_bytes, reset, html, replace, empty, drift";
const ONE_EFFECT: &str = "give each rule exactly one of status, delay_ms, truncate_bytes, reset, html, replace, empty, drift";

/// Fields of which a rule has exactly one.
const EFFECTS: [&str; 8] =
    ["status", "delay_ms", "truncate_bytes", "reset", "html", "replace", "empty", "drift"];
const PROBABILITY: &str = "write a number from 0 (never) to 1 (always)";

impl FaultPlan {
    /// Reads a plan: `{"seed": N, "rules": [...]}`, or only the array of rules.
    ///
    /// # Errors
    /// The text is no JSON, or a field is missing, unknown or has a value that makes no sense; the first
    /// one found is named.
    pub fn parse(text: &[u8]) -> Result<Self, FaultPlanError> {
        read(text).map_err(FaultPlanError::from)
    }
}

impl From<Wrong> for FaultPlanError {
    fn from(Wrong { field, message, hint }: Wrong) -> Self {
        Self { field, message, hint }
    }
}

fn read(text: &[u8]) -> Result<FaultPlan, Wrong> {
    let whole = |message: String| wrong(WHOLE, message, PLAN_HINT);
    let document: Value =
        serde_json::from_slice(text).map_err(|error| whole(format!("is no JSON: {error}")))?;
    let (seed, rules) = match document {
        Value::Array(rules) => (FaultPlan::USUAL_SEED, rules),
        Value::Object(fields) => {
            let mut fields = Fields { place: String::new(), fields };
            let seed = fields.number("seed")?.unwrap_or(FaultPlan::USUAL_SEED);
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
    Ok(FaultPlan { seed, rules: rules.collect::<Result<_, _>>()? })
}

fn read_rule(place: usize, rule: Value) -> Result<Rule, Wrong> {
    let place = format!("rules[{place}]");
    let Value::Object(text) = rule else {
        return Err(wrong(place, "is no object", RULE_FIELDS));
    };
    let mut fields = Fields { place: format!("{place}."), fields: text.clone() };
    let path = fields.path()?;
    let query = fields.texts("query")?;
    let from = fields.number("from")?.unwrap_or(0);
    let times = fields.number("times")?;
    let probability = fields.part("probability", PROBABILITY)?.unwrap_or(1.0);
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

impl Fields {
    fn effect(&mut self, name: &str) -> Result<Effect, Wrong> {
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
            "drift" => drift::read(self.take(name).unwrap_or_default(), &self.name(name))?,
            "reset" => self.effect_switch(name, Effect::Reset)?,
            "html" => self.effect_switch(name, Effect::Html)?,
            _ => self.effect_switch(name, Effect::Empty)?,
        })
    }

    fn effect_switch(&mut self, name: &str, effect: Effect) -> Result<Effect, Wrong> {
        match self.take(name) {
            Some(Value::Bool(true)) => Ok(effect),
            value => {
                let message = format!("is {}", value.unwrap_or_default());
                Err(wrong(self.name(name), message, "write true, or take the rule out"))
            }
        }
    }

    fn status(&mut self) -> Result<Effect, Wrong> {
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

    fn headers(&mut self) -> Result<HeaderMap, Wrong> {
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

    fn replace(&mut self) -> Result<Effect, Wrong> {
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
