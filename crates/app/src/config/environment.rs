//! The only place that reads the environment.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{ConfigError, Origin};
use super::reference;
use super::settings::{Settings, unknown};

/// Environment variables by name; a value that is not UTF-8 counts as not set.
pub(crate) type Environment = BTreeMap<String, String>;

const PREFIX: &str = "KASPARRO_";

/// Read by the tests only; it may stand in the environment of any command.
const NOT_CONFIGURATION: &[&str] = &["KASPARRO_REAL_DATA"];

/// The keys that a variable means, each with its text made of the variable's.
type Meaning = fn(&str) -> Vec<(String, String)>;

/// What older services called a key. Several keys may be meant by one name.
const LEGACY: &[(&str, Meaning)] = &[
    ("DATABASE_URL", |url| one("store.database", url)),
    ("PORT", |port| one("server.listen", &format!("0.0.0.0:{port}"))),
    ("COINGECKO_API_KEY", |key| one("sources.coingecko.api_key", key)),
    ("COINPAPRIKA_API_KEY", |key| one("sources.coinpaprika.api_key", key)),
    ("COINGECKO_RATE_LIMIT", |limit| one("sources.coingecko.requests_per_minute", limit)),
    ("ETL_SCHEDULE_MINUTES", every_schedule),
    ("CSV_SOURCE_PATH", |path| one("sources.csv.paths", path)),
    ("LOG_LEVEL", |level| one("log.level", log_level(level))),
    ("PROJECT_NAME", |name| one("labels.project_name", name)),
    ("ENVIRONMENT", |name| one("labels.environment", name)),
];

/// The environment of this process.
pub(crate) fn read() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// False when `NO_COLOR` asks for plain output.
pub(crate) fn colour_welcome(environment: &Environment) -> bool {
    environment.get("NO_COLOR").is_none_or(String::is_empty)
}

/// Lays the environment over the settings: first the older names, then `KASPARRO_…`.
///
/// A variable that is set to nothing counts as not set, because compose files pass blanks on.
///
/// # Errors
/// [`ConfigError`] for an unknown `KASPARRO_` variable, a value that is not of its key's type, and a
/// secret file that cannot be read.
pub(crate) fn apply(settings: &mut Settings, environment: &Environment) -> Result<(), ConfigError> {
    let filled = |name: &str| environment.get(name).filter(|value| !value.trim().is_empty());
    if filled("DATABASE_URL").is_none() {
        for name in ["POSTGRES_SERVER", "POSTGRES_HOST"] {
            if let Some(host) = filled(name) {
                let origin = Origin::Environment(name.to_owned());
                settings.set_text("store.database", &format!("postgresql://{host}"), origin)?;
            }
        }
    }
    for (name, keys) in LEGACY {
        if let Some(value) = filled(name) {
            for (key, text) in keys(value) {
                settings.set_text(&key, &text, Origin::Environment((*name).to_owned()))?;
            }
        }
        let file_name = format!("{name}_FILE");
        if let Some(path) = filled(&file_name) {
            for (key, _) in keys("") {
                if settings.secret(&key) {
                    let secret = read_secret(path, &file_name)?;
                    settings.set_text(&key, &secret, Origin::Environment(file_name.clone()))?;
                }
            }
        }
    }
    for (name, value) in environment {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if value.trim().is_empty() || NOT_CONFIGURATION.contains(&name.as_str()) || foreign(rest) {
            continue;
        }
        let origin = Origin::Environment(name.clone());
        let key = rest.to_ascii_lowercase().replace("__", ".");
        if reference::find(&key).is_some() {
            settings.set_text(&key, value, origin)?;
        } else if let Some(secret_key) = key.strip_suffix("_file")
            && settings.secret(secret_key)
        {
            let secret = read_secret(value, name)?;
            settings.set_text(secret_key, &secret, origin)?;
        } else {
            return Err(unknown_variable(name, &key, origin));
        }
    }
    Ok(())
}

// Kubernetes gives every container such variables for a service called "kasparro".
fn foreign(rest: &str) -> bool {
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}

fn unknown_variable(name: &str, key: &str, origin: Origin) -> ConfigError {
    let mut error = unknown(key, origin);
    error.key = name.to_owned();
    error.origin = None;
    error.reason = "names no known key".to_owned();
    // A single underscore between section and key is the commonest slip.
    let joined = key.replace('.', "_");
    let nearest = reference::keys()
        .iter()
        .find(|known| known.key.replace('.', "_") == joined)
        .map(|known| known.key.as_str())
        .or_else(|| reference::nearest(key));
    if let Some(nearest) = nearest {
        let variable = nearest.to_ascii_uppercase().replace('.', "__");
        error.remedy = format!("did you mean {PREFIX}{variable}?");
    }
    error
}

fn read_secret(path: &str, variable: &str) -> Result<String, ConfigError> {
    match std::fs::read_to_string(Path::new(path)) {
        Ok(secret) => Ok(secret.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(ConfigError {
            key: variable.to_owned(),
            value: Some(path.to_owned()),
            origin: None,
            reason: format!("cannot be read: {error}"),
            remedy: "name a readable file that holds the secret alone".to_owned(),
        }),
    }
}

fn one(key: &str, value: &str) -> Vec<(String, String)> {
    vec![(key.to_owned(), value.to_owned())]
}

fn every_schedule(minutes: &str) -> Vec<(String, String)> {
    let schedules = reference::keys().iter().filter(|known| known.name() == "schedule");
    schedules.map(|known| (known.key.clone(), format!("{}m", minutes.trim()))).collect()
}

// The names that Python and Node loggers use.
fn log_level(level: &str) -> &str {
    match level.to_ascii_lowercase().as_str() {
        "warning" => "warn",
        "critical" | "fatal" => "error",
        "verbose" | "silly" | "notset" => "trace",
        "error" => "error",
        "warn" => "warn",
        "info" => "info",
        "debug" => "debug",
        _ => level,
    }
}
