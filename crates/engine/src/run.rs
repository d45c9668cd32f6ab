//! One run of one source: ask, land, load, and say what came of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kasparro_domain::{
    NewAlert, Run, RunCounts, RunError, RunId, RunReason, RunStatus, SourceName, Timestamp,
};
use kasparro_extract::PageError;
use kasparro_faults::crash_point;
use kasparro_store::{RunUpdate, StoreError};
use tokio::sync::{OwnedMutexGuard, mpsc};

use crate::ask::{Asked, STOPPED, Trip};
use crate::hold::Hold;
use crate::land::{Landed, Lander, store_failed};
use crate::load::Loader;
use crate::memory::Memory;
use crate::progress::Watch;
use crate::slot::Slot;
use crate::{Engine, EngineError};

/// Landed pages that wait for the loader: one being loaded, one behind it.
const LANDED_AHEAD: usize = 1;

/// The part of a run that works on another thread ended without an answer.
pub(crate) fn lost() -> PageError {
    PageError::stop(
        "internal",
        "a part of the run ended unexpectedly",
        "please report this as a defect",
    )
}

impl Engine {
    /// Runs a source once. Where it has an open run already that asks for as much, that run is carried out
    /// or waited for; otherwise a run of its own follows it.
    pub(crate) async fn run_slot(
        self: &Arc<Self>,
        slot: Arc<Slot>,
        run_id: RunId,
        reason: RunReason,
        asked: Asked,
    ) -> Result<Run, EngineError> {
        let mut run_id = run_id;
        loop {
            // A run that was asked for by another process has its row already.
            let queued = match self.store.run(run_id).await? {
                Some(run) => run,
                None => self.store.queue_run(run_id, &slot.name, reason, self.clock.now()).await?,
            };
            let running = slot.running.lock().await;
            let hold = self.hold(&slot)?;
            let Some(run) = self.take_up(&slot, &hold, queued.run_id, reason).await? else {
                let ended = self.stored_run(queued.run_id).await?;
                if queued.run_id == run_id || slot.covered(queued.run_id, asked) {
                    return Ok(ended);
                }
                drop(running);
                run_id = RunId(uuid::Uuid::now_v7());
                continue;
            };
            // Somebody else queued it, who wants values; this one may want lists.
            let asked = if run.run_id == run_id { asked } else { asked.with_values() };
            slot.carries_out(run.run_id, asked);
            // What a run before could not load comes first.
            self.finish_landed(&slot, &hold).await?;
            let watch = self.begin(&slot, &hold, &run).await?;
            let outcome = match self.memory(&slot, &hold).await {
                Ok(memory) => self.move_forward(&slot, &hold, &run, memory, asked, &watch).await,
                Err(error) => Err(store_failed(&error)),
            };
            // What a run with lists costs says nothing of the next without.
            if asked.values && !watch.lists_asked() && watch.credits() > 0 {
                self.note_cost(&slot, watch.credits()).await?;
            }
            let ended = self.end(&run, &hold, outcome, &watch).await?;
            if let Err(error) = self.show_budgets(&slot, &hold).await {
                tracing::error!(source = %slot.name, %error, "the state could not be stored");
            }
            return Ok(ended);
        }
    }

    /// The run to carry out for one that was queued; `None` where it has ended. The caller holds the
    /// lock of the slot.
    pub(crate) async fn take_up(
        &self,
        slot: &Slot,
        hold: &Hold,
        queued: RunId,
        reason: RunReason,
    ) -> Result<Option<Run>, EngineError> {
        // While the lock was waited for, somebody else may have carried the run out.
        let mut run = self.stored_run(queued).await?;
        if run.status == RunStatus::Running {
            // Whoever carried it out held the lock, so its end could not be recorded.
            tracing::warn!(source = %slot.name, run_id = %run.run_id, "closing a run without an end");
            self.abandon(&run, hold).await?;
            let next = RunId(uuid::Uuid::now_v7());
            run = self.store.queue_run(next, &slot.name, reason, self.clock.now()).await?;
        }
        Ok((run.status == RunStatus::Queued).then_some(run))
    }

    pub(crate) async fn stored_run(&self, run_id: RunId) -> Result<Run, EngineError> {
        let run = self.store.run(run_id).await?;
        run.ok_or_else(|| StoreError::Corrupt(format!("run {run_id} is gone")).into())
    }

    /// The memory of a source, read from the store where it is not at hand.
    pub(crate) async fn memory(
        &self,
        slot: &Slot,
        hold: &Hold,
    ) -> Result<OwnedMutexGuard<Option<Memory>>, StoreError> {
        let mut memory = Arc::clone(&slot.memory).lock_owned().await;
        let kept = memory.as_ref().filter(|memory| memory.epoch == hold.epoch());
        // Under another epoch somebody else may have written since. Under the same one nobody did, but a
        // database may have been brought back to an earlier state under a process that goes on.
        let valid = match kept {
            Some(memory) => memory.next_sequence == self.store.next_sequence(&slot.name).await?,
            None => false,
        };
        if !valid {
            *memory = None;
            let known = self.store.memory(&slot.name).await?;
            memory.insert(Memory::new(known, rand::random())).epoch = hold.epoch();
        }
        Ok(memory)
    }

