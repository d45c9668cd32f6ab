//! Runs that went otherwise than the runs of their source usually do.

use kasparro_domain::{Run, RunAnomaly, RunAnomalyKind, RunStatus};

use super::robust::{mad, median, robust_z};
use super::text::percent_of;
use super::usual::{MIN_RUNS, Side, Usual, earlier, fruitful, ordinary};

/// The least difference of a duration from the median that anybody minds, in milliseconds.
const LEAST_DIFFERENCE_MS: f64 = 2_000.0;

/// The fewest rejected rows that are many.
const LEAST_REJECTS: u64 = 3;

/// How many of its latest runs a rate of failures is taken over, this one included.
const RATE_OVER: usize = 10;

/// How many spreads above its usual failures a source fails far more: four of ten where it hardly ever
/// failed. One that fails one time in twenty by chance gets there once in 2,400 runs.
const RATE_SPREADS: f64 = 5.0;

/// The failure rate that every source is allowed: networks fail.
const RATE_ALLOWED: f64 = 0.05;

/// The share of earlier runs without a row from which that is a habit of the source, such as a feed
/// without news or a folder without new files.
const OFTEN_EMPTY: f64 = 0.1;

/// How many earlier runs like it make a run usual, where it may mean that data are missing.
const SEEN_BAD: usize = 3;

/// How many earlier runs like it make a run usual, where it is more than usual but may well be right: the
/// run that brings the daily lists is like the one of the day before.
const SEEN: usize = 1;

/// What is unusual about a run that has ended.
///
/// `history` holds earlier runs of the same source, newest first; what does not compare with `this` in it is
/// skipped: open runs, retries, replays, later runs and `this` itself. `not_modified` is the number of
/// requests that were answered with "nothing new" (304): a run without a row is healthy where that is why.
///
/// Retries and replays are never unusual, as they read what is there. Rows and duration are judged only of
/// successful runs, as a failed one is short for a known reason.
#[must_use]
pub fn unusual_run(history: &[Run], this: &Run, not_modified: u64) -> Vec<RunAnomaly> {
    if !ordinary(this) || this.status.open() {
        return Vec::new();
    }
    let earlier = earlier(history, this);
    let fruitful = fruitful(&earlier);
    let mut found = vec![failure(&earlier, this), failure_rate(&earlier, this)];
    if this.status == RunStatus::Success {
        found.push(no_rows(&earlier, this, not_modified));
        found.push(rows(&fruitful, this));
        found.push(duration(&fruitful, this));
    }
    found.push(rejects(&fruitful, this));
    found.into_iter().flatten().collect()
}

fn anomaly(kind: RunAnomalyKind, value: String, expected: String) -> Option<RunAnomaly> {
    Some(RunAnomaly { kind, value, expected })
}

/// Whether upstream or we are at fault cannot be told from an abandoned run.
fn fell_short(status: RunStatus) -> bool {
    matches!(status, RunStatus::Failed | RunStatus::Partial)
}

fn failure(earlier: &[&Run], this: &Run) -> Option<RunAnomaly> {
    let before = earlier.iter().find(|run| run.status != RunStatus::Abandoned)?;
    if !fell_short(this.status) || before.status != RunStatus::Success {
        return None;
    }
    let code = this.error.as_ref().map_or("no reason kept", |error| error.code.as_str());
    let expected = "success, as the run before".to_owned();
    anomaly(RunAnomalyKind::Failed, format!("{}: {code}", this.status), expected)
}

fn failure_rate(earlier: &[&Run], this: &Run) -> Option<RunAnomaly> {
    let failed = |run: &Run| run.status != RunStatus::Success;
    let count = |runs: &[&Run]| runs.iter().filter(|run| failed(run)).count();
    let (latest, older) = earlier.split_at_checked(RATE_OVER - 1)?;
    if !failed(this) || older.len() < MIN_RUNS {
        return None;
    }
    let over = RATE_OVER as f64;
    // A window cut short by the end of the history counts for what it would have been.
    let windows = || {
        older
            .chunks(RATE_OVER)
            .filter(|runs| runs.len() >= MIN_RUNS)
            .map(|runs| count(runs) as f64 * over / runs.len() as f64)
    };
    let usual = median(windows())?;
    let share = (usual / over).max(RATE_ALLOWED);
    let chance = (over * share * (1.0 - share)).sqrt();
    let spread = mad(windows(), usual)?;
    let now = count(latest) + 1;
    if robust_z(now as f64, usual, spread, chance) <= RATE_SPREADS {
        return None;
    }
    anomaly(
        RunAnomalyKind::FailureRate,
        format!("{now} of the latest {RATE_OVER} runs failed"),
        format!("median {usual:.1} of {RATE_OVER}, spread {:.1}", spread.max(chance)),
    )
}

