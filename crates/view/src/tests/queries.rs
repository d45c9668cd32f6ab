//! Every kind of question gives the answer of the naive model.

use std::collections::BTreeSet;

use kasparro_domain::{AssetId, Generation, ListingId, SourceName};
use kasparro_store::ListingRow;
use proptest::prelude::*;

use super::model::{answer, any_listings, any_query, asked};
use super::{NOW, decimal, instant, listing, settings, snapshot};
use crate::{
    AssetQuery, AssetStart, Bounds, Filter, ListingQuery, Order, Snapshot, SortKey, Start,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_page_is_what_a_list_filtered_and_sorted_anew_gives(
        listings in any_listings(40),
        queries in prop::collection::vec(any_query(), 40),
    ) {
        let snapshot = snapshot(listings.clone());
        for query in queries {
            prop_assert_eq!(asked(&snapshot, &query), answer(&listings, &query), "{:?}", query);
        }
    }
}

/// Enough listings for many blocks and chunks, and for every branch of the planner.
fn many(count: i64) -> Vec<ListingRow> {
    let numbers = ["0.1", "0.1000000000000000055", "0", "7", "44471.6", "44471.600000000000001"];
    let of = |seed: i64| numbers[usize::try_from(seed).unwrap() % numbers.len()];
    (1..=count)
        .map(|n| {
            let mut listing = listing(2 * n);
            listing.asset_id.0 = n / 3;
            listing.source = SourceName::new(["coinpaprika", "coingecko", "csv"][n as usize % 3]);
            listing.observed_at = Some(instant(NOW - n * 37 % 1_009));
            listing.source_timed = n % 4 != 0;
            listing.fetched_at = Some(instant(NOW - n % 7));
            // Two symbols that many have, in alternation, so that their lists interleave.
            match n % 5 {
                0 | 3 => listing.attributes.symbol = Some("MANY".into()),
                1 => listing.attributes.symbol = Some("Several".into()),
                _ => {}
            }
            if n % 11 == 0 {
                listing.quote = None;
                return listing;
            }
            let quote = listing.quote.as_mut().unwrap();
            let spread = format!("{}.{}", n * 7919 % 5003, n % 10);
            quote.price_usd =
                (n % 13 != 0).then(|| decimal(if n % 2 == 0 { of(n * 31) } else { &spread }));
            quote.market_cap = (n % 5 != 0).then(|| decimal(&format!("{}", n * 104_729 % 2_003)));
            quote.volume_24h = Some(decimal(of(n)));
            let change = if n % 3 == 0 { "-1.50000000000000000001" } else { "-1.5" };
            quote.price_change_24h = (n % 4 != 0).then(|| decimal(change));
            quote.circulating_supply = (n % 6 != 0).then(|| decimal(of(n * 17)));
            quote.total_supply = Some(decimal(&format!("{}", n * 15_485_863 % 3_001)));
            quote.max_supply = (n % 2 == 0).then(|| decimal("21000000"));
            quote.fully_diluted_valuation = (n % 9 == 0).then(|| decimal(&spread));
            quote.rank = u32::try_from(n % 977).ok();
            listing
        })
        .collect()
}

/// A range; an empty text for an end that is not given.
fn range(min: &str, max: &str) -> Bounds {
    let end = |text: &str| (!text.is_empty()).then(|| decimal(text));
    Bounds { min: end(min), max: end(max) }
}

