//! From a landed page to committed batches.

use std::io::Read;
use std::sync::Arc;

use compact_str::CompactString;
use kasparro_domain::{Checkpoint, Clock, RawPage, RunCounts, Timestamp};
use kasparro_extract::frame::RowCutter;
use kasparro_extract::{PageError, PageMeta, RowReader};
use kasparro_store::{Batch, BatchRow, QuarantinedRow, RowChange, Store};
use kasparro_transform::{believe, membership};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::Engine;
use crate::land::{Landed, PageContext, spool_failed, store_failed};
use crate::memory::{Memory, Verdict, meaning, raw_hash};
use crate::progress::Watch;
use crate::slot::Slot;
use crate::stored_body::StoredBody;

/// Most rows of one transaction: larger ones gain nothing more and hold memory.
const BATCH_ROWS: usize = 5_000;

/// Name and version of the reading of rows, recorded with every row that it refuses.
const READ_RULE: &str = "read/1";

/// Loads pages of one run, on a thread that may block.
pub(crate) struct Loader<'a> {
    slot: &'a Slot,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    memory: &'a mut Memory,
    /// Told of each committed batch.
    watch: &'a Watch,
    /// Pages of this run whose rows were accounted for without being read.
    unread: Vec<RawPage>,
}

/// One row as it was cut.
#[derive(Clone, Copy)]
struct RawRow<'a> {
    bytes: &'a [u8],
    ordinal: u64,
    /// What the page's survey says its bytes mean.
    meaning: u64,
}

/// The batch being built.
#[derive(Default)]
struct Pending {
    rows: Vec<BatchRow>,
    quarantined: Vec<QuarantinedRow>,
    unchanged: u64,
    duplicate: u64,
    rows_done: u64,
}

impl Pending {
    fn len(&self) -> usize {
        self.rows.len() + self.quarantined.len()
    }
}

impl<'a> Loader<'a> {
    pub(crate) fn new(
        engine: &Engine,
        slot: &'a Slot,
        memory: &'a mut Memory,
        watch: &'a Watch,
    ) -> Self {
        let (store, clock) = (Arc::clone(&engine.store), Arc::clone(&engine.clock));
        Self { slot, store, clock, memory, watch, unread: Vec::new() }
    }

    /// Notes the pages of the run that were loaded by a process that died.
    pub(crate) fn resume_behind(&mut self, loaded: Vec<RawPage>) {
        self.unread = loaded;
    }

    /// Loads a page that was just landed. Where its bytes are those of the page before and nothing was
    /// written since, every row says what is known, and none of them is read.
    pub(crate) fn take_in(&mut self, landed: &Landed) -> Result<(), PageError> {
        if let Some(last) = &landed.repeats {
            let settled = Handle::current().block_on(self.store.settled(last.page_id));
            // A refused row may be believed today: an instant that lay in the future has passed.
            let known = settled.map_err(|error| store_failed(&error))?;
            if let Some(counts) = known.filter(|counts| counts.quarantined == 0) {
                return self.take_as_known(&landed.page, &counts);
            }
        }
        self.load(&landed.page, landed.body.open().map_err(|error| spool_failed(&error))?)
    }

    fn take_as_known(&mut self, page: &RawPage, counts: &RunCounts) -> Result<(), PageError> {
        let known = Pending {
            unchanged: counts.received - counts.duplicate,
            duplicate: counts.duplicate,
            rows_done: counts.received,
            ..Pending::default()
        };
        let position = PageContext::of(page)?.position;
        self.commit(page, known, Some(position.as_ref()))?;
        self.unread.push(page.clone());
        Ok(())
    }

    /// Notes the rows of the pages that were not read, so that repetitions of them on the page that
    /// comes now are recognised.
    fn note_unread(&mut self) -> Result<(), PageError> {
        for mut page in std::mem::take(&mut self.unread) {
            let body = StoredBody::open(Arc::clone(&self.store), page.body)
                .map_err(|error| spool_failed(&error))?;
            page.rows_done = u64::MAX;
            self.read_rows(&page, body)?;
        }
        Ok(())
    }

    /// Loads the rows of a page that are not committed yet.
    pub(crate) fn load(
        &mut self,
        page: &RawPage,
        body: Box<dyn Read + Send>,
    ) -> Result<(), PageError> {
        self.note_unread()?;
        let pending = self.read_rows(page, body)?;
        let position = PageContext::of(page)?.position;
        self.commit(page, pending, Some(position.as_ref()))
    }

