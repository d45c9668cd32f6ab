//! The read model: the newest snapshot, kept up with the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use kasparro_domain::{Clock, Generation, SourceName, Timestamp};
use kasparro_store::{ListingRow, ReadStore, StoreError, StoreResult};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};

use crate::Snapshot;
use crate::snapshot::Changes;

/// Pieces of listings that wait between the store and the renderer.
const PIECES_IN_FLIGHT: usize = 4;

/// How a view judges what it shows.
#[derive(Debug, Clone)]
pub struct ViewSettings {
    /// Age from which values are stale, by source.
    pub stale_after: BTreeMap<SourceName, Duration>,
    /// The same for sources that are not named.
    pub default_stale_after: Duration,
}

impl ViewSettings {
    /// Age from which a source's values are stale.
    #[must_use]
    pub fn stale_after(&self, source: &SourceName) -> Duration {
        self.stale_after.get(source).copied().unwrap_or(self.default_stale_after)
    }
}

/// The read model: an immutable [`Snapshot`] behind an atomic pointer.
///
/// Reading never waits. [`View::refresh`] brings it up to date once, [`View::follow`] keeps it there.
pub struct View {
    pub(crate) store: Arc<dyn ReadStore>,
    clock: Arc<dyn Clock>,
    settings: Arc<ViewSettings>,
    current: Arc<ArcSwap<Snapshot>>,
    /// Held while a snapshot is made, so that each is made from the one before.
    turn: Arc<Mutex<()>>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let snapshot = self.snapshot();
        f.debug_struct("View")
            .field("generation", &snapshot.generation())
            .field("version", &snapshot.version())
            .field("listings", &snapshot.len())
            .finish_non_exhaustive()
    }
}

impl View {
    /// An empty view of a store; [`View::refresh`] loads it.
    #[must_use]
    pub fn new(
        store: Arc<dyn ReadStore>,
        clock: Arc<dyn Clock>,
        settings: ViewSettings,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            clock,
            settings: Arc::new(settings),
            current: Arc::default(),
            turn: Arc::default(),
        })
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// True once the first refresh is done.
    #[must_use]
    pub fn loaded(&self) -> bool {
        self.current.load().version() > 0
    }

    /// Brings the view up to the newest generation of the store and judges every row's age anew;
    /// returns the generation that readers see from now on, which is never smaller than before.
    ///
    /// # Errors
    /// What the store answers; the view then stays as it was.
    pub async fn refresh(&self) -> StoreResult<Generation> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let base = self.snapshot();
        let now = self.clock.now();
        let (pieces, changed) = mpsc::channel(PIECES_IN_FLIGHT);
        let rendering = self.render(Arc::clone(&base), changed, now);
        let (generation, changes) =
            tokio::join!(self.store.changes(base.generation(), pieces), rendering);
        let generation = generation?;
        let changes = changes?;
        if generation < base.generation() {
            tracing::warn!(
                store = %generation,
                view = %base.generation(),
                "the store is older than what was shown; the view waits until it catches up"
            );
            return Ok(base.generation());
        }
        let settled = generation == base.generation() && self.loaded() && changes.is_empty();
        if settled && !base.outdated(&self.settings, now) {
            return Ok(generation);
        }
        self.swap(turn, base, changes, generation).await?;
        Ok(generation)
    }

    /// Judges every row's age anew, without asking the store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the program is ending.
    pub(crate) async fn judge(&self) -> StoreResult<()> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let base = self.snapshot();
        let now = self.clock.now();
        if !self.loaded() || !base.outdated(&self.settings, now) {
            return Ok(());
        }
        let changes = Changes::render(&base, std::iter::empty(), &self.settings, now);
        let generation = base.generation();
        self.swap(turn, base, changes, generation).await
    }

    /// Renders listings as they arrive, away from the threads that answer requests.
    async fn render(
        &self,
        base: Arc<Snapshot>,
        mut pieces: mpsc::Receiver<Vec<ListingRow>>,
        now: Timestamp,
    ) -> StoreResult<Changes> {
        let settings = Arc::clone(&self.settings);
        let rendering = tokio::task::spawn_blocking(move || {
            let listings = std::iter::from_fn(|| pieces.blocking_recv()).flatten();
            Changes::render(&base, listings, &settings, now)
        });
        rendering.await.map_err(stopped)
    }

    /// Makes the next snapshot and shows it. The predecessor is dropped on the same thread, because
    /// that too takes milliseconds.
    ///
    /// The turn goes along: a caller that gives up cannot let somebody else overtake.
    async fn swap(
        &self,
        turn: OwnedMutexGuard<()>,
        base: Arc<Snapshot>,
        changes: Changes,
        generation: Generation,
    ) -> StoreResult<()> {
        let settings = Arc::clone(&self.settings);
        let current = Arc::clone(&self.current);
        let swapping = tokio::task::spawn_blocking(move || {
            let next = base.with(changes, generation, base.version() + 1, &settings);
            drop(base);
            current.store(Arc::new(next));
            drop(turn);
        });
        swapping.await.map_err(stopped)
    }
}

fn stopped(error: tokio::task::JoinError) -> StoreError {
    StoreError::Unavailable(format!("the read model could not be made: {error}"))
}
