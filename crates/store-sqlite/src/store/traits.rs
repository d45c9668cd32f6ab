//! The store's traits, each call handed to a reader or to the writer.

use std::time::Duration;

use async_trait::async_trait;
use kasparro_domain::{
    Command, CommandId, CommandKind, Decision, Generation, ListingId, PageId, Run, RunCounts,
    RunId, RunReason, SourceName, Timestamp,
};
use kasparro_store::{
    Audit, AuditStore, Batch, BatchStore, CommandStore, Committed, HistoryPoint, HistoryRange,
    HistoryStore, Lease, LeaseStore, ListingRow, NewsFilter, NewsStore, Once, QuarantineCount,
    QuarantineFilter, QuarantineRow, QuarantineStore, ReadStore, RunFilter, RunStore, RunUpdate,
    SourceMemory, SourceState, SourceSummary, StoreInfo, StoreResult, StoredNews, Submitted,
};
use tokio::sync::{mpsc, watch};

use super::{SqliteStore, Writing};
use crate::open;
use crate::queries::{
    audit, batches, commands, decisions, history, leases, memory, news, once, quarantine, runs,
    source_states,
};

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn acquire(&self, source: &SourceName, holder: &str, ttl: Duration) -> StoreResult<u64> {
        let (source, holder, now) = (source.clone(), holder.to_owned(), self.clock.now());
        self.write(1, move |connection, _| leases::acquire(connection, &source, &holder, now, ttl))
            .await
    }

    async fn renew(&self, source: &SourceName, epoch: u64, ttl: Duration) -> StoreResult<()> {
        let (source, expires_at) = (source.clone(), self.clock.now().plus(ttl));
        self.write(1, move |connection, _| leases::renew(connection, &source, epoch, expires_at))
            .await
    }

    async fn release(&self, source: &SourceName, epoch: u64) -> StoreResult<()> {
        let source = source.clone();
        self.write(1, move |connection, _| leases::release(connection, &source, epoch)).await
    }

    async fn leases(&self) -> StoreResult<Vec<Lease>> {
        let now = self.clock.now();
        self.readers.read(move |connection| leases::all(connection, now)).await
    }
}

#[async_trait]
impl BatchStore for SqliteStore {
    async fn memory(&self, source: &SourceName) -> StoreResult<SourceMemory> {
        let source = source.clone();
        self.readers.read(move |connection| memory::memory(connection, &source)).await
    }

    async fn next_sequence(&self, source: &SourceName) -> StoreResult<u64> {
        let source = source.clone();
        self.readers.read(move |connection| memory::next_sequence(connection, &source)).await
    }

    async fn settled(&self, page: PageId) -> StoreResult<Option<RunCounts>> {
        self.readers.read(move |connection| batches::settled(connection, page)).await
    }

    async fn commit(&self, batch: Batch) -> StoreResult<Committed> {
        let missing = batch.sweep.as_ref().map_or(0, |sweep| sweep.missing.len());
        let rows = batch.rows.len()
            + batch.evidence.len()
            + batch.news.len()
            + batch.quarantined.len()
            + missing
            + 1;
        self.write(rows, move |connection, minted| batches::commit(connection, minted, &batch))
            .await
    }
}

#[async_trait]
impl RunStore for SqliteStore {
    async fn queue_run(
        &self,
        run_id: RunId,
        source: &SourceName,
        reason: RunReason,
        now: Timestamp,
    ) -> StoreResult<Run> {
        let source = source.clone();
        self.add(move |connection| runs::queue(connection, run_id, &source, reason, now)).await
    }

    async fn update_run(&self, run_id: RunId, epoch: u64, update: RunUpdate) -> StoreResult<()> {
        self.write(1, move |connection, _| runs::update(connection, run_id, epoch, &update)).await
    }

    async fn run_options(&self, run_id: RunId) -> StoreResult<Option<serde_json::Value>> {
        self.readers.read(move |connection| runs::options(connection, run_id)).await
    }

    async fn run(&self, run_id: RunId) -> StoreResult<Option<Run>> {
        self.readers.read(move |connection| runs::run(connection, run_id)).await
    }

    async fn runs(&self, filter: RunFilter) -> StoreResult<Vec<Run>> {
        self.readers.read(move |connection| runs::list(connection, &filter)).await
    }

    async fn count_runs(&self, filter: RunFilter) -> StoreResult<u64> {
        self.readers.read(move |connection| runs::count(connection, &filter)).await
    }

    async fn source_summaries(&self) -> StoreResult<Vec<SourceSummary>> {
        self.readers.read(runs::summaries).await
    }

