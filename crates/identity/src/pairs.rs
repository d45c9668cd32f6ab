//! Which listings are compared, and which of them is the one.

use crate::compare::{self, Comparison, Veto};
use crate::index::{Index, Kind, Slot};
use crate::overrides::Overrides;
use crate::profile::Profile;
use crate::weights::{self, Centibits};

/// A listing that was compared with another one, seen from that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) other: Slot,
    pub(crate) score: Centibits,
    pub(crate) comparison: Comparison,
}

impl Pair {
    pub(crate) fn may_link(&self) -> bool {
        self.score >= self.bar() && weights::may_link(&self.comparison)
    }

    /// How much must speak for it.
    pub(crate) fn bar(&self) -> Centibits {
        if self.shares_contract() { weights::ACCEPT_BY_CONTRACT } else { weights::ACCEPT }
    }

    pub(crate) fn shares_contract(&self) -> bool {
        compare::shares_contract(self.comparison.contract)
    }
}

/// Compares two listings in the light of how many share what they have in common.
pub(crate) fn examine(
    a: &Profile,
    b: &Profile,
    index: &Index,
    overrides: &Overrides,
) -> Comparison {
    // From both sides it is the same comparison.
    let (one, two) = if a.key <= b.key { (a, b) } else { (b, a) };
    let mut comparison = compare::compare(
        one,
        two,
        |key| weights::least(index.frequency(Kind::Symbol, key)),
        |key| weights::least(index.frequency(Kind::Name, key)),
        |one| {
            let block = index.block(Kind::Name, one.core_key());
            block.is_some_and(|block| block.has_dated(one.source))
        },
    );
    if overrides.separate(&a.key, &b.key) {
        comparison.veto = Some(Veto::Person);
    }
    comparison
}

/// Compares one listing with everything that `wanted` names among what it shares a block with, without
/// what is hopeless.
pub(crate) fn pairs(
    slot: Slot,
    all: &[Option<Profile>],
    index: &Index,
    overrides: &Overrides,
    wanted: impl Fn(Slot) -> bool,
) -> Vec<Pair> {
    let Some(own) = profile(all, slot) else { return Vec::new() };
    let mut others = partners(own, all, index);
    others.retain(|other| wanted(*other));
    others.sort_unstable();
    others.dedup();
    let pairs = others.into_iter().filter_map(|other| {
        let theirs = profile(all, other)?;
        let comparison = examine(own, theirs, index, overrides);
        let score = weights::score(&comparison);
        (score >= weights::FLOOR).then_some(Pair { other, score, comparison })
    });
    pairs.collect()
}

/// Puts the best first.
pub(crate) fn sort(pairs: &mut Vec<Pair>, all: &[Option<Profile>]) {
    pairs.sort_by(|a, b| {
        b.score.cmp(&a.score).then_with(|| key(all, a.other).cmp(&key(all, b.other)))
    });
    pairs.shrink_to_fit();
}

pub(crate) fn profile(all: &[Option<Profile>], slot: Slot) -> Option<&Profile> {
    all.get(slot as usize)?.as_ref()
}

fn key(all: &[Option<Profile>], slot: Slot) -> Option<&kasparro_domain::ListingKey> {
    profile(all, slot).map(|profile| &profile.key)
}

/// The listings of other sources that share a block with this one.
fn partners(own: &Profile, all: &[Option<Profile>], index: &Index) -> Vec<Slot> {
    let mut others = Vec::new();
    for (kind, key) in Index::keys(own) {
        let Some(block) = index.block(kind, key) else { continue };
        let foreign =
            |slot: &&Slot| profile(all, **slot).is_some_and(|other| other.source != own.source);
        match kind {
            Kind::Underlying => {}
            Kind::Name if block.is_common() => {}
            Kind::Symbol | Kind::Contract if block.is_crowded() => {
                let named_alike =
                    |slot: &&Slot| profile(all, **slot).is_some_and(|other| alike(own, other));
                others.extend(block.members.iter().filter(foreign).filter(named_alike));
            }
            _ => others.extend(block.members.iter().filter(foreign)),
        }
    }
    others
}

/// True where a name or an id is equal but for generic words: the more specific key of a crowded block.
fn alike(a: &Profile, b: &Profile) -> bool {
    let same = |a: u64, b: u64| a != 0 && a == b;
    same(a.core_key(), b.core_key())
        || same(a.slug.core, b.slug.core)
        || same(a.slug.core, b.core_key())
        || same(a.core_key(), b.slug.core)
}

/// The best of one source among `pairs` that pass, and by how much it leads the next one.
pub(crate) fn best(
    pairs: &[Pair],
    all: &[Option<Profile>],
    source: u16,
    passes: impl Fn(&Pair) -> bool,
) -> Option<(Pair, Centibits)> {
    let mut of_source = pairs.iter().filter(|pair| {
        pair.comparison.veto.is_none()
            && profile(all, pair.other).is_some_and(|other| other.source == source)
            && passes(pair)
    });
    let best = of_source.next()?;
    let lead =
        of_source.next().map_or(Centibits::MAX, |next| best.score.saturating_sub(next.score));
    Some((*best, lead))
}
