//! The configuration: defaults < file < environment < flags, checked as a whole at start.

mod database;
mod environment;
mod error;
mod file;
mod mask;
mod reference;
mod settings;
mod several;
#[cfg(test)]
mod tests;

pub(crate) use database::Database;
pub(crate) use environment::{Environment, colour_welcome, read as read_environment};
pub(crate) use error::{ConfigError, Origin};
pub(crate) use mask::masked_text;
pub(crate) use reference::keys as known_keys;
pub(crate) use settings::Settings;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use kasparro_engine::{LeaseTimes, Schedule};
use secrecy::{ExposeSecret, SecretString};

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    /// Defaults of the command itself, which file, environment and flags replace.
    pub(crate) defaults: Vec<(String, String, Origin)>,
    /// Keys with the text and name of the flag that sets them.
    pub(crate) values: Vec<(&'static str, String, Origin)>,
}

/// The whole configuration.
#[derive(Debug)]
pub(crate) struct Config {
    /// `[server]`.
    pub(crate) server: Server,
    /// `[api] max_staleness`.
    pub(crate) max_staleness: Duration,
    /// `[api] secret`, of at least 16 characters; `None` where it is empty.
    pub(crate) secret: Option<SecretString>,
    /// `[store] database`.
    pub(crate) database: Database,
    /// `[store]`: what a database elsewhere may cost.
    limits: database::Limits,
    /// `[lease]`.
    pub(crate) lease: LeaseTimes,
    /// `[fetch]`.
    pub(crate) fetch: Fetch,
    /// `[sources.…]`, in the order of the registry.
    pub(crate) sources: Vec<SourceConfig>,
    /// `[log]`.
    pub(crate) log: Log,
    /// `[labels] project_name`.
    pub(crate) project_name: String,
    /// `[labels] environment`.
    pub(crate) environment: String,
    /// What was probably meant in another way, in one sentence each.
    pub(crate) warnings: Vec<String>,
    /// Every key as it was given, for printing.
    pub(crate) settings: Settings,
}

/// How the API listens.
#[derive(Debug)]
pub(crate) struct Server {
    /// Host and port.
    pub(crate) listen: String,
    /// The most connections at once.
    pub(crate) max_connections: usize,
    /// Time for the head of a request.
    pub(crate) header_timeout: Duration,
    /// Time a connection may do nothing.
    pub(crate) idle_timeout: Duration,
    /// Time for one answer.
    pub(crate) request_timeout: Duration,
    /// Time to finish after SIGTERM.
    pub(crate) drain_timeout: Duration,
}

/// How upstreams are asked.
#[derive(Debug)]
pub(crate) struct Fetch {
    /// The whole User-Agent.
    pub(crate) user_agent: String,
    /// Replaces scheme, host and port of every HTTP source.
    pub(crate) upstream: Option<String>,
    /// Cap of a body in bytes.
    pub(crate) max_body_bytes: u64,
    /// Time to connect.
    pub(crate) connect_timeout: Duration,
    /// Time without a byte.
    pub(crate) idle_timeout: Duration,
    /// Time for one request.
    pub(crate) total_timeout: Duration,
    /// Attempts for one request.
    pub(crate) max_attempts: u32,
    /// Wait before the second attempt.
    pub(crate) backoff: Duration,
}

/// One source: what the engine needs, and its own options.
#[derive(Debug)]
pub(crate) struct SourceConfig {
    /// Its name in the registry.
    pub(crate) name: String,
    /// Whether it runs by itself.
    pub(crate) enabled: bool,
    /// How often.
    pub(crate) schedule: Schedule,
    /// How often its lists are asked for; never where it has none.
    pub(crate) lists: Schedule,
    /// False for a source that asks at configured addresses while there are none: it is left out.
    pub(crate) has_something_to_ask: bool,
    /// Age from which its quotes are stale.
    pub(crate) stale_after: Duration,
    /// Requests a minute instead of the source's own.
    pub(crate) requests_per_minute: Option<u32>,
}

impl SourceConfig {
    /// True when it runs without being named.
    pub(crate) const fn runs(&self) -> bool {
        self.enabled && self.has_something_to_ask
    }
}

/// How much is logged, and how.
#[derive(Debug)]
pub(crate) struct Log {
    /// A filter as `tracing` reads it.
    pub(crate) level: String,
    /// Whether somebody chose it.
    pub(crate) level_chosen: bool,
    /// JSON lines instead of text.
    pub(crate) json: bool,
}

/// A key as it may be shown.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The key with its comment.
    pub(crate) known: &'static reference::KnownKey,
    /// Its value in TOML.
    pub(crate) value: String,
    /// True when the value or a part of it is masked.
    pub(crate) hidden: bool,
    /// Where the value came from.
    pub(crate) origin: Origin,
}

