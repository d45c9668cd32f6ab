//! The naive model: a list of listings, filtered and sorted anew for every question.

use std::cmp::Ordering;

use compact_str::CompactString;
use kasparro_domain::{
    AssetClass, AssetId, Attributes, Contract, Decimal, IdentityState, ListingId, Quote,
    SourceName, Timestamp,
};
use kasparro_store::ListingRow;
use proptest::prelude::*;
use proptest::sample::select;

use super::{NOW, decimal, instant};
use crate::{Bounds, Filter, ListingQuery, Order, Snapshot, SortKey, Start};

/// Few different values, so that ties, unknown values and equal `f64` are frequent.
const NUMBERS: [&str; 14] = [
    "0",
    "0.1",
    "0.1000000000000000055",
    "0.10000000000000000551",
    "0.09999999999999999999",
    "3.84e-18",
    "1",
    "44471.6",
    "44471.600000000000001",
    "9223372036854775807",
    "9223372036854775808",
    "1e30",
    "-2.5",
    "-2.50000000000000000001",
];

const TEXTS: [&str; 9] =
    ["", "BTC", "btc", "Bitcoin", "Bitcoin Cash", "Wrapped BTC", "a\"b\\c\n", "ΟΔΟΣ", "İ"];

fn number() -> impl Strategy<Value = Option<Decimal>> {
    prop::option::weighted(0.8, select(&NUMBERS[..]).prop_map(decimal))
}

fn text() -> impl Strategy<Value = Option<CompactString>> {
    prop::option::weighted(0.9, select(&TEXTS[..]).prop_map(CompactString::from))
}

fn source() -> impl Strategy<Value = SourceName> {
    select(&["coinpaprika", "coinpapers", "csv", "slow"][..]).prop_map(SourceName::new)
}

/// None, one or several, some of them one address in two spellings.
fn contracts() -> impl Strategy<Value = Vec<Contract>> {
    let address = select(&["0xAbC1", "0xabc1", "0x00ABC1", "0x0", "So1\"ana", "0x2::m::T"][..]);
    let contract = (select(&["ethereum", "sui"][..]), address).prop_map(|(platform, address)| {
        Contract { platform: platform.into(), address: address.into() }
    });
    prop::collection::btree_set(contract, 0..3)
        .prop_map(|contracts| contracts.into_iter().collect())
}

/// A listing with this id and anything else.
pub(super) fn any_listing(id: i64) -> impl Strategy<Value = ListingRow> {
    let supplies = (number(), number(), number(), number());
    let values = (number(), number(), number(), number(), prop::option::of(1_u32..5), supplies);
    let quote =
        values.prop_map(|(price_usd, market_cap, volume_24h, price_change_24h, rank, supplies)| {
            let (circulating_supply, total_supply, max_supply, fully_diluted_valuation) = supplies;
            Quote {
                price_usd,
                market_cap,
                volume_24h,
                price_change_24h,
                circulating_supply,
                total_supply,
                max_supply,
                fully_diluted_valuation,
                rank,
            }
        });
    let asset = (1_i64..6, prop::option::weighted(0.3, 1_i64..9), contracts());
    let what = (source(), text(), text(), text(), asset, any::<(bool, bool)>());
    let when = (-4_i64..1, any::<bool>(), 0_i64..3);
    (prop::option::weighted(0.6, quote), what, when).prop_map(
        move |(quote, (source, symbol, name, external_id, asset, (active, unusual)), when)| {
            let (hours, source_timed, fetched) = when;
            let (asset, founded, contracts) = asset;
            let priced = quote.is_some();
            ListingRow {
                listing_id: ListingId(id),
                asset_id: AssetId(asset),
                founded_asset_id: AssetId(founded.unwrap_or(asset)),
                class: AssetClass::Other,
                identity: IdentityState::Unresolved,
                source,
                external_id: external_id.unwrap_or_default(),
                attributes: Attributes { symbol, name },
                contracts,
                active,
                last_seen_at: None,
                quote,
                observed_at: priced.then(|| instant(NOW + hours * 3_600_000)),
                source_timed,
                fetched_at: priced.then(|| instant(NOW - fetched * 1_000)),
                unusual: priced && unusual,
                first_seen_at: instant(NOW),
            }
        },
    )
}

/// Listings by ascending id, with gaps between the ids.
pub(super) fn any_listings(most: usize) -> impl Strategy<Value = Vec<ListingRow>> {
    prop::collection::vec(1_i64..4, 0..most).prop_flat_map(|gaps| {
        let ids = gaps.into_iter().scan(0, |id, gap| {
            *id += gap;
            Some(*id)
        });
        ids.map(any_listing).collect::<Vec<_>>()
    })
}

