//! What the in-memory store tells readers.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use kasparro_domain::{
    Generation, ListingId, RejectionReason, Run, RunId, RunReason, RunStatus, SourceName, Timestamp,
};
use tokio::sync::{mpsc, watch};

use super::tables::{Tables, of_sources};
use super::{MemoryStore, budgets, queued, refused};
use crate::{
    HistoryPoint, HistoryRange, HistoryStore, ListingRow, QuarantineCount, QuarantineStatus,
    ReadStore, RunFilter, RunStore, RunUpdate, SourceState, SourceSummary, StoreError, StoreInfo,
    StoreResult,
};

/// Rows in one piece of [`ReadStore::changes`].
const PIECE_ROWS: usize = 5_000;

fn fitting(tables: &Tables, filter: &RunFilter) -> Vec<Run> {
    let fits = |run: &&Run| {
        of_sources(&filter.sources, &run.source)
            && filter.status.is_none_or(|status| run.status == status)
    };
    let mut runs: Vec<Run> = tables.runs.values().filter(fits).cloned().collect();
    runs.sort_by_key(|run| std::cmp::Reverse((run.created_at, run.run_id)));
    runs
}

#[async_trait]
impl RunStore for MemoryStore {
    async fn queue_run(
        &self,
        run_id: RunId,
        source: &SourceName,
        reason: RunReason,
        now: Timestamp,
    ) -> StoreResult<Run> {
        let mut tables = self.tables();
        let open = |run: &&Run| run.source == *source && run.status.open();
        if let Some(run) = tables.runs.values().find(open) {
            return Ok(run.clone());
        }
        if tables.runs.contains_key(&run_id) {
            return refused(format!("run {run_id} is known already"));
        }
        let run = queued(run_id, source, reason, now);
        tables.runs.insert(run_id, run.clone());
        Ok(run)
    }

    async fn update_run(&self, run_id: RunId, epoch: u64, update: RunUpdate) -> StoreResult<()> {
        let mut tables = self.tables();
        if let Some(source) = tables.runs.get(&run_id).map(|run| run.source.clone()) {
            tables.check_epoch(&source, epoch)?;
        }
        let Some(run) = tables.runs.get_mut(&run_id) else {
            return refused(format!("run {run_id} is not known"));
        };
        match update {
            RunUpdate::Started { at, options } => {
                if run.status != RunStatus::Queued {
                    return refused(format!("run {run_id} is {}, not queued", run.status));
                }
                run.status = RunStatus::Running;
                run.started_at = Some(at);
                tables.options.insert(run_id, options);
            }
            RunUpdate::Ended { at, status, requests, error, findings } => {
                if !run.status.open() || status.open() {
                    return refused(format!("run {run_id} is {}, not to end {status}", run.status));
                }
                run.status = status;
                run.completed_at = Some(at);
                run.requests = requests;
                run.error = error;
                let source = run.source.clone();
                tables.anomalies.keep_runs(&source, run_id, at, &findings.anomalies);
                budgets::raise(&mut tables, &source, run_id, at, findings);
            }
        }
        Ok(())
    }

    async fn run_options(&self, run_id: RunId) -> StoreResult<Option<serde_json::Value>> {
        Ok(self.tables().options.get(&run_id).cloned())
    }

    async fn run(&self, run_id: RunId) -> StoreResult<Option<Run>> {
        Ok(self.tables().runs.get(&run_id).cloned())
    }

