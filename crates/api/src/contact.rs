//! Whether the database answers, as far as requests have found out: logged when that changes, since a line
//! for each request that fails would bury everything else.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};

use kasparro_store::{StoreError, StoreResult};

/// How the database was when it was asked last.
#[derive(Debug, Default)]
pub(crate) struct Contact {
    away: AtomicBool,
}

impl Contact {
    /// Takes note of an answer. An error that says nothing about whether the database answers is left alone.
    pub(crate) fn note<T>(&self, answer: &StoreResult<T>) {
        match answer {
            Ok(_) => {
                if self.changed_to(false) {
                    tracing::info!("the database answers again");
                }
            }
            Err(error @ (StoreError::Unavailable(_) | StoreError::Locked { .. })) => {
                self.lost(error);
            }
            Err(_) => {}
        }
    }

    /// Takes note that there was no answer, and why.
    pub(crate) fn lost(&self, why: &dyn Display) {
        if self.changed_to(true) {
            tracing::warn!(%why, "the database does not answer");
        } else {
            tracing::debug!(%why, "the database still does not answer");
        }
    }

    fn changed_to(&self, away: bool) -> bool {
        // Read first: as long as nothing changes, requests share the line of memory.
        self.away.load(Ordering::Relaxed) != away && self.away.swap(away, Ordering::Relaxed) != away
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_told() {
        let contact = Contact::default();
        assert!(!contact.changed_to(false), "it is thought to be there");
        assert!(contact.changed_to(true));
        assert!(!contact.changed_to(true));
        assert!(contact.changed_to(false));
    }

    #[test]
    fn what_says_nothing_about_the_database_changes_nothing() {
        let contact = Contact::default();
        contact.note::<()>(&Err(StoreError::Corrupt("a row".to_owned())));
        assert!(!contact.away.load(Ordering::Relaxed));
        contact.note::<()>(&Err(StoreError::Unavailable("refused".to_owned())));
        assert!(contact.away.load(Ordering::Relaxed));
        contact.note(&Ok(()));
        assert!(!contact.away.load(Ordering::Relaxed));
    }
}
