//! Whether the data is as fresh as schedule and month allow.

use jiff::ToSpan;
use jiff::tz::TimeZone;
use kasparro_domain::Timestamp;
use kasparro_engine::Schedule;
use serde_json::{Value, json};

use super::judge::good_starts;
use super::live::Lived;
use super::scenario::Scenario;

/// The part of its share of the month that is to be used.
const USED: f64 = 0.95;
/// How far the usual time between two runs may be from the ideal one.
const OFF: f64 = 0.10;
/// The longest time between two runs, in ideal ones.
const LONGEST: u32 = 3;

/// Judges each calendar month by itself.
pub(crate) fn judge(scenario: &Scenario, lived: &Lived, complaints: &mut Vec<String>) -> Value {
    let mut months = Vec::new();
    let mut from = lived.begins_at;
    while from < lived.ends_at {
        let (name, end) = month(from);
        let part = Part { name, from, to: end.min(lived.ends_at), month_end: end };
        months.push(part.judge(scenario, lived, complaints));
        from = end;
    }
    months.into()
}

/// The part of a calendar month that was lived through.
struct Part {
    name: String,
    from: Timestamp,
    to: Timestamp,
    month_end: Timestamp,
}

impl Part {
    fn judge(&self, scenario: &Scenario, lived: &Lived, complaints: &mut Vec<String>) -> Value {
        let of_part = |at: &Timestamp| (self.from..self.to).contains(at);
        let starts: Vec<_> = good_starts(lived).into_iter().filter(of_part).collect();
        let spent = lived.requests.iter().filter(|asked| of_part(&asked.at)).count();
        let mut intervals: Vec<_> = starts.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        intervals.sort_unstable();
        let (Some(longest), false) = (intervals.last().copied(), starts.is_empty()) else {
            if scenario.expected.fresh {
                complaints.push(format!("{}: hardly a run succeeded", self.name));
            }
            return json!({"month": self.name, "successes": starts.len()});
        };
        let median = intervals[intervals.len() / 2];
        let schedule = Schedule::parse(scenario.schedule).unwrap().interval().unwrap();
        let cost = spent as f64 / starts.len() as f64;
        let rest = self.month_end.since(self.from);
        let affordable = credits(scenario).map(|credits| rest.mul_f64(cost / credits));
        let ideal = affordable.map_or(schedule, |affordable| affordable.max(schedule));
        let share = self.to.since(self.from).as_secs_f64() / ideal.as_secs_f64() * cost;
        let used = spent as f64 / share;
        if scenario.expected.fresh {
            let off = median.as_secs_f64() / ideal.as_secs_f64() - 1.0;
            if off.abs() > OFF {
                let name = &self.name;
                complaints.push(format!("{name}: runs are {median:?} apart, ideal is {ideal:?}"));
            }
            if longest > ideal * LONGEST {
                complaints.push(format!("{}: once no data for {longest:?}", self.name));
            }
            if used < USED {
                complaints.push(format!("{}: {used:.3} of the share was used", self.name));
            }
        }
        json!({
            "month": self.name,
            "successes": starts.len(),
            "credits_spent": spent,
            "used_of_share": round(used),
            "seconds_between_runs": {
                "ideal": round(ideal.as_secs_f64()),
                "median": round(median.as_secs_f64()),
                "longest": round(longest.as_secs_f64()),
            },
        })
    }
}

/// The credits of a month, as the simulator allows them.
fn credits(scenario: &Scenario) -> Option<f64> {
    let rules = scenario.hidden.as_array()?;
    rules.iter().find(|rule| rule["window"] == "month")?["limit"].as_f64()
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The calendar month of an instant in UTC, and its end.
fn month(at: Timestamp) -> (String, Timestamp) {
    let instant = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap();
    let date = instant.to_zoned(TimeZone::UTC).date();
    let end = date.first_of_month().checked_add(1.month()).unwrap();
    let end = end.to_zoned(TimeZone::UTC).unwrap().timestamp().as_millisecond();
    (date.strftime("%Y-%m").to_string(), Timestamp::from_millis(end).unwrap())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_month_ends_with_its_last_day() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let (name, end) = month(at("2026-12-31T23:59:59Z"));
        assert_eq!((name.as_str(), end), ("2026-12", at("2027-01-01T00:00:00Z")));
        assert_eq!(Duration::from_secs(28 * 86_400), end.since(at("2026-12-04T00:00:00Z")));
    }
}
