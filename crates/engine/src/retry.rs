//! Reading quarantined rows again after a fix, and giving them up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kasparro_domain::{DriftId, PageId, PageState, RawPage, Run, RunId, RunReason, SourceName};
use kasparro_extract::{PageError, RunStart};
use kasparro_faults::crash_point;
use kasparro_store::{DriftFilter, Reopening, StoreError};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::ask::{Asked, Lists, stopped};
use crate::land::{PageContext, STORE_FAILED, spool_failed, store_failed};
use crate::load::{Judging, LoadParts, Loader, RetryReason};
use crate::memory::Memory;
use crate::progress::Watch;
use crate::quarantine::open_rows;
use crate::run::lost;
use crate::slot::Slot;
use crate::stored_body::StoredBody;
use crate::stored_text::{open_text, pages_of_text, request_of};
use crate::texts::of_chunk;
use crate::{Engine, EngineError};

/// Rows to read again, by page.
pub(crate) type RowsByPage = BTreeMap<PageId, BTreeSet<u64>>;

impl Engine {
    /// Reads quarantined rows again with the configuration of today, one run for each source; rows that
    /// are not open are left aside. Each batch is recorded as a decision of `who`.
    ///
    /// # Errors
    /// [`EngineError::UnknownSource`] when a row belongs to a source that is not configured;
    /// [`EngineError::Store`] when the store cannot be used. What goes wrong with a page is in its run.
    pub async fn retry(
        self: &Arc<Self>,
        rows: &[i64],
        who: &str,
        why: &str,
    ) -> Result<Vec<Run>, EngineError> {
        let reason = RetryReason { who: plain(who), why: plain(why) };
        let mut runs = Vec::new();
        for slot in self.slots_of(rows).await? {
            runs.extend(self.retry_slot(&slot, 0, rows, &reason).await?);
        }
        Ok(runs)
    }

    /// As [`Engine::retry`], for the rows of one source and under this epoch of it; 0 stands for any.
    pub(crate) async fn retry_source(
        self: &Arc<Self>,
        source: &SourceName,
        epoch: u64,
        rows: &[i64],
        who: &str,
        why: &str,
    ) -> Result<Option<Run>, EngineError> {
        let reason = RetryReason { who: plain(who), why: plain(why) };
        self.retry_slot(&self.slot(source)?, epoch, rows, &reason).await
    }

    /// As [`Engine::discard`], for the rows of one source and under this epoch of it; 0 stands for any.
    pub(crate) async fn discard_source(
        &self,
        source: &SourceName,
        epoch: u64,
        rows: &[i64],
        who: &str,
        why: &str,
    ) -> Result<u64, EngineError> {
        let slot = self.slot(source)?;
        let _running = slot.running.lock().await;
        self.hold_under(&slot, epoch)?;
        let open = open_rows(self.store.as_ref(), rows).await?;
        let own = open.into_iter().filter(|row| row.source == *source);
        let own = own.map(|row| row.quarantine_id).collect();
        Ok(self.store.discard(own, &plain(who), &plain(why), self.clock.now()).await?)
    }

    /// Gives quarantined rows up; returns how many were open.
    ///
    /// # Errors
    /// As [`Engine::retry`].
    pub async fn discard(&self, rows: &[i64], who: &str, why: &str) -> Result<u64, EngineError> {
        let slots = self.slots_of(rows).await?;
        // Nobody reads a row again while it is given up.
        let mut held = Vec::new();
        for slot in &slots {
            held.push(slot.running.lock().await);
        }
        let now = self.clock.now();
        Ok(self.store.discard(rows.to_vec(), &plain(who), &plain(why), now).await?)
    }

