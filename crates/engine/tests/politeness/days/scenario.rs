//! What is simulated, and what is expected of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::thin::Thinning;

/// A day.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// One upstream with its hidden limits, and those who ask it.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What the source is, and its options.
    pub(crate) source: &'static str,
    pub(crate) options: Value,
    pub(crate) thinning: Thinning,
    /// Coins of the simulated upstream.
    pub(crate) coins: u32,
    pub(crate) begins_at: &'static str,
    pub(crate) span: Duration,
    pub(crate) schedule: &'static str,
    /// The rules of `PUT /_sim/limits`.
    pub(crate) hidden: Value,
    /// From these times after the beginning on, this fault plan holds.
    pub(crate) faults: Vec<(Duration, Value)>,
    pub(crate) workers: Workers,
    pub(crate) expected: Expected,
}

/// Who asks the upstream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workers {
    /// How many share the store. One works alone, and holds no leases.
    pub(crate) count: usize,
    /// How often the source goes to another worker (of one alone: how often it is started anew), at
    /// random instants.
    pub(crate) handovers: u32,
    /// How often the one that holds the source is killed while a request is under way.
    pub(crate) kills: u32,
    pub(crate) store: Kept,
    /// True for workers that are broken on purpose: a budget is lost with its worker.
    pub(crate) forget: bool,
}

/// Where everything is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Memory,
    Sqlite,
    /// Each worker with connections of its own.
    Postgres,
}

impl Workers {
    /// One that is started anew five times.
    pub(crate) const ALONE: Self =
        Self { count: 1, handovers: 5, kills: 0, store: Kept::Memory, forget: false };
    /// Three on one store.
    pub(crate) const FLEET: Self = Self { count: 3, handovers: 12, kills: 8, ..Self::ALONE };
    /// Two on one database.
    pub(crate) const ON_SQLITE: Self = Self { count: 2, store: Kept::Sqlite, ..Self::FLEET };
    /// Three on one database with a clock of its own.
    pub(crate) const ON_POSTGRES: Self = Self { store: Kept::Postgres, ..Self::FLEET };
}

/// What is expected apart from what holds of every scenario.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// Requests over each limit before it is known.
    pub(crate) refused: u64,
    /// The shortest time between two of them.
    pub(crate) refused_apart: Duration,
    /// True where the freshest data is expected that schedule and month allow.
    pub(crate) fresh: bool,
    /// The most requests in any span of this length.
    pub(crate) at_most: Option<(usize, Duration)>,
    /// The fewest answers that say that the upstream failed, without which nothing was tried.
    pub(crate) failures: usize,
    /// From this time after the beginning on the upstream is well: a run succeeds within that.
    pub(crate) recovers: Option<(Duration, Duration)>,
}

impl Expected {
    /// No request over a limit, and fresh data.
    pub(crate) const BEST: Self = Self {
        refused: 0,
        refused_apart: Duration::ZERO,
        fresh: true,
        at_most: None,
        failures: 0,
        recovers: None,
    };
    /// One request over the limit, from which it is learned.
    pub(crate) const ONE_LESSON: Self = Self { refused: 1, ..Self::BEST };
}

impl Scenario {
    /// `CoinGecko`, four pages of one coin, asked for a week.
    pub(crate) fn coingecko(name: &'static str, options: Value, hidden: Value) -> Self {
        Self {
            name,
            source: "coingecko",
            options,
            thinning: Thinning { rows_per_page: Some(1), ..Thinning::default() },
            coins: 4,
            begins_at: "2026-01-01T00:00:00Z",
            span: 7 * DAY,
            schedule: "30m",
            hidden,
            faults: Vec::new(),
            workers: Workers::FLEET,
            expected: Expected::BEST,
        }
    }

    /// The same for a shorter time.
    pub(crate) fn during(self, span: Duration) -> Self {
        Self { span: span.min(self.span), ..self }
    }

    /// `CoinPaprika`, four coins and the contracts of 35 platforms a day, asked for a week.
    pub(crate) fn coinpaprika(name: &'static str, hidden: Value) -> Self {
        Self {
            source: "coinpaprika",
            thinning: Thinning { lists: 7, ..Thinning::default() },
            coins: 4,
            ..Self::coingecko(name, json!({}), hidden)
        }
    }
}
