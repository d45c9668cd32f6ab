//! Assets of several listings: former ids, contracts, sorts of things, and which comes first.

use std::sync::Arc;

use kasparro_domain::{
    AssetClass, AssetId, Contract, Generation, IdentityState, ListingId, ListingKey, SourceName,
};
use kasparro_store::ListingRow;
use proptest::prelude::*;

use super::model::{any_listings, present};
use super::{NOW, decimal, instant, listing, settings, snapshot};
use crate::{AssetQuery, Filter, Snapshot, WantedContract, asset_class, founding_listing};

const USDC: &str = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";

fn contract(platform: &str, address: &str) -> Contract {
    Contract { platform: platform.into(), address: address.into() }
}

fn with_contracts(id: i64, contracts: Vec<Contract>) -> ListingRow {
    ListingRow { contracts, ..listing(id) }
}

fn next(snapshot: &Snapshot, changed: Vec<ListingRow>) -> Snapshot {
    let version = snapshot.version() + 1;
    snapshot.next(changed, Generation(version), version, &settings(), instant(NOW))
}

fn assets(snapshot: &Snapshot, query: AssetQuery) -> Vec<i64> {
    let page = snapshot.assets(&AssetQuery { limit: 500, ..query });
    assert_eq!((page.total, page.more), (page.assets.len() as u64, false));
    page.assets.iter().map(|id| id.0).collect()
}

fn having(snapshot: &Snapshot, text: &str) -> Vec<i64> {
    let contract = WantedContract::read(text);
    assert!(contract.is_some(), "{text}");
    assets(snapshot, AssetQuery { contract, ..AssetQuery::default() })
}

#[test]
fn a_former_id_leads_to_the_asset_that_it_belongs_to_now_and_back_again() {
    let apart = snapshot(vec![listing(1), listing(2), listing(3)]);
    assert_eq!(apart.present_asset(AssetId(2)), Some(AssetId(2)));
    let merged = ListingRow { asset_id: AssetId(1), ..listing(2) };
    let one = next(&apart, vec![merged]);
    assert_eq!(one.present_asset(AssetId(2)), Some(AssetId(1)));
    assert_eq!(one.asset(AssetId(1)).len(), 2);
    assert!(one.asset(AssetId(2)).is_empty());
    for id in [i64::MIN, -1, 0, 4, i64::MAX] {
        assert_eq!(one.present_asset(AssetId(id)), None, "{id}");
    }
    let filter = Filter { asset_ids: vec![AssetId(2)], ..Filter::default() };
    assert_eq!(assets(&one, AssetQuery { filter, ..AssetQuery::default() }), [1]);
    let split = next(&one, vec![listing(2)]);
    assert_eq!(split.present_asset(AssetId(2)), Some(AssetId(2)));
    assert_eq!(split.asset(AssetId(1)).len(), 1);
}

#[test]
fn the_founding_listing_stands_for_its_asset_though_another_has_a_smaller_id() {
    let older = ListingRow { asset_id: AssetId(2), class: AssetClass::Token, ..listing(1) };
    let snapshot = snapshot(vec![older, listing(2)]);
    let rows = snapshot.asset(AssetId(2));
    assert_eq!(founding_listing(&rows).map(|row| row.listing_id()), Some(ListingId(2)));
    assert_eq!(asset_class(&rows), AssetClass::Token, "what the founder does not know");
    assert_eq!(founding_listing::<Arc<crate::Row>>(&[]), None);
}