    /// Loads a refused page after all, as a run of its own; `None` where it is not refused any more, or is
    /// an answer that was refused as it came and holds no rows. Unless `forced`, the rules may refuse it
    /// once more.
    ///
    /// # Errors
    /// [`EngineError::UnknownSource`] where its source is not configured; [`EngineError::Store`] when the
    /// store cannot be used. What goes wrong with the page is in its run.
    pub async fn retry_page(
        self: &Arc<Self>,
        page_id: PageId,
        forced: bool,
        who: &str,
        why: &str,
    ) -> Result<Option<Run>, EngineError> {
        match self.store.page(page_id).await? {
            Some(page) => self.retry_page_of(&page.source, 0, page_id, forced, who, why).await,
            None => Ok(None),
        }
    }

    /// As [`Engine::retry_page`], for a page of this source and under this epoch of it; 0 stands for any.
    pub(crate) async fn retry_page_of(
        self: &Arc<Self>,
        source: &SourceName,
        epoch: u64,
        page_id: PageId,
        forced: bool,
        who: &str,
        why: &str,
    ) -> Result<Option<Run>, EngineError> {
        let slot = self.slot(source)?;
        let refused = |page: &RawPage| {
            page.source == *source && page.state == PageState::Refused && !page.context.is_null()
        };
        let (_running, hold, run) = loop {
            let running = slot.running.lock().await;
            let hold = self.hold_under(&slot, epoch)?;
            if !self.store.page(page_id).await?.as_ref().is_some_and(refused) {
                return Ok(None);
            }
            match self.queue_retry(&slot).await? {
                Ok(run) => break (running, hold, run),
                Err(other) => {
                    drop(running);
                    self.run_first(&slot, other).await?;
                }
            }
        };
        self.finish_landed(&slot, &hold).await?;
        let watch = self.begin(&slot, &hold, &run).await?;
        let reopening = Reopening {
            who: plain(who),
            why: plain(why),
            forced,
            run_id: run.run_id,
            decided_at: self.clock.now(),
        };
        let page = self.store.reopen(page_id, hold.epoch(), reopening).await?;
        crash_point!("retry.reopened");
        let judging =
            if forced { Judging::Forced } else { Judging::Rules(slot.settings.page_rules) };
        let outcome = match self.memory(&slot, &hold).await {
            Err(error) => Err(store_failed(&error)),
            Ok(mut memory) => {
                let parts = LoadParts { judging, ..self.parts_of(&slot, &hold) };
                let told = Arc::clone(&watch);
                let work = move || {
                    let mut held = memory.take().ok_or_else(lost)?;
                    held.begin_run();
                    held.read_again();
                    let refusals = load_page(&parts, &mut held, &told, &page)?;
                    *memory = Some(held);
                    refusals.into_iter().next().map_or(Ok(()), Err)
                };
                tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(lost()))
            }
        };
        if let Err(error) = &outcome
            && error.code != STORE_FAILED
            && self.store.page(page_id).await?.is_some_and(|page| page.state == PageState::Landed)
        {
            // What cannot be loaded must not block what follows.
            self.store.refuse(page_id, hold.epoch(), error.to_run_error(), None).await?;
        }
        self.end(&run, &hold, outcome, &watch).await.map(Some)
    }

    /// Accepts changes of upstreams; returns how many were open.
    ///
    /// # Errors
    /// [`EngineError::Store`] when the store cannot be used.
    pub async fn accept_drift(
        &self,
        drift: &[DriftId],
        who: &str,
        why: &str,
    ) -> Result<u64, EngineError> {
        let now = self.clock.now();
        Ok(self.store.accept_drift(drift.to_vec(), &plain(who), &plain(why), now).await?)
    }

    /// As [`Engine::accept_drift`], for changes of this source and under this epoch of it; 0 stands for any.
    pub(crate) async fn accept_drift_of(
        &self,
        source: &SourceName,
        epoch: u64,
        drift: &[DriftId],
        who: &str,
        why: &str,
    ) -> Result<u64, EngineError> {
        let slot = self.slot(source)?;
        // Nobody examines a page while what it shows is decided about.
        let _running = slot.running.lock().await;
        self.hold_under(&slot, epoch)?;
        let of_source = DriftFilter { sources: vec![source.clone()], ..DriftFilter::default() };
        let own = self.store.drift(of_source).await?.into_iter().map(|row| row.drift_id);
        let own: Vec<DriftId> = own.filter(|id| drift.contains(id)).collect();
        self.accept_drift(&own, who, why).await
    }

    /// Queues a run that reads again; the run that goes first where somebody asked for one before.
    async fn queue_retry(&self, slot: &Slot) -> Result<Result<Run, RunId>, EngineError> {
        let run_id = RunId(uuid::Uuid::now_v7());
        let now = self.clock.now();
        let queued = self.store.queue_run(run_id, &slot.name, RunReason::Retry, now).await?;
        Ok(if queued.run_id == run_id { Ok(queued) } else { Err(queued.run_id) })
    }

    async fn run_first(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        other: RunId,
    ) -> Result<(), EngineError> {
        let asked = Asked { values: true, lists: Lists::Due };
        self.run_slot(Arc::clone(slot), other, RunReason::Manual, asked).await?;
        Ok(())
    }

    /// The sources of open rows, by name.
    async fn slots_of(&self, rows: &[i64]) -> Result<Vec<Arc<Slot>>, EngineError> {
        let rows = open_rows(self.store.as_ref(), rows).await?;
        let sources: BTreeSet<SourceName> = rows.into_iter().map(|row| row.source).collect();
        sources.iter().map(|source| self.slot(source)).collect()
    }

    /// Reads rows of one source again; `None` when none of them is open any more.
    async fn retry_slot(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        epoch: u64,
        rows: &[i64],
        reason: &RetryReason,
    ) -> Result<Option<Run>, EngineError> {
        let (_running, hold, pages, run) = loop {
            let running = slot.running.lock().await;
            let hold = self.hold_under(slot, epoch)?;
            // Only now: whoever held the source before may have decided about some of them.
            let pages = self.pages_of(slot, rows).await?;
            if pages.is_empty() {
                return Ok(None);
            }
            match self.queue_retry(slot).await? {
                Ok(run) => break (running, hold, pages, run),
                // Somebody asked for an ordinary run before: it goes first.
                Err(other) => {
                    drop(running);
                    self.run_first(slot, other).await?;
                }
            }
        };
        self.finish_landed(slot, &hold).await?;
        let watch = self.begin(slot, &hold, &run).await?;
        let outcome = match self.memory(slot, &hold).await {
            Err(error) => Err(store_failed(&error)),
            Ok(mut memory) => {
                let (parts, watch, reason) =
                    (self.parts_of(slot, &hold), Arc::clone(&watch), reason.clone());
                let ended = hold.ended.clone();
                let work = move || {
                    let mut held = memory.take().ok_or_else(lost)?;
                    held.begin_run();
                    read_again(&parts, &mut held, &watch, pages, &reason, &ended)?;
                    *memory = Some(held);
                    Ok(())
                };
                tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(lost()))
            }
        };
        self.end(&run, &hold, outcome, &watch).await.map(Some)
    }

    async fn pages_of(&self, slot: &Slot, rows: &[i64]) -> Result<RowsByPage, EngineError> {
        let mut pages = RowsByPage::new();
        let rows = open_rows(self.store.as_ref(), rows).await?;
        for row in rows.into_iter().filter(|row| row.source == slot.name) {
            pages.entry(row.page_id).or_default().insert(row.ordinal);
        }
        Ok(pages)
    }
}

