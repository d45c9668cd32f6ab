//! Healthy days of every source, on the built-in simulator.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{
    Clock, DriftSeverity, ManualClock, PageState, RunReason, RunStatus, SourceName, Timestamp,
};
use kasparro_engine::{
    Engine, EngineParts, EngineSource, FetchSettings, Holding, Lists, PageRules, Schedule,
    SourceBuilder,
};
use kasparro_sim::{SimSettings, Simulator};
use kasparro_store::{AnomalyAbout, AnomalyFilter, DriftFilter, PageFilter, RunFilter, Store};
use kasparro_store_sqlite::SqliteStore;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::world::{MovingPauses, assert_same, digested};

const HOUR: Duration = Duration::from_secs(3600);

/// How many days, and how large a market.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) days: u64,
    pub(crate) coins: u32,
}

/// The everyday test.
pub(crate) const SHORT: Span = Span { days: 2, coins: 120 };

/// What is claimed: two pages of CoinGecko, the second of them short.
pub(crate) const LONG: Span = Span { days: 30, coins: 280 };

/// What came of some days.
#[derive(Debug, Serialize)]
pub(crate) struct Lived {
    pub(crate) seed: u64,
    pub(crate) days: u64,
    coins: u32,
    pub(crate) runs_of_each_source: BTreeMap<String, u64>,
    pub(crate) runs_not_successful: u64,
    pub(crate) pages: u64,
    pub(crate) rows: u64,
    pub(crate) pages_refused: u64,
    pub(crate) drift_above_info: u64,
    /// Changes of nothing that is read: allowed, and told.
    pub(crate) drift_info: u64,
    pub(crate) drift: Vec<String>,
    pub(crate) run_anomalies: u64,
    pub(crate) anomalous_runs: Vec<Value>,
    /// Allowed: the tails of the simulated prices are fat.
    pub(crate) value_anomalies: u64,
}

fn sources() -> Vec<(&'static str, Value)> {
    let at = |path: &str| format!("https://files.example{path}");
    let feeds = ["/feed/rss.xml", "/feed/atom.xml", "/feed/feed.json"].map(at);
    vec![
        ("coingecko", json!({"pages": 2})),
        ("coinpaprika", json!({})),
        ("csv", json!({"paths": [at("/csv/assets.csv")]})),
        ("feed", json!({"urls": feeds})),
    ]
}

