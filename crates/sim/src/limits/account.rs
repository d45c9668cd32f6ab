//! What one key has used up of one limit.

use std::collections::VecDeque;

use jiff::tz::Offset;

use super::plan::{Rule, Window};

#[derive(Debug, Default)]
pub(super) struct Account {
    /// When something was used up in the current window, and how much; oldest first.
    used: VecDeque<(i64, u64)>,
    used_sum: u64,
    /// Until when the last refusal told to wait, and when it was sent.
    pub(super) told: Option<Told>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) at_ms: i64,
    pub(super) until_ms: i64,
}

impl Account {
    /// Forgets what no window holds any more.
    fn forget(&mut self, window: Window, now_ms: i64) {
        let begin_ms = match window {
            Window::Sliding(span) => now_ms.saturating_sub(millis(span)).saturating_add(1),
            Window::Fixed(span) => now_ms - now_ms.rem_euclid(millis(span)),
            Window::Month => month(now_ms).0,
        };
        while let Some((at_ms, amount)) = self.used.front().copied() {
            if at_ms >= begin_ms {
                break;
            }
            self.used.pop_front();
            self.used_sum = self.used_sum.saturating_sub(amount);
        }
    }

    /// How much of the current window is used up.
    pub(super) fn used(&mut self, window: Window, now_ms: i64) -> u64 {
        self.forget(window, now_ms);
        self.used_sum
    }

    /// Whether so much more is allowed now.
    pub(super) fn admits(&mut self, rule: &Rule, now_ms: i64, cost: u64) -> bool {
        self.used(rule.window, now_ms).saturating_add(cost) <= rule.limit
    }

    /// Uses up so much.
    pub(super) fn charge(&mut self, now_ms: i64, cost: u64) {
        self.used_sum = self.used_sum.saturating_add(cost);
        match self.used.back_mut() {
            // A month of one entry for each request would grow without need.
            Some((at_ms, amount)) if *at_ms == now_ms => *amount = amount.saturating_add(cost),
            _ => self.used.push_back((now_ms, cost)),
        }
    }

    /// When there is room for so much again, if nothing more is used up until then.
    pub(super) fn free_at_ms(&self, rule: &Rule, now_ms: i64, cost: u64) -> i64 {
        match rule.window {
            Window::Fixed(span) => {
                let span_ms = millis(span);
                (now_ms - now_ms.rem_euclid(span_ms)).saturating_add(span_ms)
            }
            Window::Month => month(now_ms).1,
            Window::Sliding(span) => {
                let mut used = self.used_sum;
                for (at_ms, amount) in &self.used {
                    if used.saturating_add(cost) <= rule.limit {
                        break;
                    }
                    used = used.saturating_sub(*amount);
                    if used.saturating_add(cost) <= rule.limit {
                        return at_ms.saturating_add(millis(span));
                    }
                }
                now_ms.saturating_add(if used.saturating_add(cost) <= rule.limit {
                    0
                } else {
                    millis(span)
                })
            }
        }
    }
}

fn millis(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX).max(1)
}

/// When the calendar month of an instant begins and ends, in UTC.
fn month(now_ms: i64) -> (i64, i64) {
    let instant = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default();
    let date = Offset::UTC.to_datetime(instant).date();
    let first = date.first_of_month();
    let next = first.last_of_month().tomorrow().unwrap_or(first);
    let begin_ms = |date: jiff::civil::Date| {
        Offset::UTC
            .to_timestamp(date.to_datetime(jiff::civil::Time::midnight()))
            .map_or(now_ms, jiff::Timestamp::as_millisecond)
    };
    (begin_ms(first), begin_ms(next))
}

/// The calendar month of an instant in UTC, as `2026-01`.
pub(super) fn month_name(now_ms: i64) -> String {
    let instant = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default();
    instant.strftime("%Y-%m").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HiddenLimits;

    fn rule(text: &str) -> Rule {
        let text = format!(r#"[{{"vendor":"coingecko",{text}}}]"#);
        HiddenLimits::parse(text.as_bytes()).unwrap().rules.remove(0)
    }

    /// Asks at each instant and gives what was allowed.
    fn allowed(rule: &Rule, instants: &[i64]) -> Vec<bool> {
        let mut account = Account::default();
        let ask = |now_ms: &i64| {
            let admitted = account.admits(rule, *now_ms, 1);
            if admitted {
                account.charge(*now_ms, 1);
            }
            admitted
        };
        instants.iter().map(ask).collect()
    }

    #[test]
    fn a_sliding_window_never_holds_more_than_its_limit() {
        let rule = rule(r#""window":"sliding","span_ms":100,"limit":2"#);
        let got = allowed(&rule, &[1_000, 1_090, 1_099, 1_100, 1_189, 1_190]);
        assert_eq!(got, [true, true, false, true, false, true]);
    }

    #[test]
    fn a_fixed_window_allows_a_burst_at_its_border() {
        let rule = rule(r#""window":"fixed","span_ms":100,"limit":2"#);
        let got = allowed(&rule, &[1_090, 1_099, 1_099, 1_100, 1_101, 1_102]);
        assert_eq!(got, [true, true, false, true, true, false]);
    }

    #[test]
    fn a_month_ends_with_the_calendar_month() {
        let at = |text: &str| kasparro_domain::Timestamp::parse(text).unwrap().as_millis();
        let rule = rule(r#""window":"month","limit":1"#);
        let instants = [
            at("2026-02-01T00:00:00Z"),
            at("2026-02-28T23:59:59.999Z"),
            at("2026-03-01T00:00:00Z"),
        ];
        assert_eq!(allowed(&rule, &instants), [true, false, true]);
        assert_eq!(month(at("2026-12-05T01:02:03Z")), (at("2026-12-01"), at("2027-01-01")));
        assert_eq!(month_name(instants[1]), "2026-02");
    }

    #[test]
    fn room_is_told_to_the_millisecond() {
        let sliding = rule(r#""window":"sliding","span_ms":100,"limit":3"#);
        let mut account = Account::default();
        for now_ms in [1_000, 1_010, 1_020] {
            account.charge(now_ms, 1);
        }
        assert_eq!(account.free_at_ms(&sliding, 1_050, 1), 1_100);
        assert_eq!(account.free_at_ms(&sliding, 1_050, 2), 1_110);
        assert!(!account.admits(&sliding, 1_099, 1) && account.admits(&sliding, 1_100, 1));
        assert_eq!(account.free_at_ms(&sliding, 1_050, 9), 1_150);
        let fixed = rule(r#""window":"fixed","span_ms":100,"limit":3"#);
        assert_eq!(account.free_at_ms(&fixed, 1_050, 1), 1_100);
    }
}
