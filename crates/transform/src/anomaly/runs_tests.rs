//! Runs that are unusual, each beside a twin that is not.

use kasparro_domain::{Run, RunAnomalyKind, RunError, RunReason, RunStatus};

use super::runs::unusual_run;
use super::samples::{Noise, failed, run, steady, with_rejects};

fn kinds(history: &[Run], this: &Run) -> Vec<RunAnomalyKind> {
    unusual_run(history, this, 0).into_iter().map(|found| found.kind).collect()
}

#[test]
fn an_outage_is_not_a_success_with_zero_rows() {
    let history = steady(60, 60, 1000, 20_000);
    let mut outage = run(60, 0, 300);
    outage.pages = 1;
    let found = unusual_run(&history, &outage, 0);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, RunAnomalyKind::NoRows);
    assert_eq!(found[0].value, "0 rows");
    assert_eq!(found[0].expected, "median 1000 rows, spread 30");
    // It asked and landed nothing; also as the first run of all.
    outage.pages = 0;
    assert_eq!(kinds(&history, &outage), [RunAnomalyKind::NoRows]);
    assert_eq!(kinds(&[], &outage), [RunAnomalyKind::NoRows]);
    // A page without a row is no "nothing new", whatever the other answers were.
    outage.pages = 1;
    assert_eq!(unusual_run(&history, &outage, 3).len(), 1);
}

#[test]
fn nothing_new_is_no_outage() {
    let history = steady(60, 60, 20, 3_000);
    let mut quiet = run(60, 0, 300);
    assert_eq!(unusual_run(&history, &quiet, 1), []);
    quiet.requests = 0;
    assert_eq!(unusual_run(&history, &quiet, 0), []);
}

#[test]
fn a_source_that_is_often_empty_may_be_empty() {
    let mut history = steady(60, 60, 20, 3_000);
    let mut empty = run(60, 0, 300);
    empty.pages = 1;
    for place in [3, 9, 20, 33, 41] {
        history[place].counts = empty.counts;
        assert_eq!(kinds(&history, &empty), [RunAnomalyKind::NoRows]);
    }
    history[50].counts = empty.counts;
    assert_eq!(kinds(&history, &empty), []);
}

#[test]
fn far_fewer_and_far_more_rows_are_flagged_and_a_few_are_not() {
    let history = steady(60, 60, 1000, 20_000);
    assert_eq!(kinds(&history, &run(60, 100, 20_000)), [RunAnomalyKind::FewRows]);
    assert_eq!(kinds(&history, &run(60, 5000, 20_000)), [RunAnomalyKind::ManyRows]);
    for healthy in [900, 990, 1000, 1010, 1100] {
        assert_eq!(kinds(&history, &run(60, healthy, 20_000)), [], "{healthy}");
    }
}

#[test]
fn a_small_source_is_not_judged_by_one_row() {
    let history = steady(60, 60, 12, 1_000);
    assert_eq!(kinds(&history, &run(60, 9, 1_000)), []);
    assert_eq!(kinds(&history, &run(60, 16, 1_000)), []);
    assert_eq!(kinds(&history, &run(60, 1, 1_000)), [RunAnomalyKind::FewRows]);
}

#[test]
fn what_varies_much_may_vary() {
    let mut noise = Noise::new(3);
    let history: Vec<Run> =
        (1..=60).map(|back| run(60 - back, 400 + (noise.even() * 1200.0) as u64, 20_000)).collect();
    assert_eq!(kinds(&history, &run(60, 60, 20_000)), []);
    assert_eq!(kinds(&history, &run(60, 9_000, 20_000)), [RunAnomalyKind::ManyRows]);
}

#[test]
fn the_run_that_brings_the_daily_lists_is_usual() {
    let runs = |hour: u64| {
        if hour.is_multiple_of(24) { run(hour, 19_000, 90_000) } else { run(hour, 1000, 20_000) }
    };
    let mut history: Vec<Run> = Vec::new();
    for hour in 0..200 {
        let this = runs(hour);
        assert_eq!(kinds(&history, &this), [], "hour {hour}");
        history.insert(0, this);
    }
    // The lists came short: no longer like those of the days before, yet more than most runs.
    assert_eq!(kinds(&history, &run(216, 60_000, 90_000)), [RunAnomalyKind::ManyRows]);
}

