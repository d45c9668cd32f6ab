//! What batches, quarantine and decisions tell of rows that were not believed: all three the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kasparro_domain::{
    Decision, DecisionKind, DriftKey, DriftRow, DriftStatus, PageId, PageRow, SourceName,
};

use super::QuarantineRecord;
use super::found::Found;
use crate::QuarantineStatus;

/// The rows of one page that were not believed.
#[derive(Debug, Default)]
struct Refused {
    /// How many its batches count.
    counted: u64,
    /// How many stand in quarantine.
    kept: u64,
    /// A page that brought the same later had rows quarantined before this one was through.
    overtaken: bool,
    /// Some rows that are counted here may have been kept for that other page.
    shared: bool,
}

/// Collects what became of rows that were not believed.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Pages that brought what an earlier page had brought, and that page.
    repeats: HashMap<PageId, PageId>,
    pages: BTreeMap<PageId, Refused>,
    /// Rows that retries believed, and rows that are loaded.
    believed: u64,
    loaded: u64,
    /// Rows that are not open, and whether a decision says so.
    settled: HashMap<PageRow, (QuarantineStatus, bool)>,
    /// Changes that decisions accept.
    accepted: BTreeSet<(SourceName, DriftKey)>,
    /// Changes that are accepted and that no decision accepts.
    unaccepted: Vec<i64>,
}

impl Judged {
    /// Notes a page; `first` is the first that brought the same body for the same request.
    pub(super) fn page(&mut self, page: PageId, first: PageId) {
        if page != first {
            self.repeats.insert(page, first);
        }
    }

    pub(super) fn quarantined(&mut self, row: &QuarantineRecord) {
        self.pages.entry(row.page_id).or_default().kept += 1;
        self.loaded += u64::from(row.status == QuarantineStatus::Loaded);
        if row.status != QuarantineStatus::Open {
            let place = PageRow { page_id: row.page_id, ordinal: row.ordinal };
            self.settled.insert(place, (row.status, false));
        }
    }

    pub(super) fn decision(&mut self, decision: &Decision, found: &mut Found) {
        let accepted = decision.drift.iter().map(|key| (decision.source.clone(), key.clone()));
        self.accepted.extend(accepted);
        for row in &decision.rows {
            let settled = self.settled.get_mut(row);
            match (decision.kind, settled) {
                (DecisionKind::Retry, Some((QuarantineStatus::Loaded, told)))
                | (DecisionKind::Discard, Some((QuarantineStatus::Discarded, told))) => {
                    *told = true;
                }
                (DecisionKind::Discard, _) => {
                    let (number, page) = (decision.decision_id.0, row.page_id);
                    let what = format!(
                        "decision {number} gives row {} of page {page} up, which is not discarded",
                        row.ordinal
                    );
                    found.say("decision", what);
                }
                // Read again and refused once more, whatever was decided later; others have no rows.
                _ => {}
            }
        }
    }

    /// Notes a change; decisions come before.
    pub(super) fn drift(&mut self, row: &DriftRow) {
        let key = (row.source.clone(), row.event.key.clone());
        if row.status == DriftStatus::Accepted && !self.accepted.contains(&key) {
            self.unaccepted.push(row.drift_id.0);
        }
    }

    /// Notes what a batch that is no retry counts as quarantined.
    pub(super) fn batch(&mut self, page: PageId, quarantined: u64) {
        if quarantined == 0 {
            return;
        }
        if let Some(first) = self.repeats.get(&page) {
            self.pages.entry(*first).or_default().overtaken = true;
            return;
        }
        let page = self.pages.entry(page).or_default();
        page.counted += quarantined;
        page.shared |= page.overtaken;
    }

    /// Notes how many rows a batch of a retry believed.
    pub(super) const fn retried(&mut self, believed: u64) {
        self.believed += believed;
    }

    /// Tells what does not hold.
    pub(super) fn finish(self, found: &mut Found) {
        let Self { repeats, pages, settled, believed, loaded, unaccepted, accepted: _ } = self;
        for number in unaccepted {
            found.say("decision", format!("no decision tells why change {number} is accepted"));
        }
        if believed != loaded {
            let what = format!("retries believed {believed} rows, {loaded} are loaded");
            found.say("decision", what);
        }
        for (page, refused) in pages.into_iter().filter(|(page, _)| !repeats.contains_key(page)) {
            let Refused { counted, kept, shared, .. } = refused;
            if kept > counted || (kept < counted && !shared) {
                let what = format!(
                    "page {page} has {kept} rows in quarantine, its batches count {counted}"
                );
                found.say("I1", what);
            }
        }
        let mut untold: Vec<_> = settled.into_iter().filter(|(_, (_, told))| !told).collect();
        untold.sort_unstable();
        for (PageRow { page_id, ordinal }, (status, _)) in untold {
            let what = format!(
                "no decision tells why row {ordinal} of page {page_id} is {}",
                status.name()
            );
            found.say("decision", what);
        }
    }
}
