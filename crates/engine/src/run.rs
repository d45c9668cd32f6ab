//! One run of one source: ask, land, load, and say what came of it.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{RawPage, Run, RunCounts, RunError, RunId, RunReason, RunStatus, Timestamp};
use kasparro_extract::frame::{self, CsvChunks};
use kasparro_extract::{
    Framing, HttpRequest, Next, PageError, PageSummary, Remedy, Request, RunStart, Target,
};
use kasparro_store::{RunUpdate, StoreError};
use serde_json::Value;
use tokio::sync::{OwnedMutexGuard, mpsc};
use tokio::task::block_in_place;

use crate::body::{Body, BodyWriter};
use crate::fetch::{Fetched, LONGEST_WAIT};
use crate::land::{Arrival, Landed, Lander, PageContext, STORE_FAILED, spool_failed, store_failed};
use crate::load::Loader;
use crate::memory::Memory;
use crate::progress::Watch;
use crate::slot::Slot;
use crate::{Engine, EngineError, files};

/// Landed pages that wait for the loader: one being loaded, one behind it.
const LANDED_AHEAD: usize = 1;

/// Longest piece in which a delimited text is landed, in bytes.
const CSV_CHUNK_BYTES: usize = 8 << 20;

/// Requests of one run, whatever the source says: an end to a source that never says `Done`.
const MAX_PAGES: u64 = 10_000;

/// The code of an answer without a row.
const EMPTY: &str = "empty_answer";

/// The code of a run that ended because its process was asked to.
const STOPPED: &str = "stopped";

/// The part of a run that works on another thread ended without an answer.
pub(crate) fn lost() -> PageError {
    PageError::stop(
        "internal",
        "a part of the run ended unexpectedly",
        "please report this as a defect",
    )
}

impl Engine {
    /// Runs a source once; where it has an open run already, that run is carried out or waited for.
    pub(crate) async fn run_slot(
        self: &Arc<Self>,
        slot: Arc<Slot>,
        run_id: RunId,
        reason: RunReason,
    ) -> Result<Run, EngineError> {
        // A run that was asked for by another process has its row already.
        let queued = match self.store.run(run_id).await? {
            Some(run) => run,
            None => self.store.queue_run(run_id, &slot.name, reason, self.clock.now()).await?,
        };
        let _running = slot.running.lock().await;
        // While the lock was waited for, somebody else may have carried the run out.
        let mut run = self.stored_run(queued.run_id).await?;
        if run.status == RunStatus::Running {
            // Whoever carried it out held the lock, so its end could not be recorded.
            tracing::warn!(source = %slot.name, run_id = %run.run_id, "closing a run without an end");
            self.abandon(&run).await?;
            let next = RunId(uuid::Uuid::now_v7());
            run = self.store.queue_run(next, &slot.name, reason, self.clock.now()).await?;
        }
        if run.status != RunStatus::Queued {
            return Ok(run);
        }
        self.carry_out(&slot, run).await
    }

    pub(crate) async fn stored_run(&self, run_id: RunId) -> Result<Run, EngineError> {
        let run = self.store.run(run_id).await?;
        run.ok_or_else(|| StoreError::Corrupt(format!("run {run_id} is gone")).into())
    }

    /// The memory of a source, read from the store where it is not at hand.
    pub(crate) async fn memory(
        &self,
        slot: &Slot,
    ) -> Result<OwnedMutexGuard<Option<Memory>>, StoreError> {
        let mut memory = Arc::clone(&slot.memory).lock_owned().await;
        if memory.is_none() {
            *memory = Some(Memory::new(self.store.memory(&slot.name).await?, rand::random()));
        }
        Ok(memory)
    }

