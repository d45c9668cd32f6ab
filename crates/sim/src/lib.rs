//! A built-in upstream: generated coins behind the paths of CoinPaprika and CoinGecko, CSV files and
//! news feeds, over real HTTP, with a ledger of every row that was served.
//!
//! Values are a function of seed and step, never of the number of requests, and the step moves only when it
//! is told to, or with the clock where [`SimSettings::step_by_clock`] says so: otherwise a simulator left
//! alone sends the same bytes for ever. The world is
//! computed and not stored, and bodies are written while they are sent: what grows is the ledger, up to
//! its cap, and four bytes a coin for each order in which CoinGecko's pages were asked.
//!
//! [`Simulator::open`] with [`SimSettings::replay`] serves captured bodies instead, byte for byte, the
//! next capture of each path at each step.
//!
//! A fault plan ([`FaultPlan`], `PUT /_sim/faults`) makes it answer wrongly on purpose, the same way for the
//! same requests. The answers that a plan cuts or changes are held in memory as a whole.
//!
//! Hidden limits ([`HiddenLimits`], `PUT /_sim/limits`) refuse what is over them and keep a record of it, by
//! the machine's clock or by an injected one ([`SimSettings::clock`]).
//!
//! Generated single coins (`/v1/tickers/{id}`, `/api/v3/coins/{id}`) are not served: they answer as the vendors do
//! for an id that they do not know.

mod answer;
mod body;
mod chance;
mod clock;
mod coingecko;
mod coinpaprika;
mod conditional;
mod connection;
mod control;
mod csv;
mod error;
mod faults;
mod feed;
mod fields;
mod http;
mod ledger;
mod life;
mod limits;
mod market;
mod names;
mod order;
mod path;
mod replay;
mod requests;
mod secrets;
mod settings;
mod text;
mod vendors;

mod walk;
mod whole;
mod world;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kasparro_domain::Timestamp;
use tokio::net::TcpListener;
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub use error::SimError;
pub use faults::{FaultPlan, FaultPlanError};
pub use ledger::{LedgerEntry, LedgerRow};
pub use limits::{
    HiddenLimits, HiddenLimitsError, LimitReport, LimitViolation, LimitViolationKind, LimitsReport,
};
pub use secrets::name_of_key;
pub use settings::SimSettings;

use crate::clock::Time;
use crate::connection::{Connection, Connections};
use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::replay::Replay;
use crate::requests::RequestLog;
use crate::world::World;

/// How long open answers may take after the shutdown was asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// A simulated upstream.
#[derive(Debug)]
pub struct Simulator {
    settings: SimSettings,
    world: Arc<World>,
    replay: Option<Replay>,
    step: AtomicU64,
    ledger: Arc<Ledger>,
    requests: RequestLog,
    faults: Faults,
    limits: Limits,
    time: Time,
}

impl Simulator {
    /// The last step that a simulator can stand at.
    pub const MAX_STEP: u64 = 1_000_000_000;

    /// A simulator of generated coins at step 0; it costs the same for any number of coins.
    ///
    /// It reads no file, so [`SimSettings::replay`] and [`SimSettings::faults`] are put back to `None`:
    /// [`Simulator::open`] reads both.
    #[must_use]
    pub fn new(settings: SimSettings) -> Arc<Self> {
        Self::with(SimSettings { replay: None, faults: None, ..settings }, None)
    }

    /// A simulator at step 0, of the captures in [`SimSettings::replay`] where it names a folder, and with
    /// the faults of [`SimSettings::faults`] where it names a plan.
    ///
    /// # Errors
    /// The folder's manifest is missing or not understood, or names a file that is not there or lies
    /// outside of the folder; the fault plan cannot be read or is not understood.
    pub fn open(settings: SimSettings) -> Result<Arc<Self>, SimError> {
        let replay = settings.replay.as_deref().map(Replay::open).transpose()?;
        let plan = settings.faults.as_deref().map(read_plan).transpose()?;
        let simulator = Self::with(settings, replay);
        simulator.set_faults(plan.unwrap_or_default());
        Ok(simulator)
    }

    fn with(settings: SimSettings, replay: Option<Replay>) -> Arc<Self> {
        let world = Arc::new(World::new(&settings));
        let ledger = Arc::new(Ledger::new(settings.ledger_rows_cap));
        let limits = Limits::default();
        limits.set(settings.limits.clone().unwrap_or_default());
        let time = Time::new(settings.clock.clone());
        Arc::new(Self {
            settings,
            world,
            replay,
            step: AtomicU64::new(0),
            ledger,
            requests: RequestLog::default(),
            faults: Faults::default(),
            limits,
            time,
        })
    }

