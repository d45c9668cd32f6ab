//! How far a change reaches: compares, chooses and puts together anew what could come out differently,
//! and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use kasparro_domain::ListingKey;
use smallvec::SmallVec;

use super::Resolver;
use crate::cluster::{self, Link};
use crate::index::Slot;
use crate::pairs::{self, Pair};

/// A set of listings.
#[derive(Debug)]
pub(super) struct Reach {
    inside: Vec<bool>,
    slots: Vec<Slot>,
}

impl Reach {
    fn new(slots: usize) -> Self {
        Self { inside: vec![false; slots], slots: Vec::new() }
    }

    fn add(&mut self, slot: Slot) -> bool {
        match self.inside.get_mut(slot as usize) {
            Some(inside) if !*inside => {
                *inside = true;
                self.slots.push(slot);
                true
            }
            _ => false,
        }
    }

    fn extend(&mut self, slots: impl IntoIterator<Item = Slot>) {
        for slot in slots {
            self.add(slot);
        }
    }

    /// Brings everything up to date after listings came, changed or went; the listings whose outcome may
    /// be another one.
    pub(super) fn of(resolver: &mut Resolver, dirty: BTreeSet<Slot>) -> Vec<Slot> {
        let total = resolver.slots.len();
        let (reshaped, interested) = resolver.index.reshaped();
        let compared = compare(resolver, dirty, reshaped);

        let mut rechosen = Self::new(total);
        rechosen.extend(compared.slots.iter().copied());
        for slot in &compared.slots {
            for other in resolver.choices.choose_firm(*slot) {
                // Whoever was compared with one of the two may have gained or lost a rival.
                for touched in [*slot, other] {
                    rechosen.add(touched);
                    rechosen.extend(resolver.choices.of(touched).iter().map(|pair| pair.other));
                }
            }
        }
        let mut loose = compared;
        for slot in &rechosen.slots {
            let changed = resolver.choices.choose(*slot, &resolver.slots);
            if !changed.is_empty() {
                loose.add(*slot);
                loose.extend(changed);
            }
        }
        let regrouped = group(resolver, loose.slots);

        let mut affected = rechosen;
        for slot in regrouped {
            affected.add(slot);
            affected.extend(resolver.choices.of(slot).iter().map(|pair| pair.other));
        }
        affected.extend(interested);
        affected.slots
    }
}

/// Compares anew what came or changed, and what shares a block with it whose frequency changed; gives these
/// and whatever they are or were compared with.
fn compare(resolver: &mut Resolver, dirty: BTreeSet<Slot>, reshaped: Vec<Slot>) -> Reach {
    let mut compared = Reach::new(resolver.slots.len());
    compared.extend(dirty);
    compared.extend(reshaped);
    let anew = compared.slots.clone();
    let is_anew = compared.inside.clone();
    let is_anew = |slot: Slot| is_anew.get(slot as usize).copied().unwrap_or(false);
    let Resolver { slots, index, overrides, choices, by_key, .. } = resolver;
    for slot in &anew {
        let before = choices.pairs.get_mut(*slot as usize).map(std::mem::take).unwrap_or_default();
        compared.extend(before.iter().map(|pair| pair.other));
    }
    for slot in &compared.slots {
        if let Some(kept) = choices.pairs.get_mut(*slot as usize) {
            kept.retain(|pair| !is_anew(pair.other));
        }
    }
    let mut others = Vec::new();
    for slot in &anew {
        // Every pair is compared once and kept on both sides.
        let wanted = |other: Slot| !is_anew(other) || other > *slot;
        let Some(source) = pairs::profile(slots, *slot).map(|own| own.source) else { continue };
        for pair in pairs::pairs(*slot, slots, index, overrides, by_key, &mut others, wanted) {
            let (here, there) = (*slot as usize, pair.other as usize);
            compared.add(pair.other);
            if let Some(kept) = choices.pairs.get_mut(there) {
                kept.push(Pair { other: *slot, source, ..pair });
            }
            if let Some(kept) = choices.pairs.get_mut(here) {
                kept.push(pair);
            }
        }
    }
    for slot in &compared.slots {
        if let Some(kept) = choices.pairs.get_mut(*slot as usize) {
            pairs::sort(kept, slots);
        }
    }
    compared
}

/// Puts together anew the assets of the given listings and of all that hang together with them.
fn group(resolver: &mut Resolver, loose: Vec<Slot>) -> Vec<Slot> {
    let mut closure = Reach::new(resolver.slots.len());
    closure.extend(loose);
    let mut place = 0;
    let mut components: Vec<SmallVec<[Slot; 8]>> = Vec::new();
    let mut seen = Reach::new(resolver.slots.len());
    // Members of an asset that may have come apart belong to the closure, each in its own component now.
    while let Some(slot) = closure.slots.get(place).copied() {
        place += 1;
        if let Some(members) = resolver.groups.get(&slot).cloned() {
            closure.extend(members.iter().copied());
        }
        if resolver.profile(slot).is_none() || !seen.add(slot) {
            continue;
        }
        let mut component: SmallVec<[Slot; 8]> = SmallVec::from_slice(&[slot]);
        let mut next = 0;
        while let Some(member) = component.get(next).copied() {
            next += 1;
            for other in neighbours(resolver, member) {
                if seen.add(other) {
                    closure.add(other);
                    component.push(other);
                }
            }
        }
        if component.len() > 1 {
            components.push(component);
        }
    }
    for slot in &closure.slots {
        resolver.groups.remove(slot);
    }
    for component in &components {
        put_together(resolver, component);
    }
    closure.slots
}

/// The listings that a link or a person's decision joins with this one.
fn neighbours(resolver: &Resolver, slot: Slot) -> SmallVec<[Slot; 8]> {
    let linked = resolver.choices.links(slot).map(|pair| pair.other);
    let Some(profile) = resolver.profile(slot) else { return SmallVec::new() };
    let said = resolver.overrides.partners(&profile.key);
    linked.chain(said.filter_map(|key| resolver.by_key.get(key)).copied()).collect()
}

fn put_together(resolver: &mut Resolver, component: &[Slot]) {
    let keys: BTreeSet<&ListingKey> = component
        .iter()
        .filter_map(|slot| pairs::profile(&resolver.slots, *slot).map(|profile| &profile.key))
        .collect();
    let mut links = Vec::new();
    for slot in component {
        let Some(a) = resolver.profile(*slot) else { continue };
        for pair in resolver.choices.links(*slot) {
            let Some(b) = resolver.profile(pair.other) else { continue };
            if a.key < b.key {
                links.push(Link { a: &a.key, b: &b.key, score: pair.score });
            }
        }
    }
    let said = resolver.overrides.among(&keys);
    let clusters = cluster::clusters(&keys, &said, links);
    let mut groups: Vec<Arc<[Slot]>> = Vec::new();
    for group in clusters.iter().filter(|group| group.len() > 1) {
        groups.push(group.iter().filter_map(|key| resolver.by_key.get(*key).copied()).collect());
    }
    for group in groups {
        for slot in group.iter() {
            resolver.groups.insert(*slot, Arc::clone(&group));
        }
    }
}
