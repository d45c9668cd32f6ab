//! When things happen: the stages of a run in their order, and the schedule that starts runs.
//!
//! A run asks (`fetch`), makes each page durable (`land`), cuts it into rows, believes or refuses
//! each row, judges it against what is known (`memory`) and commits batches (`load`). Network first,
//! transaction after: no transaction is open while the network is waited for.

mod alerts;
mod ask;
mod body;
mod budget;
mod due;
mod error;
mod fetch;
mod files;
mod fleet;
mod hold;
mod identity;
mod land;
mod load;
mod memory;
mod pauses;
mod progress;
mod quarantine;
mod raw_row;
mod recover;
mod replay;
mod retry;
mod retry_after;
mod run;
mod schedule;
mod serve;
mod slot;
mod spend;
mod stored_body;
mod stored_text;
mod take_page;
mod texts;
mod trouble;
mod under_way;
mod webhook;

pub use alerts::Webhook;
pub use ask::Lists;
pub use error::EngineError;
pub use fetch::{FetchSettings, contact_problem};
pub use fleet::HeldElsewhere;
pub use hold::{Holding, LeaseTimes};
pub use identity::{explain_identity, identity_is_up_to_date, resolve_identity};
pub use load::PageRules;
pub use pauses::{Pauses, RealPauses};
pub use progress::Progress;
pub use raw_row::{RawRowContext, raw_row};
pub use replay::{ReplayProgress, ReplaySummary, replay};
pub use schedule::{Schedule, ScheduleError};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Clock, Run, RunId, RunReason, SourceName};
use kasparro_extract::Source;
use kasparro_store::{SourceState, Store};
use serde_json::Value;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::ask::Asked;
use crate::fetch::Fetcher;
use crate::hold::Hold;
use crate::identity::IdentityStage;
use crate::load::{Judging, LoadParts};
use crate::slot::Slot;
use crate::trouble::Trouble;

/// Messages kept for a listener to progress that falls behind; it then misses the oldest.
const PROGRESS_BACKLOG: usize = 256;

/// How long sources are taken for where nobody else can take them: ten years.
const FOR_GOOD: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A source and how the engine treats it.
#[derive(Debug, Clone)]
pub struct EngineSource {
    /// What to ask and what an answer means.
    pub source: Arc<dyn Source>,
    /// False keeps the schedule from running it; asked for by name it runs.
    pub enabled: bool,
    /// When it runs.
    pub schedule: Schedule,
    /// When its lists are asked for; without effect on a source that has none.
    pub lists: Schedule,
    /// Age from which its quotes count as stale.
    pub stale_after: Duration,
    /// Requests a minute, in place of the source's own figure.
    pub requests_per_minute: Option<u32>,
    /// Credits a month, in place of the source's own figure.
    pub credits_per_month: Option<u64>,
    /// When a page is refused as a whole.
    pub page_rules: PageRules,
    /// The options that `source` was built from, secrets left out (JSON object): stored with each run, so
    /// that its pages can be read again as they were read then.
    pub options: Value,
}

/// Builds a source from stored options, which hold no secrets; the error says what is wrong with them.
pub type SourceBuilder =
    Arc<dyn Fn(&SourceName, &Value) -> Result<Arc<dyn Source>, String> + Send + Sync>;

/// What an engine is made of.
pub struct EngineParts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The sources, in any order.
    pub sources: Vec<EngineSource>,
    /// How pages are fetched.
    pub fetch: FetchSettings,
    /// Who takes the sources: shown to others that want them. No two processes have the same.
    pub holder: String,
    /// Whether others work on the store.
    pub holding: Holding,
    /// Folder for bodies too large for memory while they are on their way into the store.
    pub spool_dir: PathBuf,
    /// Builds sources as runs of the past had them.
    pub build: SourceBuilder,
    /// How waiting is done.
    pub pauses: Arc<dyn Pauses>,
    /// Where alerts are sent; `None` only keeps and logs them.
    pub webhook: Option<Webhook>,
}

/// Moves sources forward, each at most once at a time, all of them side by side.
pub struct Engine {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    slots: BTreeMap<SourceName, Arc<Slot>>,
    fetcher: Fetcher,
    spool_dir: PathBuf,
    build: SourceBuilder,
    pauses: Arc<dyn Pauses>,
    identity: IdentityStage,
    webhook: Option<Webhook>,
    holder: String,
    holding: Holding,
    /// What keeps this process from taking and holding sources, so that it is said once.
    trouble: Trouble,
    progress: broadcast::Sender<Progress>,
    /// Ends runs at the next page when the process is asked to stop.
    stopping: CancellationToken,
}

