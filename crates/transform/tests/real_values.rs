//! The rules about values on real captures, where `KASPARRO_REAL_DATA` names a folder of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a test says what it found, and that it was skipped")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use kasparro_domain::{Decimal, Quote, Timestamp, ValueAnomalyKind};
use kasparro_transform::{
    PriceDoubt, PricePoint, UnusualValue, jump, off_price, unusual, worth_looking,
};
use serde_json::Value;

#[expect(
    clippy::disallowed_methods,
    reason = "tells the tests, not the program, where captures lie"
)]
fn capture(path: &str) -> Option<String> {
    let Ok(folder) = std::env::var("KASPARRO_REAL_DATA") else {
        println!("skipped: KASPARRO_REAL_DATA names no folder of captured bodies");
        return None;
    };
    let file = std::fs::File::open(PathBuf::from(folder).join(path)).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    Some(text)
}

fn number(value: &Value) -> Option<Decimal> {
    value.is_number().then(|| Decimal::parse(&value.to_string()).unwrap())
}

fn unless_zero(value: &Value) -> Option<Decimal> {
    number(value).filter(|number| !number.zero())
}

fn coingecko(row: &Value) -> Quote {
    Quote {
        price_usd: number(&row["current_price"]),
        market_cap: number(&row["market_cap"]),
        volume_24h: number(&row["total_volume"]),
        circulating_supply: unless_zero(&row["circulating_supply"]),
        ..Quote::default()
    }
}

fn coinpaprika(row: &Value) -> Quote {
    let usd = &row["quotes"]["USD"];
    Quote {
        price_usd: number(&usd["price"]),
        market_cap: unless_zero(&usd["market_cap"]),
        volume_24h: number(&usd["volume_24h"]),
        circulating_supply: unless_zero(&row["circulating_supply"]),
        ..Quote::default()
    }
}

/// The flagged ids of each kind, and the number of rows.
fn flagged(
    text: &str,
    quote: fn(&Value) -> Quote,
) -> (BTreeMap<&'static str, BTreeSet<String>>, usize) {
    let rows: Vec<Value> = serde_json::from_str(text).unwrap();
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for row in &rows {
        for UnusualValue { kind, value, expected } in unusual(&quote(row)) {
            let id = row["id"].as_str().unwrap().to_owned();
            println!("{} {id}: {value}, expected {expected}", kind.name());
            found.entry(kind.name()).or_default().insert(id);
        }
    }
    (found, rows.len())
}

const CAP: &str = ValueAnomalyKind::CapMismatch.name();
const VOLUME: &str = ValueAnomalyKind::VolumeAbsurd.name();

fn ids(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn a_healthy_page_of_coingecko_flags_nothing() {
    let Some(text) = capture("coingecko/coins_markets/2022-01-29_page1_250.json.gz") else {
        return;
    };
    let (found, rows) = flagged(&text, coingecko);
    assert_eq!((found, rows), (BTreeMap::new(), 250));
}

#[test]
fn ticoex_token_is_flagged_and_so_is_a_cap_that_is_not_price_times_supply() {
    let Some(text) = capture("coingecko/coins_markets/2022-02-23_page1_250.json.gz") else {
        return;
    };
    let (found, rows) = flagged(&text, coingecko);
    let expected =
        BTreeMap::from([(VOLUME, ids(&["ticoex-token"])), (CAP, ids(&["compound-ether"]))]);
    assert_eq!((found, rows), (expected, 250));
}

#[test]
fn coinpaprika_flags_dead_and_wrong_caps_only() {
    let Some(text) = capture("coinpaprika/tickers/2021-08-12_all_usd.json.gz") else { return };
    let (found, rows) = flagged(&text, coinpaprika);
    let volumes = ids(&[
        // Large caps without a market.
        "bcha-bitcoin-cash-abc",
        "lend-ethlend",
        "snn-sechain",
        "xas-asch",
        // Volume many times the cap.
        "bez-bezop",
        "crdt-crdt",
        "cyl-crystal-token",
        "excc-exchangecoin",
        "flot-fire-lotto",
        "sfg-sfinance",
    ]);
    assert_eq!((found, rows), (BTreeMap::from([(VOLUME, volumes)]), 3795));
}

type History = BTreeMap<String, Vec<PricePoint>>;

/// The price of each coin over time, as the file has it; a price that is not above zero is left out.
fn market_charts() -> Option<History> {
    let text = capture("csv/coingecko_market_chart_2021_daily_2496_coins.csv.gz")?;
    let mut coins = History::new();
    for line in text.lines().skip(1) {
        // Instant, a quoted date with a comma, id, price, and what follows.
        let fields: Vec<&str> = line.split(',').collect();
        let [millis, _, _, coin, price, ..] = fields.as_slice() else { panic!("{line}") };
        let price: f64 = price.parse().unwrap_or(0.0);
        if price > 0.0 {
            let observed_at = Timestamp::from_millis(millis.parse().unwrap()).unwrap();
            coins.entry((*coin).to_owned()).or_default().push(PricePoint { observed_at, price });
        }
    }
    Some(coins)
}

#[test]
fn few_prices_of_a_year_jump_and_neon_exchange_does() {
    let Some(coins) = market_charts() else { return };
    let (mut points, mut looked_at) = (0, 0);
    let mut jumps: BTreeMap<&str, usize> = BTreeMap::new();
    for (coin, history) in &coins {
        for (place, now) in history.iter().enumerate().skip(1) {
            points += 1;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the memory keeps logarithms in short"
            )]
            let previous = history[place - 1].price.ln() as f32;
            if worth_looking(previous, now.price) {
                looked_at += 1;
                if let Some(found) = jump(&history[..place], *now) {
                    if coin == "neon-exchange" {
                        println!(
                            "{} {}, expected {}",
                            now.observed_at, found.value, found.expected
                        );
                    }
                    *jumps.entry(coin).or_default() += 1;
                }
            }
        }
    }
    let flagged: usize = jumps.values().sum();
    println!(
        "{flagged} jumps of {} coins; {looked_at} of {points} moves of {} coins looked at",
        jumps.len(),
        coins.len()
    );
    assert!(jumps["neon-exchange"] >= 2, "there and back");
    assert!(flagged * 500 < points, "less than 0.2 % of the points");
    assert!(looked_at * 40 < points, "the history is read for less than 2.5 % of the moves");
    for calm in ["bitcoin", "ethereum", "tether", "usd-coin"] {
        assert!(!jumps.contains_key(calm), "{calm}");
    }
    // Wrong from its first point on, so its own history does not give it away: another source does.
    assert!(!jumps.contains_key("squid"));
}

#[test]
fn a_price_that_was_always_wrong_is_off_beside_another_source() {
    let Some(coins) = market_charts() else { return };
    for point in &coins["squid"] {
        let verdicts = off_price(&[(60, point.price), (60, 0.06), (60, 0.061)]);
        assert!(matches!(verdicts.as_slice(), [Some(PriceDoubt::Off { .. }), None, None]));
    }
}
