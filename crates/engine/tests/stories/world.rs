//! An engine over a store in memory, with a clock that stands still until it is moved.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kasparro_domain::{Clock, ManualClock, Run, RunReason, SourceName, Timestamp};
use kasparro_engine::{
    Engine, EngineError, EngineParts, EngineSource, FetchSettings, Holding, Lists, PageRules,
    Pauses, Schedule, SourceBuilder, Webhook,
};
use kasparro_store::{KnownListing, MemoryStore, Store, TableDump};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) max_body_bytes: u64,
    pub(crate) upstream: Option<String>,
    pub(crate) sources: Vec<(&'static str, Value)>,
    /// When values are asked for.
    pub(crate) schedule: Schedule,
    /// When lists are asked for.
    pub(crate) lists: Schedule,
    /// How engines hold their sources.
    pub(crate) holding: Holding,
    /// When pages are refused as a whole: most stories are about single rows.
    pub(crate) page_rules: PageRules,
    pub(crate) requests_per_minute: u32,
    /// How engines wait.
    pub(crate) pauses: Arc<dyn Pauses>,
    /// Where engines send alerts.
    pub(crate) webhook: Option<Webhook>,
    /// False while something happened that was not proven.
    proven: Proven,
}

/// Lets the clock pass in place of waiting.
#[derive(Debug)]
pub(crate) struct MovingPauses(pub(crate) Arc<ManualClock>);

impl Pauses for MovingPauses {
    fn pause(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.advance(wait);
        Box::pin(tokio::task::yield_now())
    }
}

#[derive(Debug)]
struct Proven(AtomicBool);

/// A story that nobody proved proves nothing.
impl Drop for Proven {
    fn drop(&mut self) {
        let proven = self.0.load(Ordering::SeqCst);
        assert!(proven || std::thread::panicking(), "call prove() at the end of the story");
    }
}

impl World {
    pub(crate) fn new(upstream: Option<String>, sources: Vec<(&'static str, Value)>) -> Self {
        let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let clock = Arc::new(ManualClock::new(start));
        Self {
            store: Arc::new(MemoryStore::new()),
            pauses: Arc::new(MovingPauses(Arc::clone(&clock))),
            clock,
            folder: tempfile::tempdir().unwrap(),
            max_body_bytes: 1 << 20,
            upstream,
            sources,
            schedule: Schedule::Never,
            lists: Schedule::Never,
            holding: Holding::Alone,
            requests_per_minute: 10_000,
            page_rules: PageRules {
                max_bad_percent: 100,
                min_rows_percent: 0,
                ..PageRules::default()
            },
            webhook: None,
            proven: Proven(AtomicBool::new(true)),
        }
    }

    /// Every invariant holds, and the raw pages and decisions give the same store again.
    pub(crate) async fn prove(&self) {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock) as _);
        kasparro_engine::resolve_identity(store, clock).await.unwrap();
        let kept = self.store.verify().await.unwrap();
        assert_eq!(kept.violations, [], "verify");
        let again: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let spool_dir = self.folder.path().join("replay");
        let (from, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock) as _);
        kasparro_engine::replay(
            from,
            Arc::clone(&again),
            clock,
            builder(),
            &spool_dir,
            &mut |_| {},
        )
        .await
        .unwrap();
        let replayed = again.verify().await.unwrap();
        assert_eq!(replayed.violations, [], "verify of the replayed store");
        if replayed.digest != kept.digest {
            assert_same(&digested(again.as_ref()).await, &self.kept().await);
        }
        assert_eq!(replayed.digest, kept.digest, "I15");
        self.proven.0.store(true, Ordering::SeqCst);
    }

    /// A world whose only source is CoinPaprika at `upstream`.
    pub(crate) fn tickers(upstream: String) -> Self {
        Self::new(Some(upstream), vec![("coinpaprika", json!({}))])
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        Clock::now(self.clock.as_ref())
    }

    pub(crate) async fn engine(&self) -> Arc<Engine> {
        self.engine_on(Arc::clone(&self.store)).await
    }

    /// An engine of another process, or on another store.
    pub(crate) async fn engine_on(&self, store: Arc<dyn Store>) -> Arc<Engine> {
        self.try_engine_on(store).await.unwrap()
    }

    /// The same where starting may fail.
    pub(crate) async fn try_engine_on(
        &self,
        store: Arc<dyn Store>,
    ) -> Result<Arc<Engine>, EngineError> {
        let sources = self.sources.iter().map(|(name, options)| EngineSource {
            source: kasparro_sources::build(name, options.clone()).unwrap(),
            enabled: true,
            schedule: self.schedule.clone(),
            lists: self.lists.clone(),
            options: kasparro_sources::public_options(name, options),
            stale_after: Duration::from_secs(3600),
            requests_per_minute: Some(self.requests_per_minute),
            credits_per_month: None,
            page_rules: self.page_rules,
        });
        let parts = EngineParts {
            store,
            clock: Arc::clone(&self.clock) as _,
            sources: sources.collect(),
            fetch: FetchSettings {
                upstream: self.upstream.clone(),
                backoff: Duration::from_millis(1),
                max_body_bytes: self.max_body_bytes,
                ..FetchSettings::default()
            },
            // One that works alone follows a process that is gone.
            holder: match self.holding {
                Holding::Alone => "test".to_owned(),
                Holding::Leased(_) => uuid::Uuid::now_v7().to_string(),
            },
            holding: self.holding,
            spool_dir: self.folder.path().join("spool"),
            build: builder(),
            pauses: Arc::clone(&self.pauses),
            webhook: self.webhook.clone(),
        };
        self.proven.0.store(false, Ordering::SeqCst);
        Engine::start(parts).await
    }

    pub(crate) async fn run(&self, source: &str) -> Run {
        let engine = self.engine().await;
        let source = SourceName::new(source);
        let runs = engine.run_now(&[source], RunReason::Manual, Lists::Due).await.unwrap();
        self.prove().await;
        runs.into_iter().next().unwrap()
    }

    /// What is known of the listings of a source.
    pub(crate) async fn listings(&self, source: &str) -> Vec<KnownListing> {
        self.store.memory(&SourceName::new(source)).await.unwrap().listings
    }

    /// Every row that the digest covers, as text with its table's name.
    pub(crate) async fn kept(&self) -> BTreeSet<String> {
        digested(self.store.as_ref()).await
    }
}

pub(crate) async fn digested(store: &dyn Store) -> BTreeSet<String> {
    let tables = store.dump().await.unwrap().into_iter().filter(|table| table.digested);
    let named = |table: TableDump| {
        let rows = table.rows.into_iter();
        rows.map(|row| format!("{} {row}", table.name)).collect::<Vec<_>>()
    };
    tables.flat_map(named).collect()
}

fn builder() -> SourceBuilder {
    Arc::new(|name, options| {
        kasparro_sources::build(name.as_str(), options.clone()).map_err(|error| error.to_string())
    })
}

/// Compares what two stores keep, naming only what differs.
pub(crate) fn assert_same(left: &BTreeSet<String>, right: &BTreeSet<String>) {
    let different: Vec<_> = left.symmetric_difference(right).take(5).collect();
    assert!(different.is_empty(), "{different:#?}");
    assert!(!left.is_empty());
}

/// Writes a file and returns its path as text.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}
