//! The paths below `/_sim`, and how a simulator begins and ends.

use std::time::Duration;

use kasparro_domain::Timestamp;
use kasparro_sim::SimSettings;

use crate::client::{start, start_with};

#[tokio::test]
async fn the_step_moves_only_when_told() {
    let running = start_with(1, 50).await;
    for _ in 0..3 {
        running.get("/v1/tickers").await;
    }
    assert_eq!(running.simulator.current_step(), 0);
    let reply = running.post_step("").await;
    assert_eq!((reply.status, reply.text()), (200, r#"{"at":"2026-01-01T00:01:00Z","step":1}"#));
    assert_eq!(running.post_step("{}").await.json()["step"], 2);
    assert_eq!(running.post_step(r#"{"step":10}"#).await.json()["step"], 10);
    assert_eq!(running.simulator.now().to_string(), "2026-01-01T00:10:00Z");
    for body in ["x", r#"{"step":-1}"#, r#"{"steps":1}"#, r#"{"step":99999999999}"#] {
        let reply = running.post_step(body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        assert!(reply.json()["hint"].as_str().unwrap().contains("step"));
    }
    assert_eq!(running.simulator.current_step(), 10);
    assert_eq!(running.ask("GET", "/_sim/step", "", "").await.status, 405);
}

#[tokio::test]
async fn the_base_instant_and_the_span_of_a_step_can_be_set() {
    let base_at = Timestamp::parse("2030-05-06T07:08:09Z").unwrap();
    let step_span = Duration::from_secs(5);
    let running =
        start(SimSettings { coins: 200, base_at, step_span, ..SimSettings::default() }).await;
    assert_eq!(running.post_step("").await.json()["at"], "2030-05-06T07:08:14Z");
    for row in running.get("/v1/tickers").await.objects() {
        let updated_at = Timestamp::parse(row["last_updated"].as_str().unwrap()).unwrap();
        let age = running.simulator.now().since(updated_at);
        assert!(updated_at <= running.simulator.now() && age <= Duration::from_secs(1_021));
    }
}

#[tokio::test]
async fn the_last_possible_step_is_still_answered() {
    let running = start_with(1, 300).await;
    assert_eq!(running.simulator.set_step(u64::MAX), 1_000_000_000);
    assert_eq!(running.simulator.step(), 1_000_000_000);
    assert_eq!(running.get("/v1/tickers").await.objects().len(), 300);
    assert_eq!(running.get("/api/v3/coins/markets?vs_currency=usd").await.status, 200);
    assert_eq!(running.get("/feed/rss.xml").await.status, 200);
}

#[tokio::test]
async fn the_step_moves_by_itself_where_an_interval_is_set() {
    let step_every = Some(Duration::from_millis(1));
    let running = start(SimSettings { coins: 1, step_every, ..SimSettings::default() }).await;
    tokio::time::timeout(Duration::from_secs(30), async {
        while running.simulator.current_step() < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn requests_are_counted_and_listed() {
    let running = start_with(1, 50).await;
    running.get("/v1/tickers?quotes=USD").await;
    running.get("/nowhere").await;
    running.post_step("").await;
    let requests = running.get("/_sim/requests").await.json();
    assert_eq!(requests["count"], 2);
    assert_eq!(requests["requests"][0]["path"], "/v1/tickers");
    assert_eq!(requests["requests"][0]["query"], "quotes=USD");
    assert_eq!(requests["requests"][1]["request"], 2);
    assert_eq!(requests["requests"][1]["status"], 404);
    assert_eq!(running.simulator.request_count(), 2);
}

#[tokio::test]
async fn serving_ends_with_the_shutdown() {
    let running = start_with(1, 50).await;
    running.get("/v1/coins").await;
    running.shutdown.cancel();
    running.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/ledger.jsonl");
    let running = start(SimSettings { ledger: Some(path.clone()), ..SimSettings::default() }).await;
    let error = running.serving.await.unwrap().unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}
