//! What does not hold, as far as it is told.

use super::Violation;

/// Violations that are told one by one; a damaged store may have millions.
const MOST_TOLD: usize = 1_000;

/// The violations found so far.
#[derive(Debug, Default)]
pub(super) struct Found(Vec<Violation>);

impl Found {
    pub(super) fn say(&mut self, invariant: &'static str, detail: String) {
        if self.0.len() < MOST_TOLD {
            self.0.push(Violation { invariant, detail });
        }
    }

    pub(super) fn into_vec(self) -> Vec<Violation> {
        self.0
    }
}
