//! Which listings are one asset: what the digest has of it, and what is named.

use kasparro_domain::{
    AssetClass, AssetEdge, AssetId, AssetRelation, Attributes, EdgeKind, EdgeTerms, Generation,
    IdentityState, ListingId, ListingKey,
};
use kasparro_store::{Audit, IdentityTotals, PastStatement, ResolutionRow};
use serde_json::{Value, json};

use crate::digest::{Change, Tables, digest, touched};
use crate::violations;
use crate::world::{World, at, contract};

fn key(source: &str, id: &str) -> ListingKey {
    ListingKey::new(source, id)
}

/// What `btc` was called, and what a list stated of `dai`.
pub(crate) fn past() -> Vec<(ListingKey, PastStatement)> {
    let named = PastStatement {
        endpoint: "".into(),
        part: "".into(),
        until_at: at(5),
        attributes: Attributes { symbol: Some("xbt".into()), name: None },
        contracts: Vec::new(),
        kind: None,
        same_as: Vec::new(),
    };
    let stated = PastStatement {
        endpoint: "contracts".into(),
        contracts: vec![contract("0x9")],
        kind: Some("coin".into()),
        same_as: vec![key("coingecko", "dai")],
        ..named.clone()
    };
    vec![(key("coinpaprika", "btc"), named), (key("coinpaprika", "dai"), stated)]
}

/// What was decided about `bitcoin`, with the share of certainty and the other candidates.
pub(crate) fn decided() -> Vec<(ListingKey, Option<u16>, Value)> {
    let other = json!([{"key": "coinpaprika:btc", "centibits": 40}]);
    vec![(key("coingecko", "bitcoin"), Some(9_990), other)]
}

/// That `dai` follows `bitcoin`.
pub(crate) fn edges() -> Vec<AssetEdge> {
    let (from, to) = (key("coinpaprika", "dai"), key("coingecko", "bitcoin"));
    vec![AssetEdge {
        from,
        kind: EdgeKind::PeggedTo,
        to,
        why: "its name says so".into(),
        terms: EdgeTerms::default(),
    }]
}

/// A resolution that changed listing 1.
fn resolution(generation: u64) -> (ResolutionRow, Vec<ListingId>) {
    let row = ResolutionRow {
        generation: Generation(generation),
        evidence_version: 2,
        rule_version: "identity/1".to_owned(),
        resolved_at: at(30),
        totals: IdentityTotals { listings: 3, assets: 2, linked: 2, ambiguous: 0 },
        pending: false,
    };
    (row, vec![ListingId(1)])
}

/// Gives the three batches these generations, beside those of resolutions.
fn generations(world: &mut World, batches: [u64; 3], resolutions: &[u64]) {
    for (batch, generation) in world.batches.iter_mut().zip(batches) {
        batch.generation = generation;
    }
    world.resolutions = resolutions.iter().copied().map(resolution).collect();
    world.generation = batches.into_iter().chain(resolutions.iter().copied()).max().unwrap();
}

/// Puts the listing at `place` into an asset that it did not found.
fn link(world: &mut World, place: usize, asset_id: i64) {
    world.listings[place].asset_id = AssetId(asset_id);
    world.listings[place].identity = IdentityState::Linked;
}

fn one(change: impl FnOnce(&mut World), invariant: &str, detail: &str) {
    let found = violations(change);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].invariant, invariant);
    assert_eq!(found[0].detail, detail);
}

#[test]
fn listings_of_two_sources_in_one_asset_violate_nothing() {
    let found = violations(|world| {
        link(world, 0, 1);
        link(world, 1, 1);
    });
    assert_eq!(found, []);
}

#[test]
fn an_asset_that_was_founded_twice_is_named() {
    let twice = |world: &mut World| {
        (world.listings[1].asset_id, world.listings[1].founded_asset_id) = (AssetId(1), AssetId(1));
    };
    one(twice, "identity", "asset 1 was founded twice, by coinpaprika btc too");
}

