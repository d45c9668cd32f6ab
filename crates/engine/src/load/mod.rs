//! From a landed page to committed batches.

mod batch;
pub(crate) mod error_page;
mod examine;
mod judge;
mod prices;
mod rows;

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

use kasparro_domain::{Clock, RawPage, RunCounts, RunError, RunId, SourceName};
use kasparro_extract::{PageError, Source};
use kasparro_faults::crash_point;
use kasparro_store::{Store, Sweep};
use serde_json::Value;
use tokio::runtime::Handle;

use batch::Pending;
pub use examine::PageRules;
pub(crate) use examine::{DRIFT, Judging, Open, TOO_FEW_ROWS, TOO_MANY_BAD_ROWS};
use examine::{Examination, believable};
use rows::{PageRows, RetriedRows};

use crate::land::{Landed, PageContext, spool_failed, store_failed};
use crate::memory::Memory;
use crate::progress::Watch;
use crate::stored_body::StoredBody;

/// Most rows of one transaction: larger ones gain nothing more and hold memory.
const BATCH_ROWS: usize = 5_000;

/// Whose pages are loaded, and where to.
#[derive(Clone)]
pub(crate) struct LoadParts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The source as it was configured for the run whose pages are loaded.
    pub(crate) source: Arc<dyn Source>,
    pub(crate) name: SourceName,
    /// The epoch under which this process holds the source.
    pub(crate) epoch: u64,
    /// Who decides whether a page is believed as a whole.
    pub(crate) judging: Judging,
}

/// Who had quarantined rows read again, and why.
#[derive(Debug, Clone)]
pub(crate) struct RetryReason {
    pub(crate) who: String,
    pub(crate) why: String,
}

/// Loads pages of one run, on a thread that may block.
pub(crate) struct Loader<'a> {
    parts: LoadParts,
    memory: &'a mut Memory,
    /// Told of each committed batch.
    watch: &'a Watch,
    /// Pages of this run whose rows were accounted for without being read.
    unread: Vec<RawPage>,
    /// The run whose pages all pages of this run repeat, and how many they are; `None` once a page
    /// brought something else.
    repeats: Option<(Option<RunId>, u64)>,
    /// False where a page of the run was lost.
    sweeps: bool,
    /// Why pages were refused after they were landed.
    refusals: Vec<PageError>,
    /// Listings of the page whose history was read.
    looked_up: u32,
}

impl<'a> Loader<'a> {
    pub(crate) fn new(parts: LoadParts, memory: &'a mut Memory, watch: &'a Watch) -> Self {
        Self {
            parts,
            memory,
            watch,
            unread: Vec::new(),
            repeats: Some((None, 0)),
            sweeps: true,
            refusals: Vec::new(),
            looked_up: 0,
        }
    }

    /// Notes the pages of the run that were loaded by a process that died.
    pub(crate) fn resume_behind(&mut self, loaded: Vec<RawPage>) {
        self.repeats = None;
        self.unread = loaded;
    }

    /// Tells that a page of the run was refused after it was landed: no page completes a sweep.
    pub(crate) const fn sweeps_nothing(&mut self) {
        self.sweeps = false;
    }

    /// Loads a page that was just landed. Where its bytes are those of the page before and nothing was
    /// written since, every row says what is known, and none of them is read.
    pub(crate) fn take_in(&mut self, landed: &Landed) -> Result<(), PageError> {
        crash_point!("load.begin");
        if let Some(last) = landed.repeats.as_ref().filter(|_| !self.memory.misses_any()) {
            let settled = Handle::current().block_on(self.parts.store.settled(last.page_id));
            // A refused row may be believed today: an instant that lay in the future has passed.
            let known = settled.map_err(|error| store_failed(&error))?;
            if let Some(counts) = known.filter(|counts| counts.quarantined == 0) {
                return self.take_as_known(&landed.page, last, &counts);
            }
        }
        // Just fetched: no newer page can have been loaded.
        self.load_rows(&landed.page, &|| landed.body.open(), u64::MAX, false)
    }

