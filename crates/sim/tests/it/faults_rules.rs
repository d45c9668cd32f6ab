//! Which requests a rule is about, when it fires, and how a plan ends.

use serde_json::json;

use crate::client::{Running, start, start_with};
use kasparro_sim::{FaultPlan, HiddenLimits, SimSettings};

async fn statuses(running: &Running, target: &str, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(running.get(target).await.status);
    }
    statuses
}

#[tokio::test]
async fn from_and_times_count_the_requests_that_match() {
    let running = start_with(1, 20).await;
    let rule = json!({"path": "/v1/tickers", "from": 2, "times": 3, "status": 500});
    running.play(json!({ "rules": [rule] })).await;
    running.get("/v1/coins").await;
    assert_eq!(statuses(&running, "/v1/tickers", 7).await, [200, 200, 500, 500, 500, 200, 200]);
    let told = running.get("/_sim/faults").await.json();
    assert_eq!(told["seed"], 1);
    assert_eq!(
        told["rules"],
        json!([{"path": "/v1/tickers", "from": 2, "times": 3, "status": 500,
                "matched": 7, "fired": 3}])
    );
    assert_eq!(running.simulator.faults_fired(), [3]);
}

#[tokio::test]
async fn the_first_rule_that_is_due_decides_and_every_rule_counts() {
    let running = start_with(1, 20).await;
    running
        .play(json!([
            {"path": "/v1/*", "times": 1, "status": 500},
            {"path": "/v1/tickers", "from": 1, "times": 1, "status": 502},
            {"path": "/v1/tickers", "times": 1, "status": 503},
        ]))
        .await;
    assert_eq!(statuses(&running, "/v1/tickers", 4).await, [500, 502, 503, 200]);
    assert_eq!(running.fired().await, [1, 1, 1]);
}

#[tokio::test]
async fn a_rule_is_about_its_path_and_parameters_only() {
    let running = start_with(1, 20).await;
    running
        .play(json!([
            {"path": "/api/v3/coins/markets", "query": {"page": 2, "vs_currency": "usd"}, "status": 500},
            {"path": "/v1/c*", "status": 502},
        ]))
        .await;
    for (target, status) in [
        ("/api/v3/coins/markets?vs_currency=usd&page=2", 500),
        ("/api/v3/coins/markets?page=%32&per_page=5&vs_currency=usd", 500),
        ("/api/v3/coins/markets?vs_currency=usd&page=1", 200),
        ("/api/v3/coins/markets?vs_currency=usd", 200),
        ("/api/v3/coins/list?page=2&vs_currency=usd", 200),
        ("/v1/coins", 502),
        ("/v1/contracts/eth-ethereum", 502),
        ("/v1/tickers", 200),
    ] {
        assert_eq!(running.get(target).await.status, status, "{target}");
    }
    let head = running.ask("HEAD", "/v1/coins", "", "").await;
    assert_eq!(head.status, 200, "only GET meets faults");
    assert_eq!(running.fired().await, [2, 2]);
}

/// Which of a hundred requests met a rule of this seed and probability.
async fn met(running: &Running, seed: u64, probability: f64) -> Vec<bool> {
    let rule = json!({"path": "/v1/coins", "probability": probability, "status": 500});
    running.play(json!({ "seed": seed, "rules": [rule] })).await;
    let statuses = statuses(running, "/v1/coins", 100).await;
    statuses.into_iter().map(|status| status == 500).collect()
}

#[tokio::test]
async fn a_probability_falls_the_same_way_for_the_same_seed_and_requests() {
    let running = start_with(1, 5).await;
    let first = met(&running, 7, 0.5).await;
    let count = first.iter().filter(|met| **met).count();
    assert!((30..=70).contains(&count), "{count}");
    assert_eq!(running.fired().await, [count as u64]);
    let other = start_with(99, 50).await;
    assert_eq!(met(&other, 7, 0.5).await, first);
    assert_eq!(met(&running, 7, 0.5).await, first, "a plan that is put again begins anew");
    assert_ne!(met(&running, 8, 0.5).await, first);
    assert!(met(&running, 7, 0.0).await.iter().all(|met| !met));
    assert!(met(&running, 7, 1.0).await.iter().all(|met| *met));
    let fewer = met(&running, 7, 0.2).await;
    assert!(fewer.iter().zip(&first).all(|(fewer, first)| !fewer || *first));
}

#[tokio::test]
async fn an_empty_plan_heals() {
    for empty in ["[]", r#"{"rules":[]}"#, r#"{"seed":3,"rules":[]}"#] {
        let running = start_with(1, 20).await;
        let right = running.get("/v1/tickers").await;
        running.play(json!([{"path": "*", "status": 500}, {"path": "*", "reset": true}])).await;
        assert_eq!(running.get("/v1/tickers").await.status, 500);
        let reply = running.ask("PUT", "/_sim/faults", "", empty).await;
        assert_eq!((reply.status, reply.json()), (200, json!({"rules": 0})));
        let healed = running.get("/v1/tickers").await;
        assert_eq!((healed.status, healed.text()), (200, right.text()));
        assert_eq!(running.get("/_sim/faults").await.json()["rules"], json!([]));
        let ledger = running.simulator.ledger();
        assert_eq!(ledger[0].rows, ledger[2].rows);
    }
}

#[tokio::test]
async fn a_plan_can_be_there_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    std::fs::write(&path, r#"[{"path":"/v1/coins","times":1,"empty":true}]"#).unwrap();
    let settings = SimSettings { coins: 20, faults: Some(path), ..SimSettings::default() };
    let running = start(settings).await;
    assert_eq!(running.get("/v1/coins").await.text(), "[]");
    assert_ne!(running.get("/v1/coins").await.text(), "[]");
    assert_eq!(running.fired().await, [1]);
    running.simulator.set_faults(FaultPlan::default());
    assert_eq!(running.simulator.faults_fired(), [0; 0]);
}

#[test]
fn the_plans_in_the_documents_are_understood() {
    let text = include_str!("../../../../docs/SIMULATOR.md");
    let blocks = text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let blocks: Vec<&[u8]> = blocks.map(str::as_bytes).collect();
    let is_plan = |block: &&[u8]| block.starts_with(b"[") || block.starts_with(b"{\"seed\"");
    let (limits, faults): (Vec<&[u8]>, Vec<&[u8]>) = blocks
        .into_iter()
        .filter(is_plan)
        .partition(|block| block.windows(8).any(|text| text == b"\"window\""));
    let rules: Vec<usize> =
        faults.into_iter().map(|plan| FaultPlan::parse(plan).unwrap().rule_count()).collect();
    assert_eq!(rules, [1, 2, 1]);
    let rules: Vec<usize> =
        limits.into_iter().map(|plan| HiddenLimits::parse(plan).unwrap().rule_count()).collect();
    assert_eq!(rules, [3]);
}