#[test]
fn two_listings_of_one_source_in_an_asset_are_named() {
    let founder_and_other = |world: &mut World| {
        link(world, 1, 2);
        link(world, 2, 2);
    };
    let what = "asset 2 has its founder and another listing of coinpaprika";
    one(founder_and_other, "identity", what);
    // Whatever is said of how far the founder is decided.
    one(|world| link(world, 2, 2), "identity", what);
    let both_moved = |world: &mut World| {
        link(world, 0, 1);
        link(world, 1, 1);
        link(world, 2, 1);
    };
    let what = "asset 1 has coinpaprika dai and another listing of coinpaprika";
    one(both_moved, "identity", what);
}

#[test]
fn an_asset_whose_founder_is_missing_is_named() {
    let moved = |world: &mut World| {
        link(world, 0, 9);
        link(world, 1, 9);
    };
    one(moved, "identity", "asset 9 of 2 listings was founded by none");
    let left = |world: &mut World| {
        link(world, 0, 3);
        link(world, 1, 1);
    };
    one(left, "identity", "the founder of asset 1 stands in another one");
}

#[test]
fn resolutions_fill_the_gaps_between_batches() {
    let fits = |batches, resolutions: &[u64]| {
        assert_eq!(violations(|world| generations(world, batches, resolutions)), []);
    };
    fits([1, 3, 5], &[2, 4]);
    fits([2, 3, 6], &[1, 4, 5, 7, 8]);
    fits([4, 5, 6], &[1, 2, 3]);
    fits([1, 2, 3], &[4]);
}

#[test]
fn a_generation_that_neither_batch_nor_resolution_made_is_named() {
    let details = |batches, resolutions: &[u64]| -> Vec<String> {
        let found = violations(|world| generations(world, batches, resolutions));
        assert!(found.iter().all(|one| one.invariant == "generation"), "{found:?}");
        found.into_iter().map(|one| one.detail).collect()
    };
    let between = ["generation 5 follows 3", "the generation is 5, there are 4 commits"];
    assert_eq!(details([1, 2, 5], &[3]), between);
    assert_eq!(details([1, 2, 3], &[5]), between);
    let twice = ["generation 3 follows 3", "the generation is 3, there are 4 commits"];
    assert_eq!(details([1, 2, 3], &[3]), twice);
    assert_eq!(details([1, 2, 3], &[4, 4]), ["the generation is 4, there are 5 commits"]);
}

#[test]
fn a_resolution_that_names_no_listing_is_named() {
    let stray = |world: &mut World| {
        generations(world, [1, 2, 3], &[4]);
        world.resolutions[0].1.push(ListingId(9));
    };
    one(stray, "generation", "generation 4 names listing 9, which is gone");
}

#[test]
fn what_listings_are_to_each_other_is_in_the_digest() {
    let pair = |world: &mut World| {
        let pair = (key("coingecko", "bitcoin"), key("coinpaprika", "btc"));
        world.decisions[0].pairs.push(pair);
    };
    assert_eq!(touched(pair), ["decision"]);
    let relation = |world: &mut World| {
        world.decisions[0].relation = Some(AssetRelation {
            from: key("coingecko", "bitcoin"),
            kind: EdgeKind::ForkedFrom,
            to: key("coinpaprika", "btc"),
            terms: EdgeTerms::default(),
        });
    };
    assert_eq!(touched(relation), ["decision"]);
    let changes: [(Change, Tables); 11] = [
        (|world| link(world, 1, 1), &["partition"]),
        (|world| world.edges.clear(), &["partition"]),
        (|world| world.edges[0].kind = EdgeKind::WrappedOf, &["partition"]),
        (|world| world.edges[0].terms.ratio = EdgeTerms::read_ratio("2").ok(), &["partition"]),
        (
            |world| world.edges[0].terms.effective_on = EdgeTerms::read_day("2024-02-29").ok(),
            &["partition"],
        ),
        (|world| world.edges[0].from = key("coinpaprika", "btc"), &["partition"]),
        (|world| world.edges[0].to = key("coinpaprika", "btc"), &["partition"]),
        (
            |world| {
                let also = AssetEdge { kind: EdgeKind::ForkedFrom, ..world.edges[0].clone() };
                world.edges.insert(0, also);
            },
            &["partition"],
        ),
        (|world| world.evidence[0].evidence.kind = Some("coin".into()), &["evidence"]),
        (|world| world.evidence[1].evidence.kind = Some("token".into()), &["evidence"]),
        (|world| world.evidence[1].evidence.same_as = vec![key("coingecko", "dai")], &["evidence"]),
    ];
    for (place, (change, tables)) in changes.into_iter().enumerate() {
        assert_eq!(touched(change), tables, "change {place}");
    }
}

