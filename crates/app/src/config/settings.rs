//! The values in effect, key by key, each with where it came from.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::error::{ConfigError, Origin};
use super::mask::mask_value;
use super::reference;

/// What a limit is where there is none.
pub(super) const OFF: &str = "off";

/// What is shown instead of a secret.
pub(crate) const MASK: &str = "********";

/// A value as it was given.
#[derive(Clone)]
pub(crate) enum Value {
    /// Shown, but for what an address may hold of a secret.
    Plain(toml::Value),
    /// Never shown.
    Secret(SecretString),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self).0)
    }
}

/// Every key with its value and origin; later layers replace earlier ones.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    values: BTreeMap<String, (Value, Origin)>,
    secrets: BTreeSet<String>,
    read: RefCell<BTreeSet<String>>,
}

impl Settings {
    /// The defaults; `secrets` are the keys that hold secrets.
    pub(crate) fn defaults(secrets: BTreeSet<String>) -> Self {
        let mut settings = Self { values: BTreeMap::new(), secrets, read: RefCell::default() };
        for known in reference::keys() {
            settings.put(&known.key, known.default.clone(), Origin::Default);
        }
        settings
    }

    /// True when the key holds a secret.
    pub(crate) fn secret(&self, key: &str) -> bool {
        self.secrets.contains(key)
    }

    /// True when the value may stand in a file of its own: that of a secret, and that of an address that
    /// may hold one.
    pub(crate) fn may_stand_in_a_file(&self, key: &str) -> bool {
        self.secret(key) || key == super::database::KEY
    }

    /// Sets a known key to a value of its type.
    ///
    /// # Errors
    /// [`ConfigError`] for an unknown key, and for a value of another type than the default's.
    pub(crate) fn set(
        &mut self,
        key: &str,
        value: toml::Value,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        let Some(known) = reference::find(key) else {
            return Err(unknown(key, origin));
        };
        let a_word = value.as_str().is_some_and(|text| word(key) == Some(text));
        if !same_type(&known.default, &value) && !a_word {
            return Err(ConfigError {
                key: key.to_owned(),
                value: Some(if self.secret(key) { MASK.to_owned() } else { value.to_string() }),
                origin: Some(Box::new(origin)),
                reason: format!("is {}", type_name(&value)),
                remedy: format!("write {}{}", type_name(&known.default), or_word(key)),
            });
        }
        if self.secret(key) && value.as_str().map(str::trim) == Some(MASK) {
            return Err(ConfigError {
                key: key.to_owned(),
                value: Some(format!("\"{MASK}\"")),
                origin: Some(Box::new(origin)),
                reason: "is what is shown instead of a secret, not the secret".to_owned(),
                remedy: "write the secret itself, or leave the key out".to_owned(),
            });
        }
        self.put(key, value, origin);
        Ok(())
    }

    /// Sets a known key from text, read as the type of its default.
    ///
    /// # Errors
    /// [`ConfigError`] for an unknown key, and for text that is not of the type.
    pub(crate) fn set_text(
        &mut self,
        key: &str,
        text: &str,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        let Some(known) = reference::find(key) else {
            return Err(unknown(key, origin));
        };
        let value = match &known.default {
            _ if word(key) == Some(text.trim()) => {
                Some(toml::Value::String(text.trim().to_owned()))
            }
            toml::Value::String(_) => Some(toml::Value::String(text.to_owned())),
            toml::Value::Integer(_) => text.trim().parse().ok().map(toml::Value::Integer),
            toml::Value::Boolean(_) => text.trim().parse().ok().map(toml::Value::Boolean),
            toml::Value::Array(_) => read_list(text),
            _ => format!("value = {text}")
                .parse::<toml::Table>()
                .ok()
                .and_then(|mut table| table.remove("value")),
        };
        match value {
            Some(value) => self.set(key, value, origin),
            None => Err(ConfigError {
                key: key.to_owned(),
                value: Some(if self.secret(key) { MASK.to_owned() } else { text.to_owned() }),
                origin: Some(Box::new(origin)),
                reason: format!("is not {}", type_name(&known.default)),
                remedy: format!("write {}{}", example(&known.default), or_word(key)),
            }),
        }
    }

