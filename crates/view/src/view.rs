//! The read model: the newest snapshot, kept up with the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use kasparro_domain::{Clock, Generation, SourceName, Timestamp};
use kasparro_store::{ListingRow, ReadStore, StoreError, StoreResult};
use tokio::sync::{Mutex, OwnedMutexGuard, broadcast, mpsc, watch};

use crate::kept::Kept;
use crate::patience::{PIECE_WITHIN, handing_on};
use crate::snapshot::{Changes, Successor};
use crate::{Snapshot, Swap};

/// Pieces of listings that wait between the store and the renderer.
const PIECES_IN_FLIGHT: usize = 2;
/// Changes that are held for those who are told of them and did not listen yet.
const SWAPS_IN_FLIGHT: usize = 64;

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
    /// What was shown before and can still be asked for.
    kept: Arc<ArcSwap<Kept>>,
    swaps: broadcast::Sender<Arc<Swap>>,
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
            kept: Arc::default(),
            swaps: broadcast::Sender::new(SWAPS_IN_FLIGHT),
            turn: Arc::default(),
        })
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The newest snapshot of a generation that is or was shown.
    ///
    /// A snapshot that another took the place of is kept for a minute, as long as the kept ones do not hold
    /// more than 64 MB beside the one that is shown, and those of the last two generations before the
    /// present one in any case. None is kept once the store went back.
    #[must_use]
    pub fn kept(&self, generation: Generation) -> Option<Arc<Snapshot>> {
        // A snapshot is kept before another takes its place, so it is found in one of the two.
        let current = self.current.load();
        if current.generation() == generation && current.version() > 0 {
            return Some(Arc::clone(&current));
        }
        self.kept.load().find(generation).map(Arc::clone)
    }

    /// Every change of what is shown from now on, told once it is shown. Whoever lags 64 changes behind
    /// loses the oldest, is told so, and has to begin anew from [`View::snapshot`].
    #[must_use]
    pub fn swaps(&self) -> broadcast::Receiver<Arc<Swap>> {
        self.swaps.subscribe()
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
        self.forget(now);
        if !self.loaded() || !base.outdated(&self.settings, now) {
            return Ok(());
        }
        let changes = Changes::none(&base, now);
        let (generation, version) = (base.generation(), base.version() + 1);
        self.swap(turn, base, changes, generation, version).await
    }

    /// Lets go of what was kept long enough, while no swap does.
    fn forget(&self, now: Timestamp) {
        if let Some(rest) = self.kept.load().at(now) {
            let before = self.kept.swap(Arc::new(rest));
            tokio::task::spawn_blocking(move || drop(before));
        }
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

    /// Makes the next snapshot, shows it and tells of it. What is not kept any more is dropped on the same
    /// thread, because that too takes milliseconds.
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
        let (shown, kept, swaps) = (self.shown.clone(), Arc::clone(&self.kept), self.swaps.clone());
        let now = self.clock.now();
        let swapping = tokio::task::spawn_blocking(move || {
            let Successor { snapshot, rows } = base.with(changes, generation, version, &settings);
            drop(base);
            let before = current.load_full();
            let forgotten = kept.swap(Arc::new(kept.load().once(&before, &snapshot, now)));
            current.store(Arc::new(snapshot));
            shown.send_replace(generation);
            // It fails only where nobody listens.
            let _ = swaps.send(Arc::new(Swap { from: before.generation(), to: generation, rows }));
            drop((before, forgotten));
            drop(turn);
        });
        swapping.await.map_err(stopped)
    }
}

fn stopped(error: tokio::task::JoinError) -> StoreError {
    StoreError::Unavailable(format!("the read model could not be made: {error}"))
}
