//! Says what goes wrong once, and not with every attempt.

use std::sync::{Mutex, PoisonError};

/// What went wrong last, while it does.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Mutex<Option<String>>);

impl Trouble {
    /// Notes what went wrong. It is logged where it is not what went wrong before; returns whether it was.
    pub(crate) fn note(&self, error: &str, what: &str) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = last.as_deref() != Some(error);
        if new {
            tracing::warn!(%error, "{what}; trying again");
            *last = Some(error.to_owned());
        }
        new
    }

    /// Notes that it works; logged where it did not before. Returns whether it did not.
    pub(crate) fn over(&self) -> bool {
        let was = self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some();
        if was {
            tracing::info!("the store answers again");
        }
        was
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_is_said_once_until_it_is_over() {
        let trouble = Trouble::default();
        assert!(!trouble.over(), "nothing was wrong");
        let told: Vec<bool> =
            ["away", "away", "refused", "away"].map(|error| trouble.note(error, "x")).into();
        assert_eq!(told, [true, false, true, true]);
        assert!(trouble.over());
        assert!(!trouble.over());
        assert!(trouble.note("away", "x"), "it is new again");
    }
}
