//! What all clients of the stream share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kasparro_domain::Generation;
use kasparro_view::{Snapshot, Swap, View};
use metrics::{Counter, Gauge, counter, gauge};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::batch::Batch;
use super::catch_up::CatchUps;
use super::ring::{Limits, Next, Position, Ring};
use crate::metrics::{STREAM_CLIENTS, STREAM_EVENTS};

/// How long swaps are kept after the last client left: it may come back.
const KEPT_WITHOUT_CLIENTS: Duration = Duration::from_secs(5 * 60);
/// A swap is told soon after it is shown; whoever waits longer goes on without.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// One key has one in so many of the places.
const KEY_SHARE: usize = 4;

/// What is told, and to how many.
pub(crate) struct Hub {
    state: Mutex<State>,
    /// Moves on with everything that is told.
    told: watch::Sender<()>,
    ending: CancellationToken,
    pub(super) catch_ups: CatchUps,
    pub(super) counts: Counts,
}

struct State {
    ring: Ring,
    clients: usize,
    /// Of them those with a key, by its public id.
    clients_by_key: HashMap<String, usize>,
    last_client_at: Option<Instant>,
}

/// What is measured.
pub(super) struct Counts {
    clients: Gauge,
    pub(super) quotes: Counter,
    pub(super) hellos: Counter,
    pub(super) resets: Counter,
}

impl Default for Hub {
    fn default() -> Self {
        let events = |event: &'static str| counter!(STREAM_EVENTS, "event" => event);
        let counts = Counts {
            clients: gauge!(STREAM_CLIENTS),
            quotes: events("quote"),
            hellos: events("hello"),
            resets: events("reset"),
        };
        // So that they are there before the first client is.
        counts.clients.increment(0.0);
        for counter in [&counts.quotes, &counts.hellos, &counts.resets] {
            counter.increment(0);
        }
        Self {
            state: Mutex::new(State {
                ring: Ring::new(Limits::default()),
                clients: 0,
                clients_by_key: HashMap::new(),
                last_client_at: None,
            }),
            told: watch::Sender::default(),
            ending: CancellationToken::new(),
            catch_ups: CatchUps::default(),
            counts,
        }
    }
}

impl Hub {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what the read model shows from now on; never ends. It begins with the call, not with the first
    /// poll.
    pub(crate) fn follow(self: Arc<Self>, view: &View) -> impl Future<Output = ()> + use<> {
        let mut swaps = view.swaps();
        self.restart(view.snapshot().generation());
        async move {
            // Quotes that were told in the present generation, and whether some swap was missed.
            let (mut told, mut missed) = (0, false);
            loop {
                let swap = match swaps.recv().await {
                    Ok(swap) => swap,
                    Err(RecvError::Lagged(_)) => {
                        missed = true;
                        continue;
                    }
                    Err(RecvError::Closed) => return std::future::pending().await,
                };
                let generation = swap.to;
                let ages_only = swap.from == swap.to;
                let before = if std::mem::take(&mut missed) { None } else { Some(told) };
                told = self.tell(swap, before).await.filter(|_| ages_only).unwrap_or_default();
                tracing::debug!(%generation, "told a swap");
            }
        }
    }

    /// Tells one swap, the first quote of it with the number behind `told`; returns the number of its last
    /// one, or nothing where it could only be told that everything has to be read anew.
    async fn tell(&self, swap: Arc<Swap>, told: Option<u64>) -> Option<u64> {
        let told = {
            let mut state = self.state();
            let follows = swap.from == state.ring.generation() && swap.to >= swap.from;
            let fits = swap.rows.len() <= state.ring.limits.rows;
            match told.filter(|_| follows && fits && state.listened_to()) {
                Some(told) => told,
                None => {
                    // Nobody can come in between who would miss it.
                    state.ring.restart(swap.to);
                    drop(state);
                    self.told.send_replace(());
                    return None;
                }
            }
        };
        let generation = swap.to;
        let writing = tokio::task::spawn_blocking(move || Batch::write(&swap, told));
        let Ok(batch) = writing.await else {
            // The program is ending, or the panic hook has logged where.
            self.restart(generation);
            return None;
        };
        let last = told + batch.quotes();
        self.state().ring.push(batch);
        self.told.send_replace(());
        Some(last)
    }

