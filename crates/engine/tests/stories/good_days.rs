//! What sources say on good days, and what the store then holds.

use std::sync::Arc;

use kasparro_domain::{RunReason, RunStatus, SourceName};
use kasparro_engine::Lists;
use serde_json::json;

use kasparro_testkit::{Reply, TinyUpstream};

use crate::rows::{json as json_answer, page, ticker};
use crate::world::{World, assert_same, write};

#[tokio::test(flavor = "multi_thread")]
async fn running_twice_changes_nothing() {
    let at = "2025-12-31T23:00:00Z";
    let rows = [ticker("a", 2, "3.84e-18", at), ticker("b", 1, "9223372036854775807", at)];
    let upstream = TinyUpstream::script(vec![json_answer(&page(&rows))]);
    let world = World::tickers(upstream.url.clone());
    let first = world.run("coinpaprika").await;
    assert_eq!((first.counts.received, first.counts.inserted), (2, 2));
    let before = world.kept().await;
    let second = world.run("coinpaprika").await;
    assert_eq!((second.counts.received, second.counts.unchanged), (2, 2));
    assert_same(&world.kept().await, &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_handed_out_by_rank() {
    let at = "2025-12-31T23:00:00Z";
    let rows = [
        ticker("c", 45, "1", at),
        ticker("a", 1, "1", at),
        ticker("none", 0, "1", at),
        ticker("b", 2, "1", at),
    ];
    let upstream = TinyUpstream::script(vec![json_answer(&page(&rows))]);
    let world = World::tickers(upstream.url.clone());
    world.run("coinpaprika").await;
    let mut listings = world.listings("coinpaprika").await;
    listings.sort_by_key(|listing| listing.listing_id);
    let order: Vec<_> = listings.iter().map(|listing| listing.external_id.as_str()).collect();
    assert_eq!(order, ["a", "b", "c", "none"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn n17_older_data_never_replaces_newer_data() {
    let new = page(&[ticker("a", 1, "2", "2025-12-31T23:00:00Z")]);
    let old = page(&[ticker("a", 1, "1", "2025-12-31T22:00:00Z")]);
    let script = vec![json_answer(&new), json_answer(&old), json_answer(&old)];
    let upstream = TinyUpstream::script(script);
    let world = World::tickers(upstream.url.clone());
    world.run("coinpaprika").await;
    let second = world.run("coinpaprika").await;
    assert_eq!(second.counts.stale, 1);
    let third = world.run("coinpaprika").await;
    assert_eq!(third.counts.unchanged, 1);
    let listings = world.listings("coinpaprika").await;
    assert_eq!(
        listings[0].quote.as_ref().unwrap().values.price_usd.as_ref().unwrap().as_str(),
        "2"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_run_side_by_side_and_fail_alone() {
    let rows = page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]);
    let upstream = TinyUpstream::script(vec![json_answer(&rows)]);
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.csv").display().to_string();
    let sources = vec![("coinpaprika", json!({})), ("csv", json!({"paths": [missing]}))];
    let world = World::new(Some(upstream.url.clone()), sources);
    let engine = world.engine().await;
    let names = [SourceName::new("csv"), SourceName::new("coinpaprika")];
    let runs = engine.run_now(&names, RunReason::Manual, Lists::Due).await.unwrap();
    assert_eq!(runs[0].error.as_ref().unwrap().code, "file_missing");
    assert_eq!((runs[0].status, runs[1].status), (RunStatus::Failed, RunStatus::Success));
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_never_runs_twice_at_once() {
    let rows = page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]);
    let upstream = TinyUpstream::script(vec![json_answer(&rows)]);
    let world = World::tickers(upstream.url.clone());
    let engine = world.engine().await;
    let name = [SourceName::new("coinpaprika")];
    let (first, second) = tokio::join!(
        engine.run_now(&name, RunReason::Manual, Lists::Due),
        engine.run_now(&name, RunReason::Manual, Lists::Due)
    );
    assert_eq!(first.unwrap()[0].run_id, second.unwrap()[0].run_id);
    assert_eq!(upstream.asked().len(), 1);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dated_file_becomes_history_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let rows =
        ["a,1,2025-01-01", "a,2,2025-01-02", "a,3,2025-01-03", "b,7,2025-01-02", "a,2,2025-01-02"];
    let mut kept = Vec::new();
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 3, 1, 4]] {
        let lines: Vec<_> = order.iter().map(|index| rows[*index]).collect();
        let text = format!("id,price,date\n{}\n", lines.join("\n"));
        let path = write(folder.path(), "history.csv", &text);
        let world = World::new(None, vec![("csv", json!({"paths": [path]}))]);
        let run = world.run("csv").await;
        assert_eq!(
            (run.status, run.counts.received, run.counts.duplicate),
            (RunStatus::Success, 5, 1)
        );
        assert!(run.counts.balanced());
        let values = |row: &String| row.starts_with("quote ") || row.starts_with("history ");
        kept.push(world.kept().await.into_iter().filter(values).collect());
    }
    assert_same(&kept[0], &kept[1]);
    assert_same(&kept[0], &kept[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_leaves_the_request_headers() {
    let rows = page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]);
    let upstream = TinyUpstream::script(vec![json_answer(&rows)]);
    let secret = "canary-5f0c";
    let sources = vec![("coinpaprika", json!({"api_key": secret}))];
    let world = World::new(Some(upstream.url.clone()), sources);
    world.run("coinpaprika").await;
    let head = upstream.heads().remove(0);
    assert!(head.to_lowercase().contains(&format!("authorization: {secret}")));
    assert!(!head.lines().next().unwrap().contains(secret));
    assert!(!format!("{:?}", world.store.dump().await.unwrap()).contains(secret));
    let runs = world.store.runs(kasparro_store::RunFilter { limit: 9, ..Default::default() });
    assert!(!format!("{:?}", runs.await.unwrap()).contains(secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_other_processes_are_carried_out() {
    let rows = page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]);
    let upstream = TinyUpstream::script(vec![json_answer(&rows)]);
    let world = World::tickers(upstream.url.clone());
    let engine = world.engine().await;
    let shutdown = tokio_util::sync::CancellationToken::new();
    let serving = tokio::spawn(Arc::clone(&engine).serve(shutdown.clone()));
    let source = SourceName::new("coinpaprika");
    let run_id = kasparro_domain::RunId(uuid::Uuid::now_v7());
    let now = kasparro_domain::Clock::now(world.clock.as_ref());
    let run = world.store.queue_run(run_id, &source, RunReason::Manual, now).await.unwrap();
    let kind = kasparro_domain::CommandKind::Run { source, run_id: run.run_id, lists: false };
    let command = world.store.submit(kind, now).await.unwrap();
    let done = async {
        loop {
            let row = world.store.command(command).await.unwrap().unwrap();
            if row.state == kasparro_domain::CommandState::Done {
                return row;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let row = tokio::time::timeout(std::time::Duration::from_secs(30), done).await.unwrap();
    assert_eq!(row.result.unwrap()["run_id"], run.run_id.to_string());
    assert_eq!(world.store.run(run.run_id).await.unwrap().unwrap().status, RunStatus::Success);
    shutdown.cancel();
    serving.await.unwrap();
    world.prove().await;
}

/// Two CoinGecko pages, the first full so that the second is asked for.
fn markets(prices: [&str; 2]) -> Vec<Reply> {
    let row = |id: &str, price: &str| {
        format!(
            r#"{{"id":"{id}","symbol":"s","name":"n","current_price":{price},"last_updated":"2025-12-31T23:00:00.000Z"}}"#
        )
    };
    let first: Vec<_> = (0..250).map(|n| row(&format!("coin-{n}"), "1")).collect();
    // The second page repeats a coin of the first with another price, as moving rankings do.
    let second = [row("coin-7", "99"), row("late", prices[0]), row("bad", prices[1])];
    vec![json_answer(&page(&first)), json_answer(&page(&second))]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_repeats_the_last_one_is_accounted_for_unread() {
    let pages = markets(["5", "-1"]);
    let upstream = TinyUpstream::script(pages.iter().chain(&pages).cloned());
    let world = World::new(Some(upstream.url.clone()), vec![("coingecko", json!({"pages": 2}))]);
    let first = world.run("coingecko").await;
    assert_eq!(
        (first.counts.inserted, first.counts.duplicate, first.counts.quarantined),
        (251, 1, 1)
    );
    let before = world.kept().await;
    let second = world.run("coingecko").await;
    assert_eq!(
        (second.counts.unchanged, second.counts.duplicate, second.counts.quarantined),
        (251, 1, 1)
    );
    assert_same(&world.kept().await, &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn repetitions_of_an_unread_page_are_recognised_on_the_next() {
    let (old, new) = (markets(["5", "6"]), markets(["7", "6"]));
    let script = old.iter().chain(&new).cloned();
    let upstream = TinyUpstream::script(script);
    let world = World::new(Some(upstream.url.clone()), vec![("coingecko", json!({"pages": 2}))]);
    world.run("coingecko").await;
    let second = world.run("coingecko").await;
    // coin-7 was on the unread page with price 1, so its 99 is a duplicate and not a correction.
    assert_eq!(
        (second.counts.duplicate, second.counts.updated, second.counts.unchanged),
        (1, 1, 251)
    );
    let listings = world.store.memory(&SourceName::new("coingecko")).await.unwrap().listings;
    let coin = listings.iter().find(|listing| listing.external_id == "coin-7").unwrap();
    assert_eq!(coin.quote.as_ref().unwrap().values.price_usd.as_ref().unwrap().as_str(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_resumed_at_the_very_end_begins_anew() {
    let pages = markets(["5", "6"]);
    let down = Reply::of("500 Internal Server Error", "text/plain", "down");
    let full = pages[0].clone();
    // Two full pages, then three failed attempts; later the end of the list, and the list again.
    let script = [full.clone(), full.clone(), down.clone(), down.clone(), down, json_answer("[]")];
    let upstream = TinyUpstream::script(script.into_iter().chain([full, json_answer("[]")]));
    let world = World::new(Some(upstream.url.clone()), vec![("coingecko", json!({"pages": 4}))]);
    let broken = world.run("coingecko").await;
    assert_eq!(broken.status, RunStatus::Partial, "{broken:?}");
    let second = world.run("coingecko").await;
    assert_eq!((second.status, second.counts.received), (RunStatus::Success, 250), "{second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_resumed_at_a_known_end_begins_anew_too() {
    let down = Reply::of("500 Internal Server Error", "text/plain", "down");
    let (full, end) = (markets(["5", "6"]).remove(0), json_answer("[]"));
    // A whole run; one that breaks off before the end; the same end again, then the list anew.
    let script = [&full, &end, &full, &down, &down, &down, &end, &full, &end].map(Reply::clone);
    let upstream = TinyUpstream::script(script);
    let world = World::new(Some(upstream.url.clone()), vec![("coingecko", json!({"pages": 4}))]);
    assert_eq!(world.run("coingecko").await.status, RunStatus::Success);
    assert_eq!(world.run("coingecko").await.status, RunStatus::Partial);
    let third = world.run("coingecko").await;
    assert_eq!((third.status, third.counts.received), (RunStatus::Success, 250), "{third:?}");
}
