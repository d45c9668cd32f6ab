//! What each connection is doing, and the task that closes those that take too long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::net::TcpStream;

use crate::metrics::MetricsHandle;
use crate::problem::{Code, Problem};
use crate::settings::ApiSettings;

/// How often the watchdog looks at most.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// How often metrics are folded.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// How HTTP/2 connections begin.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// What a connection is doing while no request is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// Nothing came yet.
    Fresh,
    /// The head of a request began to come.
    Head,
    /// Waiting for the next request.
    Idle,
}

/// One connection as the watchdog sees it.
#[derive(Debug)]
pub(crate) struct Connection {
    number: u64,
    clock: Arc<CoarseClock>,
    phase: AtomicU8,
    /// When the phase began, or the last request began or ended; in milliseconds of the coarse clock.
    since_ms: AtomicU64,
    in_flight: AtomicU32,
    /// True while the first line of a head is not complete.
    line_open: AtomicBool,
    http2: AtomicBool,
    drain: AtomicBool,
    close: AtomicBool,
    waker: AtomicWaker,
    refused: AtomicU8,
    returned: Mutex<Option<TcpStream>>,
}

/// What a connection is asked to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command {
    pub(super) drain: bool,
    pub(super) close: bool,
}

/// A request under way; ends when dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Connection>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.touch();
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    /// A request was read completely.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.phase.store(Phase::Idle as u8, Ordering::Relaxed);
        self.touch();
        InFlight(Arc::clone(self))
    }

    /// Bytes arrived.
    pub(super) fn received(&self, bytes: &[u8]) {
        if self.in_flight.load(Ordering::Relaxed) > 0 || self.http2.load(Ordering::Relaxed) {
            return;
        }
        let phase = self.phase.load(Ordering::Relaxed);
        if phase == Phase::Head as u8 {
            if self.line_open.load(Ordering::Relaxed) && bytes.contains(&b'\n') {
                self.line_open.store(false, Ordering::Relaxed);
            }
            return;
        }
        if phase == Phase::Fresh as u8 && bytes.starts_with(HTTP2_PREFACE) {
            // Frames that belong to no request would look like a head; the idle limit is enough.
            self.http2.store(true, Ordering::Relaxed);
            self.phase.store(Phase::Idle as u8, Ordering::Relaxed);
            return;
        }
        if phase == Phase::Idle as u8 {
            self.touch();
        }
        self.phase.store(Phase::Head as u8, Ordering::Relaxed);
        self.line_open.store(!bytes.contains(&b'\n'), Ordering::Relaxed);
    }

    /// hyper answers a head that it cannot read with this status, without a body. The answer is held
    /// back, so that ours can be sent.
    pub(super) fn refuse(&self, status: u16) {
        let too_large = matches!(status, 414 | 431);
        let line_open = self.line_open.load(Ordering::Relaxed);
        let code = match (too_large, status == 414 || line_open) {
            (true, true) => Code::UriTooLong,
            (true, false) => Code::HeadersTooLarge,
            _ => Code::BadRequest,
        };
        let place = Code::ALL.iter().position(|known| *known == code).unwrap_or_default();
        self.refused.store(u8::try_from(place + 1).unwrap_or(u8::MAX), Ordering::Relaxed);
    }

    /// Gives the stream back, when hyper lets go of it after a refusal.
    pub(super) fn give_back(&self, stream: TcpStream) {
        if self.refused.load(Ordering::Relaxed) != 0 {
            *self.returned.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
        }
    }

    /// The stream on which a refusal has still to be told.
    pub(super) fn take_refused(&self) -> Option<(TcpStream, Problem)> {
        let place = usize::from(self.refused.load(Ordering::Relaxed)).checked_sub(1)?;
        let code = *Code::ALL.get(place)?;
        let stream = self.returned.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some((stream, Problem::new(code, code.title().to_lowercase())))
    }

    /// What to do now; the task is woken when that changes.
    pub(super) fn command(&self, cx: &Context<'_>) -> Command {
        self.waker.register(cx.waker());
        Command {
            drain: self.drain.load(Ordering::Acquire),
            close: self.close.load(Ordering::Acquire),
        }
    }

    fn touch(&self) {
        self.since_ms.store(self.clock.now_ms(), Ordering::Relaxed);
    }

    fn tell(&self, flag: &AtomicBool) {
        flag.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn overdue(&self, now_ms: u64, limits: &Limits) -> bool {
        let phase = self.phase.load(Ordering::Relaxed);
        let limit = if self.in_flight.load(Ordering::Relaxed) > 0 {
            limits.busy
        } else if phase == Phase::Idle as u8 {
            limits.idle
        } else {
            limits.header
        };
        let since_ms = self.since_ms.load(Ordering::Relaxed);
        u128::from(now_ms.saturating_sub(since_ms)) >= limit.as_millis()
    }
}

#[derive(Debug)]
struct Limits {
    header: Duration,
    idle: Duration,
    /// A request may take its time and its answer may be read slowly, but not for ever.
    busy: Duration,
}

/// Every open connection.
#[derive(Debug)]
pub(super) struct Connections {
    clock: Arc<CoarseClock>,
    limits: Limits,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next_number: u64,
    by_number: BTreeMap<u64, Arc<Connection>>,
}

