//! Which listings are compared, and which of them is the one.

use std::collections::HashMap;

use kasparro_domain::ListingKey;

use crate::compare::{self, Comparison, Veto};
use crate::index::{Index, Kind, Slot};
use crate::overrides::Overrides;
use crate::profile::Profile;
use crate::weights::{self, Centibits};

/// A listing that was compared with another one, seen from that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) other: Slot,
    /// The source of the other.
    pub(crate) source: u16,
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
        |one| index.has_dated(one.core_key(), one.source),
    );
    if overrides.separate(&a.key, &b.key) {
        comparison.veto = Some(Veto::Person);
    }
    comparison
}

/// Compares one listing with everything that `wanted` names among what it shares a block with, without
/// what is hopeless. `others` only lends its memory.
pub(crate) fn pairs<'a>(
    slot: Slot,
    all: &'a [Option<Profile>],
    index: &'a Index,
    overrides: &'a Overrides,
    by_key: &HashMap<ListingKey, Slot>,
    others: &'a mut Vec<Slot>,
    wanted: impl Fn(Slot) -> bool,
) -> impl Iterator<Item = Pair> + 'a {
    others.clear();
    let own = profile(all, slot);
    if let Some(own) = own {
        let mut tell = |other| {
            if wanted(other) {
                others.push(other);
            }
        };
        partners(own, all, index, &mut tell);
        let named = own.same_as.iter().filter_map(|named| by_key.get(named));
        let named = named.chain(index.named_as(&own.key)).copied();
        named.filter(|other| index.source(*other) != Some(own.source)).for_each(tell);
    }
    others.sort_unstable();
    others.dedup();
    others.iter().filter_map(move |other| {
        let theirs = profile(all, *other)?;
        let comparison = examine(own?, theirs, index, overrides);
        let (source, score) = (theirs.source, weights::score(&comparison));
        (score >= weights::FLOOR).then_some(Pair { other: *other, source, score, comparison })
    })
}

/// Room for so many pairs more than a listing has is not worth giving back.
const SPARE_PAIRS: usize = 4;

/// Puts the best first.
pub(crate) fn sort(pairs: &mut Vec<Pair>, all: &[Option<Profile>]) {
    pairs.sort_by(|a, b| {
        b.score.cmp(&a.score).then_with(|| key(all, a.other).cmp(&key(all, b.other)))
    });
    if pairs.capacity() > pairs.len() + SPARE_PAIRS {
        pairs.shrink_to_fit();
    }
}

pub(crate) fn profile(all: &[Option<Profile>], slot: Slot) -> Option<&Profile> {
    all.get(slot as usize)?.as_ref()
}

fn key(all: &[Option<Profile>], slot: Slot) -> Option<&ListingKey> {
    profile(all, slot).map(|profile| &profile.key)
}

/// Tells of the listings of other sources that share a block with this one, of each at least once.
fn partners(own: &Profile, all: &[Option<Profile>], index: &Index, tell: &mut impl FnMut(Slot)) {
    for (kind, key) in Index::keys(own) {
        let Some(block) = index.block(kind, key) else { continue };
        let foreign = |slot: &&Slot| index.source(**slot) != Some(own.source);
        match kind {
            Kind::Underlying => {}
            Kind::Name if block.is_common() => {}
            Kind::Symbol | Kind::Contract if block.is_crowded() => {
                let named_alike =
                    |slot: &&Slot| profile(all, **slot).is_some_and(|other| alike(own, other));
                let alike = block.members.iter().filter(foreign).filter(named_alike);
                alike.for_each(|other| tell(*other));
            }
            _ => block.members.iter().filter(foreign).for_each(|other| tell(*other)),
        }
    }
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
    source: u16,
    passes: impl Fn(&Pair) -> bool,
) -> Option<(Pair, Centibits)> {
    let mut of_source = pairs
        .iter()
        .filter(|pair| pair.source == source && pair.comparison.veto.is_none() && passes(pair));
    let best = of_source.next()?;
    let lead =
        of_source.next().map_or(Centibits::MAX, |next| best.score.saturating_sub(next.score));
    Some((*best, lead))
}
