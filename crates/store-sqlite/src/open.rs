//! Opening the file: modes, pragmas, migrations.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kasparro_store::{StoreError, StoreResult};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use crate::error::store_error;

/// What a handle may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Holds the lock, reads and writes everything.
    ReadWrite,
    /// Only reads.
    ReadOnly,
    /// Reads, and adds commands, queued runs and keys beside the process that holds the lock.
    Beside,
}

/// How long a statement waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Statements kept prepared per connection; above the number of those a batch uses.
const PREPARED_STATEMENTS: usize = 64;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The newest schema version this program knows.
pub(crate) fn known_version() -> u32 {
    let runner = embedded::migrations::runner();
    let versions = runner.get_migrations().iter().map(refinery::Migration::version);
    versions.max().map_or(0, |version| u32::try_from(version).unwrap_or(0))
}

fn unavailable(path: &Path, what: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("{}: {what}", path.display()))
}

/// Names the file in an error that came up while opening it.
fn at(path: &Path) -> impl Fn(rusqlite::Error) -> StoreError + '_ {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            unavailable(path, "is not a SQLite database; name another file, or move this one away")
        }
        Some(ErrorCode::CannotOpen) => unavailable(
            path,
            format!(
                "cannot be opened ({error}); check that it is a file with the right to read and write it and its folder"
            ),
        ),
        _ => match store_error(&error) {
            StoreError::Unavailable(why) => unavailable(path, why),
            StoreError::Corrupt(why) => StoreError::Corrupt(format!("{}: {why}", path.display())),
            other => other,
        },
    }
}

/// The path by which every process names the same file, with its folder made.
pub(crate) fn prepare_path(path: &Path) -> StoreResult<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(unavailable(path, "is not the path of a file; name the file of the database"));
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(|error| {
        unavailable(path, format!("its folder cannot be made ({error}); choose another one"))
    })?;
    // Through a link the lock file of the target must be taken, not one beside the link.
    if let Ok(target) = std::fs::canonicalize(path) {
        return if target.is_dir() {
            Err(unavailable(path, "is a folder; name a file in it"))
        } else {
            Ok(target)
        };
    }
    let folder = std::fs::canonicalize(folder)
        .map_err(|error| unavailable(path, format!("its folder cannot be used: {error}")))?;
    Ok(folder.join(name))
}

/// The path of a store that must exist.
pub(crate) fn existing_path(path: &Path) -> StoreResult<PathBuf> {
    match std::fs::canonicalize(path) {
        Ok(target) if target.is_file() => Ok(target),
        Ok(_) => Err(unavailable(path, "is not a file; name the file of the database")),
        Err(error) => Err(unavailable(
            path,
            format!(
                "there is no store ({error}); start `kasparro serve` or `kasparro run` once, or name another file"
            ),
        )),
    }
}

/// The schema version of a file; 0 for one that holds nothing yet.
///
/// # Errors
/// [`StoreError::Unavailable`] for a database that another program made.
pub(crate) fn found_version(connection: &Connection, path: &Path) -> StoreResult<u32> {
    let table = "SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    let ours = connection.query_row(table, [], |_| Ok(())).optional().map_err(at(path))?;
    if ours.is_some() {
        let version = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
        return connection.query_row(version, [], |row| row.get(0)).map_err(at(path));
    }
    let tables = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
        .map_err(at(path))?;
    match tables {
        0 => Ok(0),
        _ => Err(unavailable(path, "is the database of another program; name another file")),
    }
}

/// Refuses a store that this program cannot read; touches nothing.
fn check_version(connection: &Connection, path: &Path) -> StoreResult<u32> {
    let (found, known) = (found_version(connection, path)?, known_version());
    if found > known { Err(StoreError::Newer { found, known }) } else { Ok(found) }
}

fn common(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "memory")
}