#[test]
fn a_contract_is_found_however_it_is_spelled_and_only_on_its_chain() {
    let snapshot = snapshot(vec![
        with_contracts(1, vec![contract("ethereum", USDC), contract("sui", "0x0002::usdc::USDC")]),
        with_contracts(2, vec![contract("eth-ethereum", &USDC.to_lowercase())]),
        with_contracts(3, vec![contract("binance-smart-chain", USDC)]),
        with_contracts(
            4,
            vec![contract("ethereum", "0x0"), contract("solana", "EPjFWdd5AufqSSqeM2q")],
        ),
        listing(5),
    ]);
    for (text, expected) in [
        (USDC.to_owned(), vec![1, 2, 3]),
        (USDC.to_uppercase().replace('X', "x"), vec![1, 2, 3]),
        (format!("ethereum:{USDC}"), vec![1, 2]),
        (format!("eip155:1:{}", USDC.to_lowercase()), vec![1, 2]),
        (format!("eth-ethereum:{USDC}"), vec![1, 2]),
        (format!("eip155:56:{USDC}"), vec![3]),
        (format!("polygon-pos:{USDC}"), vec![]),
        ("0x2::usdc::USDC".to_owned(), vec![1]),
        ("sui:0x2::usdc::USDC".to_owned(), vec![1]),
        ("0x2::usdc::usdc".to_owned(), vec![]),
        ("EPjFWdd5AufqSSqeM2q".to_owned(), vec![4]),
        ("solana:EPjFWdd5AufqSSqeM2q".to_owned(), vec![4]),
        ("epjfwdd5aufqssqem2q".to_owned(), vec![]),
        (USDC[..41].to_owned(), vec![]),
    ] {
        assert_eq!(having(&snapshot, &text), expected, "{text}");
    }
    let filter = Filter { symbols: vec!["c2".to_owned()], ..Filter::default() };
    let both = AssetQuery { filter, contract: WantedContract::read(USDC), ..AssetQuery::default() };
    assert_eq!(assets(&snapshot, both), [2]);
}

#[test]
fn contracts_that_come_and_go_are_found_and_not_found_with_their_rows() {
    let before = snapshot(
        (1..=300).map(|id| with_contracts(id, vec![contract("ethereum", USDC)])).collect(),
    );
    assert_eq!(having(&before, USDC).len(), 300);
    let other = vec![contract("ethereum", "0x1111111111111111111111111111111111111111")];
    let after = next(&before, vec![with_contracts(7, other), listing(8)]);
    assert_eq!(having(&after, USDC).len(), 298);
    assert_eq!(having(&after, "0x1111111111111111111111111111111111111111"), [7]);
    assert_eq!(having(&before, USDC).len(), 300, "a snapshot never changes");
}

#[test]
fn assets_are_chosen_by_what_they_are_and_how_far_that_is_decided() {
    let of = |id: i64, class, identity| ListingRow { class, identity, ..listing(id) };
    let member =
        ListingRow { asset_id: AssetId(1), ..of(4, AssetClass::Other, IdentityState::Linked) };
    let snapshot = snapshot(vec![
        of(1, AssetClass::Coin, IdentityState::Linked),
        of(2, AssetClass::Token, IdentityState::Ambiguous),
        of(3, AssetClass::Coin, IdentityState::Single),
        member,
    ]);
    let by = |class, identity| AssetQuery { class, identity, ..AssetQuery::default() };
    assert_eq!(assets(&snapshot, by(Some(AssetClass::Coin), None)), [1, 3]);
    assert_eq!(assets(&snapshot, by(Some(AssetClass::Other), None)), [0_i64; 0]);
    assert_eq!(assets(&snapshot, by(None, Some(IdentityState::Ambiguous))), [2]);
    assert_eq!(assets(&snapshot, by(Some(AssetClass::Coin), Some(IdentityState::Linked))), [1]);
}

#[test]
fn the_sort_of_an_asset_is_found_the_same_among_few_and_among_many() {
    let sort = |id: i64| AssetClass::ALL[usize::try_from(id).unwrap() % AssetClass::ALL.len()];
    let asset = |id: i64| AssetId(if id % 7 == 0 { id - 1 } else { id });
    let rows: Vec<ListingRow> = (1..=1_000)
        .map(|id| ListingRow { class: sort(id), asset_id: asset(id), ..listing(id) })
        .collect();
    let snapshot = snapshot(rows);
    for class in AssetClass::ALL.iter().copied() {
        let among = |filter| {
            let some = Some(class);
            assets(&snapshot, AssetQuery { class: some, filter, ..AssetQuery::default() })
        };
        let many = among(Filter::default());
        assert!(many.len() > 100 || class == AssetClass::Other, "{class}: {}", many.len());
        for id in 1..=60 {
            let one = Filter { asset_ids: vec![AssetId(id)], ..Filter::default() };
            let expected = if many.contains(&asset(id).0) { vec![asset(id).0] } else { vec![] };
            assert_eq!(among(one), expected, "{class} {id}");
        }
        for id in many {
            let rows = snapshot.asset(AssetId(id));
            assert_eq!(asset_class(&rows), class);
        }
    }
}

