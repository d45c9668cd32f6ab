//! Rebuilding a store from the raw pages and decisions of another.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use kasparro_domain::{
    Clock, Decision, DecisionKind, PageId, PageState, RawPage, Run, RunError, RunId, RunStatus,
    SourceName,
};
use kasparro_extract::PageError;
use kasparro_store::{
    CompressedBody, DriftFilter, Findings, IdentityDecision, NewPage, PageRecord, QuarantineFilter,
    Reopening, RunUpdate, Store, StoreError,
};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::identity::IdentityStage;
use crate::land::{spool_failed, store_failed};
use crate::load::{
    DRIFT, Judging, LoadParts, Loader, RetryReason, TOO_FEW_ROWS, TOO_MANY_BAD_ROWS, error_page,
};
use crate::memory::Memory;
use crate::progress::Watch;
use crate::retry::{RowsByPage, read_again};
use crate::run::lost;
use crate::stored_body::{self, StoredBody};
use crate::{EngineError, FOR_GOOD, SourceBuilder};

/// Pages read at a time.
const PIECE: u32 = 200;

/// Who holds the sources of a store that is being rebuilt.
const HOLDER: &str = "replay";

/// How far a replay has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayProgress {
    /// Pages done.
    pub pages_done: u64,
    /// Rows judged.
    pub rows: u64,
}

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplaySummary {
    /// Pages read.
    pub pages: u64,
    /// Rows judged, those of retries included.
    pub rows: u64,
    /// Decisions taken again.
    pub decisions: u64,
}

/// Rebuilds in `into`, which must be empty, what `from` made of its raw pages and decisions: pages in
/// landing order, each read with the options of its run, and decisions after the page after which they
/// were taken. A page that `from` has not loaded to its end is loaded as far as there.
///
/// Within one version of the program both stores then have the same digest.
///
/// # Errors
/// [`EngineError::Store`] when a store cannot be used, [`EngineError::Setup`] when `into` is not empty or a
/// page cannot be read as it was then.
pub async fn replay(
    from: Arc<dyn Store>,
    into: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    build: SourceBuilder,
    spool_dir: &Path,
    progress: &mut (dyn FnMut(ReplayProgress) + Send),
) -> Result<ReplaySummary, EngineError> {
    std::fs::create_dir_all(spool_dir)
        .map_err(|error| EngineError::Setup(format!("folder {}: {error}", spool_dir.display())))?;
    if !into.pages_after(PageId(0), 1).await?.is_empty() || into.generation().await?.0 > 0 {
        return Err(EngineError::Setup("the store to replay into is not empty".to_owned()));
    }
    let decisions = from.decisions().await?;
    let mut reopenings: HashMap<PageId, u64> = HashMap::new();
    for decision in decisions.iter().filter(|decision| decision.kind == DecisionKind::Reopen) {
        for row in &decision.rows {
            *reopenings.entry(row.page_id).or_default() += 1;
        }
    }
    let mut replay = Replay {
        from,
        into,
        clock,
        build,
        spool_dir,
        sources: BTreeMap::new(),
        page_ids: HashMap::new(),
        reopenings,
        summary: ReplaySummary::default(),
    };
    let mut decisions = decisions.into_iter().peekable();
    let mut after = PageId(0);
    loop {
        let piece = replay.from.pages_after(after, PIECE).await?;
        let Some(last) = piece.last().map(|record| record.page.page_id) else { break };
        for record in piece {
            while let Some(decision) =
                decisions.next_if(|decision| decision.after_page < record.page.page_id)
            {
                replay.decide(&decision).await?;
            }
            replay.take(record).await?;
            let ReplaySummary { pages, rows, .. } = replay.summary;
            progress(ReplayProgress { pages_done: pages, rows });
        }
        after = last;
    }
    for decision in decisions {
        replay.decide(&decision).await?;
    }
    replay.finish().await
}

/// One source while it is replayed.
struct Held {
    epoch: u64,
    memory: Memory,
    /// The run whose pages are being read, and what reading them needs.
    run: Option<(Run, LoadParts)>,
    /// True where a page of that run was refused after it was landed as believable.
    lost_page: bool,
}

/// What was done with a page then.
enum How {
    /// It was loaded.
    Whole,
    /// It was loaded in front of this row.
    Until(u64),
    /// It was refused.
    Refused(RunError),
}

impl How {
    fn of(there: &RawPage) -> Self {
        match there.state {
            PageState::Loaded => Self::Whole,
            PageState::Landed | PageState::Refused => Self::Until(there.rows_done),
        }
    }
}

