//! Sends the requests and keeps the answers, without what differs each time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kasparro_domain::{Clock as _, CommandKind};
use kasparro_store::{
    CommandStore as _, DriftStore as _, IdentityDecision, IdentityStore as _, QuarantineStore as _,
};
use serde_json::{Value, json};

use super::asked::{Asked, asked};
use super::story::{Story, story};
use crate::ApiSettings;
use crate::limits::LimitSettings;
use crate::openapi::examples::{Bodies, Examples};
use crate::tests::client::{ADMIN_KEY, Reply};
use crate::tests::keyed::{ask, unlimited, with_key};
use crate::tests::world::{Served, serve};

/// Stands for every key that is made: its checksum is wrong, so nobody takes it for a key.
pub(super) const NO_KEY: &str = "kasparro_live_000000000000000000000000000_000000";
const NO_KEY_ID: &str = "00000000";
const REQUEST_ID: &str = "018cc251-f400-7abc-8def-0123456789ab";
const PROBLEM: &str = "application/problem+json";
const JSON: &str = "application/json";

/// Tells the story, asks, and keeps what is answered.
pub(super) async fn record() -> Examples {
    let story = story().await;
    let served = serve(story.world.api(unlimited())).await;
    let mut examples = Examples::default();
    let worker = work(&story);
    for request in asked(&story) {
        let place = format!("{} {}", request.method, request.path);
        let reply = send(&served, &request).await;
        assert_eq!(reply.status, request.status, "{place}: {}", reply.body);
        let kind = reply.header("content-type").unwrap_or_default();
        assert!(kind.starts_with(request.media), "{place}: {kind} is not {}", request.media);
        let example = examples.operations.entry(place).or_default();
        let kept = kept(&request, &reply);
        let cursor = kept.pointer("/pagination/next_cursor").filter(|cursor| !cursor.is_null());
        example.parameters.extend(cursor.map(|cursor| ("cursor".to_owned(), cursor.clone())));
        if request.status < 300 {
            example.parameters.extend(own_parameters(&request));
            if ["/anomalies", "/quarantine", "/quarantine/pages"].contains(&request.path) {
                let run_id = json!(story.second_run.to_string());
                example.parameters.insert("run_id".to_owned(), run_id);
            }
            example.body = request.body.or(example.body.take());
        }
        let answers = example.answers.entry(request.status.to_string()).or_default();
        answers.insert(request.media.to_owned(), kept);
    }
    worker.abort();
    tell_of_a_change(&mut examples);
    everywhere(&story, &served, &mut examples).await;
    examples
}

async fn send(served: &Served, request: &Asked) -> Reply {
    let key = with_key(ADMIN_KEY);
    let headers = format!("{key}x-request-id: {REQUEST_ID}\r\naccept: {}\r\n", request.media);
    let body = request.body.as_ref().map(Value::to_string).unwrap_or_default();
    ask(served.address, request.method, &request.target, &headers, &body).await
}

