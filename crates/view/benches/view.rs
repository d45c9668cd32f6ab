//! Making snapshots and asking them: `cargo bench -p kasparro-view`.
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first surprise")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use compact_str::CompactString;
use divan::Bencher;
use kasparro_domain::{
    AssetClass, AssetId, Attributes, Decimal, Generation, IdentityState, ListingId, Quote,
    SourceName, Timestamp,
};
use kasparro_store::ListingRow;
use kasparro_view::{Bounds, Filter, ListingQuery, Order, Snapshot, SortKey, Start, ViewSettings};

/// 2022-01-29T17:06:45Z.
const NOW: i64 = 1_643_476_005_000;
/// Listings that a batch changes.
const BATCH: i64 = 250;

fn main() {
    divan::main();
}

fn settings() -> ViewSettings {
    let default_stale_after = Duration::from_secs(3 * 3600);
    ViewSettings { stale_after: BTreeMap::new(), default_stale_after }
}

fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

/// Digits that look like those of tickers: few large coins, many small ones.
fn value(id: i64, step: i64, salt: u64) -> Decimal {
    let mixed = id.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (salt << 40);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_add(step.unsigned_abs() * 7_919);
    let places = i32::try_from(mixed % 9).unwrap();
    Decimal::parse(&format!("{}e-{places}", mixed % 100_000_000_007)).unwrap()
}

fn listing(id: i64, step: i64) -> ListingRow {
    ListingRow {
        listing_id: ListingId(id),
        asset_id: AssetId(id),
        founded_asset_id: AssetId(id),
        class: AssetClass::Other,
        identity: IdentityState::Unresolved,
        source: SourceName::new(if id % 3 == 0 { "coingecko" } else { "coinpaprika" }),
        external_id: CompactString::from(format!("c{id}-some-token-{}", id % 3_795)),
        attributes: Attributes {
            symbol: Some(CompactString::from(format!("T{}", id % 40_000))),
            name: Some(CompactString::from(format!("Some Token {}", id % 3_795))),
        },
        contracts: Vec::new(),
        active: true,
        last_seen_at: None,
        quote: Some(Quote {
            price_usd: Some(value(id, step, 1)),
            market_cap: Some(value(id, step, 2)),
            volume_24h: Some(value(id, step, 3)),
            price_change_24h: Some(value(id, step, 4)),
            circulating_supply: Some(value(id, 0, 5)),
            total_supply: Some(value(id, 0, 6)),
            max_supply: (id % 2 == 0).then(|| value(id, 0, 6)),
            fully_diluted_valuation: None,
            rank: u32::try_from(id).ok(),
        }),
        observed_at: Some(instant(NOW + step * 1_000 - id % 60_000)),
        source_timed: true,
        fetched_at: Some(instant(NOW + step * 1_000 + 247)),
        unusual: false,
        first_seen_at: instant(NOW),
    }
}

fn listings(count: i64) -> Vec<ListingRow> {
    (1..=count).map(|id| listing(id, 0)).collect()
}

fn snapshot(count: i64) -> Snapshot {
    Snapshot::default().next(listings(count), Generation(1), 1, &settings(), instant(NOW))
}

static HUNDRED_THOUSAND: LazyLock<Snapshot> = LazyLock::new(|| snapshot(100_000));
static MILLION: LazyLock<Snapshot> = LazyLock::new(|| snapshot(1_000_000));

fn of_size(count: i64) -> &'static Snapshot {
    if count == 100_000 { &HUNDRED_THOUSAND } else { &MILLION }
}

/// Rendering, sorting and laying out everything, as after a start.
#[divan::bench(args = [3_000, 100_000], sample_count = 10)]
fn hydrate(bencher: Bencher<'_, '_>, count: i64) {
    bencher.with_inputs(|| listings(count)).bench_values(|listings| {
        Snapshot::default().next(listings, Generation(1), 1, &settings(), instant(NOW))
    });
}

