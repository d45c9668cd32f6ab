//! Several engines on one store. The store's time stands still, so a lease ends only when it is given up:
//! by its holder, or in the holder's name, as its end would.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use kasparro_domain::{
    Clock, CommandKind, CommandState, Run, RunId, RunReason, RunStatus, SourceName,
};
use kasparro_engine::{Engine, EngineError, Holding, LeaseTimes, Lists, Schedule};
use kasparro_store::{Lease, RunFilter, StoreError};
use kasparro_testkit::{Reply, TinyUpstream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::rows::{json, page, ticker};
use crate::world::{World, write};

const TIMES: LeaseTimes = LeaseTimes {
    ttl: Duration::from_secs(30),
    renew_every: Duration::from_millis(200),
    look_every: Duration::from_millis(20),
};

fn shared(mut world: World) -> World {
    world.holding = Holding::Leased(TIMES);
    world
}

fn hourly(mut world: World) -> World {
    world.schedule = Schedule::parse("1h").unwrap();
    world
}

fn paprika() -> SourceName {
    SourceName::new("coinpaprika")
}

/// An engine that serves until it is stopped.
struct Worker {
    engine: Arc<Engine>,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

async fn worker(world: &World) -> Worker {
    let engine = world.engine().await;
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(Arc::clone(&engine).serve(shutdown.clone()));
    Worker { engine, shutdown, serving }
}

impl Worker {
    async fn stop(self) {
        self.shutdown.cancel();
        self.serving.await.unwrap();
    }
}

/// Looks again until something is so.
#[expect(clippy::panic, reason = "a test that waits in vain has failed")]
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let Ok(found) = tokio::time::timeout(Duration::from_secs(30), looking).await else {
        panic!("{what}: not seen");
    };
    found
}

async fn runs(world: &World) -> Vec<Run> {
    world.store.runs(RunFilter { limit: 100, ..RunFilter::default() }).await.unwrap()
}

async fn ended(world: &World, count: usize) -> Vec<Run> {
    until("ended runs", async || {
        let runs = runs(world).await;
        (runs.iter().filter(|run| !run.status.open()).count() >= count).then_some(runs)
    })
    .await
}

async fn lease(world: &World) -> Option<Lease> {
    world.store.leases().await.unwrap().into_iter().find(|lease| lease.live)
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_two_schedulers_run_each_source_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.csv", "id,price\na,1\n");
    let rows = page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]);
    let upstream = TinyUpstream::script([json(&rows)]);
    let sources =
        vec![("coinpaprika", serde_json::json!({})), ("csv", serde_json::json!({"paths": [file]}))];
    let world = hourly(World::new(Some(upstream.url.clone()), sources));
    let world = shared(world);
    let (one, other) = (worker(&world).await, worker(&world).await);
    let first = ended(&world, 2).await;
    assert_eq!(first.len(), 2, "{first:?}");
    assert!(first.iter().all(|run| run.status == RunStatus::Success), "{first:?}");
    world.clock.advance(Duration::from_secs(3_600));
    let second = ended(&world, 4).await;
    assert_eq!(second.len(), 4, "{second:?}");
    one.stop().await;
    other.stop().await;
    assert_eq!(runs(&world).await.len(), 4);
    assert_eq!(upstream.asked().len(), 2);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_a_holder_that_lost_its_source_writes_nothing_and_asks_nothing_more() {
    // The first request hangs until the source was taken over; two pages would follow it.
    let (held, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let (hold, count) = (Arc::clone(&held), Arc::clone(&asked));
    let rows: Vec<_> = (0..250)
        .map(|n| {
            format!(
                r#"{{"id":"coin-{n}","symbol":"s","name":"n","current_price":1,"last_updated":"2025-12-31T23:00:00.000Z"}}"#
            )
        })
        .collect();
    let body = page(&rows);
    let upstream = TinyUpstream::start(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            while hold.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        }
        Reply::json(body.clone())
    });
    let world = World::new(
        Some(upstream.url.clone()),
        vec![("coingecko", serde_json::json!({"pages": 3}))],
    );
    let world = shared(world);
    let frozen = worker(&world).await;
    until("the first request", async || (asked.load(Ordering::SeqCst) == 1).then_some(())).await;
    // Nobody renews what is taken over between two renewals: the next holder comes first.
    let other = world.engine().await;
    let source = [SourceName::new("coingecko")];
    let lost = until("a takeover", async || {
        let lost = lease(&world).await?;
        world.store.release(&lost.source, lost.epoch).await.unwrap();
        other.take(&source).await.unwrap().is_empty().then_some(lost)
    })
    .await;
    let holding = CancellationToken::new();
    let holds_on = tokio::spawn(Arc::clone(&other).hold_on(holding.clone()));
    let first = runs(&world).await.remove(0);
    assert_eq!(first.status, RunStatus::Abandoned, "closed by the next holder");

    let before = world.store.dump().await.unwrap();
    held.store(false, Ordering::SeqCst);
    until("the loss", async || {
        let refused = frozen.engine.run_now(&source, RunReason::Manual, Lists::Due).await;
        matches!(refused, Err(EngineError::NotHeld { .. })).then_some(())
    })
    .await;
    frozen.stop().await;
    assert_eq!(asked.load(Ordering::SeqCst), 1, "nothing was asked after the takeover");
    let mut queued = runs(&world).await;
    queued.retain(|run| run.status == RunStatus::Queued);
    for run in &queued {
        assert_eq!(run.pages, 0);
    }
    let tables = world.store.dump().await.unwrap();
    // How its one request ended is told by whoever sent it: budgets belong to the upstream, not to a holder.
    let of_a_holder = |name: &str| !["run", "budget"].contains(&name);
    for (now, then) in tables.iter().zip(&before).filter(|(now, _)| of_a_holder(now.name)) {
        assert_eq!(now, then, "{} was written by a holder of epoch {}", now.name, lost.epoch);
    }

    let run = other.run_now(&source, RunReason::Manual, Lists::Due).await.unwrap().remove(0);
    assert_eq!((run.status, run.pages), (RunStatus::Success, 3));
    holding.cancel();
    holds_on.await.unwrap();
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_given_up_goes_on_elsewhere_when_it_is_due() {
    let rows = page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]);
    let upstream = TinyUpstream::script([json(&rows)]);
    let world = hourly(World::tickers(upstream.url.clone()));
    let world = shared(world);
    let first = worker(&world).await;
    ended(&world, 1).await;
    let held = lease(&world).await.unwrap();
    first.stop().await;
    assert_eq!(lease(&world).await, None, "it was given up");
    let second = worker(&world).await;
    let next = until("the next holder", async || lease(&world).await).await;
    assert_eq!(next.epoch, held.epoch + 1);
    let shown = until("what is shown of it", async || {
        let state = world.store.source_states().await.unwrap().into_iter().next()?;
        state.next_run_at
    })
    .await;
    let begun = runs(&world).await[0].started_at.unwrap();
    assert_eq!(shown, begun.plus(Duration::from_secs(3_600)), "an hour after the last run began");
    assert_eq!(upstream.asked().len(), 1, "it is not due");
    world.clock.advance(Duration::from_secs(3_600));
    ended(&world, 2).await;
    second.stop().await;
    assert_eq!(upstream.asked().len(), 2);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_whose_lease_ended_takes_the_source_again() {
    let rows = page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]);
    let upstream = TinyUpstream::script([json(&rows)]);
    let world = shared(World::tickers(upstream.url.clone()));
    let alone = worker(&world).await;
    ended(&world, 1).await;
    // Somebody takes it and gives it up at once.
    let passer_by = until("a passer-by", async || {
        let lost = lease(&world).await?;
        world.store.release(&lost.source, lost.epoch).await.unwrap();
        world.store.acquire(&lost.source, "a passer-by", TIMES.ttl).await.ok()
    })
    .await;
    world.store.release(&paprika(), passer_by).await.unwrap();
    let again = until("the first holder", async || {
        lease(&world).await.filter(|lease| lease.epoch > passer_by)
    })
    .await;
    assert_ne!(again.holder, "a passer-by");
    alone.stop().await;
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_carried_out_by_whoever_holds_its_source() {
    let rows = page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]);
    let upstream = TinyUpstream::script([json(&rows)]);
    let world = shared(World::tickers(upstream.url.clone()));
    let (one, other) = (worker(&world).await, worker(&world).await);
    ended(&world, 1).await;
    let run_id = RunId(uuid::Uuid::now_v7());
    let now = world.clock.now();
    world.store.queue_run(run_id, &paprika(), RunReason::Manual, now).await.unwrap();
    let kind = CommandKind::Run { source: paprika(), run_id, lists: false };
    let command = world.store.submit(kind, now).await.unwrap();
    let done = until("its outcome", async || {
        let command = world.store.command(command).await.unwrap().unwrap();
        (command.state == CommandState::Done).then_some(command)
    })
    .await;
    assert_eq!(done.epoch, lease(&world).await.unwrap().epoch);
    assert_eq!(world.store.run(run_id).await.unwrap().unwrap().status, RunStatus::Success);
    one.stop().await;
    other.stop().await;
    assert_eq!(upstream.asked().len(), 2);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_holds_is_named_and_not_run() {
    let rows = page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]);
    let upstream = TinyUpstream::script([json(&rows)]);
    let world = shared(World::tickers(upstream.url.clone()));
    let holder = worker(&world).await;
    ended(&world, 1).await;
    let stranger = world.engine().await;
    let elsewhere = stranger.take(&[paprika()]).await.unwrap();
    assert_eq!(elsewhere[0].holder, lease(&world).await.unwrap().holder);
    let refused = stranger.run_now(&[paprika()], RunReason::Manual, Lists::Due).await;
    assert!(matches!(refused, Err(EngineError::NotHeld { .. })), "{refused:?}");
    holder.stop().await;
    assert_eq!(stranger.take(&[paprika()]).await.unwrap(), Vec::new());
    let run = stranger.run_now(&[paprika()], RunReason::Manual, Lists::Due).await.unwrap();
    assert_eq!(run[0].status, RunStatus::Success);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_remembers_of_a_source_ends_with_its_epoch() {
    // Each run brings another price; what one engine wrote the other must know of.
    let price = Arc::new(AtomicU32::new(1));
    let of_now = Arc::clone(&price);
    let upstream = TinyUpstream::start(move |_| {
        let price = of_now.load(Ordering::SeqCst);
        let at = format!("2025-12-31T{price:02}:00:00Z");
        Reply::json(page(&[ticker("a", 1, &price.to_string(), &at)]))
    });
    let world = shared(World::tickers(upstream.url.clone()));
    let engines = [world.engine().await, world.engine().await];
    for turn in 0..6_usize {
        let engine = &engines[turn % 2];
        let holding = CancellationToken::new();
        assert_eq!(engine.take(&[paprika()]).await.unwrap(), Vec::new());
        let holds_on = tokio::spawn(Arc::clone(engine).hold_on(holding.clone()));
        price.store(u32::try_from(turn).unwrap() + 1, Ordering::SeqCst);
        let run = engine.run_now(&[paprika()], RunReason::Manual, Lists::Due).await.unwrap();
        assert_eq!(run[0].status, RunStatus::Success, "{run:?}");
        let written = run[0].counts.inserted + run[0].counts.updated;
        assert_eq!(written, 1, "{run:?}");
        holding.cancel();
        holds_on.await.unwrap();
    }
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_waited_for() {
    let rows = page(&[ticker("a", 1, "1", "2025-12-31T23:00:00Z")]);
    let upstream = TinyUpstream::script([json(&rows)]);
    let world = shared(World::tickers(upstream.url.clone()));
    let away = Arc::new(AtomicBool::new(true));
    let is_away = Arc::clone(&away);
    let store = kasparro_store::contract::FailingStore::new(Arc::clone(&world.store), move |_| {
        if is_away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("nobody answers".to_owned()));
        }
        Ok(())
    });
    let engine = world.engine_on(Arc::new(store)).await;
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(Arc::clone(&engine).serve(shutdown.clone()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(upstream.asked().len(), 0);
    away.store(false, Ordering::SeqCst);
    let run = ended(&world, 1).await.remove(0);
    assert_eq!(run.status, RunStatus::Success);
    shutdown.cancel();
    serving.await.unwrap();
    world.prove().await;
}
