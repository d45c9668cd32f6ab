//! The store's traits, each call handed to a connection or to a transaction. Batches, and what people decide,
//! are in [`crate::commit`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Client, Transaction};
use kasparro_domain::{
    Command, CommandId, CommandKind, Generation, ListingId, Run, RunId, RunReason, SourceName,
    Timestamp,
};
use kasparro_store::{
    Audit, AuditStore, CommandStore, HistoryPoint, HistoryRange, HistoryStore, Lease, LeaseStore,
    ListingRow, NewsFilter, NewsStore, Once, QuarantineCount, ReadStore, RunFilter, RunStore,
    RunUpdate, SourceState, SourceSummary, StoreInfo, StoreResult, StoredNews, Submitted,
};
use tokio::sync::{mpsc, watch};
use tokio_postgres::IsolationLevel;

use super::{PostgresStore, finish};
use crate::error::Queried;
use crate::listen::Listener;
use crate::queries::{
    audit, commands, history, integrity, leases, news, once, runs, source_states, summaries,
};
use crate::{changes, migrate};

/// Begins a transaction that reads one snapshot, for as long as whoever takes the rows needs.
pub(crate) async fn snapshot(client: &mut Client) -> Queried<Transaction<'_>> {
    let builder = client.build_transaction();
    let builder = builder.isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let transaction = builder.start().await?;
    // The server may wait for us longer than for one statement; whether we live it learns by other means.
    let unlimited = "SET LOCAL statement_timeout = 0; \
                     SET LOCAL idle_in_transaction_session_timeout = '10min'";
    transaction.batch_execute(unlimited).await?;
    Ok(transaction)
}

pub(super) async fn begin(client: &mut Client) -> Queried<Transaction<'_>> {
    Ok(client.transaction().await?)
}

#[async_trait]
impl LeaseStore for PostgresStore {
    async fn acquire(&self, source: &SourceName, holder: &str, ttl: Duration) -> StoreResult<u64> {
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        let epoch = leases::acquire(&transaction, source, holder, ttl).await?;
        finish(transaction).await?;
        Ok(epoch)
    }

    async fn renew(&self, source: &SourceName, epoch: u64, ttl: Duration) -> StoreResult<()> {
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        leases::renew(&transaction, source, epoch, ttl).await?;
        Ok(finish(transaction).await?)
    }

    async fn release(&self, source: &SourceName, epoch: u64) -> StoreResult<()> {
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        leases::release(&transaction, source, epoch).await?;
        Ok(finish(transaction).await?)
    }

    async fn leases(&self) -> StoreResult<Vec<Lease>> {
        let client = self.connection().await?;
        Ok(leases::all(&client).await?)
    }
}

#[async_trait]
impl RunStore for PostgresStore {
    async fn queue_run(
        &self,
        run_id: RunId,
        source: &SourceName,
        reason: RunReason,
        now: Timestamp,
    ) -> StoreResult<Run> {
        let client = self.connection().await?;
        Ok(runs::queue(&client, run_id, source, reason, now).await?)
    }

    async fn update_run(&self, run_id: RunId, epoch: u64, update: RunUpdate) -> StoreResult<()> {
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        runs::update(&transaction, run_id, epoch, &update).await?;
        Ok(finish(transaction).await?)
    }

    async fn run_options(&self, run_id: RunId) -> StoreResult<Option<serde_json::Value>> {
        let client = self.connection().await?;
        Ok(runs::options(&client, run_id).await?)
    }

    async fn run(&self, run_id: RunId) -> StoreResult<Option<Run>> {
        let client = self.connection().await?;
        Ok(runs::run(&client, run_id).await?)
    }

    async fn runs(&self, filter: RunFilter) -> StoreResult<Vec<Run>> {
        let client = self.connection().await?;
        Ok(runs::list(&client, &filter).await?)
    }

    async fn count_runs(&self, filter: RunFilter) -> StoreResult<u64> {
        let client = self.connection().await?;
        Ok(runs::count(&client, &filter).await?)
    }

    async fn source_summaries(&self) -> StoreResult<Vec<SourceSummary>> {
        let mut client = self.connection().await?;
        let transaction = snapshot(&mut client).await?;
        Ok(summaries::summaries(&transaction).await?)
    }

    async fn quarantine_counts(&self) -> StoreResult<Vec<QuarantineCount>> {
        let client = self.connection().await?;
        Ok(summaries::quarantine_counts(&client).await?)
    }

