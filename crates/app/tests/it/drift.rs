//! An upstream changes what it sends: the page waits, a person decides, and then it is loaded.

use kasparro_sim::FaultPlan;
use kasparro_testkit::{Server, SimulatedUpstream, wait_for};
use serde_json::{Value, json};

use crate::world::{World, all_rows, assert_balanced, run_of, simulator};

/// Lets the simulator change its tickers so; nothing ends the change.
pub(crate) fn change(upstream: &SimulatedUpstream, drift: Value) {
    let plan = json!([{"path": "/v1/tickers", "drift": [drift]}]).to_string();
    let plan = FaultPlan::parse(plan.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    upstream.simulator.set_faults(plan);
}

pub(crate) fn listed(world: &World, arguments: &[&str]) -> Vec<Value> {
    let call = world.call(&[arguments, &["--json"]].concat());
    assert_eq!(call.code, Some(0), "{call:?}");
    call.json().as_array().unwrap().clone()
}

fn run(world: &World) -> Value {
    let run = run_of(&world.call(&["run", "coinpaprika", "--json"]).json(), "coinpaprika");
    assert_balanced(&run);
    run
}

fn bitcoin(server: &Server) -> f64 {
    wait_for("bitcoin in the read model", || {
        let rows = all_rows(server, "&source=coinpaprika&symbol=btc");
        rows.first()?["price_usd"].as_f64()
    })
}

/// A store that knows right tickers, and an upstream that sends prices in cents from now on: the change
/// and the page that waits for it.
fn changed(world: &World, upstream: &SimulatedUpstream) -> (String, String) {
    assert_eq!(run(world)["status"], "success");
    upstream.step();
    change(upstream, json!({"mutation": "unit", "member": "/quotes/USD/price", "factor": 100}));
    let refused = run(world);
    assert_ne!(refused["status"], "success", "{refused}");
    assert_eq!(refused["error"]["code"], "drift", "{refused}");
    let drift = listed(world, &["drift", "list", "--severity", "breaking"]);
    assert_eq!(drift.len(), 1, "{drift:?}");
    let about = (&drift[0]["kind"], &drift[0]["pointer"], &drift[0]["refused"]);
    assert_eq!(about, (&json!("unit_flip"), &json!("/quotes/USD/price"), &json!(true)));
    assert_eq!(drift[0]["breaks"], json!(["price_usd"]));
    let pages = listed(world, &["quarantine", "list", "--pages"]);
    assert_eq!(pages.len(), 1, "{pages:?}");
    let about = (&pages[0]["id"], &pages[0]["code"], &pages[0]["endpoint"], &pages[0]["run_id"]);
    let expected = (&drift[0]["raw_page_id"], &json!("drift"), &json!("tickers"));
    assert_eq!(about, (expected.0, expected.1, expected.2, &refused["run_id"]));
    (drift[0]["id"].to_string(), pages[0]["id"].to_string())
}

/// Accepts the change and has the page loaded: what was said, without what varies.
fn accepted(world: &World, drift: &str, page: &str) -> Value {
    let early = world.call(&["quarantine", "retry", "--page", page, "--json"]);
    assert_eq!(early.code, Some(1), "the rules refuse it once more: {early:?}");
    assert_eq!(listed(world, &["quarantine", "list", "--pages"]).len(), 1);
    let why = ["--why", "they said so"];
    let accept = world.call(&[&["drift", "accept", drift, "--json"][..], &why].concat());
    assert_eq!((accept.code, &accept.json()), (Some(0), &json!({"accepted": 1})), "{accept:?}");
    let again = world.call(&[&["drift", "accept", drift, "--json"][..], &why].concat());
    assert_eq!((again.code, &again.json()["error"]["code"]), (Some(1), &json!("not_open")));
    let retried = world.call(&["quarantine", "retry", "--page", page, "--json"]);
    assert_eq!(retried.code, Some(0), "{retried:?}");
    let mut run = run_of(&retried.json(), "coinpaprika");
    assert_balanced(&run);
    let counts = (&run["reason"], &run["status"], &run["updated"]);
    assert_eq!(counts, (&json!("retry"), &json!("success"), &json!(60)), "{run}");
    assert!(listed(world, &["quarantine", "list", "--pages"]).is_empty());
    let over = world.call(&["quarantine", "retry", "--page", page, "--json"]);
    assert_eq!((over.code, &over.json()["error"]["code"]), (Some(1), &json!("not_refused")));
    for varying in ["run_id", "duration_ms", "started_at", "completed_at"] {
        assert!(run.as_object_mut().unwrap().remove(varying).is_some(), "{varying}: {run}");
    }
    run
}

#[test]
fn a_page_in_another_unit_waits_until_the_change_is_accepted() {
    let upstream = simulator(60);
    let world = World::new().upstream(&upstream.url);
    let (drift, page) = changed(&world, &upstream);

    let shown = world.call(&["drift", "show", &drift]);
    for part in ["unit_flip", "/quotes/USD/price", "price_usd", "btc-bitcoin", "refused because"] {
        assert!(shown.stdout.contains(part), "{part}: {shown:?}");
    }
    let shown = world.call(&["quarantine", "show", "--page", &page]);
    for part in ["drift", "btc-bitcoin", "drift accept", "/v1/tickers"] {
        assert!(shown.stdout.contains(part), "{part}: {shown:?}");
    }
    for (arguments, part) in [
        (&["drift", "list"][..], "breaking"),
        (&["quarantine", "list", "--pages"], "tickers"),
        (&["anomalies", "list", "--kind", "failed"], "coinpaprika"),
        (&["status"], "in the last day"),
    ] {
        let call = world.call(arguments);
        let said = format!("{}{}", call.stdout, call.stderr);
        assert!(call.code == Some(0) && said.contains(part), "{part}: {call:?}");
    }

    let world = world.nothing_by_itself();
    let server = world.serve();
    let before = bitcoin(&server);
    assert_eq!(server.stop().code, Some(0));
    accepted(&world, &drift, &page);
    assert!(listed(&world, &["drift", "list", "--severity", "breaking"]).is_empty());
    assert_eq!(listed(&world, &["drift", "list", "--status", "accepted"]).len(), 1);
    let server = world.serve();
    let after = bitcoin(&server);
    assert!(after > 50.0 * before, "{before} became {after}");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn beside_a_server_a_change_is_accepted_and_its_page_loaded_with_the_same_outcome() {
    let (upstream, other) = (simulator(60), simulator(60));
    let alone = World::new().upstream(&upstream.url);
    let (drift, page) = changed(&alone, &upstream);
    let left = accepted(&alone, &drift, &page);

    let beside = World::new().upstream(&other.url).nothing_by_itself();
    let server = beside.serve();
    let (drift, page) = changed(&beside, &other);
    let before = bitcoin(&server);
    assert_eq!(accepted(&beside, &drift, &page), left);
    wait_for("the new price", || (bitcoin(&server) > 50.0 * before).then_some(()));
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_decided() {
    let world = World::new();
    assert_eq!(world.call(&["run", "csv"]).code, Some(0));
    for (arguments, code) in [
        (&["drift", "list", "--status", "closed"][..], "usage"),
        (&["drift", "list", "--severity", "loud"], "usage"),
        (&["drift", "list", "--source", "binance"], "unknown_source"),
        (&["drift", "accept", "1"], "usage"),
        (&["drift", "accept", "--why", "so"], "usage"),
        (&["anomalies", "list", "--kind", "ugly"], "usage"),
        (&["quarantine", "retry", "--page", "1", "--all"], "usage"),
        (&["quarantine", "retry", "--all", "--force"], "usage"),
        (&["quarantine", "list", "--pages", "--reason", "bad_number"], "usage"),
        (&["quarantine", "show", "1", "--page", "1"], "usage"),
    ] {
        let call = world.call(&[arguments, &["--json"]].concat());
        assert_eq!(call.code, Some(2), "{arguments:?}: {call:?}");
        assert_eq!(call.json()["error"]["code"], code, "{call:?}");
    }
    for (arguments, code) in [
        (&["drift", "show", "4711"][..], "unknown_drift"),
        (&["drift", "accept", "4711", "--why", "so"], "unknown_drift"),
        (&["quarantine", "retry", "--page", "4711"], "unknown_page"),
        (&["quarantine", "show", "--page", "4711"], "unknown_page"),
        (&["quarantine", "retry", "--page", "1"], "not_refused"),
    ] {
        let call = world.call(&[arguments, &["--json"]].concat());
        assert_eq!(call.code, Some(1), "{arguments:?}: {call:?}");
        assert_eq!(call.json()["error"]["code"], code, "{call:?}");
    }
    assert!(listed(&world, &["anomalies", "list"]).is_empty());
}
