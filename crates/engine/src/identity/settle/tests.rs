//! Which statements count, told in hours.

use kasparro_domain::{AssetId, Evidence, ListingId, ListingKey};
use kasparro_store::DatedStatement;

use super::*;

fn hour(hours: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + hours * 3_600_000).unwrap_or_default()
}

fn named(name: &str) -> Attributes {
    Attributes { symbol: None, name: Some(name.into()) }
}

fn stated(kind: &str) -> DatedStatement {
    DatedStatement {
        endpoint: "coins".into(),
        evidence: Evidence {
            external_id: "btc".into(),
            part: "".into(),
            attributes: Attributes::default(),
            contracts: Vec::new(),
            active: None,
            kind: Some(kind.into()),
            same_as: Vec::new(),
        },
        first_seen_at: hour(0),
    }
}

fn before(endpoint: &str, kind: Option<&str>, name: Option<&str>, until: i64) -> PastStatement {
    PastStatement {
        endpoint: endpoint.into(),
        part: "".into(),
        until_at: hour(until),
        attributes: name.map(named).unwrap_or_default(),
        contracts: Vec::new(),
        kind: kind.map(Into::into),
        same_as: Vec::new(),
    }
}

fn input(kind: &str, past: Vec<PastStatement>) -> IdentityInput {
    IdentityInput {
        listing_id: ListingId(1),
        key: ListingKey::new("coinpaprika", "btc"),
        founded_asset_id: AssetId(1),
        first_seen_at: hour(0),
        attributes: named("Bitcoin"),
        quoted: false,
        statements: vec![stated(kind)],
        past,
    }
}

fn seen(hours: &[i64]) -> Vec<Sighting> {
    let seen = |at: &i64| Sighting { fetched_at: hour(*at), endpoint: "coins".into() };
    hours.iter().map(seen).collect()
}

fn kind_of(settled: &Settled) -> Option<&str> {
    settled.evidence.kind.as_deref()
}

#[test]
fn the_first_thing_that_is_said_counts_at_once() {
    let settled = settle(&input("coin", Vec::new()), &[]);
    assert_eq!((kind_of(&settled), settled.pending), (Some("coin"), false));
}

#[test]
fn bitcoin_is_no_token_after_five_minutes_and_after_a_day_it_would_be() {
    let token = input("token", vec![before("coins", Some("coin"), None, 100)]);
    let kinds = [
        (vec![], "coin"),
        (vec![100], "coin"),
        // Three sightings within an hour, or two over two days.
        (vec![100, 100, 101], "coin"),
        (vec![100, 148], "coin"),
        // What was seen before it was said does not count.
        (vec![10, 50, 99, 124], "coin"),
        // Four pages of one walk, and one a day later.
        (vec![100, 100, 100, 124], "coin"),
        (vec![100, 110, 124], "token"),
    ];
    for (hours, expected) in kinds {
        let settled = settle(&token, &seen(&hours));
        assert_eq!(kind_of(&settled), Some(expected), "{hours:?}");
        assert_eq!(settled.pending, expected == "coin", "{hours:?}");
    }
}

#[test]
fn what_was_said_for_a_moment_leaves_what_stood_before() {
    let past =
        vec![before("coins", Some("coin"), None, 100), before("coins", Some("token"), None, 101)];
    let settled = settle(&input("coin", past.clone()), &seen(&[100, 101]));
    assert_eq!(kind_of(&settled), Some("coin"));
    // A third word that does not count yet leaves the first, not the one of a moment.
    let settled = settle(&input("fund", past), &seen(&[100, 101]));
    assert_eq!((kind_of(&settled), settled.pending), (Some("coin"), true));
}

#[test]
fn what_stood_for_a_week_is_beyond_doubt_and_asks_for_no_pages() {
    let token = input("token", vec![before("coins", Some("coin"), None, 100)]);
    let settled = settle(&token, &seen(&[100 + 7 * 24]));
    assert_eq!((kind_of(&settled), settled.pending), (Some("token"), false));
    assert!(in_doubt(&token) && !in_doubt(&input("coin", Vec::new())));
}

