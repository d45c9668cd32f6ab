//! Whom we ask: one file per source.
//!
//! [`registry`] is the table of contents. Adding a source is one file here, one entry there and one
//! folder under `fixtures/`, over which the conformance suite runs every rule.

mod address;
mod answers;
mod coingecko;
mod coinpaprika;
mod csv;
mod feed;
mod fields;
mod options;

use std::borrow::Borrow;
use std::sync::Arc;

use kasparro_extract::{OptionError, Source, SourceSpec};
use serde_json::Value;

use options::Options;

/// A small hand-made table of well-known assets, for a start without configuration.
pub const SAMPLE_CSV: &str = include_str!("../samples/assets.csv");

/// One source that can be configured.
#[derive(Debug)]
pub struct Entry {
    spec: &'static SourceSpec,
    option_keys: &'static [&'static str],
    build: fn(&Options<'_>) -> Result<Arc<dyn Source>, OptionError>,
}

impl Entry {
    /// The source's name in configuration, API and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.spec.name
    }

    /// What is fixed about the source.
    #[must_use]
    pub const fn spec(&self) -> &'static SourceSpec {
        self.spec
    }

    /// Every option it takes.
    #[must_use]
    pub const fn option_keys(&self) -> &'static [&'static str] {
        self.option_keys
    }

    /// Builds the source from its options, a JSON object; an empty text counts as not set.
    ///
    /// # Errors
    /// [`OptionError`] for an option that is unknown or cannot be used.
    pub fn build(&self, options: &Value) -> Result<Arc<dyn Source>, OptionError> {
        let options = Options::of(options, self.option_keys, self.spec.secret_options)?;
        (self.build)(&options)
    }
}

static REGISTRY: &[Entry] = &[
    Entry { spec: &coingecko::SPEC, option_keys: coingecko::OPTION_KEYS, build: coingecko::build },
    Entry {
        spec: &coinpaprika::SPEC,
        option_keys: coinpaprika::OPTION_KEYS,
        build: coinpaprika::build,
    },
    Entry { spec: &csv::SPEC, option_keys: csv::OPTION_KEYS, build: csv::build },
    Entry { spec: &feed::SPEC, option_keys: feed::OPTION_KEYS, build: feed::build },
];

/// Every source, sorted by name.
#[must_use]
pub fn registry() -> &'static [Entry] {
    REGISTRY
}

/// The names of all sources, sorted.
#[must_use]
pub fn names() -> Vec<&'static str> {
    REGISTRY.iter().map(Entry::name).collect()
}

/// What is fixed about all sources, sorted by name.
#[must_use]
pub fn specs() -> Vec<&'static SourceSpec> {
    REGISTRY.iter().map(Entry::spec).collect()
}

/// The options that the source `name` takes; none for an unknown name.
#[must_use]
pub fn option_keys(name: &str) -> &'static [&'static str] {
    REGISTRY.iter().find(|entry| entry.name() == name).map_or(&[], Entry::option_keys)
}

/// Builds the source `name` from its options, a JSON object.
///
/// # Errors
/// [`OptionError`] for an unknown name, and for an option that is unknown or cannot be used.
pub fn build(name: &str, options: impl Borrow<Value>) -> Result<Arc<dyn Source>, OptionError> {
    let entry = REGISTRY.iter().find(|entry| entry.name() == name).ok_or_else(|| OptionError {
        key: "source".to_owned(),
        value: name.to_owned(),
        remedy: format!("write one of {}", names().join(", ")),
    })?;
    entry.build(options.borrow())
}

/// The options of the source `name` as they may be stored: without those that are secrets, and without the
/// keys in the query of addresses.
#[must_use]
pub fn public_options(name: &str, options: &Value) -> Value {
    let secrets = spec_of(name).map_or(&[][..], |spec| spec.secret_options);
    let mut public = options.clone();
    if let Some(members) = public.as_object_mut() {
        members.retain(|option, _| !secrets.contains(&option.as_str()));
        members.values_mut().for_each(hide_keys);
    }
    public
}

fn spec_of(name: &str) -> Option<&'static SourceSpec> {
    specs().into_iter().find(|spec| spec.name == name)
}

fn hide_keys(value: &mut Value) {
    match value {
        Value::String(text) => *text = address::without_keys(text),
        Value::Array(values) => values.iter_mut().for_each(hide_keys),
        Value::Object(members) => members.values_mut().for_each(hide_keys),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