/// The reason of a page that was refused then and is not any more; it is not on record.
fn refused_then() -> RunError {
    RunError {
        code: DRIFT.to_owned(),
        message: "the page was refused then".to_owned(),
        hint: "a decision tells that it was read later".to_owned(),
    }
}

/// True for a page that was refused by what examining it showed.
fn by_rules(error: &RunError) -> bool {
    [DRIFT, TOO_FEW_ROWS, TOO_MANY_BAD_ROWS].contains(&error.code.as_str())
}

struct Replay<'a> {
    from: Arc<dyn Store>,
    into: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    build: SourceBuilder,
    spool_dir: &'a Path,
    sources: BTreeMap<SourceName, Held>,
    /// Numbers of pages there, and here.
    page_ids: HashMap<PageId, PageId>,
    /// Pages there that were reopened, and how often they still will be.
    reopenings: HashMap<PageId, u64>,
    summary: ReplaySummary,
}

/// A page cannot be read as it was read then.
fn unreadable(page: PageId, error: &PageError) -> EngineError {
    EngineError::Setup(format!("page {page}: {}", error.message))
}

impl Replay<'_> {
    /// Takes a source out, with `run_id` as its open run, read with the options that it was started with.
    async fn hold(
        &mut self,
        source: &SourceName,
        run_id: RunId,
    ) -> Result<(Held, Run, LoadParts), EngineError> {
        let mut held = match self.sources.remove(source) {
            Some(held) => held,
            None => Held {
                epoch: self.into.acquire(source, HOLDER, FOR_GOOD).await?,
                memory: Memory::new(self.into.memory(source).await?, rand::random()),
                run: None,
                lost_page: false,
            },
        };
        if let Some((run, parts)) = held.run.clone().filter(|(run, _)| run.run_id == run_id) {
            return Ok((held, run, parts));
        }
        if let Some((run, _)) = held.run.take() {
            self.end(&run, held.epoch).await?;
        }
        let then = self.run_then(run_id).await?;
        let run = self.into.queue_run(run_id, source, then.reason, then.created_at).await?;
        let options = self.from.run_options(run_id).await?.unwrap_or(Value::Null);
        let built = (self.build)(source, &options).map_err(|reason| {
            EngineError::Setup(format!("the options of run {run_id} of {source}: {reason}"))
        })?;
        let at = then.started_at.unwrap_or(then.created_at);
        self.into.update_run(run_id, held.epoch, RunUpdate::Started { at, options }).await?;
        let parts = LoadParts {
            store: Arc::clone(&self.into),
            clock: Arc::clone(&self.clock),
            source: built,
            name: source.clone(),
            epoch: held.epoch,
            judging: Judging::AsThen,
        };
        held.memory.begin_run();
        held.lost_page = false;
        held.run = Some((run.clone(), parts.clone()));
        Ok((held, run, parts))
    }

    /// Ends a run as it ended then; one that had not is abandoned.
    async fn end(&self, run: &Run, epoch: u64) -> Result<(), EngineError> {
        let then = self.run_then(run.run_id).await?;
        let ended = RunUpdate::Ended {
            at: then.completed_at.unwrap_or_else(|| self.clock.now()),
            status: if then.status.open() { RunStatus::Abandoned } else { then.status },
            requests: then.requests,
            error: then.error,
            // Alerts were raised then; what was unusual about runs is not rebuilt.
            findings: Findings::default(),
        };
        Ok(self.into.update_run(run.run_id, epoch, ended).await?)
    }

    /// A run as the other store has it.
    async fn run_then(&self, run_id: RunId) -> Result<Run, EngineError> {
        let gone = || StoreError::Corrupt(format!("run {run_id} is gone"));
        Ok(self.from.run(run_id).await?.ok_or_else(gone)?)
    }

    async fn take(&mut self, record: PageRecord) -> Result<(), EngineError> {
        let PageRecord { page: there, error: record_error } = record;
        let error = record_error.clone();
        let (mut held, run, parts) = self.hold(&there.source, there.run_id).await?;
        let here = self.copy(&there, held.epoch).await?;
        self.page_ids.insert(there.page_id, here.page_id);
        self.summary.pages += 1;
        // One that was refused and read later is read by its decision.
        let reopened = self.reopenings.contains_key(&there.page_id);
        let refused = there.state == PageState::Refused || reopened;
        // One that was refused as it came has no context.
        held.lost_page |= refused && !there.context.is_null();
        let lost_page = held.lost_page;
        let whole = refused && (there.rows_done == 0 || reopened);
        let how = match (whole, error) {
            (true, Some(error)) => How::Refused(error),
            (true, None) if reopened => How::Refused(refused_then()),
            _ if refused => How::Until(there.rows_done),
            _ => How::of(&there),
        };
        let error = record_error;
        held.memory = self.load(held.memory, &run, parts, &here, how, lost_page).await?;
        if there.state == PageState::Refused && !whole {
            self.refuse(&here, held.epoch, error).await?;
        }
        self.sources.insert(there.source, held);
        Ok(())
    }

    /// Does with a page what was done with it then.
    async fn load(
        &mut self,
        mut memory: Memory,
        run: &Run,
        parts: LoadParts,
        page: &RawPage,
        how: How,
        lost_page: bool,
    ) -> Result<Memory, EngineError> {
        let watch = Watch::new(run, broadcast::channel(1).0);
        let (page_id, page, from) = (page.page_id, page.clone(), Arc::clone(&self.from));
        let loading = tokio::task::spawn_blocking(move || {
            let open = || StoredBody::open(Arc::clone(&from), page.body);
            let mut loader = Loader::new(parts.clone(), &mut memory, &watch);
            if lost_page {
                loader.sweeps_nothing();
            }
            match how {
                How::Whole => loader.load(&page, &open)?,
                How::Until(until) => loader.load_until(&page, &open, until)?,
                How::Refused(error) if by_rules(&error) && !page.context.is_null() => {
                    loader.refuse_as_then(&page, &open, error)?;
                }
                How::Refused(error) => {
                    let head = stored_body::head(Arc::clone(&from), page.body);
                    let head = head.map_err(|error| spool_failed(&error))?;
                    let examined = error_page::examined(&page, &head);
                    let refusal = parts.store.refuse(page.page_id, parts.epoch, error, examined);
                    Handle::current().block_on(refusal).map_err(|error| store_failed(&error))?;
                }
            }
            Ok::<_, PageError>((memory, watch.counts().received))
        });
        let loaded = loading.await.unwrap_or_else(|_| Err(lost()));
        let (memory, rows) = loaded.map_err(|error| unreadable(page_id, &error))?;
        self.summary.rows += rows;
        Ok(memory)
    }

    async fn refuse(
        &self,
        page: &RawPage,
        epoch: u64,
        error: Option<RunError>,
    ) -> Result<(), EngineError> {
        let lost = || StoreError::Corrupt("a refused page has no reason".to_owned());
        Ok(self.into.refuse(page.page_id, epoch, error.ok_or_else(lost)?, None).await?)
    }

    /// Lands a page of the other store in this one.
    async fn copy(&self, there: &RawPage, epoch: u64) -> Result<RawPage, EngineError> {
        let damaged = |error: std::io::Error| {
            StoreError::Corrupt(format!("the body of page {}: {error}", there.page_id))
        };
        let (from, spool_dir) = (Arc::clone(&self.from), self.spool_dir.to_path_buf());
        let body = stored_body::spooled(from, there.body, spool_dir).await.map_err(damaged)?;
        let compressed: CompressedBody = body.compressed().map_err(damaged)?;
        let page = NewPage {
            source: there.source.clone(),
            epoch,
            run_id: there.run_id,
            sequence: there.sequence,
            request: there.request.clone(),
            context: there.context.clone(),
            http_status: there.http_status,
            headers: there.headers.clone(),
            fetched_at: there.fetched_at,
        };
        Ok(self.into.land(page, compressed).await?)
    }

    async fn decide(&mut self, decision: &Decision) -> Result<(), EngineError> {
        self.summary.decisions += 1;
        let mut pages = RowsByPage::new();
        for row in &decision.rows {
            let gone = || {
                let (number, page) = (decision.decision_id.0, row.page_id);
                StoreError::Corrupt(format!(
                    "decision {number} is about page {page}, which is gone"
                ))
            };
            let page_id = *self.page_ids.get(&row.page_id).ok_or_else(gone)?;
            pages.entry(page_id).or_default().insert(row.ordinal);
        }
        match (decision.kind, decision.run_id) {
            (DecisionKind::Discard, _) => self.discard(decision, &pages).await,
            (DecisionKind::Retry, Some(run_id)) => self.retry(decision, run_id, pages).await,
            (DecisionKind::Reopen, Some(run_id)) => self.reopen(decision, run_id).await,
            (DecisionKind::AcceptDrift, _) => self.accept(decision).await,
            (kind, _) if kind.identity_verdict().is_some() => self.decide_identity(decision).await,
            _ => {
                let what = format!("decision {} has no run", decision.decision_id.0);
                Err(StoreError::Corrupt(what).into())
            }
        }
    }

    async fn discard(&self, decision: &Decision, pages: &RowsByPage) -> Result<(), EngineError> {
        let filter = QuarantineFilter {
            sources: vec![decision.source.clone()],
            ..QuarantineFilter::default()
        };
        let rows = self.into.quarantined(filter).await?.into_iter();
        let meant = rows.filter(|row| {
            pages.get(&row.page_id).is_some_and(|ordinals| ordinals.contains(&row.ordinal))
        });
        let numbers = meant.map(|row| row.quarantine_id).collect();
        let Decision { who, why, decided_at, .. } = decision;
        self.into.discard(numbers, who, why, *decided_at).await?;
        Ok(())
    }

    async fn accept(&self, decision: &Decision) -> Result<(), EngineError> {
        let filter =
            DriftFilter { sources: vec![decision.source.clone()], ..DriftFilter::default() };
        let rows = self.into.drift(filter).await?.into_iter();
        let meant = rows.filter(|row| decision.drift.contains(&row.event.key));
        let numbers = meant.map(|row| row.drift_id).collect();
        let Decision { who, why, decided_at, .. } = decision;
        self.into.accept_drift(numbers, who, why, *decided_at).await?;
        Ok(())
    }

    async fn decide_identity(&self, decision: &Decision) -> Result<(), EngineError> {
        let Decision { kind, source, pairs, relation, who, why, decided_at, .. } = decision.clone();
        let decision = IdentityDecision { kind, source, pairs, relation, who, why, decided_at };
        self.into.decide_identity(decision).await?;
        Ok(())
    }

    async fn reopen(&mut self, decision: &Decision, run_id: RunId) -> Result<(), EngineError> {
        let gone = || {
            let number = decision.decision_id.0;
            StoreError::Corrupt(format!("decision {number} is about a page that is gone"))
        };
        let there = decision.rows.first().map(|row| row.page_id).ok_or_else(gone)?;
        let here = *self.page_ids.get(&there).ok_or_else(gone)?;
        let there = self.from.page(there).await?.ok_or_else(gone)?;
        let (mut held, run, parts) = self.hold(&decision.source, run_id).await?;
        let Decision { who, why, forced, decided_at, .. } = decision.clone();
        let reopening = Reopening { who, why, forced, run_id, decided_at };
        let page = self.into.reopen(here, held.epoch, reopening).await?;
        let left = self.reopenings.get_mut(&there.page_id).map_or(0, |left| {
            *left = left.saturating_sub(1);
            *left
        });
        // Only the last decision about a page can have led to its being loaded.
        let how = match there.state {
            PageState::Refused => How::Refused(refused_then()),
            _ if left > 0 => How::Refused(refused_then()),
            _ => How::of(&there),
        };
        held.memory.read_again();
        held.memory = self.load(held.memory, &run, parts, &page, how, true).await?;
        self.sources.insert(decision.source.clone(), held);
        Ok(())
    }

    async fn retry(
        &mut self,
        decision: &Decision,
        run_id: RunId,
        pages: RowsByPage,
    ) -> Result<(), EngineError> {
        let (mut held, run, parts) = self.hold(&decision.source, run_id).await?;
        let watch = Watch::new(&run, broadcast::channel(1).0);
        let reason = RetryReason { who: decision.who.clone(), why: decision.why.clone() };
        let mut memory = held.memory;
        let reading = tokio::task::spawn_blocking(move || {
            read_again(&parts, &mut memory, &watch, pages, &reason, &CancellationToken::new())?;
            Ok::<_, PageError>((memory, watch.counts().received))
        });
        let read = reading.await.unwrap_or_else(|_| Err(lost()));
        let number = decision.decision_id.0;
        let (memory, rows) = read
            .map_err(|error| EngineError::Setup(format!("decision {number}: {}", error.message)))?;
        held.memory = memory;
        self.summary.rows += rows;
        self.sources.insert(decision.source.clone(), held);
        Ok(())
    }

    async fn finish(mut self) -> Result<ReplaySummary, EngineError> {
        for (source, held) in std::mem::take(&mut self.sources) {
            if let Some((run, _)) = held.run {
                self.end(&run, held.epoch).await?;
            }
            self.into.release(&source, held.epoch).await?;
        }
        // Alerts were raised then.
        let stage = IdentityStage::new(Arc::clone(&self.into), Arc::clone(&self.clock), false);
        stage.resolve().await?;
        Ok(self.summary)
    }
}
