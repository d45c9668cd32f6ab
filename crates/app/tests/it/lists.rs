//! What lists say: listings without a quote are evidence, found where one looks for them.

use kasparro_testkit::{Reply, Server, TinyUpstream, get, wait_for};
use serde_json::Value;

use crate::world::{World, all_rows, assert_balanced, coinpaprika, run_of, simulator};

#[test]
fn a_list_makes_listings_known_that_data_shows_only_when_asked() {
    // One page of markets has 250 of them.
    let upstream = simulator(300);
    let world =
        World::new().upstream(&upstream.url).with("KASPARRO_SOURCES__COINGECKO__PAGES", "1");
    for source in ["coinpaprika", "coingecko"] {
        let call = world.call(&["run", source, "--json"]);
        assert_eq!(call.code, Some(0), "{call:?}");
        assert_balanced(&run_of(&call.json(), source));
    }
    let world = world.nothing_by_itself();
    let server = world.serve();
    for source in ["coinpaprika", "coingecko"] {
        let priced = all_rows(&server, &format!("&source={source}"));
        let every = all_rows(&server, &format!("&source={source}&include=unpriced"));
        let ids = |rows: &[Value]| -> Vec<u64> {
            rows.iter().map(|row| row["id"].as_u64().unwrap()).collect()
        };
        let shown = ids(&priced);
        let evidence: Vec<_> =
            every.iter().filter(|row| !shown.contains(&row["id"].as_u64().unwrap())).collect();
        assert!(!evidence.is_empty(), "{source} lists more than it quotes");
        for row in &evidence {
            assert_eq!((&row["price_usd"], &row["updated_at"]), (&Value::Null, &Value::Null));
        }
        let row = evidence[0];
        let listing = get(&format!("{}/listings/{}", server.url, row["id"])).unwrap();
        assert_eq!(listing.status, 200, "{}", listing.text());
        assert!(listing.text().contains(row["external_id"].as_str().unwrap()));
        let asset = get(&format!("{}/assets/{}", server.url, row["asset_id"])).unwrap();
        assert_eq!(asset.status, 200, "{}", asset.text());
        assert!(asset.text().contains(row["external_id"].as_str().unwrap()));
    }
    assert_eq!(server.stop().code, Some(0));

    let verified = world.call(&["verify", "--json"]).json();
    assert!(verified["tables"]["evidence"]["rows"].as_u64().unwrap() > 0, "{verified}");
}

#[test]
fn lists_are_asked_for_when_they_are_due_or_wanted_and_never_when_they_are_off() {
    let upstream = simulator(30);
    let world = World::new()
        .upstream(&upstream.url)
        .with("KASPARRO_SOURCES__COINGECKO__LISTS", "off")
        .with("KASPARRO_SOURCES__COINPAPRIKA__LISTS", "30d");
    let asked =
        |path: &str| upstream.simulator.ledger().iter().filter(|entry| entry.path == path).count();
    for (wanted, times) in [(&["--due"][..], 1), (&["--due"], 1), (&[], 2)] {
        let call = world.call(&[&["run", "coinpaprika", "coingecko"], wanted].concat());
        assert_eq!(call.code, Some(0), "{call:?}");
        assert_eq!((asked("/v1/coins"), asked("/api/v3/coins/list")), (times, 0), "{wanted:?}");
    }
    let world = world.nothing_by_itself();
    let server = world.serve();
    for (wanted, times) in [(&["--due"][..], 2), (&[], 3)] {
        let call = world.call(&[&["run", "coinpaprika"], wanted].concat());
        assert_eq!(call.code, Some(0), "{call:?}");
        assert_eq!(asked("/v1/coins"), times, "beside a server, {wanted:?}");
    }
    assert_eq!(server.stop().code, Some(0));
}

/// Tickers and lists of one coin, made by hand after CoinPaprika's documentation.
fn bitcoin_alone(target: &str) -> Reply {
    match target.split('?').next() {
        Some("/v1/tickers") => Reply::json(format!("[{BITCOIN}]")),
        Some("/v1/coins") => Reply::json(
            r#"[{"id":"btc-bitcoin","name":"Bitcoin","symbol":"BTC","rank":1,"is_new":false,
"is_active":true,"type":"coin"}]"#,
        ),
        _ => Reply::json("[]"),
    }
}

const BITCOIN: &str = r#"{"id":"btc-bitcoin","name":"Bitcoin","symbol":"BTC","rank":1,
"last_updated":"2024-01-02T03:04:05Z","quotes":{"USD":{"price":45000.25}}}"#;

const SHIBA: &str = r#"{"id":"shib-shiba-inu","name":"Shiba Inu","symbol":"SHIB","rank":15,
"last_updated":"2024-01-02T03:04:05Z","quotes":{"USD":{"price":0.00001023}}}"#;

fn listing(server: &Server, external_id: &str) -> Value {
    let rows = all_rows(server, "&source=coinpaprika");
    let row = rows.iter().find(|row| row["external_id"] == external_id).unwrap();
    get(&format!("{}/listings/{}", server.url, row["id"])).unwrap().json()
}

#[test]
fn a_listing_that_three_sweeps_miss_is_kept_and_marked_and_comes_back_as_the_same() {
    let both = Reply::json(format!("[{BITCOIN},{SHIBA}]"));
    let upstream = TinyUpstream::start(coinpaprika(&both));
    let world = World::new().upstream(&upstream.url).nothing_by_itself();
    let server = world.serve();
    let run = || {
        let call = world.call(&["run", "coinpaprika", "--json"]);
        assert_eq!(call.code, Some(0), "{call:?}");
        let generation = world.stored("coinpaprika").0;
        wait_for("the new generation", || {
            let answer = get(&format!("{}/data?limit=1", server.url)).ok()?;
            let seen: u64 = answer.header("x-generation")?.parse().ok()?;
            (seen >= generation).then_some(())
        });
    };
    run();
    let before = listing(&server, "shib-shiba-inu");
    assert_eq!(before["active"], true, "{before}");
    let contracts = before["contracts"].to_string();
    assert!(contracts.contains("0x95ad61b0a150d79219dcf64e1e6cc01f0b64c4ce"), "{before}");

    upstream.answer(bitcoin_alone);
    for active in [true, true, false, false] {
        run();
        let missing = listing(&server, "shib-shiba-inu");
        assert_eq!((&missing["active"], &missing["id"]), (&active.into(), &before["id"]));
        assert_eq!(missing["price_usd"], before["price_usd"], "kept: {missing}");
        assert!(missing["last_seen_at"].is_string(), "{missing}");
        assert_eq!(listing(&server, "btc-bitcoin")["active"], true);
    }
    upstream.answer(coinpaprika(&both));
    run();
    let after = listing(&server, "shib-shiba-inu");
    for field in ["id", "asset_id", "active", "contracts", "last_seen_at"] {
        assert_eq!(after[field], before[field], "{field}: {after}");
    }
    assert_eq!(server.stop().code, Some(0));
}
