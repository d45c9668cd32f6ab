//! The resolver: takes listings in and decides anew where anything changed.

mod reach;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash as _, Hasher as _};

use kasparro_domain::{IdentityOverride, ListingKey, SourceName};
use xxhash_rust::xxh3::Xxh3Default;

use crate::choice::Choices;
use crate::index::{Index, Slot, SlotMap};
use crate::overrides::Overrides;
use crate::profile::Profile;
use crate::{Contradiction, Explanation, ListingEvidence, Resolved};
use reach::Reach;

/// The version of the rules: it changes whenever the same input could give another outcome.
pub const RULE_VERSION: &str = "2";

/// Decides which listings are one asset: a pure function of the listings and overrides it holds, however
/// they came in.
#[derive(Debug, Default)]
pub struct Resolver {
    pub(crate) slots: Vec<Option<Profile>>,
    pub(crate) by_key: HashMap<ListingKey, Slot>,
    free: Vec<Slot>,
    sources: Vec<SourceName>,
    pub(crate) index: Index,
    pub(crate) overrides: Overrides,
    pub(crate) choices: Choices,
    /// The assets of more than one listing, each listing to all members.
    pub(crate) groups: SlotMap<std::sync::Arc<[Slot]>>,
    /// A hash of each outcome that was given out.
    seals: SlotMap<u64>,
    /// Listings that came or changed since the last resolution.
    dirty: BTreeSet<Slot>,
}

impl Resolver {
    /// A resolver that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes listings in, each in place of what was known under its key.
    pub fn put(&mut self, listings: Vec<ListingEvidence>) {
        self.index.reserve(listings.len());
        self.by_key.reserve(listings.len());
        for listing in listings {
            let source = self.source(&listing.key.source);
            let slot = self.slot(&listing.key);
            let profile = Profile::new(listing, source);
            if let Some(place) = self.slots.get_mut(slot as usize) {
                if let Some(before) = place.take() {
                    self.index.remove(slot, &before);
                }
                self.index.insert(slot, &profile);
                *place = Some(profile);
            }
            self.dirty.insert(slot);
        }
    }

    /// Forgets a listing.
    pub fn remove(&mut self, key: &ListingKey) {
        let Some(slot) = self.by_key.remove(key) else { return };
        if let Some(profile) = self.slots.get_mut(slot as usize).and_then(Option::take) {
            self.index.remove(slot, &profile);
        }
        self.dirty.insert(slot);
        self.seals.remove(&slot);
    }

    /// Takes what people decided, all of it; the newest about a pair counts, by its number.
    pub fn set_overrides(&mut self, overrides: Vec<IdentityOverride>) {
        let overrides = Overrides::new(overrides);
        for key in self.overrides.difference(&overrides) {
            self.dirty.extend(self.by_key.get(&key));
        }
        self.overrides = overrides;
    }

    /// Decides anew where anything changed; the outcomes that differ from those of the last call, in the
    /// order of their keys. The first call gives all.
    pub fn resolve(&mut self) -> Vec<Resolved> {
        self.choices.grow(self.slots.len());
        let dirty = std::mem::take(&mut self.dirty);
        let gone: Vec<Slot> =
            dirty.iter().copied().filter(|slot| self.profile(*slot).is_none()).collect();
        let mut affected = Reach::of(self, dirty);
        affected.retain(|slot| self.profile(*slot).is_some());
        affected.sort_unstable_by(|a, b| {
            self.profile(*a).map(|one| &one.key).cmp(&self.profile(*b).map(|two| &two.key))
        });
        let mut changed: Vec<Resolved> = Vec::new();
        for slot in affected {
            let Some(resolved) = self.outcome(slot) else { continue };
            let mut hasher = Xxh3Default::new();
            resolved.hash(&mut hasher);
            let seal = hasher.finish();
            if self.seals.insert(slot, seal) != Some(seal) {
                changed.push(resolved);
            }
        }
        // Only now may the place of a listing that is gone be given to another one.
        self.free.extend(gone);
        changed
    }

    /// What the last [`Resolver::resolve`] decided about a listing.
    #[must_use]
    pub fn resolved(&self, key: &ListingKey) -> Option<Resolved> {
        self.outcome(*self.by_key.get(key)?)
    }

    /// What the last [`Resolver::resolve`] decided, in the order of the keys.
    pub fn all(&self) -> impl Iterator<Item = Resolved> {
        let keys: BTreeMap<&ListingKey, Slot> =
            self.by_key.iter().map(|(key, slot)| (key, *slot)).collect();
        keys.into_values().filter_map(|slot| self.outcome(slot))
    }

    /// Why a listing is what it is, or what two listings are to each other.
    #[must_use]
    pub fn explain(&self, a: &ListingKey, b: Option<&ListingKey>) -> Explanation {
        crate::explain::explain(self, a, b)
    }

    /// The decisions of people that the evidence speaks against, or that could not be followed, by number.
    #[must_use]
    pub fn contradictions(&self) -> Vec<Contradiction> {
        crate::explain::contradictions(self)
    }

    pub(crate) fn profile(&self, slot: Slot) -> Option<&Profile> {
        self.slots.get(slot as usize)?.as_ref()
    }

    fn source(&mut self, name: &SourceName) -> u16 {
        let place = self.sources.iter().position(|known| known == name).unwrap_or_else(|| {
            self.sources.push(name.clone());
            self.sources.len() - 1
        });
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    fn slot(&mut self, key: &ListingKey) -> Slot {
        if let Some(slot) = self.by_key.get(key) {
            return *slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            Slot::try_from(self.slots.len() - 1).unwrap_or(Slot::MAX)
        });
        self.by_key.insert(key.clone(), slot);
        slot
    }
}
