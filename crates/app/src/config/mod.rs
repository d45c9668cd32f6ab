//! The configuration: defaults < file < environment < flags, checked as a whole at start.

mod access;
mod alerts;
mod database;
mod environment;
mod error;
mod fetch;
mod file;
mod mask;
mod reference;
mod settings;
mod several;
mod source;
#[cfg(test)]
mod tests;
mod typed;

pub(crate) use access::Access;
pub(crate) use database::Database;
pub(crate) use environment::{Environment, colour_welcome, read as read_environment};
pub(crate) use error::{ConfigError, Origin};
pub(crate) use fetch::Fetch;
pub(crate) use mask::masked_text;
pub(crate) use reference::keys as known_keys;
pub(crate) use settings::Settings;
pub(crate) use several::secret_is_long_enough;
pub(crate) use source::SourceConfig;
pub(crate) use typed::read_duration;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use kasparro_api::{LimitSettings, Network};
use kasparro_engine::{LeaseTimes, Webhook};
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
    /// `[api] max_age`; zero where every answer is asked about again.
    pub(crate) max_age: Duration,
    /// `[api] secret`, of at least 16 characters; `None` where it is empty.
    pub(crate) secret: Option<SecretString>,
    /// `[access]`.
    pub(crate) access: Access,
    /// `[limits]`.
    pub(crate) request_limits: LimitSettings,
    /// `[cors] origins`; `*` stands for every one.
    pub(crate) origins: Vec<String>,
    /// `[store] database`.
    pub(crate) database: Database,
    /// `[store]`: what a database elsewhere may cost.
    limits: database::Limits,
    /// `[lease]`.
    pub(crate) lease: LeaseTimes,
    /// `[fetch]`.
    pub(crate) fetch: Fetch,
    /// `[alerts]`: where alerts are sent; `None` where nowhere.
    pub(crate) webhook: Option<Webhook>,
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
    /// How much of that connections are still taken for.
    pub(crate) shutdown_notice: Duration,
    /// The most requests answered at once.
    pub(crate) max_requests: usize,
    /// The most connections of one client; 0 for no bound of their own.
    pub(crate) max_connections_per_client: usize,
    /// The most streams of changes at once.
    pub(crate) max_streams: usize,
    /// Addresses and networks of proxies whose word about the client's address is taken.
    pub(crate) trusted_proxies: Vec<Network>,
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
        config.warnings.extend(database::warning(&config.settings));
        config.warnings.extend(alerts::warning(&config.settings));
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
                shutdown_notice: settings.duration_or_zero("server.shutdown_notice")?,
                max_requests: settings.number("server.max_requests", 1)?,
                max_connections_per_client: settings
                    .number("server.max_connections_per_client", 0)?,
                max_streams: settings.number("server.max_streams", 0)?,
                trusted_proxies: access::trusted_proxies(&settings)?,
            },
            max_staleness: settings.duration("api.max_staleness")?,
            max_age: settings.duration_or_zero("api.max_age")?,
            secret: several::secret(&settings)?,
            access: access::access(&settings)?,
            request_limits: access::limits(&settings)?,
            origins: access::origins(&settings)?,
            database: database::configured(&settings, limits)?,
            limits,
            lease: several::lease(&settings)?,
            fetch: fetch::configured(&settings)?,
            webhook: alerts::webhook(&settings)?,
            sources: kasparro_sources::names()
                .iter()
                .map(|name| source::configured(&settings, name))
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
            .filter(|(key, _)| !source::ENGINE_KEYS.contains(&key.as_str()))
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
    let own = [several::SECRET, access::ADMIN_KEY, alerts::URL, alerts::SECRET].map(str::to_owned);
    of_sources.chain(own).collect()
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
