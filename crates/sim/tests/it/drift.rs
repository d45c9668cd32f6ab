//! Rows as they would be after a change at the vendor, over real HTTP.

use std::collections::BTreeSet;

use kasparro_sim::LedgerEntry;
use serde_json::{Value, json};

use crate::client::{Reply, Running, start_with};
use crate::ledger::hash;

const TICKERS: &str = "/v1/tickers";
const MARKETS: &str = "/api/v3/coins/markets?vs_currency=usd&per_page=250";

/// The answer of `target` under a drift, and the ledger's line of it.
async fn drifted(running: &Running, target: &str, drift: Value) -> (Reply, LedgerEntry) {
    running.play(json!([{"path": "*", "drift": drift}])).await;
    let reply = running.get(target).await;
    (reply, running.simulator.ledger().pop().unwrap())
}

#[tokio::test]
async fn a_member_changes_in_every_row_and_all_else_keeps_its_bytes() {
    let running = start_with(1, 80).await;
    let right = running.get(TICKERS).await;
    let rename = json!({"mutation": "rename", "member": "/quotes/USD/price", "to": "last"});
    let (reply, entry) = drifted(&running, TICKERS, rename).await;
    assert!(reply.text() == right.text().replace("{\"price\":", "{\"last\":"));
    assert!(!reply.headers.contains_key("last-modified"));
    let hashes: Vec<String> = reply.rows().into_iter().map(hash).collect();
    assert!(entry.rows.iter().map(|row| &row.sha256).eq(&hashes));
    assert_eq!((entry.rows.len(), &*entry.rows[0].external_id), (80, "btc-bitcoin"));

    for (drift, pointer, wanted) in [
        (json!({"mutation": "remove", "member": "/rank"}), "/rank", None),
        (json!({"mutation": "add", "member": "/tier", "value": [1]}), "/tier", Some(json!([1]))),
        (json!({"mutation": "null", "member": "/rank"}), "/rank", Some(Value::Null)),
        (json!({"mutation": "zero", "member": "/rank"}), "/rank", Some(json!(0))),
        (json!({"mutation": "retype", "member": "/rank"}), "/rank", Some(json!("1"))),
        (json!({"mutation": "nest", "member": "/rank"}), "/rank/value", Some(json!(1))),
        (
            json!({"mutation": "unit", "member": "/rank", "factor": 1e6}),
            "/rank",
            Some(json!(1_000_000)),
        ),
        (
            json!({"mutation": "instants", "member": "/last_updated", "to": "epoch"}),
            "/last_updated",
            Some(json!("1970-01-01T00:00:00Z")),
        ),
    ] {
        let (reply, _) = drifted(&running, TICKERS, drift.clone()).await;
        let rows = reply.objects();
        assert_eq!(rows[0].pointer(pointer), wanted.as_ref(), "{drift}");
        assert_eq!((rows.len(), &rows[0]["name"]), (80, &json!("Bitcoin")), "{drift}");
    }
    let fired = running.fired().await;
    assert_eq!(fired, [1]);
    let requests = running.get("/_sim/requests").await.json();
    assert_eq!(requests["requests"][1]["fault"], "drift");
}

#[tokio::test]
async fn prices_are_inverted_and_lose_their_digits() {
    let running = start_with(1, 80).await;
    let prices = |reply: &Reply| -> Vec<f64> {
        let price = |row: Value| row["current_price"].as_f64();
        reply.objects().into_iter().filter_map(price).collect()
    };
    let right = prices(&running.get(MARKETS).await);
    let invert = json!({"mutation": "invert", "member": "/current_price"});
    let inverted = prices(&drifted(&running, MARKETS, invert).await.0);
    let rounded = json!({"mutation": "precision", "member": "/current_price", "digits": 2});
    let rounded = prices(&drifted(&running, MARKETS, rounded).await.0);
    let cents = json!({"mutation": "precision", "member": "/current_price", "decimals": 2});
    let cents = prices(&drifted(&running, MARKETS, cents).await.0);
    assert!(right.len() > 70);
    for (place, price) in right.iter().enumerate() {
        assert!((inverted[place] * price - 1.0).abs() < 1e-9);
        assert!((rounded[place] / price - 1.0).abs() <= 0.051, "{price} {}", rounded[place]);
        assert!((cents[place] - price).abs() <= 0.005_001);
    }
    assert!(rounded.iter().zip(&right).filter(|(left, right)| left != right).count() > 60);
}