/// Loads a reopened page; returns why it was refused once more.
pub(crate) fn load_page(
    parts: &LoadParts,
    memory: &mut Memory,
    watch: &Watch,
    page: &RawPage,
) -> Result<Vec<PageError>, PageError> {
    let (store, hash) = (Arc::clone(&parts.store), page.body);
    let open = move || StoredBody::open(Arc::clone(&store), hash);
    let mut loader = Loader::new(parts.clone(), memory, watch);
    // A page of the past says nothing of who is missing today.
    loader.sweeps_nothing();
    loader.load(page, &open)?;
    Ok(loader.into_refusals())
}

/// A text of a person as stores take it: without U+0000.
pub(crate) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Reads rows of stored pages again, as part of a run that has begun, on a thread that may block. What
/// keeps one page from being read leaves the others.
///
/// # Errors
/// The first thing that went wrong.
pub(crate) fn read_again(
    parts: &LoadParts,
    memory: &mut Memory,
    watch: &Watch,
    pages: RowsByPage,
    reason: &RetryReason,
    ended: &CancellationToken,
) -> Result<(), PageError> {
    memory.read_again();
    let mut surveys = Surveys { parts: parts.clone(), last: None };
    let mut loader = Loader::new(parts.clone(), memory, watch);
    let mut first_failure = None;
    for (page_id, ordinals) in pages {
        if ended.is_cancelled() {
            return Err(stopped());
        }
        crash_point!("retry.page");
        let (page, survey, late) = match surveys.of(page_id) {
            Ok(found) => found,
            Err(error) if error.code == STORE_FAILED => return Err(error),
            Err(error) => {
                first_failure.get_or_insert(error);
                continue;
            }
        };
        let body = StoredBody::open(Arc::clone(&parts.store), page.body)
            .map_err(|error| spool_failed(&error))?;
        // Rows may have been judged that were not committed, so a failure here ends it.
        loader.load_again(&page, &survey, body, &ordinals, late, reason)?;
    }
    first_failure.map_or(Ok(()), Err)
}

