//! Errors of PostgreSQL in the store's terms.

use kasparro_store::StoreError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Why a query failed: PostgreSQL's reason, or one in the store's own terms.
#[derive(Debug)]
pub(crate) enum Failure {
    /// PostgreSQL's reason.
    Postgres(Error),
    /// A reason in the store's terms.
    Store(StoreError),
}

/// The result of a query.
pub(crate) type Queried<T> = Result<T, Failure>;

impl Failure {
    /// True where doing the whole transaction again may succeed: another one was in its way.
    pub(crate) fn collided(&self) -> bool {
        let code = match self {
            Self::Postgres(error) => error.code(),
            Self::Store(_) => None,
        };
        code == Some(&SqlState::T_R_SERIALIZATION_FAILURE)
            || code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
    }

    /// True where a point has no partition: its month was taken out since it was last seen.
    pub(crate) fn lacks_partition(&self) -> bool {
        let Self::Postgres(error) = self else { return false };
        error.code() == Some(&SqlState::CHECK_VIOLATION)
            && error.as_db_error().is_some_and(|error| error.constraint().is_none())
    }

    /// True where the connection went away, so that nobody knows what became of the last statement.
    pub(crate) fn lost(&self) -> bool {
        match self {
            Self::Postgres(error) => lost(error),
            Self::Store(_) => false,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Postgres(error) => store_error(&error),
            Failure::Store(error) => error,
        }
    }
}

/// True where the connection went away.
pub(crate) fn lost(error: &Error) -> bool {
    match error.code() {
        Some(code) => {
            *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
                || (matches!(code.code().get(..2), Some("08" | "57"))
                    && *code != SqlState::QUERY_CANCELED)
        }
        None => error.is_closed() || of_network(error),
    }
}

fn of_network(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>())
}

/// The error with its cause, in one line. It never holds a password: PostgreSQL tells none.
pub(crate) fn told(error: &Error) -> String {
    let text = match error.as_db_error() {
        Some(answer) => format!("{} (SQLSTATE {})", answer.message(), answer.code().code()),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What PostgreSQL's error means to the caller, by what can be done about it.
pub(crate) fn store_error(error: &Error) -> StoreError {
    let told = told(error);
    let Some(code) = error.code() else {
        return StoreError::Unavailable(if lost(error) {
            format!("the connection to the database was lost ({told}); try again")
        } else {
            told
        });
    };
    let unavailable = |remedy: &str| StoreError::Unavailable(format!("{told}; {remedy}"));
    match *code {
        SqlState::INSUFFICIENT_PRIVILEGE => {
            unavailable("the role lacks a right: run `kasparro db migrate` as the owner")
        }
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE
        | SqlState::QUERY_CANCELED => unavailable("the database was busy for too long: try again"),
        SqlState::INVALID_CATALOG_NAME => {
            unavailable("create the database, or name another one in the URL")
        }
        SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN | SqlState::UNDEFINED_FUNCTION => {
            unavailable("the schema is not that of this program: run `kasparro db migrate`")
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            unavailable("name the server that takes writes, not a standby")
        }
        SqlState::DISK_FULL => unavailable("make room on the disk of the database"),
        SqlState::TOO_MANY_CONNECTIONS => {
            unavailable("raise max_connections, or run fewer processes or smaller pools")
        }
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
            StoreError::Corrupt(format!("{told}; restore it from a backup"))
        }
        SqlState::PROGRAM_LIMIT_EXCEEDED => {
            StoreError::Conflict(format!("a value is too long for the schema: {told}"))
        }
        _ => match code.code().get(..2) {
            Some("22" | "23") => {
                StoreError::Conflict(format!("a rule of the schema is broken: {told}"))
            }
            Some("28") => unavailable("check user and password of the database's URL"),
            Some("08" | "57") => unavailable("the database is going down or away: try again"),
            Some("53") => unavailable("the database has no room for more now: try again"),
            _ => StoreError::Unavailable(told),
        },
    }
}

/// A value that was written by us and cannot be read back.
pub(crate) fn damaged(what: &str, value: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{what} cannot be read: {value}"))
}

/// A request that contradicts what is stored.
pub(crate) fn refused<T>(why: impl Into<String>) -> Queried<T> {
    Err(Failure::Store(StoreError::Conflict(why.into())))
}
