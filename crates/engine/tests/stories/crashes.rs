//! A process that dies between two commits leaves a store that the next one completes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use kasparro_domain::*;
use kasparro_store::*;
use tokio::sync::{mpsc, watch};

use crate::upstream::{Upstream, json, page, ticker};
use crate::world::{World, assert_same};

/// A store that fails for good after so many commits, as a dying process would.
struct Dying {
    store: Arc<dyn Store>,
    commits_left: AtomicU32,
}

impl Dying {
    fn dead(&self) -> bool {
        self.commits_left.load(Ordering::SeqCst) == 0
    }

    fn alive(&self) -> StoreResult<()> {
        if self.dead() {
            Err(StoreError::Unavailable("the process died".to_owned()))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl BatchStore for Dying {
    async fn acquire(&self, source: &SourceName, holder: &str) -> StoreResult<u64> {
        self.store.acquire(source, holder).await
    }
    async fn memory(&self, source: &SourceName) -> StoreResult<SourceMemory> {
        self.store.memory(source).await
    }
    async fn settled(&self, page: PageId) -> StoreResult<Option<RunCounts>> {
        self.store.settled(page).await
    }
    async fn commit(&self, batch: Batch) -> StoreResult<Committed> {
        self.alive()?;
        self.commits_left.fetch_sub(1, Ordering::SeqCst);
        self.store.commit(batch).await
    }
}

#[async_trait]
impl PageStore for Dying {
    async fn land(&self, page: NewPage, body: CompressedBody) -> StoreResult<RawPage> {
        self.alive()?;
        self.store.land(page, body).await
    }
    async fn refuse(&self, page: PageId, error: RunError) -> StoreResult<()> {
        self.alive()?;
        self.store.refuse(page, error).await
    }
    async fn landed_pages(&self, source: &SourceName) -> StoreResult<Vec<RawPage>> {
        self.store.landed_pages(source).await
    }
    async fn last_loaded(
        &self,
        source: &SourceName,
        request: &serde_json::Value,
    ) -> StoreResult<Option<RawPage>> {
        self.store.last_loaded(source, request).await
    }
    async fn page(&self, page: PageId) -> StoreResult<Option<RawPage>> {
        self.store.page(page).await
    }
    async fn body_chunk(&self, body: BodyHash, index: u32) -> StoreResult<Option<Vec<u8>>> {
        self.store.body_chunk(body, index).await
    }
}

#[async_trait]
impl RunStore for Dying {
    async fn queue_run(
        &self,
        run_id: RunId,
        source: &SourceName,
        reason: RunReason,
        now: Timestamp,
    ) -> StoreResult<Run> {
        self.store.queue_run(run_id, source, reason, now).await
    }
    async fn update_run(&self, run_id: RunId, update: RunUpdate) -> StoreResult<()> {
        // The end of a run never reaches a store whose process is dead.
        if self.dead() { Ok(()) } else { self.store.update_run(run_id, update).await }
    }
    async fn run(&self, run_id: RunId) -> StoreResult<Option<Run>> {
        self.store.run(run_id).await
    }
    async fn runs(&self, filter: RunFilter) -> StoreResult<Vec<Run>> {
        self.store.runs(filter).await
    }
    async fn count_runs(&self, filter: RunFilter) -> StoreResult<u64> {
        self.store.count_runs(filter).await
    }
    async fn source_summaries(&self) -> StoreResult<Vec<SourceSummary>> {
        self.store.source_summaries().await
    }
    async fn quarantine_counts(&self) -> StoreResult<Vec<QuarantineCount>> {
        self.store.quarantine_counts().await
    }
    async fn put_source_state(&self, state: SourceState) -> StoreResult<()> {
        self.store.put_source_state(state).await
    }
    async fn source_states(&self) -> StoreResult<Vec<SourceState>> {
        self.store.source_states().await
    }
}

#[async_trait]
impl CommandStore for Dying {
    async fn submit(&self, kind: CommandKind, now: Timestamp) -> StoreResult<CommandId> {
        self.store.submit(kind, now).await
    }
    async fn claim(&self, reclaim: bool) -> StoreResult<Vec<Command>> {
        self.store.claim(reclaim).await
    }
    async fn complete(&self, command: CommandId, result: serde_json::Value) -> StoreResult<()> {
        self.store.complete(command, result).await
    }
    async fn command(&self, command: CommandId) -> StoreResult<Option<Command>> {
        self.store.command(command).await
    }
}

#[async_trait]
impl HistoryStore for Dying {
    async fn history(
        &self,
        listing: ListingId,
        range: HistoryRange,
    ) -> StoreResult<Vec<HistoryPoint>> {
        self.store.history(listing, range).await
    }
}

#[async_trait]
impl AuditStore for Dying {
    async fn dump(&self) -> StoreResult<Vec<TableDump>> {
        self.store.dump().await
    }
}

#[async_trait]
impl ReadStore for Dying {
    async fn generation(&self) -> StoreResult<Generation> {
        self.store.generation().await
    }
    fn watch(&self) -> watch::Receiver<Generation> {
        self.store.watch()
    }
    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation> {
        self.store.changes(since, pieces).await
    }
    async fn ping(&self) -> StoreResult<StoreInfo> {
        self.store.ping().await
    }
}

/// A page longer than a batch, with a row for quarantine, a repeated row and one of its own time.
fn long_page() -> String {
    let at = "2025-12-31T23:00:00Z";
    let mut rows: Vec<_> =
        (0..11_000).map(|n| ticker(&format!("coin-{n}"), n + 1, &format!("{n}.5"), at)).collect();
    rows.push(ticker("coin-3", 4, "99", at));
    rows.push(ticker("bad", 1, "1e400", at));
    page(&rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_a_page_broken_off_after_any_batch_is_completed_to_the_same_store() {
    let upstream = Upstream::start(vec![answer()]).await;
    let control = big_world(&upstream);
    let whole = control.run("coinpaprika").await;
    assert_eq!(
        (whole.counts.received, whole.counts.duplicate, whole.counts.quarantined),
        (11_002, 1, 1)
    );
    for commits in 1..3 {
        let world = big_world(&upstream);
        let commits_left = AtomicU32::new(commits);
        let dying = Dying { store: Arc::clone(&world.store), commits_left };
        let engine = world.engine_on(Arc::new(dying)).await;
        let source = [SourceName::new("coinpaprika")];
        let run = engine.run_now(&source, RunReason::Manual).await.unwrap().remove(0);
        assert_eq!(run.status, RunStatus::Running, "the dead process could not end its run");
        drop(engine);

        world.engine().await;
        let after = world.store.run(run.run_id).await.unwrap().unwrap();
        assert_eq!(after.status, RunStatus::Abandoned);
        assert_eq!(after.counts, whole.counts, "after {commits} commits");
        assert_same(&world.kept().await, &control.kept().await);
    }
}

fn answer() -> Vec<u8> {
    json(&long_page())
}

fn big_world(upstream: &Upstream) -> World {
    World { max_body_bytes: 32 << 20, ..World::tickers(upstream.origin()) }
}
