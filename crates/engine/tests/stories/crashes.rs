//! A process that dies between two commits leaves a store that the next one completes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use kasparro_domain::{RunReason, RunStatus, SourceName};
use kasparro_engine::EngineError;
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
        let died = engine.run_now(&source, RunReason::Manual).await;
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
    }
}

fn answer() -> Reply {
    json(&long_page())
}

fn big_world(upstream: &TinyUpstream) -> World {
    World { max_body_bytes: 32 << 20, ..World::tickers(upstream.url.clone()) }
}
