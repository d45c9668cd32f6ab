//! The place of one source in the engine.

use std::sync::{Arc, PoisonError, RwLock};

use kasparro_domain::{RunId, SourceName, Timestamp};
use tokio::sync::Mutex;

use crate::EngineSource;
use crate::ask::Asked;
use crate::hold::Hold;
use crate::memory::Memory;

/// One source with what belongs to holding it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: SourceName,
    pub(crate) settings: EngineSource,
    /// How this process holds the source, where it does.
    hold: RwLock<Option<Hold>>,
    /// Held from before a run begins until its end is recorded, so the source never runs twice at once.
    pub(crate) running: Mutex<()>,
    /// Empty until it is first needed and after a failure, when it is read from the store again.
    pub(crate) memory: Arc<Mutex<Option<Memory>>>,
    /// The ordinary run that was carried out last, and what it asked for.
    carried_out: std::sync::Mutex<Option<(RunId, Asked)>>,
}

impl Slot {
    pub(crate) fn new(name: SourceName, settings: EngineSource) -> Self {
        Self {
            name,
            settings,
            hold: RwLock::default(),
            carried_out: std::sync::Mutex::default(),
            running: Mutex::default(),
            memory: Arc::default(),
        }
    }

    /// How the source is held, where it is.
    pub(crate) fn hold(&self) -> Option<Hold> {
        self.hold.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The source is held from now on.
    pub(crate) fn take(&self, hold: Hold) {
        *self.hold.write().unwrap_or_else(PoisonError::into_inner) = Some(hold);
    }

    /// Ends a hold, and what is done in its name.
    pub(crate) fn let_go(&self, lost: &Hold) {
        lost.lose();
        let mut hold = self.hold.write().unwrap_or_else(PoisonError::into_inner);
        hold.take_if(|hold| hold.epoch() == lost.epoch());
    }

    /// Notes what a run asks for, for those who wait for it.
    pub(crate) fn carries_out(&self, run_id: RunId, asked: Asked) {
        let mut last = self.carried_out.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((run_id, asked));
    }

    /// True when a run that has ended did what `asked` wants.
    pub(crate) fn covered(&self, run_id: RunId, asked: Asked) -> bool {
        let last = self.carried_out.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|(last, did)| last == run_id && did.covers(asked))
    }

    /// When its lists are asked for next, where it has lists and they were considered at `last`.
    pub(crate) fn next_lists(&self, last: Timestamp, now: Timestamp) -> Option<Timestamp> {
        self.settings.source.spec().lists_interval?;
        self.settings.lists.next_after(last, now)
    }
}