#[test]
fn a_slow_run_is_flagged_unless_it_had_more_to_do() {
    let history = steady(60, 60, 1000, 20_000);
    let found = unusual_run(&history, &run(60, 1000, 100_000), 0);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, RunAnomalyKind::Slow);
    assert_eq!(found[0].value, "100.0 s for 1000 rows");
    assert_eq!(found[0].expected, "median 20.0 s, spread 16.2 %");
    assert_eq!(kinds(&history, &run(60, 1000, 40_000)), []);
    assert_eq!(kinds(&history, &run(60, 5000, 100_000)), [RunAnomalyKind::ManyRows]);
}

#[test]
fn milliseconds_are_not_minded() {
    let history = steady(60, 60, 1000, 40);
    assert_eq!(kinds(&history, &run(60, 1000, 900)), []);
    assert_eq!(kinds(&history, &run(60, 1000, 3_000)), [RunAnomalyKind::Slow]);
}

#[test]
fn suspiciously_fast_is_flagged_but_not_where_every_page_repeated() {
    let history = steady(60, 60, 1000, 20_000);
    let fast = run(60, 1000, 400);
    assert_eq!(kinds(&history, &fast), [RunAnomalyKind::Fast]);
    let mut repeated = fast.clone();
    repeated.counts.unchanged = 1000;
    repeated.counts.updated = 0;
    assert_eq!(kinds(&history, &repeated), []);
    // Fewer rows in less time are not fast.
    assert_eq!(kinds(&history, &run(60, 20, 400)), [RunAnomalyKind::FewRows]);
}

#[test]
fn many_rejects_are_flagged_against_the_usual_share() {
    let clean = steady(60, 60, 1000, 20_000);
    assert_eq!(
        kinds(&clean, &with_rejects(run(60, 1000, 20_000), 150)),
        [RunAnomalyKind::ManyRejects]
    );
    assert_eq!(kinds(&clean, &with_rejects(run(60, 1000, 20_000), 20)), []);
    assert_eq!(kinds(&clean, &with_rejects(run(60, 1000, 20_000), 2)), []);
    let dirty: Vec<Run> = clean.iter().cloned().map(|run| with_rejects(run, 150)).collect();
    assert_eq!(kinds(&dirty, &with_rejects(run(60, 1000, 20_000), 160)), []);
    assert_eq!(
        kinds(&dirty, &with_rejects(run(60, 1000, 20_000), 450)),
        [RunAnomalyKind::ManyRejects]
    );
    // Fewer than ever are good news.
    assert_eq!(kinds(&dirty, &run(60, 1000, 20_000)), []);
}

#[test]
fn a_failure_after_a_success_is_flagged_once() {
    let mut history = steady(60, 60, 1000, 20_000);
    let mut broken = failed(run(60, 1000, 20_000));
    broken.error = Some(RunError {
        code: "connect_failed".into(),
        message: String::new(),
        hint: String::new(),
    });
    let found = unusual_run(&history, &broken, 0);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, RunAnomalyKind::Failed);
    assert_eq!(found[0].value, "failed: connect_failed");
    assert_eq!(found[0].expected, "success, as the run before");
    history.insert(0, broken);
    assert_eq!(kinds(&history, &failed(run(61, 1000, 20_000))), []);
    assert_eq!(kinds(&[], &failed(run(61, 1000, 20_000))), []);
}

#[test]
fn a_part_of_a_run_is_a_failure_too_and_its_few_rows_are_not_another() {
    let history = steady(60, 60, 1000, 20_000);
    let mut part = run(60, 250, 4_000);
    part.status = RunStatus::Partial;
    assert_eq!(kinds(&history, &part), [RunAnomalyKind::Failed]);
}

#[test]
fn an_abandoned_run_says_nothing_about_its_source() {
    let mut history = steady(60, 60, 1000, 20_000);
    let mut killed = run(60, 0, 300);
    killed.status = RunStatus::Abandoned;
    assert_eq!(kinds(&history, &killed), []);
    history.insert(0, killed);
    assert_eq!(kinds(&history, &failed(run(61, 1000, 20_000))), [RunAnomalyKind::Failed]);
}

