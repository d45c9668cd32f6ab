//! What real servers send instead of data: the run fails and says why, and the store stays as it was.

use kasparro_testkit::{Reply, TinyUpstream, closed_port};

use crate::world::{LIST_ROWS, World, all_rows, assert_balanced, coinpaprika, run_of};

/// Two rows made by hand after CoinPaprika's documentation of `/v1/tickers`.
const TICKERS: &str = r#"[
{"id":"btc-bitcoin","name":"Bitcoin","symbol":"BTC","rank":1,"circulating_supply":19000000,
"total_supply":19000000,"max_supply":21000000,"beta_value":0.9,"first_data_at":"2010-07-17T00:00:00Z",
"last_updated":"2024-01-02T03:04:05Z","quotes":{"USD":{"price":45000.25,"volume_24h":1000000000.5,
"volume_24h_change_24h":1,"market_cap":855000000000,"market_cap_change_24h":1,"percent_change_24h":1.5}}},
{"id":"shib-shiba-inu","name":"Shiba Inu","symbol":"SHIB","rank":15,"circulating_supply":589000000000000,
"total_supply":589000000000000,"max_supply":589000000000000,"beta_value":1.1,
"first_data_at":"2020-08-01T00:00:00Z","last_updated":"2024-01-02T03:04:05Z",
"quotes":{"USD":{"price":0.00001023,"volume_24h":100000000,"volume_24h_change_24h":1,
"market_cap":6000000000,"market_cap_change_24h":1,"percent_change_24h":-2.25}}}]"#;

/// A store with those two rows, and then an upstream that answers `reply`: the failed run.
fn failed_run(reply: Reply) -> serde_json::Value {
    let upstream = TinyUpstream::start(coinpaprika(&Reply::json(TICKERS)));
    let world = World::new().upstream(&upstream.url);
    let good = world.call(&["run", "coinpaprika", "--json"]);
    assert_eq!(good.code, Some(0), "{good:?}");
    assert_eq!(run_of(&good.json(), "coinpaprika")["inserted"], 2);
    let before = world.stored("coinpaprika");
    assert!(before.1.is_some(), "a checkpoint was stored");

    upstream.answer(move |_| reply.clone());
    let bad = world.call(&["run", "coinpaprika", "--json"]);
    assert_eq!(bad.code, Some(1), "{bad:?}");
    let run = run_of(&bad.json(), "coinpaprika");
    assert_eq!(run["status"], "failed", "{run}");
    assert_eq!(run["received"], 0, "{run}");
    assert_balanced(&run);
    for part in ["code", "message", "hint"] {
        assert!(!run["error"][part].as_str().unwrap().is_empty(), "{part}: {run}");
    }
    assert_eq!(world.stored("coinpaprika"), before, "data and checkpoint stay");

    // The next run is not in its way.
    upstream.answer(coinpaprika(&Reply::json(TICKERS)));
    let healed = world.call(&["run", "coinpaprika", "--json"]);
    let healed = run_of(&healed.json(), "coinpaprika");
    // Two tickers, and two rows of the list of coins.
    assert_eq!(
        (&healed["status"], &healed["unchanged"]),
        (&"success".into(), &4.into()),
        "{healed}"
    );
    let world = world.nothing_by_itself();
    let server = world.serve();
    assert_eq!(all_rows(&server, "").len(), 2);
    run
}

#[test]
fn html_instead_of_json_fails_the_run() {
    let page = "<!DOCTYPE html><html><body>Just a moment...</body></html>";
    failed_run(Reply::of("200 OK", "text/html; charset=utf-8", page));
}

#[test]
fn json_that_ends_early_fails_the_run_and_brings_no_row() {
    failed_run(Reply::json(&TICKERS[..TICKERS.len() / 2 + 200]));
}

#[test]
fn a_connection_that_breaks_off_fails_the_run_and_brings_no_row() {
    let run = failed_run(Reply::json(TICKERS).broken_off(700));
    assert_eq!(run["error"]["code"], "transfer_failed", "{run}");
}

#[test]
fn an_error_object_with_status_200_fails_the_run() {
    failed_run(Reply::json(r#"{"error":"something went wrong"}"#));
}

#[test]
fn an_empty_list_is_no_success() {
    failed_run(Reply::json("[]"));
}

#[test]
fn a_server_error_fails_the_run() {
    failed_run(Reply::of("503 Service Unavailable", "text/plain", "try later"));
}

#[test]
fn a_list_of_something_else_stores_nothing_as_a_quote() {
    let odd = Reply::json(r#"[1,null,{"id":7},"btc"]"#);
    let upstream = TinyUpstream::start(coinpaprika(&odd));
    let world = World::new().upstream(&upstream.url);
    let run = world.call(&["run", "coinpaprika", "--json"]);
    let run = run_of(&run.json(), "coinpaprika");
    assert_balanced(&run);
    let rows = (&(4 + LIST_ROWS).into(), &4.into());
    assert_eq!((&run["received"], &run["quarantined"]), rows, "{run}");
    let world = world.nothing_by_itself();
    let server = world.serve();
    assert_eq!(all_rows(&server, ""), Vec::<serde_json::Value>::new());
}

#[test]
fn coingecko_says_429_in_a_body_and_the_run_says_so() {
    let body = r#"{"status":{"error_code":429,"error_message":"You've exceeded the Rate Limit."}}"#;
    let upstream =
        TinyUpstream::start(move |_| Reply::of("429 Too Many Requests", "application/json", body));
    let world = World::new().upstream(&upstream.url);
    let run = world.call(&["run", "coingecko", "--json"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(run_of(&run.json(), "coingecko")["error"]["code"], "rate_limited");
}

#[test]
fn one_source_fails_alone() {
    let upstream = TinyUpstream::start(coinpaprika(&Reply::json(TICKERS)));
    let world =
        World::new().upstream(&upstream.url).with("KASPARRO_SOURCES__CSV__PATHS", "missing.csv");
    let some = world.call(&["run", "coinpaprika", "csv", "--json"]);
    assert_eq!(some.code, Some(4), "{some:?}");
    let document = some.json();
    assert_eq!(run_of(&document, "coinpaprika")["status"], "success");
    let csv = run_of(&document, "csv");
    assert_eq!(
        (&csv["status"], &csv["error"]["code"]),
        (&"failed".into(), &"file_missing".into()),
        "{csv}"
    );
}

#[test]
fn every_source_that_fails_makes_the_command_fail() {
    let world =
        World::new().upstream(&closed_port()).with("KASPARRO_SOURCES__CSV__PATHS", "missing.csv");
    let all = world.call(&["run"]);
    assert_eq!(all.code, Some(1), "{all:?}");
    for part in ["connect_failed", "file_missing", "missing.csv"] {
        assert!(all.stdout.contains(part), "{part}: {}", all.stdout);
    }
}
