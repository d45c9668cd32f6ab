//! `X-Min-Generation`: what a client has seen is never shown to it in an older state.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::client::{ADMIN_KEY, Reply, get_json, request};
use super::keyed::unlimited;
use super::paths;
use super::world::{Served, World, serve};
use crate::{awaited, openapi};

/// How long a request waits, less what clocks may differ by.
const WAITED: Duration = Duration::from_millis(1_900);
/// What a test waits for something that should happen at once.
const PATIENCE: Duration = Duration::from_secs(10);

async fn ask(address: SocketAddr, target: &str, generation: &str) -> Reply {
    let header = format!("x-min-generation: {generation}\r\nx-request-id: same-1\r\n");
    request(address, "GET", target, &header).await
}

/// The same world behind the hot path and behind the router.
async fn both(world: &World) -> [Served; 2] {
    let hot = world.serve().await;
    let mut api = world.api(unlimited());
    api.hot = false;
    [hot, serve(api).await]
}

/// An answer without what differs between two requests for the same.
fn essence(mut reply: Reply) -> (u16, Vec<(String, String)>, serde_json::Value) {
    reply
        .headers
        .retain(|(name, _)| !["date", "content-length", "server-timing"].contains(&name.as_str()));
    reply.headers.sort();
    let mut body = reply.json();
    body["api_latency_ms"] = json!(0);
    (reply.status, reply.headers, body)
}

