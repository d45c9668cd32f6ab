//! Reading plans, so that whatever is wrong is named by its field.

use serde_json::{Map, Value};

use crate::path::Path;

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Where, for example `rules[2].probability`.
    pub(crate) field: String,
    /// What is wrong there.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: &'static str,
}

/// What stands for the document as a whole.
pub(crate) const WHOLE: &str = "the plan";

pub(crate) fn wrong(
    field: impl Into<String>,
    message: impl Into<String>,
    hint: &'static str,
) -> Wrong {
    Wrong { field: field.into(), message: message.into(), hint }
}

/// The fields of an object that were not read yet.
pub(crate) struct Fields {
    /// What stands before a field's name in messages.
    pub(crate) place: String,
    pub(crate) fields: Map<String, Value>,
}

impl Fields {
    pub(crate) fn name(&self, field: &str) -> String {
        format!("{}{field}", self.place)
    }

    pub(crate) fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field)
    }

    /// Refuses whatever was not read.
    pub(crate) fn end(&self, hint: &'static str) -> Result<(), Wrong> {
        match self.fields.keys().next() {
            Some(field) => Err(wrong(self.name(field), "is not known", hint)),
            None => Ok(()),
        }
    }

    pub(crate) fn number(&mut self, field: &str) -> Result<Option<u64>, Wrong> {
        let Some(value) = self.take(field) else {
            return Ok(None);
        };
        let hint = "write a whole number from 0 on, without quotes";
        let number = value.as_u64();
        number
            .map(Some)
            .ok_or_else(|| wrong(self.name(field), format!("is {value}, not a count"), hint))
    }

    pub(crate) fn path(&mut self) -> Result<Path, Wrong> {
        let hint = "write a path like \"/v1/tickers\", or its beginning and a *, like \"/v1/*\"";
        let name = self.name("path");
        let text = match self.take("path") {
            Some(Value::String(text)) => text,
            Some(value) => return Err(wrong(name, format!("is {value}, not a text"), hint)),
            None => return Err(wrong(name, "is missing", hint)),
        };
        if text.starts_with("/_sim") {
            let hint = "name a path of an upstream; the simulator's own paths know no rules";
            return Err(wrong(name, format!("is {text:?}"), hint));
        }
        Path::read(&text)
            .ok_or_else(|| wrong(name, format!("is {text:?}, which no path matches"), hint))
    }

    /// A number from 0 to 1.
    pub(crate) fn part(&mut self, field: &str, hint: &'static str) -> Result<Option<f64>, Wrong> {
        let Some(value) = self.take(field) else {
            return Ok(None);
        };
        let number = value.as_f64().filter(|number| (0.0..=1.0).contains(number));
        number.map(Some).ok_or_else(|| wrong(self.name(field), format!("is {value}"), hint))
    }

    /// A text.
    pub(crate) fn text(
        &mut self,
        field: &str,
        hint: &'static str,
    ) -> Result<Option<String>, Wrong> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(value) => Err(wrong(self.name(field), format!("is {value}, not a text"), hint)),
        }
    }

    /// One of these words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        field: &str,
        words: &[(&str, T)],
        hint: &'static str,
    ) -> Result<Option<T>, Wrong> {
        let Some(given) = self.text(field, hint)? else {
            return Ok(None);
        };
        let found = words.iter().find(|(word, _)| *word == given);
        let wrong = || wrong(self.name(field), format!("is {given:?}"), hint);
        found.map(|(_, meant)| Some(*meant)).ok_or_else(wrong)
    }

    /// Refuses a field that has to be there.
    pub(crate) fn missing(&self, field: &str, hint: &'static str) -> Wrong {
        wrong(self.name(field), "is missing", hint)
    }

    /// A switch that only stands where it is on.
    pub(crate) fn switch(&mut self, field: &str) -> Result<bool, Wrong> {
        match self.take(field) {
            None => Ok(false),
            Some(Value::Bool(true)) => Ok(true),
            Some(value) => {
                Err(wrong(self.name(field), format!("is {value}"), "write true, or take it out"))
            }
        }
    }

    /// An object of texts; numbers and true and false are taken as they are written.
    pub(crate) fn texts(&mut self, field: &str) -> Result<Vec<(String, String)>, Wrong> {
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
}
