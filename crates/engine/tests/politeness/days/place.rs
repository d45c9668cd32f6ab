//! Where everything is kept, and how a worker gets at it.

use std::path::Path;
use std::sync::Arc;

use kasparro_domain::{Clock, ManualClock};
use kasparro_store::{MemoryStore, Store};
use kasparro_store_sqlite::SqliteStore;

use super::postgres::{DatabaseClock, SimulatedDatabase};
use super::scenario::Kept;

/// The place of a scenario's store.
pub(crate) enum Place {
    /// One that all workers share.
    One(Arc<dyn Store>),
    /// One that each worker opens for itself.
    Database(SimulatedDatabase),
}

impl Place {
    /// An empty one, and the clock that goes with it, if it has its own.
    pub(crate) async fn new(
        kept: Kept,
        folder: &Path,
        clock: &Arc<ManualClock>,
    ) -> (Self, Option<DatabaseClock>) {
        match kept {
            Kept::Memory => (Self::One(Arc::new(MemoryStore::new())), None),
            Kept::Sqlite => {
                let file = folder.join("kasparro.db");
                let store = SqliteStore::open(file, Arc::clone(clock) as _).unwrap();
                (Self::One(Arc::new(store)), None)
            }
            Kept::Postgres => {
                let (database, its_clock) = SimulatedDatabase::new(clock.now()).await;
                (Self::Database(database), Some(its_clock))
            }
        }
    }

    /// The store, for one worker.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::One(store) => Arc::clone(store),
            Self::Database(database) => database.open().await,
        }
    }
}
