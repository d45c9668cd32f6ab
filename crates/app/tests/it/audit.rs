//! `verify` and `replay`: the digest, what is broken, and the same store built anew.

use kasparro_testkit::closed_port;
use serde_json::Value;

use crate::world::{World, simulator};

/// The tables of the digest.
const TABLES: [&str; 12] = [
    "anomaly",
    "checkpoint",
    "decision",
    "drift",
    "evidence",
    "history",
    "listing",
    "news",
    "partition",
    "quarantine",
    "quote",
    "raw_body",
];

fn filled() -> World {
    let upstream = simulator(40);
    let world = World::new().upstream(&upstream.url);
    let run = world.call(&["run", "coinpaprika", "coingecko", "csv"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    world
}

fn members(document: &Value) -> Vec<&str> {
    document.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn verify_gives_the_same_digest_alone_and_beside_a_server() {
    let world = filled().nothing_by_itself();
    let alone = world.call(&["verify", "--json"]);
    assert_eq!(alone.code, Some(0), "{alone:?}");
    let document = alone.json();
    assert_eq!(members(&document), ["digest", "generation", "ok", "tables", "violations"]);
    assert_eq!((&document["ok"], &document["violations"]), (&true.into(), &Value::Array(vec![])));
    let digest = document["digest"].as_str().unwrap();
    assert_eq!(digest.strip_prefix("sha256:").map(str::len), Some(64), "{digest}");
    assert!(document["generation"].as_u64().unwrap() > 0);
    assert_eq!(members(&document["tables"]), TABLES);
    for table in ["listing", "quote", "history", "evidence", "raw_body"] {
        assert!(document["tables"][table]["rows"].as_u64().unwrap() > 0, "{table}: {document}");
        assert_eq!(document["tables"][table]["digest"].as_str().unwrap().len(), 64);
    }

    let server = world.serve();
    let beside = world.call(&["verify", "--json"]);
    assert_eq!((beside.code, beside.json()), (Some(0), document.clone()));
    let text = world.call(&["verify"]);
    assert_eq!(text.code, Some(0), "{text:?}");
    for part in [digest, "listing", "every invariant holds"] {
        assert!(text.stdout.contains(part), "{part}: {text:?}");
    }
    assert_eq!(server.stop().code, Some(0));
}

#[test]
#[should_panic(expected = "is not the newest point of its history")]
fn a_story_that_harms_its_store_without_saying_so_fails() {
    let world = filled();
    let connection = rusqlite::Connection::open(world.database()).unwrap();
    assert!(connection.execute("UPDATE quote SET price_usd = '123.456'", []).unwrap() > 0);
}

#[test]
fn verify_names_what_was_tampered_with_and_exits_1() {
    let world = filled().damaged();
    let connection = rusqlite::Connection::open(world.database()).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    let harmed = connection.execute("UPDATE quote SET price_usd = '123.456'", []).unwrap();
    assert!(harmed > 0);
    drop(connection);
    let call = world.call(&["verify", "--json"]);
    assert_eq!(call.code, Some(1), "{call:?}");
    let document = call.json();
    assert_eq!(document["ok"], false);
    let violation = &document["violations"][0];
    assert_eq!(members(violation), ["detail", "invariant"]);
    assert_eq!(violation["invariant"], "quote", "{violation}");
    let text = world.call(&["verify"]);
    assert_eq!(text.code, Some(1), "{text:?}");
    assert!(text.stdout.contains("quote: "), "{text:?}");
    let replayed = world.call(&["replay", "--from", "data/kasparro.db", "--into", "anew.db"]);
    assert_eq!(replayed.code, Some(1), "{replayed:?}");
    assert!(replayed.stdout.contains("the digests differ in quote"), "{replayed:?}");
}

/// A store of two listings with two points each, one row in quarantine and one that was believed when it
/// was read again; what `harm` does to it changes one row.
fn damaged_by(harm: &str) -> World {
    let world = World::new().upstream(&closed_port()).with("KASPARRO_SOURCES__CSV__PATHS", "x.csv");
    for (day, price) in [("02", "1.10"), ("03", "1.20")] {
        let rows = format!(
            "id,price_usd,time,seen\n\
             a,{price},2026-01-{day}T00:00:00Z,2026-01-{day}T00:00:00Z\n\
             b,{price},soon,2026-01-{day}T00:00:00Z\n\
             c,abc{day},2026-01-{day}T00:00:00Z,2026-01-{day}T00:00:00Z\n"
        );
        std::fs::write(world.folder.path().join("x.csv"), rows).unwrap();
        let run = world.call(&["run", "csv"]);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
    let mended = "[{ path = \"x.csv\", time = \"seen\" }]";
    let world = world.with("KASPARRO_SOURCES__CSV__FILES", mended);
    let retry = world.call(&["quarantine", "retry", "--all"]);
    assert!(retry.stdout.contains("believed: 2, refused again: 2"), "{retry:?}");
    let sound = world.call(&["verify"]);
    assert_eq!(sound.code, Some(0), "{sound:?}");
    let connection = rusqlite::Connection::open(world.database()).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    assert_eq!(connection.execute(harm, []).unwrap(), 1, "{harm}");
    world.damaged()
}

/// What `verify` names, by invariant.
fn named(world: &World) -> Vec<String> {
    let call = world.call(&["verify", "--json"]);
    let document = call.json();
    let violations = document["violations"].as_array().unwrap();
    assert_eq!(call.code, Some(i32::from(!violations.is_empty())), "{call:?}");
    violations.iter().map(|one| one["invariant"].as_str().unwrap().to_owned()).collect()
}

fn differing(world: &World) -> Vec<String> {
    let arguments = ["replay", "--from", "data/kasparro.db", "--into", "anew.db", "--json"];
    let call = world.call(&arguments);
    assert_eq!(call.code, Some(1), "{call:?}");
    let document = call.json();
    assert_eq!(document["ok"], false);
    let tables = document["differing"].as_array().unwrap();
    tables.iter().map(|table| table.as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_older_point_that_is_gone_is_found_by_a_replay() {
    let world = damaged_by(
        "DELETE FROM history WHERE (hour, listing_id, observed_at, revision) IN
         (SELECT hour, listing_id, observed_at, revision FROM history ORDER BY observed_at LIMIT 1)",
    );
    assert_eq!(differing(&world), ["history"]);
}

#[test]
fn a_quarantined_row_that_is_gone_is_named_by_verify_and_found_by_a_replay() {
    let world = damaged_by(
        "DELETE FROM quarantine WHERE quarantine_id =
         (SELECT min(quarantine_id) FROM quarantine WHERE status = 'open')",
    );
    assert_eq!(named(&world), ["I1"]);
    assert_eq!(differing(&world), ["quarantine"]);
}

#[test]
fn a_believed_row_that_is_open_again_is_named_by_verify_and_found_by_a_replay() {
    let world = damaged_by(
        "UPDATE quarantine SET status = 'open' WHERE quarantine_id =
         (SELECT min(quarantine_id) FROM quarantine WHERE status = 'loaded')",
    );
    assert_eq!(named(&world), ["decision"]);
    assert_eq!(differing(&world), ["quarantine"]);
}

#[test]
fn verify_needs_a_store() {
    let world = World::new();
    let call = world.call(&["verify", "--json"]);
    assert_eq!(call.code, Some(3), "{call:?}");
    assert_eq!(call.json()["error"]["code"], "store_missing");
}

#[test]
fn replay_builds_the_same_store_beside_a_server_and_tells_what_it_did() {
    let world = filled().nothing_by_itself();
    let server = world.serve();
    let call = world.call(&[
        "replay",
        "--from",
        "sqlite:data/kasparro.db",
        "--into",
        "new/x.db",
        "--json",
    ]);
    assert_eq!(call.code, Some(0), "{call:?}");
    let document = call.json();
    let fields = ["decisions", "differing", "from", "into", "ok", "pages", "rows"];
    assert_eq!(members(&document), fields);
    assert_eq!(document["ok"], true);
    assert_eq!(document["from"]["digest"], document["into"]["digest"]);
    assert_eq!(document["from"]["tables"], document["into"]["tables"]);
    assert_eq!(document["differing"], Value::Array(vec![]));
    let runs = world.call(&["runs", "--json"]).json();
    let sum = |field: &str| -> u64 {
        runs["runs"].as_array().unwrap().iter().map(|run| run[field].as_u64().unwrap()).sum()
    };
    assert_eq!(
        (document["pages"].as_u64(), document["rows"].as_u64()),
        (Some(sum("pages")), Some(sum("received")))
    );
    assert!(call.stderr.contains("pages"), "progress goes to stderr: {call:?}");

    let text = world.call(&["replay", "--from", "data/kasparro.db", "--into", "again.db"]);
    assert_eq!(text.code, Some(0), "{text:?}");
    for part in ["the digests are equal", document["from"]["digest"].as_str().unwrap()] {
        assert!(text.stdout.contains(part), "{part}: {text:?}");
    }
    assert_eq!(server.stop().code, Some(0));
    assert!(!world.folder.path().join("again.db.spool").exists(), "nothing is left lying about");
    // What was built is a store like any other.
    let rebuilt = world.call(&["verify", "--json", "--database", "sqlite:again.db"]);
    assert_eq!(rebuilt.json()["digest"], document["from"]["digest"]);
}

#[test]
fn replay_refuses_a_target_that_holds_something_or_is_the_origin() {
    let world = filled();
    let file = "data/kasparro.db";
    std::os::unix::fs::symlink("kasparro.db", world.folder.path().join("data/link.db")).unwrap();
    for into in [file, "./data/../data/kasparro.db", "data/link.db"] {
        let same = world.call(&["replay", "--from", file, "--into", into, "--json"]);
        assert_eq!(same.code, Some(2), "{same:?}");
        assert_eq!(same.json()["error"]["code"], "same_store");
    }
    assert_eq!(world.call(&["replay", "--from", file, "--into", "anew.db"]).code, Some(0));
    let full = world.call(&["replay", "--from", file, "--into", "anew.db", "--json"]);
    assert_eq!(full.code, Some(2), "{full:?}");
    assert_eq!(full.json()["error"]["code"], "target_not_empty");
    assert!(full.stderr.contains("unfinished replay left it"), "{full:?}");
    for (from, into, code) in
        [("missing.db", "y.db", 3), ("mysql://h", "y.db", 2), (file, "postgres://u@h", 2)]
    {
        let call = world.call(&["replay", "--from", from, "--into", into]);
        assert_eq!(call.code, Some(code), "{call:?}");
        assert!(!world.folder.path().join("y.db").exists(), "nothing was made");
    }
    assert_eq!(world.call(&["replay", "--from", file]).code, Some(2));
}

#[test]
fn replay_into_a_store_that_is_held_names_the_holder() {
    let world = filled();
    let other = World::new().upstream(&closed_port()).nothing_by_itself();
    let server = other.serve();
    let into = other.database().display().to_string();
    let call = world.call(&["replay", "--from", "data/kasparro.db", "--into", &into, "--json"]);
    assert_eq!(call.code, Some(3), "{call:?}");
    assert_eq!(call.json()["error"]["code"], "store_locked");
    assert!(call.stderr.contains(&server.id().to_string()), "{call:?}");
    assert_eq!(server.stop().code, Some(0));
}