    async fn carry_out(self: &Arc<Self>, slot: &Arc<Slot>, run: Run) -> Result<Run, EngineError> {
        let started_at = self.clock.now();
        self.store.update_run(run.run_id, RunUpdate::Started { at: started_at }).await?;
        let watch = Arc::new(Watch::new(&run, self.progress.clone()));
        watch.show(RunStatus::Running, None);
        let outcome = match self.memory(slot).await {
            Ok(memory) => self.move_forward(slot, &run, memory, started_at, &watch).await,
            Err(error) => Err(store_failed(&error)),
        };
        let counts = watch.counts();
        let received = counts.received;
        let (status, error) = judge_outcome(outcome, &counts, self.stopping.is_cancelled());
        let ended = RunUpdate::Ended {
            at: self.clock.now(),
            status,
            requests: watch.requests(),
            error: error.clone(),
        };
        self.store.update_run(run.run_id, ended).await?;
        watch.show(status, None);
        let source = slot.name.to_string();
        metrics::counter!("kasparro_runs_total", "source" => source, "status" => status.name())
            .increment(1);
        match &error {
            None => {
                tracing::info!(source = %slot.name, run_id = %run.run_id, received, "run ended: {status}")
            }
            Some(error) => tracing::warn!(
                source = %slot.name, run_id = %run.run_id, received, code = %error.code,
                hint = %error.hint, "run ended: {status}: {}", error.message
            ),
        }
        self.stored_run(run.run_id).await
    }

    /// Fetches and lands pages while a second task loads them.
    async fn move_forward(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        run: &Run,
        mut memory: OwnedMutexGuard<Option<Memory>>,
        started_at: Timestamp,
        watch: &Arc<Watch>,
    ) -> Result<(), PageError> {
        let checkpoint = memory.as_ref().and_then(|memory| memory.checkpoint.clone());
        let first = slot
            .settings
            .source
            .first(RunStart { checkpoint: checkpoint.as_ref(), now: started_at });
        let (sender, mut receiver) = mpsc::channel::<Landed>(LANDED_AHEAD);
        let (engine, loading, told) = (Arc::clone(self), Arc::clone(slot), Arc::clone(watch));
        let loader = tokio::task::spawn_blocking(move || {
            // Taken out, so that a failure leaves nothing behind and the store is read again.
            let mut held = memory.take().ok_or_else(lost)?;
            held.begin_run();
            let mut loader = Loader::new(&engine, &loading, &mut held, &told);
            while let Some(landed) = receiver.blocking_recv() {
                loader.take_in(&landed)?;
            }
            *memory = Some(held);
            Ok(())
        });
        let lander = Lander {
            store: self.store.as_ref(),
            source: slot.name.clone(),
            run_id: run.run_id,
            landed: sender,
            watch,
            pages: 0,
        };
        let fetched = self.fetch_all(slot, first, lander, watch, started_at).await;
        let loaded = loader.await.unwrap_or_else(|_| Err(lost()));
        // What the loader met explains a fetch that found its channel closed.
        loaded.and(fetched)
    }

    async fn fetch_all(
        &self,
        slot: &Slot,
        first: Next,
        mut lander: Lander<'_>,
        watch: &Watch,
        started_at: Timestamp,
    ) -> Result<(), PageError> {
        let source = slot.settings.source.as_ref();
        let mut next = first;
        let first = source.first(RunStart { checkpoint: None, now: started_at });
        let mut asked = 0_u64;
        let mut first_failure = None;
        while let Next::Ask(request) = next {
            if self.stopping.is_cancelled() {
                return Err(stopped());
            }
            if asked >= MAX_PAGES {
                let message = format!("the source asked for more than {MAX_PAGES} pages");
                return Err(PageError::stop(
                    "too_many_pages",
                    message,
                    "lower the configured depth",
                ));
            }
            asked += 1;
            let framing = source.framing(&request);
            let taken = match &request.target {
                Target::Http(http) if framing != Framing::Csv => {
                    self.take_page(slot, &request, http, &framing, asked, &mut lander, watch).await
                }
                _ => self.take_texts(slot, &request, asked, &mut lander, watch).await,
            };
            let rows = match taken {
                Ok(rows) => rows,
                Err(error) if error.code == EMPTY && asked == 1 && resumed(&first, &request) => {
                    // The run before ended just at the end of the list: this one begins anew.
                    next = source.first(RunStart { checkpoint: None, now: started_at });
                    asked = 0;
                    continue;
                }
                // Texts have nothing to do with each other: one that fails leaves the others.
                Err(error) if framing == Framing::Csv && !ends_the_run(&error) => {
                    first_failure.get_or_insert(error);
                    0
                }
                Err(error) => return Err(error),
            };
            next = source.next(&request, PageSummary { rows, pages: asked });
        }
        first_failure.map_or(Ok(()), Err)
    }