impl Engine {
    /// Makes the engine. Where no other process works on the store it also takes every source, finishes
    /// pages that were landed but not loaded, and closes runs whose process died.
    ///
    /// # Errors
    /// [`EngineError::Store`] when the store cannot be used, [`EngineError::Setup`] when the HTTP
    /// client or the spool folder cannot be made.
    pub async fn start(parts: EngineParts) -> Result<Arc<Self>, EngineError> {
        std::fs::create_dir_all(&parts.spool_dir).map_err(|error| {
            EngineError::Setup(format!("folder {}: {error}", parts.spool_dir.display()))
        })?;
        let fetcher = Fetcher::new(parts.fetch)?;
        let slots = parts.sources.into_iter().map(|source| {
            let name = SourceName::new(source.source.spec().name);
            (name.clone(), Arc::new(Slot::new(name, source)))
        });
        let slots = slots.collect();
        let (store, clock) = (Arc::clone(&parts.store), Arc::clone(&parts.clock));
        let identity = IdentityStage::new(store, clock, parts.webhook.is_some());
        let engine = Arc::new(Self {
            store: parts.store,
            clock: parts.clock,
            slots,
            fetcher,
            spool_dir: parts.spool_dir,
            build: parts.build,
            pauses: parts.pauses,
            identity,
            webhook: parts.webhook,
            holder: parts.holder,
            holding: parts.holding,
            trouble: Trouble::default(),
            progress: broadcast::channel(PROGRESS_BACKLOG).0,
            stopping: CancellationToken::new(),
        });
        if engine.holding == Holding::Alone {
            for slot in engine.slots.values() {
                let epoch = engine.store.acquire(&slot.name, &engine.holder, FOR_GOOD).await?;
                slot.take(Hold::alone(epoch, &engine.stopping));
            }
            for slot in engine.slots.values() {
                engine.recover_slot(slot, &engine.hold(slot)?).await?;
                engine.show_state(slot, None).await?;
            }
        }
        Ok(engine)
    }

    /// Runs these sources once, side by side; each fails alone, and the failure is in its run.
    ///
    /// # Errors
    /// [`EngineError::UnknownSource`] before anything is run; [`EngineError::Store`] when the store
    /// cannot record runs.
    pub async fn run_now(
        self: &Arc<Self>,
        sources: &[SourceName],
        reason: RunReason,
        lists: Lists,
    ) -> Result<Vec<Run>, EngineError> {
        let slots = sources.iter().map(|name| self.slot(name)).collect::<Result<Vec<_>, _>>()?;
        let runs = slots.into_iter().map(|slot| {
            let engine = Arc::clone(self);
            let asked = Asked { values: true, lists };
            async move { engine.run_slot(slot, RunId(uuid::Uuid::now_v7()), reason, asked).await }
        });
        futures_util::future::join_all(runs).await.into_iter().collect()
    }

    /// How the runs under way stand, from now on.
    #[must_use]
    pub fn progress(&self) -> broadcast::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// The names of the sources, sorted.
    #[must_use]
    pub fn source_names(&self) -> Vec<SourceName> {
        self.slots.keys().cloned().collect()
    }

    /// Asks runs under way to end at their next page; what they committed stays.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    const fn lease_times(&self) -> Option<LeaseTimes> {
        match self.holding {
            Holding::Alone => None,
            Holding::Leased(times) => Some(times),
        }
    }

    /// How a source is held.
    ///
    /// # Errors
    /// [`EngineError::NotHeld`] where it is not.
    fn hold(&self, slot: &Slot) -> Result<Hold, EngineError> {
        slot.hold().ok_or_else(|| EngineError::NotHeld { name: slot.name.to_string() })
    }

    /// As [`Engine::hold`], under this epoch; 0 stands for any.
    fn hold_under(&self, slot: &Slot, epoch: u64) -> Result<Hold, EngineError> {
        let hold = self.hold(slot)?;
        match epoch == 0 || epoch == hold.epoch() {
            true => Ok(hold),
            false => Err(EngineError::NotHeld { name: slot.name.to_string() }),
        }
    }

    /// What loading the pages of a run of today needs.
    fn parts_of(&self, slot: &Slot, hold: &Hold) -> LoadParts {
        LoadParts {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            source: Arc::clone(&slot.settings.source),
            name: slot.name.clone(),
            epoch: hold.epoch(),
            judging: Judging::Rules(slot.settings.page_rules),
        }
    }

    fn slot(&self, name: &SourceName) -> Result<Arc<Slot>, EngineError> {
        self.slots.get(name).map(Arc::clone).ok_or_else(|| EngineError::UnknownSource {
            name: name.to_string(),
            known: self.slots.keys().map(ToString::to_string).collect(),
        })
    }

    /// Shows what a run left of the budgets; when the source runs next stays as it is shown.
    async fn show_budgets(&self, slot: &Slot, hold: &Hold) -> Result<(), EngineError> {
        if !hold.valid() {
            return Ok(());
        }
        let shown = self.store.source_states().await?;
        let shown = shown.into_iter().find(|state| state.source == slot.name);
        self.show_state(slot, shown.and_then(|state| state.next_run_at)).await
    }

    async fn show_state(
        &self,
        slot: &Slot,
        next_run_at: Option<kasparro_domain::Timestamp>,
    ) -> Result<(), EngineError> {
        let state = SourceState {
            source: slot.name.clone(),
            enabled: slot.settings.enabled,
            schedule: slot.settings.schedule.to_string(),
            next_run_at,
            stale_after_seconds: slot.settings.stale_after.as_secs(),
            drift_mode: slot.settings.page_rules.drift,
            budgets: self.budget_views(slot).await?,
        };
        Ok(self.store.put_source_state(state).await?)
    }
}