/// A range that has each of its ends this often; the ends may stand in the wrong order.
fn bounds(given: f64) -> impl Strategy<Value = Bounds> {
    let end = move || prop::option::weighted(given, select(&NUMBERS[..]).prop_map(decimal));
    (end(), end()).prop_map(|(min, max)| Bounds { min, max })
}

/// A question of any kind.
pub(super) fn any_query() -> impl Strategy<Value = ListingQuery> {
    let part = |rare: f64, texts: &'static [&'static str]| {
        prop::option::weighted(rare, select(texts).prop_map(str::to_owned))
    };
    // Mostly none or one, sometimes several, among them equal ones and ones that nothing has.
    let symbol = select(&["btc", "BTC", "", "οδοσ", "none", "wrapped btc"][..]);
    let sources = prop_oneof![
        6 => Just(Vec::new()),
        2 => source().prop_map(|source| vec![source]),
        2 => prop::collection::vec(source(), 2..4),
        1 => Just(vec![SourceName::new("nobody"), SourceName::new("csv")]),
    ];
    let symbols = prop_oneof![
        6 => Just(Vec::new()),
        2 => symbol.clone().prop_map(|symbol| vec![symbol.to_owned()]),
        2 => prop::collection::vec(symbol.prop_map(str::to_owned), 2..5),
    ];
    let updated_since = (-5_i64..2, -1_i64..2)
        .prop_map(|(hours, millis)| instant(NOW + hours * 3_600_000 + millis));
    let filter = (
        symbols,
        sources,
        part(0.2, &["coin", "", "b", "none", "a\"b", "σ", "ς", "SS", "\0"]),
        part(0.2, &["c", "btc", "", "none", "\\c\n", "Δ", "n\0b"]),
        prop_oneof![
            4 => Just(Vec::new()),
            1 => prop::collection::vec((1_i64..7).prop_map(AssetId), 1..4),
        ],
        [bounds(0.3), bounds(0.15), bounds(0.15), bounds(0.15)],
        prop::option::weighted(0.25, updated_since),
        any::<bool>(),
    )
        .prop_map(
            |(symbols, sources, name, search, asset_ids, bounds, updated_since, unpriced)| {
                let [price_usd, market_cap, volume_24h, price_change_24h] = bounds;
                Filter {
                    symbols,
                    sources,
                    name,
                    search,
                    asset_ids,
                    price_usd,
                    market_cap,
                    volume_24h,
                    price_change_24h,
                    updated_since,
                    unpriced,
                }
            },
        );
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
    let order = select(&[Order::Ascending, Order::Descending][..]);
    let start = prop_oneof![
        2 => (0_u64..40).prop_map(Start::Offset),
        1 => Just(Start::Offset(u64::MAX)),
        2 => (-1_i64..60).prop_map(|id| Start::After(ListingId(id))),
        1 => Just(Start::After(ListingId(i64::MAX))),
    ];
    let limit = prop_oneof![4 => 0_usize..12, 1 => Just(usize::MAX)];
    (filter, select(sorts.to_vec()), order, start, limit).prop_map(
        |(filter, sort, order, start, limit)| ListingQuery { filter, sort, order, start, limit },
    )
}

fn fold(text: &str) -> String {
    let small = |text: String| text.chars().flat_map(char::to_lowercase).collect::<String>();
    let large: String = small(text.to_owned()).chars().flat_map(char::to_uppercase).collect();
    small(large)
}

fn folded(text: &Option<CompactString>) -> Option<String> {
    text.as_deref().map(fold)
}

fn fits(filter: &Filter, row: &ListingRow) -> bool {
    let within = |bounds: &Bounds, value: fn(&Quote) -> &Option<Decimal>| {
        let value = row.quote.as_ref().and_then(|quote| value(quote).as_ref());
        bounds.min.as_ref().is_none_or(|min| value.is_some_and(|value| value >= min))
            && bounds.max.as_ref().is_none_or(|max| value.is_some_and(|value| value <= max))
    };
    let (symbol, name) = (folded(&row.attributes.symbol), folded(&row.attributes.name));
    let holds = |text: &Option<String>, needle: &str| {
        text.as_deref().unwrap_or_default().contains(&fold(needle))
    };
    (filter.unpriced || row.quote.is_some())
        && (filter.symbols.is_empty()
            || filter.symbols.iter().any(|wanted| symbol == Some(fold(wanted))))
        && filter.name.as_ref().is_none_or(|needle| holds(&name, needle))
        && filter.search.as_ref().is_none_or(|needle| {
            let external_id = Some(fold(&row.external_id));
            [&symbol, &name, &external_id].into_iter().any(|text| holds(text, needle))
        })
        && (filter.sources.is_empty() || filter.sources.contains(&row.source))
        && (filter.asset_ids.is_empty() || filter.asset_ids.contains(&row.asset_id))
        && within(&filter.price_usd, |quote| &quote.price_usd)
        && within(&filter.market_cap, |quote| &quote.market_cap)
        && within(&filter.volume_24h, |quote| &quote.volume_24h)
        && within(&filter.price_change_24h, |quote| &quote.price_change_24h)
        && filter.updated_since.is_none_or(|since| updated_at(row).is_some_and(|own| own >= since))
}

