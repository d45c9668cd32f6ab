//! Tools that nobody here wrote, held against the real program: its description, its metrics, its answers, and
//! clients that others make of them (A1).
//!
//! `make outside-tools` installs them. A test whose tool is not there says that it is skipped, and fails where
//! `CI=true`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: a panic fails the test")]

mod clients;
mod database;
mod payloads;
mod schemathesis;
mod served;
mod tools;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kasparro_testkit::get;
use schemathesis::{Caller, Size};
use served::{Served, Store};

/// The longest that one tool may take, fuzzing left aside.
const PATIENCE: Duration = Duration::from_secs(120);

/// What schemathesis asks with a caller.
const ROUND: Size = Size { examples: 5, edge_cases: true };
const SEED: u64 = 1;

/// The program that is asked.
const PROGRAM: &str = env!("CARGO_BIN_EXE_kasparro");

/// The program over a store that does not change by itself.
fn at_rest(store: Store) -> Served {
    Served::start(Path::new(PROGRAM), store, false, &[])
}

/// Told even of tests that pass, whose prints are kept back.
fn tell(what: &str) {
    std::io::stderr().write_all(format!("{what}\n").as_bytes()).unwrap();
}

/// Where a tool is; nothing where it is not installed, which is said.
fn wanted(name: &str) -> Option<PathBuf> {
    let found = tools::find(name);
    if found.is_none() {
        let missing = format!("{name} is not installed; `make outside-tools` installs it");
        assert_ne!(tools::variable("CI").as_deref(), Some("true"), "{missing}");
        tell(&format!("skipped: {missing}"));
    }
    found
}

/// Calls a tool in the program's folder, and tells how long it took; it has to end well.
fn call(served: &Served, name: &str, tool: &Path, arguments: &[&str]) -> String {
    let log = served.folder.path().join(format!("{name}.log"));
    let started = tools::start(tool, arguments, &[], served.folder.path(), &log);
    let ended = tools::wait(started, &log, PATIENCE);
    tell(&format!("{name}: {:.1} s", ended.seconds));
    assert!(ended.well, "{name} complains:\n{}", ended.said);
    ended.said
}

/// Keeps what the program answers to `path` in a file.
fn keep(served: &Served, path: &str, name: &str) -> String {
    let answer = get(&format!("{}{path}", served.server.url)).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let file = served.folder.path().join(name);
    std::fs::write(&file, answer.body).unwrap();
    file.display().to_string()
}

#[test]
fn the_description_is_openapi_and_keeps_the_rules_of_redocly() {
    let served = at_rest(Store::Sqlite);
    let description = keep(&served, "/openapi.json", "openapi.json");
    if let Some(validator) = wanted("openapi-spec-validator") {
        let said = call(&served, "openapi-spec-validator", &validator, &[&description]);
        assert!(said.contains("OK"), "{said}");
    }
    if let Some(redocly) = wanted("redocly") {
        let rules = tools::root().join("tools/redocly.yaml").display().to_string();
        let arguments = ["lint", &description, "--config", &rules, "--max-problems", "1000"];
        let said = call(&served, "redocly", &redocly, &arguments);
        // What it says before that is about itself.
        let about_us = said.split_once("validating").map_or("", |(_, about_us)| about_us);
        let sound = about_us.contains("is valid") && !about_us.contains("warning");
        assert!(sound, "a warning counts as well:\n{said}");
    }
    served.stop();
}

/// Over each store, for each has figures of its own.
fn metrics(store: Store) {
    let Some(promtool) = wanted("promtool") else { return };
    let served = at_rest(store);
    // Everything that is counted by request is there once there was one.
    keep(&served, "/data?limit=1", "page.json");
    let metrics = keep(&served, "/metrics", "metrics.txt");
    let script = r#""$0" check metrics <"$1""#;
    let arguments = ["-c", script, promtool.to_str().unwrap(), &metrics];
    call(&served, "promtool", Path::new("/bin/sh"), &arguments);
    served.stop();
}

#[test]
fn the_metrics_over_sqlite_keep_the_rules_of_promtool() {
    metrics(Store::Sqlite);
}

#[test]
fn the_metrics_over_postgres_keep_the_rules_of_promtool() {
    metrics(Store::Postgres);
}

fn fuzz(store: Store, caller: Caller, size: Size) {
    if wanted("schemathesis").is_none() {
        return;
    }
    let served = at_rest(store);
    let seed = tools::variable("KASPARRO_FUZZ_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    let round = schemathesis::round(&served, caller, size, seed);
    let (requests, seconds) = (round.requests(), round.ended.seconds);
    let what = format!("schemathesis {} over {}", caller.name(), store.name());
    tell(&format!("{what}: {requests} requests, {seconds:.1} s"));
    assert!(round.fine(), "{what} complains:\n{}", round.ended.said);
    served.stop();
}

#[test]
fn a1_schemathesis_finds_nothing_to_complain_of_without_a_key() {
    fuzz(Store::Sqlite, Caller::Nobody, ROUND);
}

#[test]
fn a1_schemathesis_opens_nothing_with_keys_that_are_no_good() {
    // Whatever is asked, there is one answer: edge cases tell nothing new.
    fuzz(Store::Sqlite, Caller::Stranger, Size { examples: 1, edge_cases: false });
}

#[test]
fn a1_schemathesis_finds_nothing_to_complain_of_with_a_read_key() {
    fuzz(Store::Sqlite, Caller::Reader, ROUND);
}

#[test]
fn a1_schemathesis_finds_nothing_to_complain_of_with_an_admin_key() {
    fuzz(Store::Sqlite, Caller::Admin, ROUND);
}

/// A key that may do everything brings the most to the store; `make fuzz-api` asks with the others as well.
#[test]
fn a1_schemathesis_finds_nothing_to_complain_of_over_postgres() {
    fuzz(Store::Postgres, Caller::Admin, Size { edge_cases: false, ..ROUND });
}