/// 250 changed rows, spread over everything, each batch upon the last.
#[divan::bench(args = [100_000, 1_000_000], sample_count = 100, sample_size = 1)]
fn apply_250(bencher: Bencher<'_, '_>, count: i64) {
    let latest = Mutex::new((0_i64, of_size(count).clone()));
    let batch = || {
        let mut latest = latest.lock().unwrap();
        latest.0 += 1;
        let stride = count / BATCH;
        let rows = (0..BATCH).map(|n| listing(1 + (n * stride + latest.0 * 37) % count, latest.0));
        rows.collect::<Vec<_>>()
    };
    bencher.with_inputs(batch).bench_values(|rows| {
        let mut latest = latest.lock().unwrap();
        let (step, snapshot) = (latest.0, &latest.1);
        let generation = Generation(step.unsigned_abs() + 1);
        let now = instant(NOW + step * 1_000);
        let next = snapshot.next(rows, generation, generation.0, &settings(), now);
        std::mem::replace(&mut latest.1, next)
    });
}

/// The questions of the performance table.
const QUESTIONS: [&str; 13] = [
    "first",
    "deep",
    "symbol",
    "source",
    "two_sources",
    "two_sources_deep",
    "sort_price",
    "price_narrow",
    "price_narrow_by_cap",
    "price_wide_by_cap",
    "source_and_price_by_cap",
    "price_and_since_by_cap",
    "search",
];

fn question(kind: &str) -> ListingQuery {
    let mut query = ListingQuery {
        filter: Filter::default(),
        sort: SortKey::Id,
        order: Order::Ascending,
        start: Start::Offset(0),
        limit: 20,
    };
    let range = |min: &str, max: &str| {
        let end = |text| Some(Decimal::parse(text).unwrap());
        Bounds { min: end(min), max: end(max) }
    };
    match kind {
        "deep" => query.start = Start::Offset(60_000),
        "symbol" => query.filter.symbols = vec!["t1234".to_owned()],
        "source" => query.filter.sources = vec![SourceName::new("coingecko")],
        "sort_price" => (query.sort, query.order) = (SortKey::PriceUsd, Order::Descending),
        "price_narrow" | "price_narrow_by_cap" => {
            query.filter.price_usd = range("100", "110");
        }
        "two_sources" | "two_sources_deep" => {
            query.filter.sources = ["coingecko", "coinpaprika"].map(SourceName::new).to_vec();
            query.start = Start::Offset(if kind == "two_sources" { 0 } else { 60_000 });
        }
        "price_and_since_by_cap" => {
            query.filter.price_usd = range("100", "1000000");
            query.filter.updated_since = Some(instant(NOW - 30_000));
        }
        "price_wide_by_cap" | "source_and_price_by_cap" => {
            query.filter.price_usd = range("100", "1000000");
        }
        "search" => query.filter.search = Some("token-377".to_owned()),
        _ => {}
    }
    if kind.ends_with("by_cap") {
        (query.sort, query.order) = (SortKey::MarketCap, Order::Descending);
    }
    if kind.starts_with("source_and") {
        query.filter.sources = vec![SourceName::new("coinpaprika")];
    }
    query
}

#[divan::bench(args = QUESTIONS)]
fn page_of_100_000(bencher: Bencher<'_, '_>, kind: &str) {
    let (snapshot, query) = (of_size(100_000), question(kind));
    bencher.bench(|| black_box(snapshot).page(black_box(&query)));
}

#[divan::bench(args = QUESTIONS)]
fn page_of_1_000_000(bencher: Bencher<'_, '_>, kind: &str) {
    let (snapshot, query) = (of_size(1_000_000), question(kind));
    bencher.bench(|| black_box(snapshot).page(black_box(&query)));
}

/// 5,000 listings with a quote among 60,000, as after a whole list was read.
static AMONG_UNPRICED: LazyLock<Snapshot> = LazyLock::new(|| {
    let mut rows = listings(60_000);
    for row in rows.iter_mut().filter(|row| row.listing_id.0 % 12 != 0) {
        (row.quote, row.observed_at, row.fetched_at) = (None, None, None);
    }
    Snapshot::default().next(rows, Generation(1), 1, &settings(), instant(NOW))
});

#[divan::bench(args = QUESTIONS)]
fn page_of_5_000_among_60_000(bencher: Bencher<'_, '_>, kind: &str) {
    let query = question(kind);
    bencher.bench(|| black_box(&*AMONG_UNPRICED).page(black_box(&query)));
}
