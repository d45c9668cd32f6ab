//! What we keep: the contract of a store, by capability.
//!
//! A store is used as `Arc<dyn Store>`; no transaction handle leaves it. Everything that belongs
//! together is one call, and one call is one transaction.

mod access;
mod anomaly;
mod audit;
mod batch;
mod budget;
mod changed;
mod check;
mod content;
#[cfg(feature = "contract")]
pub mod contract;
mod drift;
mod error;
mod history;
mod identity;
mod lease;
mod memory;
mod news;
mod page;
mod quarantine;
mod read;
mod transfer;

pub use access::{KeyEnd, KeysMark, NewKey, Once, SharedUsage, Submitted, Usage};
pub use anomaly::{AnomalyAbout, AnomalyFilter, RowAnomaly};
pub use audit::{
    Audit, AuditReport, BodyChunks, EvidenceRecord, Origin, PageRecord, QuarantineRecord,
    TableAudit, TableDump, Violation,
};
pub use batch::{
    Batch, BatchRow, Committed, EvidenceChange, EvidenceRow, KnownEvidence, KnownListing,
    KnownNews, KnownQuote, ListingRef, NewsRow, QuarantinedRow, Retry, RowChange, SourceMemory,
    Sweep,
};
pub use budget::{AlertOutcome, NamedBudget, StoredBudget};
pub use changed::{decode_changed, encode_changed};
pub use content::{evidence_hash, news_hash};
pub use drift::{DriftFilter, Examined};
pub use error::{StoreError, StoreResult};
pub use history::{HistoryPoint, HistoryRange};
pub use identity::{
    DatedStatement, EdgeRow, IdentityDecision, IdentityInput, IdentityPosition, IdentityRecord,
    IdentityRow, IdentityTotals, PastStatement, Resolution, ResolutionRow, Sighting, StoredEdge,
};
pub use lease::Lease;
pub use memory::MemoryStore;
pub use news::{NewsFilter, StoredNews};
pub use page::{CHUNK_BYTES, CompressedBody, NewPage, PageFilter, Reopening};
pub use quarantine::{QuarantineFilter, QuarantineRow, QuarantineStatus};
pub use read::{
    Findings, ListingRow, QuarantineCount, RunFilter, RunUpdate, SourceState, SourceSummary,
    StoreInfo,
};
pub use transfer::{
    Arrival, Cell, CellKind, ColumnSpec, Copied, CopyError, CopyProgress, GENERATION, NOT_COPIED,
    PIECE_BYTES, Piece, Rows, TABLES, TableSpec, TransferStore, copy, not_empty, receiver_gone,
};

use std::time::Duration;

use async_trait::async_trait;
use kasparro_domain::{
    Alert, Anomaly, ApiKey, BodyHash, Command, CommandId, CommandKind, Decision, DecisionId,
    DriftId, DriftRow, Generation, ListingId, PageId, RawPage, RunCounts, RunError, RunId,
    RunReason, SourceName, Timestamp,
};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

/// Keeps raw pages.
#[async_trait]
pub trait PageStore: Send + Sync {
    /// Makes a page and its body durable, before anything of it is parsed. A body that is already
    /// kept is not written again. [`StoreError::Fenced`] where the page's epoch is over.
    async fn land(&self, page: NewPage, body: CompressedBody) -> StoreResult<RawPage>;

    /// Marks a landed page as not believed as a whole, with the reason, and keeps what has changed since
    /// the pages before, as far as examining it got. [`StoreError::Fenced`] where `epoch` is over.
    async fn refuse(
        &self,
        page: PageId,
        epoch: u64,
        error: RunError,
        examined: Option<Examined>,
    ) -> StoreResult<()>;

    /// Makes a refused page landed again and writes the decision down, in one transaction. The page keeps
    /// its run; what is loaded of it counts for the run of whoever loads it. [`StoreError::Fenced`] where
    /// `epoch` is over, [`StoreError::Conflict`] where the page is not refused.
    async fn reopen(&self, page: PageId, epoch: u64, reopening: Reopening) -> StoreResult<RawPage>;

    /// Pages that fit, by ascending number.
    async fn pages(&self, filter: PageFilter) -> StoreResult<Vec<PageRecord>>;

    /// How many pages fit, `limit` and `offset` left aside.
    async fn count_pages(&self, filter: PageFilter) -> StoreResult<u64>;

    /// Pages of a source in state `landed`, in landing order: what a crash left unfinished.
    async fn landed_pages(&self, source: &SourceName) -> StoreResult<Vec<RawPage>>;

    /// Pages of a run in state `loaded`, in landing order.
    async fn loaded_pages(&self, run_id: RunId) -> StoreResult<Vec<RawPage>>;