    async fn runs(&self, filter: RunFilter) -> StoreResult<Vec<Run>> {
        let runs = fitting(&self.tables(), &filter);
        let offset = usize::try_from(filter.offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        Ok(runs.into_iter().skip(offset).take(limit).collect())
    }

    async fn count_runs(&self, filter: RunFilter) -> StoreResult<u64> {
        Ok(fitting(&self.tables(), &filter).len() as u64)
    }

    async fn source_summaries(&self) -> StoreResult<Vec<SourceSummary>> {
        let tables = self.tables();
        let sources: BTreeSet<&SourceName> = tables.runs.values().map(|run| &run.source).collect();
        let summary = |source: &SourceName| {
            let filter = RunFilter { sources: vec![source.clone()], ..RunFilter::default() };
            let all = fitting(&tables, &filter);
            // What reads stored rows again says nothing of how the source is doing.
            let fetches = |run: &&Run| !matches!(run.reason, RunReason::Retry | RunReason::Replay);
            let runs: Vec<&Run> = all.iter().filter(fetches).collect();
            let ended = |run: &&Run| !run.status.open();
            let success = |run: &&Run| run.status == RunStatus::Success;
            let failure = |run: &&Run| ended(run) && !success(run);
            SourceSummary {
                source: source.clone(),
                total_runs: runs.len() as u64,
                successful_runs: runs.iter().copied().filter(success).count() as u64,
                ended_runs: runs.iter().copied().filter(ended).count() as u64,
                rows_received: all.iter().map(|run| run.counts.received).sum(),
                listings: tables.keys.keys().filter(|(name, _)| name == source).count() as u64,
                last_run: runs.first().copied().cloned(),
                last_success: runs.iter().copied().find(success).cloned(),
                last_failure: runs.iter().copied().find(failure).cloned(),
                checkpoint: tables.checkpoints.get(source).cloned(),
            }
        };
        Ok(sources.into_iter().map(summary).collect())
    }

    async fn quarantine_counts(&self) -> StoreResult<Vec<QuarantineCount>> {
        let mut counts: BTreeMap<(SourceName, RejectionReason), u64> = BTreeMap::new();
        let tables = self.tables();
        let records = tables.quarantine.values().map(|row| &row.record);
        for row in records.filter(|row| row.status == QuarantineStatus::Open) {
            *counts.entry((row.source.clone(), row.rejection.reason)).or_default() += 1;
        }
        let count = |((source, reason), rows)| QuarantineCount { source, reason, rows };
        Ok(counts.into_iter().map(count).collect())
    }

    async fn put_source_state(&self, state: SourceState) -> StoreResult<()> {
        self.tables().states.insert(state.source.clone(), state);
        Ok(())
    }

    async fn source_states(&self) -> StoreResult<Vec<SourceState>> {
        Ok(self.tables().states.values().cloned().collect())
    }
}

#[async_trait]
impl ReadStore for MemoryStore {
    async fn generation(&self) -> StoreResult<Generation> {
        Ok(Generation(self.tables().generation))
    }

    fn watch(&self) -> watch::Receiver<Generation> {
        self.announced.subscribe()
    }

    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation> {
        let (generation, rows) = {
            let tables = self.tables();
            let changed = tables.changed_since(since);
            let listings = tables.listings.values();
            let rows: Vec<ListingRow> = listings
                .filter(|listing| {
                    changed.as_ref().is_none_or(|ids| ids.contains(&listing.listing_id))
                })
                .map(super::tables::Listing::row)
                .collect();
            (Generation(tables.generation), rows)
        };
        for piece in rows.chunks(PIECE_ROWS) {
            let gone = |_| StoreError::Unavailable("the reader of changes went away".to_owned());
            pieces.send(piece.to_vec()).await.map_err(gone)?;
        }
        Ok(generation)
    }

    async fn ping(&self) -> StoreResult<StoreInfo> {
        Ok(StoreInfo { kind: "memory", schema_version: 1 })
    }
}

#[async_trait]
impl HistoryStore for MemoryStore {
    async fn history(
        &self,
        listing: ListingId,
        range: HistoryRange,
    ) -> StoreResult<Vec<HistoryPoint>> {
        let tables = self.tables();
        let of_listing = tables.history.range((listing, Timestamp::EPOCH, 0)..);
        let points = of_listing
            .take_while(|((id, ..), _)| *id == listing)
            .filter(|((_, at, _), _)| range.contains(*at));
        let mut points: Vec<HistoryPoint> = points.map(|(_, point)| point.clone()).collect();
        if range.newest_first {
            points.reverse();
        }
        points.truncate(range.limit_points());
        Ok(points)
    }
}
