//! Listings that are one asset: linked pairs put together, the strongest first, without conflict.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{IdentityOverride, ListingKey, OverrideVerdict};

use crate::weights::Centibits;

/// A pair that evidence links.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link<'a> {
    pub(crate) a: &'a ListingKey,
    pub(crate) b: &'a ListingKey,
    pub(crate) score: Centibits,
}

#[derive(Debug)]
struct Groups<'a> {
    of: BTreeMap<&'a ListingKey, usize>,
    members: Vec<Vec<&'a ListingKey>>,
    apart: Vec<(&'a ListingKey, &'a ListingKey)>,
}

/// Puts `members` together: first what people said, newest first, then `links`, the strongest first.
/// A group never holds two listings of one source, nor two that a person keeps apart; a link that would
/// make it so is left out, which cuts a conflict at its weakest pair; so is what a person said if newer
/// words of people forbid it. The groups are sorted.
pub(crate) fn clusters<'a>(
    members: &BTreeSet<&'a ListingKey>,
    said: &[&'a IdentityOverride],
    mut links: Vec<Link<'a>>,
) -> Vec<Vec<&'a ListingKey>> {
    let mut groups = Groups {
        of: members.iter().enumerate().map(|(place, key)| (*key, place)).collect(),
        members: members.iter().map(|key| vec![*key]).collect(),
        apart: Vec::new(),
    };
    for decided in said {
        match decided.verdict {
            OverrideVerdict::Link => groups.join(&decided.a, &decided.b),
            OverrideVerdict::Separate | OverrideVerdict::Related | OverrideVerdict::Unrelated => {
                groups.part(&decided.a, &decided.b)
            }
            OverrideVerdict::Withdraw => {}
        }
    }
    links.sort_by(|one, two| {
        two.score.cmp(&one.score).then_with(|| (one.a, one.b).cmp(&(two.a, two.b)))
    });
    for link in links {
        groups.join(link.a, link.b);
    }
    let mut groups: Vec<Vec<&ListingKey>> =
        groups.members.into_iter().filter(|group| !group.is_empty()).collect();
    for group in &mut groups {
        group.sort_unstable();
    }
    groups.sort_unstable();
    groups
}

impl<'a> Groups<'a> {
    fn join(&mut self, a: &ListingKey, b: &ListingKey) {
        let (Some(&one), Some(&two)) = (self.of.get(a), self.of.get(b)) else { return };
        if one == two {
            return;
        }
        let source_twice = self.members[one]
            .iter()
            .any(|a| self.members[two].iter().any(|b| a.source == b.source));
        let kept_apart = self.apart.iter().any(|(a, b)| {
            let (a, b) = (self.of.get(a), self.of.get(b));
            (a == Some(&one) && b == Some(&two)) || (a == Some(&two) && b == Some(&one))
        });
        if source_twice || kept_apart {
            return;
        }
        let moved = std::mem::take(&mut self.members[two]);
        for member in &moved {
            self.of.insert(member, one);
        }
        self.members[one].extend(moved);
    }

    fn part(&mut self, a: &'a ListingKey, b: &'a ListingKey) {
        if self.of.get(a) != self.of.get(b) {
            self.apart.push((a, b));
        }
    }
}
