//! Simulated time: the engine's waits let it pass, and so does each answer of the upstream.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kasparro_domain::{Clock, ManualClock, Timestamp};
use kasparro_engine::Pauses;

/// Lets the clock pass in place of waiting.
#[derive(Debug)]
pub(crate) struct MovingPauses(pub(crate) Arc<ManualClock>);

impl Pauses for MovingPauses {
    fn pause(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.advance(wait);
        Box::pin(tokio::task::yield_now())
    }
}

/// The clock of the upstream: the same time, of which a little passes whenever it is looked at, so that
/// no two requests are at one instant and none is answered at once.
#[derive(Debug)]
pub(crate) struct UpstreamClock {
    clock: Arc<ManualClock>,
    looks: AtomicU64,
}

impl UpstreamClock {
    pub(crate) const fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, looks: AtomicU64::new(0) }
    }
}

impl Clock for UpstreamClock {
    fn now(&self) -> Timestamp {
        let looks = self.looks.fetch_add(1, Ordering::SeqCst);
        self.clock.advance(Duration::from_millis(looks * 37 % 41));
        self.clock.now()
    }
}
