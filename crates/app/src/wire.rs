//! The only place that names everything and puts it together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kasparro_api::{Api, ApiSettings, SourceInfo, install_metrics};
use kasparro_domain::{Clock, SourceName};
use kasparro_engine::{Engine, EngineParts, EngineSource, FetchSettings};
use kasparro_extract::Source;
use kasparro_store::{Store, StoreError};
use kasparro_store_sqlite::SqliteStore;
use kasparro_view::{View, ViewSettings};

use crate::config::{Config, ConfigError, Origin};
use crate::failure::{Exit, Failure};

/// Opens the store for writing, making its folder where it is missing.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(crate) fn open_store(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<Result<SqliteStore, Locked>, Failure> {
    make_data_dir(config)?;
    match SqliteStore::open(&config.database, Arc::clone(clock)) {
        Ok(store) => Ok(Ok(store)),
        Err(error @ StoreError::Locked { .. }) => Ok(Err(Locked(error))),
        Err(error) => Err(Failure::store(&error, &config.database)),
    }
}

/// The store is held by another process.
#[derive(Debug)]
pub(crate) struct Locked(StoreError);

impl Locked {
    /// The failure of a command that needs the store for itself.
    pub(crate) fn into_failure(self, config: &Config) -> Failure {
        Failure::store(&self.0, &config.database)
    }

    /// Refuses a flag that the process that holds the store would not hear of.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 2 where `--upstream` is given.
    pub(crate) fn refuse_upstream(&self, config: &Config) -> Result<(), Failure> {
        if config.settings.origin("fetch.upstream") != Origin::Flag("--upstream") {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Usage,
            "upstream_of_holder",
            format!("{}; that process carries the run out and asks its own upstream", self.0),
            "leave --upstream out, or stop that process: --upstream needs the store for itself, \
             which may be another --database",
        ))
    }
}

/// Opens the store for reading, beside a process that holds it or alone.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(crate) fn open_to_read(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<SqliteStore, Failure> {
    if !config.database.exists() {
        return Err(Failure::new(
            Exit::Store,
            "store_missing",
            format!("there is no store at {}", config.database.display()),
            "`kasparro run` or `kasparro serve` makes it; --database names another",
        ));
    }
    SqliteStore::open_read_only(&config.database, Arc::clone(clock))
        .map_err(|error| Failure::store(&error, &config.database))
}

/// Opens the store to leave requests to the process that holds it.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(crate) fn open_beside(config: &Config, clock: &Arc<dyn Clock>) -> Result<SqliteStore, Failure> {
    SqliteStore::open_beside(&config.database, Arc::clone(clock))
        .map_err(|error| Failure::store(&error, &config.database))
}

/// Every source with its settings, in the order of the registry.
///
/// # Errors
/// [`ConfigError`] for an option that a source refuses.
pub(crate) fn sources(config: &Config) -> Result<Vec<EngineSource>, ConfigError> {
    config
        .sources
        .iter()
        .map(|source| {
            Ok(EngineSource {
                source: build(config, &source.name)?,
                enabled: source.enabled,
                schedule: source.schedule.clone(),
                stale_after: source.stale_after,
                requests_per_minute: source.requests_per_minute,
            })
        })
        .collect()
}

