//! The captured bodies that `KASPARRO_REAL_DATA` names, where it does.

use std::path::PathBuf;

use kasparro_sim::SimSettings;

use crate::client::{Running, start};
use crate::ledger::hash;

#[expect(clippy::disallowed_methods, reason = "only the environment says where the captures are")]
#[expect(clippy::print_stdout, reason = "a test without its data says that it is skipped")]
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("KASPARRO_REAL_DATA").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: KASPARRO_REAL_DATA names no folder");
    }
    folder
}

/// Rows of a path at the first steps, which the ledger has too.
async fn rows(running: &Running, target: &str, steps: u64) -> Vec<usize> {
    let mut counts = Vec::new();
    for step in 0..steps {
        running.simulator.set_step(step);
        let reply = running.get(target).await;
        assert_eq!(reply.status, 200, "{target} at {step}");
        let served = reply.rows();
        let entry = running.simulator.ledger().pop().unwrap();
        assert!(entry.completed);
        // Platform ids are no rows. One coin of 2022-02-23 has the id "".
        if target != "/v1/contracts" {
            let noted: Vec<(&str, &str)> =
                entry.rows.iter().map(|row| (&*row.external_id, &*row.sha256)).collect();
            let objects = reply.objects();
            let hashes: Vec<String> = served.iter().map(|row| hash(row)).collect();
            let ids = objects.iter().map(|row| row["id"].as_str().unwrap());
            assert!(ids.zip(hashes.iter().map(String::as_str)).eq(noted), "{target} at {step}");
        }
        counts.push(served.len());
    }
    counts
}

#[tokio::test]
async fn real_captures_are_served_step_by_step() {
    let Some(folder) = folder() else { return };
    let running = start(SimSettings { replay: Some(folder), ..SimSettings::default() }).await;
    let markets = "/api/v3/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=250";
    assert_eq!(rows(&running, &format!("{markets}&page=1"), 3).await, [250, 250, 250]);
    let mut ids = Vec::new();
    for step in 0..3 {
        running.simulator.set_step(step);
        let reply = running.get(&format!("{markets}&page=1")).await;
        let updated = reply.objects()[0]["last_updated"].as_str().unwrap().to_owned();
        ids.push(updated.get(..10).unwrap().to_owned());
        assert!(reply.headers["etag"].starts_with("W/\""));
    }
    assert_eq!(ids, ["2022-01-29", "2022-02-23", "2022-02-23"]);
    assert_eq!(rows(&running, &format!("{markets}&page=2"), 2).await, [0, 0]);
    assert_eq!(
        rows(&running, "/api/v3/coins/list?include_platform=true", 6).await,
        [12_387, 12_280, 12_794, 12_868, 17_589, 17_589]
    );
    assert_eq!(rows(&running, "/v1/tickers?quotes=USD", 2).await, [3_795, 3_795]);
    assert_eq!(rows(&running, "/v1/coins", 1).await, [7_250]);
    assert_eq!(rows(&running, "/v1/contracts", 1).await, [34]);
    assert_eq!(rows(&running, "/v1/contracts/eth-ethereum", 1).await, [3_627]);
    assert_eq!(rows(&running, "/v1/contracts/none", 1).await, [0]);
    assert_eq!(running.get("/v1/coins/btc-bitcoin").await.json()["id"], "btc-bitcoin");
}

/// Every capture with an address, asked for as it was captured, is served or stands behind another one.
#[tokio::test]
async fn every_real_capture_is_what_its_manifest_says() {
    let Some(folder) = folder() else { return };
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    let entries: Vec<serde_json::Value> = serde_json::from_slice(&manifest).unwrap();
    let running = start(SimSettings { replay: Some(folder), ..SimSettings::default() }).await;
    let mut found = std::collections::BTreeSet::new();
    let mut wanted = std::collections::BTreeSet::new();
    for entry in entries {
        let Some(url) = entry["request_url"].as_str() else { continue };
        let target = url.split_once("://").unwrap().1;
        let target = &target[target.find('/').unwrap()..];
        if entry["http_status"] == 200 {
            wanted.insert(entry["sha256_uncompressed"].as_str().unwrap().to_owned());
        }
        for step in 0..5 {
            running.simulator.set_step(step);
            let reply = running.get(target).await;
            assert!(reply.status < 500, "{target}: {}", reply.text());
            found.insert(hash(reply.text()));
        }
    }
    assert!(wanted.len() > 100);
    assert_eq!(wanted.difference(&found).count(), 0);
}

#[tokio::test]
async fn real_csv_files_are_served_to_the_record() {
    let Some(folder) = folder() else { return };
    let running = start(SimSettings { replay: Some(folder), ..SimSettings::default() }).await;
    for (name, records, bytes) in [
        ("coin_gecko_2022-03-16", 500, 35_363),
        ("coingecko_market_chart_2021_daily_2496_coins", 676_703, 70_634_518),
    ] {
        let reply = running.get(&format!("/csv/{name}.csv")).await;
        assert_eq!((reply.status, reply.body.len()), (200, bytes), "{name}");
        let entry = running.simulator.ledger().pop().unwrap();
        assert_eq!((entry.rows.len(), entry.completed), (records, true), "{name}");
    }
}
