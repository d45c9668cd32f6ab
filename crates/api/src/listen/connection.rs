//! What each connection is doing, and the task that closes those that take too long.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::net::TcpStream;

use crate::limits::{ClientId, Load, Origin, Room};
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
    /// Among whose connections it is counted.
    client: Option<ClientId>,
    clock: Arc<CoarseClock>,
    phase: AtomicU8,
    /// When the phase began, or the last request began or ended; in milliseconds of the coarse clock.
    since_ms: AtomicU64,
    in_flight: AtomicU32,
    /// Of those, answers that go on.
    streams: AtomicU32,
    /// Since when each of those waits for the client.
    waiting: Mutex<Vec<Arc<Waiting>>>,
    /// Since when an answer that goes on could not leave, as in [`Waiting`].
    blocked: AtomicU64,
    load: Arc<Load>,
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
pub(crate) struct InFlight {
    connection: Arc<Connection>,
    room: Room,
    /// True while it takes a place among the requests of this process.
    placed: bool,
    /// Where its answer goes on.
    streams: Option<Arc<Waiting>>,
}

/// Since when an answer that goes on waits until its client takes what it was handed: one more than the
/// milliseconds of the coarse clock; 0 while the client waits for more.
type Waiting = AtomicU64;

impl InFlight {
    /// Whether there was room for it.
    pub(crate) const fn room(&self) -> Room {
        self.room
    }

    /// Its answer is known; what is left of it keeps only its own connection busy.
    pub(crate) fn leave_place(&mut self) {
        if std::mem::take(&mut self.placed) {
            self.connection.load.leave();
        }
    }

    /// Its answer goes on: it takes no place any more, and its connection is busy while bytes leave.
    pub(crate) fn goes_on(&mut self) {
        self.leave_place();
        if self.streams.is_none() {
            let waiting = Arc::new(Waiting::new(0));
            self.connection.waiting().push(Arc::clone(&waiting));
            self.connection.streams.fetch_add(1, Ordering::Relaxed);
            self.streams = Some(waiting);
        }
    }