    /// Records that a run begins.
    pub(crate) async fn begin(
        &self,
        slot: &Slot,
        hold: &Hold,
        run: &Run,
    ) -> Result<Arc<Watch>, EngineError> {
        crash_point!("run.queued");
        let options = slot.settings.options.clone();
        let started = RunUpdate::Started { at: self.clock.now(), options };
        self.store.update_run(run.run_id, hold.epoch(), started).await?;
        crash_point!("run.started");
        let watch = Arc::new(Watch::new(run, self.progress.clone()));
        watch.show(RunStatus::Running, None);
        Ok(watch)
    }

    /// Records how a run ended.
    pub(crate) async fn end(
        &self,
        run: &Run,
        hold: &Hold,
        outcome: Result<(), PageError>,
        watch: &Watch,
    ) -> Result<Run, EngineError> {
        let counts = watch.counts();
        let received = counts.received;
        let (status, error) = judge_outcome(outcome, &counts, self.stopping.is_cancelled());
        let at = self.clock.now();
        let requests = watch.requests();
        let mut so_far = self.stored_run(run.run_id).await?;
        (so_far.status, so_far.completed_at) = (status, Some(at));
        (so_far.requests, so_far.error) = (requests, error.clone());
        let findings = self.findings(&so_far, watch).await?;
        let ended = RunUpdate::Ended { at, status, requests, error: error.clone(), findings };
        crash_point!("run.ending");
        self.store.update_run(run.run_id, hold.epoch(), ended).await?;
        crash_point!("run.ended");
        watch.show(status, None);
        let source = run.source.to_string();
        metrics::counter!("kasparro_runs_total", "source" => source, "status" => status.name())
            .increment(1);
        match &error {
            None => {
                tracing::info!(source = %run.source, run_id = %run.run_id, received, "run ended: {status}")
            }
            Some(error) => tracing::warn!(
                source = %run.source, run_id = %run.run_id, received, code = %error.code,
                hint = %error.hint, "run ended: {status}: {}", error.message
            ),
        }
        self.stored_run(run.run_id).await
    }

    /// Fetches and lands pages while a second task loads them.
    async fn move_forward(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        hold: &Hold,
        run: &Run,
        mut memory: OwnedMutexGuard<Option<Memory>>,
        asked: Asked,
        watch: &Arc<Watch>,
    ) -> Result<(), PageError> {
        let started_at: Timestamp = self.clock.now();
        let checkpoint = memory.as_ref().and_then(|memory| memory.checkpoint.clone());
        let (sender, mut receiver) = mpsc::channel::<Landed>(LANDED_AHEAD);
        let (told, parts) = (Arc::clone(watch), self.parts_of(slot, hold));
        let loader = tokio::task::spawn_blocking(move || {
            // Taken out, so that a failure leaves nothing behind and the store is read again.
            let mut held = memory.take().ok_or_else(lost)?;
            held.begin_run();
            let mut loader = Loader::new(parts, &mut held, &told);
            while let Some(landed) = receiver.blocking_recv() {
                loader.take_in(&landed)?;
            }
            let refusals = loader.into_refusals();
            *memory = Some(held);
            Ok(refusals)
        });
        let lander = Lander {
            store: self.store.as_ref(),
            source: slot.name.clone(),
            epoch: hold.epoch(),
            run_id: run.run_id,
            landed: sender,
            watch,
            pages: 0,
        };
        let (read, walks) = (HashSet::new(), HashMap::new());
        let trip = Trip { engine: self, slot, hold, lander, watch, asked, read, walks };
        let fetched = trip.fetch_all(checkpoint.as_ref(), started_at).await;
        let loaded = loader.await.unwrap_or_else(|_| Err(lost()));
        // What the loader met explains a fetch that found its channel closed.
        let refusals = loaded?;
        let fetched = fetched?;
        for refusal in &refusals {
            watch.alert(page_refused(&slot.name, refusal));
        }
        if let Some(refusal) = refusals.into_iter().next() {
            return Err(refusal);
        }
        match fetched {
            // A list without a row is no failure of a run that brought something else.
            Some(error) if watch.counts().received == 0 => Err(error),
            _ => Ok(()),
        }
    }
}

/// What operators hear of a page that was refused as a whole.
pub(crate) fn page_refused(source: &SourceName, refusal: &PageError) -> NewAlert {
    NewAlert {
        code: "page_refused".to_owned(),
        message: format!("a page of {source} was refused: {}", refusal.message),
        hint: refusal.hint.clone(),
    }
}

/// Status and error of a run from what its parts said and the rows it committed.
fn judge_outcome(
    outcome: Result<(), PageError>,
    counts: &RunCounts,
    stopping: bool,
) -> (RunStatus, Option<RunError>) {
    match outcome {
        Ok(()) if counts.received > 0 && counts.received == counts.quarantined => {
            let message = format!("not one of {} rows was believed", counts.received);
            let hint = "look at what is in quarantine: the layout of the source may have changed";
            let error = PageError::stop("nothing_believed", message, hint);
            (RunStatus::Partial, Some(error.to_run_error()))
        }
        Ok(()) => (RunStatus::Success, None),
        Err(error) => {
            let status = match (stopping && error.code == STOPPED, counts.received) {
                (true, _) => RunStatus::Abandoned,
                (false, 0) => RunStatus::Failed,
                (false, _) => RunStatus::Partial,
            };
            (status, Some(error.to_run_error()))
        }
    }
}
