//! How listings relate to assets that they are not: what stands for another one says so itself.

use compact_str::format_compact;
use kasparro_domain::{AssetEdge, EdgeKind};

use crate::Resolver;
use crate::index::{Kind, Slot};
use crate::markers;
use crate::profile::Profile;

/// The relations that a listing's own words state, as far as exactly one listing fits them.
pub(crate) fn edges(resolver: &Resolver, slot: Slot, own: &Profile) -> Vec<AssetEdge> {
    let by_mark = [
        (markers::BRIDGED, EdgeKind::BridgedOf, "bridged"),
        (markers::PEGGED, EdgeKind::PeggedTo, "pegged"),
        (markers::WRAPPED, EdgeKind::WrappedOf, "wrapped"),
        (markers::OLD, EdgeKind::MigratedTo, "old"),
    ];
    let marked = by_mark.into_iter().find(|(sort, _, _)| own.marks.sorts & sort != 0);
    let Some((_, kind, word)) = marked else { return Vec::new() };
    let Some(to) = target(resolver, slot, own, kind) else { return Vec::new() };
    let why =
        format_compact!("It is marked as {word}, and {} is called so without the mark.", to.key);
    vec![AssetEdge { from: own.key.clone(), kind, to: to.key.clone(), why }]
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