    fn restart(&self, generation: Generation) {
        self.state().ring.restart(generation);
        self.told.send_replace(());
    }

    /// Where a client stands that has been told everything so far, and the snapshot that shows just that.
    pub(super) async fn present(&self, view: &View) -> (Position, Arc<Snapshot>) {
        let mut told = self.told.subscribe();
        let deadline = Instant::now() + TOLD_WITHIN;
        loop {
            told.mark_unchanged();
            let position = self.state().ring.position();
            let snapshot = view.snapshot();
            // Between the two a swap is shown but not told yet: the client would be told of it twice.
            let same = position.generation == snapshot.generation();
            if same || timeout_at(deadline, told.changed()).await.is_err() {
                return (position, snapshot);
            }
        }
    }

    /// The number of the swap with which a client goes on that has seen a generation whole, where that is
    /// kept.
    pub(super) fn resume(&self, seen: Generation) -> Option<u64> {
        self.state().ring.resume(seen)
    }

    /// True where a client that waits for the swap of this number has missed nothing.
    pub(super) fn holds(&self, number: u64) -> bool {
        self.state().ring.holds(number)
    }

    /// What follows for a client that waits for the swap of this number.
    pub(super) fn next(&self, number: u64) -> Next {
        self.state().ring.next(number)
    }

    /// Rows that are told at once at most.
    pub(super) fn most_rows(&self) -> usize {
        self.state().ring.limits.rows
    }

    /// Wakes with everything that is told.
    pub(super) fn listen(&self) -> watch::Receiver<()> {
        self.told.subscribe()
    }

    /// Ends every stream.
    pub(crate) fn end(&self) {
        self.ending.cancel();
    }

    /// Is cancelled when every stream has to end.
    pub(super) fn ending(&self) -> CancellationToken {
        self.ending.clone()
    }

    /// A place for one more client, unless there are so many already. While the server ends there is one too:
    /// a browser comes back from a stream that ended, but not from one that was refused.
    ///
    /// `key` is the public id of the key that it comes with. One key has a quarter of the places at most, so
    /// that no program takes them all by mistake.
    pub(super) fn take_seat(self: &Arc<Self>, most: usize, key: Option<&str>) -> Option<Seat> {
        let mut state = self.state();
        if state.clients >= most {
            return None;
        }
        if let Some(key) = key {
            let own = state.clients_by_key.entry(key.to_owned()).or_default();
            if *own >= most.div_ceil(KEY_SHARE) {
                return None;
            }
            *own += 1;
        }
        state.clients += 1;
        self.counts.clients.increment(1.0);
        Some(Seat { hub: Arc::clone(self), key: key.map(str::to_owned) })
    }

    /// Clients that listen.
    #[cfg(test)]
    pub(crate) fn clients(&self) -> usize {
        self.state().clients
    }

    /// Keeps and tells less, so that a test comes to the limits.
    #[cfg(test)]
    pub(crate) fn limit(&self, limits: Limits) {
        self.state().ring.limits = limits;
    }
}

impl State {
    /// True while somebody listens, or may come back soon.
    fn listened_to(&self) -> bool {
        let soon = |left_at: Instant| left_at.elapsed() < KEPT_WITHOUT_CLIENTS;
        self.clients > 0 || self.last_client_at.is_some_and(soon)
    }
}

/// The place of one client; free again when dropped.
pub(super) struct Seat {
    hub: Arc<Hub>,
    key: Option<String>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        state.clients -= 1;
        state.last_client_at = Some(Instant::now());
        if let Some(key) = &self.key
            && let Some(own) = state.clients_by_key.get_mut(key)
        {
            *own -= 1;
            if *own == 0 {
                state.clients_by_key.remove(key);
            }
        }
        drop(state);
        self.hub.counts.clients.decrement(1.0);
    }
}
