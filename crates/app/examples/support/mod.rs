//! What the tools that measure have in common.

mod machine;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kasparro_testkit::Program;
use serde_json::{Value, json};

pub(crate) use machine::{machine, output_of};

/// The most memory that a process of this id held, in kilobytes, watched until `done`.
fn watch_memory(pid: u32, peak: &AtomicU64, done: &AtomicBool) {
    while !done.load(Ordering::SeqCst) {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak.fetch_max(kilobytes.unwrap_or(0), Ordering::SeqCst);
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// User and system time of every child that has ended, in clock ticks of 10 ms.
fn children_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<u64> =
        after_name.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    fields[13] + fields[14]
}

/// A process that ended well.
pub(crate) struct Measured {
    pub(crate) document: Value,
    pub(crate) figures: Value,
}

/// Runs the program to its end and measures its process.
pub(crate) fn run(program: &Program, arguments: &[&str]) -> Measured {
    let ticks = children_ticks();
    let begun = Instant::now();
    let started = program.start(arguments);
    let (peak, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let watcher = {
        let (pid, peak, done) = (started.id(), Arc::clone(&peak), Arc::clone(&done));
        std::thread::spawn(move || watch_memory(pid, &peak, &done))
    };
    let finished = started.finish();
    let wall = begun.elapsed();
    done.store(true, Ordering::SeqCst);
    watcher.join().unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let figures = json!({
        "wall_seconds": wall.as_secs_f64(),
        "cpu_seconds": (children_ticks() - ticks) as f64 / 100.0,
        "peak_rss_kilobytes": peak.load(Ordering::SeqCst),
    });
    Measured { document: finished.json(), figures }
}

/// What a `run --json` document says of the rows of a source.
pub(crate) fn counts(document: &Value, source: &str) -> Value {
    let runs = document["runs"].as_array().unwrap();
    let run = runs.iter().find(|run| run["source"] == source).unwrap();
    let names = [
        "status",
        "received",
        "inserted",
        "updated",
        "unchanged",
        "stale",
        "duplicate",
        "quarantined",
        "pages",
        "requests",
    ];
    names
        .iter()
        .map(|name| ((*name).to_owned(), run[*name].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
