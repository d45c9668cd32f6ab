//! What becomes of each row.

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

use compact_str::CompactString;
use kasparro_domain::{Observation, Rejection, Statement};
use kasparro_extract::frame::CutRow;
use kasparro_extract::{PageError, RowReader};
use kasparro_store::{BatchRow, EvidenceRow, NewsRow, QuarantinedRow, evidence_hash, news_hash};
use kasparro_transform::{believe, believe_evidence, believe_news, membership};

use super::batch::Pending;
use super::rows::PageRows;
use super::{BATCH_ROWS, Loader};
use crate::memory::{Verdict, raw_hash};

/// Name and version of the reading of rows, recorded with every row that it refuses.
const READ_RULE: &str = "read/1";

impl Loader<'_> {
    /// Reads the rows of a page in front of ordinal `until` and commits full batches; what is left over
    /// is returned.
    pub(super) fn read_rows(
        &mut self,
        rows: &PageRows<'_>,
        body: Box<dyn Read + Send>,
        until: u64,
    ) -> Result<Pending, PageError> {
        let page = rows.page;
        let source = Arc::clone(&self.parts.source);
        self.looked_up = 0;
        self.memory.begin_page(page.fetched_at);
        let mut pending = Pending { rows_done: page.rows_done, ..Pending::default() };
        let reason = rows.retried.map(|retried| retried.reason);
        rows.each(source.as_ref(), body, |reader, cut| {
            let ordinal = cut.ordinal;
            if ordinal >= until {
                return Ok(ControlFlow::Break(()));
            }
            if let Some(retried) = rows.retried {
                if !retried.ordinals.contains(&ordinal) {
                    return Ok(ControlFlow::Continue(()));
                }
                pending.retried.push(ordinal);
            } else if ordinal < page.rows_done {
                match cut.row {
                    Ok(row) => self.note_committed(rows, reader, row),
                    Err(rejection) => self.note_named(&rejection),
                }
                return Ok(ControlFlow::Continue(()));
            }
            self.take(rows, reader, cut, &mut pending);
            if reason.is_none() {
                pending.rows_done = ordinal + 1;
            }
            if pending.len() >= BATCH_ROWS {
                let rows_done = pending.rows_done;
                self.commit(page, std::mem::take(&mut pending), None, reason)?;
                pending.rows_done = rows_done;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(pending)
    }

    /// A row whose disposition was committed before: its repetitions must still be known.
    fn note_committed(&mut self, rows: &PageRows<'_>, reader: &mut dyn RowReader, row: &[u8]) {
        if self.memory.judge_bytes(raw_hash(row, rows.meaning)).is_some() {
            return;
        }
        match reader.read(row) {
            Ok(Statement::Observation(seen)) => match believe(seen, rows.page.fetched_at) {
                Ok(believed) => self.memory.note_seen(&believed),
                Err(rejection) => self.note_named(&rejection),
            },
            Ok(Statement::Evidence(stated)) => {
                self.memory.note_evidence(rows.endpoint, &believe_evidence(stated));
            }
            Ok(Statement::News(item)) => {
                if let Ok(item) = believe_news(item, rows.page.fetched_at) {
                    self.memory.note_news(rows.feed, &item);
                }
            }
            Err(rejection) => self.note_named(&rejection),
        }
    }

    /// A row that is refused names its listing all the same: who stands on a list is not missing from it.
    fn note_named(&mut self, rejection: &Rejection) {
        self.memory.note_refused(rejection.external_id.as_deref());
    }

    fn refuse(
        &mut self,
        ordinal: u64,
        rejection: Rejection,
        rule: &'static str,
        pending: &mut Pending,
    ) {
        self.note_named(&rejection);
        pending.quarantined.push(QuarantinedRow { ordinal, rejection, rule });
    }

    fn take(
        &mut self,
        rows: &PageRows<'_>,
        reader: &mut dyn RowReader,
        cut: CutRow<'_>,
        pending: &mut Pending,
    ) {
        let ordinal = cut.ordinal;
        let bytes = match cut.row {
            Ok(bytes) => bytes,
            Err(rejection) => return self.refuse(ordinal, rejection, READ_RULE, pending),
        };
        let raw_hash = raw_hash(bytes, rows.meaning);
        match self.memory.judge_bytes(raw_hash) {
            Some(Verdict::Duplicate) => {
                pending.duplicate += 1;
                return;
            }
            Some(_) => {
                pending.unchanged += 1;
                return;
            }
            None => {}
        }
        match reader.read(bytes) {
            Err(rejection) => self.refuse(ordinal, rejection, READ_RULE, pending),
            Ok(Statement::Observation(seen)) => {
                self.take_values(rows, seen, ordinal, raw_hash, pending);
            }
            Ok(Statement::Evidence(stated)) => {
                let evidence = believe_evidence(stated);
                let verdict =
                    self.memory.judge_evidence(rows.endpoint, &evidence, rows.late, membership());
                match verdict {
                    Verdict::Unchanged => pending.unchanged += 1,
                    Verdict::Duplicate => pending.duplicate += 1,
                    Verdict::Write(change) => pending.evidence.push(EvidenceRow {
                        ordinal,
                        change,
                        endpoint: CompactString::from(rows.endpoint),
                        content_hash: evidence_hash(&evidence),
                        evidence,
                    }),
                }
            }
            Ok(Statement::News(item)) => match believe_news(item, rows.page.fetched_at) {
                Err(rejection) => {
                    self.refuse(ordinal, rejection, kasparro_transform::RULE, pending);
                }
                Ok(item) => match self.memory.judge_news(rows.feed, &item, rows.late) {
                    Verdict::Unchanged => pending.unchanged += 1,
                    Verdict::Duplicate => pending.duplicate += 1,
                    Verdict::Write(known) => pending.news.push(NewsRow {
                        ordinal,
                        known,
                        feed: CompactString::from(rows.feed),
                        content_hash: news_hash(&item),
                        item,
                    }),
                },
            },
        }
    }

    fn take_values(
        &mut self,
        rows: &PageRows<'_>,
        seen: Observation,
        ordinal: u64,
        raw_hash: u64,
        pending: &mut Pending,
    ) {
        let believed = match believe(seen, rows.page.fetched_at) {
            Ok(believed) => believed,
            Err(rejection) => {
                return self.refuse(ordinal, rejection, kasparro_transform::RULE, pending);
            }
        };
        let last_price = self.memory.last_price(&believed.observation.external_id);
        match self.memory.judge(&believed, raw_hash, membership()) {
            Verdict::Unchanged => pending.unchanged += 1,
            Verdict::Duplicate => pending.duplicate += 1,
            Verdict::Write(change) => pending.rows.push(BatchRow {
                ordinal,
                change,
                anomalies: self.unusual(&believed, change, last_price),
                external_id: believed.observation.external_id,
                attributes: believed.observation.attributes,
                quote: believed.observation.quote,
                observed_at: believed.observed_at,
                source_timed: believed.source_timed,
                raw_hash,
            }),
        }
    }
}