/// The engine's keys of a source's section; the others are the source's own options.
const ENGINE_KEYS: [&str; 5] =
    ["enabled", "schedule", "lists", "stale_after", "requests_per_minute"];

impl Config {
    /// Loads and checks the configuration.
    ///
    /// # Errors
    /// [`ConfigError`] names the first key, value or file that is refused.
    pub(crate) fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let mut settings = Settings::defaults(secret_keys());
        for (key, text, origin) in &flags.defaults {
            settings.set_text(key, text, origin.clone())?;
        }
        if let Some(path) = &flags.config {
            file::apply(&mut settings, path)?;
        }
        environment::apply(&mut settings, environment)?;
        for (key, text, origin) in &flags.values {
            settings.set_text(key, text, origin.clone())?;
        }
        let mut config = Self::read(settings)?;
        // Whoever names the database in another way has not forgotten the host.
        if config.settings.origin(database::KEY) == Origin::Default {
            let place = &config.database;
            let warn = |name: &str| {
                format!("{name} is set but POSTGRES_HOST is not: the store is SQLite at {place}")
            };
            config.warnings =
                environment::without_host(environment).map(warn).into_iter().collect();
        }
        Ok(config)
    }

    fn read(settings: Settings) -> Result<Self, ConfigError> {
        let limits = database::Limits::configured(&settings)?;
        Ok(Self {
            server: Server {
                listen: listen(&settings)?,
                max_connections: settings.number("server.max_connections", 1)?,
                header_timeout: settings.duration("server.header_timeout")?,
                idle_timeout: settings.duration("server.idle_timeout")?,
                request_timeout: settings.duration("server.request_timeout")?,
                drain_timeout: settings.duration("server.drain_timeout")?,
            },
            max_staleness: settings.duration("api.max_staleness")?,
            secret: several::secret(&settings)?,
            database: database::configured(&settings, limits)?,
            limits,
            lease: several::lease(&settings)?,
            fetch: Fetch {
                user_agent: user_agent(&settings)?,
                upstream: upstream(&settings)?,
                max_body_bytes: settings.number("fetch.max_body_bytes", 1024)?,
                connect_timeout: settings.duration("fetch.connect_timeout")?,
                idle_timeout: settings.duration("fetch.idle_timeout")?,
                total_timeout: settings.duration("fetch.total_timeout")?,
                max_attempts: settings.number("fetch.max_attempts", 1)?,
                backoff: settings.duration("fetch.backoff")?,
            },
            sources: kasparro_sources::names()
                .iter()
                .map(|name| source(&settings, name))
                .collect::<Result<_, _>>()?,
            log: log(&settings)?,
            project_name: label(&settings, "labels.project_name")?,
            environment: label(&settings, "labels.environment")?,
            warnings: Vec::new(),
            settings,
        })
    }

    /// The options of a source that are its own, secrets included.
    pub(crate) fn source_options(&self, name: &str) -> serde_json::Map<String, serde_json::Value> {
        let section = self.settings.section(&format!("sources.{name}"));
        section
            .into_iter()
            .filter(|(key, _)| !ENGINE_KEYS.contains(&key.as_str()))
            .map(|(key, value)| (key, to_json(value)))
            .filter(|(_, value)| value.as_str() != Some(""))
            .collect()
    }

    /// The folder for what is kept beside the database.
    pub(crate) fn data_dir(&self) -> PathBuf {
        match self.settings.text("store.data_dir") {
            Ok(folder) if !folder.is_empty() => PathBuf::from(folder),
            _ => self.database.folder().to_owned(),
        }
    }

    /// The database that a flag names, within the configured limits.
    ///
    /// # Errors
    /// [`ConfigError`] for what names none.
    pub(crate) fn named_database(
        &self,
        flag: &'static str,
        text: &str,
    ) -> Result<Database, ConfigError> {
        database::named(flag, text, self.limits)
    }

    /// The database that the text of a file names, within the configured limits. The text is never shown.
    ///
    /// # Errors
    /// [`ConfigError`] for what names none; a path alone does not.
    pub(crate) fn database_in_file(
        &self,
        flag: &'static str,
        text: &str,
    ) -> Result<Database, ConfigError> {
        database::in_file(flag, text, self.limits)
    }

    /// Every key in the order of the reference, as it may be shown.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        reference::keys()
            .iter()
            .filter_map(|known| {
                let (value, origin) = self.settings.get(&known.key)?;
                let (value, hidden) = settings::shown(value);
                Some(Shown { known, value, hidden, origin: origin.clone() })
            })
            .collect()
    }
}

fn secret_keys() -> BTreeSet<String> {
    let specs = kasparro_sources::specs();
    let of_sources = specs.iter().flat_map(|spec| {
        spec.secret_options.iter().map(|option| format!("sources.{}.{option}", spec.name))
    });
    of_sources.chain(["api.secret".to_owned()]).collect()
}

