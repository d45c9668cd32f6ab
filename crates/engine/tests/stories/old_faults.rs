//! Faults that were found in services of this kind, each as a story of its own.

mod cursors;
mod values;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kasparro_domain::{Clock as _, DriftKind, ManualClock, RunReason, RunStatus, SourceName};
use kasparro_engine::{Lists, PageRules};
use kasparro_store::DriftFilter;
use kasparro_testkit::{Reply, TinyUpstream};
use serde_json::json;

use crate::rows::{json as answered, page};
use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);

/// One row of CoinGecko's markets, hand-made after the vendor's documents.
fn market(n: u32, hour: u32) -> String {
    let price = f64::from(n + 1) * (1.0 + f64::from((n * 7 + hour * 13) % 50) / 1000.0);
    let supply = 1_000_000 + n * 31;
    let cap = price * f64::from(supply);
    format!(
        r#"{{"id":"coin-{n}","symbol":"c{n}","name":"Coin {n}","current_price":{price:.6},"market_cap":{cap:.0},"market_cap_rank":{},"total_volume":{:.0},"price_change_percentage_24h":{:.5},"circulating_supply":{supply}.0,"last_updated":"2025-12-31T{hour:02}:{:02}:10.123Z"}}"#,
        n + 1,
        cap / 20.0,
        f64::from((n + hour) % 9) - 4.37,
        n % 50,
    )
}

fn markets(count: u32, hour: u32) -> String {
    page(&(0..count).map(|n| market(n, hour)).collect::<Vec<_>>())
}

/// A world that asks for one page of markets, and has seen a few healthy hours of it.
async fn healthy(upstream: &TinyUpstream) -> World {
    let mut world =
        World::new(Some(upstream.url.clone()), vec![("coingecko", json!({"pages": 1}))]);
    world.page_rules = PageRules::default();
    for hour in 10..15 {
        let body = markets(100, hour);
        upstream.answer(move |_| answered(&body));
        let run = world.run("coingecko").await;
        assert_eq!(run.status, RunStatus::Success, "{run:?}");
        world.clock.advance(HOUR);
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_not_recorded_as_success_with_zero_records() {
    let upstream = TinyUpstream::start(|_| answered("[]"));
    let world = healthy(&upstream).await;
    upstream.answer(|_| Reply::of("503 Service Unavailable", "text/plain", "away"));
    let run = world.run("coingecko").await;
    assert_eq!((run.status, run.counts.received), (RunStatus::Failed, 0));
    assert_eq!(run.error.unwrap().code, "server_error");
    let alerts = world.store.alerts(10).await.unwrap();
    let codes: Vec<&str> = alerts.iter().map(|alert| alert.alert.code.as_str()).collect();
    assert!(codes.contains(&"run_failed"), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drift_detector_does_not_alarm_on_healthy_payloads_and_sees_a_type_change() {
    let upstream = TinyUpstream::start(|_| answered("[]"));
    let world = healthy(&upstream).await;
    assert_eq!(world.store.drift(DriftFilter::default()).await.unwrap(), []);
    let retyped =
        markets(100, 15).replace("\"market_cap_rank\":", "\"market_cap_rank\":true,\"rank\":");
    upstream.answer(move |_| answered(&retyped));
    world.run("coingecko").await;
    let found = world.store.drift(DriftFilter::default()).await.unwrap();
    let kinds: Vec<_> =
        found.iter().map(|row| (row.event.key.kind, row.event.key.pointer.as_str())).collect();
    assert!(kinds.contains(&(DriftKind::TypeChanged, "/market_cap_rank")), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn market_cap_is_not_renamed_to_its_sibling_market_cap_rank() {
    let upstream = TinyUpstream::start(|_| answered("[]"));
    let world = healthy(&upstream).await;
    let rows: Vec<String> = (0..100)
        .map(|n| {
            let row: serde_json::Value = serde_json::from_str(&market(n, 15)).unwrap();
            let mut members = row.as_object().unwrap().clone();
            members.remove("market_cap");
            serde_json::Value::Object(members).to_string()
        })
        .collect();
    let body = page(&rows);
    upstream.answer(move |_| answered(&body));
    let run = world.run("coingecko").await;
    assert_eq!(run.error.unwrap().code, "drift");
    let found = world.store.drift(DriftFilter::default()).await.unwrap();
    let seen: Vec<_> =
        found.iter().map(|row| (row.event.key.kind, row.event.key.pointer.as_str())).collect();
    assert_eq!(seen, [(DriftKind::FieldRemoved, "/market_cap")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_limit_lets_a_double_burst_through() {
    let sent: Arc<Mutex<Vec<i64>>> = Arc::default();
    let upstream = TinyUpstream::start(|_| answered("[]"));
    let mut world =
        World::new(Some(upstream.url.clone()), vec![("coingecko", json!({"pages": 4}))]);
    world.requests_per_minute = 5;
    let (noted, clock): (_, Arc<ManualClock>) = (Arc::clone(&sent), Arc::clone(&world.clock));
    let body = markets(250, 10);
    upstream.answer(move |_| {
        noted.lock().unwrap().push(clock.now().as_millis());
        answered(&body)
    });
    let engine = world.engine().await;
    let source = [SourceName::new("coingecko")];
    for pause in [0, 50, 9, 0, 31, 58] {
        world.clock.advance(Duration::from_secs(pause));
        let runs = engine.run_now(&source, RunReason::Manual, Lists::Due).await.unwrap();
        assert_eq!(runs[0].status, RunStatus::Success);
    }
    world.prove().await;
    let sent = sent.lock().unwrap().clone();
    assert_eq!(sent.len(), 24);
    for (place, first) in sent.iter().enumerate() {
        let within = sent[place..].iter().take_while(|at| **at - first < 60_000).count();
        assert!(within <= 5, "{within} requests within a minute: {sent:?}");
    }
}
