//! What the in-memory store keeps of endpoints and their changes.

use async_trait::async_trait;
use kasparro_domain::{
    Decision, DecisionKind, DriftId, DriftKey, DriftRow, DriftStatus, PageId, SourceName, Timestamp,
};
use serde_json::Value;

use super::quarantine::next_decision;
use super::tables::{Tables, of_sources};
use super::{MemoryStore, refused};
use crate::{DriftFilter, DriftStore, Examined, StoreResult};

/// Keeps what examining a page brought; `refuses` tells that the page is refused for it.
pub(super) fn examined(
    tables: &mut Tables,
    page_id: PageId,
    examined: &Examined,
    refuses: bool,
) -> StoreResult<()> {
    let Some(page) = tables.pages.get(&page_id).map(|record| record.page.clone()) else {
        return refused(format!("page {page_id} is not known"));
    };
    let mut last = tables.drift.values().map(|row| row.drift_id.0).max().unwrap_or(0);
    for event in &examined.drift {
        let key = (page.source.clone(), event.key.clone());
        let row = tables.drift.entry(key).or_insert_with(|| {
            last += 1;
            DriftRow {
                drift_id: DriftId(last),
                source: page.source.clone(),
                event: event.clone(),
                page_id,
                refused: false,
                first_seen_at: page.fetched_at,
                last_seen_at: page.fetched_at,
                pages_seen: 0,
                status: DriftStatus::Open,
            }
        });
        row.pages_seen += 1;
        row.refused |= refuses;
        if row.last_seen_at <= page.fetched_at {
            row.last_seen_at = page.fetched_at;
            row.event = event.clone();
        }
    }
    if let Some(profile) = &examined.profile {
        tables.profiles.insert((page.source, examined.endpoint.clone()), profile.clone());
    }
    Ok(())
}

/// Changes that fit by ascending number; number and paging left aside.
fn fitting(tables: &Tables, filter: &DriftFilter) -> Vec<DriftRow> {
    let fits = |row: &&DriftRow| {
        let event = &row.event;
        of_sources(&filter.sources, &row.source)
            && filter.endpoint.as_ref().is_none_or(|endpoint| event.key.endpoint == *endpoint)
            && filter.kind.is_none_or(|kind| event.key.kind == kind)
            && filter.severity.is_none_or(|severity| event.severity == severity)
            && filter.status.is_none_or(|status| row.status == status)
    };
    let mut rows: Vec<DriftRow> = tables.drift.values().filter(fits).cloned().collect();
    rows.sort_unstable_by_key(|row| row.drift_id);
    rows
}

#[async_trait]
impl DriftStore for MemoryStore {
    async fn profile(&self, source: &SourceName, endpoint: &str) -> StoreResult<Option<Value>> {
        Ok(self.tables().profiles.get(&(source.clone(), endpoint.to_owned())).cloned())
    }

    async fn drift(&self, filter: DriftFilter) -> StoreResult<Vec<DriftRow>> {
        let rows = fitting(&self.tables(), &filter).into_iter();
        let behind = rows.filter(|row| filter.after.is_none_or(|after| row.drift_id.0 > after));
        let offset = usize::try_from(filter.offset).unwrap_or(usize::MAX);
        let limit = filter.limit.and_then(|limit| usize::try_from(limit).ok());
        Ok(behind.skip(offset).take(limit.unwrap_or(usize::MAX)).collect())
    }

    async fn count_drift(&self, filter: DriftFilter) -> StoreResult<u64> {
        Ok(fitting(&self.tables(), &filter).len() as u64)
    }

    async fn accept_drift(
        &self,
        drift: Vec<DriftId>,
        who: &str,
        why: &str,
        now: Timestamp,
    ) -> StoreResult<u64> {
        let mut tables = self.tables();
        let mut accepted: Vec<(SourceName, DriftKey)> = Vec::new();
        for (key, row) in &mut tables.drift {
            if drift.contains(&row.drift_id) && row.status == DriftStatus::Open {
                row.status = DriftStatus::Accepted;
                accepted.push(key.clone());
            }
        }
        for changes in accepted.chunk_by(|(one, _), (next, _)| one == next) {
            let Some((source, _)) = changes.first() else { continue };
            let decision = Decision {
                decision_id: next_decision(&tables),
                kind: DecisionKind::AcceptDrift,
                source: source.clone(),
                rows: Vec::new(),
                drift: changes.iter().map(|(_, key)| key.clone()).collect(),
                pairs: Vec::new(),
                relation: None,
                forced: false,
                who: who.to_owned(),
                why: why.to_owned(),
                decided_at: now,
                after_page: tables.last_page(),
                run_id: None,
            };
            tables.decisions.push(decision);
        }
        Ok(accepted.len() as u64)
    }
}
