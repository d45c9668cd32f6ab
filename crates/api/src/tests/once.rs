//! `Idempotency-Key`: requests that are sent often and have one effect.

use std::time::Duration;

use kasparro_domain::{Clock as _, Scope};
use kasparro_store::{
    CommandStore as _, KeyStore as _, QuarantineStore as _, RunFilter, RunStore as _,
};
use serde_json::json;

use super::client::{ADMIN_KEY, Reply};
use super::keyed::{ask, essence, unlimited, with_key};
use super::world::{Served, World, serve};

fn named(key: &str, name: &str) -> String {
    format!("{}idempotency-key: {name}\r\n", with_key(key))
}

/// The same request so many times at once, over two processes.
async fn race(
    served: &[Served; 2],
    count: usize,
    target: &str,
    headers: &str,
    body: &str,
) -> Vec<Reply> {
    let asking = (0..count).map(|number| {
        let address = served[number % 2].address;
        ask(address, "POST", target, headers, body)
    });
    futures_util::future::join_all(asking).await
}

async fn twice(world: &World) -> [Served; 2] {
    [serve(world.api(unlimited())).await, serve(world.api(unlimited())).await]
}

/// What all the answers say; they have to say the same.
fn only(replies: &[Reply]) -> (u16, serde_json::Value) {
    let first = essence(&replies[0]);
    for reply in replies {
        assert_eq!(essence(reply), first);
    }
    first
}

#[tokio::test]
async fn i17_a_hundred_equal_requests_give_rows_up_once() {
    let mut world = World::new();
    for source in ["coinpaprika", "csv"] {
        world.commit(source, &[]).await;
    }
    let (served, _worker) = (twice(&world).await, world.work());
    let body = r#"{"rows":[1,2],"why":"so"}"#;
    let headers = named(ADMIN_KEY, "first");
    let replies = race(&served, 100, "/quarantine/discard", &headers, body).await;
    let (status, told) = only(&replies);
    assert_eq!((status, &told["discarded"]), (200, &json!(2)));
    assert_eq!(world.kept.decisions().await.unwrap().len(), 2, "one for each source");
    // The rows are not open any more, and the answer is still that of the request.
    let late = ask(served[0].address, "POST", "/quarantine/discard", &headers, body).await;
    assert_eq!(essence(&late), (200, told));
    let unnamed =
        ask(served[0].address, "POST", "/quarantine/discard", &with_key(ADMIN_KEY), body).await;
    unnamed.assert_problem(409, "not_open");
}

#[tokio::test]
async fn i17_a_hundred_equal_triggers_start_one_run() {
    let world = World::with_many(1).await;
    let served = twice(&world).await;
    let headers = named(ADMIN_KEY, "run-7");
    let replies = race(&served, 100, "/trigger-etl?source=csv", &headers, "").await;
    let (status, told) = only(&replies);
    assert_eq!((status, &told["status"]), (202, &json!("queued")));
    let sources = vec![kasparro_domain::SourceName::new("csv")];
    let of_csv = RunFilter { sources, limit: 10, ..RunFilter::default() };
    let runs = world.kept.runs(of_csv).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(told["run_id"], runs[0].run_id.to_string());
    assert_eq!(world.kept.claim(false).await.unwrap().len(), 1);
}

#[tokio::test]
async fn i17_a_name_finds_its_run_when_that_has_ended() {
    let mut world = World::with_many(1).await;
    let served = twice(&world).await;
    let running = world.start_run("csv").await;
    let headers = named(ADMIN_KEY, "run-8");
    let first = ask(served[0].address, "POST", "/trigger-etl?source=csv", &headers, "").await;
    assert_eq!(first.json()["run_id"], running.to_string());
    world.end_run(running, kasparro_domain::RunStatus::Success).await;
    let again = ask(served[1].address, "POST", "/trigger-etl?source=csv", &headers, "").await;
    assert_eq!(essence(&again), essence(&first), "no other run is started");
    let runs = world.kept.count_runs(RunFilter::default()).await.unwrap();
    let other = named(ADMIN_KEY, "run-9");
    let next = ask(served[1].address, "POST", "/trigger-etl?source=csv", &other, "").await;
    assert_ne!(next.json()["run_id"], running.to_string());
    assert_eq!(world.kept.count_runs(RunFilter::default()).await.unwrap(), runs + 1);
}

#[tokio::test]
async fn i17_a_hundred_equal_requests_make_one_key_and_all_are_told_it() {
    let world = World::with_many(1).await;
    let served = twice(&world).await;
    let headers = named(ADMIN_KEY, "key-1");
    let body = r#"{"name":"a dashboard","scope":"read"}"#;
    let replies = race(&served, 100, "/keys", &headers, body).await;
    let (status, told) = only(&replies);
    assert_eq!(status, 201);
    assert_eq!(world.kept.keys().await.unwrap().len(), 1);
    let key = with_key(told["key"].as_str().unwrap());
    assert_eq!(ask(served[0].address, "GET", "/runs", &key, "").await.status, 200);
    // Once it is taken back, the name still tells it, and does not make it good again.
    let id = told["key_id"].as_str().unwrap();
    let revoke = format!("/keys/{id}/revoke");
    let revoking = race(&served, 20, &revoke, &named(ADMIN_KEY, "end-1"), "").await;
    only(&revoking);
    let late = ask(served[1].address, "POST", "/keys", &headers, body).await;
    assert_eq!(essence(&late), (201, told.clone()));
    assert_eq!(ask(served[0].address, "GET", "/runs", &key, "").await.status, 401);
    let rotating = world.key(Scope::Read).await;
    let rotate = format!("/keys/{}/rotate", crate::key_id_of(&rotating).unwrap());
    let replies = race(&served, 50, &rotate, &named(ADMIN_KEY, "turn-1"), "").await;
    assert_eq!(only(&replies).0, 201);
    assert_eq!(world.kept.keys().await.unwrap().len(), 3);
}

