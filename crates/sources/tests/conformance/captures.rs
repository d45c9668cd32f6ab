//! Real answers, read from outside the project where they are at hand.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use kasparro_domain::{Evidence, Observation, Statement};
use kasparro_extract::{PageSummary, Request, RunStart, Source, Target};
use serde_json::{Value, json};

use crate::fixtures::{Rows, first_request, now, read_page};

/// The folder of captured answers, or `None` with a note that the test is skipped.
#[expect(clippy::disallowed_methods, reason = "where captured answers are is not configuration")]
fn captures() -> Option<PathBuf> {
    let folder = std::env::var("KASPARRO_REAL_DATA").ok().filter(|folder| !folder.is_empty());
    if folder.is_none() {
        println!("skipped: KASPARRO_REAL_DATA names no folder of captured answers");
    }
    folder.map(PathBuf::from)
}

fn body(path: &Path) -> Vec<u8> {
    let body = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_none_or(|extension| extension != "gz") {
        return body;
    }
    let mut unpacked = Vec::new();
    flate2::read::MultiGzDecoder::new(body.as_slice()).read_to_end(&mut unpacked).unwrap();
    unpacked
}

fn read(source: &str, options: Value, path: PathBuf) -> Rows {
    let source = kasparro_sources::build(source, options).unwrap();
    let mut request = first_request(source.as_ref());
    if let Target::Files { pattern } = &mut request.target {
        *pattern = path.display().to_string();
    }
    read_rows(source.as_ref(), &request, &body(&path))
}

/// The request of this endpoint with which a run begins.
fn asked(source: &dyn Source, endpoint: &str) -> Request {
    let first = source.first(RunStart { checkpoint: None, now: now(), values: true });
    first.into_iter().find(|request| request.endpoint == endpoint).unwrap()
}

fn observations(rows: &Rows) -> Vec<&Observation> {
    let seen = rows.iter().flatten().filter_map(|statement| match statement {
        Statement::Observation(seen) => Some(seen),
        _ => None,
    });
    seen.collect()
}

fn evidence(rows: &Rows) -> Vec<&Evidence> {
    let stated = rows.iter().flatten().filter_map(|statement| match statement {
        Statement::Evidence(evidence) => Some(evidence),
        _ => None,
    });
    stated.collect()
}

fn read_rows(source: &dyn Source, request: &Request, body: &[u8]) -> Rows {
    read_page(source, request, body).unwrap()
}

fn rejected(rows: &Rows) -> usize {
    rows.iter().filter(|row| row.is_err()).count()
}

#[test]
fn d2_captured_tickers_are_read_without_a_loss() {
    let Some(folder) = captures() else { return };
    let path = folder.join("coinpaprika/tickers/2021-08-12_all_usd.json.gz");
    let rows = read("coinpaprika", json!({}), path);
    assert_eq!((rows.len(), rejected(&rows)), (3_795, 0));
    let seen = observations(&rows);
    let prices: Vec<String> =
        seen.iter().filter_map(|seen| Some(seen.quote.price_usd.as_ref()?.to_string())).collect();
    assert!(prices.contains(&"3.84e-18".to_owned()));
    let supply = |seen: &&Observation| {
        let supply = seen.quote.total_supply.as_ref().or(seen.quote.max_supply.as_ref());
        supply.is_some_and(|supply| supply.as_str() == "9223372036854775807")
    };
    assert!(seen.iter().any(supply));
    let unknown = seen.iter().filter(|seen| seen.quote.market_cap.is_none()).count();
    assert!((2_000..2_200).contains(&unknown), "{unknown} caps are unknown");
}

#[test]
fn captured_market_pages_are_read_whole() {
    let Some(folder) = captures() else { return };
    for (file, expected) in [
        ("2022-01-29_page1_250.json.gz", 250),
        ("2022-02-23_page1_250.json.gz", 250),
        ("2022-01-29_per_page_251.json.gz", 250),
        ("2022-01-18_defi_sparkline.json", 50),
        ("2022-01-29_empty_page.json", 0),
    ] {
        let rows = read("coingecko", json!({}), folder.join("coingecko/coins_markets").join(file));
        assert_eq!((rows.len(), rejected(&rows)), (expected, 0), "{file}");
    }
}

