//! The sliding windows, judged by what the upstream counts.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::upstream::{Says, Upstream};
use super::world::{Gate, Shared, World, drive};
use super::*;

/// A bucket that is refilled steadily: it allows two bursts within one window.
struct TokenBucket {
    limit: i64,
    span_ms: i64,
    /// Requests times the span.
    tokens: i64,
    filled_at: i64,
    next_id: u64,
}

impl Gate for TokenBucket {
    fn ask(&mut self, now: i64, cost: Cost) -> Turn {
        let grown = self.tokens + (now - self.filled_at).max(0) * self.limit;
        self.tokens = grown.min(self.limit * self.span_ms);
        self.filled_at = self.filled_at.max(now);
        if self.tokens >= self.span_ms {
            self.tokens -= self.span_ms;
            self.next_id += 1;
            return Turn::Go(Ticket { id: self.next_id, sent_at: at(now), cost });
        }
        let until = at(now + (self.span_ms - self.tokens) / self.limit + 1);
        Turn::Wait { until, why: Why::WindowFull("window") }
    }

    fn answered(&mut self, _: i64, _: Ticket, _: &Outcome) {}
}

/// A budget that frees a place when the request is a span old, however late it was counted.
struct CountsFromSending(Shared);

impl Gate for CountsFromSending {
    fn ask(&mut self, now: i64, cost: Cost) -> Turn {
        self.0.ask(now, cost)
    }

    fn answered(&mut self, _: i64, ticket: Ticket, outcome: &Outcome) {
        let sent_at = ticket.sent_at.as_millis() - START_MS;
        self.0.answered(sent_at, ticket, outcome);
    }
}

fn world() -> impl Strategy<Value = World> {
    let pauses = (prop_oneof![Just(1_i64), Just(200), Just(5000), Just(30_000)], 1_i64..40_000);
    (any::<u64>(), 1_usize..5, pauses, 0_i64..5, 0_i64..100).prop_map(
        |(seed, workers, (gap_ms, latency_ms), lost, behind_ms)| World {
            seed,
            workers,
            gap_ms,
            latency_ms,
            lost,
            behind_ms,
            weight: 1,
            until_ms: 10 * MINUTE_MS,
        },
    )
}

fn shared(windows: Vec<LimitWindow>) -> Shared {
    Shared::new(Limits { windows, credits_per_month: None })
}

fn open() -> Upstream {
    Upstream::new(Vec::new(), Says::Nothing)
}

fn holds(
    world: &World,
    gate: &mut dyn Gate,
    span_ms: i64,
    limit: u32,
) -> Result<(), TestCaseError> {
    let worst = drive(world, gate, &mut open()).worst(span_ms, false);
    prop_assert!(worst <= u64::from(limit), "{worst} in one window of {limit}");
    Ok(())
}

proptest! {
    #![proptest_config(Config::with_cases(96))]

    #[test]
    fn i10_no_window_ever_holds_more_than_the_limit(world in world(), limit in 1_u32..12) {
        let mut gate = shared(vec![LimitWindow::per_minute(limit)]);
        holds(&world, &mut gate, MINUTE_MS, limit)?;
    }

    #[test]
    fn i10_two_windows_hold_at_once(world in world(), limit in 2_u32..20) {
        let mut gate = shared(vec![
            window(5000, limit.div_ceil(3), Counted::Requests),
            LimitWindow::per_minute(limit),
        ]);
        let log = drive(&World { until_ms: 4 * MINUTE_MS, ..world }, &mut gate, &mut open());
        prop_assert!(log.worst(5000, false) <= u64::from(limit.div_ceil(3)));
        prop_assert!(log.worst(MINUTE_MS, false) <= u64::from(limit));
    }

    #[test]
    fn i10_a_window_of_weight_counts_weight(world in world(), limit in 10_u32..60) {
        let mut gate = shared(vec![window(60_000, limit, Counted::Weight)]);
        let log = drive(&World { weight: 10, ..world }, &mut gate, &mut open());
        prop_assert!(log.worst(MINUTE_MS, true) <= u64::from(limit));
    }
}

proptest! {
    #![proptest_config(Config::with_cases(8))]

    #[test]
    fn i10_a_large_limit_holds_and_its_state_stays_small(world in world(), limit in 65_u32..300) {
        let mut gate = shared(vec![window(10_000, limit, Counted::Requests)]);
        let world = World { gap_ms: 20, latency_ms: 50, until_ms: MINUTE_MS, ..world };
        let log = drive(&world, &mut gate, &mut open());
        prop_assert!(log.worst(10_000, false) <= u64::from(limit));
        let state = serde_json::to_string(&gate.budget).unwrap();
        prop_assert!(state.len() < 20_000, "{} bytes", state.len());
    }
}