fn filters() -> Vec<Filter> {
    let none = Filter::default();
    let of = |names: &[&str]| names.iter().copied().map(SourceName::new).collect::<Vec<_>>();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let csv = of(&["csv"]);
    let price = |min: &str, max: &str| Filter { price_usd: range(min, max), ..Filter::default() };
    let since = |millis: i64| Some(instant(NOW - millis));
    vec![
        none.clone(),
        Filter { unpriced: true, ..none.clone() },
        Filter { sources: csv.clone(), ..none.clone() },
        Filter { sources: csv.clone(), unpriced: true, ..none.clone() },
        Filter { sources: csv.clone(), ..price("7", "4000") },
        Filter { sources: of(&["csv", "coingecko", "csv"]), ..none.clone() },
        Filter { sources: of(&["coinpaprika", "csv"]), unpriced: true, ..none.clone() },
        Filter { sources: of(&["csv", "nobody"]), ..none.clone() },
        Filter { sources: of(&["nobody"]), ..none.clone() },
        Filter { symbols: texts(&["c14"]), ..none.clone() },
        Filter { symbols: texts(&["c14", "C22", "c2", "c14", "none"]), ..none.clone() },
        Filter { symbols: texts(&["many", "several"]), ..none.clone() },
        Filter { symbols: texts(&["many", "c14", "several"]), unpriced: true, ..none.clone() },
        Filter {
            symbols: texts(&["many", "several"]),
            sources: of(&["csv", "coingecko"]),
            ..none.clone()
        },
        Filter { market_cap: range("0", "1000"), ..none.clone() },
        Filter { market_cap: range("", "1000"), volume_24h: range("0.1", "7"), ..none.clone() },
        Filter { price_change_24h: range("-1.5", "-1.5"), ..none.clone() },
        Filter { price_change_24h: range("-1.50000000000000000001", ""), ..price("", "9") },
        Filter { updated_since: since(900), ..none.clone() },
        Filter { updated_since: since(10), unpriced: true, ..price("1", "") },
        Filter { updated_since: since(-1), ..none.clone() },
        Filter { name: Some("COIN 1".to_owned()), ..none.clone() },
        Filter { name: Some("coin 1".to_owned()), sources: csv, ..none.clone() },
        Filter { search: Some("-22".to_owned()), ..price("0", "100000") },
        price("0.1", "0.1"),
        price("0.1000000000000000055", "44471.6"),
        price("10", "11"),
        price("5", "4"),
        price("", "3000"),
        price("0.1000000000000000055", ""),
    ]
}

#[test]
fn large_snapshots_answer_like_the_list_in_every_sort_order_and_window() {
    let listings = many(4_000);
    let snapshot = snapshot(listings.clone());
    let sorts = [
        SortKey::Id,
        SortKey::Symbol,
        SortKey::Name,
        SortKey::Source,
        SortKey::PriceUsd,
        SortKey::MarketCap,
        SortKey::Volume24h,
        SortKey::PriceChange24h,
        SortKey::CirculatingSupply,
        SortKey::TotalSupply,
        SortKey::MaxSupply,
        SortKey::FullyDilutedValuation,
        SortKey::Rank,
        SortKey::UpdatedAt,
        SortKey::IngestedAt,
    ];
    let query = |filter: &Filter, sort, order, start| {
        let filter = filter.clone();
        ListingQuery { filter, sort, order, start: Start::Offset(start), limit: 20 }
    };
    // What fits and what comes first are asked of the model once each, which keeps this quick.
    let every =
        |query: ListingQuery| answer(&listings, &ListingQuery { limit: usize::MAX, ..query }).0;
    let fitting: Vec<(Filter, BTreeSet<ListingId>)> = filters()
        .into_iter()
        .map(|filter| {
            let ids = every(query(&filter, SortKey::Id, Order::Ascending, 0));
            (filter, ids.into_iter().collect())
        })
        .collect();
    let everything = Filter { unpriced: true, ..Filter::default() };
    for sort in sorts {
        for order in [Order::Ascending, Order::Descending] {
            let sorted = every(query(&everything, sort, order, 0));
            for (filter, fitting) in &fitting {
                let all: Vec<ListingId> =
                    sorted.iter().copied().filter(|id| fitting.contains(id)).collect();
                let total = all.len() as u64;
                for offset in [0, 191, 1_333, 2_800, total.saturating_sub(1), total] {
                    let query = query(filter, sort, order, offset);
                    let from = all.len().min(usize::try_from(offset).unwrap());
                    let due: Vec<ListingId> = all[from..].iter().take(20).copied().collect();
                    let more = all.len() > from + 20;
                    assert_eq!(asked(&snapshot, &query), (due, total, more), "{query:?}");
                }
            }
        }
    }
}

