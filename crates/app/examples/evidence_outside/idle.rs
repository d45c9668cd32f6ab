//! Ten thousand connections that say nothing, from the beginning or once they have asked.

use std::path::Path;
use std::time::{Duration, Instant};

use kasparro_testkit::{get, wait_for};
use serde_json::{Value, json};

use crate::good::{ask, connect};
use crate::process::Watcher;
use crate::served::{Served, Store};

const CONNECTIONS: usize = 10_000;

/// The most memory that the server may hold with all of them.
const MOST_KILOBYTES: u64 = 150 * 1024;

/// How long they are held before the server closes them, as its settings say.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Holds both kinds; whether the server held out, and the figures.
pub(crate) fn hold(program: &Path) -> (bool, Value) {
    let (silent_fine, silent) = hold_those(program, false);
    let (asked_fine, asked) = hold_those(program, true);
    (silent_fine && asked_fine, json!({ "that_never_asked": silent, "that_asked_once": asked }))
}

fn hold_those(program: &Path, that_asked: bool) -> (bool, Value) {
    let settings = [
        ("KASPARRO_SERVER__MAX_CONNECTIONS", "12000"),
        // All of them come from one address.
        ("KASPARRO_SERVER__MAX_CONNECTIONS_PER_CLIENT", "0"),
    ];
    let served = Served::start(program, Store::Sqlite, false, &settings);
    let address = served.server.url.trim_start_matches("http://").to_owned();
    let pid = served.server.id();
    let before = Watcher::start(pid).finish();
    let watcher = Watcher::start(pid);
    let begun = Instant::now();
    let connections: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let mut connection = connect(&address).unwrap();
            if that_asked {
                assert_eq!(ask(&mut connection, "/livez").unwrap(), 200);
            }
            connection
        })
        .collect();
    let opened_seconds = begun.elapsed().as_secs_f64();
    // Somebody new is still let in.
    let asked = Instant::now();
    let answer = get(&format!("{}/data?limit=1", served.server.url)).unwrap();
    let answered_ms = asked.elapsed().as_secs_f64() * 1_000.0;
    assert_eq!(answer.status, 200, "{}", answer.text());
    std::thread::park_timeout(Duration::from_secs(10));
    let held = watcher.finish();
    let most_files = held.iter().map(|held| held.files).max().unwrap_or(0);
    let rss = held.iter().map(|held| held.rss_kilobytes).max().unwrap_or(0);
    assert!(
        most_files >= CONNECTIONS,
        "{most_files} files were open, and it took {opened_seconds:.1} s to open {CONNECTIONS} connections"
    );
    // Each is closed once it was idle for too long; one that never asked sooner.
    std::thread::park_timeout(IDLE_TIMEOUT.saturating_sub(begun.elapsed()));
    let left = wait_for("the end of idle connections", || {
        let now = Watcher::start(pid).finish().first().map_or(0, |held| held.files);
        (now < 100).then_some(now)
    });
    drop(connections);
    served.stop();
    let figures = json!({
        "connections": CONNECTIONS,
        "opened_within_seconds": opened_seconds,
        "rss_kilobytes_before": before.first().map(|held| held.rss_kilobytes),
        "rss_kilobytes_at_most": rss,
        "a_new_client_was_answered_within_ms": answered_ms,
        "open_files_after_the_time_limits": left,
    });
    (rss <= MOST_KILOBYTES, figures)
}
