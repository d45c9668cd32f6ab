//! Limits over several processes on one store, and over restarts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kasparro_domain::{ManualClock, Timestamp};
use kasparro_store::{MemoryStore, UsageStore as _};

use super::client::get;
use super::limits::{left, limited};
use super::world::{Served, World, serve};
use crate::ApiSettings;

/// So many processes on one store.
async fn several(world: &World, count: usize, anonymous: u64) -> Vec<Served> {
    let mut served = Vec::new();
    for _ in 0..count {
        let settings = ApiSettings { shared_limits: true, ..limited(anonymous) };
        served.push(serve(world.api(settings)).await);
    }
    served
}

/// Waits until the store knows of so many requests.
async fn until_stored(store: &MemoryStore, expected: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let all = store.share_usage(Vec::new(), Timestamp::EPOCH).await.unwrap();
        let stored = all.used.iter().map(|used| used.requests).sum::<u64>();
        if stored == expected {
            break;
        }
        assert!(Instant::now() < deadline, "{stored} are stored, not {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A world whose store has the time of a clock.
async fn timed() -> (World, Arc<MemoryStore>) {
    let world = World::with_many(3).await;
    let clock: Arc<ManualClock> = world.clock.clone();
    let store = Arc::new(MemoryStore::with_clock(clock));
    (world.on(store.clone()), store)
}

#[tokio::test]
async fn i11_several_processes_share_a_limit_and_store_no_address() {
    let (world, store) = timed().await;
    let served = several(&world, 3, 30).await;
    let mut answered = 0;
    for round in 0..60 {
        let reply = get(served[round % 3].address, "/data").await;
        answered += u64::from(reply.status == 200);
    }
    // Each may count a tenth before it asks.
    assert!((30..=39).contains(&answered), "{answered}");
    for served in &served {
        get(served.address, "/data").await.assert_problem(429, "rate_limited");
    }
    until_stored(store.as_ref(), answered).await;
    let all = store.share_usage(Vec::new(), Timestamp::EPOCH).await.unwrap();
    for used in &all.used {
        assert!(used.client.len() == 33 && !used.client.contains("127"), "{used:?}");
    }
}

#[tokio::test]
async fn a9_a_restart_does_not_refill_a_limit() {
    for shared_limits in [false, true] {
        let (world, _store) = timed().await;
        let settings = || ApiSettings { shared_limits, ..limited(4) };
        let mut served = serve(world.api(settings())).await;
        for expected in [3, 2, 1] {
            assert_eq!(left(&get(served.address, "/data").await).0, expected);
        }
        served.shutdown.cancel();
        (&mut served.task).await.unwrap().unwrap();
        let again = serve(world.api(settings())).await;
        assert_eq!(left(&get(again.address, "/data").await).0, 0, "shared: {shared_limits}");
        get(again.address, "/data").await.assert_problem(429, "rate_limited");
    }
}

#[tokio::test]
async fn i20_a_clock_that_is_set_gives_nobody_more() {
    let (world, _store) = timed().await;
    let served = several(&world, 1, 3).await;
    for _ in 0..3 {
        assert_eq!(get(served[0].address, "/data").await.status, 200);
    }
    for hours in [1, 24 * 365] {
        world.clock.advance(Duration::from_secs(hours * 3_600));
        // A second client, so that the store is asked and its time is learnt.
        let seen = Instant::now();
        while seen.elapsed() < Duration::from_millis(1_200) {
            assert_eq!(get(served[0].address, "/data").await.status, 429);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
async fn a_process_whose_store_is_away_enforces_the_whole_limit_alone() {
    let world = World::with_many(3).await;
    let served = several(&world, 1, 20).await;
    world.switches.away.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    for expected in (0..20).rev() {
        let reply = get(served[0].address, "/data").await;
        assert_eq!((reply.status, left(&reply).0), (200, expected));
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    get(served[0].address, "/data").await.assert_problem(429, "rate_limited");
    // Back again, the store is told what it missed.
    world.switches.away.store(false, Ordering::SeqCst);
    until_stored(world.kept.as_ref(), 20).await;
}

#[tokio::test]
async fn a_request_waits_a_second_at_most_for_a_store_that_hangs_and_later_ones_do_not() {
    let world = World::with_many(3).await;
    let served = several(&world, 1, 21).await;
    assert_eq!(get(served[0].address, "/data").await.status, 200);
    world.switches.hanging.store(true, Ordering::SeqCst);
    let (mut longest, mut waited) = (Duration::ZERO, 0);
    for _ in 0..20 {
        let asked = Instant::now();
        assert_eq!(get(served[0].address, "/data").await.status, 200);
        longest = longest.max(asked.elapsed());
        waited += u32::from(asked.elapsed() > Duration::from_millis(500));
    }
    assert!(longest < Duration::from_millis(1_800), "{longest:?}");
    assert_eq!(waited, 1, "the first finds out that the store hangs");
    get(served[0].address, "/data").await.assert_problem(429, "rate_limited");
    world.switches.hanging.store(false, Ordering::SeqCst);
}
