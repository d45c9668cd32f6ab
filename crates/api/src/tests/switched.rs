//! A store that a test sends away, or makes hang.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use kasparro_domain::{
    BodyHash, Command, CommandId, CommandKind, Decision, Generation, ListingId, PageId, RawPage,
    Run, RunCounts, RunError, RunId, RunReason, SourceName, Timestamp,
};
use kasparro_store::{
    Audit, AuditStore, Batch, BatchStore, CommandStore, Committed, CompressedBody, HistoryPoint,
    HistoryRange, HistoryStore, Lease, LeaseStore, ListingRow, NewPage, NewsFilter, NewsStore,
    PageRecord, PageStore, QuarantineCount, QuarantineFilter, QuarantineRow, QuarantineStore,
    ReadStore, RunFilter, RunStore, RunUpdate, SourceMemory, SourceState, SourceSummary, Store,
    StoreError, StoreInfo, StoreResult, StoredNews,
};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

/// Hands every call on, unless it is switched off.
pub(in crate::tests) struct SwitchedStore {
    inner: Arc<dyn Store>,
    /// True while every call fails, with a text that nobody may see.
    away: Arc<AtomicBool>,
    /// True while no call returns.
    pub(in crate::tests) hanging: AtomicBool,
    /// Calls under way that hang.
    pub(in crate::tests) stuck: AtomicU32,
}

/// A call that hangs; counts until it is dropped.
struct Stuck<'a>(&'a AtomicU32);

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl SwitchedStore {
    pub(in crate::tests) fn new(inner: Arc<dyn Store>, away: Arc<AtomicBool>) -> Self {
        Self { inner, away, hanging: AtomicBool::new(false), stuck: AtomicU32::new(0) }
    }

    async fn before(&self) -> StoreResult<&dyn Store> {
        if self.hanging.load(Ordering::SeqCst) {
            self.stuck.fetch_add(1, Ordering::SeqCst);
            let _counted = Stuck(&self.stuck);
            std::future::pending::<()>().await;
        }
        if self.away.load(Ordering::SeqCst) {
            let why = "secret-host:5432 refused the connection".to_owned();
            return Err(StoreError::Unavailable(why));
        }
        Ok(self.inner.as_ref())
    }
}

macro_rules! hand_on {
    ($trait:ident { $(fn $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $trait for SwitchedStore {
            $(async fn $name(&self, $($argument: $kind),*) -> StoreResult<$answer> {
                self.before().await?.$name($($argument),*).await
            })*
        }
    };
}

hand_on!(PageStore {
    fn land(page: NewPage, body: CompressedBody) -> RawPage;
    fn refuse(page: PageId, epoch: u64, error: RunError) -> ();
    fn landed_pages(source: &SourceName) -> Vec<RawPage>;
    fn loaded_pages(run_id: RunId) -> Vec<RawPage>;
    fn last_loaded(source: &SourceName, request: &Value) -> Option<RawPage>;
    fn page(page: PageId) -> Option<RawPage>;
    fn pages_after(after: PageId, limit: u32) -> Vec<PageRecord>;
    fn body_chunk(body: BodyHash, index: u32) -> Option<Vec<u8>>;
});

hand_on!(LeaseStore {
    fn acquire(source: &SourceName, holder: &str, ttl: Duration) -> u64;
    fn renew(source: &SourceName, epoch: u64, ttl: Duration) -> ();
    fn release(source: &SourceName, epoch: u64) -> ();
    fn leases() -> Vec<Lease>;
});

hand_on!(BatchStore {
    fn settled(page: PageId) -> Option<RunCounts>;
    fn memory(source: &SourceName) -> SourceMemory;
    fn next_sequence(source: &SourceName) -> u64;
    fn commit(batch: Batch) -> Committed;
});

hand_on!(RunStore {
    fn queue_run(run_id: RunId, source: &SourceName, reason: RunReason, now: Timestamp) -> Run;
    fn update_run(run_id: RunId, epoch: u64, update: RunUpdate) -> ();
    fn run_options(run_id: RunId) -> Option<Value>;
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
    fn claim_held(held: &[(SourceName, u64)], under_way: &[CommandId]) -> Vec<Command>;
    fn complete(command: CommandId, epoch: u64, result: Value) -> ();
    fn command(command: CommandId) -> Option<Command>;
});

hand_on!(HistoryStore {
    fn history(listing: ListingId, range: HistoryRange) -> Vec<HistoryPoint>;
});

hand_on!(QuarantineStore {
    fn quarantined(filter: QuarantineFilter) -> Vec<QuarantineRow>;
    fn count_quarantined(filter: QuarantineFilter) -> u64;
    fn discard(rows: Vec<i64>, who: &str, why: &str, now: Timestamp) -> u64;
    fn decisions() -> Vec<Decision>;
});

hand_on!(NewsStore {
    fn news(filter: NewsFilter) -> Vec<StoredNews>;
    fn count_news(filter: NewsFilter) -> u64;
});

hand_on!(AuditStore {
    fn audit(audit: Audit) -> Audit;
    fn integrity() -> Vec<String>;
});

#[async_trait]
impl ReadStore for SwitchedStore {
    async fn generation(&self) -> StoreResult<Generation> {
        self.before().await?.generation().await
    }

    fn watch(&self) -> watch::Receiver<Generation> {
        self.inner.watch()
    }

    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation> {
        self.before().await?.changes(since, pieces).await
    }

    async fn ping(&self) -> StoreResult<StoreInfo> {
        self.before().await?.ping().await
    }
}
