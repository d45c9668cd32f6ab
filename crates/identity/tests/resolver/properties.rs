//! What holds for every input, whatever came first.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{IdentityOverride, ListingKey, OverrideVerdict, Timestamp};
use kasparro_identity::{ListingEvidence, Resolved, Resolver};
use proptest::prelude::*;

use crate::support::{listing, said};

/// Few words, so that everything collides with everything.
const SYMBOLS: &[&str] = &["BEAM", "moon", "USDC", "weth", "FRAX", "$MOON", ""];
const NAMES: &[&str] = &[
    "Beam",
    "Moon",
    "Moon Token",
    "MoonSwap",
    "USD Coin",
    "Bridged USDC (Wormhole)",
    "Wrapped Ether",
    "Frax",
    "Frax [OLD]",
    "Frax V2",
    "Ethereum",
    "",
    "🌙",
];
const IDS: &[&str] = &["beam", "beam-2", "moon", "moon-moon", "usd-coin", "weth", "frax", "7"];
const CONTRACTS: &[&str] =
    &["ethereum 0xaa", "1 0xaa", "base 0xaa", "solana Moon", "ethereum 0xbb"];

fn any_listing() -> impl Strategy<Value = ListingEvidence> {
    let source = prop::sample::select(&["a", "b", "c"][..]);
    let words =
        (prop::sample::select(SYMBOLS), prop::sample::select(NAMES), prop::sample::select(IDS));
    let contracts = prop::collection::vec(prop::sample::select(CONTRACTS), 0..3);
    let others = prop::collection::vec(any_key(), 0..2);
    (source, words, contracts, 0..3_i64, prop::option::of(1..50_u32), others).prop_map(
        |(source, (symbol, name, id), contracts, seen, rank, others)| {
            let mut made = listing(&format!("{source}:{id}"), symbol, name, &contracts);
            made.first_seen_at = Timestamp::from_millis(seen).unwrap();
            made.rank = rank;
            made.same_as = others.iter().map(|other| other.parse().unwrap()).collect();
            made
        },
    )
}

fn any_key() -> impl Strategy<Value = String> {
    let source = prop::sample::select(&["a", "b", "c"][..]);
    (source, prop::sample::select(IDS)).prop_map(|(source, id)| format!("{source}:{id}"))
}

fn any_override() -> impl Strategy<Value = IdentityOverride> {
    let verdict = prop::sample::select(OverrideVerdict::ALL);
    (any_key(), any_key(), verdict, 0..20_i64)
        .prop_map(|(a, b, verdict, number)| said(&a, &b, verdict, number))
}

fn numbered(mut overrides: Vec<IdentityOverride>) -> Vec<IdentityOverride> {
    for (number, decided) in overrides.iter_mut().enumerate() {
        decided.decision_id.0 = i64::try_from(number).unwrap();
    }
    overrides
}

/// The last listing under each key.
fn last(listings: &[ListingEvidence]) -> BTreeMap<ListingKey, ListingEvidence> {
    listings.iter().map(|listing| (listing.key.clone(), listing.clone())).collect()
}

fn from_scratch(listings: Vec<ListingEvidence>, overrides: Vec<IdentityOverride>) -> Vec<Resolved> {
    let mut resolver = Resolver::new();
    resolver.set_overrides(overrides);
    resolver.put(listings);
    resolver.resolve()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn i6_the_outcome_does_not_depend_on_how_the_listings_came(
        rounds in prop::collection::vec(prop::collection::vec(any_listing(), 0..5), 1..6),
        gone in prop::collection::vec(any_listing(), 0..4),
        overrides in prop::collection::vec(any_override(), 0..5),
        split in 0..6_usize,
    ) {
        let overrides = numbered(overrides);
        let all: Vec<ListingEvidence> = rounds.iter().flatten().cloned().collect();
        let mut wanted = last(&all);
        for listing in &gone {
            wanted.remove(&listing.key);
        }
        let scratch = from_scratch(wanted.values().rev().cloned().collect(), overrides.clone());

        let mut resolver = Resolver::new();
        // What came out differently last, for every listing: what a store would hold.
        let mut stored: BTreeMap<ListingKey, Resolved> = BTreeMap::new();
        for (number, round) in rounds.into_iter().enumerate() {
            if number == split {
                resolver.set_overrides(overrides.clone());
            }
            resolver.put(round);
            stored.extend(resolver.resolve().into_iter().map(|resolved| (resolved.key.clone(), resolved)));
        }
        resolver.set_overrides(overrides);
        for listing in &gone {
            resolver.remove(&listing.key);
            stored.remove(&listing.key);
        }
        stored.extend(resolver.resolve().into_iter().map(|resolved| (resolved.key.clone(), resolved)));
        prop_assert_eq!(resolver.all().collect::<Vec<_>>(), scratch.clone());
        prop_assert_eq!(stored.into_values().collect::<Vec<_>>(), scratch);
    }

    #[test]
    fn i6_deciding_again_changes_nothing(listings in prop::collection::vec(any_listing(), 0..14)) {
        let mut resolver = Resolver::new();
        resolver.put(listings.clone());
        resolver.resolve();
        prop_assert_eq!(resolver.resolve(), Vec::new());
        let same = last(&listings).into_values().collect();
        resolver.put(same);
        prop_assert_eq!(resolver.resolve(), Vec::new());
    }

    #[test]
    fn i6_a_merge_that_is_taken_back_leaves_no_trace(
        listings in prop::collection::vec(any_listing(), 2..14),
        earlier in prop::collection::vec(any_override(), 0..3),
        merge in any_override(),
        back in prop::sample::select(&[OverrideVerdict::Withdraw, OverrideVerdict::Separate][..]),
    ) {
        let mut overrides = numbered(earlier);
        overrides.retain(|decided| {
            let ends = [&decided.a, &decided.b];
            !(ends.contains(&&merge.a) && ends.contains(&&merge.b))
        });
        let (a, b) = (merge.a.to_string(), merge.b.to_string());
        let apart = {
            let mut apart = overrides.clone();
            if back == OverrideVerdict::Separate {
                apart.push(said(&a, &b, back, 101));
            }
            from_scratch(listings.clone(), apart)
        };
        let mut resolver = Resolver::new();
        resolver.put(listings);
        overrides.push(said(&a, &b, OverrideVerdict::Link, 100));
        resolver.set_overrides(overrides.clone());
        resolver.resolve();
        overrides.push(said(&a, &b, back, 101));
        resolver.set_overrides(overrides);
        resolver.resolve();
        prop_assert_eq!(resolver.all().collect::<Vec<_>>(), apart);
    }

    #[test]
    fn i6_no_asset_holds_two_listings_of_one_source(
        listings in prop::collection::vec(any_listing(), 0..20),
        overrides in prop::collection::vec(any_override(), 0..8),
    ) {
        let mut seen = BTreeSet::new();
        for resolved in from_scratch(listings, numbered(overrides)) {
            prop_assert!(seen.insert((resolved.founder, resolved.key.source)));
        }
    }
}
