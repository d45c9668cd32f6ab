//! The credits of a month, and the plan that spreads them.

use proptest::prelude::*;
use proptest::test_runner::Config;

use super::upstream::{Rule, Says, Upstream};
use super::world::Dice;
use super::*;

/// A source that runs as often as it may.
struct Life {
    limits: Limits,
    upstream: Upstream,
    /// Requests of an ordinary run at most, and at least.
    requests: (i64, i64),
    cost: Cost,
    /// Requests of the lists, once a day.
    lists: i64,
    interval_ms: i64,
    until_ms: i64,
    seed: u64,
}

/// What came of it.
#[derive(Debug, Default)]
struct Lived {
    starts: Vec<i64>,
    /// Runs that were cut short by the month.
    cut: usize,
    early: usize,
}

impl Life {
    fn live(&mut self) -> Lived {
        let (mut dice, mut budget, mut lived) =
            (Dice::new(self.seed), Budget::default(), Lived::default());
        let (mut start, mut lists_due, mut not_before) = (0, 0, i64::MIN);
        while start < self.until_ms {
            lived.starts.push(start);
            let mut now = start;
            let ordinary = self.requests.0 + dice.below(self.requests.1 - self.requests.0 + 1);
            let lists = if now >= lists_due { self.lists } else { 0 };
            lists_due = if lists > 0 { now + DAY_MS } else { lists_due };
            let mut sent = 0;
            while sent < ordinary + lists {
                match budget.ask(&self.limits, at(now), Ask { cost: self.cost, attempt: 1 }) {
                    Turn::Go(ticket) => {
                        lived.early += usize::from(now < not_before);
                        let arrival = now + dice.below(200);
                        let outcome = self.upstream.serve(arrival, now, self.cost);
                        now = arrival + dice.below(300);
                        if outcome.class.is_some() {
                            self.upstream.first_refusal.get_or_insert(now);
                            let delay = outcome.retry_after.unwrap_or_default().as_millis();
                            not_before = now + i64::try_from(delay).unwrap();
                        }
                        budget.answered(&self.limits, at(now), ticket, &outcome);
                        sent += 1;
                    }
                    Turn::Wait { until, .. } => now = until.as_millis() - START_MS,
                    Turn::Never { .. } => {
                        lived.cut += 1;
                        break;
                    }
                }
            }
            if lists == 0 {
                budget.run_ended(u64::try_from(sent).unwrap() * u64::from(self.cost.credits));
            }
            let (cost, scheduled) = (budget.cost_of_run(), at(now.max(start + self.interval_ms)));
            let next = budget.next_start(&self.limits, at(now), at(start), cost, scheduled);
            assert!(next >= scheduled);
            start = next.as_millis() - START_MS;
            budget = stored(&budget);
        }
        lived
    }
}

fn life(credits: u64, requests: (i64, i64), lists: i64) -> Life {
    let windows = vec![LimitWindow::per_minute(100)];
    Life {
        limits: Limits { windows, credits_per_month: Some(credits) },
        upstream: Upstream::new(vec![Rule::new(MINUTE_MS, 30, Some(17))], Says::Honestly),
        requests,
        cost: Cost::ONE,
        lists,
        interval_ms: MINUTE_MS,
        until_ms: 59 * DAY_MS,
        seed: 11,
    }
}

/// The share of each whole month that was used, in percent.
fn used(life: &Life) -> Vec<u64> {
    let credits = life.limits.credits_per_month.unwrap();
    life.upstream.spent[..2].iter().map(|(_, spent)| spent * 100 / credits).collect()
}

