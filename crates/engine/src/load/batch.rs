//! The batch being built, and its commit.

use compact_str::CompactString;
use kasparro_domain::{Checkpoint, RawPage};
use kasparro_extract::PageError;
use kasparro_faults::crash_point;
use kasparro_store::{
    Batch, BatchRow, EvidenceChange, EvidenceRow, Examined, ListingRef, NewsRow, QuarantinedRow,
    Retry, RowChange, Sweep,
};
use serde_json::Value;
use tokio::runtime::Handle;

use super::{Loader, RetryReason};
use crate::land::store_failed;

/// The batch being built.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) rows: Vec<BatchRow>,
    pub(super) evidence: Vec<EvidenceRow>,
    pub(super) news: Vec<NewsRow>,
    pub(super) quarantined: Vec<QuarantinedRow>,
    pub(super) unchanged: u64,
    pub(super) duplicate: u64,
    pub(super) rows_done: u64,
    pub(super) sweep: Option<Sweep>,
    /// What examining the page brought, with its last batch.
    pub(super) examined: Option<Examined>,
    /// Ordinals that were read again.
    pub(super) retried: Vec<u64>,
}

impl Pending {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
            + self.evidence.len()
            + self.news.len()
            + self.quarantined.len()
            + self.retried.len()
    }
}

impl Loader<'_> {
    /// Commits a batch; `last` is given with the page's last one, holding the position it reaches.
    pub(super) fn commit(
        &mut self,
        page: &RawPage,
        mut pending: Pending,
        last: Option<Option<&Value>>,
        retry: Option<&RetryReason>,
    ) -> Result<(), PageError> {
        if last.is_none() && pending.len() == 0 && pending.unchanged + pending.duplicate == 0 {
            return Ok(());
        }
        let returned = self.memory.take_returned();
        pending.rows.sort_by_key(order);
        let new_rows = pending
            .rows
            .iter()
            .filter(|row| matches!(row.change, RowChange::New { .. }))
            .map(|row| row.external_id.clone());
        let new_evidence = pending
            .evidence
            .iter()
            .filter(|row| matches!(row.change, EvidenceChange::New { .. }))
            .map(|row| row.evidence.external_id.clone());
        let new: Vec<CompactString> = new_rows.chain(new_evidence).collect();
        let position = last.flatten();
        let retry = retry.map(|reason| Retry {
            who: reason.who.clone(),
            why: reason.why.clone(),
            ordinals: std::mem::take(&mut pending.retried),
        });
        let batch = Batch {
            source: self.parts.name.clone(),
            epoch: self.parts.epoch,
            run_id: self.watch.run_id(),
            page_id: page.page_id,
            fetched_at: page.fetched_at,
            sequence: self.memory.next_sequence,
            rows: pending.rows,
            evidence: pending.evidence,
            news: pending.news,
            quarantined: pending.quarantined,
            unchanged: pending.unchanged,
            duplicate: pending.duplicate,
            rows_done: pending.rows_done,
            page_done: last.is_some(),
            position: position.cloned(),
            returned,
            sweep: pending.sweep,
            examined: pending.examined,
            retry,
            stored_at: self.parts.clock.now(),
        };
        self.watch.found(&self.parts.name, batch.examined.as_ref());
        crash_point!("commit.begin");
        let commit = self.parts.store.commit(batch);
        let committed = Handle::current().block_on(commit).map_err(|error| store_failed(&error))?;
        crash_point!("commit.end");
        self.memory.committed(&new, &committed.new_listings);
        if let Some(position) = position {
            self.memory.checkpoint =
                Some(Checkpoint { position: position.clone(), moved_at: page.fetched_at });
        }
        self.watch.batch_committed(&committed.counts);
        Ok(())
    }
}

/// Where a row stands in its batch. Ids are handed out in row order: by rank, so that a first page shows
/// the big assets; known listings follow by id, which writers of one database take in the same order, and
/// behind them further rows of the new ones. Rows of one listing keep their order.
fn order(row: &BatchRow) -> (u8, i64) {
    match row.change {
        RowChange::New { .. } => (0, i64::from(row.quote.rank.unwrap_or(u32::MAX))),
        RowChange::Newer { listing }
        | RowChange::Correction { listing }
        | RowChange::Late { listing, .. } => match listing {
            ListingRef::Stored(id) => (1, id.0),
            ListingRef::InBatch => (2, 0),
        },
    }
}