fn updated_at(row: &ListingRow) -> Option<Timestamp> {
    let observed_at = row.observed_at.filter(|_| row.source_timed);
    row.quote.as_ref().and(observed_at)
}

fn by<T: Ord>(order: Order, left: Option<T>, right: Option<T>) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) if order == Order::Ascending => left.cmp(&right),
        (Some(left), Some(right)) => right.cmp(&left),
        (left, right) => left.is_none().cmp(&right.is_none()),
    }
}

fn compare(sort: SortKey, order: Order, left: &ListingRow, right: &ListingRow) -> Ordering {
    let quote = |value: fn(&Quote) -> Option<Decimal>| {
        let of = |row: &ListingRow| row.quote.as_ref().and_then(value);
        by(order, of(left), of(right))
    };
    let ingested_at = |row: &ListingRow| row.quote.as_ref().and(row.fetched_at);
    let sorted = match sort {
        SortKey::Id => by(order, Some(left.listing_id), Some(right.listing_id)),
        SortKey::Symbol => {
            by(order, folded(&left.attributes.symbol), folded(&right.attributes.symbol))
        }
        SortKey::Name => by(order, folded(&left.attributes.name), folded(&right.attributes.name)),
        SortKey::Source => by(order, Some(&left.source), Some(&right.source)),
        SortKey::PriceUsd => quote(|quote| quote.price_usd.clone()),
        SortKey::MarketCap => quote(|quote| quote.market_cap.clone()),
        SortKey::Volume24h => quote(|quote| quote.volume_24h.clone()),
        SortKey::PriceChange24h => quote(|quote| quote.price_change_24h.clone()),
        SortKey::Rank => quote(|quote| quote.rank.map(|rank| Decimal::from(u64::from(rank)))),
        SortKey::CirculatingSupply => quote(|quote| quote.circulating_supply.clone()),
        SortKey::TotalSupply => quote(|quote| quote.total_supply.clone()),
        SortKey::MaxSupply => quote(|quote| quote.max_supply.clone()),
        SortKey::FullyDilutedValuation => quote(|quote| quote.fully_diluted_valuation.clone()),
        SortKey::UpdatedAt => by(order, updated_at(left), updated_at(right)),
        SortKey::IngestedAt => by(order, ingested_at(left), ingested_at(right)),
    };
    sorted.then(left.listing_id.cmp(&right.listing_id))
}

/// The asset that an id belongs to now; the id where nothing is known of it.
pub(super) fn present(listings: &[ListingRow], id: AssetId) -> AssetId {
    if listings.iter().any(|row| row.asset_id == id) {
        return id;
    }
    let founded = listings.iter().filter(|row| row.founded_asset_id == id);
    founded.min_by_key(|row| row.listing_id).map_or(id, |row| row.asset_id)
}

/// The ids of a page, how many listings fit, and whether more follow.
pub(super) type Answer = (Vec<ListingId>, u64, bool);

/// Answers a question from the list.
pub(super) fn answer(listings: &[ListingRow], query: &ListingQuery) -> Answer {
    let asset_ids = query.filter.asset_ids.iter().map(|id| present(listings, *id)).collect();
    let filter = Filter { asset_ids, ..query.filter.clone() };
    let mut fitting: Vec<&ListingRow> = listings.iter().filter(|row| fits(&filter, row)).collect();
    fitting.sort_by(|left, right| compare(query.sort, query.order, left, right));
    let total = fitting.len() as u64;
    let default_order = query.sort == SortKey::Id && query.order == Order::Ascending;
    match query.start {
        Start::Offset(offset) => {
            fitting.drain(..usize::try_from(offset).unwrap().min(fitting.len()));
        }
        Start::After(id) if default_order => fitting.retain(|row| row.listing_id > id),
        Start::After(_) => {}
    }
    let more = fitting.len() > query.limit;
    fitting.truncate(query.limit);
    (fitting.into_iter().map(|row| row.listing_id).collect(), total, more)
}

/// Asks the snapshot.
pub(super) fn asked(snapshot: &Snapshot, query: &ListingQuery) -> Answer {
    let page = snapshot.page(query);
    let ids = page.rows.iter().map(|row| row.listing_id()).collect();
    (ids, page.total, page.more)
}
