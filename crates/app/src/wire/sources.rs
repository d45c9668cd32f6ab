//! Sources as they are configured, and as they were configured when their pages were fetched.

use std::path::PathBuf;
use std::sync::Arc;

use kasparro_domain::SourceName;
use kasparro_engine::{EngineSource, SourceBuilder};
use kasparro_extract::Source;
use serde_json::{Map, Value};

use super::store::unwritable;
use crate::config::{Config, ConfigError};
use crate::failure::{Exit, Failure};

/// What stands for an option that says whom to ask where it is not kept with a run: secrets never are, and
/// runs of earlier versions kept none. Reading a page again asks nobody.
fn stand_in(name: &str, option: &str) -> Option<Value> {
    match option {
        secret if secret_options(name).contains(&secret) => Some("absent".into()),
        "paths" => Some(serde_json::json!(["absent.csv"])),
        "urls" => Some(serde_json::json!(["https://absent.invalid/"])),
        _ => None,
    }
}

/// Every source that has something to ask, with its settings, in the order of the registry.
///
/// # Errors
/// [`ConfigError`] for an option that a source refuses.
pub(crate) fn sources(config: &Config) -> Result<Vec<EngineSource>, ConfigError> {
    let asking = config.sources.iter().filter(|source| source.has_something_to_ask);
    asking
        .map(|source| {
            let options = options(config, &source.name);
            Ok(EngineSource {
                source: build(config, &source.name, &options)?,
                enabled: source.enabled,
                schedule: source.schedule.clone(),
                lists: source.lists.clone(),
                stale_after: source.stale_after,
                requests_per_minute: source.requests_per_minute,
                credits_per_month: source.credits_per_month,
                page_rules: source.page_rules,
                options: kasparro_sources::public_options(&source.name, &Value::Object(options)),
            })
        })
        .collect()
}

/// The options of a source, with the sample for CSV files where none is configured.
fn options(config: &Config, name: &str) -> Map<String, Value> {
    let mut options = config.source_options(name);
    if name == "csv" && !names_any(&options, "paths") {
        let sample = sample_path(config).display().to_string();
        options.insert("paths".to_owned(), serde_json::json!([sample]));
    }
    options
}

fn names_any(options: &Map<String, Value>, list: &str) -> bool {
    options.get(list).and_then(Value::as_array).is_some_and(|entries| !entries.is_empty())
}

fn secret_options(name: &str) -> &'static [&'static str] {
    let spec = kasparro_sources::specs().into_iter().find(|spec| spec.name == name);
    spec.map_or(&[], |spec| spec.secret_options)
}

fn build(
    config: &Config,
    name: &str,
    options: &Map<String, Value>,
) -> Result<Arc<dyn Source>, ConfigError> {
    kasparro_sources::build(name, Value::Object(options.clone())).map_err(|error| {
        // Inside a list of tables the option alone has an origin.
        let option = error.key.split(['.', '[']).next().unwrap_or_default();
        let origin = config.settings.origin(&format!("sources.{name}.{option}"));
        ConfigError {
            key: format!("sources.{name}.{}", error.key),
            origin: Some(Box::new(origin)),
            value: Some(error.value),
            reason: "is refused".to_owned(),
            remedy: error.remedy,
        }
    })
}

/// Builds sources from the options that are kept with their runs, in which secrets are absent.
pub(crate) fn source_builder() -> SourceBuilder {
    Arc::new(|name: &SourceName, options: &Value| build_kept(name.as_str(), options))
}

fn build_kept(name: &str, options: &Value) -> Result<Arc<dyn Source>, String> {
    kasparro_sources::build(name, options).or_else(|refusal| {
        // Some options go only with a key, as a kind of plan does.
        let mut whole = options.as_object().cloned().unwrap_or_default();
        for option in kasparro_sources::option_keys(name) {
            if let Some(value) = stand_in(name, option).filter(|_| !whole.contains_key(*option)) {
                whole.insert((*option).to_owned(), value);
            }
        }
        kasparro_sources::build(name, Value::Object(whole)).map_err(|_| refusal.to_string())
    })
}

