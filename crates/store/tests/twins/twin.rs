//! A store that does one thing wrong and hands the rest to the in-memory store.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use kasparro_domain::{
    BodyHash, Checkpoint, Command, CommandId, CommandKind, Decimal, Generation, ListingId, PageId,
    PageState, RawPage, Run, RunCounts, RunError, RunId, RunReason, SourceName, Timestamp,
};
use kasparro_store::{
    AuditStore, Batch, BatchStore, CommandStore, Committed, CompressedBody, HistoryPoint,
    HistoryRange, HistoryStore, ListingRow, MemoryStore, NewPage, PageStore, QuarantineCount,
    ReadStore, RowChange, RunFilter, RunStore, RunUpdate, SourceMemory, SourceState, SourceSummary,
    StoreError, StoreInfo, StoreResult, TableDump,
};
use tokio::sync::{mpsc, watch};

/// What a twin does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    CutsBodies,
    BringsRefusedPagesBack,
    ForgetsProgress,
    FindsAnyLoadedPage,
    Miscounts,
    TrustsProgress,
    DropsQuarantine,
    MovesCheckpointOnFailure,
    KeepsCheckpointBack,
    KeepsHalfABatch,
    AppliesTwice,
    DoesNotFence,
    TurnsIdsRound,
    SettlesTooSoon,
    SetsCheckpointBack,
    ForgetsLoadedPages,
    AnnouncesNothing,
    UsesBinaryNumbers,
    KeepsLastRevisionOnly,
    SendsEverything,
    SendsRowsTwice,
    OpensASecondRun,
    LetsRunsGoBack,
    ListsRunsOldestFirst,
    ClaimsTwice,
    NeverReclaims,
}

/// What a twin has to note to do it.
#[derive(Debug, Default)]
struct Notes {
    refused: Vec<PageId>,
    loaded: Option<PageId>,
    checkpoint: Option<Checkpoint>,
    epochs: BTreeMap<SourceName, u64>,
    applied: BTreeSet<(SourceName, u64)>,
    sequence: u64,
}

/// A store with a fault.
#[derive(Debug)]
pub(crate) struct Twin {
    inner: MemoryStore,
    fault: Fault,
    notes: Mutex<Notes>,
    silent: watch::Sender<Generation>,
}

impl Twin {
    pub(crate) fn new(fault: Fault) -> Self {
        let notes = Mutex::new(Notes { sequence: 1_000, ..Notes::default() });
        let silent = watch::Sender::new(Generation(0));
        Self { inner: MemoryStore::new(), fault, notes, silent }
    }

    fn note<T>(&self, note: impl FnOnce(&mut Notes) -> T) -> T {
        note(&mut self.notes.lock().unwrap())
    }

    /// Spoils a batch on its way in; its page has `done` rows done.
    fn spoil(&self, batch: &mut Batch, done: u64) {
        match self.fault {
            Fault::TrustsProgress => {
                let rows = batch.rows.len() + batch.quarantined.len();
                let received = rows as u64 + batch.unchanged + batch.duplicate;
                batch.rows_done = batch.rows_done.clamp(done, done + received);
            }
            Fault::AppliesTwice => self.note(|notes| {
                let key = (batch.source.clone(), batch.sequence);
                if notes.applied.contains(&key) {
                    notes.sequence += 1;
                    batch.sequence = notes.sequence;
                    batch.rows.retain(|row| !matches!(row.change, RowChange::New { .. }));
                    batch.rows_done = done;
                }
            }),
            Fault::DropsQuarantine => {
                batch.unchanged += batch.quarantined.len() as u64;
                batch.quarantined.clear();
            }
            Fault::KeepsCheckpointBack => batch.position = None,
            Fault::DoesNotFence => {
                let epoch = self.note(|notes| notes.epochs.get(&batch.source).copied());
                batch.epoch = epoch.unwrap_or(batch.epoch);
            }
            Fault::UsesBinaryNumbers => {
                for row in &mut batch.rows {
                    let price = row.quote.price_usd.take();
                    row.quote.price_usd = price.map(|price| {
                        let binary: f64 = price.as_str().parse().unwrap();
                        Decimal::parse(&binary.to_string()).unwrap_or(price)
                    });
                }
            }
            _ => {}
        }
    }
}

