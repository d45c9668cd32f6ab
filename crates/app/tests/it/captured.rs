//! Captured bodies of the real vendors, where the machine has them.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use kasparro_domain::Decimal;
use kasparro_testkit::{Reply, Server, TinyUpstream, get, request};
use serde_json::value::RawValue;

use crate::world::{World, assert_balanced, run_of, wait_until_loaded};

type Fields<'a> = BTreeMap<&'a str, &'a RawValue>;

/// The folder of captures; `None`, said aloud, where this machine has none.
#[expect(
    clippy::disallowed_methods,
    reason = "tells the tests, not the program, where captures lie"
)]
fn captures() -> Option<PathBuf> {
    let folder = std::env::var("KASPARRO_REAL_DATA").ok().map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: KASPARRO_REAL_DATA names no folder of captured bodies");
    }
    folder
}

fn gunzip(path: PathBuf) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

/// A number token as canonical text; `None` for null.
fn digits(token: &RawValue) -> Option<String> {
    (token.get() != "null").then(|| Decimal::parse(token.get()).unwrap().to_string())
}

/// The price of every listing of a source as `/data` writes it.
fn served_prices(server: &Server, source: &str) -> BTreeMap<String, Option<String>> {
    wait_until_loaded(server);
    let mut prices = BTreeMap::new();
    for page in 1.. {
        let url = format!("{}/data?source={source}&limit=500&page={page}", server.url);
        let text = get(&url).unwrap().text();
        let body: Fields<'_> = serde_json::from_str(&text).unwrap();
        let rows: Vec<Fields<'_>> = serde_json::from_str(body["data"].get()).unwrap();
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let id: String = serde_json::from_str(row["external_id"].get()).unwrap();
            let price = row["price_usd"].get();
            let price = (price != "null").then(|| price.to_owned());
            assert_eq!(prices.insert(id, price), None, "each listing once");
        }
    }
    prices
}

/// Loads a body twice and returns the prices that come out, after checking that every row is accounted
/// for and that the second load changes nothing.
fn load(
    source: &str,
    path: &'static str,
    body: String,
    rows: u64,
) -> BTreeMap<String, Option<String>> {
    let upstream = TinyUpstream::start(move |target| {
        if target.starts_with(path) { Reply::json(body.clone()) } else { Reply::json("[]") }
    });
    let world =
        World::new().upstream(&upstream.url).with("KASPARRO_SOURCES__COINGECKO__PAGES", "1");
    let first = world.call(&["run", source, "--json"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    let run = run_of(&first.json(), source);
    assert_balanced(&run);
    assert_eq!(run["received"], rows, "{run}");
    let again = run_of(&world.call(&["run", source, "--json"]).json(), source);
    assert_balanced(&again);
    assert_eq!((&again["inserted"], &again["updated"]), (&0.into(), &0.into()), "{again}");
    let world = world.nothing_by_itself();
    let server = world.serve();
    let prices = served_prices(&server, source);
    assert_eq!(prices.len() as u64, run["inserted"].as_u64().unwrap());
    prices
}

#[test]
fn coinpaprikas_tickers_come_out_with_the_digits_they_came_with() {
    let Some(folder) = captures() else { return };
    let body = gunzip(folder.join("coinpaprika/tickers/2021-08-12_all_usd.json.gz"));
    let served = load("coinpaprika", "/v1/tickers", body.clone(), 3_795);
    let rows: Vec<Fields<'_>> = serde_json::from_str(&body).unwrap();
    let mut compared = 0;
    for row in rows {
        let id: String = serde_json::from_str(row["id"].get()).unwrap();
        let Some(price) = served.get(&id) else {
            continue;
        };
        let quotes: BTreeMap<&str, Fields<'_>> = serde_json::from_str(row["quotes"].get()).unwrap();
        assert_eq!(*price, digits(quotes["USD"]["price"]), "{id}");
        compared += 1;
    }
    assert_eq!(compared, served.len());
    assert!(served.values().flatten().any(|price| price == "3.84e-18"));
}

#[test]
fn coingeckos_markets_come_out_with_the_digits_they_came_with() {
    let Some(folder) = captures() else { return };
    let body = gunzip(folder.join("coingecko/coins_markets/2022-01-29_page1_250.json.gz"));
    let served = load("coingecko", "/api/v3/coins/markets", body.clone(), 250);
    let rows: Vec<Fields<'_>> = serde_json::from_str(&body).unwrap();
    for row in rows {
        let id: String = serde_json::from_str(row["id"].get()).unwrap();
        assert_eq!(served.get(&id), Some(&digits(row["current_price"])), "{id}");
    }
}

/// Every answer of the vendors' lists, markets and tickers, in the order of their dates.
#[test]
fn captures_of_years_are_replayed_accounted_for_and_hold_together() {
    let Some(folder) = captures() else { return };
    let world = World::new();
    let folder = folder.display().to_string();
    let simulator = world.listen(&["sim", "--listen", "127.0.0.1:0", "--replay", &folder]);
    let mut listings = 0;
    for step in 0..4 {
        let arguments = ["run", "coinpaprika", "coingecko", "--json", "--upstream"];
        let call = world.call(&[&arguments[..], &[&simulator.url]].concat());
        assert_eq!(call.code, Some(0), "{call:?}");
        for source in ["coinpaprika", "coingecko"] {
            let run = run_of(&call.json(), source);
            assert_balanced(&run);
            listings += run["inserted"].as_u64().unwrap();
        }
        let moved = request("POST", &format!("{}/_sim/step", simulator.url)).unwrap();
        assert_eq!(moved.status, 200, "step {step}");
    }
    assert!(listings > 20_000, "{listings}");
    // At its end the world verifies and replays this store.
    let verified = world.call(&["verify", "--json"]).json();
    assert_eq!(verified["tables"]["listing"]["rows"], listings);
    assert!(verified["tables"]["evidence"]["rows"].as_u64().unwrap() > 20_000, "{verified}");
}
