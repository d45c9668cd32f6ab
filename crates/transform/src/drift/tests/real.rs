//! Captures of real upstreams, where a folder with them is named; they are not part of the tree.

use std::io::Read;
use std::path::{Path, PathBuf};

use kasparro_domain::{DriftEvent, FieldRole, FieldUse, Timestamp};
use serde_json::Value;

use super::super::{PageSample, Profile, sample_order};
use super::catalogue::catalogue;
use super::shapes::{Shape, sample};

const DETAIL: &[FieldUse] = &[
    FieldUse { pointer: "/id", field: "external_id", role: FieldRole::Id },
    FieldUse { pointer: "/symbol", field: "symbol", role: FieldRole::Text },
    FieldUse { pointer: "/name", field: "name", role: FieldRole::Text },
];

/// Pages of one endpoint in the order of their capture.
struct Series {
    endpoint: &'static str,
    mapped: &'static [FieldUse],
    pages: &'static [(&'static str, &'static str)],
    /// What is to be said: each of them is true of the captures.
    events: &'static [&'static str],
}

fn series() -> Vec<Series> {
    vec![
        Series {
            endpoint: "coins/markets",
            mapped: Shape::Markets.mapped(),
            pages: &[
                ("coingecko/coins_markets/2022-01-29_page1_250.json.gz", "2022-01-29T17:08:01Z"),
                ("coingecko/coins_markets/2022-02-23_page1_250.json.gz", "2022-02-23T11:31:45Z"),
                ("coingecko/doc_examples_2026-06/demo/coins__markets.json", "2026-06-22T00:00:00Z"),
            ],
            events: &[
                "coins__markets.json: info field_added /market_cap_rank_with_rehypothecated",
                "coins__markets.json: info field_added /sparkline_in_7d",
            ],
        },
        Series {
            endpoint: "coins/list",
            mapped: Shape::List.mapped(),
            pages: &[
                ("coingecko/coins_list/2022-01-29.json.gz", "2022-01-29T17:00:00Z"),
                ("coingecko/coins_list/2022-01-31.json.gz", "2022-01-31T17:00:00Z"),
                ("coingecko/coins_list/2022-02-23.json.gz", "2022-02-23T11:00:00Z"),
                ("coingecko/coins_list/2024-02-24_committed.json.gz", "2024-02-24T00:00:00Z"),
                ("coingecko/coins_list/2025-07-05.json.gz", "2025-07-05T00:00:00Z"),
                ("coingecko/doc_examples_2026-06/demo/coins__list.json", "2026-06-22T00:00:00Z"),
            ],
            events: &["coins__list.json: info field_added /platforms"],
        },
        Series {
            endpoint: "coins/bitcoin",
            mapped: DETAIL,
            pages: &[
                ("coingecko/coin_detail/bitcoin_2022-01-03.json", "2022-01-03T13:38:57Z"),
                ("coingecko/coin_detail/bitcoin_2022-01-31.json", "2022-01-31T17:25:46Z"),
                ("coingecko/doc_examples_2026-06/demo/coins__id.json", "2026-06-22T00:00:00Z"),
            ],
            events: &[
                "coins__id.json: info field_added /detail_platforms",
                "coins__id.json: info field_added /has_supply_breakdown",
                "coins__id.json: info field_added /links/snapshot_url",
                "coins__id.json: info field_added /links/whitepaper",
                "coins__id.json: info field_added /market_cap_rank_with_rehypothecated",
                "coins__id.json: info field_added /market_data/market_cap_fdv_ratio",
                "coins__id.json: info field_added /market_data/market_cap_rank_with_rehypothecated",
                "coins__id.json: info field_added /market_data/max_supply_infinite",
                "coins__id.json: info field_added /market_data/outstanding_supply",
                "coins__id.json: info field_added /market_data/outstanding_token_value_usd",
                "coins__id.json: info field_added /preview_listing",
                "coins__id.json: info field_added /tickers",
                "coins__id.json: info field_added /watchlist_portfolio_users",
                "coins__id.json: info field_added /web_slug",
            ],
        },
        Series {
            endpoint: "coins/btc-bitcoin",
            mapped: DETAIL,
            pages: &[
                ("coinpaprika/coin_detail/btc-bitcoin_2022-01-30.json", "2022-01-30T18:16:00Z"),
                ("coinpaprika/coin_detail/btc-bitcoin_2022-01-30_b.json", "2022-01-30T18:21:00Z"),
                ("coinpaprika/coin_detail/btc-bitcoin_2022-04-19.json", "2022-04-19T00:00:00Z"),
            ],
            events: &[
                "btc-bitcoin_2022-01-30_b.json: info field_added /contract",
                "btc-bitcoin_2022-01-30_b.json: info field_added /contracts",
                "btc-bitcoin_2022-01-30_b.json: info field_added /parent",
                "btc-bitcoin_2022-01-30_b.json: info field_added /platform",
            ],
        },
    ]
}

