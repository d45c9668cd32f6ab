//! Stories about who holds a source.

use std::time::Duration;

use kasparro_domain::{CommandKind, CommandState, RunError, RunStatus};
use serde_json::json;

use super::fixture::{LEASE, Subject, at, body, gecko, hold, paprika, run_id, started};
use super::{Told, ensure, expect_conflict, expect_eq};
use crate::{Findings, RunUpdate, StoreError, StoreResult};

fn held_by<T: std::fmt::Debug>(what: &str, outcome: StoreResult<T>, by: &str) -> Told {
    match outcome {
        Err(StoreError::Held { source_name, holder, left_ms })
            if source_name == paprika() && holder == by =>
        {
            let most = LEASE.as_millis();
            ensure(u128::from(left_ms) <= most && left_ms > 0, "what is left of the lease is told")
        }
        other => Err(super::Broken(format!("{what}: got {other:?}, expected it held by {by}"))),
    }
}

fn fenced<T: std::fmt::Debug + PartialEq>(what: &str, outcome: StoreResult<T>, epoch: u64) -> Told {
    expect_eq(what, outcome, Err(StoreError::Fenced { source_name: paprika(), epoch }))
}

pub(super) async fn i4_a_source_is_held_by_one_at_a_time(store: Subject) -> Told {
    expect_eq("at first", store.leases().await?, Vec::new())?;
    expect_eq("first", store.acquire(&paprika(), "a", LEASE).await?, 1)?;
    held_by("second", store.acquire(&paprika(), "b", LEASE).await, "a")?;
    expect_eq("the other source", store.acquire(&gecko(), "b", LEASE).await?, 1)?;
    expect_eq("by the same again", store.acquire(&paprika(), "a", LEASE).await?, 2)?;
    fenced("its own older epoch", store.renew(&paprika(), 1, LEASE).await, 1)?;
    store.renew(&paprika(), 2, LEASE).await?;
    let leases = store.leases().await?;
    let told: Vec<_> = leases
        .iter()
        .map(|lease| (lease.source.clone(), lease.holder.as_str(), lease.epoch, lease.live))
        .collect();
    expect_eq("leases", told, vec![(gecko(), "b", 1, true), (paprika(), "a", 2, true)])
}

pub(super) async fn i4_an_ended_lease_is_taken_once(store: Subject) -> Told {
    store.acquire(&paprika(), "a", Duration::ZERO).await?;
    let live = store.leases().await?.first().map(|lease| lease.live);
    expect_eq("it has ended", live, Some(false))?;
    expect_eq("by another", store.acquire(&paprika(), "b", LEASE).await?, 2)?;
    fenced("the first holder", store.renew(&paprika(), 1, LEASE).await, 1)?;
    store.release(&paprika(), 1).await?;
    held_by("nothing was given up", store.acquire(&paprika(), "c", LEASE).await, "b")?;
    fenced("an epoch to come", store.renew(&paprika(), 3, LEASE).await, 3)
}

pub(super) async fn an_ended_lease_that_nobody_took_may_be_renewed(store: Subject) -> Told {
    store.acquire(&paprika(), "a", Duration::ZERO).await?;
    store.renew(&paprika(), 1, LEASE).await?;
    held_by("it holds again", store.acquire(&paprika(), "b", LEASE).await, "a")?;
    fenced("of a source that nobody took", store.renew(&paprika(), 7, LEASE).await, 7)
}

pub(super) async fn a_source_that_is_given_up_is_free_at_once(store: Subject) -> Told {
    store.acquire(&paprika(), "a", LEASE).await?;
    store.release(&paprika(), 1).await?;
    expect_eq("by another", store.acquire(&paprika(), "b", LEASE).await?, 2)
}