fn no_rows(earlier: &[&Run], this: &Run, not_modified: u64) -> Option<RunAnomaly> {
    let nothing_asked = this.requests == 0 && this.pages == 0;
    let nothing_new = this.pages == 0 && not_modified > 0;
    if this.counts.received > 0 || nothing_asked || nothing_new {
        return None;
    }
    let successes = || earlier.iter().filter(|run| run.status == RunStatus::Success);
    let (all, empty) =
        (successes().count(), successes().filter(|run| run.counts.received == 0).count());
    if all >= MIN_RUNS && empty as f64 >= OFTEN_EMPTY * all as f64 {
        return None;
    }
    let usual = Usual::counts(successes().map(|run| run.counts.received));
    let expected =
        usual.map_or_else(|| "at least one row".to_owned(), |usual| usual.in_counts("rows"));
    anomaly(RunAnomalyKind::NoRows, "0 rows".to_owned(), expected)
}

fn rows(fruitful: &[&Run], this: &Run) -> Option<RunAnomaly> {
    let received = this.counts.received;
    if received == 0 {
        return None;
    }
    let usual = Usual::counts(fruitful.iter().map(|run| run.counts.received))?;
    let known = |side| if side == Side::Low { SEEN_BAD } else { SEEN };
    let kind = match usual.unusual(received as f64, known)? {
        Side::Low => RunAnomalyKind::FewRows,
        Side::High => RunAnomalyKind::ManyRows,
    };
    anomaly(kind, format!("{received} rows"), usual.in_counts("rows"))
}

/// True where a run brought nothing that was not known: its pages repeated, so most work was spared.
fn repeated(run: &Run) -> bool {
    run.counts.inserted == 0 && run.counts.updated == 0
}

fn log_ms(run: &Run) -> Option<f64> {
    Some((run.duration_ms()?.max(1) as f64).ln())
}

fn log_ms_per_row(run: &Run) -> Option<f64> {
    Some(log_ms(run)? - (run.counts.received.max(1) as f64).ln())
}

/// Unusual only where both the whole run and a row of it took as unusual a time: a run of more rows may
/// take longer, and one of fewer has less to spread its start over.
fn duration(fruitful: &[&Run], this: &Run) -> Option<RunAnomaly> {
    if this.counts.received == 0 {
        return None;
    }
    let alike = || fruitful.iter().filter(|run| repeated(run) == repeated(this));
    let whole = Usual::durations(alike().filter_map(|run| log_ms(run)))?;
    let per_row = Usual::durations(alike().filter_map(|run| log_ms_per_row(run)))?;
    let known = |side| if side == Side::Low { SEEN_BAD } else { SEEN };
    let took = log_ms(this)?;
    let side = whole.unusual(took, known)?;
    let minded = (took.exp() - whole.median().exp()).abs() >= LEAST_DIFFERENCE_MS;
    if per_row.unusual(log_ms_per_row(this)?, known)? != side || !minded {
        return None;
    }
    let kind = match side {
        Side::High => RunAnomalyKind::Slow,
        Side::Low if repeated(this) => return None,
        Side::Low => RunAnomalyKind::Fast,
    };
    let value = format!("{:.1} s for {} rows", took.exp() / 1000.0, this.counts.received);
    anomaly(kind, value, whole.in_seconds())
}

fn share(run: &Run) -> f64 {
    run.counts.quarantined as f64 / run.counts.received.max(1) as f64
}

fn rejects(fruitful: &[&Run], this: &Run) -> Option<RunAnomaly> {
    let (rejected, received) = (this.counts.quarantined, this.counts.received);
    if rejected < LEAST_REJECTS {
        return None;
    }
    let usual = Usual::shares(fruitful.iter().map(|run| share(run)), received)?;
    let value = format!("{rejected} of {received} rows: {}", percent_of(1.0 + share(this)));
    match usual.unusual(share(this), |_| SEEN_BAD)? {
        Side::High => anomaly(RunAnomalyKind::ManyRejects, value, usual.in_percent()),
        Side::Low => None,
    }
}
