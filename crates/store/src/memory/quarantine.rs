//! Rows that were not believed, and what people decide about them.

use async_trait::async_trait;
use kasparro_domain::{
    BodyHash, Decision, DecisionId, DecisionKind, PageRow, RunCounts, SourceName, Timestamp,
};

use super::tables::{Quarantined, Tables, of_sources};
use super::{MemoryStore, refused};
use crate::{
    Batch, QuarantineFilter, QuarantineRecord, QuarantineRow, QuarantineStatus, QuarantineStore,
    Retry, StoreResult,
};

/// What the page of a batch was asked for, and what it brought.
fn brought(tables: &Tables, batch: &Batch) -> StoreResult<(serde_json::Value, BodyHash)> {
    match tables.pages.get(&batch.page_id) {
        Some(record) => Ok((record.page.request.clone(), record.page.body)),
        None => refused(format!("page {} is not known", batch.page_id)),
    }
}

/// Keeps the quarantined rows; one that is kept already is counted and stays as it is.
pub(super) fn keep(tables: &mut Tables, batch: &Batch, counts: &mut RunCounts) -> StoreResult<()> {
    let (request, body) = brought(tables, batch)?;
    let text = request.to_string();
    let mut last = tables.quarantine.values().map(|row| row.quarantine_id).max().unwrap_or(0);
    for row in &batch.quarantined {
        counts.quarantined += 1;
        let key = (batch.source.clone(), text.clone(), body, row.ordinal);
        tables.quarantine.entry(key).or_insert_with(|| {
            last += 1;
            Quarantined {
                quarantine_id: last,
                run_id: batch.run_id,
                first_seen_at: batch.fetched_at,
                record: QuarantineRecord {
                    source: batch.source.clone(),
                    page_id: batch.page_id,
                    request: request.clone(),
                    body,
                    ordinal: row.ordinal,
                    rejection: row.rejection.clone(),
                    rule: row.rule.to_owned(),
                    status: QuarantineStatus::Open,
                },
            }
        });
    }
    Ok(())
}

/// Settles the rows that were read again, and writes down who asked for it.
pub(super) fn retry(
    tables: &mut Tables,
    batch: &Batch,
    retry: &Retry,
    counts: &mut RunCounts,
) -> StoreResult<()> {
    let (request, body) = brought(tables, batch)?;
    let text = request.to_string();
    let mut rows = Vec::new();
    for ordinal in &retry.ordinals {
        let key = (batch.source.clone(), text.clone(), body, *ordinal);
        let open = |row: &&mut Quarantined| row.record.status == QuarantineStatus::Open;
        let Some(row) = tables.quarantine.get_mut(&key).filter(open) else {
            return refused(format!("row {ordinal} of page {} is not open", batch.page_id));
        };
        match batch.quarantined.iter().find(|again| again.ordinal == *ordinal) {
            Some(again) => {
                counts.quarantined += 1;
                row.record.rejection = again.rejection.clone();
                again.rule.clone_into(&mut row.record.rule);
            }
            None => row.record.status = QuarantineStatus::Loaded,
        }
        rows.push(PageRow { page_id: row.record.page_id, ordinal: *ordinal });
    }
    rows.sort_unstable();
    let decision = Decision {
        decision_id: next_decision(tables),
        kind: DecisionKind::Retry,
        source: batch.source.clone(),
        rows,
        drift: Vec::new(),
        pairs: Vec::new(),
        relation: None,
        forced: false,
        who: retry.who.clone(),
        why: retry.why.clone(),
        decided_at: batch.stored_at,
        after_page: tables.last_page(),
        run_id: Some(batch.run_id),
    };
    tables.decisions.push(decision);
    Ok(())
}

pub(super) fn next_decision(tables: &Tables) -> DecisionId {
    DecisionId(tables.decisions.last().map_or(1, |last| last.decision_id.0 + 1))
}

impl Quarantined {
    fn row(&self) -> QuarantineRow {
        let QuarantineRecord {
            source,
            page_id,
            request: _,
            body,
            ordinal,
            rejection,
            rule,
            status,
        } = &self.record;
        QuarantineRow {
            quarantine_id: self.quarantine_id,
            source: source.clone(),
            run_id: self.run_id,
            page_id: *page_id,
            body: *body,
            ordinal: *ordinal,
            external_id: rejection.external_id.clone(),
            reason: rejection.reason,
            field: rejection.field.clone(),
            value: rejection.value.clone(),
            rule: rule.clone(),
            status: *status,
            first_seen_at: self.first_seen_at,
        }
    }
}

/// Rows that fit by ascending number; number and paging left aside.
fn fitting(tables: &Tables, filter: &QuarantineFilter) -> Vec<QuarantineRow> {
    let fits = |row: &&Quarantined| {
        of_sources(&filter.sources, &row.record.source)
            && filter.reason.is_none_or(|reason| row.record.rejection.reason == reason)
            && filter.status.is_none_or(|status| row.record.status == status)
            && filter.run_id.is_none_or(|run_id| row.run_id == run_id)
    };
    let rows = tables.quarantine.values().filter(fits);
    let mut rows: Vec<QuarantineRow> = rows.map(Quarantined::row).collect();
    rows.sort_unstable_by_key(|row| row.quarantine_id);
    rows
}

#[async_trait]
impl QuarantineStore for MemoryStore {
    async fn quarantined(&self, filter: QuarantineFilter) -> StoreResult<Vec<QuarantineRow>> {
        let rows = fitting(&self.tables(), &filter).into_iter();
        let behind = rows.filter(|row| filter.after.is_none_or(|after| row.quarantine_id > after));
        let offset = usize::try_from(filter.offset).unwrap_or(usize::MAX);
        let limit = filter.limit.and_then(|limit| usize::try_from(limit).ok());
        Ok(behind.skip(offset).take(limit.unwrap_or(usize::MAX)).collect())
    }

    async fn count_quarantined(&self, filter: QuarantineFilter) -> StoreResult<u64> {
        Ok(fitting(&self.tables(), &filter).len() as u64)
    }

    async fn discard(
        &self,
        rows: Vec<i64>,
        who: &str,
        why: &str,
        now: Timestamp,
    ) -> StoreResult<u64> {
        let mut tables = self.tables();
        let mut given_up: Vec<(SourceName, PageRow)> = Vec::new();
        for row in tables.quarantine.values_mut() {
            let record = &mut row.record;
            if rows.contains(&row.quarantine_id) && record.status == QuarantineStatus::Open {
                record.status = QuarantineStatus::Discarded;
                let place = PageRow { page_id: record.page_id, ordinal: record.ordinal };
                given_up.push((record.source.clone(), place));
            }
        }
        given_up.sort_unstable();
        for rows in given_up.chunk_by(|(one, _), (next, _)| one == next) {
            let Some((source, _)) = rows.first() else { continue };
            let decision = Decision {
                decision_id: next_decision(&tables),
                kind: DecisionKind::Discard,
                source: source.clone(),
                rows: rows.iter().map(|(_, row)| *row).collect(),
                drift: Vec::new(),
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
        Ok(given_up.len() as u64)
    }

    async fn decisions(&self) -> StoreResult<Vec<Decision>> {
        Ok(self.tables().decisions.clone())
    }
}