    /// Reads every row of a page and commits full batches; what is left over is returned.
    fn read_rows(
        &mut self,
        page: &RawPage,
        body: Box<dyn Read + Send>,
    ) -> Result<Pending, PageError> {
        let PageContext { survey, framing, .. } = PageContext::of(page)?;
        let meta =
            PageMeta { request: &page.request, context: &survey, fetched_at: page.fetched_at };
        let source = Arc::clone(&self.slot.settings.source);
        let mut reader = source.reader(meta)?;
        let mut rows = RowCutter::new(&framing, &survey, body);
        let meaning = meaning(&survey);
        self.memory.begin_page(page.fetched_at);
        let mut pending = Pending { rows_done: page.rows_done, ..Pending::default() };
        loop {
            let cut = match rows.next_row() {
                Ok(Some(cut)) => cut,
                Ok(None) => break,
                Err(error) => return Err(error.to_page_error()),
            };
            if cut.ordinal < page.rows_done {
                if let Ok(row) = cut.row {
                    self.note_committed(reader.as_mut(), row, page.fetched_at);
                }
                continue;
            }
            match cut.row {
                Ok(row) => {
                    let row = RawRow { bytes: row, ordinal: cut.ordinal, meaning };
                    self.take(page, reader.as_mut(), row, &mut pending)?;
                }
                Err(rejection) => {
                    let refused =
                        QuarantinedRow { ordinal: cut.ordinal, rejection, rule: READ_RULE };
                    pending.quarantined.push(refused);
                }
            }
            pending.rows_done = cut.ordinal + 1;
            if pending.len() >= BATCH_ROWS {
                self.commit(page, std::mem::take(&mut pending), None)?;
                pending.rows_done = cut.ordinal + 1;
            }
        }
        Ok(pending)
    }

    /// A row whose disposition was committed before a crash: its repetitions must still be known.
    fn note_committed(&mut self, reader: &mut dyn RowReader, row: &[u8], fetched_at: Timestamp) {
        let believed = reader.read(row).and_then(|seen| believe(seen, fetched_at));
        if let Ok(believed) = believed {
            self.memory.note_seen(&believed);
        }
    }

    fn take(
        &mut self,
        page: &RawPage,
        reader: &mut dyn RowReader,
        row: RawRow<'_>,
        pending: &mut Pending,
    ) -> Result<(), PageError> {
        let ordinal = row.ordinal;
        let raw_hash = raw_hash(row.bytes, row.meaning);
        match self.memory.judge_bytes(raw_hash) {
            Some(Verdict::Duplicate) => {
                pending.duplicate += 1;
                return Ok(());
            }
            Some(_) => {
                pending.unchanged += 1;
                return Ok(());
            }
            None => {}
        }
        let observation = match reader.read(row.bytes) {
            Ok(observation) => observation,
            Err(rejection) => {
                pending.quarantined.push(QuarantinedRow { ordinal, rejection, rule: READ_RULE });
                return Ok(());
            }
        };
        let believed = match believe(observation, page.fetched_at) {
            Ok(believed) => believed,
            Err(rejection) => {
                let rule = kasparro_transform::RULE;
                pending.quarantined.push(QuarantinedRow { ordinal, rejection, rule });
                return Ok(());
            }
        };
        let membership = membership(&believed.observation);
        let mut verdict = self.memory.judge(&believed, raw_hash, membership);
        if verdict == Verdict::CommitFirst {
            self.commit(page, std::mem::take(pending), None)?;
            verdict = self.memory.judge(&believed, raw_hash, membership);
        }
        match verdict {
            Verdict::Unchanged => pending.unchanged += 1,
            Verdict::Duplicate => pending.duplicate += 1,
            Verdict::Write(change) => pending.rows.push(BatchRow {
                ordinal,
                change,
                external_id: believed.observation.external_id,
                attributes: believed.observation.attributes,
                quote: believed.observation.quote,
                observed_at: believed.observed_at,
                source_timed: believed.source_timed,
                raw_hash,
            }),
            Verdict::CommitFirst => {
                let hint = "please report this as a defect";
                return Err(PageError::stop("internal", "a committed listing has no id", hint));
            }
        }
        Ok(())
    }

    /// Commits a batch; `last` is given with the page's last one, holding the position it reaches.
    fn commit(
        &mut self,
        page: &RawPage,
        mut pending: Pending,
        last: Option<Option<&Value>>,
    ) -> Result<(), PageError> {
        // Ids are handed out in row order: by rank, so that a first page shows the big assets; known
        // listings follow by id, which writers of one database take in the same order.
        pending.rows.sort_by_key(|row| match row.change {
            RowChange::New { .. } => (0, i64::from(row.quote.rank.unwrap_or(u32::MAX))),
            RowChange::Newer { listing_id }
            | RowChange::Correction { listing_id }
            | RowChange::Late { listing_id } => (1, listing_id.0),
        });
        let new: Vec<CompactString> = pending
            .rows
            .iter()
            .filter(|row| matches!(row.change, RowChange::New { .. }))
            .map(|row| row.external_id.clone())
            .collect();
        let stored_at = self.clock.now();
        let position = last.flatten();
        let batch = Batch {
            source: self.slot.name.clone(),
            epoch: self.slot.epoch,
            run_id: page.run_id,
            page_id: page.page_id,
            fetched_at: page.fetched_at,
            sequence: self.memory.next_sequence,
            rows: pending.rows,
            quarantined: pending.quarantined,
            unchanged: pending.unchanged,
            duplicate: pending.duplicate,
            rows_done: pending.rows_done,
            page_done: last.is_some(),
            position: position.cloned(),
            stored_at,
        };
        let commit = self.store.commit(batch);
        let committed = Handle::current().block_on(commit).map_err(|error| store_failed(&error))?;
        self.memory.committed(&new, &committed.new_listings);
        if let Some(position) = position {
            self.memory.checkpoint =
                Some(Checkpoint { position: position.clone(), moved_at: page.fetched_at });
        }
        self.watch.batch_committed(&committed.counts);
        Ok(())
    }
}