    fn take_as_known(
        &mut self,
        page: &RawPage,
        last: &RawPage,
        counts: &RunCounts,
    ) -> Result<(), PageError> {
        let context = PageContext::of(page)?;
        self.repeats = match self.repeats {
            Some((None, 0)) => Some((Some(last.run_id), 1)),
            Some((Some(run_id), pages)) if run_id == last.run_id => Some((Some(run_id), pages + 1)),
            _ => None,
        };
        self.unread.push(page.clone());
        let sweep = match context.completes_sweep {
            true => self.end_sweep(page)?,
            false => None,
        };
        let known = Pending {
            unchanged: counts.received - counts.duplicate,
            duplicate: counts.duplicate,
            rows_done: counts.received,
            sweep,
            examined: self.seen_again(page)?,
            ..Pending::default()
        };
        self.commit(page, known, Some(context.position.as_ref()), None)
    }

    /// Ends a complete sweep with `page`, whose rows have been judged or stand among the unread.
    ///
    /// There is none where most rows do not tell what they are about: their layout has changed, and nobody
    /// knows who is missing.
    fn end_sweep(&mut self, page: &RawPage) -> Result<Option<Sweep>, PageError> {
        let same_pages = self.repeats.is_some_and(|(run_id, pages)| {
            run_id.is_some_and(|run_id| self.memory.last_sweep == Some((run_id, pages)))
        });
        let pages = self.repeats.map_or(0, |(_, pages)| pages);
        let missing = if same_pages {
            // Nobody is missing, or the pages would have been read.
            Vec::new()
        } else {
            self.note_unread()?;
            if !self.memory.names_most() {
                return Ok(None);
            }
            self.memory.end_sweep()
        };
        // Pages that were read are not counted, so only a run of nothing but repetitions can follow.
        self.memory.last_sweep = self.repeats.is_some().then_some((page.run_id, pages));
        Ok(Some(Sweep { missing }))
    }

    /// Notes the rows of the pages that were not read, so that repetitions of them on the page that
    /// comes now are recognised.
    fn note_unread(&mut self) -> Result<(), PageError> {
        for mut page in std::mem::take(&mut self.unread) {
            let body = StoredBody::open(Arc::clone(&self.parts.store), page.body)
                .map_err(|error| spool_failed(&error))?;
            page.rows_done = u64::MAX;
            let context = PageContext::of(&page)?;
            self.read_rows(&PageRows::of(&page, &context), body, u64::MAX)?;
        }
        Ok(())
    }

    /// Loads the rows of a page of earlier that are not committed yet.
    pub(crate) fn load(&mut self, page: &RawPage, open: Open<'_>) -> Result<(), PageError> {
        self.load_until(page, open, u64::MAX)
    }

    /// Loads the rows of a page of earlier in front of ordinal `until`; only a page that is loaded to its
    /// end becomes `loaded`.
    pub(crate) fn load_until(
        &mut self,
        page: &RawPage,
        open: Open<'_>,
        until: u64,
    ) -> Result<(), PageError> {
        let late = self.overtaken(page)?;
        self.load_rows(page, open, until, late)
    }

    fn load_rows(
        &mut self,
        page: &RawPage,
        open: Open<'_>,
        until: u64,
        late: bool,
    ) -> Result<(), PageError> {
        self.repeats = None;
        // What is read now may make a listing known that the pages of the last sweep do not name.
        self.memory.last_sweep = None;
        self.note_unread()?;
        let context = PageContext::of(page)?;
        let rows = PageRows { late, ..PageRows::of(page, &context) };
        let body = || open().map_err(|error| spool_failed(&error));
        if until < u64::MAX {
            let pending = self.read_rows(&rows, body()?, until)?;
            return self.commit(page, pending, None, None);
        }
        let found = self.examine(&rows, &context, open)?;
        let objection = match &found {
            Some(found) => self.objection(found)?,
            None => None,
        };
        if let Some(objection) = objection {
            return self.refuse_page(page, objection, found);
        }
        let rules = match self.parts.judging {
            Judging::Rules(rules) if page.rows_done == 0 => Some(rules),
            _ => None,
        };
        let fine = |rules: &PageRules| found.as_ref().is_some_and(|found| found.rows.fine(*rules));
        if let Some(rules) = rules.filter(|rules| context.rows > BATCH_ROWS as u64 && !fine(rules))
        {
            // Some of its rows would be committed before the last is read.
            let (bad, received) = self.count_bad(&rows, body()?)?;
            if let Some(objection) = rules.too_many_bad(bad, received) {
                return self.refuse_page(page, objection, found);
            }
        }
        let mut pending = self.read_rows(&rows, body()?, until)?;
        if let Some(rules) = rules.filter(|_| pending.rows_done <= BATCH_ROWS as u64)
            && let Some(objection) =
                rules.too_many_bad(pending.quarantined.len() as u64, pending.rows_done)
        {
            self.refuse_page(page, objection, found)?;
            return self.begin_anew();
        }
        pending.examined = found.map(|found| self.learn(found));
        if context.completes_sweep && self.sweeps {
            pending.sweep = self.end_sweep(page)?;
        }
        self.commit(page, pending, Some(context.position.as_ref()), None)
    }

