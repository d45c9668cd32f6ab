//! A PostgreSQL database in simulated time.

use std::pin::Pin;
use std::sync::Arc;

use kasparro_domain::Timestamp;
use kasparro_store::Store;
use kasparro_store_postgres::{PostgresSettings, PostgresStore};
use kasparro_testkit::postgres::{Database, Postgres, connect};
use tokio::runtime::Handle;

/// Puts the time that is told in place of the server's. A sequence changes outside of transactions, so
/// one that began earlier sees the new time as well, as it would with a clock.
const TOLD_TIME: &str = "
    CREATE SEQUENCE kasparro.told_ms;
    CREATE OR REPLACE FUNCTION kasparro.store_now() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS $$ SELECT timestamptz 'epoch' + last_value * interval '1 millisecond' FROM kasparro.told_ms $$";

/// A database of its own, gone with the value.
pub(crate) struct SimulatedDatabase(Database);

impl SimulatedDatabase {
    /// With the tables of a store, at an instant.
    pub(crate) async fn new(begins_at: Timestamp) -> (Self, DatabaseClock) {
        let simulated = Self(Postgres::shared().fresh_database());
        simulated.open().await;
        simulated.0.sql(TOLD_TIME).await;
        let clock = DatabaseClock::new(&simulated.0.url()).await;
        clock.tell(begins_at);
        (simulated, clock)
    }

    /// A store with connections of its own, as each process has them.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        let settings = PostgresSettings::from_url(&self.0.url()).unwrap();
        Arc::new(PostgresStore::open(settings).await.unwrap())
    }
}

type Said = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells a database what time it is.
pub(crate) struct DatabaseClock(Box<dyn Fn(Timestamp) -> Said + Send + Sync>);

impl DatabaseClock {
    async fn new(url: &str) -> Self {
        let client = Arc::new(connect(url).await.unwrap());
        Self(Box::new(move |now| {
            let client = Arc::clone(&client);
            Box::pin(async move {
                let sql = format!("SELECT setval('kasparro.told_ms', {})", now.as_millis());
                client.batch_execute(&sql).await.unwrap();
            })
        }))
    }

    /// Returns once the database knows it.
    pub(crate) fn tell(&self, now: Timestamp) {
        tokio::task::block_in_place(|| Handle::current().block_on((self.0)(now)));
    }
}
