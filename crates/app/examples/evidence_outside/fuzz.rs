//! A hundred thousand requests made up from the description.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value, json};

use crate::schemathesis::{Caller, Round, Size, round};
use crate::served::{Served, Store};
use crate::{tell, tools, write};

/// So many requests at least, all rounds together; `KASPARRO_FUZZ_REQUESTS` says another number.
const REQUESTS: u64 = 100_000;

/// What is asked in a round.
const ROUND: Size = Size { examples: 100, edge_cases: true };

/// Who asks, one round after the other.
const CALLERS: [Caller; 3] = [Caller::Nobody, Caller::Reader, Caller::Admin];

/// Of so many rounds one goes over PostgreSQL: not a multiple of the callers, so that each comes to it.
const POSTGRES_EVERY: u64 = 10;

/// Rounds at once: beside each tool that asks, a program answers.
const MOST_AT_ONCE: usize = 4;

fn number(name: &str) -> Option<u64> {
    tools::variable(name).map(|text| text.parse().unwrap())
}

/// Who asks in a round, and over which store.
fn of_round(number: u64) -> (Caller, Store) {
    let caller = CALLERS.iter().cycle().nth((number % CALLERS.len() as u64) as usize).unwrap();
    let store = if number % POSTGRES_EVERY == 1 { Store::Postgres } else { Store::Sqlite };
    (*caller, store)
}

/// What all rounds together asked and found.
#[derive(Default)]
struct Sum {
    /// Rounds that were begun.
    begun: u64,
    requests: u64,
    by_caller: BTreeMap<&'static str, u64>,
    by_store: BTreeMap<&'static str, u64>,
    rounds_by_store: BTreeMap<&'static str, u64>,
    /// As `code operation`.
    complaints: BTreeMap<String, u64>,
    broken: bool,
}

impl Sum {
    fn add(&mut self, caller: Caller, store: Store, round: &Round) {
        let sent = round.requests();
        self.requests += sent;
        *self.by_caller.entry(caller.name()).or_default() += sent;
        *self.by_store.entry(store.name()).or_default() += sent;
        *self.rounds_by_store.entry(store.name()).or_default() += 1;
        // A round that asks nothing would be repeated for ever.
        self.broken |= !round.fine();
        for failure in round.report["failures"].as_array().into_iter().flatten() {
            for operation in failure["operations"].as_array().into_iter().flatten() {
                let (code, operation) = (failure["code"].as_str(), operation.as_str());
                let name = format!("{} {}", code.unwrap_or("?"), operation.unwrap_or("?"));
                *self.complaints.entry(name).or_default() += 1;
            }
        }
    }
}

/// Makes rounds, one after the other, until enough was asked.
fn rounds(program: &Path, first: u64, wanted: u64, begun: Instant, sum: &Mutex<Sum>) {
    loop {
        let number = {
            let mut sum = sum.lock().unwrap();
            if sum.requests >= wanted || (sum.broken && sum.requests == 0) {
                return;
            }
            sum.begun += 1;
            sum.begun - 1
        };
        let (caller, store) = of_round(number);
        let served = Served::start(program, store, false, &[]);
        let done = round(&served, caller, ROUND, first + number);
        served.stop();
        let mut sum = sum.lock().unwrap();
        sum.add(caller, store, &done);
        tell(&format!(
            "round {}, {} over {}: {} requests, {:.0} s; {} of {wanted} after {} s",
            number + 1,
            caller.name(),
            store.name(),
            done.requests(),
            done.ended.seconds,
            sum.requests,
            begun.elapsed().as_secs()
        ));
        if !done.fine() {
            tell(&done.ended.said);
        }
    }
}

pub(crate) fn fuzz(program: &Path) {
    let first = number("KASPARRO_FUZZ_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let wanted = number("KASPARRO_FUZZ_REQUESTS").unwrap_or(REQUESTS);
    tell(&format!("seed {first}; KASPARRO_FUZZ_SEED={first} makes the same requests again"));
    let at_once = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_AT_ONCE);
    let begun = Instant::now();
    let sum = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| rounds(program, first, wanted, begun, &sum));
        }
    });
    let sum = sum.into_inner().unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    let figures = json!({
        "requests": sum.requests,
        "requests_by_caller": sum.by_caller,
        "requests_by_store": sum.by_store,
        "rounds_by_store": sum.rounds_by_store,
        "rounds_at_once": at_once,
        "complaints": sum.complaints,
        "seconds": seconds.round(),
        "requests_per_second": (sum.requests as f64 / seconds).round(),
    });
    write("fuzz-api", &Value::from(first), figures);
    assert!(!sum.broken, "see what schemathesis said above");
}
