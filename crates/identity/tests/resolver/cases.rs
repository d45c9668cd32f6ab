//! Cases that really occurred, told in listings made by hand.

use kasparro_domain::{AssetClass, EdgeKind, IdentityState, OverrideVerdict, Timestamp};
use kasparro_identity::{Former, Resolver, Verdict};

use crate::support::{are_one, key, listing, of, resolver, said};

const APE: &str = "0x4d224452801aced8b2f0aebe155379bb5d594381";

#[test]
fn i6_the_same_contract_is_the_same_asset_however_the_sources_spell_it() {
    let r = resolver(&[
        (
            "coingecko:apecoin",
            "ape",
            "ApeCoin",
            &["ethereum 0x4d224452801ACEd8B2F0aebE155379bb5D594381"],
        ),
        (
            "coinpaprika:ape-apecoin",
            "APE",
            "ApeCoin",
            &["eth-ethereum 0x4d224452801aced8b2f0aebe155379bb5d594381"],
        ),
    ]);
    assert!(are_one(&r, "coingecko:apecoin", "coinpaprika:ape-apecoin"));
    assert!(of(&r, "coingecko:apecoin").confidence > Some(9_900));
}

#[test]
fn i6_a_rebranded_asset_is_known_by_its_contract() {
    let at = format!("ethereum {APE}");
    let r = resolver(&[
        ("coingecko:instadapp", "fluid", "Fluid", &[&at]),
        ("coinpaprika:inst-instadapp", "INST", "Instadapp", &[&at]),
    ]);
    assert!(are_one(&r, "coingecko:instadapp", "coinpaprika:inst-instadapp"));
}

#[test]
fn i6_a_unique_symbol_alone_links_nothing() {
    let r = resolver(&[
        ("coingecko:quantum-fork", "qfk", "Quantum Fork", &[]),
        ("coinpaprika:qfk-quiet-fox-kingdom", "QFK", "Quiet Fox Kingdom", &[]),
    ]);
    assert_ne!(of(&r, "coingecko:quantum-fork").state, IdentityState::Linked);
}

#[test]
fn i6_two_coins_of_one_name_and_symbol_stay_in_doubt() {
    let r = resolver(&[
        ("coingecko:beam", "beam", "Beam", &[]),
        ("coingecko:beam-2", "beam", "Beam", &[]),
        ("exchange:77", "BEAM", "Beam", &[]),
    ]);
    let twin = of(&r, "exchange:77");
    assert_eq!(twin.state, IdentityState::Ambiguous);
    assert_eq!(twin.candidates.len(), 2);
    assert!(twin.candidates.iter().all(|candidate| candidate.verdict == Verdict::Review));
}

#[test]
fn i6_what_is_pegged_or_wrapped_is_an_asset_of_its_own_even_with_the_same_contract() {
    let at = format!("binance-smart-chain {APE}");
    let r = resolver(&[
        ("coinpaprika:ada-cardano", "ADA", "Cardano", &[&format!("bnb-binance-coin {APE}")]),
        ("coingecko:binance-peg-cardano", "ada", "Binance-Peg Cardano", &[&at]),
        ("coingecko:cardano", "ada", "Cardano", &[]),
        ("coingecko:wrapped-cardano", "wada", "Wrapped Cardano", &[&at]),
    ]);
    assert!(are_one(&r, "coinpaprika:ada-cardano", "coingecko:cardano"));
    let pegged = of(&r, "coingecko:binance-peg-cardano");
    assert_eq!((pegged.state, pegged.class), (IdentityState::Single, AssetClass::Bridged));
    assert_eq!(pegged.edges.len(), 1);
    assert_eq!(
        (pegged.edges[0].kind, &pegged.edges[0].to),
        (EdgeKind::PeggedTo, &key("coingecko:cardano"))
    );
    let wrapped = of(&r, "coingecko:wrapped-cardano");
    assert_eq!(wrapped.edges.first().map(|edge| edge.kind), Some(EdgeKind::WrappedOf));
    assert_eq!(of(&r, "coingecko:cardano").class, AssetClass::Coin);
}

