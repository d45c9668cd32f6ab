//! The scenarios.

use std::time::Duration;

use kasparro_extract::{Counted, LimitWindow, Limits};
use serde_json::{Value, json};

use super::scenario::{DAY, Expected, Kept, Scenario, Workers};
use super::thin::Thinning;

const MINUTE: Duration = Duration::from_secs(60);

fn minute(window: &str, limit: u32, refusal: Value) -> Value {
    json!({"vendor": "coingecko", "window": window, "span_ms": 60_000, "limit": limit, "refusal": refusal})
}

fn demo_key() -> Value {
    json!({"api_key": "CG-0123456789"})
}

/// Every scenario.
pub(crate) fn all() -> Vec<Scenario> {
    vec![
        keyless(),
        stricter_told_in_seconds(),
        stricter_told_by_date(),
        stricter_told_nothing(),
        demo_from_the_first_of_a_month(),
        demo_from_the_middle_of_a_month(),
        demo_over_the_end_of_a_month(),
        pro(),
        weighted(),
        stricter_weights(),
        coinpaprika(),
        coinpaprika_with_fewer_credits(),
        long_retry_after(),
        outage(),
        bad_days(),
        refused_key(),
        keyless_on_postgres(),
        stricter_on_postgres(),
        demo_on_postgres(),
    ]
}

/// Not one of them: workers that forget what their budgets knew, which has to be found out.
pub(crate) fn forgetful() -> Scenario {
    let workers = Workers { forget: true, kills: 0, ..Workers::FLEET };
    Scenario { workers, ..stricter_told_in_seconds() }
}

/// Five requests a minute, as they are taken to be allowed without a key.
pub(crate) fn keyless() -> Scenario {
    let hidden = json!([minute("sliding", 5, json!({"retry_after": "seconds"}))]);
    Scenario::coingecko("keyless", json!({}), hidden)
}

/// Three a minute, fewer than are taken to be allowed.
pub(crate) fn stricter_told_in_seconds() -> Scenario {
    let hidden = json!([minute("sliding", 3, json!({"retry_after": "seconds"}))]);
    Scenario {
        expected: Expected::ONE_LESSON,
        ..Scenario::coingecko("stricter, Retry-After in seconds", json!({}), hidden)
    }
}

pub(crate) fn stricter_told_by_date() -> Scenario {
    let hidden = json!([minute("fixed", 3, json!({"retry_after": "date"}))]);
    Scenario {
        expected: Expected::ONE_LESSON,
        workers: Workers::ON_SQLITE,
        ..Scenario::coingecko("stricter, Retry-After as a date", json!({}), hidden)
    }
}

pub(crate) fn stricter_told_nothing() -> Scenario {
    let hidden = json!([minute("fixed", 2, json!({}))]);
    Scenario {
        expected: Expected::ONE_LESSON,
        workers: Workers::ALONE,
        ..Scenario::coingecko("stricter, no Retry-After", json!({}), hidden)
    }
}

fn demo(name: &'static str) -> Scenario {
    let hidden = json!([
        {"vendor": "coingecko", "key": "demo", "window": "month", "limit": 10_000},
        {"vendor": "coingecko", "key": "demo", "window": "sliding", "span_ms": 60_000, "limit": 30,
         "refusal": {"retry_after": "seconds"}},
    ]);
    Scenario { schedule: "5m", ..Scenario::coingecko(name, demo_key(), hidden) }
}

/// Four requests each five minutes would be more than three times of what a month holds.
pub(crate) fn demo_from_the_first_of_a_month() -> Scenario {
    Scenario { workers: Workers::ON_SQLITE, ..demo("demo, greedier than the month") }
}

pub(crate) fn demo_from_the_middle_of_a_month() -> Scenario {
    Scenario {
        begins_at: "2026-01-15T07:00:00Z",
        workers: Workers { store: Kept::Sqlite, ..Workers::ALONE },
        ..demo("demo, from the middle of a month")
    }
}

pub(crate) fn demo_over_the_end_of_a_month() -> Scenario {
    Scenario {
        begins_at: "2026-01-31T12:00:00Z",
        workers: Workers { count: 3, ..Workers::ON_SQLITE },
        ..demo("demo, over the end of a month")
    }
}

/// Two hundred a minute, fewer than are taken to be allowed, which the upstream says itself; a run asks for
/// 320 pages.
pub(crate) fn pro() -> Scenario {
    let hidden = json!([{
        "vendor": "coingecko", "key": "pro", "window": "sliding", "span_ms": 60_000, "limit": 200,
        "headers": ["x_ratelimit"], "refusal": {"retry_after": "seconds"},
    }]);
    let options = json!({"api_key": "CG-0123456789", "key_kind": "pro", "pages": 320});
    Scenario {
        thinning: Thinning { rows_per_page: Some(1), ..Thinning::default() },
        coins: 320,
        schedule: "1d",
        ..Scenario::coingecko("pro, a stricter limit in headers", options, hidden)
    }
}

