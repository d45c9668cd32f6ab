//! Measures a first load into PostgreSQL beside a bare one of as many rows, and writes it down.
//!
//! `make evidence` runs it: a server of its own, which flushes every commit to the disk, takes 100,000 rows from
//! the real binary and the simulator, then as many by bare COPY and upsert (the benchmark `load` of
//! `kasparro-store-postgres`). The result is `docs/evidence/postgres-load.json`.

#![expect(
    clippy::unwrap_used,
    reason = "a tool that cannot measure has nothing better to do than end"
)]

mod support;

use std::path::PathBuf;
use std::process::Command;

use kasparro_testkit::postgres::{Postgres, execute_blocking};
use kasparro_testkit::{Program, SimulatedUpstream};
use serde_json::{Value, json};

use support::{Measured, counts, machine, output_of, run};

/// Rows of the load.
const ROWS: u32 = 100_000;

/// Seed of the simulated upstream.
const SEED: u64 = 1;

/// Rows a second, from the beginning of the process to its end.
fn rows_per_second(measured: &Measured) -> f64 {
    (f64::from(ROWS) / measured.figures["wall_seconds"].as_f64().unwrap()).round()
}

fn main() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let binary = root.join("target/release/kasparro").canonicalize().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::own();
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let sql = format!("ALTER SYSTEM SET {setting} = 'on'");
        execute_blocking(&server.superuser_url(), &sql).unwrap();
    }
    server.restart();
    let database = server.fresh_database();
    let upstream = SimulatedUpstream::start(SEED, ROWS);
    let program = Program::new(&binary, folder.path())
        .with("DATABASE_URL", &database.url())
        .with("KASPARRO_SOURCES__COINPAPRIKA__LISTS", "off")
        .with("KASPARRO_FETCH__UPSTREAM", &upstream.url);
    let arguments = ["run", "coinpaprika", "--json"];
    let first = run(&program, &arguments);
    let second = run(&program, &arguments);
    upstream.step();
    let changed = run(&program, &arguments);
    let bench = Command::new("cargo")
        .args(["bench", "--locked", "--quiet", "--package", "kasparro-store-postgres"])
        .args(["--bench", "load", "--", &ROWS.to_string()])
        .current_dir(&root)
        .env("KASPARRO_TEST_DATABASE_URL", server.superuser_url())
        .output()
        .unwrap();
    let text = String::from_utf8(bench.stdout).unwrap();
    let text = text.get(text.find('{').unwrap()..).unwrap();
    let bare: Value = serde_json::from_str(text).unwrap();
    let compared = |measured: &Measured, load: &str| {
        let bare = bare[load]["bare_rows_per_s"].as_f64().unwrap();
        json!({
            "coinpaprika": counts(&measured.document, "coinpaprika"),
            "process": measured.figures,
            "rows_per_second": rows_per_second(measured),
            "ratio_to_bare_copy_and_upsert": (rows_per_second(measured) / bare * 100.0).round() / 100.0,
        })
    };
    let document = json!({
        "command": "make evidence",
        "commit": output_of("git", &["rev-parse", "HEAD"]),
        "seed": SEED,
        "machine": machine(),
        "rows": ROWS,
        "server": {
            "version": output_of("postgres", &["--version"]),
            "fsync": true,
        },
        "first": compared(&first, "first_load"),
        "second": {"process": second.figures, "rows_per_second": rows_per_second(&second)},
        "all_prices_changed": compared(&changed, "all_prices_changed"),
        "store_alone": bare,
    });
    let path = root.join("docs/evidence/postgres-load.json");
    std::fs::write(path, format!("{document:#}\n")).unwrap();
}
