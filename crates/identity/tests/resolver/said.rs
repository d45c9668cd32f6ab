//! What it weighs that a source says itself which listing of another source is the same.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{IdentityState, ListingKey, OverrideVerdict};
use kasparro_identity::generate::generate;
use kasparro_identity::{Candidate, ListingEvidence, Resolver, Verdict};

use crate::support::{are_one, key, listing, of, said};

/// `source:id`, symbol, name, contracts, and the listing that its source says it is.
type Told<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], Option<&'a str>);

fn told((of, symbol, name, contracts, other): Told<'_>) -> ListingEvidence {
    let same_as = other.into_iter().map(key).collect();
    ListingEvidence { same_as, ..listing(of, symbol, name, contracts) }
}

fn resolver(listings: &[Told<'_>]) -> Resolver {
    let mut resolver = Resolver::new();
    resolver.put(listings.iter().copied().map(told).collect());
    resolver.resolve();
    resolver
}

fn compared(resolver: &Resolver, a: &str, b: &str) -> Candidate {
    resolver.explain(&key(a), Some(&key(b))).pair.unwrap()
}

fn feature(candidate: &Candidate, name: &str) -> Option<(String, i32)> {
    let found = candidate.features.iter().find(|feature| feature.name == name)?;
    Some((found.detail.to_string(), found.centibits))
}

/// Two coins of one name at CoinGecko, and a third at CoinPaprika.
fn beams(says: Option<&'static str>) -> Resolver {
    resolver(&[
        ("coingecko:beam", "beam", "Beam", &[], None),
        ("coingecko:beam-2", "beam", "Beam", &[], None),
        ("coinpaprika:77", "BEAM", "Beam", &[], says),
    ])
}

#[test]
fn i6_which_of_two_namesakes_it_is_can_be_said() {
    let silent = beams(None);
    assert_eq!(of(&silent, "coinpaprika:77").state, IdentityState::Ambiguous);
    for (named, other) in [("beam", "beam-2"), ("beam-2", "beam")] {
        let (named, other) = (format!("coingecko:{named}"), format!("coingecko:{other}"));
        let r =
            beams(Some(if named.ends_with('2') { "coingecko:beam-2" } else { "coingecko:beam" }));
        assert!(are_one(&r, &named, "coinpaprika:77"), "{named}");
        let linked = compared(&r, "coinpaprika:77", &named);
        assert_eq!(linked.why, "coinpaprika says that they are the same.");
        let detail = format!("coinpaprika says {named}");
        assert_eq!(feature(&linked, "said_same"), Some((detail.clone(), 660)));
        let rival = compared(&r, "coinpaprika:77", &other);
        assert_eq!(
            (rival.verdict, feature(&rival, "said_other")),
            (Verdict::Rejected, Some((detail, -660)))
        );
    }
}

#[test]
fn i6_what_a_source_says_makes_no_link_surer() {
    let r = beams(Some("coingecko:beam"));
    let linked = of(&r, "coinpaprika:77");
    assert_eq!(linked.confidence, Some(9_844), "as of the weakest link by name");
    let plain = ("coingecko:aave", "aave", "Aave", &[][..], None);
    let sure = |says| {
        let r = resolver(&[plain, ("coinpaprika:aave-aave", "AAVE", "Aave", &[], says)]);
        of(&r, "coinpaprika:aave-aave").confidence
    };
    assert_eq!(sure(Some("coingecko:aave")), sure(None));
}

#[test]
fn i6_a_renamed_coin_without_a_contract_is_known_where_it_is_said() {
    let listings = |says| {
        [
            ("coingecko:instadapp", "fluid", "Fluid", &[][..], None),
            ("coinpaprika:inst-instadapp", "INST", "Instadapp", &[][..], says),
        ]
    };
    let silent = resolver(&listings(None));
    assert!(!are_one(&silent, "coingecko:instadapp", "coinpaprika:inst-instadapp"));
    let r = resolver(&listings(Some("coingecko:instadapp")));
    assert!(are_one(&r, "coingecko:instadapp", "coinpaprika:inst-instadapp"));
}

#[test]
fn i6_what_a_source_says_alone_links_nothing_and_is_shown() {
    let r = resolver(&[
        ("coingecko:quantum-fork", "qfk", "Quantum Fork", &[], None),
        ("coinpaprika:3", "FOX", "Quiet Fox", &[], Some("coingecko:quantum-fork")),
    ]);
    let quiet = of(&r, "coinpaprika:3");
    assert_eq!(quiet.state, IdentityState::Single);
    assert_eq!(quiet.candidates.len(), 1, "no symbol, name or id brings the two together");
    assert!(feature(&quiet.candidates[0], "said_same").is_some());
    assert_eq!(of(&r, "coingecko:quantum-fork").candidates.len(), 1);
}

#[test]
fn i6_what_a_source_says_weighs_nothing_against_contracts_and_kinds() {
    let on = |one: &'static [&'static str], other: &'static [&'static str]| {
        resolver(&[
            ("coingecko:lunar-rocket", "lnr", "Lunar Rocket", one, None),
            ("coinpaprika:4", "LNR", "Lunar", other, Some("coingecko:lunar-rocket")),
        ])
    };
    let r = on(&["ethereum 0xaa"], &["base 0xbb"]);
    assert!(are_one(&r, "coingecko:lunar-rocket", "coinpaprika:4"));
    let r = on(&["ethereum 0xaa"], &["ethereum 0xbb"]);
    assert!(!are_one(&r, "coingecko:lunar-rocket", "coinpaprika:4"));
    let pair = compared(&r, "coinpaprika:4", "coingecko:lunar-rocket");
    assert_eq!(feature(&pair, "said_same").map(|(_, weight)| weight), Some(0));
    assert!(feature(&pair, "contract_differs").is_some());

    let r = resolver(&[
        ("coingecko:binance-peg-cardano", "ada", "Binance-Peg Cardano", &[], None),
        ("coinpaprika:ada-cardano", "ADA", "Cardano", &[], Some("coingecko:binance-peg-cardano")),
    ]);
    let pair = compared(&r, "coinpaprika:ada-cardano", "coingecko:binance-peg-cardano");
    assert_eq!(pair.verdict, Verdict::Rejected);
    assert_eq!(feature(&pair, "veto"), Some(("derived".to_owned(), 0)));
}

