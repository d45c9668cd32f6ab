//! Connections: the pool, and single ones beside it.

use std::time::Duration;

use deadpool_postgres::{
    Client, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use kasparro_store::{StoreError, StoreResult};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Connection, Error, Socket};

use crate::error::{lost, store_error, told};
use crate::settings::PostgresSettings;
use crate::tls;

/// Makes the pool; no connection yet.
pub(crate) fn pool(settings: &PostgresSettings) -> StoreResult<Pool> {
    let config = settings.config().map_err(StoreError::Unavailable)?;
    // Each connection is tried before it is handed out, so that one that was cut off costs nobody an error.
    let method = ManagerConfig { recycling_method: RecyclingMethod::Verified };
    let manager = Manager::from_config(config, tls::connector(settings)?, method);
    let unusable = |error| StoreError::Unavailable(format!("the pool cannot be made: {error}"));
    Pool::builder(manager)
        .max_size(settings.pool_size.max(1))
        // A connection that does not answer is given up and replaced.
        .recycle_timeout(Some(Duration::from_secs(2)))
        .create_timeout(Some(settings.connect_timeout.saturating_add(Duration::from_secs(1))))
        .wait_timeout(Some(settings.statement_timeout))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(unusable)
}

/// A connection of the pool.
pub(crate) async fn client(pool: &Pool, settings: &PostgresSettings) -> StoreResult<Client> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) => refused(settings, &error),
        PoolError::Timeout(TimeoutType::Wait) => StoreError::Unavailable(format!(
            "{}: every one of {} connections is busy; try again, or make the pool larger",
            settings.place(),
            settings.pool_size
        )),
        PoolError::Timeout(_) => silent(settings),
        error => StoreError::Unavailable(format!("{}: {error}", settings.place())),
    })
}

/// What the connection itself does, which somebody has to drive.
pub(crate) type Driver = Connection<
    Socket,
    <tokio_postgres_rustls::MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream,
>;

/// A connection of its own.
pub(crate) async fn alone(
    settings: &PostgresSettings,
) -> StoreResult<(tokio_postgres::Client, Driver)> {
    let config = settings.config().map_err(StoreError::Unavailable)?;
    let connecting = config.connect(tls::connector(settings)?);
    let most = settings.connect_timeout.saturating_add(Duration::from_secs(1));
    match tokio::time::timeout(most, connecting).await {
        Ok(connected) => connected.map_err(|error| refused(settings, &error)),
        Err(_) => Err(silent(settings)),
    }
}

fn silent(settings: &PostgresSettings) -> StoreError {
    StoreError::Unavailable(format!(
        "{}: the server does not answer; check host and port of the URL and the network",
        settings.place()
    ))
}

/// Why a connection was not made, with its place and a remedy.
fn refused(settings: &PostgresSettings, error: &Error) -> StoreError {
    let place = settings.place();
    if error.code().is_some() {
        return match store_error(error) {
            StoreError::Unavailable(why) => StoreError::Unavailable(format!("{place}: {why}")),
            other => other,
        };
    }
    let told = told(error);
    let remedy = if told.contains("TLS") || told.contains("certificate") {
        "check sslmode and sslrootcert of the URL"
    } else if told.contains("password") || told.contains("authentication") {
        "check user and password of the database's URL"
    } else if lost(error) || told.contains("connect") {
        "check that the server runs, and host and port of the URL"
    } else {
        "check the URL of the database"
    };
    StoreError::Unavailable(format!("{place}: {told}; {remedy}"))
}
