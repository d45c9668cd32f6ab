//! The only ambient clock of the program; everything else is given one.

use std::sync::Arc;

use kasparro_domain::{Clock, RunId, Timestamp};

/// The machine's clock.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl SystemClock {
    /// The clock, ready to be handed around.
    pub(crate) fn shared() -> Arc<dyn Clock> {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the injected time comes from")]
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
    }
}

/// A new run id, ordered by `now`.
pub(crate) fn new_run_id(now: Timestamp) -> RunId {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let instant = uuid::Timestamp::from_unix(
        uuid::NoContext,
        millis / 1000,
        u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000,
    );
    RunId(uuid::Uuid::new_v7(instant))
}