fn listen(settings: &Settings) -> Result<String, ConfigError> {
    let text = settings.text("server.listen")?;
    if host_and_port(&text) {
        return Ok(text);
    }
    Err(settings.refuse("server.listen", "is not HOST:PORT", "write for example 127.0.0.1:8000"))
}

/// True for `HOST:PORT`.
pub(crate) fn host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && !host.contains(|c: char| "/?#@\\".contains(c) || c.is_whitespace())
            && port.parse::<u16>().is_ok()
    })
}

fn user_agent(settings: &Settings) -> Result<String, ConfigError> {
    let printable = |key: &str| {
        let text = settings.text(key)?;
        if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Ok(text);
        }
        Err(settings.refuse(key, "holds more than printable ASCII", "leave those characters out"))
    };
    let mut user_agent = printable("fetch.user_agent")?;
    if user_agent.is_empty() {
        user_agent = concat!("kasparro/", env!("CARGO_PKG_VERSION")).to_owned();
    }
    let contact = printable("fetch.contact")?;
    Ok(if contact.is_empty() { user_agent } else { format!("{user_agent} (+{contact})") })
}

fn upstream(settings: &Settings) -> Result<Option<String>, ConfigError> {
    let text = settings.text("fetch.upstream")?;
    if text.is_empty() {
        return Ok(None);
    }
    let origin = text.trim_end_matches('/');
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let valid = host.is_some_and(|host| {
        !host.is_empty() && !host.contains(|c: char| "/?#@\\".contains(c) || c.is_whitespace())
    });
    if valid {
        return Ok(Some(origin.to_owned()));
    }
    Err(settings.refuse(
        "fetch.upstream",
        "is not an origin",
        "write scheme, host and port only, for example http://127.0.0.1:9000",
    ))
}

fn source(settings: &Settings, name: &str) -> Result<SourceConfig, ConfigError> {
    let key = |key: &str| format!("sources.{name}.{key}");
    let lists_key = key("lists");
    let lists = match reference::find(&lists_key) {
        Some(_) => schedule(settings, &lists_key)?,
        None => Schedule::Never,
    };
    let limit_key = key("requests_per_minute");
    let limit = match reference::find(&limit_key) {
        Some(_) => settings.number::<u32>(&limit_key, 0)?,
        None => 0,
    };
    Ok(SourceConfig {
        name: name.to_owned(),
        enabled: settings.flag(&key("enabled"))?,
        schedule: schedule(settings, &key("schedule"))?,
        lists,
        has_something_to_ask: settings.list(&key("urls")).is_none_or(|urls| !urls.is_empty()),
        stale_after: settings.duration(&key("stale_after"))?,
        requests_per_minute: (limit > 0).then_some(limit),
    })
}

fn schedule(settings: &Settings, key: &str) -> Result<Schedule, ConfigError> {
    Schedule::parse(&settings.text(key)?).map_err(|_| {
        settings.refuse(
            key,
            "is not a schedule",
            "write an interval (30s, 15m, 1h, 1d), a cron expression (0 * * * *) or off",
        )
    })
}

fn log(settings: &Settings) -> Result<Log, ConfigError> {
    let level = settings.text("log.level")?;
    if !is_filter(&level) {
        return Err(settings.refuse(
            "log.level",
            "is not a level",
            "write off, error, warn, info, debug or trace, or directives such as info,kasparro_engine=debug",
        ));
    }
    let json = match settings.text("log.format")?.as_str() {
        "text" => false,
        "json" => true,
        _ => return Err(settings.refuse("log.format", "is not a format", "write text or json")),
    };
    Ok(Log { level, level_chosen: settings.origin("log.level") != Origin::Default, json })
}

// A word that is no level would be taken for the name of a module, and everything else fall silent.
fn is_filter(level: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let directive = |part: &str| {
        part.contains('=') || LEVELS.iter().any(|level| level.eq_ignore_ascii_case(part.trim()))
    };
    level.split(',').all(directive) && tracing_subscriber::EnvFilter::try_new(level).is_ok()
}

fn label(settings: &Settings, key: &str) -> Result<String, ConfigError> {
    let text = settings.text(key)?;
    if text.is_empty() || text.chars().count() > 100 || text.chars().any(char::is_control) {
        return Err(settings.refuse(
            key,
            "is not a label",
            "write 1 to 100 characters in one line",
        ));
    }
    Ok(text)
}

fn to_json(value: settings::Value) -> serde_json::Value {
    match value {
        settings::Value::Secret(secret) => secret.expose_secret().into(),
        // What TOML has and JSON has not, dates, becomes the text that TOML writes for it.
        settings::Value::Plain(value) => serde_json::to_value(&value).unwrap_or_default(),
    }
}
