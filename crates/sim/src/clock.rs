//! The time by which limits are judged.

use std::sync::Arc;
use std::time::Instant;

use kasparro_domain::{Clock, Timestamp};

/// The injected clock, or else the machine's.
#[derive(Debug)]
pub(crate) struct Time {
    injected: Option<Arc<dyn Clock>>,
    began_at: Timestamp,
    began: Instant,
}

impl Time {
    #[expect(clippy::disallowed_methods, reason = "this is the clock where none was injected")]
    pub(crate) fn new(injected: Option<Arc<dyn Clock>>) -> Self {
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let began_at = Timestamp::from_millis(now_ms).unwrap_or_default();
        Self { injected, began_at, began: Instant::now() }
    }

    /// The current instant. The machine's clock is read once and then only counted on: a clock that is set
    /// back must open no window twice.
    pub(crate) fn now(&self) -> Timestamp {
        match &self.injected {
            Some(clock) => clock.now(),
            None => self.began_at.plus(self.began.elapsed()),
        }
    }

    /// The current instant of a clock that was injected.
    pub(crate) fn injected(&self) -> Option<Timestamp> {
        self.injected.as_ref().map(|clock| clock.now())
    }
}
