//! Errors of SQLite in the store's terms.

use kasparro_store::StoreError;
use rusqlite::{Error, ErrorCode};

/// Why a query failed: SQLite's reason, or one in the store's own terms.
#[derive(Debug)]
pub(crate) enum Failure {
    /// SQLite's reason.
    Sqlite(Error),
    /// A reason in the store's terms.
    Store(StoreError),
}

/// The result of a query.
pub(crate) type Queried<T> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
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
            Failure::Sqlite(error) => store_error(&error),
            Failure::Store(error) => error,
        }
    }
}

/// What SQLite's error means to the caller, by what can be done about it.
pub(crate) fn store_error(error: &Error) -> StoreError {
    match error {
        Error::SqliteFailure(cause, _) => match cause.code {
            ErrorCode::ConstraintViolation => {
                StoreError::Conflict(format!("a rule of the schema is broken: {error}"))
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                StoreError::Corrupt(format!("{error}; restore it from a backup"))
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Unavailable(
                format!("another program kept it locked for too long ({error}); try again"),
            ),
            ErrorCode::DiskFull => {
                StoreError::Unavailable(format!("the disk is full ({error}); make room on it"))
            }
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
                StoreError::Unavailable(format!("it cannot be written ({error}); check its rights"))
            }
            _ => StoreError::Unavailable(error.to_string()),
        },
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
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
