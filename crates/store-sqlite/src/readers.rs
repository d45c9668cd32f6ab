//! Connections that only read.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use kasparro_store::{StoreError, StoreResult};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::Semaphore;

use crate::error::{Queried, store_error};
use crate::open::{open_large_reader, open_reader};

/// Reads that run at the same time; the read model answers almost everything, so few are needed.
const CONNECTIONS: usize = 4;

/// A few connections, opened when they are needed and kept.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Readers of the database at `path`.
    pub(crate) fn new(path: PathBuf) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        Arc::new(Self { path, idle: Mutex::new(Vec::new()), permits })
    }

    /// Carries out `act` in one snapshot, on a thread that may block.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, act: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Queried<T> + Send + 'static,
    {
        self.block_on(move |readers| readers.read_now(act)).await
    }

    /// The same on a connection of its own, for what reads and sorts whole tables.
    pub(crate) async fn read_large<T, F>(self: &Arc<Self>, act: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Queried<T> + Send + 'static,
    {
        self.block_on(move |readers| in_snapshot(&mut open_large_reader(&readers.path)?, act)).await
    }

    async fn block_on<T, F>(self: &Arc<Self>, act: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> StoreResult<T> + Send + 'static,
    {
        let gone = || StoreError::Unavailable("the program is shutting down".to_owned());
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| gone())?;
        let readers = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            act(&readers)
        });
        reading.await.map_err(|_| gone())?
    }

    fn read_now<T>(&self, act: impl FnOnce(&Connection) -> Queried<T>) -> StoreResult<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = idle.map_or_else(|| open_reader(&self.path), Ok)?;
        let outcome = in_snapshot(&mut connection, act);
        // After an error the file may have been replaced: the next read opens it again.
        if outcome.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        outcome
    }
}

/// Carries out `act` in a transaction that sees one state of the store.
fn in_snapshot<T>(
    connection: &mut Connection,
    act: impl FnOnce(&Connection) -> Queried<T>,
) -> StoreResult<T> {
    connection
        .transaction_with_behavior(TransactionBehavior::Deferred)
        .map_err(|error| store_error(&error))
        .and_then(|snapshot| act(&snapshot).map_err(StoreError::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_sorts_whole_tables_sorts_in_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE one (x)").unwrap();
        let readers = Readers::new(path);
        let stores = |connection: &Connection| -> Queried<i64> {
            Ok(connection.query_row("PRAGMA temp_store", [], |row| row.get(0))?)
        };
        const FILE: i64 = 1;
        const MEMORY: i64 = 2;
        assert_eq!(readers.read_large(stores).await, Ok(FILE));
        assert_eq!(readers.read(stores).await, Ok(MEMORY));
    }
}