impl Connections {
    pub(super) fn new(settings: &ApiSettings) -> Self {
        let limits = Limits {
            header: settings.header_timeout,
            idle: settings.idle_timeout,
            busy: settings.request_timeout + settings.idle_timeout,
        };
        Self { clock: Arc::new(CoarseClock::new()), limits, open: Mutex::default() }
    }

    /// Watches a new connection until what is returned is dropped.
    pub(super) fn add(self: &Arc<Self>) -> Watched {
        let mut open = self.open();
        let number = open.next_number;
        open.next_number += 1;
        let connection = Arc::new(Connection {
            number,
            clock: Arc::clone(&self.clock),
            phase: AtomicU8::new(Phase::Fresh as u8),
            since_ms: AtomicU64::new(self.clock.now_ms()),
            in_flight: AtomicU32::new(0),
            line_open: AtomicBool::new(true),
            http2: AtomicBool::new(false),
            drain: AtomicBool::new(false),
            close: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            refused: AtomicU8::new(0),
            returned: Mutex::new(None),
        });
        open.by_number.insert(number, Arc::clone(&connection));
        Watched { connection, connections: Arc::clone(self) }
    }

    /// Asks every connection to end with its requests under way.
    pub(super) fn drain(&self) {
        self.open().by_number.values().for_each(|connection| connection.tell(&connection.drain));
    }

    /// Closes every connection.
    pub(super) fn close(&self) {
        self.open().by_number.values().for_each(|connection| connection.tell(&connection.close));
    }

    /// Closes connections that take too long, and keeps the metrics small; never ends.
    pub(super) async fn watch(self: Arc<Self>, metrics: MetricsHandle) {
        let shortest = self.limits.header.min(self.limits.idle);
        let every = (shortest / 8).clamp(Duration::from_millis(1), WATCH_EVERY);
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut upkept = Instant::now();
        loop {
            ticks.tick().await;
            let now_ms = self.clock.tick();
            for connection in self.open().by_number.values() {
                if connection.overdue(now_ms, &self.limits) {
                    connection.tell(&connection.close);
                }
            }
            if upkept.elapsed() >= UPKEEP_EVERY {
                upkept = Instant::now();
                metrics.upkeep();
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
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
        self.connections.open().by_number.remove(&self.connection.number);
    }
}

/// A clock that is read for the price of a load; it moves when the watchdog looks.
#[derive(Debug)]
struct CoarseClock {
    started: Instant,
    now_ms: AtomicU64,
}

impl CoarseClock {
    fn new() -> Self {
        Self { started: Instant::now(), now_ms: AtomicU64::new(0) }
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn tick(&self) -> u64 {
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.now_ms.store(now_ms, Ordering::Relaxed);
        now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections() -> Arc<Connections> {
        Arc::new(Connections::new(&ApiSettings::default()))
    }

    fn at(connections: &Connections, seconds: u64) -> u64 {
        connections.clock.now_ms.store(seconds * 1000, Ordering::Relaxed);
        seconds * 1000
    }

    #[test]
    fn a4_a_head_that_trickles_is_overdue_from_its_first_byte() {
        let connections = connections();
        let connection = connections.add();
        at(&connections, 5);
        connection.received(b"GET / HT");
        let now_ms = at(&connections, 9);
        connection.received(b"TP/1.1\r\n");
        assert!(!connection.overdue(now_ms, &connections.limits));
        assert!(connection.overdue(10_000, &connections.limits), "ten seconds after the connect");
    }

    #[test]
    fn a5_an_idle_connection_has_the_longer_limit_until_the_next_head_begins() {
        let connections = connections();
        let connection = connections.add();
        connection.received(b"GET / HTTP/1.1\r\n\r\n");
        drop(connection.begin());
        let now_ms = at(&connections, 50);
        assert!(!connection.overdue(now_ms, &connections.limits));
        assert!(connection.overdue(60_000, &connections.limits));
        connection.received(b"G");
        assert!(!connection.overdue(59_000, &connections.limits));
        assert!(
            connection.overdue(60_000, &connections.limits),
            "ten seconds after the first byte"
        );
    }

    #[test]
    fn a_request_under_way_has_the_longest_limit() {
        let connections = connections();
        let connection = connections.add();
        let busy = connection.begin();
        assert!(!connection.overdue(69_000, &connections.limits));
        assert!(connection.overdue(70_000, &connections.limits));
        drop(busy);
        assert!(connection.overdue(69_000, &connections.limits));
    }

    #[test]
    fn i12_a_connection_is_forgotten_when_its_task_ends_however_it_ends() {
        let connections = connections();
        let connection = connections.add();
        assert_eq!(connections.open().by_number.len(), 1);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _connection = connection;
            panic!("made for this test");
        }));
        assert!(ended.is_err() && connections.open().by_number.is_empty());
    }

    #[test]
    fn frames_of_an_http2_connection_are_no_head() {
        let connections = connections();
        let connection = connections.add();
        connection.received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        connection.received(b"frame");
        assert!(!connection.overdue(30_000, &connections.limits));
        assert!(connection.overdue(60_000, &connections.limits));
    }
}
