//! After a crash: pages that were landed are loaded before anything new is asked.

use std::io;
use std::sync::Arc;

use kasparro_domain::{RawPage, Run, RunError, RunStatus};
use kasparro_extract::PageError;
use kasparro_faults::crash_point;
use kasparro_store::{Findings, RunFilter, RunUpdate, StoreError};

use crate::hold::Hold;
use crate::land::{STORE_FAILED, store_failed};
use crate::load::{Loader, error_page};
use crate::progress::Watch;
use crate::run::lost;
use crate::slot::Slot;
use crate::stored_body::{self, StoredBody};
use crate::{Engine, EngineError};

/// Most open runs that a dead process can have left: one for each source, with room to spare.
const OPEN_RUNS: u32 = 1_000;

impl Engine {
    /// Finishes landed pages of a source that was just taken, and closes its runs that nobody carries on.
    ///
    /// A page that cannot be loaded is refused with the reason, so that it never blocks what follows.
    pub(crate) async fn recover_slot(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        hold: &Hold,
    ) -> Result<(), EngineError> {
        // From the moment it is held a command may begin a run, which is nobody's leftover.
        let _running = slot.running.lock().await;
        self.finish_landed(slot, hold).await?;
        // A queued run is left as it is: whoever asked for it may be about to write its command, and the
        // next run of the source carries it out in any case.
        let filter = RunFilter {
            sources: vec![slot.name.clone()],
            status: Some(RunStatus::Running),
            limit: OPEN_RUNS,
            offset: 0,
        };
        for run in self.store.runs(filter).await? {
            crash_point!("recover.abandon");
            self.abandon(&run, hold).await?;
        }
        Ok(())
    }

    /// Loads the pages of a source that were landed and not loaded, so that pages are loaded in the order
    /// in which they were landed, always.
    pub(crate) async fn finish_landed(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        hold: &Hold,
    ) -> Result<(), EngineError> {
        let mut run_before = None;
        // A run that lost a page has not seen everything.
        let mut lost_page_of = None;
        for page in self.store.landed_pages(&slot.name).await? {
            crash_point!("recover.page");
            if page.context.is_null() {
                self.refuse_as_it_came(hold, &page).await?;
                continue;
            }
            tracing::info!(source = %slot.name, page_id = %page.page_id, "finishing a landed page");
            let (page_id, run_id) = (page.page_id, page.run_id);
            let new_run = run_before.replace(run_id) != Some(run_id);
            let whole = lost_page_of != Some(run_id);
            match self.load_landed(slot, hold, page, new_run, whole).await {
                Ok(refusals) if refusals.is_empty() => {}
                // It was refused as a whole, and is.
                Ok(_) => lost_page_of = Some(run_id),
                // Not the page failed but the store: the page stays landed for the next start.
                Err(error) if error.code == STORE_FAILED => {
                    return Err(StoreError::Unavailable(error.message).into());
                }
                Err(error) => {
                    crash_point!("recover.refuse");
                    let error = error.to_run_error();
                    self.store.refuse(page_id, hold.epoch(), error, None).await?;
                    // The memory was dropped with the page, so the next one begins anew.
                    run_before = None;
                    lost_page_of = Some(run_id);
                }
            }
        }
        Ok(())
    }

    /// Refuses an answer that was about to be refused as it came when its process died.
    async fn refuse_as_it_came(&self, hold: &Hold, page: &RawPage) -> Result<(), EngineError> {
        let (store, hash) = (Arc::clone(&self.store), page.body);
        let head = tokio::task::spawn_blocking(move || stored_body::head(store, hash)).await;
        let head = head.map_err(io::Error::other).and_then(|head| head);
        let damaged = |error| format!("the body of page {}: {error}", page.page_id);
        let head = head.map_err(|error| StoreError::Corrupt(damaged(error)))?;
        let examined = error_page::examined(page, &head);
        let run = self.stored_run(page.run_id).await?;
        Watch::new(&run, self.progress.clone()).found(&page.source, examined.as_ref());
        let error = RunError {
            code: "no_page".to_owned(),
            message: "the answer was no page of rows; what was wrong was not noted in time"
                .to_owned(),
            hint: "the schedule asks again".to_owned(),
        };
        crash_point!("recover.refuse");
        Ok(self.store.refuse(page.page_id, hold.epoch(), error, examined).await?)
    }

    /// Ends a run that nobody carries on.
    pub(crate) async fn abandon(&self, run: &Run, hold: &Hold) -> Result<(), StoreError> {
        let error = RunError {
            code: "abandoned".to_owned(),
            message: "what carried the run ended before it".to_owned(),
            hint: "what it committed is kept; the next run goes on from there".to_owned(),
        };
        let ended = RunUpdate::Ended {
            at: self.clock.now(),
            status: RunStatus::Abandoned,
            requests: run.requests,
            error: Some(error),
            findings: Findings::default(),
        };
        self.store.update_run(run.run_id, hold.epoch(), ended).await
    }

    async fn load_landed(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        hold: &Hold,
        page: RawPage,
        new_run: bool,
        whole: bool,
    ) -> Result<Vec<PageError>, PageError> {
        let failed = |error| store_failed(&error);
        let (engine, slot) = (Arc::clone(self), Arc::clone(slot));
        let mut memory = engine.memory(&slot, hold).await.map_err(failed)?;
        let run = engine.store.run(page.run_id).await.map_err(failed)?.ok_or_else(lost)?;
        // Rows that these pages brought may be repeated on the page that comes now.
        let loaded = match new_run {
            true => engine.store.loaded_pages(page.run_id).await.map_err(failed)?,
            false => Vec::new(),
        };
        let watch = Watch::new(&run, engine.progress.clone());
        let mut parts = engine.parts_of(&slot, hold);
        // The page is read as the run that landed it would have read it.
        if let Some(options) = engine.store.run_options(page.run_id).await.map_err(failed)?
            && options != slot.settings.options
        {
            parts.source = (engine.build)(&slot.name, &options).map_err(unbuildable)?;
        }
        let work = move || {
            let mut held = memory.take().ok_or_else(lost)?;
            if new_run {
                held.begin_run();
            }
            let (store, hash) = (Arc::clone(&parts.store), page.body);
            let open = move || StoredBody::open(Arc::clone(&store), hash);
            let mut loader = Loader::new(parts, &mut held, &watch);
            loader.resume_behind(loaded);
            if !whole {
                loader.sweeps_nothing();
            }
            loader.load(&page, &open)?;
            let refusals = loader.into_refusals();
            *memory = Some(held);
            Ok(refusals)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(lost()))
    }
}

/// The stored options of a run no longer make a source.
pub(crate) fn unbuildable(reason: String) -> PageError {
    let hint = "use the version of the program that made the run";
    PageError::stop("options_unknown", format!("the options of the run: {reason}"), hint)
}
