//! Captures of real upstreams in the order of their dates.

use std::path::Path;

use kasparro_domain::{DriftEvent, FieldRole, FieldUse, Timestamp};
use kasparro_transform::{PageSample, Profile, sample_order};
use serde_json::{Value, json};

use crate::scene::read;
use crate::verdicts;

/// Rows of a page that are looked at, as the engine does.
const SAMPLED_ROWS: usize = 1_000;

/// Files with the instant of their capture.
type Files = &'static [(&'static str, &'static str)];

pub(crate) const MARKETS: Files = &[
    ("coingecko/coins_markets/2022-01-29_page1_250.json.gz", "2022-01-29T17:08:01Z"),
    ("coingecko/coins_markets/2022-02-23_page1_250.json.gz", "2022-02-23T11:31:45Z"),
];

pub(crate) const TICKERS: Files =
    &[("coinpaprika/tickers/2021-08-12_all_usd.json.gz", "2021-08-12T19:06:53Z")];

/// Where a day is all that is known, its beginning stands for it; the examples are of the day of the
/// documentation.
const MARKET_EXAMPLE: Files =
    &[("coingecko/doc_examples_2026-06/demo/coins__markets.json", "2026-06-22T00:00:00Z")];

const SAME_MINUTE: Files = &[
    ("coingecko/coins_markets/2022-01-29_page1_250.json.gz", "2022-01-29T17:08:01Z"),
    ("coingecko/coins_markets/2022-01-29_per_page_251.json.gz", "2022-01-29T17:08:02Z"),
    ("coingecko/coins_markets/2022-01-29_20_other.json", "2022-01-29T17:08:03Z"),
];

const LISTS: Files = &[
    ("coingecko/coins_list/2022-01-29.json.gz", "2022-01-29T17:08:03Z"),
    ("coingecko/coins_list/2022-01-31.json.gz", "2022-01-31T17:25:46Z"),
    ("coingecko/coins_list/2022-02-23.json.gz", "2022-02-23T11:31:48Z"),
    ("coingecko/coins_list/2024-02-24_committed.json.gz", "2024-02-24T00:00:00Z"),
    ("coingecko/coins_list/2025-07-05.json.gz", "2025-07-05T00:00:00Z"),
    ("coingecko/doc_examples_2026-06/demo/coins__list.json", "2026-06-22T00:00:00Z"),
];

const BITCOIN_OF_COINGECKO: Files = &[
    ("coingecko/coin_detail/bitcoin_2022-01-03.json", "2022-01-03T13:38:54Z"),
    ("coingecko/coin_detail/bitcoin_2022-01-31.json", "2022-01-31T17:25:46Z"),
    ("coingecko/doc_examples_2026-06/demo/coins__id.json", "2026-06-22T00:00:00Z"),
];

const BITCOIN_OF_COINPAPRIKA: Files = &[
    ("coinpaprika/coin_detail/btc-bitcoin_2022-01-30.json", "2022-01-30T18:18:09Z"),
    ("coinpaprika/coin_detail/btc-bitcoin_2022-01-30_b.json", "2022-01-30T18:23:57Z"),
    ("coinpaprika/coin_detail/btc-bitcoin_2022-04-19.json", "2022-04-19T15:44:58Z"),
];

const ETHEREUM_OF_COINPAPRIKA: Files = &[
    ("coinpaprika/coin_detail/eth-ethereum_2022-01-30.json", "2022-01-30T18:18:08Z"),
    ("coinpaprika/coin_detail/eth-ethereum_2022-04-19.json", "2022-04-19T15:45:06Z"),
];

const ONE_TICKER: Files = &[
    ("coinpaprika/tickers_id/btc-bitcoin_2022-01-30.json", "2022-01-30T18:25:59Z"),
    ("coinpaprika/tickers_id/btc-bitcoin_2022-04-19.json", "2022-04-19T15:44:58Z"),
];