    /// Opens the ledger file, where there is one; [`Simulator::serve`] does it otherwise.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open_ledger(&self) -> io::Result<()> {
        let Some(path) = &self.settings.ledger else {
            return Ok(());
        };
        self.ledger.append_to(path).map_err(|error| {
            let message = format!("cannot write the ledger {}: {error}", path.display());
            io::Error::new(error.kind(), message)
        })
    }

    /// Answers requests until `shutdown`, then finishes open answers for at most ten seconds.
    ///
    /// # Errors
    /// The ledger file cannot be opened, or the listener fails.
    pub async fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        self.open_ledger()?;
        let service = http::router(self).into_make_service_with_connect_info::<Connection>();
        let server = axum::serve(Connections(listener), service)
            .with_graceful_shutdown(shutdown.clone().cancelled_owned());
        let overdue = async {
            shutdown.cancelled().await;
            time::sleep(DRAIN).await;
        };
        tokio::select! {
            result = server.into_future() => result,
            () = overdue => Ok(()),
            () = self.keep_stepping(&shutdown) => Ok(()),
        }
    }

    /// Moves the step at its interval; never returns.
    async fn keep_stepping(&self, shutdown: &CancellationToken) {
        if let Some(period) = self.settings.step_every.filter(|period| !period.is_zero()) {
            let mut ticks = time::interval_at(time::Instant::now() + period, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
                self.step();
            }
        }
        std::future::pending().await
    }

    /// Moves to the next step, which it returns; the last one stays. Where the step follows the clock it
    /// moves nothing.
    pub fn step(&self) -> u64 {
        if self.settings.step_by_clock {
            return self.current_step();
        }
        let next = |step: u64| (step < Self::MAX_STEP).then_some(step + 1);
        match self.step.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next) {
            Ok(before) => before + 1,
            Err(last) => last,
        }
    }

    /// Moves to `step`, also backwards, at most to [`Simulator::MAX_STEP`]; returns where it stands. Where
    /// the step follows the clock it moves nothing.
    pub fn set_step(&self, step: u64) -> u64 {
        if self.settings.step_by_clock {
            return self.current_step();
        }
        let step = step.min(Self::MAX_STEP);
        self.step.store(step, Ordering::SeqCst);
        step
    }

    /// The step that the next answer is for.
    #[must_use]
    pub fn current_step(&self) -> u64 {
        if self.settings.step_by_clock {
            return self.world.step_at(self.time.now()).min(Self::MAX_STEP);
        }
        self.step.load(Ordering::SeqCst)
    }

    /// The instant that the ledger states: that of the injected clock, else the simulated one of `step`.
    fn at(&self, step: u64) -> Timestamp {
        self.time.injected().unwrap_or_else(|| self.world.now(step))
    }

    /// Simulated time: `base_at` and one `step_span` for each step.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.world.now(self.current_step())
    }

    /// The settings it was made with.
    #[must_use]
    pub fn settings(&self) -> &SimSettings {
        &self.settings
    }

    /// The ledger as far as it is kept in memory, oldest entry first.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        self.ledger.to_public()
    }

    /// Requests for data so far, answered with rows or not.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.requests.count()
    }

    /// Plays a fault plan from its beginning in place of the one before; an empty one ends all faults.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.faults.play(plan);
    }

    /// Lets these limits hold in place of the ones before, with nothing used up; empty ones end all limits.
    pub fn set_limits(&self, limits: HiddenLimits) {
        self.limits.set(limits);
    }

    /// What became of requests since the limits were set.
    #[must_use]
    pub fn limits_report(&self) -> LimitsReport {
        self.limits.report()
    }

    /// How often each rule of the fault plan fired since it was set, in the plan's order.
    #[must_use]
    pub fn faults_fired(&self) -> Vec<u64> {
        self.faults.fired()
    }
}

fn read_plan(path: &Path) -> Result<FaultPlan, SimError> {
    let text = std::fs::read(path)
        .map_err(|source| SimError::FaultsUnreadable { path: path.to_owned(), source })?;
    FaultPlan::parse(&text)
        .map_err(|source| SimError::FaultsInvalid { path: path.to_owned(), source })
}
