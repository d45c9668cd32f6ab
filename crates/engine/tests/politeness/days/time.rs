//! Simulated time: the engine's waits let it pass, and so does each answer of the upstream.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kasparro_domain::{Clock, ManualClock, Timestamp};
use kasparro_engine::Pauses;

use super::postgres::DatabaseClock;

/// What time it is, for everybody who takes part.
pub(crate) struct Time {
    clock: Arc<ManualClock>,
    /// A database that is told the time whenever it changes.
    database: Option<DatabaseClock>,
    passing: Mutex<()>,
}

impl Time {
    pub(crate) fn new(clock: Arc<ManualClock>, database: Option<DatabaseClock>) -> Arc<Self> {
        Arc::new(Self { clock, database, passing: Mutex::new(()) })
    }

    pub(crate) fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns once everybody knows it.
    pub(crate) fn pass(&self, span: Duration) {
        let Some(database) = &self.database else { return self.clock.advance(span) };
        tokio::task::block_in_place(|| {
            let _alone = self.passing.lock().unwrap();
            // A database that were behind would let requests through too early.
            database.tell(self.clock.now().plus(span));
            self.clock.advance(span);
        });
    }

    /// Lets time pass until an instant, unless it has passed already.
    pub(crate) fn pass_until(&self, then: Timestamp) {
        self.pass(then.since(self.now()));
    }
}

/// Lets time pass in place of waiting.
pub(crate) struct MovingPauses(pub(crate) Arc<Time>);

impl std::fmt::Debug for MovingPauses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("MovingPauses").field(&self.0.now()).finish()
    }
}

impl Pauses for MovingPauses {
    fn pause(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.pass(wait);
        Box::pin(tokio::task::yield_now())
    }
}

/// The clock of the upstream: the same time, of which a little passes whenever it is looked at, so that
/// no two requests are at one instant and none is answered at once.
pub(crate) struct UpstreamClock {
    time: Arc<Time>,
    looks: AtomicU64,
}

impl UpstreamClock {
    pub(crate) const fn new(time: Arc<Time>) -> Self {
        Self { time, looks: AtomicU64::new(0) }
    }
}

impl std::fmt::Debug for UpstreamClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("UpstreamClock").field(&self.time.now()).finish()
    }
}

impl Clock for UpstreamClock {
    fn now(&self) -> Timestamp {
        let looks = self.looks.fetch_add(1, Ordering::SeqCst);
        self.time.pass(Duration::from_millis(looks * 37 % 41));
        self.time.now()
    }
}
