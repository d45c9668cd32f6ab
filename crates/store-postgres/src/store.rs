//! The handle: opening it, and its ways to read and write.

mod access;
mod pages;
mod traits;
mod transfer;
mod watched;

pub(crate) use traits::snapshot;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use deadpool_postgres::{Client, Pool, Transaction};
use kasparro_domain::Generation;
use kasparro_faults::crash_point;
use kasparro_store::StoreResult;
use tokio::sync::watch;

use crate::connect;
use crate::error::Queried;
use crate::known::Known;
use crate::listen::Listener;
use crate::migrate;
use crate::settings::{MigrateMode, PostgresSettings};

/// A store in one schema of a PostgreSQL database. Several may share it.
#[derive(Debug)]
pub struct PostgresStore {
    pool: Pool,
    settings: PostgresSettings,
    /// Shared with whoever follows.
    known: Arc<Known>,
    announced: watch::Sender<Generation>,
    /// Started by whoever watches first.
    listener: OnceLock<Listener>,
    /// First hours of the months whose partition of history is known to exist.
    months: Mutex<BTreeSet<i64>>,
}

impl PostgresStore {
    /// Opens a store, and brings its schema up to date where the settings say so.
    ///
    /// # Errors
    /// [`kasparro_store::StoreError::Newer`] leaves a store of a newer program as it is;
    /// [`kasparro_store::StoreError::Unavailable`] says in one line why the database cannot be used and what
    /// to do about it, without any password.
    pub async fn open(settings: PostgresSettings) -> StoreResult<Self> {
        match settings.migrate {
            MigrateMode::Run => {
                migrate::migrate(&settings).await?;
            }
            MigrateMode::Check => migrate::check(&settings).await?,
        }
        Self::handle(settings, Known::new(true))
    }

    /// A handle for a process that serves also while its database is away: nothing is asked of it yet. Whoever
    /// asks it later is told why it cannot be used until the schema of this program is there, and no table is
    /// asked for before that.
    ///
    /// # Errors
    /// [`kasparro_store::StoreError::Unavailable`] for settings that cannot be used.
    pub fn unopened(settings: PostgresSettings) -> StoreResult<Self> {
        Self::handle(settings, Known::new(false))
    }

    fn handle(settings: PostgresSettings, known: Known) -> StoreResult<Self> {
        let pool = connect::pool(&settings)?;
        let announced = watch::Sender::new(Generation(0));
        let (listener, months) = (OnceLock::new(), Mutex::new(BTreeSet::new()));
        Ok(Self { pool, settings, known: Arc::new(known), announced, listener, months })
    }

    /// What the store was opened with.
    #[must_use]
    pub const fn settings(&self) -> &PostgresSettings {
        &self.settings
    }

    /// A connection that answered a moment ago, to a schema that is there.
    pub(crate) async fn connection(&self) -> StoreResult<Client> {
        let client = connect::client(&self.pool, &self.settings).await?;
        self.known.look(&client, &self.settings).await?;
        Ok(client)
    }

    /// First hours of the months whose partition of history is known to exist.
    pub(crate) const fn months(&self) -> &Mutex<BTreeSet<i64>> {
        &self.months
    }

    /// Looks for the partitions of history anew with the next batch.
    pub(crate) fn forget_months(&self) {
        self.months.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Tells those who watch this handle of a generation that is committed.
    pub(crate) fn announce(&self, generation: Generation) {
        announce(&self.announced, generation);
    }
}

/// Raises what is announced; an older generation, told late, changes nothing.
pub(crate) fn announce(announced: &watch::Sender<Generation>, generation: Generation) {
    announced.send_if_modified(|newest| {
        let newer = *newest < generation;
        if newer {
            *newest = generation;
        }
        newer
    });
}

/// Ends a transaction that wrote.
pub(crate) async fn finish(transaction: Transaction<'_>) -> Queried<()> {
    crash_point!("transaction.full");
    transaction.commit().await?;
    crash_point!("transaction.committed");
    Ok(())
}