    /// True where a newer page of the same request was loaded before: this one was refused then.
    fn overtaken(&self, page: &RawPage) -> Result<bool, PageError> {
        let last = self.parts.store.last_loaded(&self.parts.name, &page.request);
        let last = Handle::current().block_on(last).map_err(|error| store_failed(&error))?;
        Ok(last.is_some_and(|last| last.page_id > page.page_id))
    }

    /// Refuses a page of which nothing was committed. The run goes on; its end says so.
    fn refuse_page(
        &mut self,
        page: &RawPage,
        objection: PageError,
        found: Option<Examination>,
    ) -> Result<(), PageError> {
        crash_point!("load.refuse");
        let examined = found.map(Examination::of_refused);
        self.watch.found(&self.parts.name, examined.as_ref());
        let error = objection.to_run_error();
        let refusal = self.parts.store.refuse(page.page_id, self.parts.epoch, error, examined);
        Handle::current().block_on(refusal).map_err(|error| store_failed(&error))?;
        tracing::warn!(source = %self.parts.name, page_id = %page.page_id, "a page was refused: {objection}");
        self.sweeps = false;
        self.refusals.push(objection);
        Ok(())
    }

    /// Refuses a page as it was refused then, with what examining it shows.
    pub(crate) fn refuse_as_then(
        &mut self,
        page: &RawPage,
        open: Open<'_>,
        error: RunError,
    ) -> Result<(), PageError> {
        let context = PageContext::of(page)?;
        let rows = PageRows::of(page, &context);
        let found = self.examine(&rows, &context, open)?;
        let examined = found.map(Examination::of_refused);
        let refusal = self.parts.store.refuse(page.page_id, self.parts.epoch, error, examined);
        Handle::current().block_on(refusal).map_err(|error| store_failed(&error))
    }

    /// Why pages of the run were refused, the first first.
    pub(crate) fn into_refusals(self) -> Vec<PageError> {
        self.refusals
    }

    /// Forgets rows that were judged and not committed.
    fn begin_anew(&mut self) -> Result<(), PageError> {
        let failed = |error| store_failed(&error);
        let handle = Handle::current();
        let known = handle.block_on(self.parts.store.memory(&self.parts.name)).map_err(failed)?;
        let epoch = self.memory.epoch;
        *self.memory = Memory::new(known, rand::random());
        self.memory.epoch = epoch;
        self.memory.begin_run();
        let run_id = self.watch.run_id();
        let loaded = handle.block_on(self.parts.store.loaded_pages(run_id)).map_err(failed)?;
        self.resume_behind(loaded);
        Ok(())
    }

    /// How many rows of a page are bad, and how many there are.
    fn count_bad(
        &self,
        rows: &PageRows<'_>,
        body: Box<dyn Read + Send>,
    ) -> Result<(u64, u64), PageError> {
        let (mut bad, mut received) = (0, 0);
        rows.each(self.parts.source.as_ref(), body, |reader, cut| {
            received += 1;
            let good = cut.row.is_ok_and(|row| believable(reader.read(row), rows.page.fetched_at));
            bad += u64::from(!good);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((bad, received))
    }

    /// Reads rows of a loaded page again, given what a survey of today notes about it.
    pub(crate) fn load_again(
        &mut self,
        page: &RawPage,
        survey: &Value,
        body: Box<dyn Read + Send>,
        ordinals: &BTreeSet<u64>,
        late: bool,
        reason: &RetryReason,
    ) -> Result<(), PageError> {
        let retried = RetriedRows { ordinals, reason };
        let PageContext { framing, .. } = PageContext::of(page)?;
        let rows = PageRows::surveyed(page, &framing, survey);
        let rows = PageRows { late, retried: Some(&retried), ..rows };
        let until = ordinals.last().map_or(0, |last| last + 1);
        let pending = self.read_rows(&rows, body, until)?;
        self.commit(page, pending, None, Some(reason))
    }
}
