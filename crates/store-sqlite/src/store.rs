//! The handle: opening it, and its ways to read and write.

mod access;
mod found;
mod identity;
mod pages;
mod traits;
mod transfer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use kasparro_domain::{Clock, Generation};
use kasparro_store::{StoreError, StoreResult};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::watch;

use crate::error::{Queried, store_error};
use crate::lock::Lock;
use crate::open::{self, OpenMode};
use crate::queries::leases;
use crate::readers::Readers;
use crate::writer::{Minted, Writer};

/// A store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    readers: Arc<Readers>,
    writing: Writing,
    clock: Arc<dyn Clock>,
}

/// What the handle may write.
#[derive(Debug)]
enum Writing {
    /// Everything. The writer stands first, so it is closed before the lock is given up.
    All { writer: Writer, lock: Lock },
    /// Commands, queued runs and keys.
    Beside { connection: Arc<Mutex<Connection>>, silent: watch::Sender<Generation> },
    /// Nothing.
    Nothing { silent: watch::Sender<Generation> },
}

impl SqliteStore {
    /// Opens a store to read and write it: takes its lock, makes file and folder where they are
    /// missing, and brings the schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Locked`] names the process that holds the store; [`StoreError::Newer`] leaves a
    /// store of a newer program as it is; [`StoreError::Unavailable`] says what is wrong with the path.
    pub fn open(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> StoreResult<Self> {
        let path = open::prepare_path(path.as_ref())?;
        let lock = Lock::take(&path, clock.now())?;
        let connection = open::open_writer(&path)?;
        leases::release_all(&connection).map_err(StoreError::from)?;
        let writing = Writing::All { writer: Writer::start(connection)?, lock };
        Ok(Self { readers: Readers::new(path.clone()), path, writing, clock })
    }

    /// Opens a store to read it, beside whoever holds it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no store, [`StoreError::Newer`] when a newer program
    /// made it.
    pub fn open_read_only(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> StoreResult<Self> {
        let path = open::existing_path(path.as_ref())?;
        open::check_readable(&open::open_reader(&path)?, &path)?;
        let silent = watch::Sender::new(Generation(0));
        let writing = Writing::Nothing { silent };
        Ok(Self { readers: Readers::new(path.clone()), path, writing, clock })
    }

    /// Opens a store to read it and to add commands, queued runs and keys, beside the process that holds it.
    ///
    /// # Errors
    /// As [`SqliteStore::open_read_only`].
    pub fn open_beside(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> StoreResult<Self> {
        let path = open::existing_path(path.as_ref())?;
        open::check_readable(&open::open_reader(&path)?, &path)?;
        let connection = Arc::new(Mutex::new(open::open_beside(&path)?));
        let silent = watch::Sender::new(Generation(0));
        let writing = Writing::Beside { connection, silent };
        Ok(Self { readers: Readers::new(path.clone()), path, writing, clock })
    }

    /// The schema version of a file, 0 for one that holds nothing yet, and the newest that this program
    /// knows. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no file, or another program made it.
    pub fn schema_versions(path: impl AsRef<Path>) -> StoreResult<(u32, u32)> {
        let path = open::existing_path(path.as_ref())?;
        let found = open::found_version(&open::open_reader(&path)?, &path)?;
        Ok((found, open::known_version()))
    }

    /// What the handle may do.
    #[must_use]
    pub const fn mode(&self) -> OpenMode {
        match self.writing {
            Writing::All { .. } => OpenMode::ReadWrite,
            Writing::Beside { .. } => OpenMode::Beside,
            Writing::Nothing { .. } => OpenMode::ReadOnly,
        }
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the address at which this process answers into the lock file, for those who find the
    /// store locked.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the handle holds no lock, [`StoreError::Unavailable`] when the
    /// file cannot be written.
    pub fn set_address(&self, address: &str) -> StoreResult<()> {
        match &self.writing {
            Writing::All { lock, .. } => lock.set_address(address),
            _ => self.cannot_write(),
        }
    }

    fn cannot_write<T>(&self) -> StoreResult<T> {
        Err(StoreError::Conflict(format!(
            "{} was opened beside its holder and cannot be changed so",
            self.path.display()
        )))
    }

    /// Writes through the writer, which only the holder of the lock has.
    async fn write<T, F>(&self, rows: usize, act: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Minted) -> Queried<T> + Send + 'static,
    {
        match &self.writing {
            Writing::All { writer, .. } => writer.ask(rows, act).await,
            _ => self.cannot_write(),
        }
    }

    /// Adds a row that other processes may add too.
    async fn add<T, F>(&self, act: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Queried<T> + Send + 'static,
    {
        let connection = match &self.writing {
            Writing::All { writer, .. } => {
                return writer.ask(1, move |connection, _| act(connection)).await;
            }
            Writing::Beside { connection, .. } => Arc::clone(connection),
            Writing::Nothing { .. } => return self.cannot_write(),
        };
        let adding = tokio::task::spawn_blocking(move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(|error| store_error(&error))?;
            let added = act(&transaction).map_err(StoreError::from)?;
            transaction.commit().map_err(|error| store_error(&error))?;
            Ok(added)
        });
        let gone = |_| StoreError::Unavailable("the program is shutting down".to_owned());
        adding.await.map_err(gone)?
    }
}