    async fn quarantine_counts(&self) -> StoreResult<Vec<QuarantineCount>> {
        self.readers.read(runs::quarantine_counts).await
    }

    async fn put_source_state(&self, state: SourceState) -> StoreResult<()> {
        self.write(1, move |connection, _| source_states::put(connection, &state)).await
    }

    async fn source_states(&self) -> StoreResult<Vec<SourceState>> {
        self.readers.read(source_states::all).await
    }
}

#[async_trait]
impl QuarantineStore for SqliteStore {
    async fn quarantined(&self, filter: QuarantineFilter) -> StoreResult<Vec<QuarantineRow>> {
        self.readers.read(move |connection| quarantine::list(connection, &filter)).await
    }

    async fn count_quarantined(&self, filter: QuarantineFilter) -> StoreResult<u64> {
        self.readers.read(move |connection| quarantine::count(connection, &filter)).await
    }

    async fn discard(
        &self,
        rows: Vec<i64>,
        who: &str,
        why: &str,
        now: Timestamp,
    ) -> StoreResult<u64> {
        let (who, why) = (who.to_owned(), why.to_owned());
        self.write(rows.len(), move |connection, _| {
            quarantine::discard(connection, rows, &who, &why, now)
        })
        .await
    }

    async fn decisions(&self) -> StoreResult<Vec<Decision>> {
        self.readers.read(decisions::all).await
    }
}

#[async_trait]
impl NewsStore for SqliteStore {
    async fn news(&self, filter: NewsFilter) -> StoreResult<Vec<StoredNews>> {
        self.readers.read(move |connection| news::list(connection, &filter)).await
    }

    async fn count_news(&self, filter: NewsFilter) -> StoreResult<u64> {
        self.readers.read(move |connection| news::count(connection, &filter)).await
    }
}

#[async_trait]
impl CommandStore for SqliteStore {
    async fn submit(&self, kind: CommandKind, now: Timestamp) -> StoreResult<CommandId> {
        self.add(move |connection| commands::submit(connection, &kind, now)).await
    }

    async fn submit_once(
        &self,
        asked: Once,
        kinds: Vec<CommandKind>,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> StoreResult<Submitted> {
        self.add(move |connection| once::submit(connection, &asked, &kinds, now, forget_before))
            .await
    }

    async fn claim(&self, reclaim: bool) -> StoreResult<Vec<Command>> {
        self.write(1, move |connection, _| commands::claim(connection, reclaim)).await
    }

    async fn claim_held(
        &self,
        held: &[(SourceName, u64)],
        under_way: &[CommandId],
    ) -> StoreResult<Vec<Command>> {
        let (held, under_way) = (held.to_vec(), under_way.to_vec());
        self.write(1, move |connection, _| commands::claim_held(connection, &held, &under_way))
            .await
    }

    async fn complete(
        &self,
        command: CommandId,
        epoch: u64,
        result: serde_json::Value,
    ) -> StoreResult<()> {
        self.write(1, move |connection, _| commands::complete(connection, command, epoch, &result))
            .await
    }

    async fn command(&self, command: CommandId) -> StoreResult<Option<Command>> {
        self.readers.read(move |connection| commands::command(connection, command)).await
    }
}

#[async_trait]
impl ReadStore for SqliteStore {
    async fn generation(&self) -> StoreResult<Generation> {
        self.readers.read(crate::changes::generation).await
    }

    fn watch(&self) -> watch::Receiver<Generation> {
        match &self.writing {
            Writing::All { writer, .. } => writer.watch(),
            Writing::Beside { silent, .. } | Writing::Nothing { silent } => silent.subscribe(),
        }
    }

    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation> {
        self.readers.read(move |connection| crate::changes::send(connection, since, &pieces)).await
    }

    async fn ping(&self) -> StoreResult<StoreInfo> {
        self.readers
            .read(|connection| {
                connection.query_row("SELECT value FROM generation", [], |_| Ok(()))?;
                Ok(StoreInfo { kind: "sqlite", schema_version: open::known_version() })
            })
            .await
    }
}

#[async_trait]
impl HistoryStore for SqliteStore {
    async fn history(
        &self,
        listing: ListingId,
        range: HistoryRange,
    ) -> StoreResult<Vec<HistoryPoint>> {
        self.readers.read(move |connection| history::points(connection, listing, range)).await
    }
}

#[async_trait]
impl AuditStore for SqliteStore {
    async fn audit(&self, audit: Audit) -> StoreResult<Audit> {
        self.readers.read_large(move |connection| audit::audit(connection, audit)).await
    }

    async fn integrity(&self) -> StoreResult<Vec<String>> {
        self.readers.read_large(audit::integrity).await
    }
}
