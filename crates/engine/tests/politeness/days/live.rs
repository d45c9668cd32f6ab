//! Lets a scenario come to pass.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{ManualClock, Run, Timestamp};
use kasparro_sim::{FaultPlan, HiddenLimits, LimitsReport, SimSettings, Simulator};
use kasparro_store::RunFilter;
use kasparro_testkit::get;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::place::Place;
use super::scenario::Scenario;
use super::time::{Time, UpstreamClock};
use super::workers::Fleet;

/// Requests in which every limit is surely learned: nobody is killed before. A refusal whose answer
/// nobody took in would teach nothing.
const LEARNED_AFTER: u64 = 40;

/// How long it takes until somebody notices that a worker is gone.
const NOTICED_AFTER: Duration = Duration::from_secs(30);

/// More runs than any scenario has.
const ALL: u32 = 1_000_000;

/// What came of a scenario.
pub(crate) struct Lived {
    /// What the simulator says of its hidden limits.
    pub(crate) report: LimitsReport,
    /// Every request in the order of arrival, as the simulator saw it.
    pub(crate) requests: Vec<Asked>,
    /// Every run, oldest first.
    pub(crate) runs: Vec<Run>,
    pub(crate) begins_at: Timestamp,
    pub(crate) ends_at: Timestamp,
    pub(crate) handovers: u32,
    pub(crate) kills: u32,
}

/// A line of `GET /_sim/requests`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Asked {
    pub(crate) at: Timestamp,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) status: u16,
}

#[derive(Deserialize)]
struct Requests {
    count: u64,
    requests: Vec<Asked>,
}

/// The upstream of a scenario, with its time.
struct Upstream {
    simulator: Arc<Simulator>,
    url: String,
    shutdown: CancellationToken,
}

impl Upstream {
    async fn start(scenario: &Scenario, time: &Arc<Time>) -> Self {
        let begins_at = time.now();
        let hidden = scenario.hidden.to_string();
        let simulator = Simulator::new(SimSettings {
            coins: scenario.coins,
            base_at: begins_at.minus(Duration::from_secs(3600)),
            ledger_rows_cap: 0,
            limits: Some(HiddenLimits::parse(hidden.as_bytes()).unwrap()),
            clock: Some(Arc::new(UpstreamClock::new(Arc::clone(time)))),
            step_by_clock: true,
            ..SimSettings::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let (serving, stopping) = (Arc::clone(&simulator), shutdown.clone());
        tokio::spawn(async move { serving.serve(listener, stopping).await });
        Self { simulator, url, shutdown }
    }

    /// Requests that the first limit allowed.
    fn allowed(&self) -> u64 {
        self.simulator.limits_report().rules.first().map_or(0, |rule| rule.allowed)
    }

    /// Ends once so many requests were allowed.
    async fn has_allowed(&self, requests: u64) {
        while self.allowed() < requests {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn requests(&self) -> Vec<Asked> {
        let url = format!("{}/_sim/requests", self.url);
        let text = tokio::task::spawn_blocking(move || get(&url).unwrap().text()).await.unwrap();
        let told: Requests = serde_json::from_str(&text).unwrap();
        assert_eq!(told.count, told.requests.len() as u64, "the simulator kept every request");
        told.requests
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Lets the days of a scenario pass.
pub(crate) async fn live(scenario: &Scenario) -> Lived {
    let begins_at = Timestamp::parse(scenario.begins_at).unwrap();
    let ends_at = begins_at.plus(scenario.span);
    let clock = Arc::new(ManualClock::new(begins_at));
    let folder = tempfile::tempdir().unwrap();
    let (place, its_clock) = Place::new(scenario.workers.store, folder.path(), &clock).await;
    let time = Time::new(clock, its_clock);
    let upstream = Upstream::start(scenario, &time).await;
    let url = upstream.url.clone();
    let mut fleet = Fleet::start(scenario, place, Arc::clone(&time), url, folder.path()).await;
    let mut chance = StdRng::seed_from_u64(7);
    let mut handovers = instants(scenario, begins_at, &mut chance);
    let mut faults = scenario.faults.clone();
    faults.sort_by_key(|(after, _)| std::cmp::Reverse(*after));
    let (mut handed_over, mut killed) = (0, 0);
    let mut next_kill = LEARNED_AFTER + chance.random_range(0..40);
    let mut due = fleet.next_start(None).await;
    while let Some(at) = due.filter(|at| *at < ends_at) {
        if let Some((after, plan)) = faults.pop_if(|(after, _)| begins_at.plus(*after) <= at) {
            time.pass_until(begins_at.plus(after));
            let plan = FaultPlan::parse(plan.to_string().as_bytes()).unwrap();
            upstream.simulator.set_faults(plan);
            continue;
        }
        if let Some(then) = handovers.pop_if(|then| *then <= at) {
            time.pass_until(then);
            fleet.hand_over(chance.random_range(0..100)).await;
            handed_over += 1;
            due = fleet.next_start(None).await;
            continue;
        }
        time.pass_until(at);
        let last_start = time.now();
        let kill = async {
            match killed < scenario.workers.kills {
                true => upstream.has_allowed(next_kill).await,
                false => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            biased;
            () = kill => false,
            _ = fleet.run() => true,
        };
        if ended {
            due = fleet.next_start(Some(last_start)).await;
        } else {
            time.pass(NOTICED_AFTER);
            fleet.lose(chance.random_range(0..100)).await;
            killed += 1;
            next_kill = upstream.allowed() + chance.random_range(20..120);
            due = fleet.next_start(None).await;
        }
    }
    time.pass_until(ends_at);
    let filter = RunFilter { limit: ALL, ..RunFilter::default() };
    let mut runs = fleet.store.runs(filter).await.unwrap();
    runs.sort_by_key(|run| run.created_at);
    let requests = upstream.requests().await;
    Lived {
        report: upstream.simulator.limits_report(),
        requests,
        runs,
        begins_at,
        ends_at,
        handovers: handed_over,
        kills: killed,
    }
}

/// When the source is handed over; the first instant last.
fn instants(scenario: &Scenario, begins_at: Timestamp, chance: &mut StdRng) -> Vec<Timestamp> {
    let span_ms = u64::try_from(scenario.span.as_millis()).unwrap();
    let mut random = || begins_at.plus(Duration::from_millis(chance.random_range(0..span_ms)));
    let mut instants: Vec<_> = (0..scenario.workers.handovers).map(|_| random()).collect();
    instants.sort_by_key(|then| std::cmp::Reverse(*then));
    instants
}
