//! The read model: the newest snapshot, kept up with the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use kasparro_domain::{Clock, Generation, SourceName, Timestamp};
use kasparro_store::{ListingRow, ReadStore, StoreError, StoreResult};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, watch};

use crate::Snapshot;
use crate::patience::{PIECE_WITHIN, handing_on};
use crate::snapshot::Changes;

/// Pieces of listings that wait between the store and the renderer.
const PIECES_IN_FLIGHT: usize = 2;

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
    /// The generation of `current`, told after each swap.
    shown: watch::Sender<Generation>,
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
            shown: watch::Sender::default(),
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

    /// Waits until the view shows this generation or a later one; ends at once where it does already.
    ///
    /// Only a swap wakes those who wait. Nothing of the store is held meanwhile, and dropping the future
    /// ends the wait. A view that nobody refreshes keeps them for ever: give it a limit.
    pub async fn reached(&self, generation: Generation) {
        // Subscribed before looking, so that no swap falls between.
        let mut shown = self.shown.subscribe();
        while self.current.load().generation() < generation {
            // The view holds the sender, so this fails only when there is nobody to wait any more.
            if shown.changed().await.is_err() {
                return;
            }
        }
    }

    /// How many wait in [`View::reached`].
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shown.receiver_count()
    }

    /// Brings the view up to the newest generation of the store, however many it missed, and judges
    /// every row's age anew; returns the generation that readers see from now on.
    ///
    /// It is smaller than before only where the store went back, because a backup was restored or
    /// another database took its place. Nothing that was shown can be trusted then, so everything is
    /// read anew.
    ///
    /// # Errors
    /// What the store answers, and [`StoreError::Unavailable`] when it brings nothing for 30 seconds; the
    /// view then stays as it was.
    pub async fn refresh(&self) -> StoreResult<Generation> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let base = self.snapshot();
        let now = self.clock.now();
        let (generation, changes) = self.read_since(&base, now).await?;
        if generation < base.generation() {
            tracing::warn!(
                store = %generation,
                view = %base.generation(),
                "the store went back behind what was shown, as after restoring a backup; \
                 everything is read anew"
            );
            let empty = Arc::new(Snapshot::default());
            let (generation, changes) = self.read_since(&empty, now).await?;
            self.swap(turn, empty, changes, generation, base.version() + 1).await?;
            return Ok(generation);
        }
        let settled = generation == base.generation() && self.loaded() && changes.is_empty();
        if settled && !base.outdated(&self.settings, now) {
            return Ok(generation);
        }
        let version = base.version() + 1;
        self.swap(turn, base, changes, generation, version).await?;
        Ok(generation)
    }

    /// What changed since a snapshot, rendered, and the generation that it was read at.
    async fn read_since(
        &self,
        base: &Snapshot,
        now: Timestamp,
    ) -> StoreResult<(Generation, Changes)> {
        let (pieces, read) = mpsc::channel(1);
        let (handed_on, changed) = mpsc::channel(PIECES_IN_FLIGHT);
        let rendering = self.render(base, changed, now);
        let reading = self.store.changes(base.generation(), pieces);
        let reading = handing_on(reading, read, handed_on, PIECE_WITHIN);
        let (generation, changes) = tokio::join!(reading, rendering);
        Ok((generation?, changes?))
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
        let changes = Changes::none(&base, now);
        let (generation, version) = (base.generation(), base.version() + 1);
        self.swap(turn, base, changes, generation, version).await
    }

    /// Renders listings as they arrive, away from the threads that answer requests. No thread waits for
    /// a piece, however long the store takes for it.
    async fn render(
        &self,
        base: &Snapshot,
        mut pieces: mpsc::Receiver<Vec<ListingRow>>,
        now: Timestamp,
    ) -> StoreResult<Changes> {
        let mut changes = Changes::none(base, now);
        while let Some(piece) = pieces.recv().await {
            let settings = Arc::clone(&self.settings);
            let rendering = tokio::task::spawn_blocking(move || changes.and(piece, &settings));
            changes = rendering.await.map_err(stopped)?;
        }
        let sorting = tokio::task::spawn_blocking(move || changes.sorted());
        sorting.await.map_err(stopped)
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
        version: u64,
    ) -> StoreResult<()> {
        let settings = Arc::clone(&self.settings);
        let current = Arc::clone(&self.current);
        let shown = self.shown.clone();
        let swapping = tokio::task::spawn_blocking(move || {
            let next = base.with(changes, generation, version, &settings);
            drop(base);
            current.store(Arc::new(next));
            shown.send_replace(generation);
            drop(turn);
        });
        swapping.await.map_err(stopped)
    }
}

fn stopped(error: tokio::task::JoinError) -> StoreError {
    StoreError::Unavailable(format!("the read model could not be made: {error}"))
}
