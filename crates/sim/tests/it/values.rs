//! What the vendors' paths send.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::client::{Running, start_with};

const MARKETS: &str = "/api/v3/coins/markets?vs_currency=usd&per_page=250";
const PATHS: [&str; 13] = [
    "/v1/tickers",
    "/v1/coins",
    "/v1/contracts",
    "/v1/contracts/eth-ethereum",
    MARKETS,
    "/api/v3/coins/list",
    "/api/v3/coins/list?include_platform=true",
    "/csv/assets.csv",
    "/csv/markets.csv",
    "/csv/prices.csv",
    "/feed/rss.xml",
    "/feed/atom.xml",
    "/feed/feed.json",
];

async fn bodies(running: &Running) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    for path in PATHS {
        let reply = running.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        bodies.push(reply.body);
    }
    bodies
}

#[tokio::test]
async fn the_same_seed_and_step_send_the_same_bytes() {
    let (one, other) = (start_with(7, 700).await, start_with(7, 700).await);
    // What was asked before, and how the step was reached, must not matter.
    one.get("/v1/tickers").await;
    one.simulator.set_step(40);
    other.simulator.set_step(7_000);
    other.get(MARKETS).await;
    other.simulator.set_step(39);
    other.simulator.step();
    assert!(bodies(&one).await == bodies(&other).await);
}

/// Recorded results refer to these values.
#[tokio::test]
async fn seed_one_means_the_same_market_for_ever() {
    let running = start_with(1, 700).await;
    let mut digest = Sha256::new();
    for step in [0, 1_000] {
        running.simulator.set_step(step);
        for body in bodies(&running).await {
            digest.update(body);
        }
    }
    let found: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found, "86cdf07d551d2450253573ea78fd5473df728c80a2a76af2a69dc8e8b43026be");
}

#[tokio::test]
async fn a_frozen_simulator_repeats_itself() {
    let running = start_with(1, 300).await;
    assert!(bodies(&running).await == bodies(&running).await);
}

#[tokio::test]
async fn another_seed_is_another_world() {
    let (one, other) = (start_with(1, 300).await, start_with(2, 300).await);
    for ((path, left), right) in PATHS.iter().zip(bodies(&one).await).zip(bodies(&other).await) {
        assert_eq!(left == right, *path == "/v1/contracts", "{path}");
    }
}

#[tokio::test]
async fn a_step_moves_values_and_source_times_and_can_be_taken_back() {
    let running = start_with(1, 2_000).await;
    let before = running.get("/v1/tickers").await;
    assert_eq!(running.simulator.step(), 1);
    let after = running.get("/v1/tickers").await;
    let mut moved = 0;
    for (old, new) in before.objects().iter().zip(after.objects()) {
        assert_eq!(old["id"], new["id"]);
        assert_ne!(old["last_updated"], new["last_updated"]);
        moved += u32::from(old["quotes"]["USD"]["price"] != new["quotes"]["USD"]["price"]);
    }
    assert!(moved > 1_700, "{moved}");
    running.simulator.set_step(0);
    assert!(running.get("/v1/tickers").await.body == before.body);
}

#[tokio::test]
async fn every_body_can_be_read_and_has_its_rows() {
    let running = start_with(1, 1_000).await;
    for (path, rows) in [
        ("/v1/tickers", 1_000),
        ("/v1/coins", 1_125),
        ("/v1/coins/mappings", 1_000),
        ("/v1/contracts", 5),
        (MARKETS, 250),
        ("/api/v3/coins/list?include_platform=true", 1_000),
    ] {
        assert_eq!(running.get(path).await.objects().len(), rows, "{path}");
    }
    assert_eq!(running.get("/feed/feed.json").await.json()["items"].as_array().unwrap().len(), 30);
    assert_eq!(running.get("/feed/rss.xml").await.text().matches("<item>").count(), 30);
    assert_eq!(running.get("/feed/atom.xml").await.text().matches("<entry>").count(), 30);
    for (path, delimiter, columns) in
        [("/csv/assets.csv", b',', 9), ("/csv/markets.csv", b';', 7), ("/csv/prices.csv", b',', 3)]
    {
        let reply = running.get(path).await;
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).from_reader(reply.body.as_slice());
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!((records.len(), records[0].len()), (1_000, columns), "{path}");
    }
    assert!(running.get("/csv/markets.csv").await.text().starts_with("\u{feff}slug;Symbol"));
}

