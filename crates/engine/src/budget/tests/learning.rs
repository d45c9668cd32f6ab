//! Limits that are learned from refusals and headers.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::upstream::{Rule, Says, Upstream};
use super::world::{Gate, Shared, World, drive};
use super::*;

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        Just(Says::Nothing),
        Just(Says::Honestly),
        Just(Says::Always(119)),
        Just(Says::Always(60)),
    ]
}

fn world(seed: u64, workers: usize, gap_ms: i64, latency_ms: i64) -> World {
    let until_ms = 60 * MINUTE_MS;
    World { seed, workers, gap_ms, latency_ms, lost: 0, behind_ms: 0, weight: 1, until_ms }
}

proptest! {
    #![proptest_config(Config::with_cases(96))]

    #[test]
    fn i10_a_hidden_limit_is_exceeded_only_while_it_is_learned(
        seed in any::<u64>(),
        workers in 1_usize..4,
        pace in prop_oneof![Just((50_i64, 300_i64)), Just((4000, 800)), Just((12_000, 2000))],
        hidden in 1_u64..30,
        fixed_from in proptest::option::of(0_i64..60_000),
        says in says(),
    ) {
        let mut gate = Shared::new(Limits::per_minute(100));
        let mut upstream = Upstream::new(vec![Rule::new(MINUTE_MS, hidden, fixed_from)], says);
        let log = drive(&world(seed, workers, pace.0, pace.1), &mut gate, &mut upstream);
        prop_assert_eq!(upstream.refused_after_learning(), 0);
        prop_assert_eq!(log.early, 0);
        prop_assert!(upstream.refused_sent_at.len() <= workers);
    }

    #[test]
    fn i10_a_hidden_weight_is_exceeded_only_while_it_is_learned(
        seed in any::<u64>(),
        hidden in 100_u64..2000,
        fixed_from in proptest::option::of(0_i64..60_000),
    ) {
        let limits = Limits {
            windows: vec![window(60_000, 6000, Counted::Weight)],
            credits_per_month: None,
        };
        let mut gate = Shared::new(limits);
        let mut rule = Rule::new(MINUTE_MS, hidden, fixed_from);
        rule.weighed = true;
        let mut upstream = Upstream::new(vec![rule], Says::Honestly);
        let world = World { weight: 80, ..world(seed, 2, 200, 300) };
        drive(&world, &mut gate, &mut upstream);
        prop_assert!(upstream.first_refusal.is_some());
        prop_assert_eq!(upstream.refused_after_learning(), 0);
    }

    #[test]
    fn i10_a_limit_that_is_stated_is_not_exceeded(
        seed in any::<u64>(),
        hidden in 2_u64..40,
        fixed_from in proptest::option::of(0_i64..60_000),
    ) {
        let mut gate = Shared::new(Limits::per_minute(100));
        let mut upstream =
            Upstream::new(vec![Rule::new(MINUTE_MS, hidden, fixed_from)], Says::Nothing);
        upstream.states = true;
        drive(&world(seed, 1, 100, 300), &mut gate, &mut upstream);
        prop_assert_eq!(upstream.refused_sent_at.len(), 0);
    }
}

/// Sends as long as there is leave at `now`.
fn burst(gate: &mut Shared, now: i64) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    while let Turn::Go(ticket) = gate.ask(now, Cost::ONE) {
        tickets.push(ticket);
    }
    tickets
}

/// A budget of 100 a minute of which 8 were accepted and the next was refused for a minute.
fn taught() -> Shared {
    let mut gate = Shared::new(Limits::per_minute(100));
    for now in 0..8 {
        let Turn::Go(ticket) = gate.ask(now, Cost::ONE) else { panic!("no leave") };
        gate.answered(now, ticket, &Outcome::default());
    }
    let Turn::Go(ticket) = gate.ask(8, Cost::ONE) else { panic!("no leave") };
    gate.answered(9, ticket, &refused(Some(seconds(60))));
    gate
}

#[test]
fn i10_after_a_refusal_the_allowance_falls_at_once_and_comes_back_slowly_to_the_ceiling() {
    let mut gate = taught();
    let early = gate.budget.view(&Limits::per_minute(100), at(30_000), None);
    assert_eq!(early.windows[0].limit, 2);
    let mut sizes = Vec::new();
    for minute in 2..9 {
        let tickets = burst(&mut gate, minute * 62_000);
        sizes.push(tickets.len());
        for ticket in tickets {
            gate.answered(minute * 62_000, ticket, &Outcome::default());
        }
    }
    // Eight were accepted in one minute, which is at least four in one window of any upstream.
    assert_eq!(sizes, [4, 4, 4, 4, 4, 4, 4]);
}