fn read(path: &Path) -> Vec<Value> {
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::new();
    if path.extension().is_some_and(|end| end == "gz") {
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    match serde_json::from_str(&text).unwrap() {
        Value::Array(rows) => rows,
        row => vec![row],
    }
}

fn compare_and_learn(series: &Series, folder: &Path) -> Vec<(String, DriftEvent)> {
    let mut profile = Profile::new(series.endpoint);
    let mut events = Vec::new();
    for (file, at) in series.pages {
        let mut rows = read(&folder.join(file));
        let total = rows.len() as u64;
        rows.sort_by_key(|row| sample_order(row["id"].as_str().unwrap_or_default()));
        let mut sample = PageSample::new(Timestamp::parse(at).unwrap(), series.mapped);
        rows.iter().take(1000).for_each(|row| sample.add(row));
        let page = sample.finish(total);
        events.extend(profile.compare(&page).into_iter().map(|event| ((*file).to_owned(), event)));
        profile.learn(&page);
        assert!(profile.json_bytes() <= 64 * 1024);
    }
    events
}

fn real_data() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
    let folder = std::env::var_os("KASPARRO_REAL_DATA").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: KASPARRO_REAL_DATA names no folder with captures");
    }
    folder
}

#[test]
fn d9_mutations_of_a_capture_a_month_after_the_only_one_learned_are_found() {
    let Some(folder) = real_data() else { return };
    let at = |text: &str| Timestamp::parse(text).unwrap().as_millis() / 1000;
    let markets = &series()[0];
    let first = read(&folder.join(markets.pages[0].0));
    let second = read(&folder.join(markets.pages[1].0));
    let mut profile = Profile::new("coins/markets");
    profile.learn(&sample(Shape::Markets, &first, at(markets.pages[0].1)));
    let mut missed = Vec::new();
    let mutations = catalogue();
    let own = mutations.iter().filter(|m| m.shape == Shape::Markets && m.hours == 0);
    for mutation in own.clone() {
        let mut rows = second.clone();
        (mutation.change)(&mut rows);
        let events = profile.compare(&sample(Shape::Markets, &rows, at(markets.pages[1].1)));
        let found = |e: &DriftEvent| {
            e.key.kind == mutation.kind
                && e.key.pointer == mutation.pointer
                && e.severity == mutation.severity
        };
        if !events.iter().any(found) {
            let said = events.iter().map(|e| (e.severity, e.key.clone())).collect::<Vec<_>>();
            missed.push(format!("{}: {said:?}", mutation.name));
        }
    }
    assert!(own.count() >= 30 && missed.len() <= 1, "{missed:#?}");
}

#[test]
fn d9_real_captures_in_their_order_say_only_what_has_changed() {
    let Some(folder) = real_data() else { return };
    for series in series() {
        let said: Vec<String> = compare_and_learn(&series, &folder)
            .iter()
            .map(|(file, event)| {
                let file = file.rsplit('/').next().unwrap_or_default();
                format!(
                    "{file}: {} {} {}",
                    event.severity.name(),
                    event.key.kind,
                    event.key.pointer
                )
            })
            .collect();
        assert_eq!(said, series.events, "{}", series.endpoint);
    }
}