#[async_trait]
impl PageStore for Twin {
    async fn land(&self, page: NewPage, body: CompressedBody) -> StoreResult<RawPage> {
        self.inner.land(page, body).await
    }

    async fn refuse(&self, page: PageId, error: RunError) -> StoreResult<()> {
        self.inner.refuse(page, error).await?;
        self.note(|notes| notes.refused.push(page));
        Ok(())
    }

    async fn landed_pages(&self, source: &SourceName) -> StoreResult<Vec<RawPage>> {
        let mut pages = self.inner.landed_pages(source).await?;
        if self.fault == Fault::BringsRefusedPagesBack {
            for page in self.note(|notes| notes.refused.clone()) {
                pages.extend(self.inner.page(page).await?);
            }
        }
        Ok(pages)
    }

    async fn loaded_pages(&self, run_id: RunId) -> StoreResult<Vec<RawPage>> {
        match self.fault {
            Fault::ForgetsLoadedPages => Ok(Vec::new()),
            _ => self.inner.loaded_pages(run_id).await,
        }
    }

    async fn last_loaded(
        &self,
        source: &SourceName,
        request: &serde_json::Value,
    ) -> StoreResult<Option<RawPage>> {
        match self.note(|notes| notes.loaded) {
            Some(page) if self.fault == Fault::FindsAnyLoadedPage => self.inner.page(page).await,
            _ => self.inner.last_loaded(source, request).await,
        }
    }

    async fn page(&self, page: PageId) -> StoreResult<Option<RawPage>> {
        let mut page = self.inner.page(page).await?;
        if self.fault == Fault::ForgetsProgress
            && let Some(page) = &mut page
        {
            page.rows_done = 0;
            page.state = PageState::Landed;
        }
        Ok(page)
    }

    async fn body_chunk(&self, body: BodyHash, index: u32) -> StoreResult<Option<Vec<u8>>> {
        let mut chunk = self.inner.body_chunk(body, index).await?;
        if self.fault == Fault::CutsBodies
            && let Some(chunk) = &mut chunk
        {
            chunk.pop();
        }
        Ok(chunk)
    }
}

#[async_trait]
impl BatchStore for Twin {
    async fn acquire(&self, source: &SourceName, holder: &str) -> StoreResult<u64> {
        let epoch = self.inner.acquire(source, holder).await?;
        self.note(|notes| notes.epochs.insert(source.clone(), epoch));
        Ok(epoch)
    }

    async fn settled(&self, page: PageId) -> StoreResult<Option<RunCounts>> {
        match self.inner.settled(page).await? {
            None if self.fault == Fault::SettlesTooSoon => Ok(Some(RunCounts::default())),
            counts => Ok(counts),
        }
    }

    async fn memory(&self, source: &SourceName) -> StoreResult<SourceMemory> {
        let mut memory = self.inner.memory(source).await?;
        if let Some(moved) = self.note(|notes| notes.checkpoint.clone()) {
            memory.checkpoint = Some(moved);
        }
        Ok(memory)
    }

    async fn commit(&self, mut batch: Batch) -> StoreResult<Committed> {
        let quarantined = batch.quarantined.len() as u64;
        let done = self.inner.page(batch.page_id).await?.map_or(0, |page| page.rows_done);
        self.spoil(&mut batch, done);
        let outcome = self.inner.commit(batch.clone()).await;
        match self.fault {
            Fault::MovesCheckpointOnFailure if outcome.is_err() => self.note(|notes| {
                let moved_at = batch.stored_at;
                notes.checkpoint =
                    batch.position.clone().map(|position| Checkpoint { position, moved_at });
            }),
            Fault::SetsCheckpointBack if outcome.is_ok() => self.note(|notes| {
                let moved_at = batch.fetched_at;
                let moved = batch.position.clone();
                notes.checkpoint = moved.map(|position| Checkpoint { position, moved_at });
            }),
            Fault::KeepsHalfABatch if matches!(outcome, Err(StoreError::Conflict(_))) => {
                batch.rows.truncate(1);
                batch.rows_done = done;
                let _ = self.inner.commit(batch.clone()).await;
            }
            Fault::FindsAnyLoadedPage if outcome.is_ok() && batch.page_done => {
                self.note(|notes| notes.loaded = Some(batch.page_id));
            }
            _ => {}
        }
        let mut committed = outcome?;
        self.note(|notes| notes.applied.insert((batch.source, batch.sequence)));
        match self.fault {
            Fault::Miscounts => committed.counts = RunCounts::default(),
            Fault::DropsQuarantine => {
                committed.counts.unchanged -= quarantined;
                committed.counts.quarantined = quarantined;
            }
            Fault::TurnsIdsRound => committed.new_listings.reverse(),
            _ => {}
        }
        Ok(committed)
    }
}