#[test]
fn i10_the_judge_finds_the_double_burst_of_a_token_bucket() {
    let mut runner = TestRunner::new(Config::with_cases(50));
    let found = runner.run(&(world(), 2_u32..12), |(world, limit)| {
        let limit_ms = i64::from(limit);
        let (tokens, span_ms) = (limit_ms * MINUTE_MS, MINUTE_MS);
        let mut gate = TokenBucket { limit: limit_ms, span_ms, tokens, filled_at: 0, next_id: 0 };
        holds(&World { gap_ms: 1, ..world }, &mut gate, MINUTE_MS, limit)
    });
    assert!(found.is_err(), "a token bucket was taken for a sliding window");
}

#[test]
fn i10_the_judge_finds_places_that_count_from_sending() {
    let mut runner = TestRunner::new(Config::with_cases(300));
    let found = runner.run(&(world(), 1_u32..6), |(world, limit)| {
        let mut gate = CountsFromSending(shared(vec![LimitWindow::per_minute(limit)]));
        holds(&World { gap_ms: 1, ..world }, &mut gate, MINUTE_MS, limit)
    });
    assert!(found.is_err(), "slow answers allowed denser bursts and nobody noticed");
}

#[test]
fn i10_a_greedy_worker_uses_at_least_95_percent_of_a_known_limit() {
    for (limit, workers, hours) in [(5, 1, 2), (30, 2, 2), (500, 8, 1)] {
        let mut gate = shared(vec![LimitWindow::per_minute(limit)]);
        let until_ms = hours * 60 * MINUTE_MS;
        let (gap_ms, latency_ms) = (20, 300);
        let world = World {
            seed: 7,
            workers,
            gap_ms,
            latency_ms,
            lost: 0,
            behind_ms: 0,
            weight: 1,
            until_ms,
        };
        let log = drive(&world, &mut gate, &mut open());
        let most = i64::from(limit) * hours * 60;
        let used = i64::try_from(log.counted.len()).unwrap() * 100 / most;
        assert!(used >= 95, "{used} % of {limit} a minute");
        assert!(log.worst(MINUTE_MS, false) <= u64::from(limit));
    }
}

#[test]
fn i10_a_request_without_an_answer_keeps_its_place() {
    let limits = Limits::per_minute(1);
    let mut budget = Budget::default();
    granted(budget.ask(&limits, at(0), FIRST));
    let Turn::Wait { until, why } = stored(&budget).ask(&limits, at(60_500), FIRST) else {
        panic!("a place was lost with its process");
    };
    assert_eq!((until, why), (at(30_000 + 61_200), Why::WindowFull("minute")));
    granted(budget.ask(&limits, until, FIRST));
}

#[test]
fn i10_a_window_that_is_new_in_the_configuration_knows_what_was_spent() {
    let mut budget = Budget::default();
    let ticket = granted(budget.ask(&Limits::per_minute(5), at(0), FIRST));
    budget.answered(&Limits::per_minute(5), at(100), ticket, &Outcome::default());
    let hour =
        Limits { windows: vec![window(3_600_000, 1, Counted::Requests)], credits_per_month: None };
    assert!(matches!(budget.ask(&hour, at(200), FIRST), Turn::Wait { .. }));
}

#[test]
fn i20_a_clock_that_was_set_back_frees_nothing_and_blocks_no_longer_than_a_window() {
    let limits = Limits::per_minute(1);
    let mut budget = Budget::default();
    let ticket = granted(budget.ask(&limits, at(3_600_000), FIRST));
    budget.answered(&limits, at(3_600_100), ticket, &Outcome::default());
    let Turn::Wait { until, .. } = budget.ask(&limits, at(0), FIRST) else {
        panic!("a place was forgotten");
    };
    assert_eq!(until, at(61_200));
}

#[test]
fn a_request_that_costs_more_than_a_window_holds_is_never_sent() {
    let limits =
        Limits { windows: vec![window(60_000, 5, Counted::Weight)], credits_per_month: Some(9) };
    for cost in [Cost { weight: 6, credits: 1 }, Cost { weight: 1, credits: 10 }] {
        let turn = Budget::default().ask(&limits, at(0), Ask { cost, attempt: 1 });
        assert_eq!(turn, Turn::Never { why: Why::TooCostly, until: None });
    }
}
