//! Errors that end more than one run.

use kasparro_store::StoreError;

/// Why the engine could not do what was asked. A failing source is not an error: its run says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No source has this name.
    #[error("no source is called {name}; known are {}", known.join(", "))]
    UnknownSource {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// This process does not hold the source, or not any more.
    #[error("source {name} is not held by this process")]
    NotHeld {
        /// The source.
        name: String,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What a person decided cannot be kept.
    #[error("{0}")]
    Decision(String),
    /// The HTTP client or the spool folder cannot be made.
    #[error("the engine cannot start: {0}")]
    Setup(String),
}

impl EngineError {
    /// True when somebody else may hold the source: nothing more is to be done in its name.
    #[must_use]
    pub const fn lost_source(&self) -> bool {
        matches!(self, Self::NotHeld { .. } | Self::Store(StoreError::Fenced { .. }))
    }
}
