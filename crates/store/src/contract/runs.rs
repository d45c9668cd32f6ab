//! Stories about the log of runs.

use kasparro_domain::{
    DriftMode, RejectionReason, Run, RunCounts, RunError, RunReason, RunStatus, SourceName,
};
use serde_json::json;

use super::fixture::{
    Held, LEASE, NEW, Subject, at, bad, gecko, hold, paprika, row, run_id, start, started,
};
use super::{Broken, Told, expect_conflict, expect_eq};
use crate::{Findings, RunFilter, RunUpdate, SourceState};

fn ended(minute: i64, status: RunStatus) -> RunUpdate {
    let error = (status != RunStatus::Success).then(|| RunError {
        code: "connect_failed".to_owned(),
        message: "nobody answers".to_owned(),
        hint: "look at the network".to_owned(),
    });
    RunUpdate::Ended { at: at(minute), status, requests: 3, error, findings: Findings::default() }
}

/// Queues, starts and ends a run that begins at `minute`.
async fn whole_run(store: &Subject, number: u128, minute: i64, status: RunStatus) -> Told {
    let run_id = run_id(number);
    let leases = store.leases().await?;
    let epoch =
        leases.iter().find(|lease| lease.source == paprika()).map_or(0, |lease| lease.epoch);
    store.queue_run(run_id, &paprika(), RunReason::Schedule, at(minute)).await?;
    store.update_run(run_id, epoch, started(minute)).await?;
    store.update_run(run_id, epoch, ended(minute + 1, status)).await?;
    Ok(())
}

async fn run(store: &Subject, number: u128) -> Result<Run, Broken> {
    let found = store.run(run_id(number)).await?;
    found.ok_or_else(|| Broken(format!("run {number} is not known")))
}

pub(super) async fn a_second_trigger_finds_the_open_run(store: Subject) -> Told {
    let first = store.queue_run(run_id(1), &paprika(), RunReason::Schedule, at(0)).await?;
    expect_eq("status", first.status, RunStatus::Queued)?;
    let second = store.queue_run(run_id(2), &paprika(), RunReason::Manual, at(1)).await?;
    expect_eq("while it is queued", &second, &first)?;
    store.update_run(run_id(1), 0, started(1)).await?;
    let third = store.queue_run(run_id(3), &paprika(), RunReason::Manual, at(2)).await?;
    expect_eq("while it runs", (third.run_id, third.status), (run_id(1), RunStatus::Running))?;
    let other = store.queue_run(run_id(4), &gecko(), RunReason::Manual, at(2)).await?;
    expect_eq("of another source", other.run_id, run_id(4))?;
    store.update_run(run_id(1), 0, ended(3, RunStatus::Success)).await?;
    let next = store.queue_run(run_id(5), &paprika(), RunReason::Manual, at(4)).await?;
    expect_eq("once it ended", next.run_id, run_id(5))?;
    expect_eq("runs", store.count_runs(RunFilter::default()).await?, 3)
}

pub(super) async fn a_run_moves_forward_only(store: Subject) -> Told {
    store.queue_run(run_id(1), &paprika(), RunReason::Manual, at(0)).await?;
    let again = started(9);
    expect_conflict("unknown run", store.update_run(run_id(9), 0, again.clone()).await)?;
    let open = ended(1, RunStatus::Running);
    expect_conflict("an end that is none", store.update_run(run_id(1), 0, open).await)?;
    store.update_run(run_id(1), 0, started(1)).await?;
    expect_conflict("started twice", store.update_run(run_id(1), 0, again.clone()).await)?;
    store.update_run(run_id(1), 0, ended(2, RunStatus::Failed)).await?;
    let failed = run(&store, 1).await?;
    expect_eq("status", failed.status, RunStatus::Failed)?;
    expect_eq("instants", (failed.started_at, failed.completed_at), (Some(at(1)), Some(at(2))))?;
    expect_eq("requests", failed.requests, 3)?;
    expect_eq("error", failed.error.map(|error| error.code), Some("connect_failed".to_owned()))?;
    expect_conflict("started after its end", store.update_run(run_id(1), 0, again).await)?;
    let success = ended(3, RunStatus::Success);
    expect_conflict("ended twice", store.update_run(run_id(1), 0, success).await)?;
    store.queue_run(run_id(2), &paprika(), RunReason::Manual, at(5)).await?;
    store.update_run(run_id(2), 0, ended(6, RunStatus::Abandoned)).await?;
    expect_eq("abandoned in the queue", run(&store, 2).await?.started_at, None)
}