#[test]
fn i6_the_same_address_on_another_chain_is_another_asset() {
    let address = "0x9e1028f5f1d5ede59748ffcee5532509976840e0";
    let r = resolver(&[
        ("coingecko:compound-governance-token", "comp", "Compound", &[&format!("base {address}")]),
        (
            "coinpaprika:perp-perpetual",
            "PERP",
            "Perpetual Protocol",
            &[&format!("op-optimism {address}")],
        ),
    ]);
    assert_eq!(of(&r, "coinpaprika:perp-perpetual").state, IdentityState::Single);
}

#[test]
fn i6_names_without_a_letter_are_not_all_the_same() {
    let r = resolver(&[
        ("coingecko:fox", "🦊", "🦊", &[]),
        ("coinpaprika:shrug", "༼", "༼ つ ◕_◕ ༽つ", &[]),
        ("coinpaprika:empty", "", "", &[]),
        ("coingecko:void", "", "", &[]),
    ]);
    assert!(r.all().all(|resolved| resolved.state == IdentityState::Single));
}

#[test]
fn i6_a_ticker_that_moved_on_is_not_followed() {
    let r = resolver(&[
        ("coinpaprika:luna-terra", "LUNA", "Terra", &[]),
        ("coingecko:terra-luna", "lunc", "Terra Luna Classic", &[]),
        ("coingecko:terra-luna-2", "luna", "Terra", &[]),
        ("coinpaprika:frax-frax", "FRAX", "Frax", &[]),
        ("coingecko:frax-share", "frax", "Frax (prev. FXS)", &[]),
    ]);
    assert_ne!(of(&r, "coinpaprika:luna-terra").state, IdentityState::Linked);
    assert_ne!(of(&r, "coinpaprika:frax-frax").state, IdentityState::Linked);
}

#[test]
fn i6_what_is_marked_old_is_not_its_successor() {
    let r = resolver(&[
        ("coingecko:quick", "quick", "Quickswap [OLD]", &[]),
        ("coingecko:quickswap", "quick", "Quickswap", &[]),
        ("coinpaprika:quick-quick-swap-dex", "QUICK", "Quickswap", &[]),
    ]);
    assert_ne!(of(&r, "coinpaprika:quick-quick-swap-dex").state, IdentityState::Linked);
    let old = of(&r, "coingecko:quick");
    assert_eq!(old.edges.first().map(|edge| edge.kind), Some(EdgeKind::MigratedTo));
}

#[test]
fn i6_a_share_is_not_the_parody_that_has_its_ticker() {
    let r = resolver(&[
        ("coingecko:tesla-xstock", "tslax", "Tesla xStock", &[]),
        ("coinpaprika:tslax-tesla", "TSLAX", "Tesla", &[]),
    ]);
    assert_eq!(of(&r, "coingecko:tesla-xstock").class, AssetClass::TokenisedStock);
    assert_eq!(of(&r, "coinpaprika:tslax-tesla").state, IdentityState::Single);
}

#[test]
fn i6_the_symbol_that_an_asset_had_before_counts() {
    let mut render = listing("coingecko:render-token", "render", "Render", &[]);
    render.former.push(Former {
        attributes: listing("x:x", "rndr", "Render Token", &[]).attributes,
        until_at: Timestamp::EPOCH,
    });
    let mut r = Resolver::new();
    r.put(vec![render, listing("coinpaprika:rndr-render-token", "RNDR", "Render Token", &[])]);
    r.resolve();
    assert!(are_one(&r, "coingecko:render-token", "coinpaprika:rndr-render-token"));
}