#[test]
fn public_csv_files_are_read_with_their_own_headers() {
    let Some(folder) = captures() else { return };
    let options = json!({"paths": "*.csv", "files": [
        {"path": "coin_gecko_2022-03-16.csv", "change": "fraction"},
    ]});
    for (file, expected, faulty, dated) in [
        ("coin_gecko_2022-03-16.csv", 500, 0, Some("2022-03-16")),
        ("coingecko_top100_2025-08-05.csv", 100, 0, Some("2025-08-05")),
        ("hathix_coinlist.csv", 500, 0, None),
        ("hathix_history_1609459200000.csv", 363, 0, Some("2021-01-01")),
        // 42 of its lines hold nothing but commas.
        ("hathix_perday_1640563200000.csv.gz", 2_495, 42, Some("2021-12-27")),
        ("coinmarketcap_coin_df_2020-12.csv.gz", 3_884, 0, None),
        // Its dates are in no order that could be told from another.
        ("ohlcv_daily_coin_Aave.csv", 275, 275, None),
    ] {
        let rows = read("csv", options.clone(), folder.join("csv").join(file));
        assert_eq!((rows.len(), rejected(&rows)), (expected, faulty), "{file}");
        let dates: BTreeSet<_> = observations(&rows)
            .iter()
            .filter_map(|seen| Some(seen.observed_at?.to_string()))
            .collect();
        assert_eq!(dates, dated.iter().map(|date| format!("{date}T00:00:00Z")).collect(), "{file}");
    }
    let rows = read("csv", options, folder.join("csv/coin_gecko_2022-03-16.csv"));
    let bitcoin = observations(&rows)[0];
    assert_eq!(bitcoin.external_id, "Bitcoin|BTC");
    let quote = &bitcoin.quote;
    assert_eq!(quote.price_usd.as_ref().unwrap().as_str(), "40859.46");
    assert_eq!(quote.price_change_24h.as_ref().unwrap().as_str(), "3");
}

#[test]
fn captured_lists_of_coingecko_are_read_whole() {
    let Some(folder) = captures() else { return };
    let source = kasparro_sources::build("coingecko", json!({})).unwrap();
    let list = asked(source.as_ref(), "coins_list");
    for (file, expected, faulty, nameless) in [
        ("2022-01-29.json.gz", 12_387, 0, 1),
        ("2022-01-31.json.gz", 12_280, 0, 1),
        // One row has an empty id.
        ("2022-02-23.json.gz", 12_794, 1, 0),
        ("2024-02-24_committed.json.gz", 12_868, 0, 4),
        ("2025-07-05.json.gz", 17_589, 0, 6),
    ] {
        let body = body(&folder.join("coingecko/coins_list").join(file));
        let rows = read_rows(source.as_ref(), &list, &body);
        assert_eq!((rows.len(), rejected(&rows)), (expected, faulty), "{file}");
        let stated = evidence(&rows);
        assert_eq!(stated.len(), expected - faulty, "{file}");
        let without = stated.iter().filter(|one| one.attributes.symbol.is_none()).count();
        assert_eq!(without, nameless, "{file}");
        assert!(stated.iter().all(|one| one.contracts.is_empty() && one.active.is_none()));
    }
}

#[test]
fn captured_lists_of_coinpaprika_are_read_whole() {
    let Some(folder) = captures() else { return };
    let folder = folder.join("coinpaprika");
    let source = kasparro_sources::build("coinpaprika", json!({})).unwrap();
    let coins = asked(source.as_ref(), "coins");
    let rows = read_rows(source.as_ref(), &coins, &body(&folder.join("coins/2021-08-12.json.gz")));
    assert_eq!((rows.len(), rejected(&rows)), (7_250, 0));
    let active = evidence(&rows).iter().filter(|one| one.active == Some(true)).count();
    assert_eq!((active, evidence(&rows).len()), (3_795, 7_250));

    let platforms = asked(source.as_ref(), "contract_platforms");
    let listed = body(&folder.join("contracts/platforms_2021-08-12.json"));
    let survey = source.survey(&platforms, &mut listed.as_slice()).unwrap();
    assert_eq!(read_rows(source.as_ref(), &platforms, &listed).len(), 0);
    let page = PageSummary { rows: 0, pages: 3, survey: &survey };
    let pages = source.next(&platforms, page);
    assert_eq!(pages.len(), 34);
    let ethereum = pages.iter().find(|page| {
        page.describe()["path"] == "/v1/contracts/eth-ethereum" && page.endpoint == "contracts"
    });
    let contracts = body(&folder.join("contracts/eth-ethereum_2021-08-12.json.gz"));
    let rows = read_rows(source.as_ref(), ethereum.unwrap(), &contracts);
    assert_eq!((rows.len(), rejected(&rows)), (3_627, 0));
    let stated = evidence(&rows);
    let parts: BTreeSet<_> = stated.iter().map(|one| one.part.as_str()).collect();
    assert!(parts.contains("eth-ethereum:0x032e3dface7f63318b0793d6aac8a29f5b9ec2cc"));
    assert!(parts.contains("eth-ethereum:kimex"));
    assert!(stated.iter().all(|one| one.contracts.len() == 1 && one.active.is_none()));
}
