//! Requests that change something: runs, rows, changes of upstreams, assets.

use kasparro_domain::{
    Command, CommandKind, DecisionKind, DriftSeverity, PageId, RunStatus, Scope, SourceName,
};
use kasparro_store::{CommandStore as _, PageStore as _, QuarantineStore as _, RunStore as _};
use serde_json::{Value, json};

use super::client::{Reply, get};
use super::findings::changed;
use super::keyed::{ask, unlimited, with_key};
use super::world::{Served, World, serve};
use crate::ApiSettings;

/// A served world with a key of each scope that changes something.
struct Site {
    served: Served,
    operate: String,
    admin: String,
}

async fn site(world: &World) -> Site {
    let operate = with_key(&world.key(Scope::Operate).await);
    let admin = with_key(&world.key(Scope::Admin).await);
    Site { served: serve(world.api(unlimited())).await, operate, admin }
}

impl Site {
    async fn operate(&self, method: &str, target: &str, body: &str) -> Reply {
        ask(self.served.address, method, target, &self.operate, body).await
    }

    async fn admin(&self, target: &str, body: &Value) -> Reply {
        ask(self.served.address, "POST", target, &self.admin, &body.to_string()).await
    }
}

async fn commands(world: &World) -> Vec<Command> {
    world.kept.claim(false).await.unwrap()
}

#[tokio::test]
async fn a_trigger_queues_a_run_and_the_next_one_finds_it() {
    let world = World::with_many(1).await;
    let site = site(&world).await;
    let first = site.operate("POST", "/api/v1/trigger-etl?source=csv_source", "").await;
    assert_eq!(first.status, 202, "{}", first.body);
    let asked = first.json();
    assert_eq!((&asked["source"], &asked["status"]), (&json!("csv"), &json!("queued")));
    assert!(asked["request_id"].is_string());
    let run_id = asked["run_id"].as_str().unwrap().parse().unwrap();
    let run = world.kept.run(run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.reason.name()), (RunStatus::Queued, "manual"));
    let kind = CommandKind::Run { source: SourceName::new("csv"), run_id, lists: false };
    assert_eq!(commands(&world).await[0].kind, kind);
    for (method, target) in
        [("GET", "/trigger-etl?source=csv"), ("POST", "/api/v1/trigger-etl/?source=CSV")]
    {
        let again = site.operate(method, target, "{}").await;
        assert_eq!(again.status, 202, "{}", again.body);
        assert_eq!(again.json()["run_id"], asked["run_id"], "the open run");
    }
    let posted = site.operate("POST", "/runs", r#"{"source":"csv","lists":true}"#).await;
    assert_eq!(posted.json()["run_id"], asked["run_id"]);
}

