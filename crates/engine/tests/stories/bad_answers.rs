//! What upstreams send instead of data: each costs its run, says why, and nothing else.

use kasparro_domain::{RunCounts, RunStatus};
use kasparro_engine::Lists;

use kasparro_testkit::{Reply, TinyUpstream, closed_port};

use crate::rows::{json, page, ticker};
use crate::world::World;

/// Runs CoinPaprika against a script that must fail, and checks what every failure has in common.
async fn fails_with(script: Vec<Reply>, code: &str, requests: u64) {
    let upstream = TinyUpstream::script(script);
    let world = World::tickers(upstream.url.clone());
    let run = world.run("coinpaprika").await;
    let error = run.error.clone().unwrap();
    assert_eq!((run.status, error.code.as_str()), (RunStatus::Failed, code), "{error:?}");
    assert!(!error.message.is_empty() && !error.hint.is_empty(), "{error:?}");
    assert_eq!(run.counts, RunCounts::default());
    assert_eq!(run.requests, requests);
    let source = kasparro_domain::SourceName::new("coinpaprika");
    let memory = world.store.memory(&source).await.unwrap();
    assert!(memory.checkpoint.is_none() && memory.listings.is_empty());
    assert!(world.store.landed_pages(&source).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn n5_truncated_json_is_refused_and_asked_for_again() {
    let whole = page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]);
    fails_with(vec![json(&whole[..whole.len() - 1])], "truncated", 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n9_a_web_page_with_status_200_is_not_data() {
    let html = b"<!DOCTYPE html><html><body>Just a moment</body></html>";
    fails_with(vec![Reply::of("200 OK", "text/html", html)], "not_json", 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n9_an_empty_list_is_no_success() {
    fails_with(vec![json("[]")], "empty_answer", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n15_a_refused_key_is_not_asked_with_again() {
    let answer = Reply::of("403 Forbidden", "application/json", br#"{"error":"invalid key"}"#);
    fails_with(vec![answer], "key_refused", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n14_a_server_error_is_asked_for_again() {
    let good = json(&page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]));
    let bad = Reply::of("503 Service Unavailable", "text/plain", "down");
    let upstream = TinyUpstream::script(vec![bad.clone(), bad, good]);
    let world = World::tickers(upstream.url.clone());
    let run = world.run("coinpaprika").await;
    assert_eq!((run.status, run.requests, run.counts.inserted), (RunStatus::Success, 3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn n13_a_wait_of_more_than_a_quarter_of_an_hour_ends_the_run() {
    let answer = Reply::of("429 Too Many Requests", "application/json", "{}")
        .with_header("Retry-After: 901");
    fails_with(vec![answer], "rate_limited", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n4_a_body_that_breaks_off_is_never_taken_as_whole() {
    let answer = json(&page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")])).broken_off(40);
    fails_with(vec![answer], "transfer_failed", 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n7_a_body_above_the_cap_is_cut_off() {
    let rows: Vec<_> =
        (0..4000).map(|n| ticker(&format!("coin-{n}"), n, "1", "2025-12-31T23:00:00Z")).collect();
    fails_with(vec![json(&page(&rows))], "body_too_large", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n10_a_redirect_to_another_origin_is_not_followed_and_no_key_is_sent_there() {
    let canary = TinyUpstream::script(vec![json("[]")]);
    let location = format!("Location: {}/v1/tickers", canary.url);
    let upstream =
        TinyUpstream::script([Reply::of("302 Found", "text/plain", "").with_header(location)]);
    let world = World::tickers(upstream.url.clone());
    let run = world.run("coinpaprika").await;
    assert_eq!(run.error.unwrap().code, "redirect_refused");
    assert!(canary.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn n1_a_closed_port_is_a_failed_run() {
    let world = World::tickers(closed_port());
    let run = world.run("coinpaprika").await;
    assert_eq!(
        (run.status, run.error.unwrap().code.as_str()),
        (RunStatus::Failed, "connect_failed")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn d2_one_impossible_number_costs_its_row_and_not_the_page() {
    let at = "2025-12-31T23:00:00Z";
    let rows = ["1", "1e400", "-1", "NaN", "3.84e-18"]
        .iter()
        .enumerate()
        .map(|(n, price)| ticker(&format!("coin-{n}"), 1, price, at))
        .collect::<Vec<_>>();
    let upstream = TinyUpstream::script(vec![json(&page(&rows))]);
    let world = World::tickers(upstream.url.clone());
    let run = world.run("coinpaprika").await;
    assert_eq!(run.status, RunStatus::Success);
    assert_eq!((run.counts.received, run.counts.inserted, run.counts.quarantined), (5, 2, 3));
    assert!(run.counts.balanced());
}

#[tokio::test(flavor = "multi_thread")]
async fn i10_nothing_is_asked_before_the_time_the_upstream_named() {
    let limited = Reply::of("429 Too Many Requests", "application/json", "{}");
    let good = json(&page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]));
    let upstream = TinyUpstream::script([limited.with_header("Retry-After: 3600"), good]);
    let world = World::tickers(upstream.url.clone());
    let engine = world.engine().await;
    let source = [kasparro_domain::SourceName::new("coinpaprika")];
    let reason = kasparro_domain::RunReason::Manual;
    for _ in 0..2 {
        let run = engine.run_now(&source, reason, Lists::Due).await.unwrap().remove(0);
        assert_eq!(run.error.unwrap().code, "rate_limited");
    }
    assert_eq!(upstream.asked().len(), 1);
    world.clock.advance(std::time::Duration::from_secs(3601));
    let run = engine.run_now(&source, reason, Lists::Due).await.unwrap().remove(0);
    assert_eq!((run.status, upstream.asked().len()), (RunStatus::Success, 2));
    world.prove().await;
}
