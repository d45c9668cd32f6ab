//! The place of one source in the engine.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kasparro_domain::{RunId, SourceName, Timestamp};
use kasparro_extract::HttpRequest;
use tokio::sync::Mutex;

use crate::EngineSource;
use crate::ask::Asked;
use crate::hold::Hold;
use crate::memory::Memory;
use crate::pace::Pace;

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
    /// The instants before which upstreams asked not to be asked again: by origin where it matters, one for
    /// all else.
    not_before: std::sync::Mutex<BTreeMap<String, Timestamp>>,
    /// Spreads requests so that the upstream's limit is kept.
    pub(crate) pace: Option<Pace>,
}

impl Slot {
    pub(crate) fn new(name: SourceName, settings: EngineSource) -> Self {
        let own = settings.source.requests_per_minute();
        let pace = settings.requests_per_minute.or(own).map(Pace::per_minute);
        Self {
            name,
            settings,
            hold: RwLock::default(),
            carried_out: std::sync::Mutex::default(),
            not_before: std::sync::Mutex::default(),
            running: Mutex::default(),
            memory: Arc::default(),
            pace,
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

    /// The instant before which an upstream asked not to be asked again, if it lies ahead.
    pub(crate) fn not_before(&self, http: &HttpRequest, now: Timestamp) -> Option<Timestamp> {
        let not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        not_before.get(upstream_of(http)).copied().filter(|instant| *instant > now)
    }

    /// The instant before which the one upstream of the source asked not to be asked again, if it lies
    /// ahead. Of a source with many upstreams each stands for itself.
    pub(crate) fn all_not_before(&self, now: Timestamp) -> Option<Timestamp> {
        let not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        not_before.get(ONE_UPSTREAM).copied().filter(|instant| *instant > now)
    }

    /// When its lists are asked for next, where it has lists and they were considered at `last`.
    pub(crate) fn next_lists(&self, last: Timestamp, now: Timestamp) -> Option<Timestamp> {
        self.settings.source.spec().lists_interval?;
        self.settings.lists.next_after(last, now)
    }

    /// Keeps what an upstream asked for with `Retry-After`; no longer than a day, since a figure beyond
    /// that is a mistake.
    pub(crate) fn ask_not_before(&self, http: &HttpRequest, now: Timestamp, wait: Duration) {
        let instant = now.plus(wait.min(LONGEST_PATIENCE));
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = not_before.entry(upstream_of(http).to_owned()).or_insert(instant);
        *kept = (*kept).max(instant);
    }
}

/// The name of the upstream of a source that has one.
const ONE_UPSTREAM: &str = "";

/// Longest time for which an upstream is not asked because it said so.
const LONGEST_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Which upstream a request goes to, as far as its limits are concerned.
fn upstream_of(http: &HttpRequest) -> &str {
    if http.origin_matters { &http.origin } else { ONE_UPSTREAM }
}