#[tokio::test]
async fn a_share_is_always_the_same_rows_and_changes_of_one_rule_add_up() {
    let running = start_with(1, 400).await;
    let bad = json!([
        {"mutation": "bad_rows", "member": "/quotes/USD/price", "share": 0.25},
        {"mutation": "rename", "member": "/symbol", "to": "ticker"}
    ]);
    let broken = |reply: &Reply| -> BTreeSet<String> {
        let rows = reply.objects();
        assert!(rows.iter().all(|row| row["ticker"].is_string() && row.get("symbol").is_none()));
        let bad = rows.iter().filter(|row| row["quotes"]["USD"]["price"] == "no such value");
        bad.map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = broken(&drifted(&running, TICKERS, bad.clone()).await.0);
    assert!((60..140).contains(&first.len()), "{}", first.len());
    running.simulator.step();
    assert_eq!(broken(&running.get(TICKERS).await), first);
    running.play(json!({"seed": 2, "rules": [{"path": "*", "drift": bad}]})).await;
    assert_ne!(broken(&running.get(TICKERS).await), first);
}

#[tokio::test]
async fn a_frozen_vendor_repeats_the_step_at_which_it_froze() {
    let running = start_with(1, 60).await;
    running.simulator.set_step(5);
    let fifth = running.get(TICKERS).await;
    let (frozen, _) = drifted(&running, TICKERS, json!({"mutation": "freeze"})).await;
    assert!(frozen.body == fifth.body);
    running.simulator.set_step(50);
    assert!(running.get(TICKERS).await.body == fifth.body);
    let etag = format!("if-none-match: {}\r\n", "W/\"x\"");
    assert_eq!(running.ask("GET", TICKERS, &etag, "").await.status, 200);
    running.simulator.set_step(0);
    running.play(json!([])).await;
    let first = running.get(TICKERS).await;
    running.simulator.set_step(9);
    let (named, _) = drifted(&running, TICKERS, json!({"mutation": "freeze", "step": 0})).await;
    assert!(named.body == first.body);
}

#[tokio::test]
async fn error_pages_come_with_status_200_and_short_answers_are_the_first_rows() {
    let running = start_with(1, 200).await;
    let (page, entry) = drifted(&running, TICKERS, json!({"mutation": "error_page"})).await;
    assert_eq!((page.status, &*page.headers["content-type"]), (200, "text/html; charset=utf-8"));
    assert_eq!(entry.rows.len(), 0);
    let object = json!({"mutation": "error_page", "as": "object"});
    let (page, _) = drifted(&running, TICKERS, object).await;
    assert_eq!((page.status, page.json()), (200, json!({"error": "service unavailable"})));

    running.play(json!([])).await;
    let right = running.get(TICKERS).await;
    for (keep, rows) in [(0.4, 80), (0.0, 0), (1.0, 200), (0.001, 1)] {
        let short = json!({"mutation": "truncate_rows", "keep": keep});
        let (reply, entry) = drifted(&running, TICKERS, short).await;
        assert_eq!(reply.rows(), right.rows()[..rows], "{keep}");
        assert_eq!((entry.rows.len(), entry.completed), (rows, true));
    }
}

#[tokio::test]
async fn files_drift_in_their_own_dialect() {
    let running = start_with(1, 40).await;
    for (path, delimiter, head) in [
        ("/csv/assets.csv", b',', "id,symbol,name,last,market_cap"),
        ("/csv/markets.csv", b';', "\u{feff}slug;Symbol;Name;last;Market Cap"),
    ] {
        let read = |reply: &Reply| -> Vec<csv::StringRecord> {
            let mut reader =
                csv::ReaderBuilder::new().delimiter(delimiter).from_reader(reply.body.as_slice());
            reader.records().map(Result::unwrap).collect()
        };
        running.play(json!([])).await;
        let right = running.get(path).await;
        let member = if delimiter == b',' { "/price_usd" } else { "/Price" };
        let drift = json!([
            {"mutation": "unit", "member": member, "factor": 100},
            {"mutation": "rename", "member": member, "to": "last"}
        ]);
        let (reply, entry) = drifted(&running, path, drift).await;
        assert!(reply.text().starts_with(head), "{}", &reply.text()[..80]);
        let (before, after) = (read(&right), read(&reply));
        assert_eq!((after.len(), entry.rows.len()), (40, 40));
        for (old, new) in before.iter().zip(&after) {
            let price = |record: &csv::StringRecord| record[3].parse::<f64>().unwrap();
            assert!((price(new) / price(old) - 100.0).abs() < 1e-6);
            assert_eq!((&old[0], &old[2], &old[4]), (&new[0], &new[2], &new[4]));
        }
        let end = if delimiter == b',' { "\n" } else { "\r\n" };
        let lines = reply.text().trim_end().split(end).skip(1);
        assert!(lines.map(hash).eq(entry.rows.iter().map(|row| row.sha256.clone())));
        assert_eq!(entry.rows[0].external_id, after[0][0]);
    }
    let (reply, _) =
        drifted(&running, "/csv/prices.csv", json!({"mutation": "remove", "member": "/close"}))
            .await;
    assert!(reply.text().starts_with("ticker,time\n"));
}

#[tokio::test]
async fn a_drift_that_is_not_understood_is_named_by_its_field() {
    let running = start_with(1, 10).await;
    for (drift, field) in [
        (json!(true), "drift"),
        (json!([]), "drift"),
        (json!({}), "drift.mutation"),
        (json!({"mutation": "melt"}), "drift.mutation"),
        (json!({"mutation": "null"}), "drift.member"),
        (json!({"mutation": "null", "member": "rank"}), "drift.member"),
        (json!({"mutation": "null", "member": "/rank", "share": 2}), "drift.share"),
        (json!({"mutation": "null", "member": "/rank", "to": "x"}), "drift.to"),
        (json!({"mutation": "rename", "member": "/rank"}), "drift.to"),
        (json!({"mutation": "rename", "member": "/rank", "to": ""}), "drift.to"),
        (json!({"mutation": "retype", "member": "/rank", "to": "x"}), "drift.to"),
        (json!({"mutation": "unit", "member": "/rank"}), "drift.factor"),
        (json!({"mutation": "unit", "member": "/rank", "factor": 0}), "drift.factor"),
        (json!({"mutation": "instants", "member": "/rank"}), "drift.to"),
        (json!({"mutation": "precision", "member": "/rank"}), "drift.digits"),
        (json!({"mutation": "precision", "member": "/rank", "digits": 0}), "drift.digits"),
        (json!({"mutation": "precision", "member": "/rank", "decimals": 18}), "drift.decimals"),
        (json!({"mutation": "truncate_rows"}), "drift.keep"),
        (json!({"mutation": "error_page", "as": "xml"}), "drift.as"),
        (json!({"mutation": "freeze", "step": -1}), "drift.step"),
        (json!([{"mutation": "freeze"}, {"mutation": "melt"}]), "drift[1].mutation"),
    ] {
        let plan = json!([{"path": "*", "drift": drift}]).to_string();
        let reply = running.ask("PUT", "/_sim/faults", "", &plan).await;
        assert_eq!(reply.status, 400, "{plan}");
        assert_eq!(reply.json()["errors"][0]["field"], format!("rules[0].{field}"), "{plan}");
    }
}
