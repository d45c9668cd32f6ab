//! Pauses, retries and the breaker.

use proptest::prelude::*;

use super::world::Dice;
use super::*;

fn free() -> Limits {
    Limits { windows: Vec::new(), credits_per_month: None }
}

proptest! {
    #[test]
    fn i10_nothing_is_sent_before_a_retry_after_has_passed(
        delay_ms in 1_u64..2_000_000,
        limit in 1_u32..50,
        early_ms in 1_i64..1000,
    ) {
        let limits = Limits::per_minute(limit);
        let mut budget = Budget::default();
        let ticket = granted(budget.ask(&limits, at(0), FIRST));
        let told = refused(Some(Duration::from_millis(delay_ms)));
        budget.answered(&limits, at(40), ticket, &told);
        let mut budget = stored(&budget);
        let end = 40 + i64::try_from(delay_ms).unwrap();
        for now in [40, end / 2, end - early_ms.min(end), end - 1] {
            let turn = budget.ask(&limits, at(now), FIRST);
            prop_assert!(!matches!(turn, Turn::Go(_)), "{turn:?} at {now} of {end}");
        }
        granted(budget.ask(&limits, at(end.max(62_000)), FIRST));
    }

    #[test]
    fn i10_at_most_ten_of_any_hundred_requests_are_retries(seed in any::<u64>(), share in 1_i64..100) {
        let mut dice = Dice::new(seed);
        let mut budget = Budget::default();
        let mut sent = Vec::new();
        for step in 0..600 {
            let attempt = if dice.below(100) < share { 2 } else { 1 };
            match budget.ask(&free(), at(step), Ask { attempt, ..FIRST }) {
                Turn::Go(ticket) => {
                    sent.push(attempt > 1);
                    budget.answered(&free(), at(step), ticket, &Outcome::default());
                }
                Turn::Never { why: Why::RetriesSpent, until: None } => assert_eq!(attempt, 2),
                other => panic!("{other:?}"),
            }
            budget = if step % 50 == 0 { stored(&budget) } else { budget };
        }
        for hundred in sent.windows(100) {
            prop_assert!(hundred.iter().filter(|retry| **retry).count() <= 10);
        }
    }

    #[test]
    fn i10_an_open_breaker_lets_one_probe_go_in_each_interval(
        seed in any::<u64>(),
        workers in 1_usize..6,
        outage_s in 120_i64..7200,
    ) {
        let mut dice = Dice::new(seed);
        let mut budget = Budget::default();
        let (mut sent, mut now) = (Vec::new(), 0);
        let mut flights: Vec<(i64, Ticket)> = Vec::new();
        while now < (outage_s + 1000) * 1000 {
            now += 1 + dice.below(3000);
            while let Some(index) = flights.iter().position(|(due, _)| *due <= now) {
                let (_, ticket) = flights.swap_remove(index);
                let down = now < outage_s * 1000;
                let outcome = if down { failed(ErrorClass::Transient) } else { Outcome::default() };
                budget.answered(&free(), at(now), ticket, &outcome);
            }
            for _ in 0..workers {
                if let Turn::Go(ticket) = budget.ask(&free(), at(now), FIRST) {
                    sent.push(now);
                    flights.push((now + dice.below(5000), ticket));
                }
            }
        }
        // By then it is open: five requests were answered.
        let probes: Vec<i64> =
            sent.iter().copied().filter(|at| (40_000..outage_s * 1000).contains(at)).collect();
        for pair in probes.windows(2) {
            prop_assert!(pair[1] - pair[0] >= 30_000, "{pair:?}");
        }
        // It is found to be back within the longest interval, and then asked freely.
        let back = sent.iter().filter(|at| **at >= outage_s * 1000).count();
        prop_assert!(back > 10, "{back} requests after the outage");
    }
}

#[test]
fn n13_a_delay_of_decades_is_cut_to_a_day_and_a_ban_of_three_days_is_kept() {
    for (delay, kept) in [(1_000_000_000, 86_400), (3 * 86_400, 3 * 86_400), (u64::MAX, 86_400)] {
        let mut budget = Budget::default();
        let ticket = granted(budget.ask(&free(), at(0), FIRST));
        budget.answered(&free(), at(0), ticket, &refused(Some(seconds(delay))));
        let until = at(0).plus(seconds(kept));
        let turn = budget.ask(&free(), at(1), FIRST);
        assert_eq!(turn, Turn::Wait { until, why: Why::RateLimited });
    }
}

#[test]
fn n13_a_refusal_without_a_delay_pauses_for_one_window_and_jitter() {
    for retry_after in [None, Some(Duration::ZERO)] {
        let mut budget = Budget::default();
        let ticket = granted(budget.ask(&free(), at(0), FIRST));
        let outcome = Outcome { jitter: seconds(3), ..refused(retry_after) };
        budget.answered(&free(), at(500), ticket, &outcome);
        let turn = budget.ask(&free(), at(600), FIRST);
        assert_eq!(turn, Turn::Wait { until: at(63_500), why: Why::RateLimited });
    }
}