#[test]
fn i10_a_greedy_schedule_uses_the_month_and_never_more() {
    for (credits, requests, lists) in
        [(10_000, (4, 4), 0), (10_000, (8, 8), 60), (10_000, (1, 12), 25), (20_000, (1, 1), 3)]
    {
        let mut life = life(credits, requests, lists);
        let lived = life.live();
        for used in used(&life) {
            assert!((95..=100).contains(&used), "{used} % of {credits} by {requests:?}, {lists}");
        }
        assert!(life.upstream.spent.iter().all(|(_, spent)| *spent <= credits));
        assert_eq!(life.upstream.refused_after_learning(), 0, "{credits} {requests:?} {lists}");
        // Once at the beginning, and once more when that was forgotten.
        assert!(life.upstream.refused_sent_at.len() <= 2);
        assert_eq!(lived.early, 0);
        assert!(lived.cut <= 2, "{} runs were cut short by the month", lived.cut);
    }
}

#[test]
fn i10_the_month_is_spread_evenly() {
    let mut life = life(10_000, (4, 4), 0);
    let starts = life.live().starts;
    let days = 0..59;
    let by_day: Vec<usize> =
        days.map(|day| starts.iter().filter(|start| **start / DAY_MS == day).count()).collect();
    // 2,500 runs in a month of 31 and of 28 days.
    assert!(by_day[..30].iter().all(|runs| (78..=83).contains(runs)), "{by_day:?}");
    assert!(by_day[32..58].iter().all(|runs| (87..=92).contains(runs)), "{by_day:?}");
}

#[test]
fn i10_seven_days_keyless_demo_and_pro() {
    let minute =
        |limit, hidden: Rule, says| (Limits::per_minute(limit), Upstream::new(vec![hidden], says));
    let keyless = minute(10, Rule::new(MINUTE_MS, 5, None), Says::Always(119));
    let (mut demo, demo_upstream) = minute(100, Rule::new(MINUTE_MS, 30, Some(0)), Says::Honestly);
    demo.credits_per_month = Some(10_000);
    let (mut pro, pro_upstream) = minute(500, Rule::new(MINUTE_MS, 500, Some(0)), Says::Honestly);
    pro.credits_per_month = Some(500_000);
    for (name, limits, upstream, requests) in [
        ("keyless", keyless.0, keyless.1, (4, 8)),
        ("demo", demo, demo_upstream, (40, 44)),
        ("pro", pro, pro_upstream, (60, 70)),
    ] {
        let credits = limits.credits_per_month;
        let mut life =
            Life { limits, upstream, requests, until_ms: 7 * DAY_MS, ..life(0, requests, 20) };
        let lived = life.live();
        assert_eq!(life.upstream.refused_after_learning(), 0, "{name}");
        assert_eq!(lived.early, 0, "{name}");
        let spent = life.upstream.spent[0].1;
        if let Some(credits) = credits {
            // Seven days of 31.
            let share = spent * 100 * 31 / (credits * 7);
            assert!((95..=106).contains(&share), "{name}: {share} % of a week's share");
        } else {
            assert!(spent > 7 * 24 * 60 * 2, "{name}: {spent} requests");
        }
    }
}

proptest! {
    #![proptest_config(Config::with_cases(12))]

    #[test]
    fn i10_a_month_is_never_overspent(
        seed in any::<u64>(),
        credits in 50_u64..3000,
        most in 1_i64..30,
        lists in 0_i64..40,
        price in 1_u32..4,
    ) {
        let mut life = life(credits, (1, most), lists);
        (life.seed, life.cost) = (seed, Cost { weight: 1, credits: price });
        life.live();
        for (month, spent) in &life.upstream.spent {
            prop_assert!(*spent <= credits, "{spent} of {credits} in {month}");
        }
    }

    #[test]
    fn i10_no_credit_is_spent_twice_at_the_turn_of_the_month(
        seed in any::<u64>(),
        ahead_ms in -9_000_i64..9_000,
        credits in 3_u64..40,
    ) {
        // Greedy without a plan, with a clock that differs from the upstream's.
        let limits = Limits { windows: Vec::new(), credits_per_month: Some(credits) };
        let mut upstream = Upstream::new(Vec::new(), Says::Nothing);
        let (mut dice, mut budget) = (Dice::new(seed), Budget::default());
        let mut now = 31 * DAY_MS - 60_000;
        while now < 31 * DAY_MS + 60_000 {
            if let Turn::Go(ticket) = budget.ask(&limits, at(now + ahead_ms), FIRST) {
                upstream.serve(now, now, Cost::ONE);
                now += dice.below(900);
                budget.answered(&limits, at(now + ahead_ms), ticket, &Outcome::default());
            }
            now += 1 + dice.below(5000);
        }
        for (month, spent) in &upstream.spent {
            prop_assert!(*spent <= credits, "{spent} of {credits} in {month}");
        }
    }
}

