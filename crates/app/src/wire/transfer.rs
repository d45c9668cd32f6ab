//! Opening the two stores of a copy.

use std::path::Path;
use std::sync::Arc;

use kasparro_domain::Clock;
use kasparro_store::{LeaseStore, StoreError, TransferStore};
use kasparro_store_postgres::MigrateMode;
use kasparro_store_sqlite::SqliteStore;

use super::store::{make_folder, open_existing, open_postgres};
use crate::config::Database;
use crate::failure::{Exit, Failure};

/// Opens the store that is copied, beside whoever works on it.
///
/// # Errors
/// A [`Failure`] with exit code 3, also where its schema is not that of this program.
pub(crate) async fn open_origin(
    database: &Database,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn TransferStore>, Failure> {
    let failed = |error| Failure::store(&error, database);
    match database {
        Database::Sqlite(path) => {
            // Says more about a file that is not there.
            drop(open_existing(database, clock).await?);
            let store = SqliteStore::open_read_only(path, Arc::clone(clock));
            Ok(Arc::new(store.map_err(failed)?))
        }
        Database::Postgres(settings) => {
            let store = open_postgres(settings, MigrateMode::Check).await;
            Ok(Arc::new(store.map_err(failed)?))
        }
    }
}

/// Opens the store that is written, makes it where there is none, and brings its schema up to date. It must
/// be empty, and nobody may work on it.
///
/// # Errors
/// A [`Failure`]: exit code 3 where somebody works on it or it cannot be used, 2 where it holds anything.
pub(crate) async fn open_empty(
    database: &Database,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn TransferStore>, Failure> {
    let failed = |error| Failure::store(&error, database);
    let store: Arc<dyn TransferStore> = match database {
        Database::Sqlite(path) => {
            make_folder(
                path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            )?;
            Arc::new(SqliteStore::open(path, Arc::clone(clock)).map_err(failed)?)
        }
        Database::Postgres(settings) => {
            let store = open_postgres(settings, MigrateMode::Run).await.map_err(failed)?;
            refuse_holders(&store, database).await?;
            Arc::new(store)
        }
    };
    if store.is_empty().await.map_err(failed)? {
        return Ok(store);
    }
    Err(Failure::new(
        Exit::Usage,
        "target_not_empty",
        format!("--to {database} holds data already"),
        "name a database that is not there yet, or for PostgreSQL another schema (?schema=NAME); a copy never \
         adds to a store",
    ))
}

async fn refuse_holders(store: &impl LeaseStore, database: &Database) -> Result<(), Failure> {
    let leases = store.leases().await.map_err(|error| Failure::store(&error, database))?;
    let Some(lease) = leases.into_iter().find(|lease| lease.live) else {
        return Ok(());
    };
    let error =
        StoreError::Locked { holder: format!("{} works on {}", lease.holder, lease.source) };
    Err(Failure::store(&error, database))
}
