//! A built-in upstream: generated coins behind the paths of CoinPaprika and CoinGecko, CSV files and
//! news feeds, over real HTTP, with a ledger of every row that was served.
//!
//! Values are a function of seed and step, never of the clock or of the number of requests, and the step
//! moves only when it is told to: a simulator left alone sends the same bytes for ever. The world is
//! computed and not stored, and bodies are written while they are sent: what grows is the ledger, up to
//! its cap, and four bytes a coin for each order in which CoinGecko's pages were asked.
//!
//! Single coins (`/v1/tickers/{id}`, `/api/v3/coins/{id}`) are not served: they answer as the vendors do
//! for an id that they do not know.

mod answer;
mod chance;
mod coingecko;
mod coinpaprika;
mod control;
mod csv;
mod feed;
mod http;
mod ledger;
mod market;
mod names;
mod order;
mod requests;
mod settings;
mod text;
mod walk;
mod world;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::serve::ListenerExt;
use kasparro_domain::Timestamp;
use tokio::net::TcpListener;
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub use ledger::{LedgerEntry, LedgerRow};
pub use settings::SimSettings;

use crate::ledger::Ledger;
use crate::requests::RequestLog;
use crate::world::World;

/// How long open answers may take after the shutdown was asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// A simulated upstream.
#[derive(Debug)]
pub struct Simulator {
    settings: SimSettings,
    world: Arc<World>,
    step: AtomicU64,
    ledger: Arc<Ledger>,
    requests: RequestLog,
}

impl Simulator {
    /// The last step that a simulator can stand at.
    pub const MAX_STEP: u64 = 1_000_000_000;

    /// A simulator at step 0; it costs the same for any number of coins.
    #[must_use]
    pub fn new(settings: SimSettings) -> Arc<Self> {
        let world = Arc::new(World::new(&settings));
        let ledger = Arc::new(Ledger::new(settings.ledger_rows_cap));
        Arc::new(Self {
            settings,
            world,
            step: AtomicU64::new(0),
            ledger,
            requests: RequestLog::default(),
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
        // Small last pieces would otherwise wait for the client's delayed acknowledgement.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps Nagle's algorithm");
            }
        });
        let server = axum::serve(listener, http::router(self))
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

    /// Moves to the next step, which it returns; the last one stays.
    pub fn step(&self) -> u64 {
        let next = |step: u64| (step < Self::MAX_STEP).then_some(step + 1);
        match self.step.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next) {
            Ok(before) => before + 1,
            Err(last) => last,
        }
    }

    /// Moves to `step`, also backwards, at most to [`Simulator::MAX_STEP`]; returns where it stands.
    pub fn set_step(&self, step: u64) -> u64 {
        let step = step.min(Self::MAX_STEP);
        self.step.store(step, Ordering::SeqCst);
        step
    }

    /// The step that the next answer is for.
    #[must_use]
    pub fn current_step(&self) -> u64 {
        self.step.load(Ordering::SeqCst)
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
}
