//! Time as the watchdog sees it, and how much of it connections have.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::settings::ApiSettings;

/// A clock that is read for the price of a load; it moves when the watchdog looks.
#[derive(Debug)]
pub(super) struct CoarseClock {
    started: Instant,
    now_ms: AtomicU64,
}

impl CoarseClock {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), now_ms: AtomicU64::new(0) }
    }

    /// Milliseconds since the start, as of the last tick.
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    /// Moves to the present.
    pub(super) fn tick(&self) -> u64 {
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.now_ms.store(now_ms, Ordering::Relaxed);
        now_ms
    }

    #[cfg(test)]
    pub(super) fn set(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }
}

/// How long connections may take.
#[derive(Debug)]
pub(super) struct TimeLimits {
    pub(super) header: Duration,
    pub(super) idle: Duration,
    /// A request may take its time and its answer may be read slowly, but not for ever.
    pub(super) busy: Duration,
    /// An answer that goes on may do so for ever, but its client has to take it.
    pub(super) stalled: Duration,
}

impl TimeLimits {
    pub(super) fn of(settings: &ApiSettings) -> Self {
        Self {
            header: settings.header_timeout,
            idle: settings.idle_timeout,
            busy: settings.request_timeout + settings.idle_timeout,
            stalled: settings.stream_stalled_after,
        }
    }
}
