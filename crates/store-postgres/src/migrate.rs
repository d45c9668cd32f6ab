//! The schema: what it is, and bringing it up to date.

use std::time::Duration;

use kasparro_store::{StoreError, StoreResult};
use tokio_postgres::Client;

use crate::connect;
use crate::error::{Queried, store_error};
use crate::roles;
use crate::settings::PostgresSettings;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// How long to wait for another process that is migrating.
const WAIT: Duration = Duration::from_secs(120);

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The schema version before; 0 where there was no store.
    pub from: u32,
    /// The schema version now.
    pub to: u32,
}

/// How a schema stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The schema version found; 0 where there is no store.
    pub found: u32,
    /// The newest version that this program knows.
    pub known: u32,
    /// Migrations that `migrate` would apply, by name.
    pub pending: Vec<String>,
    /// Length of tables and indexes, in bytes.
    pub size_bytes: u64,
    /// The version of the server, in its own words.
    pub server: String,
}

/// The newest schema version this program knows.
pub(crate) fn known_version() -> u32 {
    let runner = embedded::migrations::runner();
    let versions = runner.get_migrations().iter().map(refinery::Migration::version);
    versions.max().map_or(0, |version| u32::try_from(version).unwrap_or(0))
}

/// Opens a connection that is not of a pool, and drives it for as long as the client lives.
async fn client(settings: &PostgresSettings) -> StoreResult<Client> {
    let (client, driver) = connect::alone(settings).await?;
    tokio::spawn(async move {
        // What ends it shows in the client's next statement.
        let _ = driver.await;
    });
    Ok(client)
}

fn at(settings: &PostgresSettings) -> impl Fn(StoreError) -> StoreError + '_ {
    move |error| match error {
        StoreError::Unavailable(why) => {
            StoreError::Unavailable(format!("{}: {why}", settings.place()))
        }
        other => other,
    }
}

/// The schema version; 0 where there is no store.
async fn found_version(client: &Client, settings: &PostgresSettings) -> Queried<u32> {
    let schema = settings.schema();
    // In this order: where somebody else migrates now, the history of the schema is made before the rest.
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace($1)";
    let tables: i64 = client.query_one(tables, &[&schema]).await?.try_get(0)?;
    if tables == 0 {
        return Ok(0);
    }
    // By the catalogue, which anybody may read: whoever lacks a right is told so and not refused.
    let readable = "
        SELECT coalesce(has_schema_privilege(relnamespace, 'USAGE')
                        AND has_table_privilege(oid, 'SELECT'), false)
        FROM pg_class
        WHERE relnamespace = to_regnamespace($1) AND relname = 'refinery_schema_history'";
    let Some(row) = client.query_opt(readable, &[&schema]).await? else {
        let why = format!(
            "the schema {schema} is that of another program; name another one by schema=NAME"
        );
        return Err(StoreError::Unavailable(why).into());
    };
    if !row.try_get::<_, bool>(0)? {
        let why = format!(
            "the role lacks a right in the schema {schema}: run `kasparro db migrate` as the owner"
        );
        return Err(StoreError::Unavailable(why).into());
    }
    let version = format!("SELECT coalesce(max(version), 0) FROM {schema}.refinery_schema_history");
    let version: i32 = client.query_one(&version, &[]).await?.try_get(0)?;
    Ok(u32::try_from(version).unwrap_or(0))
}

/// Brings the schema up to date, and gives the roles that exist their rights. Processes that do so at
/// once come one after another.
///
/// # Errors
/// [`StoreError::Newer`] leaves the store of a newer program as it is. [`StoreError::Unavailable`] says what
/// is wrong, and names no password.
pub async fn migrate(settings: &PostgresSettings) -> StoreResult<Migrated> {
    let mut client = client(settings).await?;
    let migrating = bring_up_to_date(&mut client, settings).await;
    migrating.map_err(StoreError::from).map_err(at(settings))
}

