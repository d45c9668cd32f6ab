//! The SQLite store keeps the contract, on real files.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use kasparro_domain::{ManualClock, Timestamp};
use kasparro_store::{Store, store_contract};
use kasparro_store_sqlite::SqliteStore;

/// A factory of stores in a folder that goes with it.
fn stores() -> impl Fn() -> Arc<dyn Store> + Send + Sync {
    let folder = tempfile::tempdir().unwrap();
    let opened = AtomicU32::new(0);
    move || {
        let number = opened.fetch_add(1, Ordering::SeqCst);
        let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
        let path = folder.path().join(format!("store-{number}.db"));
        Arc::new(SqliteStore::open(path, clock).unwrap())
    }
}

store_contract!(stores());