#[test]
fn i6_people_have_the_last_word_over_what_a_source_says() {
    let mut r = beams(Some("coingecko:beam"));
    let apart = said("coingecko:beam", "coinpaprika:77", OverrideVerdict::Separate, 1);
    let other = said("coingecko:beam-2", "coinpaprika:77", OverrideVerdict::Link, 2);
    r.set_overrides(vec![apart, other]);
    r.resolve();
    assert!(are_one(&r, "coingecko:beam-2", "coinpaprika:77"));
    assert!(!are_one(&r, "coingecko:beam", "coinpaprika:77"));
}

#[test]
fn i6_what_is_said_of_a_listing_counts_whenever_that_comes_and_until_it_is_taken_back() {
    let coin = ("coinpaprika:77", "BEAM", "Beam", &[][..], Some("coingecko:later"));
    let later = ("coingecko:later", "xbm", "Beam", &[][..], None);
    let mut r = resolver(&[coin]);
    assert_eq!(of(&r, "coinpaprika:77").state, IdentityState::Single);
    r.put(vec![told(later)]);
    r.resolve();
    assert!(are_one(&r, "coingecko:later", "coinpaprika:77"));
    r.put(vec![told((coin.0, coin.1, coin.2, coin.3, None))]);
    r.resolve();
    assert!(!are_one(&r, "coingecko:later", "coinpaprika:77"));
    r.put(vec![told(coin)]);
    r.remove(&key("coingecko:later"));
    r.resolve();
    assert_eq!(of(&r, "coinpaprika:77").candidates, []);
}

/// Lists of two made-up sources without their contracts, one pair in four without its half of the second,
/// and what the first says of each of its coins that the second lists: one time in a hundred another one.
fn made(says: bool) -> (Resolver, Vec<(ListingKey, ListingKey)>) {
    let lists = generate(4_000, 7);
    let rows = |bytes: &[u8]| -> Vec<Vec<String>> {
        let rows = csv::Reader::from_reader(bytes).into_records();
        rows.map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    };
    let truth = rows(&lists.truth);
    let (a, b) = (|id: &str| format!("coinpaprika:{id}"), |id: &str| format!("coingecko:{id}"));
    let mut of: BTreeMap<&str, &str> = BTreeMap::new();
    for (place, pair) in truth.iter().enumerate() {
        let wrong = place % 100 == 50;
        let other = truth.get(place + usize::from(wrong)).unwrap_or(pair);
        of.insert(&pair[0], &other[1]);
    }
    let dropped: BTreeSet<&str> = truth.iter().step_by(4).map(|pair| pair[1].as_str()).collect();
    let mut listings = Vec::new();
    for row in rows(&lists.universe_a) {
        let mut one = listing(&a(&row[0]), &row[1], &row[2], &[]);
        one.same_as =
            of.get(row[0].as_str()).filter(|_| says).map(|id| key(&b(id))).into_iter().collect();
        listings.push(one);
    }
    for row in rows(&lists.universe_b) {
        if !dropped.contains(row[0].as_str()) {
            listings.push(listing(&b(&row[0]), &row[1], &row[2], &[]));
        }
    }
    let mut resolver = Resolver::new();
    resolver.put(listings);
    resolver.resolve();
    (resolver, truth.iter().map(|pair| (key(&a(&pair[0])), key(&b(&pair[1])))).collect())
}

/// Links to what it is, and to anything else.
fn right_and_wrong(says: bool) -> (usize, usize) {
    let (resolver, truth) = made(says);
    let (mut right, mut wrong) = (0, 0);
    for (a, b) in truth {
        let candidates = resolver.resolved(&a).unwrap().candidates;
        let linked = candidates.iter().filter(|other| other.verdict == Verdict::Linked);
        for other in linked {
            if other.key == b { right += 1 } else { wrong += 1 }
        }
    }
    (right, wrong)
}

#[test]
fn i6_a_source_that_is_wrong_once_in_a_hundred_finds_more_and_costs_no_precision() {
    let (silent, told) = (right_and_wrong(false), right_and_wrong(true));
    assert!(silent.0 > 2_500, "{silent:?}");
    assert!(told.0 > silent.0 + silent.0 / 50, "{silent:?} {told:?}");
    assert!(told.1 <= silent.1 && told.1 * 1_000 <= told.0, "{silent:?} {told:?}");
}
