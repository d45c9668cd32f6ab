//! A database that is away, or that does not answer.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kasparro_domain::RunStatus;
use serde_json::{Value, json};

use super::client::{get, get_json};
use super::paths;
use super::world::World;

/// What a health check may take while the database hangs: two seconds, and what a busy machine adds.
const CHECKED_WITHIN: Duration = Duration::from_millis(3_500);
/// The same for an operation that asks the database.
const REFUSED_WITHIN: Duration = Duration::from_millis(8_000);

/// Answered from the read model.
const FROM_MEMORY: [&str; 7] =
    ["/data", "/csv-data", "/listings", "/listings/{id}", "/assets", "/assets/{id}", "/stream"];
/// Answered from the database.
const FROM_STORE: [&str; 17] = [
    "/listings/{id}/history",
    "/assets/{id}/history",
    "/assets/{id}/identity",
    "/news",
    "/rss-feed",
    "/sources",
    "/stats",
    "/runs",
    "/runs/{id}",
    "/quarantine",
    "/quarantine/{id}",
    "/quarantine/pages",
    "/compare-runs",
    "/drift",
    "/drift/{id}",
    "/anomalies",
    "/keys",
];
/// Answered whatever happens to the database; `/health` with 503.
const REST: [&str; 12] = [
    "/",
    "/api",
    "/livez",
    "/readyz",
    "/health",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/problems",
    "/docs/{file}",
    "/redoc",
    "/redoc/{file}",
];

async fn world() -> (World, String) {
    let mut world = World::new();
    let run_id = world.commit("csv", &[("a", "A", "a", Some("1"))]).await;
    world.refresh().await;
    world.clock.advance(Duration::from_secs(90));
    (world, run_id.to_string())
}

/// Asks every path at once; what is told of each, and how long it took.
async fn ask_all(world: &World, run_id: &str) -> Vec<(String, super::client::Reply, Duration)> {
    let served = world.serve().await;
    // What is read before the first request is given up in time too, but that is not what is measured.
    get(served.address, "/livez").await;
    let paths = paths::read();
    assert_eq!(paths.len(), FROM_MEMORY.len() + FROM_STORE.len() + REST.len(), "{paths:?}");
    let asking = paths.into_iter().map(|path| {
        let mut target = paths::target(&path, run_id);
        if path == "/compare-runs" {
            target += &format!("?run1_id={run_id}&run2_id={run_id}");
        }
        let address = served.address;
        tokio::spawn(async move {
            let begun = Instant::now();
            let reply = get(address, &target).await;
            (path, reply, begun.elapsed())
        })
    });
    let mut replies = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        replies.push(asked.await.unwrap());
    }
    replies
}

fn check(replies: &[(String, super::client::Reply, Duration)]) {
    for (path, reply, _) in replies {
        assert!(!reply.body.contains("secret-host"), "{path}: {}", reply.body);
        match path.as_str() {
            path if FROM_MEMORY.contains(&path) => {
                assert_eq!(reply.status, 200, "{path}: {}", reply.body);
                assert_eq!(reply.header("x-generation"), Some("1"), "{path}");
            }
            path if FROM_STORE.contains(&path) => {
                reply.assert_problem(503, "store_unavailable");
                assert_eq!(reply.header("retry-after"), Some("5"), "{path}");
                assert!(reply.json()["hint"].as_str().unwrap().contains("try again"), "{path}");
            }
            "/health" => {
                assert_eq!(reply.status, 503, "{}", reply.body);
                let health = reply.json();
                assert_eq!(
                    (&health["status"], &health["database"]),
                    (&json!("unhealthy"), &json!("unhealthy"))
                );
            }
            "/readyz" => {
                assert_eq!(reply.status, 200, "{}", reply.body);
                let ready = reply.json();
                assert_eq!(
                    (&ready["database"], &ready["behind_seconds"]),
                    (&json!("unhealthy"), &json!(90))
                );
                assert_eq!(reply.header("x-generation"), Some("1"));
            }
            path => {
                assert!(REST.contains(&path), "{path} is in no list");
                assert_eq!(reply.status, 200, "{path}: {}", reply.body);
            }
        }
    }
}

#[tokio::test]
async fn without_the_database_every_path_answers_as_it_promises() {
    let (world, run_id) = world().await;
    world.switches.away.store(true, Ordering::SeqCst);
    check(&ask_all(&world, &run_id).await);
}