fn sample_path(config: &Config) -> PathBuf {
    config.data_dir().join("sample.csv")
}

/// Writes the sample that the CSV source reads where no path is configured.
///
/// # Errors
/// A [`Failure`] with exit code 3 where the folder cannot be written.
pub(crate) fn lay_out_sample(config: &Config) -> Result<(), Failure> {
    let sample = sample_path(config);
    if names_any(&config.source_options("csv"), "paths") || sample.exists() {
        return Ok(());
    }
    std::fs::write(&sample, kasparro_sources::SAMPLE_CSV)
        .map_err(|error| unwritable(&sample, &error))
}

/// A source that is known by this name, whether or not it has anything to ask.
///
/// # Errors
/// A [`Failure`] with exit code 2 for a name that no source has.
pub(crate) fn known_source(config: &Config, name: &str) -> Result<SourceName, Failure> {
    if config.sources.iter().any(|source| source.name == name) {
        return Ok(SourceName::new(name));
    }
    let known: Vec<String> = config.sources.iter().map(|source| source.name.clone()).collect();
    Err(Failure::unknown_source(name, &known))
}

/// The names of the sources to run: those asked for, or every enabled one.
///
/// # Errors
/// A [`Failure`] with exit code 2 for a name that no source has, for a source that has nothing to ask,
/// and where nothing is enabled.
pub(crate) fn chosen(config: &Config, asked: &[String]) -> Result<Vec<SourceName>, Failure> {
    let known: Vec<String> = config.sources.iter().map(|source| source.name.clone()).collect();
    for name in asked {
        known_source(config, name)?;
        let source = config.sources.iter().find(|source| source.name == *name);
        if source.is_some_and(|source| !source.has_something_to_ask) {
            return Err(nothing_to_ask(name));
        }
    }
    let mut names: Vec<SourceName> = Vec::new();
    if asked.is_empty() {
        let enabled = config.sources.iter().filter(|source| source.runs());
        names.extend(enabled.map(|source| SourceName::new(&source.name)));
    }
    for name in asked.iter().map(|name| SourceName::new(name)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            "nothing_enabled",
            "no source is enabled",
            format!("name one ({}), or enable it in the configuration", known.join(", ")),
        ));
    }
    Ok(names)
}

fn nothing_to_ask(name: &str) -> Failure {
    let variable = name.to_ascii_uppercase();
    Failure::new(
        Exit::Usage,
        "nothing_to_ask",
        format!("source `{name}` has no address to ask"),
        format!("list addresses as sources.{name}.urls (KASPARRO_SOURCES__{variable}__URLS)"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn i9_what_is_kept_with_a_run_holds_no_secret_and_builds_the_source_again() {
        for (name, options) in [
            ("coingecko", json!({"api_key": "CANARY", "key_kind": "pro", "pages": 2})),
            ("coinpaprika", json!({"api_key": "CANARY", "plan": "pro", "mappings": true})),
            ("csv", json!({"paths": ["a.csv"]})),
            ("feed", json!({"urls": ["https://a.example/rss.xml"]})),
        ] {
            let options = options.as_object().unwrap().clone();
            let kept = kasparro_sources::public_options(name, &Value::Object(options));
            assert!(!kept.to_string().contains("CANARY"), "{kept}");
            let built = build_kept(name, &kept).unwrap();
            assert_eq!(built.spec().name, name);
        }
        for name in kasparro_sources::names() {
            let built = build_kept(name, &json!({}));
            assert_eq!(built.unwrap().spec().name, name, "as kept by an earlier version");
        }
        let refused = build_kept("coingecko", &json!({"pages": -1})).unwrap_err();
        assert!(refused.contains("pages"), "{refused}");
    }
}