#[async_trait]
impl RunStore for Twin {
    async fn queue_run(
        &self,
        run_id: RunId,
        source: &SourceName,
        reason: RunReason,
        now: Timestamp,
    ) -> StoreResult<Run> {
        let mut run = self.inner.queue_run(run_id, source, reason, now).await?;
        if self.fault == Fault::OpensASecondRun {
            run.run_id = run_id;
        }
        Ok(run)
    }

    async fn update_run(&self, run_id: RunId, update: RunUpdate) -> StoreResult<()> {
        match self.inner.update_run(run_id, update).await {
            Err(_) if self.fault == Fault::LetsRunsGoBack => Ok(()),
            outcome => outcome,
        }
    }

    async fn run(&self, run_id: RunId) -> StoreResult<Option<Run>> {
        self.inner.run(run_id).await
    }

    async fn runs(&self, filter: RunFilter) -> StoreResult<Vec<Run>> {
        let mut runs = self.inner.runs(filter).await?;
        if self.fault == Fault::ListsRunsOldestFirst {
            runs.reverse();
        }
        Ok(runs)
    }

    async fn count_runs(&self, filter: RunFilter) -> StoreResult<u64> {
        self.inner.count_runs(filter).await
    }

    async fn source_summaries(&self) -> StoreResult<Vec<SourceSummary>> {
        self.inner.source_summaries().await
    }

    async fn quarantine_counts(&self) -> StoreResult<Vec<QuarantineCount>> {
        self.inner.quarantine_counts().await
    }

    async fn put_source_state(&self, state: SourceState) -> StoreResult<()> {
        self.inner.put_source_state(state).await
    }

    async fn source_states(&self) -> StoreResult<Vec<SourceState>> {
        self.inner.source_states().await
    }
}

#[async_trait]
impl CommandStore for Twin {
    async fn submit(&self, kind: CommandKind, now: Timestamp) -> StoreResult<CommandId> {
        self.inner.submit(kind, now).await
    }

    async fn claim(&self, reclaim: bool) -> StoreResult<Vec<Command>> {
        match self.fault {
            Fault::ClaimsTwice => self.inner.claim(true).await,
            Fault::NeverReclaims => self.inner.claim(false).await,
            _ => self.inner.claim(reclaim).await,
        }
    }

    async fn complete(&self, command: CommandId, result: serde_json::Value) -> StoreResult<()> {
        self.inner.complete(command, result).await
    }

    async fn command(&self, command: CommandId) -> StoreResult<Option<Command>> {
        self.inner.command(command).await
    }
}

#[async_trait]
impl ReadStore for Twin {
    async fn generation(&self) -> StoreResult<Generation> {
        self.inner.generation().await
    }

    fn watch(&self) -> watch::Receiver<Generation> {
        match self.fault {
            Fault::AnnouncesNothing => self.silent.subscribe(),
            _ => self.inner.watch(),
        }
    }

    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation> {
        match self.fault {
            Fault::SendsEverything => self.inner.changes(Generation(0), pieces).await,
            Fault::SendsRowsTwice => {
                self.inner.changes(since, pieces.clone()).await?;
                self.inner.changes(since, pieces).await
            }
            _ => self.inner.changes(since, pieces).await,
        }
    }

    async fn ping(&self) -> StoreResult<StoreInfo> {
        self.inner.ping().await
    }
}

#[async_trait]
impl HistoryStore for Twin {
    async fn history(
        &self,
        listing: ListingId,
        range: HistoryRange,
    ) -> StoreResult<Vec<HistoryPoint>> {
        let mut points = self.inner.history(listing, range).await?;
        if self.fault == Fault::KeepsLastRevisionOnly {
            points.reverse();
            points.dedup_by_key(|point| point.observed_at);
            points.reverse();
        }
        Ok(points)
    }
}

#[async_trait]
impl AuditStore for Twin {
    async fn dump(&self) -> StoreResult<Vec<TableDump>> {
        self.inner.dump().await
    }
}