    /// Lands the delimited text, or the texts, of one request.
    async fn take_texts(
        &self,
        slot: &Slot,
        request: &Request,
        asked: u64,
        lander: &mut Lander<'_>,
        watch: &Watch,
    ) -> Result<u64, PageError> {
        match &request.target {
            Target::Files { pattern } => {
                self.take_files(slot, request, pattern, asked, lander).await
            }
            Target::Http(http) => {
                let fetched = self.fetch(slot, http, watch, |_| Ok(())).await?;
                let arrival = fetched.0.arrival.clone();
                let body = Arc::new(fetched.0.body);
                let open = move || {
                    body.open().and_then(files::gunzipped).map_err(|error| spool_failed(&error))
                };
                self.land_csv(slot, request, Some(asked), arrival, open, lander).await
            }
        }
    }

    /// Fetches one page, makes sure that it is whole, and lands it; returns its rows.
    async fn take_page(
        &self,
        slot: &Slot,
        request: &Request,
        http: &HttpRequest,
        framing: &Framing,
        pages: u64,
        lander: &mut Lander<'_>,
        watch: &Watch,
    ) -> Result<u64, PageError> {
        let last = self.last_loaded(slot, &request.describe()).await?;
        let check = |fetched: &Fetched| -> Result<(Value, u64), PageError> {
            // The same question and the same bytes: what was found in them then holds.
            let (survey, rows) = match last.as_ref().filter(|last| last.body == fetched.body.hash) {
                Some(last) => (PageContext::of(last)?.survey, last.rows_done),
                None => {
                    let open = || fetched.body.open().map_err(|error| spool_failed(&error));
                    let survey = slot.settings.source.survey(request, &mut open()?)?;
                    let rows = frame::check(framing, &survey, open()?);
                    (survey, rows.map_err(|error| error.to_page_error())?)
                }
            };
            if rows == 0 && pages == 1 { Err(empty()) } else { Ok((survey, rows)) }
        };
        let answer = self.fetch(slot, http, watch, check).await;
        let (fetched, (survey, rows)) = match answer {
            Ok(answer) => answer,
            Err(refused) => {
                if let Some(fetched) = refused.page {
                    let error = refused.error.to_run_error();
                    lander
                        .refuse(request.describe(), fetched.arrival, &fetched.body, error)
                        .await?;
                }
                return Err(refused.error);
            }
        };
        let summary = PageSummary { rows, pages };
        let position = slot.settings.source.position_after(request, summary);
        let context = PageContext { survey, framing: framing.clone(), position: Some(position) };
        let repeats = last.filter(|last| last.body == fetched.body.hash);
        lander.land(request.describe(), context, fetched.arrival, fetched.body, repeats).await?;
        Ok(rows)
    }

    async fn last_loaded(
        &self,
        slot: &Slot,
        request: &Value,
    ) -> Result<Option<RawPage>, PageError> {
        let last = self.store.last_loaded(&slot.name, request).await;
        last.map_err(|error| store_failed(&error))
    }

