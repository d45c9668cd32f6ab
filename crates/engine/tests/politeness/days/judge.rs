//! What came of a scenario, held against what was to be expected.

use std::collections::BTreeMap;
use std::time::Duration;

use kasparro_domain::{RunStatus, Timestamp};
use kasparro_sim::LimitViolationKind;
use serde_json::{Value, json};

use super::live::Lived;
use super::scenario::Scenario;
use super::{fresh, retries};

/// A wait within a run is at most this long.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Failures in a row after which an upstream is left alone, and for how long at first and at most.
const FAILURES: u32 = 5;
const LEFT_ALONE: (Duration, Duration) = (Duration::from_secs(30), LONGEST_WAIT);

/// What is to be said of a scenario.
pub(crate) struct Judgement {
    /// What was counted.
    pub(crate) figures: Value,
    /// What is wrong.
    pub(crate) complaints: Vec<String>,
}

/// Judges by what the simulator saw and what the runs left, never by what a budget says of itself.
pub(crate) fn judge(scenario: &Scenario, lived: &Lived) -> Judgement {
    let mut complaints = Vec::new();
    limits(scenario, lived, &mut complaints);
    left_alone(lived, &mut complaints);
    storms(scenario, lived, &mut complaints);
    let repeated = retries::judge(lived, LONGEST_WAIT, &mut complaints);
    let months = fresh::judge(scenario, lived, &mut complaints);
    if let Some((after, within)) = scenario.expected.recovers {
        let well_at = lived.begins_at.plus(after);
        let good = good_starts(lived).into_iter().find(|start| *start >= well_at);
        let late = good.is_none_or(|good| good > well_at.plus(within));
        if late {
            complaints.push(format!("well at {well_at}, the next success is {good:?}"));
        }
    }
    let failures = lived.requests.iter().filter(|asked| asked.status >= 500).count();
    if failures < scenario.expected.failures {
        complaints.push(format!("the upstream failed only {failures} times"));
    }
    tried(scenario, lived, &mut complaints);
    let mut runs = BTreeMap::<&str, u64>::new();
    for run in &lived.runs {
        *runs.entry(run.status.name()).or_default() += 1;
    }
    let figures = json!({
        "span_days": scenario.span.as_secs_f64() / 86_400.0,
        "hidden": scenario.hidden,
        "schedule": scenario.schedule,
        "workers": scenario.workers.count,
        "store": format!("{:?}", scenario.workers.store).to_lowercase(),
        "handovers_or_restarts": lived.handovers,
        "kills": lived.kills,
        "requests": lived.requests.len(),
        "server_errors": failures,
        "limits": lived.report.rules,
        "runs": runs,
        "retries": repeated,
        "months": months,
    });
    Judgement { figures, complaints }
}

/// Workers that were to be disturbed were.
fn tried(scenario: &Scenario, lived: &Lived, complaints: &mut Vec<String>) {
    let few = |wanted: u32, came: u32| came < wanted.min(2);
    if few(scenario.workers.handovers, lived.handovers) || few(scenario.workers.kills, lived.kills)
    {
        let Lived { handovers, kills, .. } = lived;
        complaints.push(format!("only {handovers} handovers and {kills} kills were tried"));
    }
}

/// When each run began that succeeded, in order.
pub(crate) fn good_starts(lived: &Lived) -> Vec<Timestamp> {
    let good = lived.runs.iter().filter(|run| run.status == RunStatus::Success);
    good.filter_map(|run| run.started_at).collect()
}

/// Nothing is over a limit but while it is learned, and nothing comes before a `Retry-After` has passed.
fn limits(scenario: &Scenario, lived: &Lived, complaints: &mut Vec<String>) {
    let rules = scenario.hidden.as_array().map(Vec::as_slice).unwrap_or_default();
    for (number, (rule, came)) in rules.iter().zip(&lived.report.rules).enumerate() {
        if came.refused > scenario.expected.refused {
            let (first, last) = (came.first_refused_at, came.last_refused_at);
            complaints.push(format!(
                "limit {number} refused {} requests, from {first:?} to {last:?}",
                came.refused
            ));
        }
        let over = lived.report.violations.iter().filter(|violation| {
            violation.rule == number && violation.kind == LimitViolationKind::OverLimit
        });
        let over: Vec<_> = over.map(|violation| violation.at).collect();
        let apart = scenario.expected.refused_apart;
        if over.windows(2).any(|pair| pair[1].since(pair[0]) < apart) {
            complaints.push(format!("limit {number}: refusals less than {apart:?} apart"));
        }
        if came.before_retry_after > 0 {
            let early = came.before_retry_after;
            complaints.push(format!("limit {number}: {early} requests before Retry-After"));
        }
        if rule["window"] == "month" {
            let limit = rule["limit"].as_u64().unwrap_or_default();
            for (month, spent) in came.spent_by_month.iter().filter(|(_, spent)| **spent > limit) {
                complaints.push(format!("{spent} of {limit} credits were spent in {month}"));
            }
        }
    }
}

/// After some failures in a row an upstream gets one probe in ever longer intervals.
fn left_alone(lived: &Lived, complaints: &mut Vec<String>) {
    let (mut failures, mut interval, mut last) = (0_u32, LEFT_ALONE.0, None);
    for asked in &lived.requests {
        if let Some(last) = last.filter(|_| failures >= FAILURES) {
            let gap = asked.at.since(last);
            if gap < interval {
                complaints.push(format!("{}: a probe after {gap:?} of {interval:?}", asked.at));
            }
            interval = (interval * 2).min(LEFT_ALONE.1);
        }
        if asked.status >= 500 {
            failures += 1;
        } else {
            (failures, interval) = (0, LEFT_ALONE.0);
        }
        last = Some(asked.at);
    }
}

/// No more requests than expected come in any span.
fn storms(scenario: &Scenario, lived: &Lived, complaints: &mut Vec<String>) {
    let Some((most, span)) = scenario.expected.at_most else { return };
    if lived.requests.is_empty() {
        complaints.push("nothing was asked".to_owned());
    }
    for several in lived.requests.windows(most + 1) {
        let (first, last) = (several[0].at, several[most].at);
        if last.since(first) < span {
            complaints.push(format!("more than {most} requests in {span:?} from {first} on"));
            return;
        }
    }
}