pub(super) async fn runs_are_listed_newest_first(store: Subject) -> Told {
    whole_run(&store, 1, 0, RunStatus::Success).await?;
    whole_run(&store, 3, 10, RunStatus::Failed).await?;
    whole_run(&store, 2, 20, RunStatus::Success).await?;
    store.queue_run(run_id(4), &gecko(), RunReason::Manual, at(5)).await?;
    let list = async |filter: RunFilter| -> Result<Vec<u128>, Broken> {
        let runs = store.runs(filter).await?;
        Ok(runs.iter().map(|run| run.run_id.0.as_u128() & 0xff).collect())
    };
    let all = RunFilter { limit: 10, ..RunFilter::default() };
    expect_eq("all", list(all.clone()).await?, vec![2, 3, 4, 1])?;
    let page = RunFilter { limit: 2, offset: 1, ..RunFilter::default() };
    expect_eq("a page", list(page.clone()).await?, vec![3, 4])?;
    expect_eq("count", store.count_runs(page).await?, 4)?;
    let source = RunFilter { sources: vec![paprika()], ..all.clone() };
    expect_eq("of a source", list(source.clone()).await?, vec![2, 3, 1])?;
    let success = RunFilter { status: Some(RunStatus::Success), ..source };
    expect_eq("with a status", list(success.clone()).await?, vec![2, 1])?;
    expect_eq("count", store.count_runs(success).await?, 2)?;
    let queued = RunFilter { status: Some(RunStatus::Queued), ..all.clone() };
    expect_eq("queued", list(queued.clone()).await?, vec![4])?;
    expect_eq("count", store.count_runs(queued).await?, 1)?;
    let csv = SourceName::new("csv");
    let feed = SourceName::new("feed");
    for (what, sources, expected) in [
        ("of two sources", vec![gecko(), paprika()], vec![2, 3, 4, 1]),
        ("of one that ran and one that never did", vec![csv.clone(), gecko()], vec![4]),
        ("of a source that never ran", vec![csv.clone()], Vec::new()),
        ("of two that never ran", vec![csv, feed], Vec::new()),
    ] {
        let of = RunFilter { sources, ..all.clone() };
        expect_eq(
            &format!("count {what}"),
            store.count_runs(of.clone()).await?,
            expected.len() as u64,
        )?;
        expect_eq(what, list(of).await?, expected)?;
    }
    Ok(())
}

pub(super) async fn counters_of_a_run_are_the_sum_of_its_batches(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let other = hold(&store, gecko(), 2).await?;
    let mut sum = RunCounts::default();
    for sequence in 0..3 {
        let page = held.land(&store, sequence, format!("page {sequence}").as_bytes()).await?;
        let rows = vec![row(0, NEW, &format!("coin-{sequence}"), at(1), "1")];
        let mut batch = held.batch(&page, sequence, rows);
        batch.unchanged = sequence;
        batch.quarantined = vec![bad(1, RejectionReason::Malformed)];
        batch.rows_done = sequence + 2;
        batch.page_done = true;
        sum.add(&store.commit(batch).await?.counts);
    }
    let run = run(&store, 1).await?;
    expect_eq("counts", run.counts, sum)?;
    expect_eq("received", run.counts.received, 9)?;
    expect_eq("pages", run.pages, 3)?;
    let bystander = store.run(other.run_id).await?.map(|run| run.counts);
    expect_eq("of another run", bystander, Some(RunCounts::default()))
}

pub(super) async fn totals_and_latest_runs_of_each_source(store: Subject) -> Told {
    let begun = start(&store).await?;
    let mut batch = begun.held.batch(&begun.page, 1, Vec::new());
    batch.position = Some(json!("here"));
    batch.page_done = true;
    store.commit(batch).await?;
    store.update_run(run_id(1), begun.held.epoch, ended(1, RunStatus::Success)).await?;
    whole_run(&store, 2, 10, RunStatus::Failed).await?;
    whole_run(&store, 3, 20, RunStatus::Partial).await?;
    store.queue_run(run_id(4), &paprika(), RunReason::Manual, at(30)).await?;
    store.queue_run(run_id(5), &gecko(), RunReason::Manual, at(0)).await?;
    let summaries = store.source_summaries().await?;
    let names: Vec<_> = summaries.iter().map(|summary| summary.source.clone()).collect();
    expect_eq("sources", names, vec![gecko(), paprika()])?;
    let [other, summary] = summaries.as_slice() else {
        return Ok(());
    };
    let totals = (summary.total_runs, summary.successful_runs, summary.ended_runs);
    expect_eq("totals", totals, (4, 1, 3))?;
    expect_eq("rows", (summary.rows_received, summary.listings), (3, 3))?;
    let id = |run: &Option<Run>| run.as_ref().map(|run| run.run_id);
    expect_eq("last", id(&summary.last_run), Some(run_id(4)))?;
    expect_eq("last success", id(&summary.last_success), Some(run_id(1)))?;
    expect_eq("last failure", id(&summary.last_failure), Some(run_id(3)))?;
    let position = summary.checkpoint.as_ref().map(|checkpoint| checkpoint.position.clone());
    expect_eq("position", position, Some(json!("here")))?;
    expect_eq("one that only waits", (other.total_runs, other.ended_runs), (1, 0))?;
    expect_eq("its rows", (other.rows_received, other.listings), (0, 0))
}

