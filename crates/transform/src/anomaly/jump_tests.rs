//! Prices that jump, each beside a twin that does not.

use kasparro_domain::{Timestamp, ValueAnomalyKind};
use proptest::prelude::*;

use super::jump::{LEAST_MOVE, PricePoint, jump, worth_looking};
use super::samples::Noise;
use super::values::UnusualValue;

const HOUR: i64 = 3_600_000;
const START: i64 = 1_600_000_000_000;

fn at(step: i64, every: i64, price: f64) -> PricePoint {
    PricePoint { observed_at: Timestamp::from_millis(START + step * every).unwrap(), price }
}

fn series(every: i64, prices: &[f64]) -> Vec<PricePoint> {
    (0..).zip(prices).map(|(step, price)| at(step, every, *price)).collect()
}

/// A walk with this usual move per step.
fn walk(every: i64, steps: usize, start: f64, per_step: f64) -> Vec<PricePoint> {
    let mut noise = Noise::new(7);
    let mut log = start.ln();
    let prices: Vec<f64> = std::iter::repeat_with(|| {
        log += per_step * noise.normal();
        log.exp()
    })
    .take(steps)
    .collect();
    series(every, &prices)
}

fn next(history: &[PricePoint], every: i64, factor: f64) -> Option<UnusualValue> {
    let last = history.last().unwrap();
    let observed_at = Timestamp::from_millis(last.observed_at.as_millis() + every).unwrap();
    jump(history, PricePoint { observed_at, price: last.price * factor })
}

#[test]
fn a_move_far_beyond_the_usual_is_a_jump_and_a_usual_one_is_not() {
    let history = walk(24 * HOUR, 60, 40_000.0, 0.04);
    assert_eq!(next(&history, 24 * HOUR, 1.4), None);
    let found = next(&history, 24 * HOUR, 1e6).unwrap();
    assert_eq!(found.kind, ValueAnomalyKind::PriceJump);
    assert!(next(&history, 24 * HOUR, 1e-6).is_some());
    assert!(next(&history, 24 * HOUR, 0.4).is_some());
}

#[test]
fn what_would_have_been_usual_is_said_in_words() {
    let prices: Vec<f64> = (0..20).map(|step| if step % 2 == 0 { 1.0 } else { 1.001 }).collect();
    let history = series(24 * HOUR, &prices);
    let found = jump(&history, at(20, 24 * HOUR, 2.5)).unwrap();
    assert_eq!(found.value, "2.5");
    assert_eq!(found.expected, "0.6071 to 1.65: 1.001 before, usual moves taken as 5.1 % a day");
}

#[test]
fn a_wild_coin_may_do_what_a_calm_one_may_not() {
    let calm = walk(24 * HOUR, 60, 1.0, 0.02);
    let wild = walk(24 * HOUR, 60, 1.0, 0.25);
    assert!(next(&calm, 24 * HOUR, 3.0).is_some());
    assert_eq!(next(&wild, 24 * HOUR, 3.0), None);
}

#[test]
fn the_time_between_points_counts() {
    let history = walk(HOUR, 80, 1.0, 0.01);
    assert!(next(&history, HOUR, 2.0).is_some());
    assert_eq!(next(&history, 60 * 24 * HOUR, 2.0), None);
}

#[test]
fn a_stablecoin_may_stray_and_is_flagged_when_it_breaks() {
    let history = walk(24 * HOUR, 60, 1.0, 0.001);
    assert_eq!(next(&history, 24 * HOUR, 0.9), None);
    assert_eq!(next(&history, 24 * HOUR, 1.3), None);
    assert!(next(&history, 24 * HOUR, 0.45).is_some());
}

#[test]
fn a_price_that_nobody_traded_tells_little_about_how_far_it_may_move() {
    let frozen = series(24 * HOUR, &[0.5; 60]);
    assert_eq!(next(&frozen, 24 * HOUR, 2.5), None);
    assert!(next(&frozen, 24 * HOUR, 100.0).is_some());
}

#[test]
fn a_young_listing_is_judged_by_a_wide_floor() {
    assert_eq!(jump(&[], at(0, HOUR, 5.0)), None);
    let young = series(HOUR, &[1.0, 1.1]);
    assert_eq!(next(&young, HOUR, 2.9), None);
    assert!(next(&young, HOUR, 1000.0).is_some());
}

