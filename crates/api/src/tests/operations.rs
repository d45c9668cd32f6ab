//! Health, runs, sources, statistics and metrics.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kasparro_domain::{RunReason, RunStatus};
use serde_json::{Value, json};

use super::client::{get, get_json};
use super::world::{Served, World, serve};
use crate::ApiSettings;

/// Three sources: one that works, one that fails, one that is switched off.
async fn mixed() -> World {
    let mut world = World::new();
    world.set_state("coinpaprika", true).await;
    world.set_state("coingecko", true).await;
    world.set_state("csv", false).await;
    world.commit("coinpaprika", &[("a", "A", "a", Some("1")), ("b", "B", "b", Some("2"))]).await;
    world.fail("coingecko").await;
    world.refresh().await;
    world
}

#[tokio::test]
async fn livez_answers_whatever_happens() {
    let world = World::new();
    world.switches.away.store(true, Ordering::SeqCst);
    let served = world.serve().await;
    assert_eq!(get_json(served.address, "/livez").await["status"], "alive");
}

#[tokio::test]
async fn readyz_says_why_it_is_not_ready() {
    let mut world = World::new();
    let served = world.serve().await;
    get(served.address, "/readyz").await.assert_problem(503, "loading");
    world.switches.away.store(true, Ordering::SeqCst);
    get(served.address, "/readyz").await.assert_problem(503, "store_unavailable");
    world.switches.away.store(false, Ordering::SeqCst);
    world.refresh().await;
    get(served.address, "/readyz").await.assert_problem(503, "no_data");
    world.commit("csv", &[("a", "A", "a", Some("1"))]).await;
    world.refresh().await;
    world.clock.advance(Duration::from_secs(90));
    let ready = get_json(served.address, "/readyz").await;
    assert_eq!(ready["status"], "ready");
    assert_eq!((&ready["database"], &ready["behind_seconds"]), (&json!("healthy"), &json!(90)));
    world.switches.away.store(true, Ordering::SeqCst);
    assert_eq!(get_json(served.address, "/readyz").await["database"], "unhealthy");
    world.clock.advance(Duration::from_secs(24 * 3600));
    get(served.address, "/readyz").await.assert_problem(503, "stale_data");

    let api = world.api(ApiSettings::default());
    api.shared.draining.store(true, Ordering::SeqCst);
    let draining = serve(api).await;
    get(draining.address, "/readyz").await.assert_problem(503, "draining");
}

#[tokio::test]
async fn health_is_degraded_by_a_failing_source_and_503_only_without_the_database() {
    let world = mixed().await;
    let served = world.serve().await;
    let health = get_json(served.address, "/health").await;
    assert_eq!(health["status"], "degraded");
    assert_eq!((&health["etl"], &health["database"]), (&json!("degraded"), &json!("healthy")));
    let status = |source: &str| health["etl_status"][source]["status"].clone();
    assert_eq!(
        (status("coinpaprika"), status("coingecko"), status("csv")),
        (json!("healthy"), json!("unhealthy"), json!("disabled"))
    );
    assert_eq!(health["etl_status"]["coingecko"]["error"]["code"], "connect_failed");
    assert_eq!(health["etl_status"]["coinpaprika"]["lag_seconds"], 1);
    assert!(health["uptime_seconds"].is_u64() && health["timestamp"].is_string());

    world.switches.away.store(true, Ordering::SeqCst);
    let reply = get(served.address, "/health").await;
    assert_eq!(reply.status, 503);
    let health = reply.json();
    assert_eq!(
        (&health["status"], &health["database"]),
        (&json!("unhealthy"), &json!("unhealthy"))
    );
    assert!(health["request_id"].is_string());
}

#[tokio::test]
async fn health_of_a_source_follows_its_newest_ended_run_and_its_age() {
    let mut world = mixed().await;
    let served = world.serve().await;
    world.commit("coingecko", &[("c", "C", "c", None)]).await;
    assert_eq!(get_json(served.address, "/health").await["status"], "healthy");
    world.fail("coinpaprika").await;
    let health = get_json(served.address, "/health").await;
    assert_eq!(health["etl_status"]["coinpaprika"]["status"], "degraded");
    world.commit("coinpaprika", &[("a", "A", "a", Some("3"))]).await;
    world.start_run("coinpaprika").await;
    assert_eq!(
        get_json(served.address, "/health").await["status"],
        "healthy",
        "a run under way says nothing yet"
    );
    world.clock.advance(Duration::from_secs(4 * 3600));
    assert_eq!(
        get_json(served.address, "/health").await["etl_status"]["coingecko"]["status"],
        "degraded"
    );
}

