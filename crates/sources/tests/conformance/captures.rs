//! Real answers, read from outside the project where they are at hand.

use std::io::Read;
use std::path::PathBuf;

use kasparro_extract::{Request, Target};
use serde_json::{Value, json};

use crate::fixtures::{Rows, first_request, read_page};

/// The folder of captured answers, or `None` with a note that the test is skipped.
#[expect(clippy::disallowed_methods, reason = "where captured answers are is not configuration")]
fn captures() -> Option<PathBuf> {
    let folder = std::env::var("KASPARRO_REAL_DATA").ok().filter(|folder| !folder.is_empty());
    if folder.is_none() {
        println!("skipped: KASPARRO_REAL_DATA names no folder of captured answers");
    }
    folder.map(PathBuf::from)
}

fn read(source: &str, options: Value, path: PathBuf) -> Rows {
    let source = kasparro_sources::build(source, options).unwrap();
    let mut body =
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(body.as_slice()).read_to_end(&mut unpacked).unwrap();
        body = unpacked;
    }
    let mut request = first_request(source.as_ref());
    if let Target::Files { pattern } = &mut request.target {
        *pattern = path.display().to_string();
    }
    read_rows(source.as_ref(), &request, &body)
}

fn read_rows(source: &dyn kasparro_extract::Source, request: &Request, body: &[u8]) -> Rows {
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
    let prices: Vec<String> = rows
        .iter()
        .flatten()
        .filter_map(|seen| Some(seen.quote.price_usd.as_ref()?.to_string()))
        .collect();
    assert!(prices.contains(&"3.84e-18".to_owned()));
    let supply = |seen: &kasparro_domain::Observation| {
        let supply = seen.quote.total_supply.as_ref().or(seen.quote.max_supply.as_ref());
        supply.is_some_and(|supply| supply.as_str() == "9223372036854775807")
    };
    assert!(rows.iter().flatten().any(supply));
    let unknown = rows.iter().flatten().filter(|seen| seen.quote.market_cap.is_none()).count();
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
    for (file, expected, faulty) in [
        ("coin_gecko_2022-03-16.csv", 500, 0),
        ("coingecko_top100_2025-08-05.csv", 100, 0),
        ("hathix_coinlist.csv", 500, 0),
        ("hathix_history_1609459200000.csv", 363, 0),
        // 42 of its lines hold nothing but commas.
        ("hathix_perday_1640563200000.csv.gz", 2_495, 42),
        ("coinmarketcap_coin_df_2020-12.csv.gz", 3_884, 0),
        // Its dates are in no order that could be told from another.
        ("ohlcv_daily_coin_Aave.csv", 275, 275),
    ] {
        let rows = read("csv", options.clone(), folder.join("csv").join(file));
        assert_eq!((rows.len(), rejected(&rows)), (expected, faulty), "{file}");
    }
    let rows = read("csv", options, folder.join("csv/coin_gecko_2022-03-16.csv"));
    let bitcoin = rows[0].as_ref().unwrap();
    assert_eq!(bitcoin.external_id, "Bitcoin|BTC");
    let quote = &bitcoin.quote;
    assert_eq!(quote.price_usd.as_ref().unwrap().as_str(), "40859.46");
    assert_eq!(quote.price_change_24h.as_ref().unwrap().as_str(), "3");
}
