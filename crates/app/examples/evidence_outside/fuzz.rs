//! A hundred thousand requests made up from the description.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::schemathesis::{Caller, Round, round};
use crate::served::Served;
use crate::{tell, tools, write};

/// So many requests at least, all callers together; `KASPARRO_FUZZ_REQUESTS` says another number.
const REQUESTS: u64 = 100_000;

/// How often each operation is asked in a phase of a round; edge cases come on top.
const EXAMPLES: u32 = 150;

fn number(name: &str) -> Option<u64> {
    tools::variable(name).map(|text| text.parse().unwrap())
}

/// What a round found, as `code operation`, with how often.
fn complaints(round: &Round) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for failure in round.report["failures"].as_array().into_iter().flatten() {
        for operation in failure["operations"].as_array().into_iter().flatten() {
            let (code, operation) = (failure["code"].as_str(), operation.as_str());
            let name = format!("{} {}", code.unwrap_or("?"), operation.unwrap_or("?"));
            *found.entry(name).or_default() += 1;
        }
    }
    found
}

pub(crate) fn fuzz(program: &Path) {
    let first = number("KASPARRO_FUZZ_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let wanted = number("KASPARRO_FUZZ_REQUESTS").unwrap_or(REQUESTS);
    tell(&format!("seed {first}; KASPARRO_FUZZ_SEED={first} makes the same requests again"));
    let begun = Instant::now();
    let mut requests: BTreeMap<&str, u64> = BTreeMap::new();
    let mut complained: BTreeMap<String, u64> = BTreeMap::new();
    let (mut rounds, mut fine) = (0, true);
    while requests.values().sum::<u64>() < wanted {
        let seed = first + rounds;
        // Each caller has a program of its own; there are more callers than most machines have cores to spare.
        let asked = std::thread::scope(|scope| {
            let ask = |caller| {
                scope.spawn(move || {
                    let served = Served::start(program, false, &[]);
                    let done = round(&served, caller, EXAMPLES, seed);
                    served.stop();
                    (caller, done)
                })
            };
            [Caller::Nobody, Caller::Reader, Caller::Admin]
                .map(ask)
                .map(|thread| thread.join().unwrap())
        });
        rounds += 1;
        for (caller, round) in asked {
            let sent = round.requests();
            tell(&format!("{}: {sent} requests, {:.0} s", caller.name(), round.ended.seconds));
            *requests.entry(caller.name()).or_default() += sent;
            if !round.fine() {
                fine = false;
                tell(&round.ended.said);
            }
            for (name, times) in complaints(&round) {
                *complained.entry(name).or_default() += times;
            }
        }
        if requests.values().sum::<u64>() == 0 {
            break;
        }
    }
    let figures = json!({
        "requests": requests.values().sum::<u64>(),
        "requests_by_caller": requests,
        "rounds": rounds,
        "complaints": complained,
        "seconds": begun.elapsed().as_secs(),
    });
    write("fuzz-api", &Value::from(first), figures);
    assert!(fine, "see what schemathesis said above");
}
