//! What is left of the limits of an upstream, as the process that asks it last showed it.

use kasparro_domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One budget as the engine shows it; what else it shows is left aside.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    windows: Vec<Window>,
    breaker: Breaker,
    forecast: Option<Forecast>,
}

/// One limit, and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    /// Its name, for example `minute`.
    pub(super) window: String,
    pub(super) limit: u64,
    pub(super) remaining: u64,
    /// When all of it is there again; absent where it is now.
    pub(super) resets_at: Option<Timestamp>,
}

/// How the breaker of an upstream stands, the best first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Breaker {
    #[default]
    Closed,
    HalfOpen,
    Open,
}

impl Breaker {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// How long the credits of the month last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Forecast {
    pub(super) credits_left: u64,
    /// When they are used up at this schedule; absent where they last until the month's end.
    pub(super) lasts_until: Option<Timestamp>,
    /// The shortest time between two runs with which they last until the month's end.
    pub(super) interval_affordable_seconds: u64,
}

/// How a source stands with its upstreams.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Of each window the tightest one.
    pub(super) windows: Vec<Window>,
    /// The worst; `None` while nothing was asked.
    pub(super) breaker: Option<Breaker>,
    /// The shortest.
    pub(super) forecast: Option<Forecast>,
}

impl Standing {
    /// Puts the budgets of a source together, as they stand at `now`. What cannot be read is left aside.
    pub(super) fn of(budgets: &[Value], now: Timestamp) -> Self {
        let mut standing = Self::default();
        for shown in budgets.iter().filter_map(|budget| Shown::deserialize(budget).ok()) {
            standing.breaker = standing.breaker.max(Some(shown.breaker));
            for window in shown.windows {
                standing.add(window.at(now));
            }
            if let Some(forecast) = shown.forecast
                && standing.forecast.as_ref().is_none_or(|known| forecast.ends_before(known))
            {
                standing.forecast = Some(forecast);
            }
        }
        standing
    }

    fn add(&mut self, window: Window) {
        let known = self.windows.iter_mut().find(|known| known.window == window.window);
        match known {
            Some(known) if (window.remaining, window.limit) < (known.remaining, known.limit) => {
                *known = window;
            }
            Some(_) => {}
            None => self.windows.push(window),
        }
    }
}

/// What is left, in a few words.
pub(super) fn words(windows: &[Window]) -> String {
    let words = |of: &Window| format!("{} {} of {}", of.window, of.remaining, of.limit);
    match windows.is_empty() {
        true => "-".to_owned(),
        false => windows.iter().map(words).collect::<Vec<_>>().join(", "),
    }
}

impl Window {
    /// The window some time after it was shown.
    fn at(self, now: Timestamp) -> Self {
        match self.resets_at {
            Some(reset) if reset <= now => Self { remaining: self.limit, resets_at: None, ..self },
            _ => self,
        }
    }
}

impl Forecast {
    fn ends_before(&self, other: &Self) -> bool {
        match (self.lasts_until, other.lasts_until) {
            (Some(own), Some(other)) => own < other,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => self.credits_left < other.credits_left,
        }
    }

    /// How long the credits last, in one sentence without an end.
    pub(super) fn words(&self) -> String {
        let left = self.credits_left;
        match self.lasts_until {
            None => format!("{left} credits are left, which lasts until the end of the month"),
            Some(until) => format!(
                "{left} credits are left; at this schedule the budget lasts until {until}, a run every {} \
                 lasts until the end of the month",
                crate::output::ago(self.interval_affordable_seconds)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_several_budgets_the_tightest_of_each_window_is_shown() {
        let now = Timestamp::parse("2026-01-10T00:00:00Z").unwrap();
        let forecast = |left: u64, until: &Value| {
            let affordable = 7200;
            json!({
                "credits_left": left, "lasts_until": until, "interval_affordable_seconds": affordable,
            })
        };
        let budgets = [
            json!({
                "name": "a", "breaker": "closed", "not_before": null, "requests_total": 3,
                "windows": [
                    {"window": "minute", "limit": 30, "remaining": 4, "resets_at": "2026-01-10T00:00:30Z"},
                    {"window": "month", "limit": 100, "remaining": 90, "resets_at": "2026-02-01T00:00:00Z"},
                ],
                "forecast": forecast(90, &Value::Null),
            }),
            json!({
                "name": "b", "breaker": "half_open",
                "windows": [
                    {"window": "minute", "limit": 10, "remaining": 1, "resets_at": "2026-01-09T23:59:59Z"},
                    {"window": "month", "limit": 100, "remaining": 7, "resets_at": "2026-02-01T00:00:00Z"},
                ],
                "forecast": forecast(7, &json!("2026-01-12T00:00:00Z")),
            }),
            json!("something of another version"),
        ];
        let standing = Standing::of(&budgets, now);
        // The second minute is over by now.
        assert_eq!(words(&standing.windows), "minute 4 of 30, month 7 of 100");
        assert_eq!(standing.breaker, Some(Breaker::HalfOpen));
        let told = standing.forecast.unwrap().words();
        assert!(told.contains("until 2026-01-12T00:00:00Z"), "{told}");
        assert!(told.contains("every 2 h"), "{told}");
        assert_eq!(Standing::of(&[], now), Standing::default());
    }
}
