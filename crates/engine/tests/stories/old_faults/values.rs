//! What became of single values: rows that failed their batch, prices that became zero, coins that were
//! taken for others, keys that were logged.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use kasparro_domain::{Decimal, Generation, RejectionReason, RunStatus};
use kasparro_store::{ListingRow, QuarantineFilter};
use kasparro_testkit::{Reply, TinyUpstream};
use serde_json::{Value, json};

use super::{market, markets};
use crate::rows::{json as answered, page, ticker};
use crate::world::World;

/// The first market with another value of one member, as text.
fn with(member: &str, value: &str) -> String {
    let row: Value = serde_json::from_str(&market(0, 10)).unwrap();
    let members = row.as_object().unwrap().iter().map(|(name, before)| {
        let value = if name == member { value.to_owned() } else { before.to_string() };
        format!("\"{name}\":{value}")
    });
    assert!(!row[member].is_null(), "{member}");
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

async fn rows(world: &World) -> Vec<ListingRow> {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1_000);
    world.store.changes(Generation(0), sender).await.unwrap();
    let mut rows = Vec::new();
    while let Some(piece) = receiver.recv().await {
        rows.extend(piece);
    }
    rows
}

fn one_page(upstream: &TinyUpstream, rows: &[String]) -> World {
    let body = page(rows);
    upstream.answer(move |_| answered(&body));
    World::new(Some(upstream.url.clone()), vec![("coingecko", json!({"pages": 1}))])
}

async fn one_bad_value_costs_its_own_row_alone(bad: String, reason: RejectionReason) {
    let upstream = TinyUpstream::start(|_| answered("[]"));
    let mut all: Vec<String> = (1..100).map(|n| market(n, 10)).collect();
    all.insert(50, bad);
    let world = one_page(&upstream, &all);
    let run = world.run("coingecko").await;
    assert_eq!(run.status, RunStatus::Success, "{run:?}");
    assert_eq!((run.counts.inserted, run.counts.quarantined), (99, 1));
    let refused = world.store.quarantined(QuarantineFilter::default()).await.unwrap().remove(0);
    assert_eq!((refused.reason, refused.ordinal), (reason, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_long_symbol_does_not_fail_the_whole_batch() {
    let long = with("symbol", &format!("\"{}\"", "x".repeat(10_000)));
    one_bad_value_costs_its_own_row_alone(long, RejectionReason::TextTooLong).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_numeric_overflow_does_not_fail_the_whole_batch() {
    let overflow = with("market_cap", "1e400");
    one_bad_value_costs_its_own_row_alone(overflow, RejectionReason::BadNumber).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_coin_repeated_across_two_pages_does_not_fail_the_whole_batch() {
    let upstream = TinyUpstream::start(|target| {
        // The ranks moved between the two answers, so the last coin is the first once more.
        let second = (249..300).map(|n| market(n, 10)).collect::<Vec<_>>();
        answered(&if target.contains("&page=2") { page(&second) } else { markets(250, 10) })
    });
    let world = World::new(Some(upstream.url.clone()), vec![("coingecko", json!({"pages": 2}))]);
    let run = world.run("coingecko").await;
    assert_eq!(run.status, RunStatus::Success, "{run:?}");
    assert_eq!((run.counts.received, run.counts.inserted, run.counts.duplicate), (301, 300, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn micro_prices_below_1e_8_are_not_stored_as_zero() {
    let upstream = TinyUpstream::start(|_| answered("[]"));
    for price in ["3.84e-18", "0.00000000999", "1e-9"] {
        let world = one_page(&upstream, &[with("current_price", price)]);
        assert_eq!(world.run("coingecko").await.counts.inserted, 1);
        let stored = world.listings("coingecko").await.remove(0).quote.unwrap().values.price_usd;
        assert_eq!(stored, Decimal::parse(price).ok(), "{price}");
        assert_ne!(stored, Decimal::parse("0").ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batcat_is_not_made_into_bitcoin_by_its_ticker() {
    let at = "2025-12-31T10:00:00Z";
    let named = |id: &str, name: &str| {
        let coin = format!("\"id\":\"{id}\",\"symbol\":\"btc\",\"name\":\"{name}\"");
        market(0, 10).replace(r#""id":"coin-0","symbol":"c0","name":"Coin 0""#, &coin)
    };
    let markets = page(&[named("batcat", "batcat"), named("bitcoin", "Bitcoin")]);
    let tickers = page(&[ticker("btc-bitcoin", 1, "47000", at).replace("BTC-BITCOIN", "BTC")]);
    let upstream = TinyUpstream::start(move |target| {
        answered(if target.contains("/coins/markets") { &markets } else { &tickers })
    });
    let sources = vec![("coingecko", json!({"pages": 1})), ("coinpaprika", json!({}))];
    let world = World::new(Some(upstream.url.clone()), sources);
    assert_eq!(world.run("coingecko").await.counts.inserted, 2);
    assert_eq!(world.run("coinpaprika").await.counts.inserted, 1);
    let rows = rows(&world).await;
    let asset = |id: &str| rows.iter().find(|row| row.external_id == id).unwrap().asset_id;
    for row in &rows {
        let symbol = row.attributes.symbol.as_deref().unwrap();
        assert!(symbol.eq_ignore_ascii_case("btc"), "{row:?}");
    }
    assert_ne!(asset("batcat"), asset("bitcoin"));
    assert_ne!(asset("batcat"), asset("btc-bitcoin"));
}

/// A runtime of which everything that is logged goes into a file.
fn logging_into(file: &Path) -> tokio::runtime::Runtime {
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(Arc::new(File::create(file).unwrap()))
        .finish();
    let dispatch = tracing::Dispatch::new(subscriber);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(move || {
            // For as long as the thread lives.
            std::mem::forget(tracing::dispatcher::set_default(&dispatch));
        })
        .build()
        .unwrap()
}

#[test]
fn an_api_key_is_not_logged_in_clear() {
    const KEY: &str = "canary5d41402abc4b2a76";
    let upstream = TinyUpstream::start(|_| answered(&markets(3, 10)));
    let key = json!({"api_key": format!("CG-{KEY}"), "pages": 1});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let runtime = logging_into(&file);
    // A task, so that it runs on a thread of which the log is kept.
    let story = async move {
        let world = World::new(Some(upstream.url.clone()), vec![("coingecko", key)]);
        let good = world.run("coingecko").await;
        upstream.answer(|_| Reply::of("401 Unauthorized", "application/json", "{}"));
        let refused = world.run("coingecko").await;
        (upstream.heads(), [good, refused])
    };
    let (heads, runs) = runtime.block_on(runtime.spawn(story)).unwrap();
    drop(runtime);
    let logged = std::fs::read_to_string(&file).unwrap();
    assert_eq!(runs.each_ref().map(|run| run.status), [RunStatus::Success, RunStatus::Failed]);
    assert_eq!(heads.iter().filter(|head| head.contains(KEY)).count(), 2, "the key was sent");
    assert!(logged.contains("coingecko"), "{logged}");
    assert!(!logged.contains(KEY) && !format!("{runs:?}").contains(KEY));
}