    /// The newest loaded page of a source for the same request description, if any.
    async fn last_loaded(
        &self,
        source: &SourceName,
        request: &Value,
    ) -> StoreResult<Option<RawPage>>;

    /// One page.
    async fn page(&self, page: PageId) -> StoreResult<Option<RawPage>>;

    /// Pages of every source and state behind page number `after`, in landing order, at most `limit`:
    /// what replay reads.
    async fn pages_after(&self, after: PageId, limit: u32) -> StoreResult<Vec<PageRecord>>;

    /// Chunk number `index` (from 0) of a compressed body; `None` past the end.
    async fn body_chunk(&self, body: BodyHash, index: u32) -> StoreResult<Option<Vec<u8>>>;
}

/// Says who may move a source forward.
///
/// A lease is a holder, an epoch and an expiry in the time of the database. An epoch is over when a later
/// one was granted, and only then: a lease that has expired and that nobody took may be renewed. A source
/// that was never taken has epoch 0. Every write about a source is checked against its epoch in the
/// transaction of the write.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Takes a source for `ttl` and returns the new epoch; what is written under older epochs is refused
    /// from now on. Whoever holds it may take it again.
    ///
    /// # Errors
    /// [`StoreError::Held`] while another holder has it.
    async fn acquire(&self, source: &SourceName, holder: &str, ttl: Duration) -> StoreResult<u64>;

    /// Holds on to a source for `ttl` from now.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the epoch is over.
    async fn renew(&self, source: &SourceName, epoch: u64, ttl: Duration) -> StoreResult<()>;

    /// Gives a source up, so that others may take it at once. Nothing happens when the epoch is over.
    async fn release(&self, source: &SourceName, epoch: u64) -> StoreResult<()>;

    /// Every lease that was ever granted, by source.
    async fn leases(&self) -> StoreResult<Vec<Lease>>;
}

/// Commits batches and remembers how far each source is.
#[async_trait]
pub trait BatchStore: Send + Sync {
    /// What is known of a source: its checkpoint, the next batch sequence and every listing.
    async fn memory(&self, source: &SourceName) -> StoreResult<SourceMemory>;

    /// The number for the next batch of a source. Whoever remembers another one remembers another store: it
    /// was brought back to an earlier state, or somebody else wrote.
    async fn next_sequence(&self, source: &SourceName) -> StoreResult<u64>;

    /// What became of the rows of a loaded page, if no batch of a later run of its source wrote a row:
    /// bringing the same body again would then say what is known. `None` otherwise. Batches of a
    /// [`Retry`] are batches of a later run.
    async fn settled(&self, page: PageId) -> StoreResult<Option<RunCounts>>;

    /// Commits one batch in one transaction: listings, quotes, history, evidence, news, quarantine,
    /// decision, manifest, the page's progress, the run's counters, the checkpoint and, last of all, the
    /// generation.
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

    /// Moves a run on: start, end. [`StoreError::Fenced`] where `epoch` of its source is over.
    async fn update_run(&self, run_id: RunId, epoch: u64, update: RunUpdate) -> StoreResult<()>;

    /// The options of its source that a run was started with; `None` before its start.
    async fn run_options(&self, run_id: RunId) -> StoreResult<Option<Value>>;

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

/// Shows quarantined rows and keeps what people decide about them.
#[async_trait]
pub trait QuarantineStore: Send + Sync {
    /// Rows that fit, by ascending number.
    async fn quarantined(&self, filter: QuarantineFilter) -> StoreResult<Vec<QuarantineRow>>;

    /// How many rows fit, `after`, `limit` and `offset` left aside.
    async fn count_quarantined(&self, filter: QuarantineFilter) -> StoreResult<u64>;

    /// Gives open rows up, all in one transaction with one decision for each source; returns how many
    /// were open. Rows that are not open stay as they are.
    async fn discard(
        &self,
        rows: Vec<i64>,
        who: &str,
        why: &str,
        now: Timestamp,
    ) -> StoreResult<u64>;

    /// Every decision, oldest first. A retry is recorded by the commit of its batch.
    async fn decisions(&self) -> StoreResult<Vec<Decision>>;
}

/// Keeps what is learned of endpoints, and the changes that were found.
#[async_trait]
pub trait DriftStore: Send + Sync {
    /// What is known of an endpoint, as the engine wrote it with its last loaded page.
    async fn profile(&self, source: &SourceName, endpoint: &str) -> StoreResult<Option<Value>>;

    /// Changes that fit, by ascending number.
    async fn drift(&self, filter: DriftFilter) -> StoreResult<Vec<DriftRow>>;

    /// How many changes fit, `after`, `limit` and `offset` left aside.
    async fn count_drift(&self, filter: DriftFilter) -> StoreResult<u64>;

