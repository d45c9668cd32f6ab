//! What an upstream allows, and what a request costs.

use std::time::Duration;

/// What an upstream allows to one key, or to one address without a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Sliding windows, all of which hold at once.
    pub windows: Vec<LimitWindow>,
    /// Credits in one calendar month (UTC).
    pub credits_per_month: Option<u64>,
}

impl Limits {
    /// A limit of requests a minute and nothing else.
    #[must_use]
    pub fn per_minute(requests: u32) -> Self {
        Self { windows: vec![LimitWindow::per_minute(requests)], credits_per_month: None }
    }
}

/// At most so much in any span of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitWindow {
    /// Its name in the API and in metrics, for example `minute`.
    pub name: &'static str,
    /// Its length.
    pub span: Duration,
    /// The most that may be spent in it.
    pub limit: u32,
    /// What is counted.
    pub counted: Counted,
}

impl LimitWindow {
    /// Requests a minute.
    #[must_use]
    pub const fn per_minute(requests: u32) -> Self {
        Self {
            name: "minute",
            span: Duration::from_secs(60),
            limit: requests,
            counted: Counted::Requests,
        }
    }
}

/// What a window counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Requests, each one alike.
    Requests,
    /// The weight of requests.
    Weight,
}

/// What one request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// In windows that count weight.
    pub weight: u32,
    /// Of the month's credits.
    pub credits: u32,
}

impl Cost {
    /// What an ordinary request costs: one of each.
    pub const ONE: Self = Self { weight: 1, credits: 1 };
}
