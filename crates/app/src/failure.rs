//! Why a command ends without doing what it was asked, and the exit code that says so.

use kasparro_engine::EngineError;
use kasparro_store::StoreError;
use serde_json::{Value, json};

use crate::config::{ConfigError, Database};

/// How the process ends. The numbers are part of the stable interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done = 0,
    /// 1: failed; for `run`, every source failed.
    Failed = 1,
    /// 2: usage or configuration.
    Usage = 2,
    /// 3: the store is locked, unreachable or of a newer version.
    Store = 3,
    /// 4: some source failed, another did not.
    Partial = 4,
}

/// A command's end that is not success: what happened and what to do, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{message}; {hint}")]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// A stable code.
    pub(crate) code: &'static str,
    /// What happened.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: String,
}

impl Failure {
    /// A failure with this exit code.
    pub(crate) fn new(
        exit: Exit,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { exit, code, message: message.into(), hint: hint.into() }
    }

    /// The failure as the one JSON document of stdout.
    pub(crate) fn to_json(&self) -> Value {
        json!({"error": {"code": self.code, "message": self.message, "hint": self.hint}})
    }

    /// A call of the store in this database that failed.
    pub(crate) fn store(error: &StoreError, database: &Database) -> Self {
        let message = error.to_string();
        let place = database.to_string();
        let message =
            if message.contains(&place) { message } else { format!("{place}: {message}") };
        match error {
            StoreError::Locked { .. } => Self::new(
                Exit::Store,
                "store_locked",
                message,
                "stop that process, or give this one another --database",
            ),
            StoreError::Newer { .. } => Self::new(
                Exit::Store,
                "store_newer",
                message,
                "use the newer kasparro that wrote it, or another --database",
            ),
            StoreError::Unavailable(_) => Self::new(
                Exit::Store,
                "store_unavailable",
                message,
                match database {
                    Database::Sqlite(_) => "check the path, its permissions and the free space",
                    Database::Postgres(_) => "nothing more was done; try again once that is mended",
                },
            ),
            StoreError::Held { .. } => {
                Self::new(Exit::Store, "source_held", message, "wait for that process, or ask it")
            }
            StoreError::Corrupt(_) => Self::new(
                Exit::Store,
                "store_corrupt",
                message,
                "restore a backup, or start anew with another --database",
            ),
            StoreError::Fenced { .. } => Self::new(
                Exit::Failed,
                "source_taken_over",
                message,
                "another process runs this source now; ask that one",
            ),
            StoreError::Conflict(_) => Self::new(
                Exit::Failed,
                "store_conflict",
                message,
                "this is a defect of kasparro; please report it with this line",
            ),
        }
    }

    /// An engine call on the store in this database that failed.
    pub(crate) fn engine(error: EngineError, database: &Database) -> Self {
        match error {
            EngineError::Store(error) => Self::store(&error, database),
            EngineError::NotHeld { .. } => Self::new(
                Exit::Failed,
                "source_taken_over",
                error.to_string(),
                "another process runs this source now; ask that one",
            ),
            EngineError::UnknownSource { name, known } => Self::unknown_source(&name, &known),
            EngineError::Decision(problem) => Self::new(
                Exit::Failed,
                "not_decided",
                problem,
                "`kasparro assets list` shows the listings that are known",
            ),
            EngineError::Setup(problem) => Self::new(
                Exit::Failed,
                "engine_setup",
                problem,
                "check the data folder, its permissions and the free space",
            ),
        }
    }

    /// A source that is not known by this name.
    pub(crate) fn unknown_source(name: &str, known: &[String]) -> Self {
        Self::new(
            Exit::Usage,
            "unknown_source",
            format!("there is no source `{name}`"),
            format!("known are {}", known.join(", ")),
        )
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, "bad_configuration", error.problem(), error.remedy)
    }
}
