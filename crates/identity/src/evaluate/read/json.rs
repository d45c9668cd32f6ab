//! JSON as the list endpoints of vendors answer it.

use serde_json::{Map, Value};

use super::super::{InputError, InputFile};

const REMEDY: &str = "give the answer of a list endpoint as it came, or CSV";

/// An object of a list, and its number from 1.
pub(super) struct Entry<'a> {
    file: &'a str,
    /// Its number.
    pub(super) number: u64,
    fields: &'a Map<String, Value>,
}

/// Parses a file.
pub(super) fn parse(file: &InputFile<'_>, bytes: &[u8]) -> Result<Value, InputError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let problem = format!("the JSON cannot be read: {error}");
        let line = u64::try_from(error.line()).unwrap_or_default();
        InputError::file(file.name, problem, REMEDY).at_line(line)
    })
}

/// The objects of a list: an array, or an object whose `data` is one.
pub(super) fn entries<'a>(
    file: &'a InputFile<'_>,
    value: &'a Value,
) -> Result<Vec<Entry<'a>>, InputError> {
    let list = value.as_array().or_else(|| value.get("data")?.as_array());
    let Some(list) = list else {
        let problem = "neither the file nor its field `data` is an array";
        return Err(InputError::file(file.name, problem, REMEDY));
    };
    let entry = |(value, number): (&'a Value, u64)| match value.as_object() {
        Some(fields) => Ok(Entry { file: file.name, number, fields }),
        None => Err(InputError::file(file.name, "it is no object", REMEDY).at_entry(number)),
    };
    list.iter().zip(1..).map(entry).collect()
}

impl<'a> Entry<'a> {
    /// A field; `None` where it is absent or null.
    pub(super) fn get(&self, field: &str) -> Option<&'a Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// An error about a field.
    pub(super) fn wrong(&self, field: &str, problem: String, remedy: &str) -> InputError {
        InputError::file(self.file, problem, remedy).at_entry(self.number).about(field)
    }

    /// A text, or a number as text (CoinMarketCap's ids); `None` where it is absent, null or empty.
    pub(super) fn text(&self, field: &str) -> Result<Option<String>, InputError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => {
                Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
            }
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => {
                let problem = format!("{} is no text", kind_of(other));
                Err(self.wrong(field, problem, REMEDY))
            }
        }
    }

    /// A field that must be in the object, though it may be empty.
    pub(super) fn need(&self, field: &str) -> Result<(), InputError> {
        if self.fields.contains_key(field) {
            return Ok(());
        }
        Err(self.wrong(field, "the field is missing".to_owned(), REMEDY))
    }
}

/// What sort of value it is, for errors.
pub(super) const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
