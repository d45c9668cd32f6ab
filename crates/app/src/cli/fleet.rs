//! Runs on a store that several processes share: here where a source is free, else by its holder.

use std::cell::RefCell;
use std::sync::Arc;

use futures_util::future::join_all;
use kasparro_domain::{Clock, Run, RunReason, SourceName};
use kasparro_engine::{Engine, EngineError, HeldElsewhere, Holding, Lists};
use kasparro_store::{Store, StoreError};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::withdraw::Held;
use super::{Context, beside};
use crate::config::{Config, Database};
use crate::failure::{Exit, Failure};
use crate::output::Watcher;
use crate::wire;

/// An engine that holds on to what it takes until it is told to end.
pub(super) struct Member {
    pub(super) engine: Arc<Engine>,
    pub(super) store: Arc<dyn Store>,
    ended: CancellationToken,
    holding_on: JoinHandle<()>,
}

impl Member {
    /// Starts the engine; it holds nothing yet.
    ///
    /// # Errors
    /// A [`Failure`] where it cannot start.
    pub(super) async fn join(
        config: &Config,
        store: Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let sources = wire::sources(config)?;
        let holding = Holding::Leased(config.lease);
        let clock = Arc::clone(clock);
        let engine =
            wire::start_engine(config, sources, Arc::clone(&store), clock, holding).await?;
        let ended = CancellationToken::new();
        let holding_on = tokio::spawn(Arc::clone(&engine).hold_on(ended.clone()));
        Ok(Self { engine, store, ended, holding_on })
    }

    /// Takes a source; who holds it where that is another process.
    ///
    /// # Errors
    /// A [`Failure`] where the store cannot be used or the source is not known.
    pub(super) async fn take(
        &self,
        source: &SourceName,
        database: &Database,
    ) -> Result<Option<HeldElsewhere>, Failure> {
        let elsewhere = self.engine.take(std::slice::from_ref(source)).await;
        Ok(elsewhere.map_err(|error| Failure::engine(error, database))?.pop())
    }

    /// Gives everything up.
    pub(super) async fn leave(self) {
        self.ended.cancel();
        let _ = self.holding_on.await;
        wire::release_all(self.store.as_ref()).await;
    }
}

/// The epoch under which this process holds a source.
///
/// # Errors
/// A [`Failure`] where it does not, or not any more.
pub(super) async fn own_epoch(
    store: &dyn Store,
    source: &SourceName,
    database: &Database,
) -> Result<u64, Failure> {
    let leases = wire::live_leases(store).await;
    let leases = leases.map_err(|error| Failure::store(&error, database))?;
    let own = leases.get(source).filter(|lease| lease.holder == wire::holder());
    let lost = || EngineError::NotHeld { name: source.to_string() };
    own.map(|lease| lease.epoch).ok_or_else(|| Failure::engine(lost(), database))
}

/// False when nobody holds the source any more.
pub(super) async fn holder_alive(store: &dyn Store, source: &SourceName) -> bool {
    match wire::live_leases(store).await {
        Ok(leases) => leases.contains_key(source),
        // Whoever asks again is told why.
        Err(_) => true,
    }
}

/// Who holds a source, for people.
pub(super) fn told(elsewhere: &HeldElsewhere, database: &Database) -> String {
    format!("{database}: {} is held by another process: {}", elsewhere.source, elsewhere.holder)
}

/// What is to be run, and how.
pub(super) struct Task<'a> {
    pub(super) context: &'a Context,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) names: &'a [SourceName],
    pub(super) lists: Lists,
}

impl Task<'_> {
    /// Runs every source once, side by side, and returns the runs in the order of the names.
    ///
    /// # Errors
    /// A [`Failure`] as a run beside the holder of a file has it.
    pub(super) async fn carry_out(
        &self,
        store: Arc<dyn Store>,
        watcher: &mut Watcher,
        shutdown: &CancellationToken,
    ) -> Result<Vec<Run>, Failure> {
        let config = &self.context.config;
        let member = Member::join(config, store, self.clock).await?;
        let mut outcome = self.refuse_upstream(&member).await;
        if outcome.is_ok() {
            outcome = self.side_by_side(&member, watcher, shutdown).await;
        }
        if outcome.is_ok() {
            watcher.identity();
            member.engine.resolve_after_runs().await;
        }
        member.leave().await;
        outcome
    }

    /// Takes what is free. Refuses `--upstream` before anything runs where another would not hear of it.
    async fn refuse_upstream(&self, member: &Member) -> Result<Vec<Run>, Failure> {
        let config = &self.context.config;
        let elsewhere = member.engine.take(self.names).await;
        let elsewhere = elsewhere.map_err(|error| Failure::engine(error, &config.database))?;
        for elsewhere in elsewhere {
            wire::refuse_upstream(config, &told(&elsewhere, &config.database))?;
        }
        Ok(Vec::new())
    }

    async fn side_by_side(
        &self,
        member: &Member,
        watcher: &mut Watcher,
        shutdown: &CancellationToken,
    ) -> Result<Vec<Run>, Failure> {
        let mut progress = member.engine.progress();
        let watcher = RefCell::new(watcher);
        let runs = self.names.iter().map(|source| self.one(member, source, &watcher, shutdown));
        let running = join_all(runs);
        tokio::pin!(running);
        let mut stopped = false;
        loop {
            tokio::select! {
                () = shutdown.cancelled(), if !stopped => {
                    member.engine.stop();
                    stopped = true;
                }
                runs = &mut running => return runs.into_iter().collect(),
                news = progress.recv() => match news {
                    Ok(news) => watcher.borrow_mut().show(news.into()),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return running.await.into_iter().collect(),
                },
            }
        }
    }

    async fn one(
        &self,
        member: &Member,
        source: &SourceName,
        watcher: &RefCell<&mut Watcher>,
        shutdown: &CancellationToken,
    ) -> Result<Run, Failure> {
        let (database, store) = (&self.context.config.database, member.store.as_ref());
        let names = std::slice::from_ref(source);
        let mut pending = Vec::new();
        loop {
            let Some(elsewhere) = member.take(source, database).await? else {
                if !pending.is_empty() {
                    let held = Held::Source(source, own_epoch(store, source, database).await?);
                    let done = beside::withdraw(store, &mut pending, held, database).await?;
                    if let Some(run) = done.and_then(|mut runs| runs.pop()) {
                        return Ok(run);
                    }
                }
                let runs = member.engine.run_now(names, RunReason::Manual, self.lists).await;
                let mut runs = runs.map_err(|error| Failure::engine(error, database))?;
                let gone = || StoreError::Corrupt("a run is gone".to_owned());
                return runs.pop().ok_or_else(|| Failure::store(&gone(), database));
            };
            let asked = beside::Asked {
                store,
                clock: self.clock.as_ref(),
                names,
                lists: self.lists,
                database,
                holder: &told(&elsewhere, database),
            };
            let mut show = |progress| watcher.borrow_mut().show(progress);
            let waiting = asked
                .carry_out(&mut pending, &mut show, async || holder_alive(store, source).await);
            let answered = tokio::select! {
                answered = waiting => answered?,
                () = shutdown.cancelled() => return Err(given_up(source)),
            };
            // A holder that is gone leaves the source to this process.
            if let Some(run) = answered.and_then(|mut runs| runs.pop()) {
                return Ok(run);
            }
        }
    }
}

fn given_up(source: &SourceName) -> Failure {
    Failure::new(
        Exit::Failed,
        "stopped",
        format!("asked to stop while another process runs {source}"),
        "the request stays in the store; `kasparro runs` shows what becomes of it",
    )
}