#[test]
fn the_return_from_a_bad_value_is_no_jump_and_does_not_hide_the_next() {
    let mut history = walk(24 * HOUR, 60, 1.0, 0.03);
    let good = history.last().unwrap().price;
    let bad = at(60, 24 * HOUR, good * 1e6);
    assert!(jump(&history, bad).is_some());
    history.push(bad);
    let back = at(61, 24 * HOUR, good);
    assert_eq!(jump(&history, back), None);
    history.push(back);
    assert!(jump(&history, at(62, 24 * HOUR, good * 50.0)).is_some());
}

#[test]
fn a_new_level_is_flagged_once() {
    let mut history = walk(24 * HOUR, 60, 1.0, 0.03);
    let high = history.last().unwrap().price * 1000.0;
    for (step, flagged) in [(60, true), (61, false), (62, false), (63, false), (64, false)] {
        let now = at(step, 24 * HOUR, high);
        assert_eq!(jump(&history, now).is_some(), flagged, "{step}");
        history.push(now);
    }
}

#[test]
fn unknown_prices_never_flag() {
    let history = walk(HOUR, 60, 1.0, 0.01);
    for price in [0.0, -5.0, f64::NAN, f64::INFINITY] {
        assert_eq!(jump(&history, at(60, HOUR, price)), None);
        assert!(!worth_looking(0.0, price));
    }
    let unusable = series(HOUR, &[0.0, -1.0, f64::NAN]);
    assert_eq!(jump(&unusable, at(3, HOUR, 1e9)), None);
    assert!(!worth_looking(f32::NAN, 1e9));
}

#[test]
fn later_points_are_not_looked_at() {
    let history = walk(24 * HOUR, 60, 1.0, 0.02);
    let (before, _) = history.split_at(40);
    let late = PricePoint { price: 77.0, ..history[40] };
    assert!(jump(before, late).is_some());
    assert_eq!(jump(before, late), jump(&history, late));
}

fn any_series() -> impl Strategy<Value = Vec<PricePoint>> {
    prop::collection::vec((1_i64..200, -120.0..120.0_f64), 1..130).prop_map(|steps| {
        let mut hours = 0;
        steps
            .into_iter()
            .map(|(gap, log)| {
                hours += gap;
                // Mostly calm, sometimes anywhere.
                at(hours, HOUR, if log.abs() < 90.0 { (log / 300.0).exp() } else { log.exp() })
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn the_size_of_the_unit_changes_nothing(mut points in any_series(), power in -60..60_i32) {
        let scaled: Vec<PricePoint> = points
            .iter()
            .map(|point| PricePoint { price: point.price * 2_f64.powi(power), ..*point })
            .collect();
        let (now, scaled_now) = (points.pop().unwrap(), *scaled.last().unwrap());
        let flagged = jump(&points, now).is_some();
        prop_assert_eq!(flagged, jump(&scaled, scaled_now).is_some());
    }

    #[test]
    fn the_order_of_the_history_changes_nothing(
        (mut points, shuffled) in any_series().prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle()))
    ) {
        let now = *points.last().unwrap();
        points.pop();
        prop_assert_eq!(jump(&points, now), jump(&shuffled, now));
    }

    #[test]
    fn what_jumps_is_worth_looking_at(mut points in any_series(), factor in -1.0..1.0_f64) {
        let mut now = points.pop().unwrap();
        if let Some(last) = points.last() {
            if now.price > 1e-3 && now.price < 1e3 {
                now.price = last.price * factor.exp();
            }
            if jump(&points, now).is_some() {
                #[expect(clippy::cast_possible_truncation, reason = "the memory keeps logarithms in short")]
                let previous = last.price.ln() as f32;
                prop_assert!(worth_looking(previous, now.price));
            }
        }
    }

    #[test]
    fn the_least_move_survives_a_short_logarithm(log in -138.0..184.0_f64, up in any::<bool>()) {
        let price = (log + if up { LEAST_MOVE } else { -LEAST_MOVE } * 1.000_001).exp();
        #[expect(clippy::cast_possible_truncation, reason = "the memory keeps logarithms in short")]
        let previous = log as f32;
        prop_assert!(worth_looking(previous, price));
        prop_assert!(!worth_looking(previous, (log + 0.4).exp()));
    }
}