#[tokio::test]
async fn a_database_that_hangs_is_as_one_that_is_away_within_seconds() {
    let (world, run_id) = world().await;
    world.switches.hanging.store(true, Ordering::SeqCst);
    let replies = ask_all(&world, &run_id).await;
    check(&replies);
    for (path, _, took) in &replies {
        let limit = if FROM_STORE.contains(&path.as_str()) {
            REFUSED_WITHIN
        } else if ["/health", "/readyz", "/metrics"].contains(&path.as_str()) {
            CHECKED_WITHIN
        } else {
            Duration::from_secs(1)
        };
        assert!(*took < limit, "{path} took {took:?}");
    }
    assert_eq!(world.switches.stuck.load(Ordering::SeqCst), 0, "nothing is left behind");
}

#[tokio::test]
async fn before_the_first_load_a_database_that_is_away_is_named_and_not_the_loading() {
    let world = World::new();
    let served = world.serve().await;
    let paths = ["/readyz", "/data", "/data?limit=5", "/listings", "/listings/1", "/assets"];
    for path in paths {
        let reply = get(served.address, path).await;
        reply.assert_problem(503, "loading");
        assert_eq!(reply.json()["database"], Value::Null, "{path}");
    }
    let ask_again = async |what: &str| {
        for path in paths {
            let reply = get(served.address, path).await;
            reply.assert_problem(503, "store_unavailable");
            let problem = reply.json();
            assert_eq!(problem["database"], "unhealthy", "{what}: {path}");
            assert!(problem["hint"].as_str().unwrap().contains("kasparro db migrate"), "{path}");
            assert!(!reply.body.contains("secret-host"), "{path}: {}", reply.body);
        }
    };
    world.switches.away.store(true, Ordering::SeqCst);
    ask_again("away").await;
    world.switches.away.store(false, Ordering::SeqCst);
    get(served.address, "/readyz").await.assert_problem(503, "loading");
    world.switches.hanging.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    get(served.address, "/readyz").await.assert_problem(503, "store_unavailable");
    assert!(begun.elapsed() < CHECKED_WITHIN, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn health_checks_do_not_pile_up_before_a_database_that_hangs() {
    let (world, _) = world().await;
    let served = world.serve().await;
    world.switches.hanging.store(true, Ordering::SeqCst);
    let address = served.address;
    let begun = Instant::now();
    let asking: Vec<_> = ["/readyz", "/health"]
        .into_iter()
        .cycle()
        .take(60)
        .map(|path| tokio::spawn(async move { get(address, path).await.status }))
        .collect();
    let mut most = 0;
    while asking.iter().any(|asked| !asked.is_finished()) {
        most = most.max(world.switches.stuck.load(Ordering::SeqCst));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(begun.elapsed() < CHECKED_WITHIN, "{:?}", begun.elapsed());
    assert_eq!(most, 2, "one question for each kind of check");
    for (place, asked) in asking.into_iter().enumerate() {
        assert_eq!(asked.await.unwrap(), if place % 2 == 0 { 200 } else { 503 });
    }
    world.switches.hanging.store(false, Ordering::SeqCst);
    assert_eq!(get_json(address, "/readyz").await["database"], "healthy");
    assert_eq!(get_json(address, "/health").await["status"], "healthy");
}

#[tokio::test]
async fn a_source_says_who_holds_it_and_whether_anybody_does() {
    use kasparro_store::LeaseStore as _;

    let (mut world, _) = world().await;
    let gone = world.start_run("coingecko").await;
    world.end_run(gone, RunStatus::Failed).await;
    let name = kasparro_domain::SourceName::new("coingecko");
    world.kept.release(&name, 1).await.unwrap();
    let served = world.serve().await;
    let sources = get_json(served.address, "/sources").await;
    let lease = |source: &str| {
        let all = sources["data"].as_array().unwrap();
        all.iter().find(|it| it["name"] == source).unwrap()["lease"].clone()
    };
    let holder = super::world::HOLDER;
    assert_eq!(lease("csv"), json!({"holder": holder, "epoch": 1, "live": true}));
    assert_eq!(lease("coingecko"), json!({"holder": holder, "epoch": 1, "live": false}));
    assert_eq!(lease("coinpaprika"), Value::Null, "nobody ever took it");
    let health = get_json(served.address, "/health").await;
    let held = |source: &str| health["etl_status"][source]["held"].clone();
    assert_eq!(
        (held("csv"), held("coingecko"), held("coinpaprika")),
        (json!(true), json!(false), json!(false))
    );
}