#[test]
fn n15_a_refused_plan_pauses_for_a_day_or_until_the_next_month() {
    let begin = at(31 * DAY_MS + 10_000);
    for (now, until) in [(0, at(DAY_MS)), (31 * DAY_MS - 3_600_000, begin)] {
        let mut budget = Budget::default();
        let ticket = granted(budget.ask(&free(), at(now), FIRST));
        budget.answered(&free(), at(now), ticket, &failed(ErrorClass::Plan));
        let turn = stored(&budget).ask(&free(), at(now + 1), FIRST);
        assert_eq!(turn, Turn::Never { why: Why::Plan, until: Some(until) });
        granted(budget.ask(&free(), until, FIRST));
    }
}

#[test]
fn n15_a_refused_key_pauses_for_an_hour() {
    let mut budget = Budget::default();
    let ticket = granted(budget.ask(&free(), at(0), FIRST));
    budget.answered(&free(), at(0), ticket, &failed(ErrorClass::Key));
    let turn = budget.ask(&free(), at(3_599_999), FIRST);
    assert_eq!(turn, Turn::Never { why: Why::KeyRefused, until: Some(at(3_600_000)) });
    granted(budget.ask(&free(), at(3_600_000), FIRST));
}

#[test]
fn i10_a_request_is_sent_three_times_at_most() {
    let mut budget = Budget::default();
    granted(budget.ask(&free(), at(0), Ask { attempt: 3, ..FIRST }));
    let turn = budget.ask(&free(), at(1), Ask { attempt: 4, ..FIRST });
    assert_eq!(turn, Turn::Never { why: Why::AttemptsSpent, until: None });
}

/// Fails until the breaker opens; returns when.
fn opened(budget: &mut Budget) -> i64 {
    for now in 0..5 {
        let ticket = granted(budget.ask(&free(), at(now), FIRST));
        budget.answered(&free(), at(now), ticket, &failed(ErrorClass::Transient));
    }
    4
}

#[test]
fn n14_the_breaker_opens_at_the_fifth_failure_and_doubles_to_fifteen_minutes() {
    let mut budget = Budget::default();
    let mut now = opened(&mut budget);
    for interval in [30, 60, 120, 240, 480, 900, 900] {
        let until = now + interval * 1000;
        budget = stored(&budget);
        let turn = budget.ask(&free(), at(until - 1), FIRST);
        assert_eq!(turn, Turn::Never { why: Why::BreakerOpen, until: Some(at(until)) });
        assert_eq!(budget.view(&free(), at(until), None).breaker, BreakerState::HalfOpen);
        let probe = granted(budget.ask(&free(), at(until), FIRST));
        assert!(matches!(budget.ask(&free(), at(until), FIRST), Turn::Never { .. }));
        now = until + 100;
        budget.answered(&free(), at(now), probe, &failed(ErrorClass::Transient));
    }
    let probe = granted(budget.ask(&free(), at(now + 900_000), FIRST));
    budget.answered(&free(), at(now + 900_001), probe, &Outcome::default());
    assert_eq!(budget.view(&free(), at(now + 900_001), None).breaker, BreakerState::Closed);
    // All of it was forgotten: the first interval is the shortest again.
    for _ in 0..5 {
        let ticket = granted(budget.ask(&free(), at(now + 900_002), FIRST));
        budget.answered(&free(), at(now + 900_002), ticket, &failed(ErrorClass::Transient));
    }
    let shut = budget.ask(&free(), at(now + 900_003), FIRST);
    assert_eq!(shut, Turn::Never { why: Why::BreakerOpen, until: Some(at(now + 930_002)) });
}

#[test]
fn n14_a_probe_that_is_never_answered_does_not_keep_the_breaker_open() {
    let mut budget = Budget::default();
    let now = opened(&mut budget) + 30_000;
    granted(budget.ask(&free(), at(now), FIRST));
    assert!(matches!(budget.ask(&free(), at(now + 29_999), FIRST), Turn::Never { .. }));
    granted(budget.ask(&free(), at(now + 30_000), FIRST));
}

#[test]
fn n14_an_answer_from_before_the_outage_does_not_close_the_breaker() {
    let mut budget = Budget::default();
    let early = granted(budget.ask(&free(), at(0), FIRST));
    opened(&mut budget);
    budget.answered(&free(), at(10), early, &Outcome::default());
    assert!(matches!(budget.ask(&free(), at(11), FIRST), Turn::Never { .. }));
}

#[test]
fn n14_failures_that_are_not_in_a_row_leave_the_breaker_closed() {
    let mut budget = Budget::default();
    for now in 0..40 {
        let ticket = granted(budget.ask(&free(), at(now), FIRST));
        let outcome = match now % 5 {
            0 => failed(ErrorClass::Gone),
            _ => failed(ErrorClass::Transient),
        };
        budget.answered(&free(), at(now), ticket, &outcome);
    }
}