/// The simulator on a free port, with the time of the world.
async fn upstream(
    seed: u64,
    coins: u32,
    clock: Arc<dyn Clock>,
    begins_at: Timestamp,
) -> (String, CancellationToken) {
    let simulator = Simulator::new(SimSettings {
        seed,
        coins,
        lively: true,
        base_at: begins_at.minus(HOUR),
        clock: Some(clock),
        step_by_clock: true,
        ledger_rows_cap: 0,
        ..SimSettings::default()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let stopping = shutdown.clone();
    tokio::spawn(async move { simulator.serve(listener, stopping).await });
    (url, shutdown)
}

/// Lets so many days pass, with a run of every source each hour and of the lists each day.
pub(crate) async fn live(seed: u64, span: Span) -> Lived {
    let begins_at = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let clock = Arc::new(ManualClock::new(begins_at));
    let folder = tempfile::tempdir().unwrap();
    // Thirty days are too much for the store in memory, which copies itself at every commit.
    let open = |name: &str| -> Arc<dyn Store> {
        let file = folder.path().join(name);
        Arc::new(SqliteStore::open(file, Arc::clone(&clock) as _).unwrap())
    };
    let store = open("kasparro.db");
    let (url, shutdown) = upstream(seed, span.coins, Arc::clone(&clock) as _, begins_at).await;
    let spool_dir = folder.path().join("spool");
    let engine = engine(Arc::clone(&store), Arc::clone(&clock), url, spool_dir.clone()).await;
    for hour in 0..span.days * 24 {
        let at = begins_at.plus(Duration::from_secs(hour * 3600));
        clock.set(at.max(clock.now()));
        for (source, _) in sources() {
            let source = [SourceName::new(source)];
            engine.run_now(&source, RunReason::Schedule, Lists::Due).await.unwrap();
        }
    }
    shutdown.cancel();
    let lived = lived(store.as_ref(), seed, span).await;
    kasparro_engine::resolve_identity(Arc::clone(&store), clock.clone()).await.unwrap();
    let again = open("again.db");
    let (from, to) = (Arc::clone(&store), Arc::clone(&again));
    kasparro_engine::replay(from, to, clock.clone(), builder(), &spool_dir, &mut |_| {})
        .await
        .unwrap();
    let (kept, replayed) = (store.verify().await.unwrap(), again.verify().await.unwrap());
    assert_eq!((kept.violations, replayed.violations), (vec![], vec![]), "verify");
    if kept.digest != replayed.digest {
        assert_same(&digested(again.as_ref()).await, &digested(store.as_ref()).await);
    }
    assert_eq!(kept.digest, replayed.digest, "I15");
    lived
}

fn builder() -> SourceBuilder {
    Arc::new(|name, options| {
        kasparro_sources::build(name.as_str(), options.clone()).map_err(|error| error.to_string())
    })
}

async fn engine(
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    upstream: String,
    spool_dir: PathBuf,
) -> Arc<Engine> {
    let source = |(name, options): (&str, Value)| EngineSource {
        source: kasparro_sources::build(name, options.clone()).unwrap(),
        enabled: true,
        schedule: Schedule::Never,
        lists: Schedule::parse("1d").unwrap(),
        options: kasparro_sources::public_options(name, &options),
        stale_after: HOUR,
        requests_per_minute: None,
        credits_per_month: None,
        page_rules: PageRules::default(),
    };
    let parts = EngineParts {
        store,
        clock: Arc::clone(&clock) as _,
        sources: sources().into_iter().map(source).collect(),
        fetch: FetchSettings { upstream: Some(upstream), ..FetchSettings::default() },
        holder: "one".to_owned(),
        holding: Holding::Alone,
        spool_dir,
        build: builder(),
        pauses: Arc::new(MovingPauses(clock)),
        webhook: None,
    };
    Engine::start(parts).await.unwrap()
}

async fn lived(store: &dyn Store, seed: u64, span: Span) -> Lived {
    let all = RunFilter { limit: u32::MAX, ..RunFilter::default() };
    let runs = store.runs(all).await.unwrap();
    let mut runs_of_each_source = BTreeMap::new();
    for run in &runs {
        *runs_of_each_source.entry(run.source.to_string()).or_default() += 1;
    }
    let drift = store.drift(DriftFilter::default()).await.unwrap();
    let above = drift.iter().filter(|row| row.event.severity > DriftSeverity::Info).count() as u64;
    let about = |about| AnomalyFilter { about: Some(about), ..AnomalyFilter::default() };
    let anomalous = store.anomalies(about(AnomalyAbout::Runs)).await.unwrap();
    let refused = PageFilter { state: Some(PageState::Refused), ..PageFilter::default() };
    Lived {
        seed,
        days: span.days,
        coins: span.coins,
        runs_not_successful: runs.iter().filter(|run| run.status != RunStatus::Success).count()
            as u64,
        pages: runs.iter().map(|run| run.pages).sum(),
        rows: runs.iter().map(|run| run.counts.received).sum(),
        runs_of_each_source,
        pages_refused: store.count_pages(refused).await.unwrap(),
        drift_above_info: above,
        drift_info: drift.len() as u64 - above,
        drift: drift.iter().map(|row| format!("{:?}", row.event.key)).collect(),
        run_anomalies: anomalous.len() as u64,
        anomalous_runs: anomalous.iter().map(|one| json!(one)).collect(),
        value_anomalies: store.count_anomalies(about(AnomalyAbout::Values)).await.unwrap(),
    }
}
