//! Where a source goes on: cursors that moved too early, were wiped, or never came to rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kasparro_domain::{RunReason, RunStatus, SourceName};
use kasparro_engine::Lists;
use kasparro_store::StoreError;
use kasparro_store::contract::FailingStore;
use kasparro_testkit::{Reply, TinyUpstream};
use serde_json::{Value, json};

use super::{market, markets};
use crate::rows::{json as answered, page};
use crate::world::{World, write};

/// Where the source goes on, as it is stored.
async fn position(world: &World, source: &str) -> Option<Value> {
    let memory = world.store.memory(&SourceName::new(source)).await.unwrap();
    memory.checkpoint.map(|checkpoint| checkpoint.position)
}

/// Two pages of markets.
fn two_pages(target: &str) -> Reply {
    if target.contains("&page=2") {
        answered(&page(&(250..260).map(|n| market(n, 10)).collect::<Vec<_>>()))
    } else {
        answered(&markets(250, 10))
    }
}

fn world(upstream: &TinyUpstream) -> World {
    World::new(Some(upstream.url.clone()), vec![("coingecko", json!({"pages": 2}))])
}

fn next_page(number: u32) -> Option<Value> {
    Some(json!({"next_page": number, "order": "market_cap_desc"}))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_in_a_later_stage_does_not_move_the_cursor() {
    let upstream = TinyUpstream::start(two_pages);
    let world = world(&upstream);
    // The rows of the second page are fetched, read and believed; then storing them fails.
    let commits = AtomicU32::new(0);
    let store = FailingStore::new(Arc::clone(&world.store), move |call| {
        match call == "commit" && commits.fetch_add(1, Ordering::SeqCst) == 1 {
            true => Err(StoreError::Unavailable("the disk is full".to_owned())),
            false => Ok(()),
        }
    });
    let engine = world.engine_on(Arc::new(store)).await;
    let source = [SourceName::new("coingecko")];
    let run = engine.run_now(&source, RunReason::Manual, Lists::Due).await.unwrap().remove(0);
    assert_eq!(
        (run.status, run.error.unwrap().code.as_str()),
        (RunStatus::Partial, "store_failed")
    );
    drop(engine);
    assert_eq!(world.listings("coingecko").await.len(), 250, "the second page was rolled back");
    assert_eq!(position(&world, "coingecko").await, next_page(2), "and so was the cursor");

    world.engine().await;
    assert_eq!(world.listings("coingecko").await.len(), 260, "no row of it is lost");
    assert_eq!(position(&world, "coingecko").await, next_page(1));
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_does_not_wipe_the_checkpoint() {
    let upstream = TinyUpstream::start(two_pages);
    let world = world(&upstream);
    let away = || Reply::of("503 Service Unavailable", "text/plain", "away");
    upstream.answer(move |target| match target.contains("&page=2") {
        true => away(),
        false => two_pages(target),
    });
    assert_eq!(world.run("coingecko").await.status, RunStatus::Partial);
    assert_eq!(position(&world, "coingecko").await, next_page(2));
    upstream.answer(move |_| away());
    assert_eq!(world.run("coingecko").await.status, RunStatus::Failed);
    assert_eq!(position(&world, "coingecko").await, next_page(2), "a failure changes nothing");

    upstream.answer(two_pages);
    world.clock.advance(Duration::from_secs(60));
    let asked_before = upstream.heads().len();
    let run = world.run("coingecko").await;
    assert_eq!((run.status, run.counts.inserted), (RunStatus::Success, 10));
    assert!(upstream.heads()[asked_before].contains("page=2"), "it goes on where it stood");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_cursor_does_not_oscillate_after_an_append() {
    let mut world = World::new(None, vec![]);
    let path = world.folder.path().join("assets.csv").display().to_string();
    world.sources = vec![("csv", json!({"paths": [path]}))];
    let before = "id,price\na,1\nb,2\n";
    write(world.folder.path(), "assets.csv", before);
    assert_eq!(world.run("csv").await.counts.inserted, 2);
    write(world.folder.path(), "assets.csv", &format!("{before}c,3\n"));
    world.clock.advance(Duration::from_secs(60));
    let appended = world.run("csv").await;
    assert_eq!((appended.counts.inserted, appended.counts.unchanged), (1, 2));
    let (kept, rests_at) = (world.kept().await, position(&world, "csv").await);
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(60));
        let again = world.run("csv").await;
        assert_eq!((again.counts.received, again.counts.unchanged), (3, 3));
        assert_eq!(position(&world, "csv").await, rests_at, "the cursor rests");
        assert_eq!(world.listings("csv").await.len(), 3);
        assert_eq!(quotes(&world.kept().await), quotes(&kept));
    }
}

/// What is stored of prices.
fn quotes(kept: &std::collections::BTreeSet<String>) -> Vec<&String> {
    let of_prices = |row: &&String| row.starts_with("quote ") || row.starts_with("history ");
    kept.iter().filter(of_prices).collect()
}
