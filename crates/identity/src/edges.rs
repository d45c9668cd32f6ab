//! How listings relate to assets that they are not: what stands for another one says so itself, and what
//! people said of it wins.

use compact_str::format_compact;
use kasparro_domain::{AssetEdge, EdgeKind, EdgeTerms};

use crate::Resolver;
use crate::index::{Kind, Slot};
use crate::markers;
use crate::profile::Profile;

/// The relations of a listing in the order of their kinds: those that people stated, and the one that its own
/// words state, unless people said something else of the two listings.
pub(crate) fn edges(resolver: &Resolver, slot: Slot, own: &Profile) -> Vec<AssetEdge> {
    let said = resolver.overrides.relations_of(&own.key);
    let mut edges: Vec<AssetEdge> = said
        .map(|(relation, decision)| AssetEdge {
            from: own.key.clone(),
            kind: relation.kind,
            to: relation.to.clone(),
            why: format_compact!("Decision {} says so.", decision.0),
            terms: relation.terms.clone(),
        })
        .collect();
    let by_words = by_words(resolver, slot, own);
    edges.extend(
        by_words.into_iter().filter(|edge| !resolver.overrides.relation_said(&edge.from, &edge.to)),
    );
    edges.sort_unstable();
    edges
}

/// The relation that a listing's own words state, where exactly one listing fits them.
fn by_words(resolver: &Resolver, slot: Slot, own: &Profile) -> Option<AssetEdge> {
    let by_mark = [
        (markers::BRIDGED, EdgeKind::BridgedOf, "bridged"),
        (markers::PEGGED, EdgeKind::PeggedTo, "pegged"),
        (markers::WRAPPED, EdgeKind::WrappedOf, "wrapped"),
        (markers::OLD, EdgeKind::MigratedTo, "old"),
    ];
    let marked = by_mark.into_iter().find(|(sort, _, _)| own.marks.sorts & sort != 0);
    let (_, kind, word) = marked?;
    let to = target(resolver, slot, own, kind)?;
    let why =
        format_compact!("It is marked as {word}, and {} is called so without the mark.", to.key);
    let (from, to) = (own.key.clone(), to.key.clone());
    Some(AssetEdge { from, kind, to, why, terms: EdgeTerms::default() })
}

/// The one listing that is called like this one without its marks: of the same source if there is one,
/// else of the first source that has exactly one.
fn target<'a>(
    resolver: &'a Resolver,
    slot: Slot,
    own: &Profile,
    kind: EdgeKind,
) -> Option<&'a Profile> {
    let members = &resolver.index.block(Kind::Name, own.underlying)?.members;
    let fits = |profile: &&Profile| {
        let native_first = profile.native.is_some() || profile.symbol == own.symbol;
        let called_so = profile.core_key() == own.underlying;
        let unmarked =
            profile.marks.sorts & (markers::DERIVED | markers::STAKED | markers::OLD) == 0;
        called_so && unmarked && (kind != EdgeKind::MigratedTo || native_first)
    };
    let mut all: Vec<&Profile> = members
        .iter()
        .filter(|member| **member != slot)
        .filter_map(|member| resolver.profile(*member))
        .filter(fits)
        .collect();
    // A native coin is what its namesakes are named after.
    if all.iter().any(|profile| profile.native.is_some()) {
        all.retain(|profile| profile.native.is_some());
    } else if all.iter().any(|profile| profile.symbol == own.symbol) {
        all.retain(|profile| profile.symbol == own.symbol);
    }
    all.sort_by_key(|profile| (profile.source != own.source, &profile.key));
    let first = *all.first()?;
    let alone = all.iter().filter(|profile| profile.source == first.source).count() == 1;
    alone.then_some(first)
}