    /// Sends a request until an answer comes in whole and passes, or trying again is not worth it.
    async fn fetch<T>(
        &self,
        slot: &Slot,
        http: &HttpRequest,
        watch: &Watch,
        check: impl Fn(&Fetched) -> Result<T, PageError>,
    ) -> Result<(Fetched, T), Refused> {
        let mut attempt = 1;
        loop {
            let now = self.clock.now();
            if let Some(instant) = slot.not_before(now) {
                let wait = instant.since(now);
                if wait > LONGEST_WAIT {
                    let message = format!("the upstream asked not to be asked before {instant}");
                    let hint = "the schedule asks again after that";
                    return Err(PageError::retry("rate_limited", message, hint).into());
                }
                self.wait(wait, "because the upstream asked for it", watch).await?;
            }
            if let Some(pace) = &slot.pace {
                let wait = pace.reserve(tokio::time::Instant::now());
                self.wait(wait, "for the request limit", watch).await?;
            }
            watch.request_sent();
            let sent = tokio::select! {
                sent = self.fetcher.send(http, &self.spool_dir, self.clock.as_ref()) => sent,
                // An upstream that hangs must not hold up the end of the process.
                () = self.stopping.cancelled() => return Err(stopped().into()),
            };
            let refused = match sent {
                Err(error) => Refused { error, page: None },
                Ok(fetched) => {
                    let passed = slot
                        .settings
                        .source
                        .judge(fetched.answer())
                        .map_err(|error| (error, false))
                        // Reading a whole body is work, not waiting.
                        .and_then(|()| {
                            block_in_place(|| check(&fetched)).map_err(|error| (error, true))
                        });
                    match passed {
                        Ok(value) => return Ok((fetched, value)),
                        Err((error, whole)) => {
                            Refused { error, page: whole.then(|| Box::new(fetched)) }
                        }
                    }
                }
            };
            if let Remedy::Retry { after: Some(after) } = refused.error.remedy {
                slot.ask_not_before(self.clock.now().plus(after));
            }
            let Some(wait) = self.fetcher.wait_before_retry(&refused.error, attempt) else {
                return Err(refused);
            };
            tracing::info!(source = %slot.name, attempt, error = %refused.error, "trying again");
            self.wait(wait, "before trying again", watch).await?;
            attempt += 1;
        }
    }

