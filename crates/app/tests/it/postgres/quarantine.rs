//! Decisions about quarantined rows, here and by the worker that holds their source.

use kasparro_testkit::closed_port;
use serde_json::Value;

use super::Shared;

/// A store with three rows of `csv` in quarantine, and the file that they came from.
fn refused() -> Shared {
    let shared = Shared::new().map(|world| {
        let file = world.folder.path().join("coins.csv");
        std::fs::write(&file, "id,name,symbol,price\na,A,A,1\nb,B,B,-1\nc,C,C,x\nd,D,D,\u{a0}?\n")
            .unwrap();
        let file = file.display().to_string();
        world.upstream(&closed_port()).nothing_by_itself().with("CSV_SOURCE_PATH", &file)
    });
    let run = shared.call(&["run", "csv", "--json"]);
    assert!(matches!(run.code, Some(0 | 4)), "{run:?}");
    assert_eq!(open(&shared).len(), 3, "{run:?}");
    shared
}

fn open(shared: &Shared) -> Vec<String> {
    let listed = shared.call(&["quarantine", "list", "--json"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let id = |row: &Value| row["id"].to_string();
    listed.json().as_array().unwrap().iter().map(id).collect()
}

fn decide(shared: &Shared, arguments: &[&str]) -> Value {
    let decided = shared.call(&[&["quarantine"], arguments, &["--json"]].concat());
    assert_eq!(decided.code, Some(0), "{decided:?}");
    decided.json()
}

#[test]
fn rows_are_given_up_and_read_again_with_and_without_a_worker() {
    let shared = refused();
    let ids = open(&shared);
    let alone = decide(&shared, &["discard", &ids[0], "--why", "a test row"]);
    assert_eq!(alone["discarded"], 1);
    let again = decide(&shared, &["retry", &ids[1]]);
    assert_eq!(again["runs"][0]["reason"], "retry", "{again}");
    assert_eq!(shared.holder("csv"), None, "given up at its end");

    let worker = shared.work(&["csv"]);
    let beside = decide(&shared, &["retry", "--all"]);
    assert_eq!(beside["runs"][0]["quarantined"], 2, "{beside}");
    let beside = decide(&shared, &["discard", &ids[1], "--why", "another"]);
    assert_eq!(beside["discarded"], 1);
    assert_eq!(open(&shared), [ids[2].clone()]);
    let done = "SELECT count(*) FROM kasparro.command WHERE state = 'done'";
    assert_eq!(shared.cell(done).as_deref(), Some("2"), "the worker did both");
    let shown = shared.call(&["quarantine", "show", &ids[2]]);
    assert!(shown.stdout.contains("d,D,D,"), "{shown:?}");
    assert_eq!(worker.stop().code, Some(0));
}

#[test]
fn i4_a_decision_left_to_a_worker_that_dies_is_taken_here() {
    let shared = refused();
    let worker = shared.work(&["csv"]);
    worker.freeze();
    let waiting = shared.world.start(&["quarantine", "discard", "--all", "--why", "so", "--json"]);
    kasparro_testkit::wait_for("the request", || {
        let rows = shared.cell("SELECT count(*) FROM kasparro.command")?;
        (rows != "0").then_some(())
    });
    worker.kill();
    let discarded = waiting.finish();
    assert_eq!(discarded.code, Some(0), "{discarded:?}");
    assert_eq!(discarded.json()["discarded"], 3);
    assert_eq!(shared.holder("csv"), None);
}
