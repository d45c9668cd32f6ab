//! Three workers and two API processes on one PostgreSQL survive kills, freezes, cut connections and restarts of
//! the database (P5, P8, X6): the store ends as that of one undisturbed process, no batch of an old epoch is
//! in it, and a client that reads all the while sees no torn answer.
//!
//! `KASPARRO_FLEET_EVENTS` says how many things happen (8 unless it is set), `KASPARRO_FLEET_SEED` which,
//! `KASPARRO_FLEET_LEASE_SECONDS` how long leases last (3 unless it is set); `KASPARRO_FLEET_EVIDENCE` names a file
//! for what came of it (`make torture` writes `docs/evidence/fleet.json`).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod events;
mod judge;
#[path = "../../examples/support/machine.rs"]
mod machine;
mod reader;
mod stack;

use serde_json::json;
use stack::Stack;

/// What the environment sets for this test.
#[expect(clippy::disallowed_methods, reason = "the settings of a test, not of the program")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A number that the environment may set.
fn setting(name: &str, otherwise: u64) -> u64 {
    variable(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn i4_i14_a_fleet_survives_kills_freezes_and_restarts() {
    let (events, seed) = (setting("KASPARRO_FLEET_EVENTS", 8), setting("KASPARRO_FLEET_SEED", 1));
    let lease_seconds = setting("KASPARRO_FLEET_LEASE_SECONDS", 3);
    let mut stack = Stack::start(lease_seconds);
    let reader = reader::Reader::start(stack.api_urls());
    let mut chance = events::Chance::new(seed);
    let mut told = events::Told::default();
    stack.settle();
    for number in 1..=events {
        stack.step();
        let event = chance.event();
        println!("event {number}: {event:?}");
        events::happen(&mut stack, &reader, event, &mut chance, &mut told);
        stack.settle();
    }
    let seen = reader.finish();
    assert!(seen.answers > events, "{seen:?}");
    println!("{seen:?}");
    stack.stop();
    stack.come_to_an_end();
    let judged = judge::judge(&stack);
    if let Some(path) = variable("KASPARRO_FLEET_EVIDENCE") {
        let evidence = json!({
            "command": "make torture",
            "commit": machine::output_of("git", &["rev-parse", "HEAD"]),
            "seed": seed,
            "machine": machine::machine(),
            "events": events,
            "lease_seconds": lease_seconds,
            "by_kind": told.kinds,
            "takeovers_from_a_frozen_worker": told.takeovers,
            "longest_takeover_ms": told.longest_takeover_ms,
            "requests_after_a_takeover": told.most_requests_after_a_takeover,
            "reader": {
                "answers": seen.answers,
                "without_a_process": seen.unanswered,
                "generations_seen": seen.generations,
            },
            "store": judged,
        });
        std::fs::write(path, format!("{evidence:#}\n")).unwrap();
    }
}
