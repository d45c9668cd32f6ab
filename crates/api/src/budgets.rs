//! What is left of the limits of upstreams, as the engine last showed it.
//!
//! A state is written when a source runs. What a clock alone changes since then is made up for here: a
//! window that was to be full again by now is, and a pause that is over is gone.

use kasparro_domain::Timestamp;
use kasparro_store::SourceState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a breaker stands, the worst last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Breaker {
    /// Requests go.
    #[default]
    Closed,
    /// One goes, to find out.
    HalfOpen,
    /// None goes.
    Open,
}

impl Breaker {
    /// The breaker as users see it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }

    /// The breaker as metrics show it.
    pub(crate) const fn gauge(self) -> f64 {
        match self {
            Self::Closed => 0.0,
            Self::HalfOpen => 1.0,
            Self::Open => 2.0,
        }
    }
}

/// What is left of one limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = BudgetWindow)]
pub(crate) struct WindowBody {
    /// Its name, for example `minute` or `month`.
    pub(crate) window: String,
    /// The most that may be spent in it, after what the upstream said.
    pub(crate) limit: u64,
    /// What is left of that.
    pub(crate) remaining: u64,
    /// When all of it is there again; `null` where it is now.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) resets_at: Option<Timestamp>,
}

/// How long the credits of the month last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = BudgetForecast)]
pub(crate) struct ForecastBody {
    /// Credits that are left in this month.
    credits_left: u64,
    /// When they are used up at this schedule; `null` where they last until the month's end.
    #[schema(value_type = Option<String>, format = DateTime)]
    lasts_until: Option<Timestamp>,
    /// The shortest time between two runs with which they last until the month's end.
    interval_affordable_seconds: u64,
}

/// What is left of the limits of one upstream for one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Budget)]
pub(crate) struct BudgetBody {
    /// The upstream, and which key.
    name: String,
    /// Its limits.
    windows: Vec<WindowBody>,
    /// `closed`, `half_open` or `open`.
    breaker: Breaker,
    /// Nothing is sent before; `null` where no pause lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
    /// Requests that were granted since counting began.
    #[serde(default)]
    requests_total: u64,
    /// Retries among the last hundred requests.
    #[serde(default)]
    retries_in_last_100: u32,
    /// How long the credits of the month last; `null` where nothing limits them.
    forecast: Option<ForecastBody>,
}

/// Every budget of one source, at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Budgets(pub(crate) Vec<BudgetBody>);

impl Budgets {
    /// The budgets of a source as they are at `now`. One of a form that is not known is left out.
    pub(crate) fn of(state: Option<&SourceState>, now: Timestamp) -> Self {
        let shown = state.into_iter().flat_map(|state| &state.budgets);
        Self(shown.filter_map(|shown| Some(BudgetBody::deserialize(shown).ok()?.at(now))).collect())
    }

    /// The worst breaker; none where nothing was ever sent.
    pub(crate) fn breaker(&self) -> Option<Breaker> {
        self.0.iter().map(|budget| budget.breaker).max()
    }

    /// Of each window the one with the least left, in the order in which they are named first.
    pub(crate) fn tightest(&self) -> Vec<WindowBody> {
        let mut tightest: Vec<WindowBody> = Vec::new();
        for window in self.0.iter().flat_map(|budget| &budget.windows) {
            match tightest.iter_mut().find(|known| known.window == window.window) {
                None => tightest.push(window.clone()),
                Some(known) if window.remaining < known.remaining => *known = window.clone(),
                Some(_) => {}
            }
        }
        tightest
    }

    /// The latest pause that lasts.
    pub(crate) fn not_before(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(|budget| budget.not_before).max()
    }

    /// The forecast of the budget that ends first; of those that last, of the one with the least left.
    pub(crate) fn forecast(&self) -> Option<&ForecastBody> {
        let ends = |forecast: &&ForecastBody| {
            (forecast.lasts_until.is_none(), forecast.lasts_until, forecast.credits_left)
        };
        self.0.iter().filter_map(|budget| budget.forecast.as_ref()).min_by_key(ends)
    }
}

impl BudgetBody {
    fn at(mut self, now: Timestamp) -> Self {
        for window in &mut self.windows {
            if window.resets_at.is_some_and(|resets_at| resets_at <= now) {
                window.remaining = window.limit;
                window.resets_at = None;
            }
        }
        self.not_before = self.not_before.filter(|not_before| *not_before > now);
        self
    }
}

#[cfg(test)]
mod tests {
    use kasparro_domain::{DriftMode, SourceName};
    use serde_json::{Value, json};

    use super::*;

    fn budgets(shown: &[Value], now: &str) -> Budgets {
        let state = SourceState {
            source: SourceName::new("coingecko"),
            enabled: true,
            schedule: "every 1h".to_owned(),
            next_run_at: None,
            stale_after_seconds: 60,
            drift_mode: DriftMode::Evolve,
            budgets: shown.to_vec(),
        };
        Budgets::of(Some(&state), Timestamp::parse(now).unwrap())
    }

    fn shown(name: &str, breaker: &str, minute: (u64, Value), forecast: Value) -> Value {
        json!({
            "name": name, "breaker": breaker, "not_before": "2024-01-01T00:00:30Z", "requests_total": 7,
            "retries_in_last_100": 1, "forecast": forecast, "later": "members do no harm",
            "windows": [{"window": "minute", "limit": 30, "remaining": minute.0, "resets_at": minute.1}],
        })
    }

    #[test]
    fn of_several_keys_the_tightest_speaks_for_the_source() {
        let lasting =
            json!({"credits_left": 5, "lasts_until": null, "interval_affordable_seconds": 9});
        let ending = json!({"credits_left": 90, "lasts_until": "2024-01-05T00:00:00Z", "interval_affordable_seconds": 9});
        let at = json!("2024-01-01T00:01:00Z");
        let several = [
            shown("a", "closed", (9, at.clone()), lasting),
            shown("b", "open", (3, at.clone()), Value::Null),
            shown("c", "half_open", (12, at), ending),
        ];
        let found = budgets(&several, "2024-01-01T00:00:00Z");
        assert_eq!(found.0.len(), 3);
        assert_eq!(found.breaker(), Some(Breaker::Open));
        let tightest = found.tightest();
        assert_eq!((tightest.len(), tightest[0].remaining), (1, 3));
        assert_eq!(found.forecast().unwrap().credits_left, 90, "it ends first");
        assert_eq!(found.not_before(), Timestamp::parse("2024-01-01T00:00:30Z").ok());
    }

    #[test]
    fn what_was_to_be_full_again_by_now_is() {
        let spent = [shown("a", "closed", (0, json!("2024-01-01T00:01:00Z")), Value::Null)];
        let before = budgets(&spent, "2024-01-01T00:00:59Z");
        assert_eq!((before.tightest()[0].remaining, before.not_before()), (0, None));
        let after = budgets(&spent, "2024-01-01T00:01:00Z");
        assert_eq!((after.tightest()[0].remaining, after.tightest()[0].resets_at), (30, None));
    }

    #[test]
    fn a_budget_of_an_unknown_form_is_left_out() {
        let odd =
            [json!(null), json!({"name": "x"}), shown("a", "ajar", (1, json!(null)), json!(null))];
        let found = budgets(&odd, "2024-01-01T00:00:00Z");
        assert_eq!((found.0.len(), found.breaker(), found.forecast()), (0, None, None));
    }
}
