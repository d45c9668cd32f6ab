//! An engine over a store in memory, with a clock that stands still until it is moved.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{ManualClock, Run, RunReason, SourceName, Timestamp};
use kasparro_engine::{Engine, EngineError, EngineParts, EngineSource, FetchSettings, Schedule};
use kasparro_store::{MemoryStore, Store, TableDump};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) max_body_bytes: u64,
    pub(crate) upstream: Option<String>,
    pub(crate) sources: Vec<(&'static str, Value)>,
}

impl World {
    pub(crate) fn new(upstream: Option<String>, sources: Vec<(&'static str, Value)>) -> Self {
        let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        Self {
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(ManualClock::new(start)),
            folder: tempfile::tempdir().unwrap(),
            max_body_bytes: 1 << 20,
            upstream,
            sources,
        }
    }

    /// A world whose only source is CoinPaprika at `upstream`.
    pub(crate) fn tickers(upstream: String) -> Self {
        Self::new(Some(upstream), vec![("coinpaprika", json!({}))])
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
            schedule: Schedule::Never,
            stale_after: Duration::from_secs(3600),
            requests_per_minute: Some(10_000),
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
            holder: "test".to_owned(),
            spool_dir: self.folder.path().join("spool"),
        };
        Engine::start(parts).await
    }

    pub(crate) async fn run(&self, source: &str) -> Run {
        let engine = self.engine().await;
        let source = SourceName::new(source);
        engine.run_now(&[source], RunReason::Manual).await.unwrap().remove(0)
    }

    /// Every row that the digest covers, as text with its table's name.
    pub(crate) async fn kept(&self) -> BTreeSet<String> {
        let tables = self.store.dump().await.unwrap().into_iter().filter(|table| table.digested);
        let named = |table: TableDump| {
            let rows = table.rows.into_iter();
            rows.map(|row| format!("{} {row}", table.name)).collect::<Vec<_>>()
        };
        tables.flat_map(named).collect()
    }
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
