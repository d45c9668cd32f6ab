//! What makes one pair harder than another.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::Deployment;

use super::lists::Lists;
use super::read::Listing;

/// Both sides list a contract, the same one or not.
const WITH_CONTRACT: &str = "with_contract";
/// No contract is listed by both sides: names and symbols have to do.
const NO_SHARED_CONTRACT: &str = "no_shared_contract";
/// The symbol of one of the two is borne by a third listing.
const COLLIDING_SYMBOL: &str = "colliding_symbol";

/// Tells which classes a listing of A belongs to. Classes overlap, and are taken from the whole lists: what
/// is dropped changes no class.
pub(super) struct Classes<'a> {
    lists: &'a Lists,
    symbols_a: BTreeMap<String, usize>,
    symbols_b: BTreeMap<String, usize>,
}

/// The form in which symbols are compared here.
pub(super) fn folded(listing: &Listing) -> Option<String> {
    listing.symbol.as_deref().map(str::to_lowercase)
}

fn deployments(listing: &Listing) -> BTreeSet<Deployment> {
    listing.contracts.iter().filter_map(Deployment::of).collect()
}

impl<'a> Classes<'a> {
    /// The names of all classes.
    pub(super) const ALL: [&'static str; 3] = [WITH_CONTRACT, NO_SHARED_CONTRACT, COLLIDING_SYMBOL];

    pub(super) fn new(lists: &'a Lists) -> Self {
        let count = |listings: &BTreeMap<String, Listing>| {
            let mut symbols = BTreeMap::new();
            for symbol in listings.values().filter_map(folded) {
                *symbols.entry(symbol).or_default() += 1;
            }
            symbols
        };
        let symbols_a = count(&lists.a.listings);
        let symbols_b = count(&lists.b.listings);
        Self { lists, symbols_a, symbols_b }
    }

    /// The classes of a listing of A that the truth names.
    pub(super) fn of(&self, id: &str) -> Vec<&'static str> {
        let Some(listing) = self.lists.a.listings.get(id) else { return Vec::new() };
        let counterparts: Vec<&Listing> = self.lists.truth.get(id).map_or_else(Vec::new, |ids| {
            ids.iter().filter_map(|id| self.lists.b.listings.get(id)).collect()
        });
        let own = deployments(listing);
        let theirs: Vec<_> = counterparts.iter().map(|other| deployments(other)).collect();
        let mut classes = Vec::new();
        if !own.is_empty() && theirs.iter().any(|deployments| !deployments.is_empty()) {
            classes.push(WITH_CONTRACT);
        }
        if theirs.iter().all(|deployments| deployments.is_disjoint(&own)) {
            classes.push(NO_SHARED_CONTRACT);
        }
        if self.collides(listing, &counterparts) {
            classes.push(COLLIDING_SYMBOL);
        }
        classes
    }

    fn collides(&self, listing: &Listing, counterparts: &[&Listing]) -> bool {
        let members = || std::iter::once(listing).chain(counterparts.iter().copied());
        let symbols: BTreeSet<String> = members().filter_map(folded).collect();
        symbols.iter().any(|symbol| {
            let bearers = [&self.symbols_a, &self.symbols_b]
                .iter()
                .filter_map(|symbols| symbols.get(symbol))
                .sum::<usize>();
            let own = members().filter(|one| folded(one).as_ref() == Some(symbol)).count();
            bearers > own
        })
    }
}
