//! What a request may say of the answer besides what is asked: encodings that it refuses, methods, where to look.

use kasparro_domain::Scope;
use kasparro_store::KeyStore as _;
use serde_json::json;

use super::client::{get, request};
use super::formats::both;
use super::keyed::{ask, unlimited, with_key};
use super::world::{World, serve};
use crate::ApiSettings;

#[tokio::test]
async fn who_takes_no_encoding_at_all_gets_the_body_as_it_is_and_what_was_done_is_told() {
    let world = World::with_many(100).await;
    let admin = with_key(&world.key(Scope::Admin).await);
    for served in both(&world).await {
        for refused in ["*;q=0", "identity;q=0, *;q=0", "identity;q=0", "gzip;q=0, identity;q=0"] {
            let refused = format!("accept-encoding: {refused}\r\n");
            for (target, media) in [
                ("/data?limit=100", "application/json"),
                ("/data?limit=100&format=csv", "text/csv; charset=utf-8; header=present"),
                ("/listings/1", "application/json"),
                ("/openapi.json", "application/json"),
                ("/stream", "text/event-stream"),
            ] {
                let methods = if target == "/stream" { &["GET"][..] } else { &["GET", "HEAD"] };
                for method in methods {
                    let reply = request(served.address, method, target, &refused).await;
                    assert_eq!(reply.status, 200, "{method} {target} {refused}: {}", reply.body);
                    assert_eq!(reply.header("content-type"), Some(media), "{target}");
                    assert_eq!(reply.header("content-encoding"), None, "{target}");
                }
            }
            let options = request(served.address, "OPTIONS", "/data", &refused).await;
            assert_eq!(options.status, 204, "{refused}");
            let missing = request(served.address, "GET", "/nothing", &refused).await;
            missing.assert_problem(404, "not_found");
            let before = world.kept.keys().await.unwrap().len();
            let headers = format!("{admin}{refused}");
            let body = json!({ "name": "cron", "scope": "read" }).to_string();
            let made = ask(served.address, "POST", "/keys", &headers, &body).await;
            assert_eq!(made.status, 201, "{refused}: {}", made.body);
            assert!(made.json()["key"].is_string(), "{refused}");
            assert_eq!(world.kept.keys().await.unwrap().len(), before + 1);
        }
    }
}

#[tokio::test]
async fn a_run_that_was_asked_for_is_found_where_the_answer_says() {
    let world = World::with_many(1).await;
    let operate = with_key(&world.key(Scope::Operate).await);
    let settings = ApiSettings { cors_origins: vec!["*".to_owned()], ..unlimited() };
    let served = serve(world.api(settings)).await;
    let headers = format!("{operate}origin: https://wallet.example\r\n");
    for (method, target, body, prefix) in [
        ("POST", "/runs", r#"{"source":"csv"}"#, ""),
        ("POST", "/api/v1/runs/", r#"{"source":"coingecko"}"#, "/api/v1"),
        ("POST", "/trigger-etl?source=csv", "", ""),
        ("GET", "/trigger-etl?source=coinpaprika", "", ""),
        ("GET", "/api/v1/trigger-etl?source=csv", "", "/api/v1"),
    ] {
        let reply = ask(served.address, method, target, &headers, body).await;
        assert_eq!(reply.status, 202, "{}", reply.body);
        let run_id = reply.json()["run_id"].as_str().unwrap().to_owned();
        let location = reply.header("location").unwrap_or_else(|| panic!("{method} {target}"));
        assert_eq!(location, format!("{prefix}/runs/{run_id}"), "{method} {target}");
        let found = get(served.address, location).await;
        assert_eq!((found.status, &found.json()["run_id"]), (200, &json!(run_id)), "{target}");
        let exposed = reply.header("access-control-expose-headers").unwrap();
        assert!(exposed.split(", ").any(|name| name == "location"), "{exposed}");
    }
}

#[tokio::test]
async fn a_path_says_its_own_methods_to_whoever_asks_first() {
    let world = World::with_many(1).await;
    let settings = ApiSettings { cors_origins: vec!["*".to_owned()], ..unlimited() };
    let served = serve(world.api(settings)).await;
    let first = "origin: https://wallet.example\r\naccess-control-request-method: GET\r\n";
    for (path, methods) in [
        ("/data", "GET,HEAD,OPTIONS"),
        ("/api/v1/assets/1/", "GET,HEAD,OPTIONS"),
        ("/keys", "GET,HEAD,POST,OPTIONS"),
        ("/compare-runs", "GET,HEAD,POST,OPTIONS"),
        ("/keys/abcdefgh/revoke", "POST,OPTIONS"),
        ("/trigger-etl", "GET,POST,OPTIONS"),
    ] {
        let preflight = request(served.address, "OPTIONS", path, first).await;
        assert_eq!(preflight.status, 204, "{path}");
        assert_eq!(preflight.header("access-control-allow-methods"), Some(methods), "{path}");
        assert_eq!(preflight.header("allow"), Some(methods), "{path}");
        let refused = request(served.address, "DELETE", path, "").await;
        refused.assert_problem(405, "method_not_allowed");
        assert_eq!(refused.header("allow"), Some(methods), "{path}");
    }
}

#[tokio::test]
async fn refused_methods_are_counted_under_the_path_that_refused_them() {
    let served = World::with_many(1).await.serve().await;
    for (method, path) in [
        ("PATCH", "/listings/{id}/history"),
        ("BREW", "/quarantine/pages"),
        ("OPTIONS", "/assets/{id}/identity"),
        ("GET", "/keys/{id}/rotate"),
    ] {
        request(served.address, method, &path.replace("{id}", "7"), "").await;
        let (method, status) = match method {
            "BREW" => ("OTHER", 405),
            "OPTIONS" => (method, 204),
            _ => (method, 405),
        };
        let metrics = get(served.address, "/metrics").await.body;
        let line = format!(
            r#"kasparro_http_request_duration_seconds_count{{route="{path}",method="{method}",status="{status}"}}"#
        );
        assert!(metrics.contains(&line), "{line}");
    }
}