#[test]
fn which_member_of_an_asset_says_how_it_relates_is_not_in_the_digest() {
    let linked = |from: &[&str]| {
        let world = World::new().with(|world| {
            link(world, 0, 1);
            link(world, 1, 1);
            let edge = |from: &&str| AssetEdge {
                from: from.parse().unwrap(),
                to: key("coinpaprika", "dai"),
                ..edges()[0].clone()
            };
            world.edges = from.iter().map(edge).collect();
        });
        digest(&world)
    };
    let first = linked(&["coingecko:bitcoin"]);
    assert_eq!(linked(&["coinpaprika:btc"]), first);
    assert_eq!(linked(&["coingecko:bitcoin", "coinpaprika:btc"]), first);
    assert_ne!(linked(&[]), first);
}

#[test]
fn how_it_was_decided_is_not_in_the_digest() {
    let otherwise = World::new().with(|world| {
        generations(world, [2, 4, 5], &[1, 3, 6]);
        world.evidence_version = 77;
        world.past.clear();
        world.decided.clear();
        world.edges[0].why.push_str(", and its price");
        world.listings[0].class = AssetClass::Coin;
        world.listings[1].identity = IdentityState::Ambiguous;
    });
    let report = otherwise.report().unwrap();
    assert_eq!(report.violations, []);
    assert_eq!(report.digest, digest(&World::new()));
}

#[test]
fn a_dump_shows_how_it_was_decided() {
    let resolved = || World::new().with(|world| generations(world, [1, 2, 3], &[4]));
    let changes: [(Change, &str); 19] = [
        (|world| world.listings[0].class = AssetClass::Coin, "origin"),
        (|world| world.listings[0].identity = IdentityState::Single, "origin"),
        (|world| world.past[0].0 = key("coingecko", "bitcoin"), "evidence_past"),
        (|world| world.past[0].1.until_at = at(6), "evidence_past"),
        (|world| world.past[0].1.attributes.symbol = None, "evidence_past"),
        (|world| world.past[1].1.contracts.clear(), "evidence_past"),
        (|world| world.past[1].1.kind = None, "evidence_past"),
        (|world| world.past[1].1.same_as = Vec::new(), "evidence_past"),
        (|world| world.decided[0].1 = None, "identity"),
        (|world| world.decided[0].2 = json!([]), "identity"),
        (|world| world.edges[0].why.push('!'), "asset_edge"),
        (|world| world.evidence_version += 1, "generation"),
        (|world| world.resolutions[0].0.evidence_version += 1, "resolution"),
        (|world| world.resolutions[0].0.rule_version.push('1'), "resolution"),
        (|world| world.resolutions[0].0.resolved_at = at(31), "resolution"),
        (|world| world.resolutions[0].0.totals.linked = 0, "resolution"),
        (|world| world.resolutions[0].0.totals.ambiguous = 1, "resolution"),
        (|world| world.resolutions[0].0.pending = true, "resolution"),
        (|world| world.resolutions[0].1.clear(), "resolution"),
    ];
    let dump = |world: &World| world.feed(Audit::dump()).unwrap().into_dump();
    for (place, (change, table)) in changes.into_iter().enumerate() {
        let after = dump(&resolved().with(change));
        let differ: Vec<&str> = (dump(&resolved()).iter().zip(&after))
            .filter(|(before, after)| before != after)
            .map(|(before, _)| before.name)
            .collect();
        assert_eq!(differ, [table], "change {place}");
    }
}
