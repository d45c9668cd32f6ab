//! `db migrate`.

use serde_json::json;

use super::Context;
use crate::clock::SystemClock;
use crate::config::Database;
use crate::failure::{Exit, Failure};
use crate::output::ago;
use crate::wire::{self, Opened};

pub(super) const EXPLAINED: &str = "\
Examples:
  DATABASE_URL_FILE=./owner-url kasparro db migrate
  kasparro db migrate --json              {\"from\":0,\"to\":1}

On PostgreSQL run it as the owner of the schema, before new versions of the other processes are started; it also gives
the roles of `kasparro db roles` their rights. What is there already stays. A schema of a newer version is left as it
is (exit code 3).";

pub(crate) async fn execute(context: Context) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let begun = tokio::time::Instant::now();
    let (from, to) = match &config.database {
        Database::Sqlite(path) => {
            let clock = SystemClock::shared();
            let (from, _) = wire::file_versions(path)?;
            match wire::open_store(config, &clock).await? {
                Opened::Held(locked) => return Err(locked.failure()),
                Opened::Alone(store) | Opened::Shared(store) => {
                    let info = store.ping().await;
                    let info = info.map_err(|error| Failure::store(&error, &config.database))?;
                    (from, info.schema_version)
                }
            }
        }
        Database::Postgres(settings) => {
            let migrated = kasparro_store_postgres::migrate(settings).await;
            let migrated = migrated.map_err(|error| Failure::store(&error, &config.database))?;
            (migrated.from, migrated.to)
        }
    };
    output.result(&json!({ "from": from, "to": to }), || {
        let place = &config.database;
        let took = ago(begun.elapsed().as_secs());
        match from {
            0 => format!("{place}: the store is made, in version {to} of the schema"),
            same if same == to => format!("{place}: nothing to do, the schema has version {to}"),
            _ => format!("{place}: the schema is brought from version {from} to {to} in {took}"),
        }
    })?;
    Ok(Exit::Done)
}
