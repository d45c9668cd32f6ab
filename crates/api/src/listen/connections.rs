//! Every open connection, and the task that closes those that take too long.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::clock::{CoarseClock, TimeLimits};
use super::connection::Connection;
use super::turn::Places;
use crate::limits::{ClientId, Load, Origin};
use crate::metrics::MetricsHandle;
use crate::settings::ApiSettings;

/// How often the watchdog looks at least.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// More connections than this make it hasten: what many buffers took is not given back to the system by all
/// allocators, so that not too many may be held at once.
const CROWD: usize = 2_048;
/// How much faster it is then.
const HASTE: u32 = 4;
/// How often metrics are folded.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Every open connection.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) clock: Arc<CoarseClock>,
    pub(super) limits: TimeLimits,
    /// How long a connection waits for its next request before it is parked.
    park_after: Duration,
    places: Places,
    /// Connections of one client at most; 0 for no bound.
    per_client: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
pub(super) struct Open {
    next_number: u64,
    /// True once the server ends: each connection ends with its next answer.
    ending: bool,
    /// How many of one client, where that is bounded.
    by_client: HashMap<ClientId, usize>,
    pub(super) by_number: BTreeMap<u64, Arc<Connection>>,
}

impl Connections {
    pub(super) fn new(settings: &ApiSettings, load: Arc<Load>, park_after: Duration) -> Self {
        Self {
            clock: Arc::new(CoarseClock::new()),
            limits: TimeLimits::of(settings),
            park_after,
            places: Places::new(load),
            per_client: settings.max_connections_per_client,
            open: Mutex::default(),
        }
    }

    /// Watches a new connection until what is returned is dropped; `None` where its client has as many as
    /// it may have.
    pub(super) fn add(self: &Arc<Self>, origin: &Origin) -> Option<Watched> {
        let mut open = self.open();
        let client = origin.one_client().filter(|_| self.per_client > 0);
        if let Some(client) = client {
            let count = open.by_client.entry(client).or_default();
            if *count >= self.per_client {
                return None;
            }
            *count += 1;
        }
        let number = open.next_number;
        open.next_number += 1;
        let (clock, places) = (Arc::clone(&self.clock), self.places.clone());
        let connection = Arc::new(Connection::new(number, client, clock, places));
        if open.ending {
            connection.commands.tell_last_answer();
        }
        open.by_number.insert(number, Arc::clone(&connection));
        Some(Watched { connection, connections: Arc::clone(self) })
    }

    /// Asks every connection, also those to come, to end with its next answer, but no sooner.
    pub(super) fn last_answers(&self) {
        let mut open = self.open();
        open.ending = true;
        open.by_number.values().for_each(|connection| connection.commands.tell_last_answer());
    }

    /// Asks every connection on which something came to end with its requests under way.
    pub(super) fn drain_begun(&self) {
        let open = self.open();
        let begun = open.by_number.values().filter(|connection| !connection.is_fresh());
        begun.for_each(|connection| connection.commands.tell_to_drain());
    }

    /// Asks every connection to end with its requests under way.
    pub(super) fn drain(&self) {
        self.open().by_number.values().for_each(|connection| connection.commands.tell_to_drain());
    }

    /// Closes connections that only told what goes on, once those who told it have ended: what is left of it
    /// is not taken.
    pub(super) fn close_streams(&self) {
        for connection in self.open().by_number.values() {
            let streams = connection.streams.load(Ordering::Relaxed);
            let told = streams > 0 || connection.blocked.load(Ordering::Relaxed) > 0;
            if told && streams >= connection.in_flight.load(Ordering::Relaxed) {
                connection.commands.tell_to_close();
            }
        }
    }

    /// Closes every connection.
    pub(super) fn close(&self) {
        self.open().by_number.values().for_each(|connection| connection.commands.tell_to_close());
    }

    /// Closes connections that take too long, parks those that wait, and keeps the metrics small; never ends.
    pub(super) async fn watch(self: Arc<Self>, metrics: MetricsHandle) {
        let shortest = self.limits.header.min(self.limits.idle).min(self.limits.stalled);
        let every = (shortest / 8).min(self.park_after / 2);
        let every = every.clamp(Duration::from_millis(1), WATCH_EVERY);
        let mut haste = 1;
        let mut upkept = Instant::now();
        loop {
            tokio::time::sleep(every / haste).await;
            let now_ms = self.clock.tick();
            haste = self.look(now_ms);
            if upkept.elapsed() >= UPKEEP_EVERY {
                upkept = Instant::now();
                metrics.upkeep();
            }
        }
    }

    /// Looks at every connection; returns how much faster than usual it is to be done again.
    fn look(&self, now_ms: u64) -> u32 {
        let open = self.open();
        let haste = if open.by_number.len() > CROWD { HASTE } else { 1 };
        for connection in open.by_number.values() {
            if connection.overdue(now_ms, &self.limits) {
                connection.commands.tell_to_close();
            } else if connection.should_park(now_ms, self.park_after / haste) {
                connection.commands.tell_to_park();
            }
        }
        haste
    }

    pub(super) fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection under watch.
#[derive(Debug)]
pub(super) struct Watched {
    connection: Arc<Connection>,
    connections: Arc<Connections>,
}

impl std::ops::Deref for Watched {
    type Target = Arc<Connection>;

    fn deref(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        open.by_number.remove(&self.connection.number);
        if let Some(client) = self.connection.client
            && let Entry::Occupied(mut count) = open.by_client.entry(client)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}