#[test]
fn a_rate_of_failures_is_flagged_against_the_usual_one() {
    // Newest first: every `nth` run failed.
    let failing = |nth: u64, from: u64| -> Vec<Run> {
        (1..=100)
            .map(|back| {
                let this = run(200 - back, 1000, 20_000);
                if back >= from && back % nth == 0 { failed(this) } else { this }
            })
            .collect()
    };
    let this = failed(run(200, 1000, 20_000));
    // 5 of 10 where none ever failed.
    let mut healthy = failing(1000, 1);
    for place in [1, 3, 5, 7] {
        healthy[place] = failed(healthy[place].clone());
    }
    let found = unusual_run(&healthy, &this, 0);
    assert_eq!(found[1].kind, RunAnomalyKind::FailureRate);
    assert_eq!(found[1].value, "5 of the latest 10 runs failed");
    assert_eq!(found[1].expected, "median 0.0 of 10, spread 0.7");
    // As many where every second run fails anyway.
    assert_eq!(kinds(&failing(2, 1), &this), [RunAnomalyKind::Failed]);
    // Two of ten may be chance; and a success is no failure, whatever came before.
    let mut twice = failing(1000, 1);
    twice[4] = failed(twice[4].clone());
    assert_eq!(kinds(&twice, &this), [RunAnomalyKind::Failed]);
    assert_eq!(kinds(&healthy, &run(200, 1000, 20_000)), []);
}

#[test]
fn retries_and_replays_are_compared_with_nothing() {
    let history = steady(60, 60, 1000, 20_000);
    for reason in [RunReason::Retry, RunReason::Replay] {
        let mut this = run(60, 3, 50);
        this.reason = reason;
        assert_eq!(kinds(&history, &this), []);
        let mut retries = steady(60, 60, 3, 50);
        for run in &mut retries {
            run.reason = reason;
        }
        assert_eq!(kinds(&retries, &run(60, 1000, 20_000)), []);
    }
    let mut manual = run(60, 3, 20_000);
    manual.reason = RunReason::Manual;
    assert_eq!(kinds(&history, &manual), [RunAnomalyKind::FewRows]);
}

#[test]
fn thirty_healthy_days_of_hourly_runs_flag_nothing() {
    for seed in 0..20 {
        let mut noise = Noise::new(seed);
        let (mut history, mut listed): (Vec<Run>, f64) = (Vec::new(), 2_500.0);
        for hour in 0..30 * 24 {
            listed += noise.normal() * 2.0;
            let lists = if hour % 24 == 0 { 17_000.0 } else { 0.0 };
            let rows = (listed + lists + noise.normal() * 5.0) as u64;
            // A long tail: one run in fifty waits for a second attempt.
            let mut seconds = 15.0 * (0.25 * noise.normal()).exp() + lists / 800.0;
            if noise.even() < 0.02 {
                seconds += 10.0 * (1.0 + noise.even());
            }
            let rejects = if noise.even() < 0.3 { (noise.even() * 12.0) as u64 } else { 0 };
            let mut this = with_rejects(run(hour, rows, (seconds * 1000.0) as u64), rejects);
            if noise.even() < 0.05 {
                // Every page repeated, and was not loaded again.
                this.counts.unchanged += this.counts.updated;
                this.counts.updated = 0;
                this.completed_at = run(hour, rows, 700).completed_at;
            }
            assert_eq!(unusual_run(&history, &this, 0), [], "seed {seed}, hour {hour}");
            history.insert(0, this);
            history.truncate(150);
        }
    }
}

#[test]
fn thirty_healthy_days_of_a_feed_flag_nothing() {
    for seed in 0..20 {
        let mut noise = Noise::new(1000 + seed);
        let mut history: Vec<Run> = Vec::new();
        for hour in 0..30 * 24 {
            // Twenty items, or fewer; one answer in four says that nothing is new.
            let nothing_new = noise.even() < 0.25;
            let rows = if nothing_new { 0 } else { 16 + (noise.even() * 5.0) as u64 };
            let mut this = run(hour, rows, 200 + (noise.even() * 900.0) as u64);
            if !nothing_new && noise.even() < 0.5 {
                this.counts.unchanged = rows;
                this.counts.updated = 0;
            }
            let found = unusual_run(&history, &this, u64::from(nothing_new));
            assert_eq!(found, [], "seed {seed}, hour {hour}");
            history.insert(0, this);
        }
    }
}