    /// The client asked for more of the answer, and got some or has to wait.
    pub(crate) fn asked_for_more(&self, got: bool) {
        if let Some(waiting) = &self.streams {
            let since = if got { self.connection.clock.now_ms() + 1 } else { 0 };
            waiting.store(since, Ordering::Relaxed);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.leave_place();
        if let Some(waiting) = &self.streams {
            self.connection.waiting().retain(|other| !Arc::ptr_eq(other, waiting));
            self.connection.streams.fetch_sub(1, Ordering::Relaxed);
        }
        self.connection.touch();
        self.connection.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    /// A request was read completely.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.phase.store(Phase::Idle as u8, Ordering::Relaxed);
        self.touch();
        let (connection, room) = (Arc::clone(self), self.load.enter());
        InFlight { connection, room, placed: true, streams: None }
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

    /// Bytes left for the client.
    pub(super) fn sent(&self) {
        if self.blocked.load(Ordering::Relaxed) > 0 {
            self.blocked.store(0, Ordering::Relaxed);
        }
        if self.streams.load(Ordering::Relaxed) > 0 {
            self.touch();
        }
    }

    /// Bytes could not leave, because the client takes none.
    pub(super) fn blocked(&self) {
        if self.streams.load(Ordering::Relaxed) > 0 {
            let now = self.clock.now_ms() + 1;
            let _ = self.blocked.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Arc<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when the client did not take an answer that goes on for so long.
    fn stalled(&self, now_ms: u64, limit: Duration) -> bool {
        let over = |since: &AtomicU64| match since.load(Ordering::Relaxed) {
            0 => false,
            since => u128::from((now_ms + 1).saturating_sub(since)) >= limit.as_millis(),
        };
        over(&self.blocked) || self.waiting().iter().any(|since| over(since))
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

    fn overdue(&self, now_ms: u64, limits: &TimeLimits) -> bool {
        let streams = self.streams.load(Ordering::Relaxed);
        if streams > 0 {
            if self.stalled(now_ms, limits.stalled) {
                return true;
            }
            if streams >= self.in_flight.load(Ordering::Relaxed) {
                return false;
            }
        }
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
struct TimeLimits {
    header: Duration,
    idle: Duration,
    /// A request may take its time and its answer may be read slowly, but not for ever.
    busy: Duration,
    /// An answer that goes on may do so for ever, but its client has to take it.
    stalled: Duration,
}

/// Every open connection.
#[derive(Debug)]
pub(super) struct Connections {
    clock: Arc<CoarseClock>,
    limits: TimeLimits,
    load: Arc<Load>,
    /// Connections of one client at most; 0 for no bound.
    per_client: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next_number: u64,
    /// How many of one client, where that is bounded.
    by_client: HashMap<ClientId, usize>,
    by_number: BTreeMap<u64, Arc<Connection>>,
}

impl Connections {
    pub(super) fn new(settings: &ApiSettings, load: Arc<Load>) -> Self {
        let limits = TimeLimits {
            header: settings.header_timeout,
            idle: settings.idle_timeout,
            busy: settings.request_timeout + settings.idle_timeout,
            stalled: settings.stream_stalled_after,
        };
        Self {
            clock: Arc::new(CoarseClock::new()),
            limits,
            load,
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
        let connection = Arc::new(Connection {
            number,
            client,
            clock: Arc::clone(&self.clock),
            phase: AtomicU8::new(Phase::Fresh as u8),
            since_ms: AtomicU64::new(self.clock.now_ms()),
            in_flight: AtomicU32::new(0),
            streams: AtomicU32::new(0),
            waiting: Mutex::default(),
            blocked: AtomicU64::new(0),
            load: Arc::clone(&self.load),
            line_open: AtomicBool::new(true),
            http2: AtomicBool::new(false),
            drain: AtomicBool::new(false),
            close: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            refused: AtomicU8::new(0),
            returned: Mutex::new(None),
        });
        open.by_number.insert(number, Arc::clone(&connection));
        Some(Watched { connection, connections: Arc::clone(self) })
    }

    /// Asks every connection to end with its requests under way.
    pub(super) fn drain(&self) {
        self.open().by_number.values().for_each(|connection| connection.tell(&connection.drain));
    }

    /// Closes connections that only told what goes on, once those who told it have ended: what is left of it
    /// is not taken.
    pub(super) fn close_streams(&self) {
        for connection in self.open().by_number.values() {
            let streams = connection.streams.load(Ordering::Relaxed);
            let told = streams > 0 || connection.blocked.load(Ordering::Relaxed) > 0;
            if told && streams >= connection.in_flight.load(Ordering::Relaxed) {
                connection.tell(&connection.close);
            }
        }
    }

    /// Closes every connection.
    pub(super) fn close(&self) {
        self.open().by_number.values().for_each(|connection| connection.tell(&connection.close));
    }

    /// Closes connections that take too long, and keeps the metrics small; never ends.
    pub(super) async fn watch(self: Arc<Self>, metrics: MetricsHandle) {
        let shortest = self.limits.header.min(self.limits.idle).min(self.limits.stalled);
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
    use kasparro_domain::Timestamp;

    use super::*;
    use crate::limits::{LimitSettings, Limits};

    fn connections() -> Arc<Connections> {
        Arc::new(Connections::new(&ApiSettings::default(), Arc::new(Load::new(10))))
    }

    fn add(connections: &Arc<Connections>) -> Watched {
        let limits = Limits::new(
            LimitSettings::default(),
            Vec::new(),
            false,
            &[0; 32],
            (Timestamp::EPOCH, Instant::now()),
        );
        connections.add(&limits.origin("127.0.0.1:1".parse().unwrap())).unwrap()
    }

    fn at(connections: &Connections, seconds: u64) -> u64 {
        connections.clock.now_ms.store(seconds * 1000, Ordering::Relaxed);
        seconds * 1000
    }

    #[test]
    fn a4_a_head_that_trickles_is_overdue_from_its_first_byte() {
        let connections = connections();
        let connection = add(&connections);
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
        let connection = add(&connections);
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
        let connection = add(&connections);
        let busy = connection.begin();
        assert!(!connection.overdue(69_000, &connections.limits));
        assert!(connection.overdue(70_000, &connections.limits));
        drop(busy);
        assert!(connection.overdue(69_000, &connections.limits));
    }

    #[test]
    fn an_answer_that_goes_on_may_do_so_for_ever_but_its_client_has_to_take_it() {
        let connections = connections();
        let connection = add(&connections);
        let mut stream = connection.begin();
        stream.goes_on();
        assert!(!connection.overdue(1_000_000, &connections.limits), "nothing is to be told");
        stream.asked_for_more(true);
        let handed_over = at(&connections, 20);
        assert!(!connection.overdue(29_000, &connections.limits));
        assert!(connection.overdue(30_000, &connections.limits), "it asks for no more");
        stream.asked_for_more(false);
        assert!(!connection.overdue(1_000_000, &connections.limits), "it took all");
        connection.blocked();
        connection.blocked();
        assert!(!connection.overdue(handed_over + 29_000, &connections.limits));
        assert!(connection.overdue(handed_over + 30_000, &connections.limits), "no byte leaves");
        connection.sent();
        assert!(!connection.overdue(1_000_000, &connections.limits));
        let request = connection.begin();
        assert!(connection.overdue(90_000, &connections.limits), "a request beside it is limited");
        drop(request);
        drop(stream);
        assert!(connection.waiting().is_empty());
        assert!(connection.overdue(80_000, &connections.limits), "it is idle");
    }

    #[test]
    fn i12_a_connection_is_forgotten_when_its_task_ends_however_it_ends() {
        let connections = connections();
        let connection = add(&connections);
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
        let connection = add(&connections);
        connection.received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        connection.received(b"frame");
        assert!(!connection.overdue(30_000, &connections.limits));
        assert!(connection.overdue(60_000, &connections.limits));
    }
}
