//! The place of one source in the engine.

use std::sync::{Arc, PoisonError};

use kasparro_domain::{SourceName, Timestamp};
use tokio::sync::Mutex;

use crate::EngineSource;
use crate::memory::Memory;
use crate::pace::Pace;

/// One source with what belongs to holding it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: SourceName,
    pub(crate) settings: EngineSource,
    /// The epoch under which this process holds the source.
    pub(crate) epoch: u64,
    /// Held from before a run begins until its end is recorded, so the source never runs twice at once.
    pub(crate) running: Mutex<()>,
    /// Empty until it is first needed and after a failure, when it is read from the store again.
    pub(crate) memory: Arc<Mutex<Option<Memory>>>,
    /// The instant before which the upstream asked not to be asked again.
    not_before: std::sync::Mutex<Option<Timestamp>>,
    /// Spreads requests so that the upstream's limit is kept.
    pub(crate) pace: Option<Pace>,
}

impl Slot {
    pub(crate) fn new(name: SourceName, settings: EngineSource, epoch: u64) -> Self {
        let own = settings.source.requests_per_minute();
        let pace = settings.requests_per_minute.or(own).map(Pace::per_minute);
        Self {
            name,
            settings,
            epoch,
            not_before: std::sync::Mutex::default(),
            running: Mutex::default(),
            memory: Arc::default(),
            pace,
        }
    }

    /// The instant before which the upstream asked not to be asked again, if it lies ahead.
    pub(crate) fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        let not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        not_before.filter(|instant| *instant > now)
    }

    /// Keeps what the upstream asked for with `Retry-After`.
    pub(crate) fn ask_not_before(&self, instant: Timestamp) {
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        *not_before = (*not_before).max(Some(instant));
    }
}
