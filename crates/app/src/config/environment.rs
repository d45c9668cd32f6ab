//! The only place that reads the environment.

use std::collections::BTreeMap;
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::{ConfigError, Origin};
use super::reference;
use super::settings::{Settings, unknown};

/// Environment variables by name; a value that is not UTF-8 counts as not set.
pub(crate) type Environment = BTreeMap<String, String>;

const PREFIX: &str = "KASPARRO_";

/// Read by the tests only; it may stand in the environment of any command.
const NOT_CONFIGURATION: &[&str] = &[
    "KASPARRO_REAL_DATA",
    "KASPARRO_TEST_DATABASE_URL",
    "KASPARRO_FLEET_EVENTS",
    "KASPARRO_FLEET_EVIDENCE",
    "KASPARRO_FLEET_SEED",
];

/// The keys that a variable means, each with its text made of the variable's.
type Meaning = fn(&str) -> Vec<(String, String)>;

/// What older services called a key. Several keys may be meant by one name.
const LEGACY: &[(&str, Meaning)] = &[
    ("DATABASE_URL", |url| one("store.database", url)),
    ("KASPARRO_SECRET", |secret| one("api.secret", secret)),
    ("ADMIN_API_KEY", |key| one("access.admin_key", key)),
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
    if filled("DATABASE_URL").or_else(|| filled("DATABASE_URL_FILE")).is_none()
        && let Some((url, name)) = postgres_url(&filled)?
    {
        settings.set_text("store.database", &url, Origin::Environment(name.to_owned()))?;
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
                if settings.may_stand_in_a_file(&key) {
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
        if value.trim().is_empty() || foreign(rest) || !configuration(name) {
            continue;
        }
        let origin = Origin::Environment(name.clone());
        let key = rest.to_ascii_lowercase().replace("__", ".");
        if reference::find(&key).is_some() {
            settings.set_text(&key, value, origin)?;
        } else if let Some(secret_key) = key.strip_suffix("_file")
            && settings.may_stand_in_a_file(secret_key)
        {
            let secret = read_secret(value, name)?;
            settings.set_text(secret_key, &secret, origin)?;
        } else {
            return Err(unknown_variable(name, &key, origin));
        }
    }
    Ok(())
}

/// False for what has a meaning of its own, as a legacy name or for the tests.
fn configuration(name: &str) -> bool {
    let legacy = name.strip_suffix("_FILE").unwrap_or(name);
    !NOT_CONFIGURATION.contains(&name) && LEGACY.iter().all(|(known, _)| *known != legacy)
}

/// The first variable that is set of those which are read only beside the host of a PostgreSQL server.
pub(crate) fn without_host(environment: &Environment) -> Option<&'static str> {
    let names = [
        "POSTGRES_DB",
        "POSTGRES_USER",
        "POSTGRES_PASSWORD",
        "POSTGRES_PASSWORD_FILE",
        "POSTGRES_PORT",
    ];
    let set = |name: &&str| environment.get(*name).is_some_and(|value| !value.trim().is_empty());
    names.into_iter().find(set).filter(|_| !HOSTS.iter().any(set))
}

/// The names that give the host of a PostgreSQL server.
const HOSTS: [&str; 2] = ["POSTGRES_SERVER", "POSTGRES_HOST"];

/// The address that the names of the PostgreSQL image and of the older services give, and the name that
/// gives the host.
fn postgres_url<'a>(
    filled: &impl Fn(&str) -> Option<&'a String>,
) -> Result<Option<(String, &'static str)>, ConfigError> {
    let Some((host, name)) = HOSTS.into_iter().find_map(|name| Some((filled(name)?, name))) else {
        return Ok(None);
    };
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let user = filled("POSTGRES_USER").map_or("postgres", |user| user);
    let password = match filled("POSTGRES_PASSWORD_FILE") {
        Some(path) => Some(read_secret(path, "POSTGRES_PASSWORD_FILE")?),
        None => filled("POSTGRES_PASSWORD").cloned(),
    };
    let password = password.map(|password| format!(":{}", encoded(&password))).unwrap_or_default();
    let host = host.trim();
    let host = match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        // The folder of a socket; its slashes would end the host.
        Err(_) if host.starts_with('/') => encoded(host),
        Err(_) => host.to_owned(),
    };
    let port = filled("POSTGRES_PORT").map(|port| port_of(port)).transpose()?;
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    // The image of PostgreSQL names the database after the user, too.
    let database = filled("POSTGRES_DB").map_or(user, |database| database);
    let url = format!("postgres://{}{password}@{host}{port}/{}", encoded(user), encoded(database));
    Ok(Some((url, name)))
}

fn port_of(text: &str) -> Result<u16, ConfigError> {
    let port = text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    port.ok_or_else(|| ConfigError {
        key: "POSTGRES_PORT".to_owned(),
        value: Some(text.to_owned()),
        origin: None,
        reason: "is not a port".to_owned(),
        remedy: "write a whole number from 1 to 65535, or leave it out for 5432".to_owned(),
    })
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