    /// Accepts open changes, all in one transaction with one decision for each source; returns how many
    /// were open.
    async fn accept_drift(
        &self,
        drift: Vec<DriftId>,
        who: &str,
        why: &str,
        now: Timestamp,
    ) -> StoreResult<u64>;
}

/// Shows what is unusual. Anomalies are kept by commits and by the ends of runs.
#[async_trait]
pub trait AnomalyStore: Send + Sync {
    /// Anomalies that fit, newest first.
    async fn anomalies(&self, filter: AnomalyFilter) -> StoreResult<Vec<Anomaly>>;

    /// How many anomalies fit, `limit` and `offset` left aside.
    async fn count_anomalies(&self, filter: AnomalyFilter) -> StoreResult<u64>;
}

/// Keeps how much of the limits of upstreams is spent.
#[async_trait]
pub trait BudgetStore: Send + Sync {
    /// One budget; version 0 where nothing is stored.
    async fn budget(&self, source: &SourceName, name: &str) -> StoreResult<StoredBudget>;

    /// Replaces a budget where it still has this version, and raises the version by one; false where
    /// somebody else was faster.
    async fn put_budget(
        &self,
        source: &SourceName,
        name: &str,
        version: u64,
        state: Value,
    ) -> StoreResult<bool>;

    /// Every budget, by source and name.
    async fn budgets(&self) -> StoreResult<Vec<NamedBudget>>;
}

/// Keeps alerts until they are delivered. They are raised by the ends of runs.
#[async_trait]
pub trait AlertStore: Send + Sync {
    /// Alerts of these sources that are to be sent at `now`, oldest first, at most `limit`.
    async fn due_alerts(
        &self,
        sources: &[SourceName],
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Alert>>;

    /// Records how sending an alert went.
    async fn settle_alert(&self, alert_id: i64, outcome: AlertOutcome) -> StoreResult<()>;

    /// The newest alerts, newest first, at most `limit`.
    async fn alerts(&self, limit: u32) -> StoreResult<Vec<Alert>>;
}

/// Keeps what is decided about which listings are one asset.
#[async_trait]
pub trait IdentityStore: Send + Sync {
    /// Which evidence there is, and what was resolved last.
    async fn identity_position(&self) -> StoreResult<IdentityPosition>;

    /// Sends what speaks for the identity of every listing that changed after `since` (of all of them for
    /// generation 0; some that did not change in this respect may be among them), in pieces and by
    /// ascending id, read in one snapshot; returns that snapshot's position.
    async fn identity_input(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<IdentityInput>>,
    ) -> StoreResult<IdentityPosition>;

    /// The loaded pages of a source that were fetched at or after `since`, by instant and endpoint.
    async fn sightings(&self, source: &SourceName, since: Timestamp) -> StoreResult<Vec<Sighting>>;

    /// Writes what a resolution changed, in one transaction that raises the generation.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where evidence has changed since, another resolution came first, a founder
    /// stands in another listing's asset itself, or two listings of one source would share an asset.
    async fn commit_resolution(&self, resolution: Resolution) -> StoreResult<Generation>;

    /// What is decided about these listings, by ascending id; nothing for those never looked at.
    async fn identity_records(&self, listings: &[ListingId]) -> StoreResult<Vec<IdentityRecord>>;

    /// Edges from or to one of these listings, in their order.
    async fn asset_edges(&self, listings: &[ListingId]) -> StoreResult<Vec<StoredEdge>>;

    /// The newest resolutions, newest first, at most `limit`.
    async fn resolutions(&self, limit: u32) -> StoreResult<Vec<ResolutionRow>>;

    /// Writes a decision about pairs of listings down, and that evidence has changed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where one of the listings is not known.
    async fn decide_identity(&self, decision: IdentityDecision) -> StoreResult<DecisionId>;
}

/// Serves news.
#[async_trait]
pub trait NewsStore: Send + Sync {
    /// News that fits, newest first.
    async fn news(&self, filter: NewsFilter) -> StoreResult<Vec<StoredNews>>;

    /// How many items fit, `limit` and `offset` left aside.
    async fn count_news(&self, filter: NewsFilter) -> StoreResult<u64>;
}

/// Carries requests from one process to the process that holds the store.
#[async_trait]
pub trait CommandStore: Send + Sync {
    /// Writes a command row.
    async fn submit(&self, kind: CommandKind, now: Timestamp) -> StoreResult<CommandId>;