#[tokio::test]
async fn a_run_with_lists_is_asked_for_and_one_under_way_needs_no_command() {
    let mut world = World::with_many(1).await;
    let site = site(&world).await;
    let posted = site.operate("POST", "/runs", r#"{"source":"coingecko","lists":true}"#).await;
    assert_eq!(posted.status, 202, "{}", posted.body);
    let commands_left = commands(&world).await;
    assert!(matches!(&commands_left[0].kind, CommandKind::Run { lists: true, .. }));
    let running = world.start_run("csv").await;
    let found = site.operate("POST", "/runs", r#"{"source":"csv"}"#).await.json();
    assert_eq!(found["run_id"], running.to_string());
    assert_eq!(found["status"], "running");
    assert!(commands(&world).await.is_empty());
}

#[tokio::test]
async fn bad_requests_for_runs_are_named() {
    let world = World::with_many(1).await;
    let site = site(&world).await;
    for (target, body, code, field) in [
        ("/trigger-etl", "", "invalid_parameter", "source"),
        ("/trigger-etl?source=kraken", "", "invalid_parameter", "source"),
        ("/trigger-etl?source=rss", "", "invalid_parameter", "source"),
        ("/trigger-etl?source=", "", "invalid_parameter", "source"),
        ("/trigger-etl?source=csv&source=csv", "", "repeated_parameter", "source"),
        ("/trigger-etl?source=csv&force=1", "", "unknown_parameter", "force"),
        ("/trigger-etl?source=csv", r#"{"source":"csv"}"#, "invalid_body", "body"),
        ("/runs", "", "invalid_body", "body"),
        ("/runs", "{}", "invalid_body", "source"),
        ("/runs", r#"{"source":"kraken"}"#, "invalid_body", "source"),
        ("/runs", r#"{"source":7}"#, "invalid_body", "source"),
        ("/runs", r#"{"source":"csv","lists":"yes"}"#, "invalid_body", "lists"),
        ("/runs", r#"{"source":"csv","force":true}"#, "invalid_body", "force"),
        ("/runs?source=csv", r#"{"source":"csv"}"#, "unknown_parameter", "source"),
    ] {
        let reply = site.operate("POST", target, body).await;
        reply.assert_problem(400, code);
        assert_eq!(reply.json()["errors"][0]["field"], field, "{target} {body}: {}", reply.body);
    }
    assert!(commands(&world).await.is_empty());
}

#[tokio::test]
async fn rows_are_given_up_by_source_and_who_did_it_is_on_record() {
    let mut world = World::new();
    for source in ["coinpaprika", "csv", "coingecko"] {
        world.commit(source, &[]).await;
    }
    let (site, _worker) = (site(&world).await, world.work());
    let body = r#"{"rows":[3,1,1],"why":" test rows "}"#;
    let reply = site.operate("POST", "/quarantine/discard", body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let done = reply.json();
    assert_eq!(done["discarded"], 2);
    assert_eq!(done["command_ids"].as_array().unwrap().len(), 2, "one for each source");
    assert!(reply.header("x-generation").is_some());
    let decisions = world.kept.decisions().await.unwrap();
    assert_eq!((&*decisions[0].why, decisions.len()), ("test rows", 2));
    let who = &decisions[0].who;
    assert!(who.starts_with("key a key that may operate (") && who.ends_with(')'), "{who}");
    let again = site.operate("POST", "/quarantine/discard", body).await;
    again.assert_problem(409, "not_open");
    let id = done["command_ids"][0].as_i64().unwrap();
    let command = site.operate("GET", &format!("/commands/{id}"), "").await.json();
    assert_eq!((&command["kind"], &command["status"]), (&json!("discard"), &json!("done")));
    assert_eq!(command["result"], json!({"discarded": 1}));
}

#[tokio::test]
async fn rows_are_read_again_and_a_failure_tells_nothing_of_the_database() {
    let mut world = World::new();
    for source in ["coinpaprika", "csv"] {
        world.commit(source, &[]).await;
    }
    let (site, _worker) = (site(&world).await, world.work());
    let read = site.operate("POST", "/quarantine/retry", r#"{"rows":[2],"why":"so"}"#).await;
    assert_eq!(read.status, 200, "{}", read.body);
    assert_eq!(read.json()["run_ids"], json!(["r"]));
    let failed = site.operate("POST", "/quarantine/retry", r#"{"rows":[1],"why":"so"}"#).await;
    failed.assert_problem(409, "command_refused");
    assert!(!failed.body.contains("secret-host"), "{}", failed.body);
}

#[tokio::test]
async fn what_takes_longer_than_a_request_is_told_later() {
    let mut world = World::new();
    world.commit("csv", &[]).await;
    let operate = with_key(&world.key(Scope::Operate).await);
    let request_timeout = std::time::Duration::from_millis(500);
    let served = serve(world.api(ApiSettings { request_timeout, ..unlimited() })).await;
    let body = r#"{"rows":[1],"why":"so"}"#;
    let reply = ask(served.address, "POST", "/api/v1/quarantine/discard", &operate, body).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    let (status, ids) = (reply.json()["status"].clone(), reply.json()["command_ids"].clone());
    assert_eq!(status, "pending");
    let place = reply.header("location").unwrap();
    assert_eq!(place, format!("/api/v1/commands/{}", ids[0]));
    let look = || async { ask(served.address, "GET", place, &operate, "").await.json() };
    assert_eq!(look().await["status"], "pending");
    let _worker = world.work();
    while look().await["status"] != "done" {
        tokio::task::yield_now().await;
    }
    for (id, status, code) in [("999", 404, "command_not_found"), ("x", 400, "invalid_id")] {
        let target = format!("/commands/{id}");
        ask(served.address, "GET", &target, &operate, "").await.assert_problem(status, code);
    }
}

#[tokio::test]
async fn bad_requests_about_rows_and_changes_are_named() {
    let mut world = World::new();
    world.commit("csv", &[]).await;
    let site = site(&world).await;
    let many = format!(r#"{{"rows":{:?},"why":"so"}}"#, (1..=501).collect::<Vec<_>>());
    let long = format!(r#"{{"rows":[1],"why":"{}"}}"#, "x".repeat(501));
    for (body, field) in [
        ("", "body"),
        ("[1]", "body"),
        (r#"{"rows":[],"why":"so"}"#, "rows"),
        (many.as_str(), "rows"),
        (r#"{"rows":["1"],"why":"so"}"#, "rows[0]"),
        (r#"{"rows":[1]}"#, "why"),
        (r#"{"rows":[1],"why":"  "}"#, "why"),
        (r#"{"rows":[1],"why":"a\nb"}"#, "why"),
        (r#"{"rows":[1],"why":"a\u0000b"}"#, "why"),
        (long.as_str(), "why"),
        (r#"{"rows":[1],"why":"so","who":"ada"}"#, "who"),
    ] {
        for target in ["/quarantine/discard", "/quarantine/retry"] {
            let reply = site.operate("POST", target, body).await;
            reply.assert_problem(400, "invalid_body");
            assert_eq!(reply.json()["errors"][0]["field"], field, "{body}: {}", reply.body);
        }
    }
    for rows in ["[7]", "[-1]", "[9223372036854775807]", "[-9223372036854775808]", "[1,7]"] {
        let body = format!(r#"{{"rows":{rows},"why":"so"}}"#);
        let reply = site.operate("POST", "/quarantine/discard", &body).await;
        reply.assert_problem(404, "quarantine_row_not_found");
    }
    let drift = r#"{"drift":[7],"why":"so"}"#;
    site.operate("POST", "/drift/accept", drift).await.assert_problem(404, "drift_not_found");
    let why = r#"{"why":"so"}"#;
    for (id, status, code) in [("7", 404, "page_not_found"), ("x", 400, "invalid_id")] {
        let target = format!("/quarantine/pages/{id}/retry");
        site.operate("POST", &target, why).await.assert_problem(status, code);
    }
    let loaded = site.operate("POST", "/quarantine/pages/1/retry", why).await;
    loaded.assert_problem(409, "not_open");
    assert!(commands(&world).await.is_empty(), "nothing of it was handed in");
}

#[tokio::test]
async fn changes_are_accepted_and_a_refused_page_is_read_after_all() {
    let mut world = World::new();
    world.examine("csv", vec![changed("/price", DriftSeverity::Breaking)]).await;
    let run_id = world.start_run("csv").await;
    let page = world.land("csv", run_id).await;
    let error = kasparro_domain::RunError {
        code: "drift".to_owned(),
        message: "it has drifted".to_owned(),
        hint: "accept it".to_owned(),
    };
    world.kept.refuse(page, world.epoch("csv").await, error, None).await.unwrap();
    let site = site(&world).await;
    {
        let _worker = world.work();
        let body = r#"{"drift":[1],"why":"announced"}"#;
        let reply = site.operate("POST", "/drift/accept", body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.json()["accepted"], 1);
        site.operate("POST", "/drift/accept", body).await.assert_problem(409, "not_open");
    }
    let target = format!("/quarantine/pages/{}/retry", page.0);
    let asking = site.operate("POST", &target, r#"{"why":"so","forced":true}"#);
    let claiming = async {
        loop {
            if let Some(command) = commands(&world).await.pop() {
                let id = command.command_id;
                world.kept.complete(id, command.epoch, json!({"run_ids": []})).await.unwrap();
                return command.kind;
            }
            tokio::task::yield_now().await;
        }
    };
    let (reply, kind) = tokio::join!(asking, claiming);
    assert_eq!(reply.json()["run_ids"], json!([]), "{}", reply.body);
    let CommandKind::RetryPage { page_id, forced, why, .. } = kind else { panic!("{kind:?}") };
    assert_eq!((page_id, forced, &*why), (PageId(page.0), true, "so"));
}

#[tokio::test]
async fn people_decide_which_listings_are_one_asset() {
    let mut world = World::new();
    world.commit("coinpaprika", &[("a", "A", "a", Some("1")), ("b", "B", "b", Some("2"))]).await;
    world.commit("coingecko", &[("x", "A", "a", Some("1")), ("y:z", "Y", "y", None)]).await;
    world.refresh().await;
    let (site, _worker) = (site(&world).await, world.work());
    let body = |listings: &[&str]| json!({"listings": listings, "why": "so"});
    let pair = body(&["coingecko:x", "coinpaprika:a"]);
    let nothing = site.admin("/assets/withdraw", &pair).await;
    nothing.assert_problem(409, "not_decided");
    for (target, kind) in [
        ("/assets/link", DecisionKind::Link),
        ("/assets/unlink", DecisionKind::Unlink),
        ("/assets/merge", DecisionKind::Merge),
        ("/assets/withdraw", DecisionKind::Withdraw),
    ] {
        let reply = site.admin(target, &pair).await;
        assert_eq!(reply.status, 200, "{target}: {}", reply.body);
        let decision = world.kept.decisions().await.unwrap().pop().unwrap();
        assert_eq!(reply.json()["decision_id"], decision.decision_id.0, "{target}");
        assert_eq!((decision.kind, decision.pairs.len()), (kind, 1), "{target}");
        assert!(decision.who.starts_with("key a key that may admin ("), "{}", decision.who);
    }
    for (target, listings, status, code) in [
        ("/assets/link", &["coinpaprika:a", "coinpaprika:b"][..], 409, "listings_conflict"),
        ("/assets/merge", &["coinpaprika:a", "coinpaprika:b"], 409, "listings_conflict"),
        ("/assets/split", &["coinpaprika:a"], 409, "listings_conflict"),
        ("/assets/split", &["coinpaprika:a", "coingecko:x"], 409, "listings_conflict"),
        ("/assets/link", &["coinpaprika:a", "coingecko:none"], 404, "unknown_listing"),
        ("/assets/unlink", &["coinpaprika:a", "kraken:y"], 404, "unknown_listing"),
        ("/assets/link", &["coinpaprika:a"], 400, "invalid_body"),
        ("/assets/link", &["coinpaprika:a", "coinpaprika:a"], 400, "invalid_body"),
        ("/assets/link", &["coinpaprika:a", "a", "b"], 400, "invalid_body"),
        ("/assets/link", &["coinpaprika:a", "7"], 400, "invalid_body"),
        ("/assets/split", &[], 400, "invalid_body"),
    ] {
        site.admin(target, &body(listings)).await.assert_problem(status, code);
    }
    let colon = site.admin("/assets/link", &body(&["coingecko:y:z", "coinpaprika:b"])).await;
    assert_eq!(colon.status, 200, "{}", colon.body);
    let operator = site.operate("POST", "/assets/link", &pair.to_string()).await;
    operator.assert_problem(403, "scope_missing");
    assert_eq!(get(site.served.address, "/assets/1").await.status, 200);
}