#[test]
fn a_walk_by_after_visits_every_listing_that_fits_once() {
    let listings = many(1_000);
    let snapshot = snapshot(listings.clone());
    for filter in filters() {
        let mut query = ListingQuery {
            filter,
            sort: SortKey::Id,
            order: Order::Ascending,
            start: Start::Offset(0),
            limit: 37,
        };
        let mut walked = Vec::new();
        loop {
            let page = snapshot.page(&query);
            walked.extend(page.rows.iter().map(|row| row.listing_id()));
            let Some(last) = page.rows.last().filter(|_| page.more) else {
                break;
            };
            query.start = Start::After(last.listing_id());
        }
        query.limit = usize::MAX;
        query.start = Start::Offset(0);
        assert_eq!(walked, answer(&listings, &query).0);
        assert_eq!(walked.iter().collect::<BTreeSet<_>>().len(), walked.len());
    }
}

#[test]
fn listings_whose_source_gives_no_instant_stand_last_in_both_orders_by_updated_at() {
    let timed = |id: i64, millis: i64| {
        let mut listing = listing(id);
        listing.observed_at = Some(instant(NOW + millis));
        listing
    };
    let untimed = |id: i64, millis: i64| {
        let mut listing = timed(id, millis);
        listing.source_timed = false;
        listing.fetched_at = Some(instant(NOW + millis));
        listing
    };
    let snapshot = snapshot(vec![untimed(1, 9), timed(2, 1), untimed(3, -9), timed(4, 2)]);
    for (order, expected) in [(Order::Ascending, [2, 4, 1, 3]), (Order::Descending, [4, 2, 1, 3])] {
        let query = ListingQuery {
            filter: Filter::default(),
            sort: SortKey::UpdatedAt,
            order,
            start: Start::Offset(0),
            limit: 10,
        };
        assert_eq!(asked(&snapshot, &query).0, expected.map(ListingId), "{order:?}");
    }
    let index = snapshot.index(crate::key::Field::UntimedFetch).unwrap();
    assert_eq!(index.len(), 2, "the index for their age holds no other rows");
}

#[test]
fn listings_without_a_quote_are_found_but_not_listed() {
    let mut bare = listing(7);
    bare.quote = None;
    bare.observed_at = None;
    bare.fetched_at = None;
    let snapshot = snapshot(vec![listing(3), bare]);
    assert_eq!(snapshot.len(), 1);
    assert!(!snapshot.listing(ListingId(7)).unwrap().priced());
    assert_eq!(snapshot.asset(kasparro_domain::AssetId(7)).len(), 1);
    let texts = |all: bool| {
        snapshot
            .rows
            .folded(all)
            .filter(|(_, texts)| texts.row(1) != crate::fold::FoldsRef::EMPTY)
            .count()
    };
    assert_eq!((texts(false), texts(true)), (0, 1), "a search for quotes never reads its texts");
    assert!(snapshot.listing(ListingId(4)).is_none());
    assert_eq!(snapshot.listings_by_source(), [(SourceName::new("coinpaprika"), 2)]);
}