    async fn put_source_state(&self, state: SourceState) -> StoreResult<()> {
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        source_states::put(&transaction, &state).await?;
        Ok(finish(transaction).await?)
    }

    async fn source_states(&self) -> StoreResult<Vec<SourceState>> {
        let client = self.connection().await?;
        Ok(source_states::all(&client).await?)
    }
}

#[async_trait]
impl NewsStore for PostgresStore {
    async fn news(&self, filter: NewsFilter) -> StoreResult<Vec<StoredNews>> {
        let client = self.connection().await?;
        Ok(news::list(&client, &filter).await?)
    }

    async fn count_news(&self, filter: NewsFilter) -> StoreResult<u64> {
        let client = self.connection().await?;
        Ok(news::count(&client, &filter).await?)
    }
}

#[async_trait]
impl CommandStore for PostgresStore {
    async fn submit(&self, kind: CommandKind, now: Timestamp) -> StoreResult<CommandId> {
        let client = self.connection().await?;
        Ok(commands::submit(&client, &kind, now).await?)
    }

    async fn submit_once(
        &self,
        once: Once,
        kinds: Vec<CommandKind>,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> StoreResult<Submitted> {
        let mut client = self.connection().await?;
        // Looked at without a transaction first: whoever sends a request again mostly finds it here.
        if let Some(known) = once::before(&client, &once, forget_before).await? {
            return Ok(known);
        }
        let transaction = begin(&mut client).await?;
        let submitted = once::submit(&transaction, &once, &kinds, now, forget_before).await?;
        finish(transaction).await?;
        Ok(submitted)
    }

    async fn claim(&self, reclaim: bool) -> StoreResult<Vec<Command>> {
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        let claimed = commands::claim(&transaction, reclaim).await?;
        finish(transaction).await?;
        Ok(claimed)
    }

    async fn claim_held(
        &self,
        held: &[(SourceName, u64)],
        under_way: &[CommandId],
    ) -> StoreResult<Vec<Command>> {
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        let claimed = commands::claim_held(&transaction, held, under_way).await?;
        finish(transaction).await?;
        Ok(claimed)
    }

    async fn complete(
        &self,
        command: CommandId,
        epoch: u64,
        result: serde_json::Value,
    ) -> StoreResult<()> {
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        commands::complete(&transaction, command, epoch, &result).await?;
        Ok(finish(transaction).await?)
    }

    async fn command(&self, command: CommandId) -> StoreResult<Option<Command>> {
        let client = self.connection().await?;
        Ok(commands::command(&client, command).await?)
    }
}

#[async_trait]
impl ReadStore for PostgresStore {
    async fn generation(&self) -> StoreResult<Generation> {
        let client = self.connection().await?;
        Ok(changes::generation(&client).await?)
    }

    /// Announces commits of every process, those of this handle at once.
    fn watch(&self) -> watch::Receiver<Generation> {
        let start = || {
            let known = Arc::clone(&self.known);
            Listener::start(self.settings.clone(), known, self.announced.clone())
        };
        self.listener.get_or_init(start);
        self.announced.subscribe()
    }

    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation> {
        let mut client = self.connection().await?;
        let transaction = snapshot(&mut client).await?;
        Ok(changes::send(&transaction, since, &pieces).await?)
    }

    async fn ping(&self) -> StoreResult<StoreInfo> {
        let client = self.connection().await?;
        changes::generation(&client).await?;
        Ok(StoreInfo { kind: "postgres", schema_version: migrate::known_version() })
    }
}

#[async_trait]
impl HistoryStore for PostgresStore {
    async fn history(
        &self,
        listing: ListingId,
        range: HistoryRange,
    ) -> StoreResult<Vec<HistoryPoint>> {
        let client = self.connection().await?;
        Ok(history::points(&client, listing, range).await?)
    }
}

#[async_trait]
impl AuditStore for PostgresStore {
    async fn audit(&self, audit: Audit) -> StoreResult<Audit> {
        let mut client = self.connection().await?;
        let transaction = snapshot(&mut client).await?;
        Ok(audit::audit(&transaction, audit).await?)
    }

    async fn integrity(&self) -> StoreResult<Vec<String>> {
        let mut client = self.connection().await?;
        let transaction = snapshot(&mut client).await?;
        Ok(integrity::integrity(&transaction).await?)
    }
}