/// Has commands carried out: what an engine does, without its runs.
fn work(story: &Story) -> tokio::task::JoinHandle<()> {
    let (store, clock) = (story.world.kept.clone(), story.world.clock.clone());
    let run_id = story.second_run.to_string();
    tokio::spawn(async move {
        loop {
            for command in store.claim(false).await.unwrap() {
                let now = clock.now();
                let result = match command.kind.clone() {
                    CommandKind::Discard { rows, who, why, .. } => {
                        json!({"discarded": store.discard(rows, &who, &why, now).await.unwrap()})
                    }
                    CommandKind::AcceptDrift { drift, who, why, .. } => {
                        json!({"accepted": store.accept_drift(drift, &who, &why, now).await.unwrap()})
                    }
                    CommandKind::DecideIdentity {
                        source,
                        decision: kind,
                        pairs,
                        relation,
                        who,
                        why,
                    } => {
                        let decided_at = now;
                        let decision = IdentityDecision {
                            kind,
                            source,
                            pairs,
                            relation,
                            who,
                            why,
                            decided_at,
                        };
                        json!({"decision_id": store.decide_identity(decision).await.unwrap()})
                    }
                    CommandKind::Run { run_id, .. } => json!({ "run_id": run_id }),
                    CommandKind::Retry { .. } | CommandKind::RetryPage { .. } => {
                        json!({ "run_ids": [run_id] })
                    }
                };
                store.complete(command.command_id, command.epoch, result).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

/// The parameters in the path, and those of the query whose values are ids of runs.
fn own_parameters(request: &Asked) -> Vec<(String, Value)> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let in_path = request.path.split('/').zip(path.split('/')).filter_map(|(name, value)| {
        let name = name.strip_prefix('{')?.strip_suffix('}')?;
        Some((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| json!(value))))
    });
    let runs =
        query.split('&').filter_map(|pair| pair.split_once('=')).filter_map(|(name, value)| {
            let other = match name {
                "run1_id" => "run_id_1",
                "run2_id" => "run_id_2",
                _ => return None,
            };
            Some([name, other].map(|name| (name.to_owned(), json!(value))))
        });
    in_path.chain(runs.flatten()).collect()
}

fn kept(request: &Asked, reply: &Reply) -> Value {
    let chosen = |wanted: &dyn Fn(&str) -> bool| {
        let lines = reply.body.lines().filter(|line| wanted(line));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    match request.media {
        JSON if request.path == "/openapi.json" => {
            let whole = crate::openapi_json();
            assert!(whole.starts_with(&reply.body) && !reply.body.is_empty());
            let document: Value = serde_json::from_str(&whole).unwrap();
            json!({"openapi": document["openapi"], "info": document["info"], "paths": {}})
        }
        JSON if request.path == "/api" => {
            // The document itself lists them all.
            let mut body = steady(reply.json());
            body["endpoints"].as_array_mut().unwrap().truncate(3);
            body
        }
        JSON => steady(reply.json()),
        // The value is that of whichever test came last.
        "text/plain" => {
            let help = chosen(&|line| line.contains(" kasparro_generation "));
            json!(format!("{help}kasparro_generation 14\n"))
        }
        "text/event-stream" => {
            let told = chosen(&|line| {
                ["retry: ", "event: ", "id: ", "data: "].iter().any(|start| line.starts_with(start))
            });
            json!(told.replace("\nevent: ", "\n\nevent: ") + "\n")
        }
        "text/html" | "text/javascript" => {
            let lines: Vec<_> = reply.body.lines().take(4).collect();
            json!(lines.join("\n"))
        }
        _ => json!(reply.body),
    }
}

/// The same answer without what is different each time.
fn steady(mut body: Value) -> Value {
    if let Some(members) = body.as_object_mut() {
        members.insert("api_latency_ms".to_owned(), json!(0.42));
        if members.contains_key("key") {
            members.insert("key".to_owned(), json!(NO_KEY));
            members.insert("key_id".to_owned(), json!(NO_KEY_ID));
        }
        // How long it lasts until more is free is counted by a clock that nobody sets.
        if members.get("code").is_some_and(|code| code == "rate_limited") {
            let detail = members["detail"].as_str().unwrap().split_once("; more in").unwrap().0;
            members.insert("detail".to_owned(), json!(format!("{detail}; more in 60 seconds")));
        }
    }
    body
}

/// Adds what a listener of the stream is told next to what it is told first.
fn tell_of_a_change(examples: &mut Examples) {
    let of = |name: &str, media: &str| examples.operations[name].answers["200"][media].clone();
    let row = of("GET /data", JSON)["data"][0].to_string();
    let first = of("GET /stream", "text/event-stream");
    let first = first.as_str().unwrap();
    let id = first.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let generation = id.split('-').next().unwrap();
    let told = json!(format!("{first}event: quote\nid: {generation}-1\ndata: {row}\n\n"));
    let stream = examples.operations.get_mut("GET /stream").unwrap();
    stream.answers.insert("200".to_owned(), Bodies::from([("text/event-stream".to_owned(), told)]));
}

/// What every operation may answer, and what is answered while something is wrong.
async fn everywhere(story: &Story, served: &Served, examples: &mut Examples) {
    let id = format!("x-request-id: {REQUEST_ID}\r\n");
    let (reader, admin) = (with_key(&story.reader) + &id, with_key(ADMIN_KEY) + &id);
    let narrow = LimitSettings { anonymous: Some(2), ..LimitSettings::default() };
    let narrow = serve(story.world.api(ApiSettings { limits: narrow, ..unlimited() })).await;
    for _ in 0..2 {
        ask(narrow.address, "GET", "/data", &id, "").await;
    }
    // Nobody works on commands any more, and this server is soon out of patience.
    let hasty = ApiSettings { request_timeout: Duration::from_millis(500), ..unlimited() };
    let hasty = serve(story.world.api(hasty)).await;
    let retry = r#"{"rows": [1], "why": "once more"}"#;
    let mut told = Vec::new();
    for (name, status, server, method, target, headers, body) in [
        ("default", 400, served, "GET", "/data?limit=0&order=up", &id, ""),
        ("KeyNeeded", 401, served, "GET", "/runs", &id, ""),
        ("Forbidden", 403, served, "GET", "/keys", &reader, ""),
        ("TooManyRequests", 429, &narrow, "GET", "/data", &id, ""),
        ("202", 202, &hasty, "POST", "/quarantine/retry", &admin, retry),
    ] {
        told.push((name, status, ask(server.address, method, target, headers, body).await));
    }
    story.world.switches.away.store(true, Ordering::SeqCst);
    let unavailable = ask(served.address, "GET", "/runs", &admin, "").await;
    told.push(("Unavailable", 503, unavailable));
    let unhealthy = ask(served.address, "GET", "/health", &admin, "").await;
    let bodies =
        |media: &str, reply: &Reply| Bodies::from([(media.to_owned(), steady(reply.json()))]);
    for (name, status, reply) in told {
        assert_eq!(reply.status, status, "{name}: {}", reply.body);
        let media = if status == 202 { JSON } else { PROBLEM };
        assert_eq!(reply.header("content-type"), Some(media), "{name}: {}", reply.body);
        examples.everywhere.insert(name.to_owned(), bodies(media, &reply));
    }
    assert_eq!(unhealthy.status, 503, "{}", unhealthy.body);
    let health = examples.operations.get_mut("GET /health").unwrap();
    health.answers.insert("503".to_owned(), bodies(JSON, &unhealthy));
}