pub(super) async fn i4_an_old_epoch_lands_refuses_and_ends_nothing(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let page = held.land(&store, 0, b"landed in time").await?;
    store.release(&paprika(), held.epoch).await?;
    let next = store.acquire(&paprika(), "the next holder", LEASE).await?;
    let before = store.dump().await?;
    let late = held.new_page(1);
    fenced("a page", store.land(late, body(b"landed too late")).await, held.epoch)?;
    let error = RunError { code: "a".into(), message: "b".into(), hint: "c".into() };
    let refused = store.refuse(page.page_id, held.epoch, error.clone(), None).await;
    fenced("a refusal", refused, held.epoch)?;
    let ended = RunUpdate::Ended {
        at: at(2),
        status: RunStatus::Success,
        requests: 1,
        error: None,
        findings: Findings::default(),
    };
    fenced("an end", store.update_run(held.run_id, held.epoch, ended.clone()).await, held.epoch)?;
    let abandoned = RunUpdate::Ended {
        at: at(3),
        status: RunStatus::Abandoned,
        requests: 1,
        error: Some(error.clone()),
        findings: Findings::default(),
    };
    expect_eq("tables", store.dump().await?, before)?;
    store.refuse(page.page_id, next, error, None).await?;
    store.update_run(held.run_id, next, abandoned).await?;
    store.queue_run(run_id(2), &paprika(), kasparro_domain::RunReason::Schedule, at(4)).await?;
    fenced("a start", store.update_run(run_id(2), held.epoch, started(5)).await, held.epoch)?;
    store.update_run(run_id(2), next, started(5)).await?;
    let unknown = store.update_run(run_id(9), next, ended).await;
    expect_conflict("a run that nobody asked for", unknown)
}

pub(super) async fn commands_go_to_whoever_holds_their_source(store: Subject) -> Told {
    let run_of = |source| CommandKind::Run { source, run_id: run_id(1), lists: false };
    let of_paprika = store.submit(run_of(paprika()), at(0)).await?;
    let of_gecko = store.submit(run_of(gecko()), at(0)).await?;
    let ids = |commands: Vec<kasparro_domain::Command>| -> Vec<_> {
        commands.iter().map(|command| (command.command_id, command.state, command.epoch)).collect()
    };
    let none = store.claim_held(&[(paprika(), 1)], &[]).await?;
    expect_eq("nobody holds it", ids(none), Vec::new())?;
    store.acquire(&paprika(), "a", LEASE).await?;
    let first = store.claim_held(&[(paprika(), 1)], &[]).await?;
    expect_eq("the holder", ids(first), vec![(of_paprika, CommandState::Claimed, 1)])?;
    let again = store.claim_held(&[(paprika(), 1), (gecko(), 1)], &[of_paprika]).await?;
    expect_eq("once", ids(again), Vec::new())?;
    let lost = store.claim_held(&[(paprika(), 1)], &[of_gecko]).await?;
    expect_eq("whose answer was lost", ids(lost), vec![(of_paprika, CommandState::Claimed, 1)])?;
    store.release(&paprika(), 1).await?;
    store.acquire(&paprika(), "b", LEASE).await?;
    let late = store.complete(of_paprika, 1, json!("late")).await;
    expect_conflict("the outcome of one that lost the source", late)?;
    let old = store.claim_held(&[(paprika(), 1)], &[]).await?;
    expect_eq("the old holder", ids(old), Vec::new())?;
    let next = store.claim_held(&[(paprika(), 2)], &[of_paprika]).await?;
    expect_eq("the next holder", ids(next), vec![(of_paprika, CommandState::Claimed, 2)])?;
    let late = store.complete(of_paprika, 1, json!("late")).await;
    expect_conflict("the outcome of the old holder", late)?;
    store.complete(of_paprika, 2, json!("done")).await?;
    let result = store.command(of_paprika).await?.and_then(|command| command.result);
    expect_eq("the outcome", result, Some(json!("done")))?;
    let waits = store.command(of_gecko).await?.map(|command| command.state);
    expect_eq("the other waits", waits, Some(CommandState::Pending))
}
