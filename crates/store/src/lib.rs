//! What we keep: the contract of a store, by capability.
//!
//! A store is used as `Arc<dyn Store>`; no transaction handle leaves it. Everything that belongs
//! together is one call, and one call is one transaction.

mod audit;
mod batch;
mod changed;
#[cfg(feature = "contract")]
pub mod contract;
mod error;
mod history;
mod memory;
mod page;
mod read;

pub use audit::{AuditDump, Origin, PageRecord, QuarantineRecord, TableDump};
pub use batch::{
    Batch, BatchRow, Committed, KnownListing, QuarantinedRow, RowChange, SourceMemory,
};
pub use changed::{decode_changed, encode_changed};
pub use error::{StoreError, StoreResult};
pub use history::{HistoryPoint, HistoryRange};
pub use memory::MemoryStore;
pub use page::{CHUNK_BYTES, CompressedBody, NewPage};
pub use read::{
    ListingRow, QuarantineCount, RunFilter, RunUpdate, SourceState, SourceSummary, StoreInfo,
};

use async_trait::async_trait;
use kasparro_domain::{
    BodyHash, Command, CommandId, CommandKind, Generation, ListingId, PageId, RawPage, RunCounts,
    RunError, RunId, RunReason, SourceName, Timestamp,
};
use tokio::sync::{mpsc, watch};

/// Keeps raw pages.
#[async_trait]
pub trait PageStore: Send + Sync {
    /// Makes a page and its body durable, before anything of it is parsed. A body that is already
    /// kept is not written again.
    async fn land(&self, page: NewPage, body: CompressedBody) -> StoreResult<RawPage>;

    /// Marks a landed page as not believed as a whole, with the reason.
    async fn refuse(&self, page: PageId, error: RunError) -> StoreResult<()>;

    /// Pages of a source in state `landed`, in landing order: what a crash left unfinished.
    async fn landed_pages(&self, source: &SourceName) -> StoreResult<Vec<RawPage>>;

    /// Pages of a run in state `loaded`, in landing order.
    async fn loaded_pages(&self, run_id: RunId) -> StoreResult<Vec<RawPage>>;

    /// The newest loaded page of a source for the same request description, if any.
    async fn last_loaded(
        &self,
        source: &SourceName,
        request: &serde_json::Value,
    ) -> StoreResult<Option<RawPage>>;

    /// One page.
    async fn page(&self, page: PageId) -> StoreResult<Option<RawPage>>;

    /// Chunk number `index` (from 0) of a compressed body; `None` past the end.
    async fn body_chunk(&self, body: BodyHash, index: u32) -> StoreResult<Option<Vec<u8>>>;
}

/// Commits batches and remembers how far each source is.
#[async_trait]
pub trait BatchStore: Send + Sync {
    /// Takes the source for this process and returns the new epoch; batches of older epochs are
    /// refused from now on.
    async fn acquire(&self, source: &SourceName, holder: &str) -> StoreResult<u64>;

    /// What is known of a source: its checkpoint, the next batch sequence and every listing.
    async fn memory(&self, source: &SourceName) -> StoreResult<SourceMemory>;

    /// What became of the rows of a loaded page, if no batch of a later run of its source wrote a row:
    /// bringing the same body again would then say what is known. `None` otherwise.
    async fn settled(&self, page: PageId) -> StoreResult<Option<RunCounts>>;

    /// Commits one batch in one transaction: listings, quotes, history, quarantine, manifest, the
    /// page's progress, the run's counters, the checkpoint and, last of all, the generation.
    ///
    /// A batch whose source and sequence are known is not applied again; its outcome is returned.
    async fn commit(&self, batch: Batch) -> StoreResult<Committed>;
}

/// Keeps the log of runs.
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Records a run as `queued`. Where the source has a queued or running run already, nothing is
    /// recorded and that run is returned.
    async fn queue_run(
        &self,
        run_id: RunId,
        source: &SourceName,
        reason: RunReason,
        now: Timestamp,
    ) -> StoreResult<kasparro_domain::Run>;

    /// Moves a run on: start, requests so far, end.
    async fn update_run(&self, run_id: RunId, update: RunUpdate) -> StoreResult<()>;

    /// One run.
    async fn run(&self, run_id: RunId) -> StoreResult<Option<kasparro_domain::Run>>;

    /// Runs that fit, newest first.
    async fn runs(&self, filter: RunFilter) -> StoreResult<Vec<kasparro_domain::Run>>;

    /// How many runs fit, `limit` and `offset` left aside.
    async fn count_runs(&self, filter: RunFilter) -> StoreResult<u64>;

    /// Totals and latest runs of every source that ever ran.
    async fn source_summaries(&self) -> StoreResult<Vec<SourceSummary>>;

    /// Quarantined rows that are open, by source and reason.
    async fn quarantine_counts(&self) -> StoreResult<Vec<QuarantineCount>>;

    /// What the engine shows others about a source (JSON), written when it changes.
    async fn put_source_state(&self, state: SourceState) -> StoreResult<()>;

    /// The stored state of every source.
    async fn source_states(&self) -> StoreResult<Vec<SourceState>>;
}

/// Carries requests from one process to the process that holds the store.
#[async_trait]
pub trait CommandStore: Send + Sync {
    /// Writes a command row.
    async fn submit(&self, kind: CommandKind, now: Timestamp) -> StoreResult<CommandId>;

    /// Takes every pending command, oldest first. With `reclaim`, also those that a dead holder had
    /// claimed.
    async fn claim(&self, reclaim: bool) -> StoreResult<Vec<Command>>;

    /// Records the outcome of a claimed command.
    async fn complete(&self, command: CommandId, result: serde_json::Value) -> StoreResult<()>;

    /// One command.
    async fn command(&self, command: CommandId) -> StoreResult<Option<Command>>;
}

/// Serves the read model.
#[async_trait]
pub trait ReadStore: Send + Sync {
    /// The newest committed generation.
    async fn generation(&self) -> StoreResult<Generation>;

    /// Announces commits made through this handle.
    fn watch(&self) -> watch::Receiver<Generation>;

    /// Sends every listing that changed after `since` (all of them for generation 0), in pieces and
    /// by ascending id, read in one snapshot; returns that snapshot's generation.
    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation>;

    /// Touches the database: `Ok` when it answers.
    async fn ping(&self) -> StoreResult<StoreInfo>;
}

/// Serves the points of the past.
#[async_trait]
pub trait HistoryStore: Send + Sync {
    /// Points of one listing by instant and revision; empty for an unknown listing.
    async fn history(
        &self,
        listing: ListingId,
        range: HistoryRange,
    ) -> StoreResult<Vec<HistoryPoint>>;
}

/// Shows everything that is kept, for comparing stores.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Every table in canonical text, read in one snapshot. Stores that went through the same story
    /// give equal dumps, whatever numbers they minted.
    async fn dump(&self) -> StoreResult<Vec<TableDump>>;
}

/// Everything a store can do.
pub trait Store:
    PageStore + BatchStore + RunStore + CommandStore + ReadStore + HistoryStore + AuditStore
{
}

impl<T> Store for T where
    T: PageStore + BatchStore + RunStore + CommandStore + ReadStore + HistoryStore + AuditStore
{
}
