//! Opening the store: alone, shared with others, beside the process that holds it, or to read.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kasparro_domain::Clock;
use kasparro_store::{Store, StoreError};
use kasparro_store_postgres::{MigrateMode, PostgresSettings, PostgresStore};
use kasparro_store_sqlite::SqliteStore;

use crate::config::{Config, Database, Origin};
use crate::failure::{Exit, Failure};

/// A store that was opened for writing.
pub(crate) enum Opened {
    /// No other process works on it.
    Alone(Arc<dyn Store>),
    /// Others may work on it; who moves a source says its lease.
    Shared(Arc<dyn Store>),
    /// Another process holds it.
    Held(Locked),
}

/// Opens the store for writing, making its folder where it is missing and bringing its schema up to date.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(crate) async fn open_store(config: &Config, clock: &Arc<dyn Clock>) -> Result<Opened, Failure> {
    make_folder(&config.data_dir())?;
    let failed = |error| Failure::store(&error, &config.database);
    match &config.database {
        Database::Sqlite(path) => match SqliteStore::open(path, Arc::clone(clock)) {
            Ok(store) => Ok(Opened::Alone(Arc::new(store))),
            Err(error @ StoreError::Locked { .. }) => {
                Ok(Opened::Held(Locked { error, path: path.clone() }))
            }
            Err(error) => Err(failed(error)),
        },
        Database::Postgres(settings) => {
            let store = open_postgres(settings, MigrateMode::Run).await;
            Ok(Opened::Shared(Arc::new(store.map_err(failed)?)))
        }
    }
}

/// Opens a store in PostgreSQL.
pub(super) async fn open_postgres(
    settings: &PostgresSettings,
    migrate: MigrateMode,
) -> Result<PostgresStore, StoreError> {
    let mut settings = settings.clone();
    settings.migrate = migrate;
    PostgresStore::open(settings).await
}

/// A store in a file that another process holds.
#[derive(Debug)]
pub(crate) struct Locked {
    error: StoreError,
    path: PathBuf,
}

impl Locked {
    pub(super) const fn new(error: StoreError, path: PathBuf) -> Self {
        Self { error, path }
    }

    /// The failure of a command that needs the store for itself.
    pub(crate) fn failure(&self) -> Failure {
        Failure::store(&self.error, &Database::Sqlite(self.path.clone()))
    }

    /// Refuses a flag that the process that holds the store would not hear of.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 2 where `--upstream` is given.
    pub(crate) fn refuse_upstream(&self, config: &Config) -> Result<(), Failure> {
        refuse_upstream(config, &self.error.to_string())
    }

    /// Opens the store to leave requests to that process.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 3.
    pub(crate) fn open_beside(&self, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Store>, Failure> {
        let store = SqliteStore::open_beside(&self.path, Arc::clone(clock));
        let store =
            store.map_err(|error| Failure::store(&error, &Database::Sqlite(self.path.clone())))?;
        Ok(Arc::new(store))
    }

    /// False when that process is gone.
    pub(crate) fn still_held(&self, clock: &Arc<dyn Clock>) -> bool {
        SqliteStore::open(&self.path, Arc::clone(clock)).is_err()
    }
}

/// Refuses a flag that the process which works on a source would not hear of; `holder` says who that is.
///
/// # Errors
/// A [`Failure`] with exit code 2 where `--upstream` is given.
pub(crate) fn refuse_upstream(config: &Config, holder: &str) -> Result<(), Failure> {
    if config.settings.origin("fetch.upstream") != Origin::Flag("--upstream") {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        "upstream_of_holder",
        format!("{holder}; that process carries the run out and asks its own upstream"),
        "leave --upstream out, or stop that process: --upstream needs the store for itself, \
         which may be another --database",
    ))
}

/// Opens the store for reading, beside others or alone.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(crate) async fn open_to_read(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Store>, Failure> {
    open_existing(&config.database, clock).await
}

/// Opens a store that exists for reading.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(crate) async fn open_existing(
    database: &Database,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Store>, Failure> {
    let failed = |error| Failure::store(&error, database);
    match database {
        Database::Sqlite(path) if !path.exists() => Err(Failure::new(
            Exit::Store,
            "store_missing",
            format!("there is no store at {}", path.display()),
            "check the path; `kasparro run` or `kasparro serve` makes a store",
        )),
        Database::Sqlite(path) => {
            let store = SqliteStore::open_read_only(path, Arc::clone(clock));
            Ok(Arc::new(store.map_err(failed)?))
        }
        Database::Postgres(settings) => {
            let store = open_postgres(settings, MigrateMode::Check).await;
            Ok(Arc::new(store.map_err(failed)?))
        }
    }
}

/// Opens a store for writing that nobody works on, making it where there is none.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(crate) async fn open_target(
    database: &Database,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Store>, Failure> {
    let failed = |error| Failure::store(&error, database);
    match database {
        Database::Sqlite(path) => {
            let store = SqliteStore::open(path, Arc::clone(clock)).map_err(failed)?;
            Ok(Arc::new(store))
        }
        Database::Postgres(settings) => {
            let store = open_postgres(settings, MigrateMode::Run).await;
            Ok(Arc::new(store.map_err(failed)?))
        }
    }
}

/// True where there is a store to read.
///
/// # Errors
/// A [`Failure`] with exit code 3 where that cannot be found out.
pub(crate) async fn store_exists(config: &Config) -> Result<bool, Failure> {
    match &config.database {
        Database::Sqlite(path) => Ok(path.exists()),
        Database::Postgres(settings) => {
            let status = kasparro_store_postgres::status(settings).await;
            let status = status.map_err(|error| Failure::store(&error, &config.database))?;
            Ok(status.found > 0)
        }
    }
}

/// The schema version of a SQLite file, 0 where there is none, and the newest that this program knows.
///
/// # Errors
/// A [`Failure`] with exit code 3 where the file cannot be read.
pub(crate) fn file_versions(path: &Path) -> Result<(u32, Option<u32>), Failure> {
    if !path.exists() {
        return Ok((0, None));
    }
    let versions = SqliteStore::schema_versions(path);
    let failed = |error| Failure::store(&error, &Database::Sqlite(path.to_owned()));
    versions.map(|(found, known)| (found, Some(known))).map_err(failed)
}

/// True while a process holds the file.
///
/// Asked only where a run is still open: for an instant it takes the lock with others that read.
pub(super) fn file_held(path: &Path) -> bool {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    File::open(beside(&path, ".lock"))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The path of what is kept beside a file.
pub(crate) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

/// Makes a folder where it is missing.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))
}

pub(super) fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Store,
        "folder_unwritable",
        format!("{} cannot be written: {error}", path.display()),
        "make the folder writable for this user, or choose another with --database sqlite:PATH or \
         store.data_dir",
    )
}
