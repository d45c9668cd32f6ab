//! A store that fails, or does not answer, when a test says so.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kasparro_domain::{
    Alert, Anomaly, ApiKey, BodyHash, Command, CommandId, CommandKind, Decision, DecisionId,
    DriftId, DriftRow, Generation, ListingId, PageId, RawPage, Run, RunCounts, RunError, RunId,
    RunReason, SourceName, Timestamp,
};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::{
    AlertOutcome, AlertStore, AnomalyFilter, AnomalyStore, Audit, AuditStore, Batch, BatchStore,
    BudgetStore, CommandStore, Committed, CompressedBody, DriftFilter, DriftStore, Examined,
    HistoryPoint, HistoryRange, HistoryStore, IdentityDecision, IdentityInput, IdentityPosition,
    IdentityRecord, IdentityStore, KeyEnd, KeyStore, KeysMark, Lease, LeaseStore, ListingRow,
    NamedBudget, NewKey, NewPage, NewsFilter, NewsStore, Once, PageFilter, PageRecord, PageStore,
    QuarantineCount, QuarantineFilter, QuarantineRow, QuarantineStore, ReadStore, Reopening,
    Resolution, ResolutionRow, RunFilter, RunStore, RunUpdate, SharedUsage, Sighting, SourceMemory,
    SourceState, SourceSummary, Store, StoreInfo, StoreResult, StoredBudget, StoredEdge,
    StoredNews, Submitted, Usage, UsageStore,
};

/// What a hook says in the end.
type Said = Pin<Box<dyn Future<Output = StoreResult<()>> + Send>>;

/// Asked before each call, by the name of the method; its error becomes that of the call.
type Hook = Box<dyn Fn(&'static str) -> Said + Send + Sync>;

/// A store that hands every call on, unless a test makes it fail or wait.
pub struct FailingStore {
    inner: Arc<dyn Store>,
    hook: Hook,
}

impl std::fmt::Debug for FailingStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FailingStore").finish_non_exhaustive()
    }
}

impl FailingStore {
    /// Hands calls on to `inner` where `hook`, which is given the name of the method, allows it.
    pub fn new(
        inner: Arc<dyn Store>,
        hook: impl Fn(&'static str) -> StoreResult<()> + Send + Sync + 'static,
    ) -> Self {
        Self::waiting(inner, move |call| std::future::ready(hook(call)))
    }

    /// The same with a hook whose word is waited for.
    pub fn waiting<F>(
        inner: Arc<dyn Store>,
        hook: impl Fn(&'static str) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = StoreResult<()>> + Send + 'static,
    {
        Self { inner, hook: Box::new(move |call| Box::pin(hook(call))) }
    }

    async fn before(&self, call: &'static str) -> StoreResult<&dyn Store> {
        (self.hook)(call).await?;
        Ok(self.inner.as_ref())
    }
}

macro_rules! hand_on {
    ($trait:ident { $(fn $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $trait for FailingStore {
            $(async fn $name(&self, $($argument: $kind),*) -> StoreResult<$answer> {
                self.before(stringify!($name)).await?.$name($($argument),*).await
            })*
        }
    };
}

hand_on!(PageStore {
    fn land(page: NewPage, body: CompressedBody) -> RawPage;
    fn refuse(page: PageId, epoch: u64, error: RunError, examined: Option<Examined>) -> ();
    fn reopen(page: PageId, epoch: u64, reopening: Reopening) -> RawPage;
    fn pages(filter: PageFilter) -> Vec<PageRecord>;
    fn count_pages(filter: PageFilter) -> u64;
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
    fn submit_once(once: Once, kinds: Vec<CommandKind>, now: Timestamp, forget_before: Timestamp) -> Submitted;
    fn claim(reclaim: bool) -> Vec<Command>;
    fn claim_held(held: &[(SourceName, u64)], under_way: &[CommandId]) -> Vec<Command>;
    fn complete(command: CommandId, epoch: u64, result: Value) -> ();
    fn command(command: CommandId) -> Option<Command>;
});

hand_on!(KeyStore {
    fn keys() -> Vec<ApiKey>;
    fn keys_since(known: Option<KeysMark>) -> Option<(KeysMark, Vec<ApiKey>)>;
    fn add_key(key: NewKey) -> ();
    fn add_first_key(key: ApiKey) -> bool;
    fn end_key(key_id: &str, end: KeyEnd) -> bool;
    fn note_key_uses(uses: Vec<(String, Timestamp)>) -> ();
});

hand_on!(UsageStore {
    fn share_usage(used: Vec<Usage>, since: Timestamp) -> SharedUsage;
    fn forget_usage(before: Timestamp) -> ();
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

hand_on!(DriftStore {
    fn profile(source: &SourceName, endpoint: &str) -> Option<Value>;
    fn drift(filter: DriftFilter) -> Vec<DriftRow>;
    fn count_drift(filter: DriftFilter) -> u64;
    fn accept_drift(drift: Vec<DriftId>, who: &str, why: &str, now: Timestamp) -> u64;
});

hand_on!(AnomalyStore {
    fn anomalies(filter: AnomalyFilter) -> Vec<Anomaly>;
    fn count_anomalies(filter: AnomalyFilter) -> u64;
});

hand_on!(BudgetStore {
    fn budget(source: &SourceName, name: &str) -> StoredBudget;
    fn put_budget(source: &SourceName, name: &str, version: u64, state: Value) -> bool;
    fn budgets() -> Vec<NamedBudget>;
});

hand_on!(AlertStore {
    fn due_alerts(sources: &[SourceName], now: Timestamp, limit: u32) -> Vec<Alert>;
    fn settle_alert(alert_id: i64, outcome: AlertOutcome) -> ();
    fn alerts(limit: u32) -> Vec<Alert>;
});

hand_on!(IdentityStore {
    fn identity_position() -> IdentityPosition;
    fn identity_input(since: Generation, pieces: mpsc::Sender<Vec<IdentityInput>>) -> IdentityPosition;
    fn sightings(source: &SourceName, since: Timestamp) -> Vec<Sighting>;
    fn commit_resolution(resolution: Resolution) -> Generation;
    fn identity_records(listings: &[ListingId]) -> Vec<IdentityRecord>;
    fn asset_edges(listings: &[ListingId]) -> Vec<StoredEdge>;
    fn resolutions(limit: u32) -> Vec<ResolutionRow>;
    fn decide_identity(decision: IdentityDecision) -> DecisionId;
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
impl ReadStore for FailingStore {
    async fn generation(&self) -> StoreResult<Generation> {
        self.before("generation").await?.generation().await
    }

    fn watch(&self) -> watch::Receiver<Generation> {
        self.inner.watch()
    }

    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation> {
        self.before("changes").await?.changes(since, pieces).await
    }

    async fn ping(&self) -> StoreResult<StoreInfo> {
        self.before("ping").await?.ping().await
    }
}
