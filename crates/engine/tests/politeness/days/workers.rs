//! Engines on one store, which take the source over from each other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Run, RunReason, SourceName, Timestamp};
use kasparro_engine::{
    Engine, EngineParts, EngineSource, FetchSettings, Holding, LeaseTimes, Lists, PageRules,
    Schedule,
};
use kasparro_store::Store;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::place::Place;
use super::scenario::Scenario;
use super::thin::Thin;
use super::time::{MovingPauses, Time};

/// Leases last as long as they are not given up: the test decides who holds the source.
const TIMES: LeaseTimes = LeaseTimes {
    ttl: Duration::from_secs(365 * 24 * 3600),
    renew_every: Duration::from_secs(60),
    look_every: Duration::from_secs(60),
};

/// The workers of a scenario; one of them holds the source.
pub(crate) struct Fleet<'a> {
    scenario: &'a Scenario,
    /// As one more process beside the workers sees it.
    pub(crate) store: Arc<dyn Store>,
    place: Place,
    time: Arc<Time>,
    upstream: String,
    folder: &'a Path,
    engines: Vec<Arc<Engine>>,
    holder: usize,
}

impl<'a> Fleet<'a> {
    /// Starts the workers, the first of which takes the source.
    pub(crate) async fn start(
        scenario: &'a Scenario,
        place: Place,
        time: Arc<Time>,
        upstream: String,
        folder: &'a Path,
    ) -> Self {
        let store = place.open().await;
        let mut fleet =
            Self { scenario, store, place, time, upstream, folder, engines: vec![], holder: 0 };
        for _ in 0..scenario.workers.count {
            let engine = fleet.engine().await;
            fleet.engines.push(engine);
        }
        fleet.take().await;
        fleet
    }

    pub(crate) fn source(&self) -> SourceName {
        SourceName::new(self.scenario.source)
    }

    const fn alone(&self) -> bool {
        self.scenario.workers.count == 1
    }

    async fn engine(&self) -> Arc<Engine> {
        let Scenario { source, options, thinning, schedule, .. } = self.scenario;
        let whole = kasparro_sources::build(source, options.clone()).unwrap();
        let source = EngineSource {
            source: Arc::new(Thin { whole, thinning: thinning.clone() }),
            enabled: true,
            schedule: Schedule::parse(schedule).unwrap(),
            lists: Schedule::parse("1d").unwrap(),
            options: kasparro_sources::public_options(source, options),
            stale_after: Duration::from_secs(3600),
            requests_per_minute: None,
            credits_per_month: None,
            page_rules: PageRules::default(),
        };
        let parts = EngineParts {
            store: self.place.open().await,
            clock: self.time.clock() as _,
            sources: vec![source],
            fetch: FetchSettings {
                upstream: Some(self.upstream.clone()),
                ..FetchSettings::default()
            },
            // One that works alone follows a process that is gone.
            holder: if self.alone() { "one".to_owned() } else { uuid::Uuid::now_v7().to_string() },
            holding: if self.alone() { Holding::Alone } else { Holding::Leased(TIMES) },
            spool_dir: self.folder.join("spool"),
            build: Arc::new(|name, options: &Value| {
                let built = kasparro_sources::build(name.as_str(), options.clone());
                built.map_err(|error| error.to_string())
            }),
            pauses: Arc::new(MovingPauses(Arc::clone(&self.time))),
            webhook: None,
        };
        Engine::start(parts).await.unwrap()
    }

    /// The worker at `holder` takes the source and finishes what was left of it.
    async fn take(&self) {
        let elsewhere = self.engines[self.holder].take(&[self.source()]).await.unwrap();
        assert_eq!(elsewhere, [], "the source is free");
    }

    /// The source goes to another worker in good order; one that works alone is started anew.
    pub(crate) async fn hand_over(&mut self, to: usize) {
        let before = Arc::clone(&self.engines[self.holder]);
        if self.alone() {
            before.stop();
            self.engines[0] = self.engine().await;
        } else {
            let at_once = CancellationToken::new();
            at_once.cancel();
            before.hold_on(at_once).await;
            self.holder = (self.holder + 1 + to % (self.engines.len() - 1)) % self.engines.len();
        }
        self.taken_over().await;
    }

    /// The worker that holds the source is gone, whatever it was about to do; another follows it.
    pub(crate) async fn lose(&mut self, to: usize) {
        // As the end of its lease would.
        let leases = self.store.leases().await.unwrap();
        for lease in leases.into_iter().filter(|lease| lease.live) {
            self.store.release(&lease.source, lease.epoch).await.unwrap();
        }
        self.engines[self.holder] = self.engine().await;
        self.holder = to % self.engines.len();
        self.taken_over().await;
    }

    async fn taken_over(&self) {
        if self.scenario.workers.forget {
            for named in self.store.budgets().await.unwrap() {
                let version = named.budget.version;
                let written =
                    self.store.put_budget(&named.source, &named.name, version, Value::Null);
                assert!(written.await.unwrap(), "nobody else writes");
            }
        }
        self.take().await;
    }

    /// When the source is due, after a run that began here at `last_start`.
    pub(crate) async fn next_start(&self, last_start: Option<Timestamp>) -> Option<Timestamp> {
        let engine = &self.engines[self.holder];
        engine.next_start(&self.source(), last_start).await.unwrap()
    }

    /// One run as the schedule starts it.
    pub(crate) async fn run(&self) -> Run {
        let engine = &self.engines[self.holder];
        let source = [self.source()];
        let runs = engine.run_now(&source, RunReason::Schedule, Lists::Due).await.unwrap();
        runs.into_iter().next().unwrap()
    }
}
