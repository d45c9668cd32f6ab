//! A process that dies between two commits leaves a store that the next one completes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use kasparro_domain::{RunReason, RunStatus, SourceName};
use kasparro_engine::{EngineError, Lists};
use kasparro_store::contract::FailingStore;
use kasparro_store::{RunFilter, Store, StoreError};

use kasparro_testkit::{Reply, TinyUpstream};

use crate::rows::{json, page, ticker};
use crate::world::{World, assert_same};

/// A store on which nothing works any more after so many commits, as for a process that died.
fn dying(store: Arc<dyn Store>, commits: u32) -> Arc<dyn Store> {
    let left = AtomicU32::new(commits);
    Arc::new(FailingStore::new(store, move |call| {
        if left.load(Ordering::SeqCst) == 0 {
            return Err(StoreError::Unavailable("the process died".to_owned()));
        }
        if call == "commit" {
            left.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(())
    }))
}

/// A page longer than a batch, with a row for quarantine, a repeated row and one of its own time.
fn long_page() -> String {
    let at = "2025-12-31T23:00:00Z";
    let mut rows: Vec<_> =
        (0..11_000).map(|n| ticker(&format!("coin-{n}"), n + 1, &format!("{n}.5"), at)).collect();
    rows.push(ticker("coin-3", 4, "99", at));
    rows.push(ticker("bad", 1, "1e400", at));
    page(&rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_a_page_broken_off_after_any_batch_is_completed_to_the_same_store() {
    let upstream = TinyUpstream::script(vec![answer()]);
    let control = big_world(&upstream);
    let whole = control.run("coinpaprika").await;
    assert_eq!(
        (whole.counts.received, whole.counts.duplicate, whole.counts.quarantined),
        (11_002, 1, 1)
    );
    for commits in 1..3 {
        let world = big_world(&upstream);
        let engine = world.engine_on(dying(Arc::clone(&world.store), commits)).await;
        let source = [SourceName::new("coinpaprika")];
        let died = engine.run_now(&source, RunReason::Manual, Lists::Due).await;
        assert!(matches!(died, Err(EngineError::Store(StoreError::Unavailable(_)))));
        drop(engine);
        let runs = world.store.runs(RunFilter { limit: 2, ..RunFilter::default() });
        let run = runs.await.unwrap().remove(0);
        assert_eq!(run.status, RunStatus::Running, "a dead process cannot end its run");

        world.engine().await;
        let after = world.store.run(run.run_id).await.unwrap().unwrap();
        assert_eq!(after.status, RunStatus::Abandoned);
        assert_eq!(after.counts, whole.counts, "after {commits} commits");
        assert_same(&world.kept().await, &control.kept().await);
        world.prove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_end_could_not_be_recorded_does_not_block_its_source() {
    let rows = page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]);
    let upstream = TinyUpstream::script([json(&rows)]);
    let world = World::tickers(upstream.url.clone());
    // The second update of a run is its end.
    let updates = AtomicU32::new(0);
    let store = FailingStore::new(Arc::clone(&world.store), move |call| {
        if call == "update_run" && updates.fetch_add(1, Ordering::SeqCst) == 1 {
            return Err(StoreError::Unavailable("the disk is full".to_owned()));
        }
        Ok(())
    });
    let engine = world.engine_on(Arc::new(store)).await;
    let source = [SourceName::new("coinpaprika")];
    engine.run_now(&source, RunReason::Manual, Lists::Due).await.unwrap_err();
    let next = engine.run_now(&source, RunReason::Manual, Lists::Due).await.unwrap().remove(0);
    assert_eq!(next.status, RunStatus::Success);
    let abandoned =
        RunFilter { status: Some(RunStatus::Abandoned), limit: 9, ..RunFilter::default() };
    assert_eq!(world.store.runs(abandoned).await.unwrap().len(), 1);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_during_recovery_costs_no_page() {
    let upstream = TinyUpstream::script([answer()]);
    let control = big_world(&upstream);
    control.run("coinpaprika").await;
    let world = big_world(&upstream);
    let source = SourceName::new("coinpaprika");
    let engine = world.engine_on(dying(Arc::clone(&world.store), 1)).await;
    engine.run_now(std::slice::from_ref(&source), RunReason::Manual, Lists::Due).await.unwrap_err();
    let failing = FailingStore::new(Arc::clone(&world.store), |call| match call {
        "commit" => Err(StoreError::Unavailable("the disk is full".to_owned())),
        _ => Ok(()),
    });
    assert!(world.try_engine_on(Arc::new(failing)).await.is_err());
    assert_eq!(world.store.landed_pages(&source).await.unwrap().len(), 1);
    world.engine().await;
    assert_same(&world.kept().await, &control.kept().await);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_a_crash_between_two_pages_of_a_run_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = "2025-12-31T23:00:00Z";
    crate::world::write(folder.path(), "a.csv", &format!("id,price,last_updated\nx,1,{at}\n"));
    crate::world::write(
        folder.path(),
        "b.csv",
        &format!("id,price,last_updated\nx,2,{at}\ny,1,{at}\n"),
    );
    let pattern = folder.path().join("*.csv").display().to_string();
    let world = || World::new(None, vec![("csv", serde_json::json!({"paths": [pattern]}))]);
    let control = world();
    assert_eq!(control.run("csv").await.counts.duplicate, 1);
    let crashed = world();
    let engine = crashed.engine_on(dying(Arc::clone(&crashed.store), 1)).await;
    engine.run_now(&[SourceName::new("csv")], RunReason::Manual, Lists::Due).await.unwrap_err();
    crashed.engine().await;
    // The second file may not have been landed before the crash; the next run brings it.
    crashed.run("csv").await;
    let quotes = |kept: std::collections::BTreeSet<String>| -> std::collections::BTreeSet<String> {
        kept.into_iter()
            .filter(|row| row.starts_with("quote ") || row.starts_with("history "))
            .collect()
    };
    assert_same(&quotes(crashed.kept().await), &quotes(control.kept().await));
}

fn answer() -> Reply {
    json(&long_page())
}

fn big_world(upstream: &TinyUpstream) -> World {
    let mut world = World::tickers(upstream.url.clone());
    world.max_body_bytes = 32 << 20;
    world
}
