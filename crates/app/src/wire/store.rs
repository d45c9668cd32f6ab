//! Opening the store, alone or beside the process that holds it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kasparro_domain::Clock;
use kasparro_store::StoreError;
use kasparro_store_sqlite::SqliteStore;

use crate::config::{Config, Origin};
use crate::failure::{Exit, Failure};

/// Opens the store for writing, making its folder where it is missing.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(crate) fn open_store(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<Result<SqliteStore, Locked>, Failure> {
    make_folder(config.data_dir())?;
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
    open_existing(&config.database, clock)
}

/// Opens the store at a path for reading.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(crate) fn open_existing(path: &Path, clock: &Arc<dyn Clock>) -> Result<SqliteStore, Failure> {
    if !path.exists() {
        return Err(Failure::new(
            Exit::Store,
            "store_missing",
            format!("there is no store at {}", path.display()),
            "check the path; `kasparro run` or `kasparro serve` makes a store",
        ));
    }
    SqliteStore::open_read_only(path, Arc::clone(clock))
        .map_err(|error| Failure::store(&error, path))
}

/// True while a process holds the store.
///
/// Asked only where a run is still open: for an instant it takes the lock with others that read.
pub(crate) fn held(config: &Config) -> bool {
    let path = std::fs::canonicalize(&config.database).unwrap_or_else(|_| config.database.clone());
    File::open(beside(&path, ".lock"))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The path of what is kept beside a database.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

/// Opens the store to leave requests to the process that holds it.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(crate) fn open_beside(config: &Config, clock: &Arc<dyn Clock>) -> Result<SqliteStore, Failure> {
    SqliteStore::open_beside(&config.database, Arc::clone(clock))
        .map_err(|error| Failure::store(&error, &config.database))
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
        "make the folder writable for this user, or choose another with --database sqlite:PATH",
    )
}