/// What surveys with the configuration of today note about stored texts; the last one is remembered,
/// since the chunks of a text come one after another.
struct Surveys {
    parts: LoadParts,
    last: Option<SurveyedText>,
}

/// The pages of a text, and what was noted about it.
struct SurveyedText {
    pages: Vec<PageId>,
    survey: Result<Option<Value>, PageError>,
}

impl Surveys {
    /// A page, what is noted about it, and whether a newer page of the same request was loaded.
    fn of(&mut self, page_id: PageId) -> Result<(RawPage, Value, bool), PageError> {
        let failed = |error: StoreError| store_failed(&error);
        let gone = || failed(StoreError::Corrupt(format!("page {page_id} is gone")));
        let (handle, store) = (Handle::current(), Arc::clone(&self.parts.store));
        let page = handle.block_on(store.page(page_id)).map_err(failed)?.ok_or_else(gone)?;
        let last = handle.block_on(store.last_loaded(&self.parts.name, &page.request));
        let late = last.map_err(failed)?.is_some_and(|last| last.page_id > page.page_id);
        let known = self.last.as_ref().filter(|text| text.pages.contains(&page_id));
        let survey = match known {
            Some(text) => text.survey.clone()?,
            None => {
                let text = handle.block_on(pages_of_text(store.as_ref(), &page)).map_err(failed)?;
                let survey = self.survey(&page, &text);
                let pages = text.iter().map(|page| page.page_id).collect();
                self.last.insert(SurveyedText { pages, survey }).survey.clone()?
            }
        };
        let survey = match (survey, page.request.get("chunk").and_then(Value::as_u64)) {
            (None, _) => PageContext::of(&page)?.survey,
            (Some(survey), Some(chunk)) => of_chunk(&survey, chunk),
            (Some(survey), None) => survey,
        };
        Ok((page, survey, late))
    }

    /// Surveys a text; `None` where the source asks nothing like it any more.
    fn survey(&self, page: &RawPage, text: &[RawPage]) -> Result<Option<Value>, PageError> {
        let source = self.parts.source.as_ref();
        let start = RunStart { checkpoint: None, now: page.fetched_at, values: true };
        let Some(request) = request_of(source, &page.request, start) else { return Ok(None) };
        let mut text = open_text(&self.parts.store, text);
        source.survey(&request, &mut text).map(Some)
    }
}