#[tokio::test]
async fn a_ticker_has_every_documented_field_in_the_vendors_order() {
    let running = start_with(1, 100).await;
    let reply = running.get("/v1/tickers").await;
    assert_eq!(reply.headers["content-type"], "application/json; charset=UTF-8");
    assert_eq!(reply.headers["last-modified"], "Thu, 01 Jan 2026 00:00:00 GMT");
    assert!(reply.headers["cache-control"].starts_with("public, max-age=60"));
    let fields = |row: &str| -> Vec<String> {
        let mut keys: Vec<String> = row.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        keys.dedup();
        keys
    };
    let first = reply.rows()[0];
    assert!(first.starts_with(r#"{"id":"btc-bitcoin","name":"Bitcoin","symbol":"BTC","rank":1,"#));
    let wanted = "rank circulating_supply total_supply max_supply beta_value first_data_at last_updated \
                  quotes USD price volume_24h volume_24h_change_24h market_cap market_cap_change_24h \
                  percent_change_15m percent_change_30m percent_change_1h percent_change_6h \
                  percent_change_12h percent_change_24h percent_change_7d percent_change_30d \
                  percent_change_1y ath_price ath_date percent_from_price_ath";
    let found = fields(first);
    let mut found = found.iter();
    for key in wanted.split_whitespace() {
        assert!(found.any(|field| field == key), "{key} in {first}");
    }
    let ranks: Vec<u64> = reply.objects().iter().map(|row| row["rank"].as_u64().unwrap()).collect();
    assert!(!ranks.is_sorted());
}

#[tokio::test]
async fn tiny_and_huge_numbers_and_unknown_values_are_sent_as_the_vendors_send_them() {
    let running = start_with(3, 3_000).await;
    for step in [0, 100] {
        running.simulator.set_step(step);
        let tickers = running.get("/v1/tickers").await;
        for token in [
            r#""price":3.84e-18,"#,
            r#""circulating_supply":9223372036854775807,"#,
            r#""max_supply":0,"#,
            r#""market_cap":0,"#,
            r#""rank":0,"#,
        ] {
            assert!(tickers.text().contains(token), "{token}");
        }
        let walk = markets(&running, "id_asc", 250).await.concat();
        for token in [
            r#""current_price":3.84e-18,"#,
            r#""circulating_supply":9.223372036854775807e+18,"#,
            r#""circulating_supply":0.0,"#,
            r#""market_cap":null,"#,
            r#""market_cap_rank":null,"#,
            r#""current_price":null,"#,
            r#""max_supply":null,"#,
        ] {
            assert!(walk.contains(token), "{token}");
        }
        assert!(running.get("/csv/assets.csv").await.text().contains(",3.84e-18,"));
    }
}

/// Every row of every page until the empty one.
async fn markets(running: &Running, order: &str, per_page: u32) -> Vec<String> {
    let mut rows = Vec::new();
    for page in 1.. {
        let target = format!(
            "/api/v3/coins/markets?vs_currency=usd&order={order}&per_page={per_page}&page={page}"
        );
        let reply = running.get(&target).await;
        if reply.text() == "[]" {
            break;
        }
        rows.extend(reply.rows().into_iter().map(str::to_owned));
    }
    rows
}

fn member<'a>(row: &'a serde_json::Value, name: &str) -> &'a str {
    row[name].as_str().unwrap()
}

#[tokio::test]
async fn pages_hold_every_coin_exactly_once_in_every_order() {
    let running = start_with(5, 1_130).await;
    running.simulator.set_step(20);
    for order in
        ["market_cap_desc", "market_cap_asc", "volume_desc", "volume_asc", "id_asc", "id_desc"]
    {
        let rows: Vec<serde_json::Value> = markets(&running, order, 250)
            .await
            .iter()
            .map(|row| serde_json::from_str(row).unwrap())
            .collect();
        let ids: BTreeSet<&str> = rows.iter().map(|row| member(row, "id")).collect();
        assert_eq!((rows.len(), ids.len()), (1_130, 1_130), "{order}");
        let caps = || rows.iter().filter_map(|row| row["market_cap"].as_i64());
        match order {
            "market_cap_desc" => assert!(caps().is_sorted_by(|left, right| left >= right)),
            "market_cap_asc" => assert!(caps().is_sorted()),
            "id_asc" => assert!(rows.iter().map(|row| member(row, "id")).eq(ids.iter().copied())),
            _ => {}
        }
    }
}

#[tokio::test]
async fn paging_is_as_lenient_as_the_vendors() {
    let running = start_with(5, 600).await;
    let ask = |rest: &str| format!("/api/v3/coins/markets?vs_currency=usd{rest}");
    let first = running.get(&ask("&per_page=250&page=1")).await.body;
    assert!(running.get(&ask("&per_page=251")).await.body == first);
    assert!(running.get(&ask("&per_page=4000000000&page=0")).await.body == first);
    assert_eq!(running.get(&ask("")).await.rows().len(), 100);
    assert_eq!(running.get(&ask("&per_page=x&page=-1")).await.rows().len(), 100);
    assert_eq!(running.get(&ask("&per_page=250&page=4")).await.text(), "[]");
    assert_eq!(running.get(&ask("&per_page=250&page=4294967295")).await.text(), "[]");
    let windows = running.get(&ask("&price_change_percentage=1h,7d&per_page=1")).await;
    let row = &windows.objects()[0];
    assert!(row["price_change_percentage_1h_in_currency"].is_number());
    assert!(row["price_change_percentage_7d_in_currency"].is_number());
    assert!(row.get("price_change_percentage_30d_in_currency").is_none());
}