    /// Writes command rows, in one transaction, and with them by which name the caller will know them
    /// again. Where the caller used that name before, for the same or for something else, nothing is
    /// written. Names of before `forget_before` are forgotten first.
    async fn submit_once(
        &self,
        once: Once,
        kinds: Vec<CommandKind>,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> StoreResult<Submitted>;

    /// Takes every pending command, oldest first, for a process that works on the store alone. With
    /// `reclaim`, also those that a dead holder had claimed.
    async fn claim(&self, reclaim: bool) -> StoreResult<Vec<Command>>;

    /// Takes the commands about sources that are held under these epochs, oldest first: those that are
    /// pending, those that were claimed under another epoch, whose holder has lost the source, and those
    /// that were claimed under the same epoch and are not `under_way`, since the answer to that claim was
    /// lost. A source whose epoch is over brings none.
    async fn claim_held(
        &self,
        held: &[(SourceName, u64)],
        under_way: &[CommandId],
    ) -> StoreResult<Vec<Command>>;

    /// Records the outcome of a command that was claimed under this epoch, which must not be over.
    async fn complete(&self, command: CommandId, epoch: u64, result: Value) -> StoreResult<()>;

    /// One command.
    async fn command(&self, command: CommandId) -> StoreResult<Option<Command>>;
}

/// Keeps what is known of keys. None of it is in the digest, and nothing of it raises the generation.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Every key that was ever made, by instant of making, then public id.
    async fn keys(&self) -> StoreResult<Vec<ApiKey>>;

    /// The same with their mark, or nothing where they still have the mark `known`. Asked every second by
    /// everybody who lets keys in, so it costs little while nothing changes.
    async fn keys_since(
        &self,
        known: Option<KeysMark>,
    ) -> StoreResult<Option<(KeysMark, Vec<ApiKey>)>>;

    /// Keeps a new key, and ends the one that it replaces, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the public id is taken, and where the replaced key is not known or
    /// not good any more when the new one was made.
    async fn add_key(&self, key: NewKey) -> StoreResult<()>;

    /// Keeps a new key where there is none at all; true where it did.
    async fn add_first_key(&self, key: ApiKey) -> StoreResult<bool>;

    /// Ends a key; false where it is not known.
    async fn end_key(&self, key_id: &str, end: KeyEnd) -> StoreResult<bool>;

    /// Records when keys were used last; an instant before the one on record, and a key that is not
    /// known, change nothing.
    async fn note_key_uses(&self, uses: Vec<(String, Timestamp)>) -> StoreResult<()>;
}

/// Keeps how much clients used, so that all processes share their limits and a restart forgets none.
#[async_trait]
pub trait UsageStore: Send + Sync {
    /// Adds to what was counted, and returns what all have counted together in slots that began at or
    /// after `since`: of the clients in `used`, of every client where `used` is empty.
    async fn share_usage(&self, used: Vec<Usage>, since: Timestamp) -> StoreResult<SharedUsage>;

    /// Forgets slots that began before an instant.
    async fn forget_usage(&self, before: Timestamp) -> StoreResult<()>;
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

/// Shows everything that is kept, to compare stores and to check them.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Hands everything that is kept to `audit`, read in one snapshot: table by table in the order of
    /// the methods of [`Audit`], and within a table in the order that each method names.
    async fn audit(&self, audit: Audit) -> StoreResult<Audit>;

    /// What the database itself finds wrong with its file or tables, in words; empty when nothing is.
    async fn integrity(&self) -> StoreResult<Vec<String>>;

    /// Every table in canonical text, read in one snapshot. Stores that went through the same story
    /// give equal dumps, whatever numbers they minted.
    async fn dump(&self) -> StoreResult<Vec<TableDump>> {
        Ok(self.audit(Audit::dump()).await?.into_dump())
    }

    /// The digest of the store and every violation of an invariant, read in one snapshot. Its memory
    /// grows with the number of pages, of listings and their contracts, and of quarantined rows that are
    /// settled; not with the points of history.
    async fn verify(&self) -> StoreResult<AuditReport> {
        let mut report = self.audit(Audit::digest()).await?.report()?;
        let found = self.integrity().await?;
        report.violations.extend(found.into_iter().map(Violation::integrity));
        Ok(report)
    }
}

/// Everything a store can do.
pub trait Store:
    PageStore
    + LeaseStore
    + BatchStore
    + RunStore
    + QuarantineStore
    + DriftStore
    + AnomalyStore
    + BudgetStore
    + AlertStore
    + IdentityStore
    + NewsStore
    + CommandStore
    + KeyStore
    + UsageStore
    + ReadStore
    + HistoryStore
    + AuditStore
{
}

impl<T> Store for T where
    T: PageStore
        + LeaseStore
        + BatchStore
        + RunStore
        + QuarantineStore
        + DriftStore
        + AnomalyStore
        + BudgetStore
        + AlertStore
        + IdentityStore
        + NewsStore
        + CommandStore
        + KeyStore
        + UsageStore
        + ReadStore
        + HistoryStore
        + AuditStore
{
}
