//! When a source runs.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use croner::Cron;
use jiff::tz::TimeZone;
use kasparro_domain::Timestamp;

/// Shortest interval that is accepted: below it a schedule would be a busy loop on an upstream.
const SHORTEST: Duration = Duration::from_secs(1);

/// When a source runs; the first time always at start.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// After every interval, counted from the start of the run before.
    Every(Duration),
    /// At the instants of a cron expression, in UTC.
    Cron(Box<Cron>),
    /// Only when asked.
    Never,
}

/// Why a text is not a [`Schedule`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a schedule; write an interval (30s, 15m, 1h, 1d), a cron expression (0 * * * *) or off"
)]
pub struct ScheduleError(String);

impl Schedule {
    /// The time between two runs, where it is always the same.
    #[must_use]
    pub const fn interval(&self) -> Option<std::time::Duration> {
        match self {
            Self::Every(interval) => Some(*interval),
            Self::Cron(_) | Self::Never => None,
        }
    }

    /// Reads `1h`, `every 15m`, a cron expression of five fields, or `off`.
    ///
    /// # Errors
    /// [`ScheduleError`], whose text says what to write.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let wrong = || ScheduleError(text.to_owned());
        let text = text.trim();
        if text == "off" || text == "never" {
            return Ok(Self::Never);
        }
        let interval = text.strip_prefix("every ").unwrap_or(text).trim();
        if let Some(interval) = read_interval(interval) {
            return if interval < SHORTEST { Err(wrong()) } else { Ok(Self::Every(interval)) };
        }
        if text.split_whitespace().count() < 5 {
            return Err(wrong());
        }
        Cron::from_str(text).map(|cron| Self::Cron(Box::new(cron))).map_err(|_| wrong())
    }

    /// The first instant after `now` at which the source runs, when its last run started at
    /// `last_start`. Missed instants are made up for by one run.
    #[must_use]
    pub fn next_after(&self, last_start: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(interval) => Some(last_start.plus(*interval).max(now)),
            Self::Cron(cron) => {
                let from = jiff::Timestamp::from_millisecond(last_start.as_millis()).ok()?;
                let next = cron.find_next_occurrence(&from.to_zoned(TimeZone::UTC), false).ok()?;
                let next = Timestamp::from_millis(next.timestamp().as_millisecond()).ok()?;
                Some(next.max(now))
            }
            Self::Never => None,
        }
    }
}

/// Longest time by which something on an interval may be asked for early.
const LONGEST_SLACK: Duration = Duration::from_secs(3600);

impl Schedule {
    /// How much earlier than its instant something may be asked for along with something else: a tenth of
    /// an interval, an hour at most. A page is fetched somewhat after the run that asks for it begins, so
    /// without this the run that comes one interval later would find it not due yet.
    pub(crate) fn slack(&self) -> Duration {
        match self {
            Self::Every(interval) => (*interval / 10).min(LONGEST_SLACK),
            Self::Cron(_) | Self::Never => Duration::ZERO,
        }
    }
}

/// Reads one number and one unit of `s`, `m`, `h`, `d`.
fn read_interval(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(split)?;
    let seconds = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => {
                let seconds = interval.as_secs();
                match seconds {
                    0 => write!(f, "every {}ms", interval.as_millis()),
                    _ if seconds.is_multiple_of(86_400) => write!(f, "every {}d", seconds / 86_400),
                    _ if seconds.is_multiple_of(3600) => write!(f, "every {}h", seconds / 3600),
                    _ if seconds.is_multiple_of(60) => write!(f, "every {}m", seconds / 60),
                    _ => write!(f, "every {seconds}s"),
                }
            }
            Self::Cron(cron) => write!(f, "{}", cron.pattern),
            Self::Never => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn intervals_cron_expressions_and_off_are_read_and_printed() {
        for (text, printed) in [
            ("1h", "every 1h"),
            ("every 15m", "every 15m"),
            ("90s", "every 90s"),
            ("1d", "every 1d"),
            ("0 * * * *", "0 * * * *"),
            ("off", "off"),
        ] {
            assert_eq!(Schedule::parse(text).unwrap().to_string(), printed);
        }
        for text in ["", "0s", "1 fortnight", "h", "* *", "61 * * * *"] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn t4_missed_ticks_run_once() {
        let hourly = Schedule::parse("1h").unwrap();
        let last = at("2026-01-01T00:00:00Z");
        assert_eq!(
            hourly.next_after(last, at("2026-01-01T00:10:00Z")),
            Some(at("2026-01-01T01:00:00Z"))
        );
        assert_eq!(
            hourly.next_after(last, at("2026-01-01T10:10:00Z")),
            Some(at("2026-01-01T10:10:00Z"))
        );
    }

    #[test]
    fn t3_a_cron_expression_holds_in_utc() {
        let daily = Schedule::parse("30 2 * * *").unwrap();
        let now = at("2024-02-28T02:30:00Z");
        assert_eq!(daily.next_after(now, now), Some(at("2024-02-29T02:30:00Z")));
        let missed = at("2024-03-02T12:00:00Z");
        assert_eq!(daily.next_after(now, missed), Some(missed), "missed instants are made up for");
        assert_eq!(Schedule::Never.next_after(now, now), None);
    }
}