#[test]
fn i10_a_learned_ceiling_is_forgotten_after_thirty_days_and_not_earlier() {
    let mut gate = taught();
    assert_eq!(burst(&mut gate, 30 * DAY_MS - 1).len(), 4);
    let mut gate = taught();
    assert_eq!(burst(&mut gate, 30 * DAY_MS + 10).len(), 100);
}

#[test]
fn i10_only_a_larger_limit_that_is_news_lifts_a_learned_ceiling() {
    let stating = |limit: u32| Outcome {
        told: Told {
            quotas: vec![Quota {
                window: Some(seconds(60)),
                limit: Some(limit),
                ..Quota::default()
            }],
        },
        ..Outcome::default()
    };
    let mut gate = Shared::new(Limits::per_minute(100));
    for (now, outcome) in
        [stating(50), Outcome { told: stating(50).told, ..refused(None) }].into_iter().enumerate()
    {
        let now = i64::try_from(now).unwrap();
        let Turn::Go(ticket) = gate.ask(now, Cost::ONE) else { panic!("no leave") };
        gate.answered(now, ticket, &outcome);
    }
    let limit =
        |gate: &Shared| gate.budget.view(&gate.limits, at(10 * MINUTE_MS), None).windows[0].limit;
    assert_eq!(limit(&gate), 1);
    for (stated, limit_then) in [(50, 1), (60, 60), (200, 100)] {
        let now = 10 * MINUTE_MS;
        let Turn::Go(ticket) = gate.ask(now, Cost::ONE) else { panic!("no leave") };
        gate.answered(now, ticket, &stating(stated));
        assert_eq!(limit(&gate), limit_then, "after {stated} was stated");
        gate.budget = stored(&gate.budget);
        if limit_then == 1 {
            // The one place is taken until a window later.
            gate.budget = taught_later(gate.budget.clone(), &gate.limits, now);
        }
    }
}

/// The same budget as if the window had passed.
fn taught_later(mut budget: Budget, limits: &Limits, now: i64) -> Budget {
    budget.settle(limits, at(now));
    for window in &mut budget.windows {
        window.shift_back(seconds(120));
    }
    budget
}

#[test]
fn i10_what_others_spent_counts() {
    let limits =
        Limits { windows: vec![window(60_000, 100, Counted::Weight)], credits_per_month: None };
    let mut gate = Shared::new(limits);
    let Turn::Go(ticket) = gate.ask(0, Cost::ONE) else { panic!("no leave") };
    let told = Told::read([("X-MBX-USED-WEIGHT-1M", "95")], at(1));
    gate.answered(1, ticket, &Outcome { told, ..Outcome::default() });
    assert_eq!(burst(&mut gate, 2).len(), 5);
}

#[test]
fn i10_where_nothing_remains_nothing_is_sent_before_the_reset() {
    let mut gate = Shared::new(Limits::per_minute(100));
    let Turn::Go(ticket) = gate.ask(0, Cost::ONE) else { panic!("no leave") };
    let headers = [("RateLimit-Limit", "5000"), ("RateLimit-Remaining", "0")];
    let headers = headers.into_iter().chain([("RateLimit-Reset", "7200")]);
    let told = Told::read(headers, at(0));
    gate.answered(0, ticket, &Outcome { told, ..Outcome::default() });
    let turn = gate.ask(7_199_999, Cost::ONE);
    assert_eq!(turn, Turn::Wait { until: at(7_200_000), why: Why::RateLimited });
    assert!(matches!(gate.ask(7_200_000, Cost::ONE), Turn::Go(_)));
}

#[test]
fn i10_a_refusal_that_only_a_long_window_explains_leaves_the_short_one_alone() {
    let limits = Limits {
        windows: vec![window(1000, 50, Counted::Requests), window(60_000, 100, Counted::Requests)],
        credits_per_month: None,
    };
    let mut gate = Shared::new(limits);
    let Turn::Go(ticket) = gate.ask(0, Cost::ONE) else { panic!("no leave") };
    gate.answered(1, ticket, &refused(Some(seconds(40))));
    let view = gate.budget.view(&gate.limits, at(2), None);
    let shown: Vec<u64> = view.windows.iter().map(|window| window.limit).collect();
    assert_eq!(shown, [50, 1]);
}
