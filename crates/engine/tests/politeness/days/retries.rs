//! Repeated requests: how many there are, and how long a run waits.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::live::{Asked, Lived};

/// Times that one question is asked in a run at most.
const ATTEMPTS: u32 = 3;
/// Of so many requests in a row so many are repeated at most.
const OF: usize = 100;
const REPEATED: usize = 10;

/// Judges retries and the waits within runs.
pub(crate) fn judge(lived: &Lived, longest_wait: Duration, complaints: &mut Vec<String>) -> Value {
    let mut repeated = Vec::new();
    let mut most_attempts = 0;
    let mut longest_gap = Duration::ZERO;
    for asked in by_run(lived) {
        let mut attempts = BTreeMap::<(&str, &str), u32>::new();
        for pair in asked.windows(2) {
            longest_gap = longest_gap.max(pair[1].at.since(pair[0].at));
        }
        for line in asked {
            let attempt = attempts.entry((&line.path, &line.query)).or_default();
            *attempt += 1;
            most_attempts = most_attempts.max(*attempt);
            repeated.push(*attempt > 1);
        }
    }
    if repeated.len() != lived.requests.len() {
        complaints.push("there are requests of no run".to_owned());
    }
    let count = |several: &[bool]| several.iter().filter(|again| **again).count();
    let most = repeated.windows(OF.min(repeated.len()).max(1)).map(count).max().unwrap_or(0);
    if most > REPEATED {
        complaints.push(format!("{most} of {OF} requests in a row are retries"));
    }
    if most_attempts > ATTEMPTS {
        complaints.push(format!("one question was asked {most_attempts} times in a run"));
    }
    // The wait and the answers around it.
    if longest_gap > longest_wait.saturating_add(Duration::from_secs(5)) {
        complaints.push(format!("a run waited for {longest_gap:?}"));
    }
    json!({
        "total": count(&repeated),
        "most_in_100": most,
        "most_attempts": most_attempts,
        "longest_wait_in_run_seconds": longest_gap.as_secs(),
    })
}

/// The requests of each run: those from its start to that of the next one.
fn by_run(lived: &Lived) -> Vec<&[Asked]> {
    let mut starts: Vec<_> = lived.runs.iter().filter_map(|run| run.started_at).collect();
    starts.sort_unstable();
    let behind = |start| lived.requests.partition_point(|asked| asked.at < start);
    let ends = starts.iter().skip(1).copied().map(behind).chain([lived.requests.len()]);
    starts
        .iter()
        .copied()
        .map(behind)
        .zip(ends)
        .map(|(from, to)| &lived.requests[from..to])
        .collect()
}
