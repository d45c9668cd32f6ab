//! How far identity is decided in a store.

use kasparro_domain::Timestamp;
use kasparro_engine::identity_is_up_to_date;
use kasparro_store::{IdentityPosition, Store};
use serde::Serialize;

use crate::config::Database;
use crate::failure::Failure;

/// How what is decided stands to what is known.
#[derive(Debug, Serialize)]
pub(crate) struct Standing {
    /// How often evidence has changed.
    evidence_version: u64,
    /// The evidence that was looked at last; absent before the first resolution.
    resolved_version: Option<u64>,
    /// True where nothing has come since that could change a decision.
    pub(crate) up_to_date: bool,
    /// True where some evidence is too new to count.
    pending: bool,
    rule_version: Option<String>,
    resolved_at: Option<Timestamp>,
    listings: u64,
    assets: u64,
    /// Listings that share their asset with another one.
    linked: u64,
    /// Listings of which it stays open what they are.
    ambiguous: u64,
}

impl From<IdentityPosition> for Standing {
    fn from(position: IdentityPosition) -> Self {
        let up_to_date = identity_is_up_to_date(&position);
        let resolved = position.resolved;
        let totals = resolved.as_ref().map(|row| row.totals).unwrap_or_default();
        Self {
            evidence_version: position.evidence_version,
            resolved_version: resolved.as_ref().map(|row| row.evidence_version),
            up_to_date,
            pending: resolved.as_ref().is_some_and(|row| row.pending),
            resolved_at: resolved.as_ref().map(|row| row.resolved_at),
            rule_version: resolved.map(|row| row.rule_version),
            listings: totals.listings,
            assets: totals.assets,
            linked: totals.linked,
            ambiguous: totals.ambiguous,
        }
    }
}

impl Standing {
    /// How identity stands in a store.
    ///
    /// # Errors
    /// A [`Failure`] where the store cannot be used.
    pub(crate) async fn of(store: &dyn Store, database: &Database) -> Result<Self, Failure> {
        let position = store.identity_position().await;
        Ok(position.map_err(|error| Failure::store(&error, database))?.into())
    }

    /// In one line for people.
    pub(crate) fn words(&self) -> String {
        let Self { listings, assets, linked, ambiguous, .. } = self;
        let counts = format!(
            "{listings} listings are {assets} assets: {linked} are linked, {ambiguous} ambiguous"
        );
        match (self.up_to_date, self.resolved_version) {
            (_, None) if self.evidence_version > 0 => "identity is not resolved yet".to_owned(),
            (false, _) => format!("{counts}; evidence has come since"),
            (true, _) => counts,
        }
    }
}

#[cfg(test)]
mod tests {
    use kasparro_domain::Generation;
    use kasparro_identity::RULE_VERSION;
    use kasparro_store::{IdentityTotals, ResolutionRow};

    use super::*;

    fn position(pending: bool, rule_version: &str) -> IdentityPosition {
        let totals = IdentityTotals { listings: 9, assets: 7, linked: 4, ambiguous: 1 };
        let resolved = ResolutionRow {
            generation: Generation(5),
            evidence_version: 3,
            rule_version: rule_version.to_owned(),
            resolved_at: Timestamp::EPOCH,
            totals,
            pending,
        };
        IdentityPosition {
            generation: Generation(6),
            evidence_version: 3,
            resolved: Some(resolved),
        }
    }

    #[test]
    fn identity_is_behind_after_new_evidence_new_rules_and_pages_that_may_settle_something() {
        assert!(Standing::from(IdentityPosition::default()).up_to_date, "nothing is known");
        assert!(Standing::from(position(false, RULE_VERSION)).up_to_date);
        assert!(!Standing::from(position(true, RULE_VERSION)).up_to_date);
        assert!(!Standing::from(position(false, "older")).up_to_date);
        let newer = IdentityPosition { evidence_version: 4, ..position(false, RULE_VERSION) };
        let standing = Standing::from(newer);
        assert!(!standing.up_to_date);
        assert!(standing.words().ends_with("evidence has come since"), "{}", standing.words());
    }
}