#[tokio::test]
async fn errors_have_the_vendors_shape() {
    let running = start_with(1, 50).await;
    for (path, status, body) in [
        ("/api/v3/coins/markets", 422, r#"{"error":"Missing parameter vs_currency"}"#),
        ("/api/v3/coins/markets?vs_currency=xyz", 400, r#"{"error":"invalid vs_currency"}"#),
        ("/api/v3/coins/nothing", 404, r#"{"error":"coin not found"}"#),
        ("/v1/tickers/nothing", 404, r#"{"error":"id not found"}"#),
        ("/v1/coins/nothing", 404, r#"{"error":"id not found"}"#),
        ("/v1/contracts/nothing", 404, r#"{"error":"id not found"}"#),
    ] {
        let reply = running.get(path).await;
        assert_eq!((reply.status, reply.text()), (status, body), "{path}");
    }
    for path in ["/v1/", "/api/v3/", "/csv/x.csv", "/feed/x", "/", "/%00", "/v1/tickers?quotes=EUR"]
    {
        let status = running.get(path).await.status;
        assert!(status == 404 || status == 400, "{path}: {status}");
    }
    assert_eq!(running.ask("POST", "/v1/tickers", "", "").await.status, 405);
}

#[tokio::test]
async fn some_tickers_are_shared_and_the_vendors_agree_about_the_same_coin() {
    let running = start_with(9, 2_000).await;
    let tickers = running.get("/v1/tickers").await.objects();
    let mut symbols = BTreeMap::<&str, u32>::new();
    for row in &tickers {
        *symbols.entry(member(row, "symbol")).or_default() += 1;
    }
    let shared: u32 = symbols.values().filter(|count| **count > 1).sum();
    assert!((80..600).contains(&shared), "{shared}");

    let addresses = |rows: Vec<serde_json::Value>| -> BTreeSet<String> {
        rows.iter().map(|row| member(row, "address").to_owned()).collect()
    };
    let paprika = addresses(running.get("/v1/contracts/sol-solana").await.objects());
    let list = running.get("/api/v3/coins/list?include_platform=true").await.objects();
    let gecko: BTreeSet<String> = list
        .iter()
        .filter_map(|row| row["platforms"]["solana"].as_str())
        .map(str::to_owned)
        .collect();
    assert!(gecko.len() > 20 && gecko.is_subset(&paprika), "{} {}", gecko.len(), paprika.len());

    let ids = |rows: &[serde_json::Value], name: &str| -> BTreeSet<String> {
        rows.iter().map(|row| member(row, name).to_owned()).collect()
    };
    let mapped = running.get("/v1/coins/mappings").await.objects();
    assert_eq!(ids(&mapped, "coinpaprika"), ids(&tickers, "id"));
    assert_eq!(ids(&mapped, "coingecko"), ids(&list, "id"));
    let bitcoin = mapped.iter().find(|row| row["coinpaprika"] == "btc-bitcoin").unwrap();
    assert_eq!(bitcoin["coingecko"], "bitcoin");

    let price_of_bitcoin = |rows: &[serde_json::Value], pointer: &str| -> f64 {
        let row = rows.iter().find(|row| row["name"] == "Bitcoin").unwrap();
        row.pointer(pointer).unwrap().as_f64().unwrap()
    };
    let gecko = running.get(MARKETS).await.objects();
    let (left, right) = (
        price_of_bitcoin(&tickers, "/quotes/USD/price"),
        price_of_bitcoin(&gecko, "/current_price"),
    );
    assert!((left / right - 1.0).abs() < 0.001, "{left} {right}");
}

#[tokio::test]
async fn a_hundred_thousand_coins_are_streamed() {
    let running = start_with(1, 100_000).await;
    let reply = running.get("/v1/tickers").await;
    assert_eq!(reply.headers["transfer-encoding"], "chunked");
    let megabytes = reply.body.len() / 1_000_000;
    assert!((60..=80).contains(&megabytes), "{megabytes} MB");
    assert_eq!(reply.rows().len(), 100_000);
    let ledger = running.simulator.ledger();
    assert!(ledger[0].completed);
    assert_eq!(ledger[0].rows.len(), 100_000);
}

#[tokio::test]
async fn no_coins_are_empty_lists() {
    let running = start_with(1, 0).await;
    for path in ["/v1/tickers", "/v1/coins", MARKETS, "/api/v3/coins/list"] {
        assert_eq!(running.get(path).await.text(), "[]", "{path}");
    }
    assert_eq!(running.get("/csv/prices.csv").await.text(), "ticker,close,time\n");
    assert_eq!(running.get("/feed/feed.json").await.status, 200);
}
