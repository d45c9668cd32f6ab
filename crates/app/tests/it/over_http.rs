//! What can be changed over HTTP: the same as on the command line.

use kasparro_testkit::{Server, send, wait_for};
use serde_json::{Value, json};

use crate::assets::{Call, examples, fill, partition, together, with_listings};
use crate::keys::{create, seen_within_two_seconds};
use crate::world::{World, get_as, post_as, simulator, wait_until_loaded};

/// Starts a run over HTTP and waits until it has ended well.
pub(crate) fn triggered(server: &Server, method: &str, key: &str, source: &str) {
    let url = format!("{}/trigger-etl?source={source}", server.url);
    let answer = send(method, &url, &[("X-API-Key", key)], "").unwrap();
    assert_eq!(answer.status, 202, "{method} {source}: {}", answer.text());
    let run = format!("{}/runs/{}", server.url, answer.json()["run_id"].as_str().unwrap());
    wait_for("the end of the run", || {
        let run = get_as(key, &run).ok()?.json();
        (run["status"] == "success").then_some(())
    });
}

#[test]
fn a_run_is_started_by_post_and_by_get_with_a_key() {
    let world = World::new().nothing_by_itself();
    let (key, _) = create(&|arguments| world.call(arguments), "operate");
    let server = world.serve();
    wait_until_loaded(&server);
    seen_within_two_seconds(&[&server], &key, 200);
    triggered(&server, "POST", &key, "csv");
    triggered(&server, "GET", &key, "csv_source");
    let runs = world.call(&["runs", "--source", "csv", "--json"]).json();
    let runs = runs["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert!(runs.iter().all(|run| run["status"] == "success"), "{runs:?}");
    assert_eq!(server.stop().code, Some(0));
}

/// Decides about two listings over HTTP, once for each name given, and waits until it is followed.
fn decide(server: &Server, key: &str, kind: &str, listings: [&str; 2]) -> Value {
    let url = format!("{}/assets/{kind}", server.url);
    let body = json!({"listings": listings, "why": "so"});
    let answer = post_as(key, &url, &body).unwrap();
    assert_eq!(answer.status, 200, "{kind}: {}", answer.text());
    answer.json()
}

/// Decisions over HTTP change assets as those of the command line do.
pub(crate) fn decided(server: &Server, call: Call<'_>, key: &str) {
    let before = partition(call);
    let (a, b, single) = examples(call);
    let until = |what: &str, expected: &dyn Fn() -> bool| {
        wait_for(what, || expected().then_some(()));
    };
    decide(server, key, "unlink", [&a, &b]);
    until("them apart", &|| !together(call, &a, &b));
    decide(server, key, "withdraw", [&b, &a]);
    until("evidence again", &|| partition(call) == before);
    decide(server, key, "link", ["csv:mine-a", &single]);
    until("them together", &|| together(call, "csv:mine-a", &single));
    let undone = call(&["assets", "unlink", "csv:mine-a", &single, "--why", "no", "--json"]);
    assert_eq!(undone.code, Some(0), "{undone:?}");
    until("what was before", &|| partition(call) == before);
    let shown = call(&["assets", "show", "csv:mine-a", "--json"]).json();
    let who: Vec<_> = shown["decisions"].as_array().unwrap().iter().map(|it| &it["who"]).collect();
    assert!(who[0].as_str().unwrap().starts_with("key of a story ("), "{who:?}");
    let unknown = json!({"listings": ["csv:nothing", single], "why": "so"});
    let refused = post_as(key, &format!("{}/assets/link", server.url), &unknown).unwrap();
    assert!((400..500).contains(&refused.status), "{}", refused.text());
    assert_eq!(partition(call), before);
}

#[test]
fn i14_decisions_over_http_change_assets_as_those_of_the_command_line_do() {
    let upstream = simulator(40);
    let world = with_listings(World::new(), &upstream).nothing_by_itself();
    let call = |arguments: &[&str]| world.call(arguments);
    fill(&call);
    let (key, _) = create(&call, "admin");
    let server = world.serve();
    wait_until_loaded(&server);
    seen_within_two_seconds(&[&server], &key, 200);
    decided(&server, &call, &key);
    assert_eq!(server.stop().code, Some(0));
}
