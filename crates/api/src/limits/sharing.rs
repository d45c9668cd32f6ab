//! Telling the store what was counted, and learning what other processes did.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kasparro_domain::Timestamp;
use kasparro_store::{Store, StoreResult, Usage};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::client::ClientId;
use super::slots::{SLOTS, SLOTS_PER_WINDOW, Told};
use super::{ASKING_TIMEOUT, Class, Limits};

/// How often the store is told where other processes count the same clients.
const SHARED_EVERY: Duration = Duration::from_secs(1);
/// How often where this process is alone: it is told only so that a restart forgets nothing.
const ALONE_EVERY: Duration = Duration::from_secs(5);
/// The store is never asked sooner than this after the time before, however many wait for it.
const PAUSE: Duration = Duration::from_millis(20);
/// Clients in one statement at most.
const CLIENTS_AT_ONCE: usize = 5_000;
/// How often it is asked what clients used before the start, until it says so, and how long it may take.
const LEARN_EVERY: Duration = Duration::from_secs(30);
const LEARN_TIMEOUT: Duration = Duration::from_secs(5);
/// After how many slots those are forgotten in the store that count no more.
const FORGET_EVERY: u64 = 5;
/// How long the store is waited for at the end.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// The table of a client, before its name in the store.
const TABLES: [(Class, char); 3] =
    [(Class::Anonymous, 'a'), (Class::Key, 'k'), (Class::Network, 'n')];

/// What the store is being told, by table.
type Pieces = [Vec<(ClientId, Told)>; 3];

/// Learns what all processes counted of every client, so that a restart gives nobody more. The store is
/// waited for a second at most; [`share`] asks again later.
pub(crate) async fn learn_at_start(limits: &Limits, store: &dyn Store) {
    let learning = learn_everything(limits, store, Instant::now());
    if !matches!(tokio::time::timeout(ASKING_TIMEOUT, learning).await, Ok(Ok(()))) {
        limits.alone.store(true, Ordering::Relaxed);
        tracing::debug!("what clients used before the start is not known yet");
    }
}

/// Shares what is counted until `end`, and tells the store the rest then.
pub(crate) async fn share(limits: &Limits, store: &dyn Store, end: CancellationToken) {
    let mut ticks = tokio::time::interval(if limits.shared { SHARED_EVERY } else { ALONE_EVERY });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut forgotten = limits.clock.slot(Instant::now());
    let mut learn_from = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => break,
            () = limits.wanted.notified() => {}
            _ = ticks.tick() => {}
        }
        let at = Instant::now();
        let told = tell_all(limits, store, at, ASKING_TIMEOUT).await;
        if told && at >= learn_from && !limits.learnt.load(Ordering::Relaxed) {
            let learning = learn_everything(limits, store, Instant::now());
            let _ = tokio::time::timeout(LEARN_TIMEOUT, learning).await;
            learn_from = Instant::now() + LEARN_EVERY;
        }
        let slot = limits.clock.slot(at);
        if slot >= forgotten + FORGET_EVERY {
            forgotten = slot;
            forget(limits, store, slot).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    tell_all(limits, store, Instant::now(), END_TIMEOUT).await;
}

async fn forget(limits: &Limits, store: &dyn Store, slot: u64) {
    TABLES.iter().for_each(|(class, _)| limits.table(*class).sweep(slot));
    limits.failures.sweep(limits.failure_clock.slot(Instant::now()));
    // One slot more than counts, for processes whose clocks are a little behind.
    if let Some(before) = limits.clock.stored(slot.saturating_sub(SLOTS)) {
        // What is left lying is forgotten the next time.
        let _ = tokio::time::timeout(ASKING_TIMEOUT, store.forget_usage(before)).await;
    }
}

/// Tells the store everything that it was not told yet, in pieces, until one fails; true where none did.
pub(super) async fn tell_all(
    limits: &Limits,
    store: &dyn Store,
    at: Instant,
    limit: Duration,
) -> bool {
    let mut known = true;
    let mut last = false;
    while known && !last {
        let pieces = TABLES.map(|(class, _)| limits.table(class).tell(CLIENTS_AT_ONCE));
        last = pieces.iter().all(|piece| piece.len() < CLIENTS_AT_ONCE);
        if pieces.iter().any(|piece| !piece.is_empty()) {
            let telling = tell(limits, store, &pieces, at);
            known = matches!(tokio::time::timeout(limit, telling).await, Ok(Ok(())));
            for ((class, _), piece) in TABLES.iter().zip(&pieces) {
                let table = limits.table(*class);
                // What failed may have been written all the same, and is counted twice there then: too
                // few requests are let in rather than too many.
                if known { table.confirm(piece) } else { table.untell(piece) }
            }
            limits.alone.store(!known, Ordering::Relaxed);
        }
        limits.rounds.send_replace(());
    }
    known
}

/// Tells the store some of it and learns what it knows of the same clients.
async fn tell(limits: &Limits, store: &dyn Store, pieces: &Pieces, at: Instant) -> StoreResult<()> {
    let mut used = Vec::new();
    for ((_, mark), piece) in TABLES.iter().zip(pieces) {
        used.extend(piece.iter().filter_map(|(client, told)| {
            let slot_at = limits.clock.stored(told.slot)?;
            let client = format!("{mark}{}", client.name());
            Some(Usage { client, slot_at, requests: u64::from(told.requests) })
        }));
    }
    let oldest = limits.clock.slot(at).saturating_sub(SLOTS_PER_WINDOW);
    let since = limits.clock.stored(oldest).unwrap_or(Timestamp::EPOCH);
    let shared = store.share_usage(used, since).await?;
    learn(limits, &shared.used, at, false);
    // A file belongs to this process alone: its time would be that of this machine, which may be set.
    if limits.shared {
        limits.clock.set(shared.now, at);
    }
    Ok(())
}

pub(super) async fn learn_everything(
    limits: &Limits,
    store: &dyn Store,
    at: Instant,
) -> StoreResult<()> {
    // Of all slots that there are: what the time is in the store comes with the answer.
    let shared = store.share_usage(Vec::new(), Timestamp::EPOCH).await?;
    limits.clock.set(shared.now, at);
    learn(limits, &shared.used, at, true);
    limits.learnt.store(true, Ordering::Relaxed);
    Ok(())
}

/// Takes over counts of the store. Slots that it has yet to come to are of a clock that was ahead: at the
/// start they count as the present one, later they are known already.
fn learn(limits: &Limits, used: &[Usage], at: Instant, at_start: bool) {
    let present = limits.clock.slot(at);
    for usage in used {
        let Some(mark) = usage.client.chars().next() else { continue };
        let Some((class, _)) = TABLES.iter().find(|(_, known)| *known == mark) else { continue };
        let name = usage.client.get(1..).and_then(ClientId::named);
        let (Some(client), Some(slot)) = (name, limits.clock.of_stored(usage.slot_at)) else {
            continue;
        };
        let slot = if at_start { slot.min(present + 1) } else { slot };
        if slot <= present + 1 && slot + SLOTS_PER_WINDOW >= present {
            limits.table(*class).learn(client, slot, usage.requests);
        }
    }
}
