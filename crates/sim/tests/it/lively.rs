//! A lively market: thirty healthy days that look like real ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kasparro_domain::Timestamp;
use kasparro_sim::SimSettings;
use serde_json::Value;

use crate::client::{Running, start};

const HOUR: Duration = Duration::from_secs(3_600);

async fn lively(coins: u32) -> Running {
    start(SimSettings { coins, lively: true, step_span: HOUR, ..SimSettings::default() }).await
}

async fn by_id(running: &Running, target: &str) -> BTreeMap<String, Value> {
    let rows = running.get(target).await.objects();
    rows.into_iter().map(|row| (row["id"].as_str().unwrap().to_owned(), row)).collect()
}

#[tokio::test]
async fn coins_come_and_go_for_good_and_every_list_agrees() {
    let running = lively(1_000).await;
    let mut seen = BTreeSet::new();
    let mut gone = BTreeSet::new();
    let mut before = BTreeSet::new();
    let (mut came, mut went) = (0, 0);
    for day in 0..=30 {
        running.simulator.set_step(day * 24);
        let tickers = by_id(&running, "/v1/tickers").await;
        let coins = by_id(&running, "/v1/coins").await;
        let now: BTreeSet<String> = tickers.keys().cloned().collect();
        assert!(now.is_disjoint(&gone), "what is gone stays gone");
        assert!(now.iter().all(|id| coins[id]["is_active"] == true));
        for id in before.difference(&now) {
            assert_eq!((&coins[id]["is_active"], &coins[id]["rank"]), (&false.into(), &0.into()));
            gone.insert(id.clone());
            went += 1;
        }
        let new = now.iter().filter(|id| seen.insert((*id).clone())).count();
        came += if day == 0 { 0 } else { new };
        let list = by_id(&running, "/api/v3/coins/list").await;
        let csv = running.get("/csv/assets.csv").await;
        assert_eq!((list.len(), csv.text().lines().count() - 1), (now.len(), now.len()), "{day}");
        before = now;
    }
    assert!((5..40).contains(&came), "{came} came");
    assert!((5..40).contains(&went), "{went} went");
    assert!(seen.len() < 1_000, "some come only later");
}

#[tokio::test]
async fn ranks_follow_the_caps_and_change_places() {
    let running = lively(600).await;
    let mut first = BTreeMap::new();
    for day in [0, 15] {
        running.simulator.set_step(day * 24);
        let rows = running.get("/v1/tickers").await.objects();
        let mut ranked: Vec<(u64, f64, String)> = rows
            .iter()
            .filter(|row| row["rank"] != 0 && row["quotes"]["USD"]["market_cap"] != 0)
            .map(|row| {
                let cap = row["quotes"]["USD"]["market_cap"].as_f64().unwrap();
                (row["rank"].as_u64().unwrap(), cap, row["id"].as_str().unwrap().to_owned())
            })
            .collect();
        ranked.sort_by_key(|(rank, ..)| *rank);
        assert!(ranked.is_sorted_by(|left, right| left.0 < right.0 && left.1 >= right.1));
        let ranks: BTreeMap<String, u64> =
            ranked.into_iter().map(|(rank, _, id)| (id, rank)).collect();
        if day == 0 {
            first = ranks;
        } else {
            let moved = ranks.iter().filter(|(id, rank)| first.get(*id) != Some(rank)).count();
            assert!(moved > ranks.len() / 2, "{moved} of {}", ranks.len());
            assert_eq!(ranks["btc-bitcoin"], 1);
        }
    }
}

#[tokio::test]
async fn days_move_prices_as_real_days_do_and_pegs_hold() {
    let running = lively(500).await;
    let mut moves = Vec::new();
    let mut before: BTreeMap<String, Value> = BTreeMap::new();
    for day in 0..30 {
        running.simulator.set_step(day * 24);
        let now = by_id(&running, "/v1/tickers").await;
        for (id, row) in &now {
            let price = |row: &Value| row["quotes"]["USD"]["price"].as_f64().unwrap();
            assert!(price(row) > 0.0, "{id}");
            let Some(old) = before.get(id) else { continue };
            let change = (price(row) / price(old)).ln().abs();
            if id == "usdt-tether" {
                assert!(change < 0.02, "{change}");
            }
            moves.push(change);
        }
        before = now;
    }
    moves.sort_by(f64::total_cmp);
    let quantile = |percent: usize| moves[moves.len() * percent / 100];
    assert!((0.003..0.06).contains(&quantile(50)), "the median is {}", quantile(50));
    assert!(quantile(99) > 5.0 * quantile(50), "{} {}", quantile(50), quantile(99));
    let updated: BTreeSet<i64> = before
        .values()
        .map(|row| Timestamp::parse(row["last_updated"].as_str().unwrap()).unwrap().as_millis())
        .collect();
    let spread_ms = updated.last().unwrap() - updated.first().unwrap();
    assert!((600_000..1_020_000).contains(&spread_ms), "{spread_ms}");
}

#[tokio::test]
async fn a_calm_market_is_another_one_and_both_repeat_themselves() {
    let (one, other) = (lively(300).await, lively(300).await);
    let settings = SimSettings { coins: 300, step_span: HOUR, ..SimSettings::default() };
    let calm = start(settings).await;
    for running in [&one, &other, &calm] {
        running.simulator.set_step(100);
    }
    other.get("/api/v3/coins/list").await;
    other.simulator.set_step(700);
    other.get("/api/v3/coins/list").await;
    other.simulator.set_step(100);
    for path in ["/v1/tickers", "/api/v3/coins/list", "/api/v3/coins/markets?vs_currency=usd"] {
        let (left, right) = (one.get(path).await, other.get(path).await);
        assert!(left.body == right.body, "{path}");
        let calm = calm.get(path).await;
        assert!(left.body != calm.body, "{path}");
        if let (Some(left), Some(calm)) = (left.headers.get("etag"), calm.headers.get("etag")) {
            assert_ne!(left, calm, "{path}");
        }
    }
}