/// Reading stored rows again must neither hide that a source is away nor say that it is.
pub(super) async fn runs_that_fetch_nothing_say_nothing_of_their_source(store: Subject) -> Told {
    whole_run(&store, 1, 0, RunStatus::Success).await?;
    whole_run(&store, 2, 10, RunStatus::Failed).await?;
    let before = store.source_summaries().await?;
    let reasons = [RunReason::Retry, RunReason::Replay];
    let outcomes = [RunStatus::Success, RunStatus::Failed, RunStatus::Partial];
    let (mut number, mut minute) = (3, 20);
    for reason in reasons {
        for status in outcomes {
            store.queue_run(run_id(number), &paprika(), reason, at(minute)).await?;
            expect_eq("queued", store.source_summaries().await?, before.clone())?;
            store.update_run(run_id(number), 0, started(minute)).await?;
            expect_eq("under way", store.source_summaries().await?, before.clone())?;
            store.update_run(run_id(number), 0, ended(minute + 1, status)).await?;
            expect_eq("ended", store.source_summaries().await?, before.clone())?;
            (number, minute) = (number + 1, minute + 10);
        }
    }
    expect_eq("in the log", store.count_runs(RunFilter::default()).await?, 8)?;
    let newest = RunFilter { limit: 1, ..RunFilter::default() };
    let newest: Vec<_> = store.runs(newest).await?.iter().map(|run| run.reason).collect();
    expect_eq("newest in the log", newest, vec![RunReason::Replay])?;

    store.queue_run(run_id(9), &gecko(), RunReason::Retry, at(0)).await?;
    let summaries = store.source_summaries().await?;
    let Some(only) = summaries.iter().find(|summary| summary.source == gecko()) else {
        return Err(Broken("a source that was only read again has no summary".to_owned()));
    };
    expect_eq("runs of one never fetched", (only.total_runs, only.ended_runs), (0, 0))?;
    expect_eq("its last run", &only.last_run, &None)?;

    let epoch = store.acquire(&gecko(), "a holder", LEASE).await?;
    let held = Held { source: gecko(), epoch, run_id: run_id(9) };
    store.update_run(held.run_id, held.epoch, started(1)).await?;
    let page = held.land(&store, 0, b"read again").await?;
    let mut batch = held.batch(&page, 0, vec![row(0, NEW, "coin", at(1), "1")]);
    batch.page_done = true;
    store.commit(batch).await?;
    let summaries = store.source_summaries().await?;
    let rows = summaries.iter().map(|summary| (summary.rows_received, summary.total_runs));
    expect_eq("rows over all runs", rows.collect::<Vec<_>>(), vec![(1, 0), (0, 2)])
}

pub(super) async fn the_state_of_a_source_is_replaced(store: Subject) -> Told {
    let state = |source, stale_after_seconds| SourceState {
        source,
        enabled: true,
        schedule: "every 1h".to_owned(),
        next_run_at: Some(at(60)),
        stale_after_seconds,
        drift_mode: DriftMode::Freeze,
        budgets: vec![json!({"window": "minute", "remaining": 4})],
    };
    store.put_source_state(state(paprika(), 1)).await?;
    store.put_source_state(state(gecko(), 2)).await?;
    store.put_source_state(state(paprika(), 3)).await?;
    let expected = vec![state(gecko(), 2), state(paprika(), 3)];
    expect_eq("states", store.source_states().await?, expected)
}

pub(super) async fn the_options_of_a_run_are_kept(store: Subject) -> Told {
    let options = json!({"page_size": 250, "vs": ["usd"], "price": 1e-7, "base": null});
    expect_eq("of nobody", store.run_options(run_id(1)).await?, None)?;
    store.queue_run(run_id(1), &paprika(), RunReason::Manual, at(0)).await?;
    expect_eq("before its start", store.run_options(run_id(1)).await?, None)?;
    let update = RunUpdate::Started { at: at(1), options: options.clone() };
    store.update_run(run_id(1), 0, update).await?;
    expect_eq("once started", store.run_options(run_id(1)).await?, Some(options.clone()))?;
    let again = RunUpdate::Started { at: at(2), options: json!({}) };
    expect_conflict("started twice", store.update_run(run_id(1), 0, again).await)?;
    store.update_run(run_id(1), 0, ended(2, RunStatus::Success)).await?;
    expect_eq("once ended", store.run_options(run_id(1)).await?, Some(options))
}
