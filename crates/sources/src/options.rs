//! Reading the options of a source, so that every refusal names key, value and remedy.

use kasparro_extract::OptionError;
use secrecy::SecretString;
use serde_json::{Map, Value};

/// What stands for a secret in messages.
const MASK: &str = "***";

/// Options whose keys are all known.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    values: Option<&'a Map<String, Value>>,
    secrets: &'static [&'static str],
    /// What stands before a key in messages, for example `files[0].`.
    prefix: String,
}

impl<'a> Options<'a> {
    /// Takes a JSON object, or null for no options.
    pub(crate) fn of(
        options: &'a Value,
        known: &[&str],
        secrets: &'static [&'static str],
    ) -> Result<Self, OptionError> {
        Self::under(String::new(), options, known, secrets)
    }

    /// Takes a JSON object that is itself an option, or part of one.
    pub(crate) fn under(
        prefix: String,
        options: &'a Value,
        known: &[&str],
        secrets: &'static [&'static str],
    ) -> Result<Self, OptionError> {
        let values = match options {
            Value::Object(values) => Some(values),
            Value::Null => None,
            other => {
                return Err(OptionError {
                    key: prefix.trim_end_matches('.').to_owned(),
                    value: other.to_string(),
                    remedy: format!("write a table with the keys {}", known.join(", ")),
                });
            }
        };
        let all = Self { values, secrets, prefix };
        let unknown = values.into_iter().flatten().find(|(key, _)| !known.contains(&key.as_str()));
        match unknown {
            // The value of a mistyped key may be a secret.
            Some((key, _)) => Err(OptionError {
                key: format!("{}{key}", all.prefix),
                value: MASK.to_owned(),
                remedy: format!("is not a known option; known are {}", known.join(", ")),
            }),
            None => Ok(all),
        }
    }

    /// The value of `key`, unless it is absent, null or an empty text.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        let value = self.values?.get(key)?;
        let unset = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        (!unset).then_some(value)
    }

    /// A text, trimmed.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, OptionError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match value.as_str() {
            Some(text) => Ok(Some(text.trim())),
            None => Err(self.refuse(key, "write a text in quotes")),
        }
    }

    /// One of a few texts.
    pub(crate) fn choice<T: Copy>(
        &self,
        key: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, OptionError> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let chosen = choices.iter().find(|(name, _)| *name == text);
        chosen.map(|(_, value)| Some(*value)).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            self.refuse(key, &format!("write {}", names.join(" or ")))
        })
    }

    /// True or false.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, OptionError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        value.as_bool().map(Some).ok_or_else(|| self.refuse(key, "write true or false"))
    }

    /// A secret that can stand in a request header.
    pub(crate) fn secret(&self, key: &str) -> Result<Option<SecretString>, OptionError> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(self.refuse(key, "write the key without blanks and special characters"));
        }
        Ok(Some(SecretString::from(text)))
    }

    /// A refusal of the value of `key`.
    pub(crate) fn refuse(&self, key: &str, remedy: &str) -> OptionError {
        let value = self.values.and_then(|values| values.get(key));
        let shown = if self.secrets.contains(&key) {
            MASK.to_owned()
        } else {
            value.map_or_else(|| "(not set)".to_owned(), Value::to_string)
        };
        OptionError {
            key: format!("{}{key}", self.prefix),
            value: shown,
            remedy: remedy.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn i9_no_refusal_shows_a_secret() {
        let options = json!({"api_key": "CANARY with blank"});
        let options = Options::of(&options, &["api_key"], &["api_key"]).unwrap();
        assert!(!options.secret("api_key").unwrap_err().to_string().contains("CANARY"));

        let mistyped = json!({"api-key": "CANARY"});
        let error = Options::of(&mistyped, &["api_key"], &["api_key"]).unwrap_err();
        assert!(!error.to_string().contains("CANARY"));
        assert!(error.remedy.contains("api_key"));
    }

    #[test]
    fn empty_texts_and_null_count_as_not_set() {
        let options = json!({"a": " ", "b": null, "c": "x "});
        let options = Options::of(&options, &["a", "b", "c"], &[]).unwrap();
        assert_eq!(options.text("a").unwrap(), None);
        assert_eq!(options.text("b").unwrap(), None);
        assert_eq!(options.text("c").unwrap(), Some("x"));
    }
}
