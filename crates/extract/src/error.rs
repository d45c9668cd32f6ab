//! Errors of a whole page, whose type says what to do.

use std::time::Duration;

use kasparro_domain::RunError;

/// What the engine does about a failed page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Ask again, after the upstream's own delay where it gave one.
    Retry {
        /// The delay the upstream asked for (`Retry-After`).
        after: Option<Duration>,
    },
    /// Asking again cannot help: end the run and say why.
    Stop,
}

/// Whose fault a failed page is, which says what it means for further requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The upstream or the way to it failed; the breaker counts these.
    Transient,
    /// Too many requests.
    RateLimited,
    /// The plan does not cover the request, or its credits are used up: nothing helps before they start
    /// anew.
    Plan,
    /// The key is missing, wrong or of another host: nothing helps before the configuration is changed.
    Key,
    /// What was asked for is no longer there.
    Gone,
    /// The answer cannot be believed, or the fault is ours.
    Other,
}

/// Why a page could not be had, or was not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PageError {
    /// What to do.
    pub remedy: Remedy,
    /// Whose fault it is.
    pub class: ErrorClass,
    /// A stable code, for example `rate_limited`.
    pub code: &'static str,
    /// What happened, in one sentence, without secrets.
    pub message: String,
    /// What the operator can do about it.
    pub hint: String,
}

impl PageError {
    /// An error that asking again may cure.
    #[must_use]
    pub fn retry(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            remedy: Remedy::Retry { after: None },
            class: ErrorClass::Transient,
            code,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// An error that asking again cannot cure.
    #[must_use]
    pub fn stop(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            remedy: Remedy::Stop,
            class: ErrorClass::Other,
            code,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The same error as one of this class; [`PageError::retry`] makes transient ones and
    /// [`PageError::stop`] others.
    #[must_use]
    pub const fn of_class(mut self, class: ErrorClass) -> Self {
        self.class = class;
        self
    }

    /// The same error with the delay that the upstream asked for; it stays final if it was.
    #[must_use]
    pub const fn after(mut self, delay: Option<Duration>) -> Self {
        if let Remedy::Retry { .. } = self.remedy {
            self.remedy = Remedy::Retry { after: delay };
        }
        self
    }

    /// The error as a run records it.
    #[must_use]
    pub fn to_run_error(&self) -> RunError {
        RunError {
            code: self.code.to_owned(),
            message: self.message.clone(),
            hint: self.hint.clone(),
        }
    }
}