/// What is said of the sources, without the time of the request.
async fn said_of_sources(served: &Served) -> Value {
    let (health, stats) =
        (get_json(served.address, "/health").await, get_json(served.address, "/stats").await);
    let sources = get_json(served.address, "/sources").await;
    let members = [
        "summary",
        "per_source",
        "total_runs",
        "success_rate",
        "last_success",
        "last_failure",
        "sources",
        "pipelines",
    ];
    json!({
        "health": [health["status"], health["etl_status"]],
        "stats": members.map(|member| stats[member].clone()),
        "sources": sources["data"],
    })
}

#[tokio::test]
async fn a_retry_of_quarantined_rows_neither_hides_an_outage_nor_makes_one() {
    let mut world = mixed().await;
    world.commit("coingecko", &[("c", "C", "c", None)]).await;
    world.fail("coingecko").await;
    world.clock.advance(Duration::from_secs(3600));
    let served = world.serve().await;
    for (source, condition, status) in [
        ("coingecko", "degraded", RunStatus::Success),
        ("coinpaprika", "healthy", RunStatus::Failed),
        ("coinpaprika", "healthy", RunStatus::Abandoned),
    ] {
        for reason in [RunReason::Retry, RunReason::Replay] {
            world.clock.advance(Duration::from_secs(1));
            let run_id = world.start_run_for(source, reason).await;
            let under_way = said_of_sources(&served).await;
            assert_eq!(under_way["health"][1][source]["status"], condition);
            world.end_run(run_id, status).await;
            assert_eq!(said_of_sources(&served).await, under_way, "{source} {reason:?} {status}");
            let one = get_json(served.address, &format!("/runs/{run_id}")).await;
            assert_eq!(one["reason"], reason.name());
            let newest = get_json(served.address, "/runs?limit=1").await;
            assert_eq!(newest["data"][0]["run_id"], run_id.to_string());
        }
    }
    let stats = get_json(served.address, "/stats").await;
    assert_eq!((&stats["total_runs"], &stats["success_rate"]), (&json!(4), &json!(0.5)));
    assert_eq!(get_json(served.address, "/runs").await["total"], 10);
    let health = get_json(served.address, "/health").await;
    assert!(health["etl_status"]["coinpaprika"]["lag_seconds"].as_u64() > Some(3600));
    world.clock.advance(Duration::from_secs(3 * 3600));
    let run_id = world.start_run_for("coinpaprika", RunReason::Retry).await;
    world.end_run(run_id, RunStatus::Success).await;
    let health = get_json(served.address, "/health").await;
    assert_eq!(health["etl_status"]["coinpaprika"]["status"], "degraded", "it is still too old");
}

#[tokio::test]
async fn without_the_database_the_listings_are_still_served_and_the_rest_says_so() {
    let world = mixed().await;
    world.switches.away.store(true, Ordering::SeqCst);
    let served = world.serve().await;
    assert_eq!(get_json(served.address, "/data").await["total"], 2);
    for path in [
        "/stats",
        "/runs",
        "/runs/00000000-0000-7000-8000-000000000000",
        "/sources",
        "/quarantine",
        "/quarantine/1",
        "/news",
        "/rss-feed?format=rss",
        "/listings/1/history",
        "/assets/1/history?interval=1d",
    ] {
        let reply = get(served.address, path).await;
        reply.assert_problem(503, "store_unavailable");
        assert!(!reply.body.contains("secret-host"), "{}", reply.body);
    }
    assert_eq!(get(served.address, "/metrics").await.status, 200);
}

#[tokio::test]
async fn i1_runs_are_listed_newest_first_with_counters_that_add_up() {
    let mut world = mixed().await;
    let open = world.start_run("csv").await;
    let served = world.serve().await;
    let runs = get_json(served.address, "/runs").await;
    assert_eq!(
        (&runs["total"], &runs["page"], &runs["page_size"]),
        (&json!(3), &json!(1), &json!(20))
    );
    let sources: Vec<_> =
        runs["data"].as_array().unwrap().iter().map(|run| run["source"].clone()).collect();
    assert_eq!(sources, ["csv", "coingecko", "coinpaprika"]);
    let run = &runs["data"][2];
    let parts = ["inserted", "updated", "unchanged", "stale", "duplicate", "quarantined"];
    let sum: u64 = parts.iter().map(|part| run[part].as_u64().unwrap()).sum();
    assert_eq!((run["received"].as_u64(), sum), (Some(3), 3));
    assert_eq!((&run["status"], &run["reason"]), (&json!("success"), &json!("schedule")));
    assert_eq!(
        (&run["pages"], &run["requests"], &run["duration_ms"]),
        (&json!(1), &json!(2), &json!(0))
    );
    assert_eq!(runs["data"][0]["completed_at"], Value::Null);

    let one = get_json(served.address, &format!("/runs/{open}")).await;
    assert_eq!((&one["run_id"], &one["status"]), (&json!(open.to_string()), &json!("running")));
    get(served.address, "/runs/00000000-0000-7000-8000-000000000000")
        .await
        .assert_problem(404, "run_not_found");
    for (query, total, shown) in [
        ("source=coingecko", 1, 1),
        ("source=coinpaprika_free&status=success", 1, 1),
        ("status=abandoned", 0, 0),
        ("limit=2&page=2", 3, 1),
        ("limit=2&offset=9", 3, 0),
        ("offset=9223372036854775807", 3, 0),
    ] {
        let runs = get_json(served.address, &format!("/runs?{query}")).await;
        assert_eq!(
            (&runs["total"], runs["data"].as_array().unwrap().len()),
            (&json!(total), shown),
            "{query}"
        );
    }
}

