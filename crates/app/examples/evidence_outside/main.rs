//! Holds tools that nobody here wrote against the program for longer than a test may, and writes down what came
//! of it.
//!
//! `make fuzz-api` asks 100,000 made-up requests (A1), into `docs/evidence/fuzz-api.json`; `make slow-clients` lets
//! thousands of clients be slow or idle (A4, A5), into `docs/evidence/slow-clients.json`.

#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a tool that cannot measure has nothing better to do than end"
)]

mod bare;
#[path = "../../tests/outside/database.rs"]
mod database;
mod fuzz;
mod good;
mod idle;
#[path = "../support/machine.rs"]
mod machine;
mod process;
#[path = "../../tests/outside/schemathesis.rs"]
mod schemathesis;
#[path = "../../tests/outside/served.rs"]
mod served;
mod slow;
#[path = "../../tests/outside/tools.rs"]
mod tools;

use std::path::PathBuf;

use serde_json::{Value, json};

/// Told while it goes on.
fn tell(what: &str) {
    eprintln!("{what}");
}

/// Writes `docs/evidence/NAME.json`.
fn write(name: &str, seed: &Value, figures: Value) {
    let evidence = json!({
        "command": format!("make {name}"),
        "commit": machine::output_of("git", &["rev-parse", "HEAD"]),
        "seed": seed,
        "machine": machine::machine(),
        "figures": figures,
    });
    let path = tools::root().join("docs/evidence").join(format!("{name}.json"));
    std::fs::write(path, format!("{evidence:#}\n")).unwrap();
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (what, program) = match arguments.as_slice() {
        [what] => (what.as_str(), tools::root().join("target/release/kasparro")),
        [what, program] => (what.as_str(), PathBuf::from(program).canonicalize().unwrap()),
        _ => ("", PathBuf::new()),
    };
    match what {
        "fuzz-api" => fuzz::fuzz(&program),
        "slow-clients" => slow::slow_clients(&program),
        bare::NAME => bare::listen(),
        _ => {
            tell(
                "say fuzz-api or slow-clients, and the program where it is not target/release/kasparro",
            );
            std::process::exit(2);
        }
    }
}