/// Nothing of an endpoint that no source asks is read; its rows are found again by their id.
static ID_ALONE: &[FieldUse] =
    &[FieldUse { pointer: "/id", field: "external_id", role: FieldRole::Id }];

/// Captures of one endpoint.
struct Series {
    endpoint: &'static str,
    mapped: &'static [FieldUse],
    files: Vec<(&'static str, &'static str)>,
}

/// An event that a capture brought after those before it.
pub(crate) struct Event {
    pub(crate) endpoint: &'static str,
    /// The capture before it and the one that brought it.
    captures: (&'static str, &'static str),
    pub(crate) event: DriftEvent,
}

fn series() -> Vec<Series> {
    let mapped = |source: &str, endpoint: &str| {
        let source = kasparro_sources::build(source, json!({})).unwrap();
        let mapped = source.mapped(endpoint);
        assert!(!mapped.is_empty(), "{endpoint} is read");
        mapped
    };
    let markets = mapped("coingecko", "coins_markets");
    let one = |endpoint, mapped, files| Series { endpoint, mapped, files };
    vec![
        one("coins/markets", markets, [MARKETS, MARKET_EXAMPLE].concat()),
        one("coins/markets within seconds", markets, SAME_MINUTE.to_vec()),
        one("coins/list", mapped("coingecko", "coins_list"), LISTS.to_vec()),
        one("coins/bitcoin of CoinGecko", ID_ALONE, BITCOIN_OF_COINGECKO.to_vec()),
        one("coins/btc-bitcoin of CoinPaprika", ID_ALONE, BITCOIN_OF_COINPAPRIKA.to_vec()),
        one("coins/eth-ethereum of CoinPaprika", ID_ALONE, ETHEREUM_OF_COINPAPRIKA.to_vec()),
        one("tickers/btc-bitcoin", mapped("coinpaprika", "tickers"), ONE_TICKER.to_vec()),
    ]
}

fn page(series: &Series, file: &str, at: &str, folder: &Path) -> PageSample {
    let mut rows = read(&folder.join(file));
    let total = rows.len() as u64;
    let id = |row: &Value| row["id"].as_str().map(sample_order);
    rows.sort_by_key(id);
    let mut sample = PageSample::new(Timestamp::parse(at).unwrap(), series.mapped);
    rows.iter().take(SAMPLED_ROWS).for_each(|row| sample.add(row));
    sample.finish(total)
}

/// How many captures there are, and every event that they bring.
pub(crate) struct Told {
    pub(crate) captures: usize,
    pub(crate) events: Vec<Event>,
}

pub(crate) fn said(folder: &Path) -> Told {
    let mut told = Told { captures: 0, events: Vec::new() };
    for series in series() {
        let mut profile = Profile::new(series.endpoint);
        let mut before = "";
        for (file, at) in &series.files {
            told.captures += 1;
            let page = page(&series, file, at, folder);
            let captures = (before, *file);
            let found = profile.compare(&page).into_iter();
            let event = |event| Event { endpoint: series.endpoint, captures, event };
            told.events.extend(found.map(event));
            profile.learn(&page);
            before = file;
        }
    }
    told
}

/// Every event with what is to be thought of it.
pub(crate) fn evidence(told: &Told) -> Value {
    let events: Vec<Value> = told
        .events
        .iter()
        .map(|one| {
            let (key, verdict) = (&one.event.key, verdicts::of(one));
            json!({
                "endpoint": one.endpoint,
                "captures": [one.captures.0, one.captures.1],
                "kind": key.kind.name(),
                "pointer": key.pointer,
                "before": key.before,
                "after": key.after,
                "severity": one.event.severity.name(),
                "verdict": verdict.map(|verdict| verdict.is_true),
                "why": verdict.map(|verdict| verdict.why),
            })
        })
        .collect();
    let of = |is_true| {
        let verdicts = told.events.iter().filter_map(verdicts::of);
        verdicts.filter(|verdict| verdict.is_true == is_true).count()
    };
    json!({"captures": told.captures, "true": of(true), "false": of(false), "events": events})
}