fn build(config: &Config, name: &str) -> Result<Arc<dyn Source>, ConfigError> {
    let mut options = config.source_options(name);
    if name == "csv"
        && options.get("paths").and_then(|paths| paths.as_array()).is_none_or(Vec::is_empty)
    {
        let sample = sample_path(config).display().to_string();
        options.insert("paths".to_owned(), serde_json::json!([sample]));
    }
    kasparro_sources::build(name, serde_json::Value::Object(options)).map_err(|error| {
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

fn sample_path(config: &Config) -> PathBuf {
    config.data_dir().join("sample.csv")
}

/// Writes the sample that the CSV source reads where no path is configured.
///
/// # Errors
/// A [`Failure`] with exit code 3 where the folder cannot be written.
pub(crate) fn lay_out_sample(config: &Config) -> Result<(), Failure> {
    let configured = config.source_options("csv");
    let paths = configured.get("paths").and_then(|paths| paths.as_array());
    let sample = sample_path(config);
    if paths.is_some_and(|paths| !paths.is_empty()) || sample.exists() {
        return Ok(());
    }
    std::fs::write(&sample, kasparro_sources::SAMPLE_CSV)
        .map_err(|error| unwritable(&sample, &error))
}

fn make_data_dir(config: &Config) -> Result<(), Failure> {
    let folder = config.data_dir();
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Store,
        "folder_unwritable",
        format!("{} cannot be written: {error}", path.display()),
        "make the folder writable for this user, or choose another with --database sqlite:PATH",
    )
}

/// Starts the engine on a store that this process holds.
///
/// # Errors
/// A [`Failure`] where the engine cannot start.
pub(crate) async fn start_engine(
    config: &Config,
    sources: Vec<EngineSource>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Engine>, Failure> {
    lay_out_sample(config)?;
    let fetch = &config.fetch;
    let parts = EngineParts {
        store,
        clock,
        sources,
        fetch: FetchSettings {
            user_agent: fetch.user_agent.clone(),
            upstream: fetch.upstream.clone(),
            max_body_bytes: fetch.max_body_bytes,
            connect_timeout: fetch.connect_timeout,
            idle_timeout: fetch.idle_timeout,
            total_timeout: fetch.total_timeout,
            max_attempts: fetch.max_attempts,
            backoff: fetch.backoff,
        },
        holder: format!("pid {}", std::process::id()),
        spool_dir: config.data_dir().join("spool"),
    };
    Engine::start(parts).await.map_err(|error| Failure::engine(error, &config.database))
}

/// What answers readers.
pub(crate) struct ReadSide {
    /// The read model.
    pub(crate) view: Arc<View>,
    /// The API on it.
    pub(crate) api: Arc<Api>,
}

/// Age from which quotes of a source that is no longer configured are stale.
const DEFAULT_STALE_AFTER: Duration = Duration::from_secs(3 * 3600);

/// The read model and the API on a store.
///
/// # Errors
/// A [`Failure`] with exit code 3 where the key for cursors cannot be kept.
pub(crate) fn read_side(
    config: &Config,
    sources: &[EngineSource],
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
) -> Result<ReadSide, Failure> {
    let stale_after = sources
        .iter()
        .map(|source| (SourceName::new(source.source.spec().name), source.stale_after));
    let settings = ViewSettings {
        stale_after: stale_after.collect(),
        default_stale_after: DEFAULT_STALE_AFTER,
    };
    let view = View::new(Arc::clone(store) as _, Arc::clone(clock), settings);
    let settings = ApiSettings {
        project_name: config.project_name.clone(),
        environment: config.environment.clone(),
        max_staleness: config.max_staleness,
        max_connections: config.server.max_connections,
        header_timeout: config.server.header_timeout,
        idle_timeout: config.server.idle_timeout,
        request_timeout: config.server.request_timeout,
        drain_timeout: config.server.drain_timeout,
        cursor_key: cursor_key(config)?,
    };
    let infos = sources.iter().map(|source| {
        let spec = source.source.spec();
        SourceInfo {
            name: SourceName::new(spec.name),
            title: spec.title.to_owned(),
            documentation: spec.documentation.to_owned(),
        }
    });
    let api = Api::new(
        Arc::clone(store),
        Arc::clone(&view),
        Arc::clone(clock),
        install_metrics(),
        settings,
        infos.collect(),
    );
    Ok(ReadSide { view, api })
}

/// The key that signs cursors: made once and kept beside the database, so that a cursor outlives a
/// restart.
fn cursor_key(config: &Config) -> Result<[u8; 32], Failure> {
    let mut path = config.database.clone().into_os_string();
    path.push(".cursor-key");
    let path = PathBuf::from(path);
    if let Ok(bytes) = std::fs::read(&path)
        && let Ok(key) = <[u8; 32]>::try_from(bytes)
    {
        return Ok(key);
    }
    let key: [u8; 32] = rand::random();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written =
        options.open(&path).and_then(|mut file| std::io::Write::write_all(&mut file, &key));
    written.map_err(|error| unwritable(&path, &error))?;
    Ok(key)
}

/// Says so when every HTTP source is asked without encryption.
pub(crate) fn warn_of_plain_upstream(config: &Config) {
    if let Some(upstream) = config.fetch.upstream.as_deref()
        && upstream.starts_with("http://")
    {
        tracing::warn!(%upstream, "every HTTP source is asked there, without encryption");
    }
}

/// The names of the sources to run: those asked for, or every enabled one.
///
/// # Errors
/// A [`Failure`] with exit code 2 for a name that no source has, and where nothing is enabled.
pub(crate) fn chosen(config: &Config, asked: &[String]) -> Result<Vec<SourceName>, Failure> {
    let known: Vec<String> = config.sources.iter().map(|source| source.name.clone()).collect();
    if let Some(unknown) = asked.iter().find(|name| !known.contains(name)) {
        return Err(Failure::unknown_source(unknown, &known));
    }
    let mut names: Vec<SourceName> = Vec::new();
    if asked.is_empty() {
        let enabled = config.sources.iter().filter(|source| source.enabled);
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
