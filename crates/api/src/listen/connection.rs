//! What one connection is doing, as its own task and the watchdog see it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;

use super::clock::{CoarseClock, TimeLimits};
use super::commands::Commands;
use super::in_flight::{InFlight, Waiting};
use super::refused::Refused;
use super::turn::Places;
use crate::limits::ClientId;
use crate::problem::Problem;

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
    pub(super) number: u64,
    /// Among whose connections it is counted.
    pub(super) client: Option<ClientId>,
    pub(super) clock: Arc<CoarseClock>,
    phase: AtomicU8,
    /// When the phase began, or the last request began or ended; in milliseconds of the coarse clock.
    since_ms: AtomicU64,
    pub(super) in_flight: AtomicU32,
    /// Of those, answers that go on.
    pub(super) streams: AtomicU32,
    /// Since when each of those waits for the client.
    waiting: Mutex<Vec<Arc<Waiting>>>,
    /// Since when an answer that goes on could not leave, as in [`Waiting`].
    pub(super) blocked: AtomicU64,
    pub(super) places: Places,
    /// True while the first line of a head is not complete.
    line_open: AtomicBool,
    http2: AtomicBool,
    /// True where bytes passed, or tried to, or a request began, since this was last set to false.
    stirred: AtomicBool,
    /// True while bytes wait that the client does not take: until it does nothing else can begin, and to look
    /// again and again would cost more than what parking saves.
    stuck: AtomicBool,
    /// True where what comes cannot be told from the head of a request, so that nothing may be put back.
    unsure: AtomicBool,
    pub(super) commands: Commands,
    refused: Refused,
}

impl Connection {
    /// A connection on which nothing came yet, whose requests take places of this process.
    pub(super) fn new(
        number: u64,
        client: Option<ClientId>,
        clock: Arc<CoarseClock>,
        places: Places,
    ) -> Self {
        Self {
            number,
            client,
            phase: AtomicU8::new(Phase::Fresh as u8),
            since_ms: AtomicU64::new(clock.now_ms()),
            clock,
            in_flight: AtomicU32::new(0),
            streams: AtomicU32::new(0),
            waiting: Mutex::default(),
            blocked: AtomicU64::new(0),
            places,
            line_open: AtomicBool::new(true),
            http2: AtomicBool::new(false),
            stirred: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
            unsure: AtomicBool::new(false),
            commands: Commands::default(),
            refused: Refused::default(),
        }
    }

    /// A request was read completely, but for its body.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.phase.store(Phase::Idle as u8, Ordering::Relaxed);
        self.touch();
        self.stir();
        InFlight::new(Arc::clone(self), self.places.requests.enter())
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
            self.speaks_http2();
            return;
        }
        if phase == Phase::Idle as u8 {
            self.touch();
        }
        self.phase.store(Phase::Head as u8, Ordering::Relaxed);
        self.line_open.store(!bytes.contains(&b'\n'), Ordering::Relaxed);
    }

    /// Frames that belong to no request would look like a head; the idle limit is enough.
    pub(super) fn speaks_http2(&self) {
        self.http2.store(true, Ordering::Relaxed);
        self.phase.store(Phase::Idle as u8, Ordering::Relaxed);
    }

    /// Bytes left for the client.
    pub(super) fn sent(&self) {
        if self.stuck.load(Ordering::Relaxed) {
            self.stuck.store(false, Ordering::Relaxed);
        }
        if self.blocked.load(Ordering::Relaxed) > 0 {
            self.blocked.store(0, Ordering::Relaxed);
        }
        if self.streams.load(Ordering::Relaxed) > 0 {
            self.touch();
        }
    }

    /// Bytes could not leave, because the client takes none.
    pub(super) fn blocked(&self) {
        self.stuck.store(true, Ordering::Relaxed);
        if self.streams.load(Ordering::Relaxed) > 0 {
            let now = self.clock.now_ms() + 1;
            let _ = self.blocked.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Vec<Arc<Waiting>>> {
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
        self.refused.note(status, self.line_open.load(Ordering::Relaxed));
    }

    /// True where a refusal has still to be told.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.is_noted()
    }

    /// Gives the stream back, when hyper lets go of it after a refusal.
    pub(super) fn give_back(&self, stream: TcpStream) {
        self.refused.give_back(stream);
    }

    /// The stream on which a refusal has still to be told.
    pub(super) fn take_refused(&self) -> Option<(TcpStream, Problem)> {
        self.refused.take()
    }

    /// Something moves on it.
    pub(super) fn stir(&self) {
        self.stirred.store(true, Ordering::Relaxed);
    }

    /// Says whether what comes is the head of a request.
    pub(super) fn reads_head(&self, is_head: bool) {
        self.unsure.store(!is_head, Ordering::Relaxed);
    }

    /// True where nothing came yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == Phase::Fresh as u8
    }

    /// True while a request is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0
    }

    /// True while no request is under way; from now on what moves is noted.
    pub(super) fn is_free(&self) -> bool {
        self.stirred.store(false, Ordering::Relaxed);
        self.in_flight.load(Ordering::Relaxed) == 0
    }

    /// True where nothing moved since it was free, and only the head of a request can come.
    pub(super) fn is_still(&self) -> bool {
        !self.stirred.load(Ordering::Relaxed)
            && !self.unsure.load(Ordering::Relaxed)
            && self.in_flight.load(Ordering::Relaxed) == 0
    }

    pub(super) fn touch(&self) {
        self.since_ms.store(self.clock.now_ms(), Ordering::Relaxed);
    }

    /// True where it waited so long for its next request, or the rest of one, that it should be parked, and is
    /// not.
    pub(super) fn should_park(&self, now_ms: u64, after: Duration) -> bool {
        self.phase.load(Ordering::Relaxed) != Phase::Fresh as u8
            && self.in_flight.load(Ordering::Relaxed) == 0
            && !self.http2.load(Ordering::Relaxed)
            && !self.commands.parks()
            && !self.stuck.load(Ordering::Relaxed)
            && self.lasts(now_ms) >= after.as_millis()
    }

    /// True where it takes longer than it may.
    pub(super) fn overdue(&self, now_ms: u64, limits: &TimeLimits) -> bool {
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
        self.lasts(now_ms) >= limit.as_millis()
    }

    /// For how many milliseconds it does what it does.
    fn lasts(&self, now_ms: u64) -> u128 {
        u128::from(now_ms.saturating_sub(self.since_ms.load(Ordering::Relaxed)))
    }
}
