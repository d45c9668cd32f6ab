//! Which pairs are links: each the other's best of its source, by a clear lead.

use smallvec::SmallVec;

use crate::index::Slot;
use crate::pairs::{self, Pair};
use crate::profile::Profile;
use crate::weights;

/// For every listing, what it is compared with and what it takes for the same.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    /// Everything it was compared with, best first.
    pub(crate) pairs: Vec<Vec<Pair>>,
    /// Its best of each source by contract.
    firm: Vec<Vec<Slot>>,
    /// Its best of each source.
    picks: Vec<Vec<Slot>>,
}

impl Choices {
    /// Makes room for listings up to `slots`.
    pub(crate) fn grow(&mut self, slots: usize) {
        self.pairs.resize_with(slots, Vec::new);
        self.firm.resize_with(slots, Vec::new);
        self.picks.resize_with(slots, Vec::new);
    }

    /// What a listing is compared with.
    pub(crate) fn of(&self, slot: Slot) -> &[Pair] {
        self.pairs.get(slot as usize).map_or(&[], Vec::as_slice)
    }

    /// True where the two are linked by evidence.
    pub(crate) fn linked(&self, a: Slot, b: Slot) -> bool {
        has(&self.picks, a, b) && has(&self.picks, b, a)
    }

    /// The listings that evidence links to this one.
    pub(crate) fn links(&self, slot: Slot) -> impl Iterator<Item = &Pair> {
        self.of(slot).iter().filter(move |pair| self.linked(slot, pair.other))
    }

    /// Chooses anew by contract; says with whom a listing's choice changed.
    pub(crate) fn choose_firm(&mut self, slot: Slot) -> Vec<Slot> {
        let own = self.of(slot);
        let firm = sources(own).into_iter().filter_map(|source| {
            let (best, lead) = pairs::best(own, source, |_| true)?;
            (best.may_link() && best.shares_contract() && lead >= weights::MARGIN)
                .then_some(best.other)
        });
        let firm = firm.collect();
        replace(&mut self.firm, slot, firm)
    }

    /// Chooses anew by everything; says with whom a listing's choice changed. A listing that a contract
    /// gives to another one of the same source is no rival and no choice.
    pub(crate) fn choose(&mut self, slot: Slot, all: &[Option<Profile>]) -> Vec<Slot> {
        let Some(profile) = pairs::profile(all, slot) else {
            return replace(&mut self.picks, slot, Vec::new());
        };
        let own = self.of(slot);
        let picks = sources(own).into_iter().filter_map(|source| {
            if let Some(firm) = self.firm_of(slot, source, all) {
                return Some(firm);
            }
            let free = |pair: &Pair| self.firm_of(pair.other, profile.source, all).is_none();
            let (best, lead) = pairs::best(own, source, free)?;
            let sure = best.score >= weights::ACCEPT_BESIDE_A_NAMESAKE
                || best.shares_contract()
                || weights::says_same(&best.comparison)
                || !own.iter().any(|pair| namesakes(&best, pair) && free(pair));
            (best.may_link() && lead >= weights::MARGIN && sure).then_some(best.other)
        });
        let picks = picks.collect();
        replace(&mut self.picks, slot, picks)
    }

    /// The listing of `source` that is linked to this one by contract.
    fn firm_of(&self, slot: Slot, source: u16, all: &[Option<Profile>]) -> Option<Slot> {
        let firm = self.firm.get(slot as usize)?;
        firm.iter().copied().find(|other| {
            has(&self.firm, *other, slot)
                && pairs::profile(all, *other).is_some_and(|profile| profile.source == source)
        })
    }
}

/// True for two listings of one source that look alike from here: their symbols and names are as equal.
fn namesakes(one: &Pair, other: &Pair) -> bool {
    one.other != other.other
        && (one.comparison.symbol, one.comparison.name)
            == (other.comparison.symbol, other.comparison.name)
        && one.source == other.source
}

fn has(choices: &[Vec<Slot>], of: Slot, other: Slot) -> bool {
    choices.get(of as usize).is_some_and(|chosen| chosen.contains(&other))
}

fn sources(pairs: &[Pair]) -> SmallVec<[u16; 8]> {
    let mut sources: SmallVec<[u16; 8]> = SmallVec::new();
    for pair in pairs {
        if !sources.contains(&pair.source) {
            sources.push(pair.source);
        }
    }
    sources.sort_unstable();
    sources
}

/// Puts a listing's choice in place; those in one of the old and the new choice only.
fn replace(choices: &mut [Vec<Slot>], slot: Slot, chosen: Vec<Slot>) -> Vec<Slot> {
    let Some(place) = choices.get_mut(slot as usize) else { return Vec::new() };
    let before = std::mem::replace(place, chosen);
    let gone = before.iter().filter(|other| !place.contains(other));
    let new = place.iter().filter(|other| !before.contains(other));
    gone.chain(new).copied().collect()
}