/// Opens the connection that writes, and brings the schema up to date. The lock must be held.
pub(crate) fn open_writer(path: &Path) -> StoreResult<Connection> {
    if path.exists() {
        // Looked at read-only first: switching to WAL would already change a newer store.
        let look = open_reader(path)?;
        check_version(&look, path)?;
    }
    let mut connection =
        Connection::open_with_flags(path, OpenFlags::default()).map_err(at(path))?;
    common(&connection).map_err(at(path))?;
    let settings = || -> rusqlite::Result<()> {
        connection.pragma_update(None, "journal_mode", "wal")?;
        // NORMAL loses acknowledged commits in a power cut.
        connection.pragma_update(None, "synchronous", "full")?;
        // Negative: KiB. The inner pages of the trees of a million listings fit.
        connection.pragma_update(None, "cache_size", -16_384)?;
        // Pages of 4 KiB: a checkpoint every 16 MiB instead of every 4, so that a batch of 5,000 rows
        // seldom pays for one; the file is cut back to 64 MiB after a big one.
        connection.pragma_update(None, "wal_autocheckpoint", 4_096)?;
        connection.pragma_update(None, "journal_size_limit", 64 << 20)
    };
    settings().map_err(at(path))?;
    // Off, because a migration that makes a table anew drops the old one, on which others depend; it
    // checks by itself that no row points nowhere afterwards.
    connection.pragma_update(None, "foreign_keys", false).map_err(at(path))?;
    // Grouped: the migrations and their history rows are one transaction, so a kill leaves the old
    // schema or the new one.
    embedded::migrations::runner().set_grouped(true).run(&mut connection).map_err(|error| {
        unavailable(path, format!("the schema cannot be brought up to date: {error}"))
    })?;
    connection.pragma_update(None, "foreign_keys", true).map_err(at(path))?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(crate) fn open_reader(path: &Path) -> StoreResult<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let ready = |connection: rusqlite::Result<Connection>| -> rusqlite::Result<Connection> {
        let connection = connection?;
        common(&connection)?;
        connection.pragma_update(None, "cache_size", -4_096)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    match ready(Connection::open_with_flags(path, flags)) {
        // A reader of a WAL database must make its -shm file. In a folder where it cannot, and where no
        // -wal tells of a writer, the file may be read as it stands. SQLite says `ReadOnly` where it
        // may not write and `CannotOpen` where it could not.
        Err(error)
            if matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)
            ) && !wal_exists(path) =>
        {
            ready(Connection::open_with_flags(immutable_uri(path), flags)).map_err(at(path))
        }
        other => other.map_err(at(path)),
    }
}

/// Opens a connection that reads and sorts whole tables in memory that does not grow with them: what
/// does not fit into its cache goes to files.
pub(crate) fn open_large_reader(path: &Path) -> StoreResult<Connection> {
    let connection = open_reader(path)?;
    connection.pragma_update(None, "temp_store", "file").map_err(at(path))?;
    connection.pragma_update(None, "cache_size", -16_384).map_err(at(path))?;
    Ok(connection)
}

/// Opens a connection that adds rows beside the process that holds the lock.
pub(crate) fn open_beside(path: &Path) -> StoreResult<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(at(path))?;
    common(&connection).map_err(at(path))?;
    connection.pragma_update(None, "synchronous", "full").map_err(at(path))?;
    Ok(connection)
}

/// Refuses a store that a reader without the right to migrate cannot use.
pub(crate) fn check_readable(connection: &Connection, path: &Path) -> StoreResult<()> {
    let (found, known) = (check_version(connection, path)?, known_version());
    if found == known {
        return Ok(());
    }
    Err(unavailable(
        path,
        format!(
            "has schema version {found}, this program reads {known}; start `kasparro serve` or `kasparro run` once, which brings it up to date"
        ),
    ))
}

fn wal_exists(path: &Path) -> bool {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    std::fs::metadata(wal).is_ok_and(|file| file.len() > 0)
}

fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'?' | b'#' | b'%' | 0x80.. => uri.push_str(&format!("%{byte:02x}")),
            plain => uri.push(char::from(*plain)),
        }
    }
    uri.push_str("?immutable=1");
    uri
}
