//! The store of a process that serves: there at once, also while its database is away.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::Clock;
use kasparro_engine::Holding;
use kasparro_store::{Store, StoreError};
use kasparro_store_postgres::{MigrateMode, PostgresSettings, PostgresStore};
use kasparro_store_sqlite::SqliteStore;

use super::store::{Locked, make_folder, open_postgres};
use crate::config::{Config, Database};
use crate::failure::Failure;

/// Time between two looks whether the database answers.
const LOOK_EVERY: Duration = Duration::from_millis(1500);

/// A store to serve from.
pub(crate) enum Backing {
    /// A file that this process holds.
    File(Arc<SqliteStore>),
    /// A schema that others use as well, not yet looked at.
    Shared(Arc<PostgresStore>, Box<PostgresSettings>),
}

impl Backing {
    /// Takes the store. A file is opened and brought up to date; nothing is asked of a database elsewhere.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 3.
    pub(crate) fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, Failure> {
        make_folder(&config.data_dir())?;
        let failed = |error| Failure::store(&error, &config.database);
        match &config.database {
            Database::Sqlite(path) => match SqliteStore::open(path, Arc::clone(clock)) {
                Ok(store) => Ok(Self::File(Arc::new(store))),
                Err(error @ StoreError::Locked { .. }) => {
                    Err(Locked::new(error, path.clone()).failure())
                }
                Err(error) => Err(failed(error)),
            },
            Database::Postgres(settings) => {
                let store = PostgresStore::unopened((**settings).clone());
                Ok(Self::Shared(Arc::new(store.map_err(failed)?), settings.clone()))
            }
        }
    }

    /// The store.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::File(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Shared(store, _) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// How the engine holds sources on it.
    pub(crate) const fn holding(&self, config: &Config) -> Holding {
        match self {
            Self::File(_) => Holding::Alone,
            Self::Shared(..) => Holding::Leased(config.lease),
        }
    }

    /// Tells those who find a file locked where this process answers.
    ///
    /// # Errors
    /// [`StoreError`] where the lock file cannot be written.
    pub(crate) fn set_address(&self, url: &str) -> Result<(), StoreError> {
        match self {
            Self::File(store) => store.set_address(url),
            Self::Shared(..) => Ok(()),
        }
    }

    /// Waits until the database answers and its schema is that of this program; `migrate` says whether this
    /// process brings it up to date.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 3 where waiting is of no use.
    pub(crate) async fn ready(&self, migrate: MigrateMode, config: &Config) -> Result<(), Failure> {
        let Self::Shared(_, settings) = self else { return Ok(()) };
        let mut said = String::new();
        loop {
            match open_postgres(settings, migrate).await {
                Ok(_) => break,
                Err(StoreError::Unavailable(why)) => {
                    if why != said {
                        tracing::warn!(%why, "the database cannot be used yet; waiting for it");
                        said = why;
                    }
                }
                Err(error) => return Err(Failure::store(&error, &config.database)),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if !said.is_empty() {
            tracing::info!("the database can be used now");
        }
        Ok(())
    }
}