#[tokio::test]
async fn c28_a_key_whose_maker_was_killed_before_it_was_kept_is_made_by_the_next() {
    let world = World::with_many(1).await;
    let headers = named(ADMIN_KEY, "key-2");
    let body = r#"{"name":"a dashboard","scope":"read"}"#;
    // As if a process had ended between the two writes: the request is on record, the key is not.
    let answer = json!({"answer": {
        "salt": "a salt", "name": "a dashboard", "scope": "read", "requests": null,
        "created_at": "2024-01-01T00:00:01Z", "expires_at": null, "replaces": null,
    }});
    let once = kasparro_store::Once {
        caller: "admin".to_owned(),
        name: "key-2".to_owned(),
        asked: crate::change::print("POST", "/keys", "", body.as_bytes()),
        answer,
    };
    let now = world.clock.now();
    world.kept.submit_once(once, Vec::new(), now, now).await.unwrap();
    let after = serve(world.api(unlimited())).await;
    let first = ask(after.address, "POST", "/keys", &headers, body).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let again = ask(after.address, "POST", "/keys", &headers, body).await;
    assert_eq!(essence(&first), essence(&again));
    assert_eq!(world.kept.keys().await.unwrap().len(), 1);
    let key = with_key(first.json()["key"].as_str().unwrap());
    assert_eq!(ask(after.address, "GET", "/runs", &key, "").await.status, 200);
}

#[tokio::test]
async fn i17_another_request_under_the_name_is_refused_and_another_caller_has_its_own() {
    let mut world = World::new();
    for source in ["coinpaprika", "csv", "coingecko"] {
        world.commit(source, &[]).await;
    }
    let operate = world.key(Scope::Operate).await;
    let (served, _worker) = (twice(&world).await, world.work());
    let address = served[0].address;
    let discard = |key: &str, rows: &str| {
        let headers = named(key, "name");
        let body = format!(r#"{{"rows":[{rows}],"why":"so"}}"#);
        async move { ask(address, "POST", "/quarantine/discard", &headers, &body).await }
    };
    assert_eq!(discard(ADMIN_KEY, "1").await.status, 200);
    discard(ADMIN_KEY, "2").await.assert_problem(422, "idempotency_conflict");
    let (headers, body) = (named(ADMIN_KEY, "name"), r#"{"rows":[1],"why":"so"}"#);
    let other_path = ask(address, "POST", "/quarantine/retry", &headers, body).await;
    other_path.assert_problem(422, "idempotency_conflict");
    assert_eq!(discard(&operate, "2").await.status, 200, "another caller");
    // What was not possible stays so under its name, though it would be possible by now.
    let headers = named(ADMIN_KEY, "late");
    let body = r#"{"rows":[4],"why":"so"}"#;
    for _ in 0..2 {
        let reply = ask(address, "POST", "/quarantine/discard", &headers, body).await;
        reply.assert_problem(404, "quarantine_row_not_found");
        if world.kept.count_quarantined(Default::default()).await.unwrap() < 4 {
            world.commit("feed", &[]).await;
        }
    }
    // A body that cannot be read is remembered by nobody.
    let bad = ask(address, "POST", "/quarantine/discard", &named(ADMIN_KEY, "bad"), "{").await;
    bad.assert_problem(400, "invalid_body");
    let good = ask(address, "POST", "/quarantine/discard", &named(ADMIN_KEY, "bad"), body).await;
    assert_eq!(good.status, 200, "{}", good.body);
}

#[tokio::test]
async fn a_name_is_forgotten_after_a_day_and_must_be_one() {
    let mut world = World::new();
    let first = world.commit("csv", &[]).await;
    let second = world.commit("csv", &[]).await;
    let served = serve(world.api(unlimited())).await;
    let compare = |one: kasparro_domain::RunId, other: kasparro_domain::RunId| {
        let body = format!(r#"{{"run1_id":"{one}","run2_id":"{other}"}}"#);
        let headers = named(ADMIN_KEY, "compare");
        let address = served.address;
        async move { ask(address, "POST", "/compare-runs", &headers, &body).await }
    };
    let told = compare(first, second).await;
    assert_eq!(told.status, 200, "{}", told.body);
    assert_eq!(essence(&compare(first, second).await), essence(&told));
    compare(second, first).await.assert_problem(422, "idempotency_conflict");
    world.clock.advance(Duration::from_secs(24 * 3_600 + 1));
    assert_eq!(compare(second, first).await.status, 200);
    let long = "x".repeat(256);
    for line in [
        "idempotency-key: \r\n".to_owned(),
        "idempotency-key: a b\r\n".to_owned(),
        format!("idempotency-key: {long}\r\n"),
        "idempotency-key: a\r\nidempotency-key: a\r\n".to_owned(),
    ] {
        let headers = format!("{}{line}", with_key(ADMIN_KEY));
        let reply = ask(served.address, "POST", "/trigger-etl?source=csv", &headers, "").await;
        reply.assert_problem(400, "invalid_header");
        assert_eq!(reply.json()["errors"][0]["field"], "Idempotency-Key");
    }
}
