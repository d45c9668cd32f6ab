//! Measures how well the resolver does on generated lists and on the captures of real vendors that
//! `KASPARRO_REAL_DATA` names, into `docs/evidence/identity.json` and the tables of `docs/IDENTITY.md`.
//!
//! `make identity-evidence` runs it.
#![expect(clippy::unwrap_used, reason = "a tool that cannot go on has failed")]

#[path = "../tests/evaluate/explained.rs"]
mod explained;
#[path = "../../app/examples/support/machine.rs"]
mod machine;
#[path = "../tests/evaluate/measure.rs"]
mod measure;
#[path = "../tests/evaluate/real.rs"]
mod real;
#[path = "support/size.rs"]
mod size;
#[path = "../tests/evaluate/tables.rs"]
mod tables;

use std::path::Path;

use kasparro_identity::RULE_VERSION;
use serde_json::json;

/// In a process of its own, so that its memory is its own.
fn size() -> serde_json::Value {
    if cfg!(debug_assertions) {
        return "skipped: not a release build".into();
    }
    let program = std::env::current_exe().unwrap();
    serde_json::from_str(&machine::output_of(program.to_str().unwrap(), &["size"])).unwrap()
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("size") {
        #[expect(clippy::print_stdout, reason = "what the calling process reads")]
        {
            println!("{}", size::measure());
        }
        return;
    }
    let folder = real::folder().unwrap();
    let (generated, reports) = measure::of_generated();
    let real = measure::of_real(&folder);
    let evidence = json!({
        "command": "make identity-evidence",
        "commit": machine::output_of("git", &["rev-parse", "HEAD"]),
        "machine": machine::machine(),
        "rule_version": RULE_VERSION,
        "size": size(),
        "generated": generated,
        "real": real.runs,
        "false_links": real.false_links,
        "calibration": measure::calibration(reports.iter().chain(&real.reports)),
    });
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    std::fs::write(docs.join("evidence/identity.json"), format!("{evidence:#}\n")).unwrap();
    let document = docs.join("IDENTITY.md");
    let text = std::fs::read_to_string(&document).unwrap();
    std::fs::write(document, tables::with_tables(&text, &evidence)).unwrap();
}