#[test]
fn a_listing_is_listed_from_its_first_quote_on() {
    let bare = |id: i64| {
        let mut listing = listing(id);
        (listing.quote, listing.observed_at, listing.fetched_at) = (None, None, None);
        listing
    };
    let before =
        snapshot((1..=400).map(|id| if id % 10 == 0 { listing(id) } else { bare(id) }).collect());
    let after = before.next(vec![listing(55)], Generation(2), 2, &settings(), instant(NOW));
    for (sort, order) in [
        (SortKey::Id, Order::Ascending),
        (SortKey::Id, Order::Descending),
        (SortKey::Name, Order::Ascending),
        (SortKey::PriceUsd, Order::Descending),
    ] {
        let filter = Filter::default();
        let query = ListingQuery { filter, sort, order, start: Start::Offset(0), limit: 100 };
        let shown = |snapshot: &Snapshot| {
            let (ids, total, more) = asked(snapshot, &query);
            assert!(!more && ids.len() as u64 == total);
            (total, ids.contains(&ListingId(55)))
        };
        assert_eq!((shown(&before), shown(&after)), ((40, false), (41, true)), "{sort:?}");
    }
    let search = Filter { search: Some("coin 55".to_owned()), ..Filter::default() };
    let query = ListingQuery {
        filter: search,
        sort: SortKey::Id,
        order: Order::Ascending,
        start: Start::Offset(0),
        limit: 9,
    };
    assert_eq!((asked(&before, &query).1, asked(&after, &query).1), (0, 1));
}

fn assets_of(filter: &Filter, start: AssetStart, limit: usize) -> AssetQuery {
    AssetQuery { filter: filter.clone(), start, limit, ..AssetQuery::default() }
}

#[test]
fn assets_are_listed_once_each_by_ascending_id_whatever_their_listings_are() {
    let listings = many(1_000);
    let snapshot = snapshot(listings.clone());
    let mut some: Vec<Filter> = filters();
    some.push(Filter { symbols: vec!["none".to_owned()], ..Filter::default() });
    for filter in some {
        let all = Filter { unpriced: true, ..filter.clone() };
        let query = ListingQuery {
            filter: all,
            sort: SortKey::Id,
            order: Order::Ascending,
            start: Start::Offset(0),
            limit: usize::MAX,
        };
        let fitting: BTreeSet<ListingId> = answer(&listings, &query).0.into_iter().collect();
        let own = listings.iter().filter(|row| fitting.contains(&row.listing_id));
        let expected: Vec<AssetId> =
            own.map(|row| row.asset_id).collect::<BTreeSet<_>>().into_iter().collect();
        let mut walked: Vec<AssetId> = Vec::new();
        let mut start = AssetStart::Offset(0);
        loop {
            let page = snapshot.assets(&assets_of(&filter, start, 23));
            assert_eq!(page.total, expected.len() as u64, "{filter:?}");
            walked.extend(&page.assets);
            match page.assets.last().filter(|_| page.more) {
                Some(last) => start = AssetStart::After(*last),
                None => break,
            }
        }
        assert_eq!(walked, expected, "{filter:?}");
        let start = AssetStart::Offset(30);
        let page = snapshot.assets(&assets_of(&filter, start, 5));
        let due: Vec<AssetId> = expected.iter().skip(30).take(5).copied().collect();
        assert_eq!((page.assets, page.more), (due, expected.len() > 35), "{filter:?}");
    }
}

#[test]
fn assets_that_several_listings_price_are_shown_once_each_with_those_listings() {
    let listings = many(900);
    let mut expected: std::collections::BTreeMap<i64, Vec<i64>> = std::collections::BTreeMap::new();
    for listing in listings.iter().filter(|listing| listing.quote.is_some()) {
        expected.entry(listing.asset_id.0).or_default().push(listing.listing_id.0);
    }
    expected.retain(|_, listings| listings.len() > 1);
    assert!(expected.len() > 200);
    let mut shown = Vec::new();
    snapshot(listings).several_quotes(|asset, rows| {
        shown.push((asset.0, rows.iter().map(|row| row.listing_id().0).collect::<Vec<_>>()));
    });
    assert_eq!(shown, expected.into_iter().collect::<Vec<_>>());
    Snapshot::default().several_quotes(|asset, _| panic!("{asset} is in an empty snapshot"));
}