#[test]
fn a_contract_that_shows_up_late_counts_like_a_change() {
    let contract = Contract { platform: "eth-ethereum".into(), address: "0x1".into() };
    let shown = |first_seen: i64| {
        let mut input = input("coin", Vec::new());
        let mut later = stated("token");
        later.evidence.kind = None;
        later.evidence.part = "eth-ethereum:0x1".into();
        later.evidence.contracts = vec![contract.clone()];
        later.first_seen_at = hour(first_seen);
        input.statements.push(later);
        input
    };
    let settled = settle(&shown(23), &seen(&[23]));
    assert_eq!((settled.evidence.contracts.len(), settled.pending), (1, false));
    let settled = settle(&shown(1000), &seen(&[1000, 1001, 1002]));
    assert_eq!((settled.evidence.contracts.len(), settled.pending), (0, true));
    let settled = settle(&shown(1000), &seen(&[1000, 1001, 1024]));
    assert_eq!((settled.evidence.contracts.len(), settled.pending), (1, false));
}

#[test]
fn a_kind_that_an_earlier_version_did_not_read_is_no_change() {
    let input = input("coin", vec![before("coins", None, None, 100)]);
    let settled = settle(&input, &seen(&[100]));
    assert_eq!((kind_of(&settled), settled.pending), (Some("coin"), false));
}

#[test]
fn what_counts_does_not_hang_on_which_older_pages_are_known() {
    let past = vec![
        before("", None, Some("A"), 240),
        before("", None, Some("B"), 288),
        before("", None, Some("C"), 300),
    ];
    let input = input("coin", past);
    let all: Vec<i64> = (0..800).step_by(8).collect();
    let whole = settle(&input, &seen(&all));
    for from in [0, 200, 290, 800 - 7 * 24 - 8] {
        let known: Vec<i64> = all.iter().copied().filter(|at| *at >= from).collect();
        let settled = settle(&input, &seen(&known));
        assert_eq!(settled.evidence, whole.evidence, "from {from}");
    }
    let names: Vec<_> = whole.evidence.former.iter().map(|one| &one.attributes).collect();
    assert_eq!(names, [&named("B"), &named("A")], "C was one for half a day");
}

#[test]
fn a_name_of_a_moment_was_never_one() {
    let past = vec![
        before("", None, Some("Bitcoin"), 10),
        before("", None, Some("BitcoinCash"), 11),
        before("", None, Some("XBT"), 300),
    ];
    let settled = settle(&input("coin", past), &seen(&[10, 11, 300, 310, 500]));
    let former = Former { attributes: named("XBT"), until_at: hour(300) };
    assert_eq!((settled.evidence.former, settled.pending), (vec![former], false));
}

#[test]
fn a_name_counts_when_it_stood_and_the_one_before_is_kept() {
    let renamed = input("coin", vec![before("", None, Some("Bytecoin"), 10)]);
    let settled = settle(&renamed, &seen(&[10, 11]));
    assert_eq!((settled.evidence.attributes, settled.pending), (named("Bytecoin"), true));
    assert_eq!(settled.evidence.former, []);
    let settled = settle(&renamed, &seen(&[10, 20, 34]));
    assert_eq!((settled.evidence.attributes, settled.pending), (named("Bitcoin"), false));
    let former = Former { attributes: named("Bytecoin"), until_at: hour(10) };
    assert_eq!(settled.evidence.former, [former]);
}

#[test]
fn what_a_list_holds_for_the_same_counts_like_a_contract() {
    let others = |ids: &[&str]| -> Vec<ListingKey> {
        ids.iter().map(|id| ListingKey::new("coingecko", id)).collect()
    };
    let mut stood = before("coins", Some("coin"), None, 100);
    stood.same_as = others(&["old"]);
    let mut input = input("coin", vec![stood]);
    input.statements[0].evidence.same_as = others(&["new", "also"]);
    let settled = settle(&input, &seen(&[100, 110]));
    assert_eq!((settled.evidence.same_as, settled.pending), (others(&["old"]), true));
    let settled = settle(&input, &seen(&[100, 110, 124]));
    assert_eq!((settled.evidence.same_as, settled.pending), (others(&["also", "new"]), false));
    // A kind that was not read before hides no change of what is the same.
    input.past[0].kind = None;
    assert!(settle(&input, &seen(&[100])).pending);
}
