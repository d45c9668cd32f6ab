//! What people decide about listings.

use kasparro_domain::{
    AssetRelation, Command, DecisionId, DecisionKind, ListingKey, OverrideVerdict,
};
use kasparro_store::{IdentityDecision, StoreError};

use crate::{Engine, EngineError};

/// Pairs in the order in which decisions are kept: each sorted, all sorted, each once.
#[must_use]
pub(crate) fn in_order(
    pairs: impl IntoIterator<Item = (ListingKey, ListingKey)>,
) -> Vec<(ListingKey, ListingKey)> {
    let mut pairs: Vec<_> =
        pairs.into_iter().map(|(a, b)| if a <= b { (a, b) } else { (b, a) }).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

impl Engine {
    /// Keeps what a person decided about pairs of listings, and resolves identity anew. The relation is there
    /// exactly where the kind is [`DecisionKind::Relate`].
    ///
    /// # Errors
    /// [`EngineError::Decision`] where it cannot be: a listing that is not known, a pair of one listing, or
    /// listings of one source that shall be one asset. [`EngineError::Store`] when the store cannot be used.
    pub async fn decide_identity(
        &self,
        kind: DecisionKind,
        pairs: Vec<(ListingKey, ListingKey)>,
        relation: Option<AssetRelation>,
        who: &str,
        why: &str,
    ) -> Result<DecisionId, EngineError> {
        let pairs = in_order(pairs);
        let wrong = |what: String| Err(EngineError::Decision(what));
        for (a, b) in &pairs {
            if a == b {
                return wrong(format!("{a} is one listing; name two"));
            }
            if kind.identity_verdict() == Some(OverrideVerdict::Link) && a.source == b.source {
                let source = &a.source;
                return wrong(format!(
                    "{a} and {b} are two listings of {source}: an asset has one listing of a source"
                ));
            }
        }
        let Some(source) = pairs.first().map(|(a, _)| a.source.clone()) else {
            return wrong("name two listings, each as source:id".to_owned());
        };
        let decision = IdentityDecision {
            kind,
            source,
            pairs,
            relation,
            who: crate::retry::plain(who),
            why: crate::retry::plain(why),
            decided_at: self.clock.now(),
        };
        let decision_id = match self.store.decide_identity(decision).await {
            Err(StoreError::Conflict(what)) => return wrong(what),
            outcome => outcome?,
        };
        // It is kept, whatever becomes of what follows from it.
        if let Err(error) = self.resolve_identity().await {
            tracing::error!(%error, "identity could not be resolved");
        }
        Ok(decision_id)
    }

    /// As [`Engine::decide_identity`], for a command: one that a dead process had carried out already is
    /// not decided once more, since a newer decision may stand.
    pub(crate) async fn decide_identity_once(
        &self,
        command: &Command,
        kind: DecisionKind,
        pairs: Vec<(ListingKey, ListingKey)>,
        relation: Option<AssetRelation>,
        who: &str,
        why: &str,
    ) -> Result<DecisionId, EngineError> {
        let pairs = in_order(pairs);
        let (plain_who, plain_why) = (crate::retry::plain(who), crate::retry::plain(why));
        let decided = self.store.decisions().await?.into_iter().find(|decision| {
            decision.decided_at >= command.created_at
                && (decision.kind, &decision.pairs) == (kind, &pairs)
                && decision.relation == relation
                && (&decision.who, &decision.why) == (&plain_who, &plain_why)
        });
        match decided {
            Some(decision) => Ok(decision.decision_id),
            None => self.decide_identity(kind, pairs, relation, who, why).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_in_order_and_each_stands_once() {
        let [a, b, c] = ["a", "b", "c"].map(|id| ListingKey::new("csv", id));
        let pairs = [(c.clone(), a.clone()), (b.clone(), a.clone()), (a.clone(), b.clone())];
        assert_eq!(in_order(pairs), [(a.clone(), b), (a, c)]);
    }
}