fn weights(name: &'static str, limit: u32, headers: Value) -> Scenario {
    let hidden = json!([{
        "vendor": "coingecko", "window": "sliding", "span_ms": 60_000, "limit": limit,
        "weights": {"/api/v3/coins/markets": 4, "/api/v3/coins/list": 10}, "headers": headers,
        "refusal": {"retry_after": "seconds"},
    }]);
    let weight = LimitWindow {
        name: "weight",
        limit: 20,
        counted: Counted::Weight,
        ..LimitWindow::per_minute(0)
    };
    let limits =
        Limits { windows: vec![LimitWindow::per_minute(60), weight], credits_per_month: None };
    let thinning = Thinning {
        rows_per_page: Some(1),
        limits: Some(limits),
        weights: [("/api/v3/coins/markets", 4), ("/api/v3/coins/list", 10)].into(),
        ..Thinning::default()
    };
    Scenario { thinning, ..Scenario::coingecko(name, json!({}), hidden) }
}

/// One call may cost several units.
pub(crate) fn weighted() -> Scenario {
    weights("weights", 20, json!(["used_weight"]))
}

pub(crate) fn stricter_weights() -> Scenario {
    Scenario { expected: Expected::ONE_LESSON, ..weights("stricter weights", 11, json!([])) }
}

/// A run each minute, and 35 lists a day.
pub(crate) fn coinpaprika() -> Scenario {
    let hidden = json!([{"vendor": "coinpaprika", "window": "month", "limit": 20_000}]);
    Scenario {
        schedule: "1m",
        workers: Workers::ON_SQLITE,
        ..Scenario::coinpaprika("coinpaprika, greedier than the month", hidden)
    }
}

/// The upstream says 402 long before the month ought to be spent: it is asked again once a day.
pub(crate) fn coinpaprika_with_fewer_credits() -> Scenario {
    let hidden = json!([{"vendor": "coinpaprika", "window": "month", "limit": 300}]);
    Scenario {
        schedule: "30m",
        expected: Expected { refused: 7, refused_apart: DAY, fresh: false, ..Expected::BEST },
        ..Scenario::coinpaprika("coinpaprika, 402 once a day", hidden)
    }
}

/// Longer than a run waits: it is planned anew.
pub(crate) fn long_retry_after() -> Scenario {
    let refusal = json!({"retry_after": "seconds", "retry_after_seconds": 1200});
    let hidden = json!([minute("sliding", 3, refusal)]);
    Scenario {
        schedule: "10m",
        span: 2 * DAY,
        expected: Expected { refused: 1, recovers: Some((MINUTE, 20 * MINUTE)), ..Expected::BEST },
        ..Scenario::coingecko("Retry-After of 20 minutes", json!({}), hidden)
    }
}

fn failing(probability: f64) -> Value {
    json!({"seed": 5, "rules": [{"path": "/api/v3/*", "probability": probability, "status": 503}]})
}

/// Ten minutes without an answer other than 503, for those who ask each minute.
pub(crate) fn outage() -> Scenario {
    let hidden = json!([minute("sliding", 30, json!({}))]);
    let (down, up) = (30 * MINUTE, 40 * MINUTE);
    let keyless = Scenario::coingecko("outage of ten minutes", json!({"pages": 1}), hidden);
    let thinning = Thinning { limits: Some(Limits::per_minute(30)), ..keyless.thinning.clone() };
    Scenario {
        thinning,
        schedule: "1m",
        span: 2 * 60 * MINUTE,
        faults: vec![(down, failing(1.0)), (up, json!([]))],
        workers: Workers { kills: 0, ..Workers::FLEET },
        expected: Expected {
            // The interval in which the last probe failed, and one of the schedule.
            recovers: Some((up, 9 * MINUTE)),
            failures: 8,
            fresh: false,
            ..Expected::BEST
        },
        ..keyless
    }
}

/// A week in which a request in three fails.
pub(crate) fn bad_days() -> Scenario {
    let hidden = json!([minute("sliding", 5, json!({}))]);
    Scenario {
        faults: vec![(Duration::ZERO, failing(0.33))],
        // A killed worker's last request may be counted by its budget and never arrive, so a hundred
        // requests are not the same hundred for both sides.
        workers: Workers { kills: 0, ..Workers::FLEET },
        expected: Expected { fresh: false, failures: 50, ..Expected::BEST },
        ..Scenario::coingecko("a request in three fails", json!({}), hidden)
    }
}

/// A key that is refused is tried again once an hour.
pub(crate) fn refused_key() -> Scenario {
    let plan = json!([{"path": "/api/v3/*", "status": 401}]);
    Scenario {
        schedule: "1m",
        span: 2 * DAY,
        faults: vec![(Duration::ZERO, plan)],
        // A refusal whose answer nobody took in would teach nothing.
        workers: Workers { kills: 0, ..Workers::FLEET },
        expected: Expected {
            fresh: false,
            at_most: Some((1, Duration::from_secs(3600))),
            ..Expected::BEST
        },
        ..Scenario::coingecko("401", demo_key(), json!([minute("sliding", 30, json!({}))]))
    }
}

pub(crate) fn keyless_on_postgres() -> Scenario {
    Scenario { name: "keyless, on PostgreSQL", workers: Workers::ON_POSTGRES, ..keyless() }
}

pub(crate) fn stricter_on_postgres() -> Scenario {
    let name = "stricter, on PostgreSQL";
    Scenario { name, workers: Workers::ON_POSTGRES, ..stricter_told_in_seconds() }
}

pub(crate) fn demo_on_postgres() -> Scenario {
    let name = "demo, greedier than the month, on PostgreSQL";
    Scenario { workers: Workers::ON_POSTGRES, ..demo(name) }
}