    fn put(&mut self, key: &str, value: toml::Value, origin: Origin) {
        let value = match value {
            toml::Value::String(text) if self.secret(key) => Value::Secret(text.into()),
            plain => Value::Plain(plain),
        };
        self.values.insert(key.to_owned(), (value, origin));
    }

    /// The value and origin of a key; the key counts as read.
    pub(crate) fn get(&self, key: &str) -> Option<&(Value, Origin)> {
        self.read.borrow_mut().insert(key.to_owned());
        self.values.get(key)
    }

    /// Where the value of a key came from.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        self.values.get(key).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// The keys directly in a section with their values; they count as read.
    pub(crate) fn section(&self, section: &str) -> Vec<(String, Value)> {
        let prefix = format!("{section}.");
        let keys: Vec<String> =
            self.values.keys().filter(|key| key.starts_with(&prefix)).cloned().collect();
        keys.into_iter()
            .filter_map(|key| {
                let value = self.get(&key)?.0.clone();
                Some((key.get(prefix.len()..)?.to_owned(), value))
            })
            .collect()
    }

    /// The refusal of a key's value, which is masked when it is a secret.
    pub(crate) fn refuse(&self, key: &str, reason: &str, remedy: &str) -> ConfigError {
        let found = self.values.get(key);
        ConfigError {
            key: key.to_owned(),
            value: found.map(|(value, _)| shown(value).0),
            origin: found.map(|(_, origin)| Box::new(origin.clone())),
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    #[cfg(test)]
    pub(crate) fn unread(&self) -> Vec<String> {
        let read = self.read.borrow();
        self.values.keys().filter(|key| !read.contains(*key)).cloned().collect()
    }
}

/// A value as it may be shown, in TOML, and whether something of it is masked.
pub(crate) fn shown(value: &Value) -> (String, bool) {
    match value {
        Value::Plain(value) => {
            let mut value = value.clone();
            let hidden = mask_value(&mut value);
            (value.to_string(), hidden)
        }
        Value::Secret(secret) if secret.expose_secret().is_empty() => ("\"\"".to_owned(), false),
        Value::Secret(_) => (format!("\"{MASK}\""), true),
    }
}

/// The text that a key of another type takes as well.
fn word(key: &str) -> Option<&'static str> {
    match key {
        "sources.coingecko.pages" => Some("all"),
        "limits.anonymous" | "limits.keyed" => Some(OFF),
        _ => None,
    }
}

fn or_word(key: &str) -> String {
    word(key).map(|word| format!(", or \"{word}\"")).unwrap_or_default()
}

/// The refusal of a key that does not exist.
pub(crate) fn unknown(key: &str, origin: Origin) -> ConfigError {
    let remedy = match reference::nearest(key) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => "`kasparro config print` lists every key".to_owned(),
    };
    ConfigError {
        key: key.to_owned(),
        value: None,
        origin: Some(Box::new(origin)),
        reason: "is not a known key".to_owned(),
        remedy,
    }
}

// Commas separate plain texts; a list of tables is written as in the file.
fn read_list(text: &str) -> Option<toml::Value> {
    if text.trim_start().starts_with('[') {
        let table = format!("value = {text}").parse::<toml::Table>();
        return table.ok().and_then(|mut table| table.remove("value"));
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    Some(toml::Value::Array(parts.map(|part| toml::Value::String(part.to_owned())).collect()))
}

fn same_type(left: &toml::Value, right: &toml::Value) -> bool {
    std::mem::discriminant(left) == std::mem::discriminant(right)
}

const fn type_name(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::String(_) => "a text in quotes",
        toml::Value::Integer(_) => "a whole number",
        toml::Value::Float(_) => "a number with a fraction",
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a table",
    }
}

const fn example(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::Integer(_) => "digits only, for example 4",
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Array(_) => "entries separated by commas",
        _ => "it as in the default file (`kasparro config print`)",
    }
}