async fn bring_up_to_date(client: &mut Client, settings: &PostgresSettings) -> Queried<Migrated> {
    let (schema, known) = (settings.schema(), known_version());
    let found = found_version(client, settings).await?;
    if found > known {
        return Err(StoreError::Newer { found, known }.into());
    }
    // Waiting for others is limited; a migration of a large store may take as long as it needs.
    let (wait_ms, lock) = (WAIT.as_millis(), format!("kasparro.migrate.{schema}"));
    client
        .batch_execute(&format!(
            "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
             SET lock_timeout = {wait_ms}"
        ))
        .await?;
    client.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", &[&lock]).await?;
    // Somebody else may have done it meanwhile.
    let from = found_version(client, settings).await?;
    if from > known {
        return Err(StoreError::Newer { found: from, known }.into());
    }
    let owns = become_owner(client, schema).await?;
    if from < known {
        make_schema(client, schema).await?;
        // Grouped: the migrations and their history rows are one transaction, so a kill leaves the old
        // schema or the new one.
        let runner = embedded::migrations::runner().set_grouped(true);
        runner.run_async(client).await.map_err(|error| of_migration(&error))?;
    }
    if from < known || owns {
        roles::grant(client, schema).await?;
    }
    Ok(Migrated { from, to: known })
}

/// Works as the role that owns the schema, or shall own it, where the user is a member of it, so that
/// every owner can migrate what another one made. True where the schema is the user's to change.
async fn become_owner(client: &Client, schema: &str) -> Queried<bool> {
    let sql = "
        SELECT n.nspowner::regrole::text, pg_has_role(n.nspowner, 'MEMBER')
        FROM pg_namespace AS n WHERE n.nspname = $1";
    if let Some(row) = client.query_opt(sql, &[&schema]).await? {
        let (owner, member): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
        if member {
            client.batch_execute(&format!("SET ROLE {owner}")).await?;
        }
        return Ok(member);
    }
    let sql = "
        SELECT 1 FROM pg_roles AS o JOIN pg_roles AS u ON u.rolname = current_user
        WHERE o.rolname = 'kasparro_owner' AND NOT u.rolsuper AND pg_has_role(o.oid, 'MEMBER')
          AND has_database_privilege(o.oid, current_database(), 'CREATE')";
    if client.query_opt(sql, &[]).await?.is_some() {
        client.batch_execute("SET ROLE kasparro_owner").await?;
    }
    Ok(true)
}

async fn make_schema(client: &Client, schema: &str) -> Queried<()> {
    // Asked for first: IF NOT EXISTS would need the right to create one also where there is one.
    let sql = "SELECT to_regnamespace($1) IS NOT NULL";
    if !client.query_one(sql, &[&schema]).await?.try_get::<_, bool>(0)? {
        client.batch_execute(&format!("CREATE SCHEMA {schema}")).await?;
    }
    Ok(())
}

fn of_migration(error: &refinery::Error) -> StoreError {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<tokio_postgres::Error>() {
            return store_error(error);
        }
        cause = inner.source();
    }
    StoreError::Unavailable(format!("the schema cannot be brought up to date: {error}"))
}

/// Refuses a schema that is not up to date.
pub(crate) async fn check(settings: &PostgresSettings) -> StoreResult<()> {
    check_by(&client(settings).await?, settings).await
}

/// The same on a connection that is there already. A schema that is not there is no error to the server.
pub(crate) async fn check_by(client: &Client, settings: &PostgresSettings) -> StoreResult<()> {
    let found = found_version(client, settings).await;
    let found = found.map_err(StoreError::from).map_err(at(settings))?;
    let known = known_version();
    let behind = |what: String| {
        let (place, schema) = (settings.place(), settings.schema());
        Err(StoreError::Unavailable(format!(
            "{place}: the schema {schema} {what}; run `kasparro db migrate` as its owner"
        )))
    };
    match found {
        0 => behind("holds no store, or the user may not see it".to_owned()),
        _ if found < known => behind(format!("has version {found}, this program needs {known}")),
        _ if found > known => Err(StoreError::Newer { found, known }),
        _ => Ok(()),
    }
}

/// How the schema stands. Changes nothing.
///
/// # Errors
/// [`StoreError::Unavailable`] says what is wrong, and names no password.
pub async fn status(settings: &PostgresSettings) -> StoreResult<Status> {
    let client = client(settings).await?;
    read_status(&client, settings).await.map_err(StoreError::from).map_err(at(settings))
}

async fn read_status(client: &Client, settings: &PostgresSettings) -> Queried<Status> {
    let found = found_version(client, settings).await?;
    let sql = "
        SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint, current_setting('server_version')
        FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind = 'r'";
    let row = client.query_one(sql, &[&settings.schema()]).await?;
    let runner = embedded::migrations::runner();
    let migrations = runner.get_migrations().iter();
    let pending = migrations
        .filter(|migration| u32::try_from(migration.version()).is_ok_and(|it| it > found))
        .map(ToString::to_string)
        .collect();
    Ok(Status {
        found,
        known: known_version(),
        pending,
        size_bytes: u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0),
        server: row.try_get(1)?,
    })
}