#[test]
fn i6_people_have_the_last_word_and_are_told_where_the_evidence_disagrees() {
    let at = format!("ethereum {APE}");
    let mut r = resolver(&[
        ("a:one", "ape", "ApeCoin", &[&at]),
        ("b:one", "APE", "ApeCoin", &[&at]),
        ("b:two", "APE", "Ape Two", &[]),
        ("a:wrapped", "wxyz", "Wrapped Xyz", &[]),
        ("b:xyz", "XYZ", "Xyz", &[]),
    ]);
    assert!(are_one(&r, "a:one", "b:one"));
    r.set_overrides(vec![
        said("a:one", "b:one", OverrideVerdict::Separate, 1),
        said("a:wrapped", "b:xyz", OverrideVerdict::Link, 2),
        said("a:one", "b:two", OverrideVerdict::Link, 3),
        said("b:one", "b:two", OverrideVerdict::Link, 4),
    ]);
    r.resolve();
    assert!(!are_one(&r, "a:one", "b:one"));
    assert!(are_one(&r, "a:wrapped", "b:xyz") && are_one(&r, "a:one", "b:two"));
    let told: Vec<(i64, bool)> = r
        .contradictions()
        .iter()
        .map(|found| (found.decided.decision_id.0, found.followed))
        .collect();
    assert_eq!(told, [(1, true), (2, true), (4, false)]);
}

#[test]
fn i6_any_two_listings_can_be_compared_and_nothing_is_hidden() {
    let r = resolver(&[("a:one", "ape", "ApeCoin", &[]), ("b:other", "ZZZ", "Zebra", &[])]);
    let told = r.explain(&key("a:one"), Some(&key("b:other")));
    let pair = told.pair.unwrap();
    assert_eq!(pair.verdict, Verdict::Rejected);
    assert_eq!(pair.centibits, pair.features.iter().map(|feature| feature.centibits).sum::<i32>());
    assert!(pair.features.iter().any(|feature| feature.name == "symbol_differs"));
    assert!(r.explain(&key("a:nobody"), None).a.is_none());
}

#[test]
fn i6_a_relation_that_a_person_states_separates_and_stands_in_place_of_what_names_say() {
    let mut r = resolver(&[
        ("a:new", "abc", "Abc", &[]),
        ("b:new", "ABC", "Abc", &[]),
        ("a:wrapped", "wabc", "Wrapped Abc", &[]),
    ]);
    let kinds = |r: &Resolver, of_listing: &str| -> Vec<(EdgeKind, String)> {
        let edges = of(r, of_listing).edges.into_iter();
        edges.map(|edge| (edge.kind, edge.to.to_string())).collect()
    };
    let by_name = [(EdgeKind::WrappedOf, "a:new".to_owned())];
    assert!(are_one(&r, "a:new", "b:new"));
    assert_eq!(kinds(&r, "a:wrapped"), by_name);
    r.set_overrides(vec![
        said("b:new", "a:new", OverrideVerdict::Related, 1),
        said("a:new", "a:wrapped", OverrideVerdict::Unrelated, 2),
    ]);
    r.resolve();
    assert!(!are_one(&r, "a:new", "b:new"));
    assert_eq!(kinds(&r, "b:new"), [(EdgeKind::ForkedFrom, "a:new".to_owned())]);
    assert_eq!(kinds(&r, "a:new"), []);
    assert_eq!(kinds(&r, "a:wrapped"), [], "a person said that it is not");
    assert_eq!(of(&r, "b:new").edges[0].why, "Decision 1 says so.");
    r.set_overrides(vec![said("a:wrapped", "a:new", OverrideVerdict::Related, 3)]);
    r.resolve();
    assert!(are_one(&r, "a:new", "b:new"));
    assert_eq!(kinds(&r, "a:wrapped"), [(EdgeKind::ForkedFrom, "a:new".to_owned())]);
    r.set_overrides(Vec::new());
    r.resolve();
    assert_eq!(kinds(&r, "a:wrapped"), by_name);
}
