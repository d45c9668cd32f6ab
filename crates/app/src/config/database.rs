//! How a database is named.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kasparro_store_postgres::PostgresSettings;

use super::error::{ConfigError, Origin};
use super::settings::Settings;

pub(super) const KEY: &str = "store.database";

/// Where data are kept. Shown without user and password.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// A file, on which one process works.
    Sqlite(PathBuf),
    /// A schema that any number of processes share.
    Postgres(Box<PostgresSettings>),
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(settings) => f.write_str(&settings.place()),
        }
    }
}

impl Database {
    /// The file, where it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }

    /// The folder of the file; the one below this one where the database is elsewhere.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Sqlite(path) => match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            },
            Self::Postgres(_) => Path::new("./data"),
        }
    }
}

/// What everybody on this machine may read in the list of processes, and should not; the password is not told.
pub(super) fn warning(settings: &Settings) -> Option<String> {
    let Origin::Flag(flag) = settings.origin(KEY) else { return None };
    let visible = settings.text(KEY).is_ok_and(|text| holds_password(&text));
    visible.then(|| {
        format!(
            "{flag} holds a password, which every user of this machine sees in the list of processes: name the \
             database by DATABASE_URL or DATABASE_URL_FILE, or by POSTGRES_HOST with POSTGRES_PASSWORD_FILE"
        )
    })
}

/// True for an address that names a user with a password, or has one among its parameters.
fn holds_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (user, rest) = rest.split_once('@').unwrap_or(("", rest));
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty())
        || query.split('&').any(|parameter| {
            parameter.strip_prefix("password=").is_some_and(|password| !password.is_empty())
        })
}

/// What a database elsewhere may cost: connections, and time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pool_size: usize,
    statement_timeout: Duration,
    lock_timeout: Duration,
    idle_in_transaction_timeout: Duration,
}

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3600);

impl Limits {
    pub(super) fn configured(settings: &Settings) -> Result<Self, ConfigError> {
        let of_server = "what the server allows is its max_connections";
        let pool_size = settings.number_within("store.pool_size", 2, 500, of_server)?;
        let time = |key: &str| settings.duration_within(key, SHORTEST, LONGEST);
        Ok(Self {
            pool_size,
            statement_timeout: time("store.statement_timeout")?,
            lock_timeout: time("store.lock_timeout")?,
            idle_in_transaction_timeout: time("store.idle_in_transaction_timeout")?,
        })
    }

    /// The same database within these limits.
    fn keep(self, mut database: Database) -> Database {
        if let Database::Postgres(settings) = &mut database {
            settings.pool_size = self.pool_size;
            settings.statement_timeout = self.statement_timeout;
            settings.lock_timeout = self.lock_timeout;
            settings.idle_in_transaction_timeout = self.idle_in_transaction_timeout;
        }
        database
    }
}

/// The configured database.
///
/// # Errors
/// [`ConfigError`] for what names none.
pub(super) fn configured(settings: &Settings, limits: Limits) -> Result<Database, ConfigError> {
    let text = settings.text(KEY)?;
    let read = read(&text).map(|database| limits.keep(database));
    read.map_err(|refusal| {
        let mut error = settings.refuse(KEY, &refusal.reason, REMEDY);
        let from_file = matches!(
            settings.origin(KEY), Origin::Environment(name) if name.to_ascii_uppercase().ends_with("_FILE")
        );
        if from_file {
            error.value = Some(HIDDEN.to_owned());
        } else if let Some(shown) = refusal.shown {
            error.value = Some(shown);
        }
        error
    })
}

/// The database that a flag names; a path alone is that of a SQLite file.
///
/// # Errors
/// [`ConfigError`] for what names none.
pub(super) fn named(
    flag: &'static str,
    text: &str,
    limits: Limits,
) -> Result<Database, ConfigError> {
    // A = is that of `host=... password=...`, which is no path.
    let plain = !text.is_empty() && !text.contains([':', '?', '=', '\0']) && !text.ends_with('/');
    if plain {
        return Ok(Database::Sqlite(PathBuf::from(text)));
    }
    let read = read(text).map(|database| limits.keep(database));
    read.map_err(|refusal| {
        let shown = refusal.shown.unwrap_or_else(|| text.to_owned());
        of_flag(flag, shown, refusal.reason)
    })
}

/// The database that a file behind a flag names. The text is shown to nobody, and must say what it is: a file
/// that holds only a password would else name a SQLite file by it.
///
/// # Errors
/// [`ConfigError`] for what names none.
pub(super) fn in_file(
    flag: &'static str,
    text: &str,
    limits: Limits,
) -> Result<Database, ConfigError> {
    let read = read(text).map(|database| limits.keep(database));
    read.map_err(|refusal| of_flag(flag, HIDDEN.to_owned(), refusal.reason))
}

fn of_flag(flag: &'static str, shown: String, reason: String) -> ConfigError {
    let (key, remedy) = (flag.to_owned(), REMEDY.to_owned());
    ConfigError { key, value: Some(shown), origin: None, reason, remedy }
}

/// What is shown instead of a text that may be, or hold, a password.
const HIDDEN: &str = "…";

const REMEDY: &str =
    "write for example sqlite:./data/kasparro.db, or postgres://USER@HOST/DATABASE";

struct Refusal {
    /// Shown instead of the value, which may hold a password in a shape of its own.
    shown: Option<String>,
    reason: String,
}

fn read(text: &str) -> Result<Database, Refusal> {
    let text = text.trim();
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), Some(rest)),
        None => (String::new(), None),
    };
    if let Some(rest) = rest.filter(|_| scheme.starts_with("postgres")) {
        let read = PostgresSettings::from_url(&format!("{scheme}:{rest}"));
        return read.map(|settings| Database::Postgres(Box::new(settings))).map_err(|reason| {
            let shown = Some(if rest.starts_with("//") {
                format!("{scheme}://…")
            } else {
                HIDDEN.into()
            });
            Refusal { shown, reason: format!("is refused: {reason}") }
        });
    }
    // Three slashes before a relative path are how SQLAlchemy, which the older services use, writes it.
    let path = rest
        .filter(|_| scheme == "sqlite")
        .map(|path| path.strip_prefix("///").unwrap_or(path))
        .filter(|path| {
            !path.trim().is_empty()
                && !path.starts_with("//")
                && !path.starts_with(':')
                && !path.contains(['?', '\0'])
                && !path.ends_with('/')
        });
    let reason = || "names neither a SQLite file nor a PostgreSQL database".to_owned();
    path.map(|path| Database::Sqlite(PathBuf::from(path))).ok_or_else(|| {
        let shown = (!plainly_no_secret(text)).then(|| HIDDEN.to_owned());
        Refusal { shown, reason: reason() }
    })
}

/// True for an address, of which user and query are masked, and for what is plainly the name of a file. All
/// else may be a password, or hold one in a shape of its own (`host=... password=...`).
fn plainly_no_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let address = lower.contains("://") || lower.starts_with("sqlite:");
    let file = [".db", ".sqlite", ".sqlite3"].iter().any(|ending| lower.ends_with(ending));
    let assigns = lower.contains("password") || lower.contains(char::is_whitespace);
    text.is_empty() || ((address || file) && !assigns)
}
