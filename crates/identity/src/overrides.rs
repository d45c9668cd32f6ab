//! What people said about pairs of listings.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{AssetRelation, DecisionId, IdentityOverride, ListingKey, OverrideVerdict};

/// The newest decision about each pair.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    newest: BTreeMap<(ListingKey, ListingKey), IdentityOverride>,
    partners: BTreeMap<ListingKey, BTreeSet<ListingKey>>,
}

fn pair(a: &ListingKey, b: &ListingKey) -> (ListingKey, ListingKey) {
    if a <= b { (a.clone(), b.clone()) } else { (b.clone(), a.clone()) }
}

impl Overrides {
    /// Keeps the newest decision about each pair; a withdrawal leaves none.
    pub(crate) fn new(mut said: Vec<IdentityOverride>) -> Self {
        said.sort_by_key(|decided| decided.decision_id);
        let mut overrides = Self::default();
        for decided in said {
            if decided.a != decided.b {
                overrides.newest.insert(pair(&decided.a, &decided.b), decided);
            }
        }
        overrides.newest.retain(|_, decided| decided.verdict != OverrideVerdict::Withdraw);
        for (a, b) in overrides.newest.keys() {
            overrides.partners.entry(a.clone()).or_default().insert(b.clone());
            overrides.partners.entry(b.clone()).or_default().insert(a.clone());
        }
        overrides
    }

    /// The listings about which the two differ.
    pub(crate) fn difference(&self, other: &Self) -> BTreeSet<ListingKey> {
        let one_way = |one: &Self, two: &Self| -> Vec<ListingKey> {
            let changed =
                one.newest.iter().filter(|(pair, said)| two.newest.get(*pair) != Some(said));
            changed.flat_map(|((a, b), _)| [a.clone(), b.clone()]).collect()
        };
        one_way(self, other).into_iter().chain(one_way(other, self)).collect()
    }

    /// What was decided about two listings.
    pub(crate) fn about(&self, a: &ListingKey, b: &ListingKey) -> Option<&IdentityOverride> {
        if self.newest.is_empty() { None } else { self.newest.get(&pair(a, b)) }
    }

    /// True where a person said that the two are not one.
    pub(crate) fn separate(&self, a: &ListingKey, b: &ListingKey) -> bool {
        self.about(a, b).is_some_and(|said| said.verdict.separates())
    }

    /// True where a person said that the two are one.
    pub(crate) fn link(&self, a: &ListingKey, b: &ListingKey) -> bool {
        self.about(a, b).is_some_and(|said| said.verdict == OverrideVerdict::Link)
    }

    /// How a listing's asset relates to others, by the words of people, in the order of those.
    pub(crate) fn relations_of<'a>(
        &'a self,
        key: &'a ListingKey,
    ) -> impl Iterator<Item = (&'a AssetRelation, DecisionId)> {
        let said = self.partners(key).filter_map(move |partner| self.about(key, partner));
        let related = said.filter_map(|said| Some((said.relation.as_ref()?, said.decision_id)));
        related.filter(move |(relation, _)| relation.from == *key)
    }

    /// True where a person said how the two relate, or that they do not.
    pub(crate) fn relation_said(&self, a: &ListingKey, b: &ListingKey) -> bool {
        self.about(a, b).is_some_and(|said| {
            matches!(said.verdict, OverrideVerdict::Related | OverrideVerdict::Unrelated)
        })
    }

    /// The listings about which something was decided together with this one.
    pub(crate) fn partners<'a>(&'a self, key: &ListingKey) -> impl Iterator<Item = &'a ListingKey> {
        self.partners.get(key).into_iter().flatten()
    }

    /// All decisions that count.
    pub(crate) fn all(&self) -> impl Iterator<Item = &IdentityOverride> {
        self.newest.values()
    }

    /// The decisions among `members`, newest first.
    pub(crate) fn among(&self, members: &BTreeSet<&ListingKey>) -> Vec<&IdentityOverride> {
        let mut numbers: BTreeMap<(DecisionId, &ListingKey, &ListingKey), &IdentityOverride> =
            BTreeMap::new();
        for key in members {
            for partner in self.partners(key).filter(|partner| members.contains(partner)) {
                if let Some(said) = self.about(key, partner) {
                    numbers.insert((said.decision_id, &said.a, &said.b), said);
                }
            }
        }
        numbers.into_values().rev().collect()
    }
}