#[test]
fn the_best_comes_first_by_rank_then_market_cap_then_id() {
    let sized = |id: i64, rank: Option<u32>, cap: Option<&str>| {
        let mut row = listing(id);
        row.attributes.symbol = Some("SAME".into());
        if let Some(quote) = &mut row.quote {
            (quote.rank, quote.market_cap) = (rank, cap.map(decimal));
        }
        row
    };
    let gone = ListingRow { active: false, ..sized(6, Some(1), Some("9e12")) };
    let second = ListingRow { asset_id: AssetId(5), ..sized(8, Some(3), None) };
    let unpriced =
        ListingRow { quote: None, observed_at: None, fetched_at: None, ..sized(7, None, None) };
    let snapshot = snapshot(vec![
        sized(1, None, None),
        sized(2, None, Some("5")),
        sized(3, None, Some("6.5")),
        sized(4, Some(2), Some("1")),
        sized(5, Some(900), None),
        gone,
        unpriced,
        second,
    ]);
    let filter = Filter { symbols: vec!["same".to_owned()], ..Filter::default() };
    let query = AssetQuery { filter, best_first: true, ..AssetQuery::default() };
    assert_eq!(assets(&snapshot, query.clone()), [4, 5, 3, 2, 1, 6, 7]);
    let page =
        snapshot.assets(&AssetQuery { start: crate::AssetStart::Offset(2), limit: 2, ..query });
    let ids: Vec<i64> = page.assets.iter().map(|id| id.0).collect();
    assert_eq!((ids, page.total, page.more), (vec![3, 2], 7, true));
}

#[test]
fn a_row_that_readers_see_unchanged_is_neither_copied_nor_indexed_anew() {
    let before = snapshot((1..=200).map(listing).collect());
    let after = next(&before, (1..=200).map(listing).collect());
    assert!(Arc::ptr_eq(&before.rows, &after.rows));
    assert!(before.indexes.iter().zip(&after.indexes).all(|(one, other)| Arc::ptr_eq(one, other)));
    assert_eq!(after.generation(), Generation(2));
    let decided = ListingRow { identity: IdentityState::Single, ..listing(9) };
    let resolved = next(&after, vec![listing(8), decided]);
    let same = |id| {
        Arc::ptr_eq(
            &resolved.listing(ListingId(id)).unwrap(),
            &before.listing(ListingId(id)).unwrap(),
        )
    };
    assert!(same(8) && !same(9));
    assert_eq!(resolved.listing(ListingId(9)).unwrap().identity(), IdentityState::Single);
    let (one, other) =
        (before.listing(ListingId(9)).unwrap(), resolved.listing(ListingId(9)).unwrap());
    assert_eq!(one.json(), other.json(), "/data shows nothing of it");
}

#[test]
fn a_listing_is_found_by_its_names_alone() {
    let other =
        ListingRow { source: SourceName::new("csv"), external_id: "coin-7".into(), ..listing(900) };
    let snapshot = snapshot((1..=100).map(listing).chain([other]).collect());
    let found = |source: &str, id: &str| {
        snapshot.named(&ListingKey::new(source, id)).map(|row| row.listing_id().0)
    };
    assert_eq!(found("coinpaprika", "coin-7"), Some(7));
    assert_eq!(found("csv", "coin-7"), Some(900));
    assert_eq!(found("coinpaprika", "coin-77"), Some(77));
    for (source, id) in [("coinpaprika", "COIN-7"), ("csv", "coin-8"), ("csv", ""), ("csv", "\0")] {
        assert_eq!(found(source, id), None, "{source} {id:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn contracts_and_former_ids_are_found_as_in_the_naive_model(rows in any_listings(60)) {
        let snapshot = snapshot(rows.clone());
        for text in ["0xabc1", "ethereum:0xABC1", "sui:0x0abc1", "So1\"ana", "0x2::m::T", "sui:0x02::m::T"] {
            let wanted = WantedContract::read(text).unwrap();
            let by_scan: std::collections::BTreeSet<i64> = rows
                .iter()
                .filter(|row| snapshot.listing(row.listing_id).is_some_and(|row| wanted.stated_for(&row)))
                .map(|row| row.asset_id.0)
                .collect();
            prop_assert_eq!(having(&snapshot, text), by_scan.into_iter().collect::<Vec<_>>(), "{}", text);
        }
        for id in (0..12).map(AssetId) {
            prop_assert_eq!(snapshot.present_asset(id).unwrap_or(id), present(&rows, id));
        }
    }
}