#[tokio::test]
async fn stats_speak_the_words_of_the_older_services() {
    let mut world = mixed().await;
    world.start_run("csv").await;
    let served = world.serve().await;
    let stats = get_json(served.address, "/stats").await;
    assert_eq!(stats["summary"]["success_rate"], "50.0%");
    assert_eq!(stats["summary"]["total_runs"], 3);
    assert_eq!((&stats["total_runs"], &stats["success_rate"]), (&json!(3), &json!(0.5)));
    assert_eq!(
        (&stats["records_processed"], &stats["total_records_processed"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(stats["summary"]["last_successful_run"], stats["last_success"]);
    let status = |source: &str| stats["sources"][source]["status"].clone();
    assert_eq!(
        (status("coinpaprika"), status("coingecko"), status("csv")),
        (json!("completed"), json!("failed"), json!("running"))
    );
    assert_eq!(stats["sources"]["coinpaprika"]["checkpoint"], json!({"page": 1}));
    let pipelines: Vec<_> = stats["pipelines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["source"].clone(), it["status"].clone()))
        .collect();
    let expected = [("coinpaprika", "SUCCESS"), ("coingecko", "FAILED"), ("csv", "RUNNING")];
    assert_eq!(pipelines, expected.map(|(source, status)| (json!(source), json!(status))));
    assert_eq!(stats["recent_runs"].as_array().unwrap().len(), 3);
    assert_eq!(stats["per_source"].as_array().unwrap().len(), 3);

    let empty = get_json(World::new().serve().await.address, "/stats").await;
    assert_eq!((&empty["total_runs"], &empty["success_rate"]), (&json!(0), &Value::Null));
    assert_eq!(empty["sources"]["csv"]["status"], "pending");
    assert_eq!(empty["pipelines"], json!([]));
}

#[tokio::test]
async fn sources_show_schedule_errors_and_quarantine() {
    let served = mixed().await.serve().await;
    let sources = get_json(served.address, "/sources").await;
    let [first, second, third] = sources["data"].as_array().unwrap().as_slice() else {
        panic!("{sources}")
    };
    assert_eq!((&first["name"], &first["title"]), (&json!("coinpaprika"), &json!("CoinPaprika")));
    assert_eq!((&first["schedule"], &first["enabled"]), (&json!("every 1h"), &json!(true)));
    assert_eq!((&first["listings"], &first["rows_received"]), (&json!(2), &json!(3)));
    assert_eq!(first["quarantined"], json!({"bad_number": 1}));
    assert_eq!(
        (&second["status"], &second["error"]["hint"]),
        (&json!("unhealthy"), &json!("check the network"))
    );
    assert_eq!((&third["status"], &third["last_run_id"]), (&json!("disabled"), &Value::Null));
}

#[tokio::test]
async fn metrics_name_what_was_answered_with_bounded_labels() {
    let mut world = mixed().await;
    let run_id = world.start_run("csv").await;
    world.end_run(run_id, RunStatus::Partial).await;
    let served = world.serve().await;
    for path in [
        "/data",
        "/data?page=0",
        "/listings/1",
        "/listings/2",
        "/assets/1/history",
        "/no/such/path-1",
        "/no/such/path-2",
    ] {
        get(served.address, path).await;
    }
    super::client::request(served.address, "BREW", "/data", "").await;
    let reply = get(served.address, "/metrics").await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        r#"kasparro_http_request_duration_seconds_count{route="/data",method="GET",status="200"}"#,
        r#"kasparro_http_request_duration_seconds_count{route="/data",method="GET",status="400"}"#,
        r#"kasparro_http_request_duration_seconds_count{route="/listings/{id}",method="GET",status="200"}"#,
        r#"kasparro_http_request_duration_seconds_count{route="/assets/{id}/history",method="GET",status="200"}"#,
        r#"kasparro_http_request_duration_seconds_count{route="other",method="GET",status="404"}"#,
        r#"method="OTHER",status="405"}"#,
        "kasparro_generation ",
        r#"kasparro_source_lag_seconds{source="coinpaprika"}"#,
        r#"kasparro_quarantine_rows{source="coinpaprika",reason="bad_number"} 1"#,
        "kasparro_build_info{version=",
    ] {
        assert!(reply.body.contains(line), "{line} in\n{}", reply.body);
    }
    assert!(!reply.body.contains("path-1") && !reply.body.contains("BREW"));
}