    async fn wait(&self, wait: Duration, what: &str, watch: &Watch) -> Result<(), PageError> {
        if wait.is_zero() {
            return Ok(());
        }
        let seconds = wait.as_secs().max(1);
        watch.show(RunStatus::Running, Some(format!("waiting {seconds} s {what}")));
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.stopping.cancelled() => Err(stopped()),
        }
    }

    async fn take_files(
        &self,
        slot: &Slot,
        request: &Request,
        pattern: &str,
        asked: u64,
        lander: &mut Lander<'_>,
    ) -> Result<u64, PageError> {
        let paths = files::expand(pattern)?;
        let last = paths.len() - 1;
        let mut rows = 0;
        let mut first_failure = None;
        for (index, path) in paths.into_iter().enumerate() {
            let name = path.display().to_string();
            let target = Target::Files { pattern: name.clone() };
            let one = Request { endpoint: request.endpoint, target };
            let headers = Value::Object(serde_json::Map::new());
            let fetched_at = self.clock.now();
            let arrival = Arrival { http_status: None, headers, fetched_at };
            let position_for = (index == last).then_some(asked);
            let open = move || files::open(&path);
            match self.land_csv(slot, &one, position_for, arrival, open, lander).await {
                Ok(landed) => rows += landed,
                Err(error) if ends_the_run(&error) => return Err(error),
                Err(mut error) => {
                    if !error.message.contains(&name) {
                        error.message = format!("{name}: {}", error.message);
                    }
                    first_failure.get_or_insert(error);
                }
            }
        }
        first_failure.map_or(Ok(rows), Err)
    }

    /// Cuts a delimited text into chunks and lands each; the last one carries the position that page
    /// number `position_for` reaches. Returns the rows.
    async fn land_csv(
        &self,
        slot: &Slot,
        request: &Request,
        position_for: Option<u64>,
        arrival: Arrival,
        open: impl Fn() -> Result<Box<dyn Read + Send>, PageError>,
        lander: &mut Lander<'_>,
    ) -> Result<u64, PageError> {
        let source = slot.settings.source.as_ref();
        let survey = block_in_place(|| source.survey(request, &mut open()?))?;
        let mut chunks = CsvChunks::new(open()?, CSV_CHUNK_BYTES);
        let mut next_chunk =
            || block_in_place(|| chunks.next_chunk().map_err(|error| error.to_page_error()));
        let mut current = next_chunk()?;
        let (mut rows, mut number) = (0, 0_u64);
        while let Some(chunk) = current {
            if self.stopping.is_cancelled() {
                return Err(stopped());
            }
            let following = next_chunk()?;
            let survey = of_chunk(&survey, number);
            let check = || frame::check(&Framing::Csv, &survey, chunk.as_slice());
            rows += block_in_place(check).map_err(|error| error.to_page_error())?;
            let position = position_for
                .filter(|_| following.is_none())
                .map(|pages| source.position_after(request, PageSummary { rows, pages }));
            let body = block_in_place(|| whole(&chunk, &self.spool_dir))
                .map_err(|error| spool_failed(&error))?;
            let mut described = request.describe();
            if let Some(described) = described.as_object_mut() {
                described.insert("chunk".to_owned(), number.into());
            }
            if rows == 0 && following.is_none() {
                lander.refuse(described, arrival, &body, empty().to_run_error()).await?;
                return Err(empty());
            }
            // Equal bytes mean the same only under the same header and the same repeated keys.
            let repeats = self.last_loaded(slot, &described).await?.filter(|last| {
                last.body == body.hash
                    && PageContext::of(last).is_ok_and(|context| context.survey == survey)
            });
            let context = PageContext { survey, framing: Framing::Csv, position };
            lander.land(described, context, arrival.clone(), body, repeats).await?;
            current = following;
            number += 1;
        }
        Ok(rows)
    }
}

/// Why an answer was not taken, with the answer itself where it came in whole.
struct Refused {
    error: PageError,
    page: Option<Box<Fetched>>,
}

impl From<PageError> for Refused {
    fn from(error: PageError) -> Self {
        Self { error, page: None }
    }
}

impl From<Refused> for PageError {
    fn from(refused: Refused) -> Self {
        refused.error
    }
}

/// True where a run began elsewhere than a run without a checkpoint would.
fn resumed(whole: &Next, first: &Request) -> bool {
    matches!(whole, Next::Ask(whole) if whole.describe() != first.describe())
}

/// True for what ends a run whatever else it could still ask for.
fn ends_the_run(error: &PageError) -> bool {
    [STORE_FAILED, STOPPED].contains(&error.code)
}

fn empty() -> PageError {
    let hint = "an empty answer is no proof that nothing exists; the schedule asks again";
    PageError::stop(EMPTY, "there is not a single row", hint)
}

fn stopped() -> PageError {
    let hint = "what was committed is kept; the next run goes on from there";
    PageError::stop(STOPPED, "the process was asked to stop", hint)
}

/// The survey of a whole text, for its chunk number `number`: only the first holds the header.
fn of_chunk(survey: &Value, number: u64) -> Value {
    let mut survey = survey.clone();
    if let Some(survey) = survey.as_object_mut() {
        survey.insert("chunk".to_owned(), number.into());
        survey.insert("first".to_owned(), (number == 0).into());
    }
    survey
}

fn whole(bytes: &[u8], spool_dir: &Path) -> std::io::Result<Body> {
    let mut writer = BodyWriter::new(spool_dir)?;
    writer.write(bytes)?;
    writer.finish()
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
