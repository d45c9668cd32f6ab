//! `/compare-runs`.

use std::time::Duration;

use kasparro_domain::{RunId, RunStatus};
use serde_json::{Value, json};

use super::client::{get, get_json, post, request};
use super::world::{Coin, World};

/// Runs of `coinpaprika` with twenty coins each, and their ids.
async fn steady(runs: usize) -> (World, Vec<RunId>) {
    let ids: Vec<String> = (0..20).map(|number| format!("coin-{number}")).collect();
    let mut world = World::new();
    let mut made = Vec::new();
    for _ in 0..runs {
        let coins: Vec<Coin<'_>> =
            ids.iter().map(|id| (id.as_str(), "C", "C", Some("1"))).collect();
        made.push(world.commit("coinpaprika", &coins).await);
        world.clock.advance(Duration::from_secs(3600));
    }
    (world, made)
}

fn metric<'a>(body: &'a Value, name: &str) -> &'a Value {
    body["metrics"].as_array().unwrap().iter().find(|it| it["metric"] == name).unwrap()
}

#[tokio::test]
async fn two_runs_of_a_source_are_compared_metric_by_metric() {
    let (mut world, made) = steady(8).await;
    let few = world.commit("coinpaprika", &[("coin-1", "C", "C", Some("2"))]).await;
    world.refresh().await;
    let served = world.serve().await;
    let (first, second) = (made[7], few);
    let body =
        get_json(served.address, &format!("/compare-runs?run1_id={first}&run2_id={second}")).await;
    assert_eq!((&body["source"], &body["anomalous"]), (&json!("coinpaprika"), &json!(true)));
    assert_eq!(body["run1"]["run_id"], first.to_string());
    assert_eq!(
        (&body["run2"]["received"], &body["run2"]["reason"]),
        (&json!(2), &json!("schedule"))
    );
    let names: Vec<_> =
        body["metrics"].as_array().unwrap().iter().map(|it| it["metric"].clone()).collect();
    let order = kasparro_transform::Metric::ALL.map(|metric| json!(metric.name()));
    assert_eq!(names, order);
    let received = metric(&body, "received");
    assert_eq!(
        (&received["before"], &received["after"], &received["delta"], &received["anomalous"]),
        (&json!(21), &json!(2), &json!(-19), &json!(true))
    );
    assert!(received["why"].as_str().unwrap().contains("usual: median 21 rows"), "{received}");
    assert_eq!(
        metric(&body, "status"),
        &json!({
            "metric": "status", "before": "success", "after": "success", "delta": null,
            "anomalous": false, "why": null,
        })
    );

    // The other names, the prefix and the other method tell the same.
    let same = |other: &Value| {
        let members = ["run1", "run2", "source", "anomalous", "metrics"];
        members.iter().all(|member| other[member] == body[member])
    };
    let renamed = format!("/api/v1/compare-runs/?run_id_1={first}&run_id_2={second}");
    assert!(same(&get_json(served.address, &renamed).await));
    let both = format!("/compare-runs?run_id_1={first}&run1_id={first}&run_id_2={second}");
    assert!(same(&get_json(served.address, &both).await));
    for target in ["/compare-runs", "/api/v1/compare-runs/"] {
        for body in [
            json!({"run1_id": first, "run2_id": second}),
            json!({"run_id_1": first, "run2_id": second, "run_id_2": null}),
        ] {
            let reply = post(served.address, target, &body.to_string()).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            assert!(same(&reply.json()), "{target} {body}");
        }
    }
}

#[tokio::test]
async fn a_run_of_long_ago_is_judged_by_the_runs_before_it_alone() {
    let (mut world, made) = steady(6).await;
    let few = world.commit("coinpaprika", &[]).await;
    for _ in 0..130 {
        world.commit("coinpaprika", &[]).await;
    }
    let served = world.serve().await;
    let target = format!("/compare-runs?run1_id={}&run2_id={few}", made[5]);
    let body = get_json(served.address, &target).await;
    assert_eq!(
        metric(&body, "received")["anomalous"],
        true,
        "few of few are usual, few of many not"
    );
    let target = format!("/compare-runs?run1_id={few}&run2_id={}", made[0]);
    assert_eq!(
        get_json(served.address, &target).await["anomalous"],
        false,
        "nothing was before it"
    );
}

