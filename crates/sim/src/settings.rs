//! What a simulator is told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Clock, Timestamp};

use crate::HiddenLimits;

/// What a simulator serves and keeps.
#[derive(Debug, Clone)]
pub struct SimSettings {
    /// Decides every value; two simulators with the same seed, coins and instants send the same bytes.
    pub seed: u64,
    /// Coins with a market, at most [`SimSettings::MAX_COINS`].
    pub coins: u32,
    /// How often the step moves by itself; `None` leaves it to `POST /_sim/step`.
    pub step_every: Option<Duration>,
    /// A file to which every ledger line is appended.
    pub ledger: Option<PathBuf>,
    /// Simulated time at step 0.
    pub base_at: Timestamp,
    /// Simulated time from one step to the next, from a millisecond to 366 days.
    pub step_span: Duration,
    /// Rows whose hashes are kept in memory: the oldest entries are dropped beyond that (and counted),
    /// the newest entry never. A row takes about 60 bytes.
    pub ledger_rows_cap: usize,
    /// A folder of captured bodies with a `manifest.json`, served in place of generated ones; only
    /// [`Simulator::open`](crate::Simulator::open) reads it.
    pub replay: Option<PathBuf>,
    /// A fault plan that is played from the start; only [`Simulator::open`](crate::Simulator::open) reads it.
    pub faults: Option<PathBuf>,
    /// Limits that hold from the start.
    pub limits: Option<HiddenLimits>,
    /// The time by which limits are judged and which the ledger states; without it limits go by the
    /// machine's clock, and the ledger states the simulated time of the step.
    pub clock: Option<Arc<dyn Clock>>,
    /// The step follows the clock: it is the number of whole `step_span`s from `base_at` to now, and nothing
    /// else moves it.
    pub step_by_clock: bool,
    /// A market with more of the real ones' habits: prices that jump, ranks that follow the market caps,
    /// coins that are new and coins that vanish for good. Its values are others than those of a calm one.
    pub lively: bool,
}

impl SimSettings {
    /// The most coins of one simulator.
    pub const MAX_COINS: u32 = 100_000_000;

    /// 2026-01-01T00:00:00Z in milliseconds.
    const BASE_MS: i64 = 1_767_225_600_000;
}

impl Default for SimSettings {
    /// Seed 1, 2,000 coins, frozen at 2026-01-01T00:00:00Z, a minute a step, 2,000,000 ledger rows,
    /// nothing replayed, no faults, no limits, a calm market.
    fn default() -> Self {
        Self {
            seed: 1,
            coins: 2_000,
            step_every: None,
            ledger: None,
            base_at: Timestamp::from_millis(Self::BASE_MS).unwrap_or_default(),
            step_span: Duration::from_secs(60),
            ledger_rows_cap: 2_000_000,
            replay: None,
            faults: None,
            limits: None,
            clock: None,
            step_by_clock: false,
            lively: false,
        }
    }
}