#[test]
fn the_next_month_is_waited_for_where_a_run_cannot_be_paid() {
    let limits = Limits { windows: Vec::new(), credits_per_month: Some(10) };
    let mut budget = Budget::default();
    for now in 0..8 {
        granted(budget.ask(&limits, at(now), FIRST));
    }
    let next = budget.next_start(&limits, at(9), at(0), 3, at(MINUTE_MS));
    assert_eq!(next, at(31 * DAY_MS + 10_000));
    let fits = budget.next_start(&limits, at(9), at(0), 2, at(MINUTE_MS));
    assert!(fits <= next);
    for now in 8..10 {
        granted(budget.ask(&limits, at(now), FIRST));
    }
    let turn = budget.ask(&limits, at(10), FIRST);
    assert_eq!(turn, Turn::Never { why: Why::MonthSpent, until: Some(next) });
    granted(budget.ask(&limits, next, FIRST));
}

#[test]
fn a_forecast_says_how_long_the_credits_last() {
    let limits = Limits { windows: Vec::new(), credits_per_month: Some(100) };
    let mut budget = Budget::default();
    for cost in [4, 5, 3] {
        budget.run_ended(cost);
    }
    assert_eq!(budget.cost_of_run(), 5);
    let forecast = budget.forecast(&limits, at(0), Some(seconds(3600))).unwrap();
    assert_eq!(forecast.lasts_until, Some(at(20 * 3_600_000)));
    assert_eq!(forecast.interval_affordable.as_secs(), (31 * 86_400 + 10) / 20);
    let slow = budget.forecast(&limits, at(0), Some(seconds(2 * 86_400))).unwrap();
    assert_eq!((slow.credits_left, slow.lasts_until), (100, None));
    assert_eq!(budget.forecast(&Limits::per_minute(5), at(0), None), None);
}

#[test]
fn i20_a_clock_that_was_years_ahead_gives_no_credits_back() {
    let limits = Limits { windows: Vec::new(), credits_per_month: Some(10) };
    let mut budget = Budget::default();
    for now in [0, 1, 2, 3, 4, 5, 6, 7, 400 * DAY_MS, 9, 10] {
        let _ = budget.ask(&limits, at(now), FIRST);
    }
    assert!(matches!(budget.ask(&limits, at(11), FIRST), Turn::Never { .. }));
}

#[test]
fn a_view_shows_windows_and_the_month() {
    let limits = Limits { credits_per_month: Some(100), ..Limits::per_minute(5) };
    let mut budget = Budget::default();
    let ticket = granted(budget.ask(&limits, at(0), FIRST));
    budget.answered(&limits, at(100), ticket, &Outcome::default());
    let view = serde_json::to_value(budget.view(&limits, at(200), Some(seconds(60)))).unwrap();
    let wanted = serde_json::json!({
        "windows": [
            {"window": "minute", "limit": 5, "remaining": 4, "resets_at": "2026-01-01T00:01:01.300Z"},
            {"window": "month", "limit": 100, "remaining": 99, "resets_at": "2026-02-01T00:00:10Z"},
        ],
        "breaker": "closed",
        "not_before": null,
        "requests_total": 1,
        "retries_in_last_100": 0,
        "forecast": {
            "credits_left": 99,
            "lasts_until": "2026-01-01T01:39:00.200Z",
            "interval_affordable_seconds": 27_054,
        },
    });
    assert_eq!(view, wanted);
}
