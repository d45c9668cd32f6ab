//! A store whose database can go away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use kasparro_domain::{
    BodyHash, Command, CommandId, CommandKind, Generation, ListingId, PageId, RawPage, Run,
    RunCounts, RunError, RunId, RunReason, SourceName, Timestamp,
};
use kasparro_store::*;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

/// Hands everything on while the database is there.
#[derive(Debug, Default)]
pub(super) struct FaultyStore {
    pub(super) inner: MemoryStore,
    pub(super) away: AtomicBool,
}

impl FaultyStore {
    pub(super) fn shared() -> Arc<Self> {
        Arc::default()
    }

    fn there(&self) -> StoreResult<&MemoryStore> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable(
                "secret-host:5432 refused the connection".to_owned(),
            ));
        }
        Ok(&self.inner)
    }
}

macro_rules! hand_on {
    ($trait:ident { $(fn $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $trait for FaultyStore {
            $(async fn $name(&self, $($argument: $kind),*) -> StoreResult<$answer> {
                self.there()?.$name($($argument),*).await
            })*
        }
    };
}

hand_on!(PageStore {
    fn land(page: NewPage, body: CompressedBody) -> RawPage;
    fn refuse(page: PageId, error: RunError) -> ();
    fn landed_pages(source: &SourceName) -> Vec<RawPage>;
    fn last_loaded(source: &SourceName, request: &Value) -> Option<RawPage>;
    fn page(page: PageId) -> Option<RawPage>;
    fn body_chunk(body: BodyHash, index: u32) -> Option<Vec<u8>>;
});

hand_on!(BatchStore {
    fn acquire(source: &SourceName, holder: &str) -> u64;
    fn settled(page: PageId) -> Option<RunCounts>;
    fn memory(source: &SourceName) -> SourceMemory;
    fn commit(batch: Batch) -> Committed;
});

hand_on!(RunStore {
    fn queue_run(run_id: RunId, source: &SourceName, reason: RunReason, now: Timestamp) -> Run;
    fn update_run(run_id: RunId, update: RunUpdate) -> ();
    fn run(run_id: RunId) -> Option<Run>;
    fn runs(filter: RunFilter) -> Vec<Run>;
    fn count_runs(filter: RunFilter) -> u64;
    fn source_summaries() -> Vec<SourceSummary>;
    fn quarantine_counts() -> Vec<QuarantineCount>;
    fn put_source_state(state: SourceState) -> ();
    fn source_states() -> Vec<SourceState>;
});

hand_on!(CommandStore {
    fn submit(kind: CommandKind, now: Timestamp) -> CommandId;
    fn claim(reclaim: bool) -> Vec<Command>;
    fn complete(command: CommandId, result: Value) -> ();
    fn command(command: CommandId) -> Option<Command>;
});

hand_on!(HistoryStore {
    fn history(listing: ListingId, range: HistoryRange) -> Vec<HistoryPoint>;
});

hand_on!(AuditStore {
    fn dump() -> Vec<TableDump>;
});

#[async_trait]
impl ReadStore for FaultyStore {
    async fn generation(&self) -> StoreResult<Generation> {
        self.there()?.generation().await
    }

    fn watch(&self) -> watch::Receiver<Generation> {
        self.inner.watch()
    }

    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation> {
        self.there()?.changes(since, pieces).await
    }

    async fn ping(&self) -> StoreResult<StoreInfo> {
        self.there()?.ping().await
    }
}