#[tokio::test]
async fn an_open_run_is_compared_too() {
    let (mut world, made) = steady(1).await;
    let open = world.start_run("coinpaprika").await;
    let served = world.serve().await;
    let target = format!("/compare-runs?run1_id={}&run2_id={open}", made[0]);
    let body = get_json(served.address, &target).await;
    assert_eq!(metric(&body, "status")["after"], "running");
    assert_eq!(metric(&body, "duration_ms")["delta"], Value::Null);
}

#[tokio::test]
async fn i8_bad_input_to_compare_runs_is_named() {
    let (mut world, made) = steady(1).await;
    let other = world.start_run("csv").await;
    world.end_run(other, RunStatus::Success).await;
    let served = world.serve().await;
    let (known, unknown) = (made[0].to_string(), "00000000-0000-7000-8000-000000000000");
    for (query, code, field) in [
        (String::new(), "invalid_parameter", "run1_id"),
        (format!("run1_id={known}"), "invalid_parameter", "run2_id"),
        (format!("run2_id={known}"), "invalid_parameter", "run1_id"),
        (format!("run1_id=7&run2_id={known}"), "invalid_parameter", "run1_id"),
        (format!("run1_id={known}&run_id_2=x"), "invalid_parameter", "run_id_2"),
        (
            format!("run1_id={known}&run_id_1={unknown}&run2_id={known}"),
            "invalid_parameter",
            "run_id_1",
        ),
        (format!("run1_id={known}&run1_id={known}"), "repeated_parameter", "run1_id"),
        (format!("run1={known}&run2={known}"), "unknown_parameter", "run1"),
    ] {
        let reply = get(served.address, &format!("/compare-runs?{query}")).await;
        reply.assert_problem(400, code);
        assert_eq!(reply.json()["errors"][0]["field"], field, "{query}");
    }
    let problem = get(served.address, "/compare-runs").await.json();
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "both are missing: {problem}");
    for (first, second, status, code) in [
        (known.as_str(), unknown, 404, "run_not_found"),
        (unknown, &known, 404, "run_not_found"),
        (&known, &other.to_string(), 400, "different_sources"),
    ] {
        let target = format!("/compare-runs?run1_id={first}&run2_id={second}");
        get(served.address, &target).await.assert_problem(status, code);
        let body = json!({"run1_id": first, "run2_id": second}).to_string();
        post(served.address, "/compare-runs", &body).await.assert_problem(status, code);
    }
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{\"run1\":\"x\"}",
        "{\"run1_id\":7,\"run2_id\":8}",
        "{\"run1_id\":\"a\",\"run1_id\":\"a\"}",
        "\u{0}",
    ] {
        post(served.address, "/compare-runs", body).await.assert_problem(400, "invalid_body");
    }
    for body in ["{}", "{\"run1_id\":\"7\",\"run2_id\":\"8\"}"] {
        let reply = post(served.address, "/compare-runs", body).await;
        reply.assert_problem(400, "invalid_parameter");
        assert_eq!(reply.json()["errors"].as_array().unwrap().len(), 2, "{body}");
    }
    let query = format!("/compare-runs?run1_id={known}&run2_id={known}");
    post(served.address, &query, "{}").await.assert_problem(400, "unknown_parameter");
    let large = format!("{{\"run1_id\":\"{}\"}}", "x".repeat(70_000));
    post(served.address, "/compare-runs", &large).await.assert_problem(413, "body_too_large");
    let reply = request(served.address, "DELETE", "/compare-runs", "").await;
    reply.assert_problem(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), Some("GET,HEAD,POST,OPTIONS"));
}