async fn waiting(world: &World, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    while world.view.waiting() != count {
        assert!(Instant::now() < deadline, "{} wait, not {count}", world.view.waiting());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_generation_that_is_shown_is_not_waited_for() {
    let world = World::with_many(3).await;
    for served in both(&world).await {
        for generation in ["0", "1", "001"] {
            let reply = ask(served.address, "/data", generation).await;
            assert_eq!((reply.status, reply.header("x-generation")), (200, Some("1")));
        }
    }
}

#[tokio::test]
async fn i6_a_request_that_waits_is_answered_by_the_swap_that_brings_its_generation() {
    let mut world = World::with_many(3).await;
    let served = both(&world).await;
    let asked: Vec<_> = served
        .iter()
        .map(|served| {
            let address = served.address;
            tokio::spawn(async move { ask(address, "/data?limit=2", "2").await })
        })
        .collect();
    waiting(&world, 2).await;
    world.commit("csv", &[("z", "Z", "z", Some("9"))]).await;
    world.refresh().await;
    let mut answers = Vec::new();
    for asked in asked {
        let reply = asked.await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.header("x-generation"), Some("2"));
        assert_eq!(reply.json()["total"], 4);
        answers.push(essence(reply));
    }
    assert_eq!(answers[0], answers[1], "the hot path and the router say the same");
    assert_eq!(world.view.waiting(), 0);
}

#[tokio::test]
async fn a_generation_that_does_not_come_is_503_after_two_seconds_on_both_paths() {
    let world = World::with_many(3).await;
    let [hot, routed] = both(&world).await;
    let begun = Instant::now();
    let (one, other) =
        tokio::join!(ask(hot.address, "/data", "2"), ask(routed.address, "/api/v1/data/", "2"));
    assert!(begun.elapsed() >= WAITED, "{:?}", begun.elapsed());
    for reply in [&one, &other] {
        reply.assert_problem(503, "generation_not_reached");
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert_eq!(reply.header("x-generation"), Some("1"));
    }
    assert_eq!(essence(one), essence(other));
    assert_eq!(world.view.waiting(), 0);
}

#[tokio::test]
async fn a_header_that_is_no_number_is_refused_by_name_on_both_paths() {
    let world = World::with_many(3).await;
    let [hot, routed] = both(&world).await;
    for value in ["", "x", "-1", "1.0", "1e3", "18446744073709551616", "1\r\nx-min-generation: 1"] {
        let one = ask(hot.address, "/data?limit=0", value).await;
        one.assert_problem(400, "invalid_header");
        assert_eq!(one.json()["errors"][0]["field"], "X-Min-Generation");
        let other = ask(routed.address, "/data?limit=0", value).await;
        assert_eq!(essence(one), essence(other), "{value:?}");
    }
}

#[tokio::test]
async fn every_operation_that_is_described_to_take_the_header_waits_and_no_other() {
    let mut world = World::with_many(3).await;
    let run_id = world.commit("csv", &[("a", "A", "a", None)]).await.to_string();
    world.refresh().await;
    let served = world.serve().await;
    let address = served.address;
    let document = openapi::document();
    let mut asked = Vec::new();
    for path in &paths::read() {
        let operation = document.paths.paths[path].get.as_ref().unwrap();
        let parameters = operation.parameters.iter().flatten();
        let described = serde_json::to_value(parameters.collect::<Vec<_>>()).unwrap();
        let takes = described.as_array().unwrap().iter().any(|it| it["name"] == "X-Min-Generation");
        assert_eq!(takes, awaited::taken_by(path), "{path}");
        let target = paths::target(path, &run_id);
        let head = target.clone();
        asked.push((
            takes,
            target.clone(),
            tokio::spawn(async move { ask(address, &target, "9").await }),
        ));
        let header = "x-min-generation: 9\r\n";
        asked.push((
            takes,
            head.clone(),
            tokio::spawn(async move { request(address, "HEAD", &head, header).await }),
        ));
    }
    assert!(asked.iter().filter(|(takes, ..)| *takes).count() >= 2 * 16);
    for (takes, target, reply) in asked {
        let reply = reply.await.unwrap();
        assert_eq!(reply.status, if takes { 503 } else { 200 }, "{target}: {}", reply.body);
        if takes {
            assert_eq!(reply.header("x-generation"), Some("2"), "{target}");
        }
    }
}

#[tokio::test]
async fn those_who_wait_hold_nothing_of_the_store_and_are_not_kept_when_they_go() {
    let world = World::with_many(3).await;
    world.switches.hanging.store(true, std::sync::atomic::Ordering::SeqCst);
    for served in both(&world).await {
        let begun = Instant::now();
        let mut gone = Vec::new();
        for target in ["/data", "/runs", "/listings/1"] {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            let head = format!(
                "GET {target} HTTP/1.1\r\nhost: a\r\nx-api-key: {ADMIN_KEY}\r\nx-min-generation: 5\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            gone.push(stream);
        }
        waiting(&world, 3).await;
        assert_eq!(world.switches.stuck.load(std::sync::atomic::Ordering::SeqCst), 0);
        drop(gone);
        waiting(&world, 0).await;
        assert!(begun.elapsed() < WAITED, "they went before their time: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn before_the_first_load_a_request_waits_for_it() {
    let mut world = World::new();
    world.commit("csv", &[("a", "A", "a", Some("1"))]).await;
    for served in both(&world).await {
        let reply = ask(served.address, "/data", "1").await;
        reply.assert_problem(503, "loading");
        assert_eq!(reply.header("x-generation"), None, "nothing is shown yet");
    }
    let served = world.serve().await;
    let address = served.address;
    let asked = tokio::spawn(async move { ask(address, "/data", "1").await });
    waiting(&world, 1).await;
    world.refresh().await;
    assert_eq!(asked.await.unwrap().header("x-generation"), Some("1"));
}

#[tokio::test]
async fn a_run_tells_the_generation_with_which_its_rows_are_seen() {
    let mut world = World::with_many(3).await;
    let served = world.serve().await;
    let address = served.address;
    let run_id = world.commit("csv", &[("mine", "M", "mine", Some("1"))]).await;
    let run = get_json(address, &format!("/runs/{run_id}")).await;
    assert_eq!((&run["status"], &run["generation"]), (&json!("success"), &json!(2)));
    let generation = run["generation"].to_string();
    let asked = tokio::spawn(async move { ask(address, "/data?source=csv", &generation).await });
    waiting(&world, 1).await;
    world.refresh().await;
    assert_eq!(asked.await.unwrap().json()["data"][0]["external_id"], "mine");
}
