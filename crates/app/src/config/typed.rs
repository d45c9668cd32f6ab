//! Values in effect as the types that the program works with.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::error::ConfigError;
use super::settings::{OFF, Settings, Value};

impl Settings {
    /// A text.
    ///
    /// # Errors
    /// [`ConfigError`] where the key is no text.
    pub(crate) fn text(&self, key: &str) -> Result<String, ConfigError> {
        match self.get(key) {
            Some((Value::Plain(toml::Value::String(text)), _)) => Ok(text.clone()),
            Some((Value::Secret(secret), _)) => Ok(secret.expose_secret().to_owned()),
            _ => Err(self.refuse(key, "is no text", "write it in quotes")),
        }
    }

    /// True or false.
    ///
    /// # Errors
    /// [`ConfigError`] where the key is neither.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, ConfigError> {
        match self.get(key) {
            Some((Value::Plain(toml::Value::Boolean(flag)), _)) => Ok(*flag),
            _ => Err(self.refuse(key, "is neither true nor false", "write true or false")),
        }
    }

    /// A list; `None` where the key is none.
    pub(crate) fn list(&self, key: &str) -> Option<&[toml::Value]> {
        match self.get(key) {
            Some((Value::Plain(toml::Value::Array(entries)), _)) => Some(entries),
            _ => None,
        }
    }

    /// A whole number of at least `least`.
    ///
    /// # Errors
    /// [`ConfigError`] for anything else.
    pub(crate) fn number<T: TryFrom<i64> + PartialOrd + std::fmt::Display>(
        &self,
        key: &str,
        least: T,
    ) -> Result<T, ConfigError> {
        if let Some((Value::Plain(toml::Value::Integer(number)), _)) = self.get(key)
            && let Ok(number) = T::try_from(*number)
            && number >= least
        {
            return Ok(number);
        }
        Err(self.refuse(key, "is out of range", &format!("write a whole number from {least} up")))
    }

    /// A whole number from `least` to `most`; `of_most` says what else limits it.
    ///
    /// # Errors
    /// [`ConfigError`] for anything else.
    pub(crate) fn number_within(
        &self,
        key: &str,
        least: usize,
        most: usize,
        of_most: &str,
    ) -> Result<usize, ConfigError> {
        let number = self.number(key, least).ok().filter(|number| *number <= most);
        let remedy = format!("write a whole number from {least} to {most}; {of_most}");
        number.ok_or_else(|| self.refuse(key, "is out of range", &remedy))
    }

    /// A limit: a whole number from 1 up, or `None` where it is off.
    ///
    /// # Errors
    /// [`ConfigError`] for anything else.
    pub(crate) fn limit(&self, key: &str) -> Result<Option<u64>, ConfigError> {
        if self.text(key).is_ok_and(|text| text == OFF) {
            return Ok(None);
        }
        match self.number(key, 1) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.refuse(
                key,
                "is no limit",
                "write a whole number from 1 up, or \"off\" for none",
            )),
        }
    }

    /// A list of texts, each without blanks around it.
    ///
    /// # Errors
    /// [`ConfigError`] where an entry is no text.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        let entries = self.list(key).unwrap_or_default().iter();
        let texts = entries.map(|entry| entry.as_str().map(|text| text.trim().to_owned()));
        let texts: Option<Vec<_>> = texts.collect();
        texts.ok_or_else(|| self.refuse(key, "holds more than texts", "write texts in quotes"))
    }

    /// A duration longer than zero.
    ///
    /// # Errors
    /// [`ConfigError`] for anything else.
    pub(crate) fn duration(&self, key: &str) -> Result<Duration, ConfigError> {
        let duration = self.duration_or_zero(key).ok().filter(|duration| !duration.is_zero());
        duration.ok_or_else(|| {
            self.refuse(key, "is not a duration", "write for example 30s, 15m, 3h or 1d 12h")
        })
    }

    /// A duration, which may be zero.
    ///
    /// # Errors
    /// [`ConfigError`] for anything else.
    pub(crate) fn duration_or_zero(&self, key: &str) -> Result<Duration, ConfigError> {
        read_duration(&self.text(key)?).ok_or_else(|| {
            self.refuse(key, "is not a duration", "write for example 0s, 30s, 15m or 3h")
        })
    }

    /// A duration from `least` to `most`.
    ///
    /// # Errors
    /// [`ConfigError`] for anything else.
    pub(crate) fn duration_within(
        &self,
        key: &str,
        least: Duration,
        most: Duration,
    ) -> Result<Duration, ConfigError> {
        let duration = self.duration(key)?;
        if (least..=most).contains(&duration) {
            return Ok(duration);
        }
        let words = |duration: Duration| {
            jiff::SignedDuration::try_from(duration)
                .map_or_else(|_| String::new(), |span| format!("{span:#}"))
        };
        let remedy = format!("write a duration from {} to {}", words(least), words(most));
        Err(self.refuse(key, "is out of range", &remedy))
    }
}

/// A duration as people write it: `30s`, `15m`, `1d 12h`.
pub(crate) fn read_duration(text: &str) -> Option<Duration> {
    let span = text.parse::<jiff::Span>().ok()?;
    let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(duration).ok()
}
