//! The credits of a calendar month, UTC.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use kasparro_domain::Timestamp;
use serde::{Deserialize, Serialize};

/// How far the upstream's clock may be from ours: a month begins this much later for us, and what is
/// spent this close to its end counts for both.
const SKEW: Duration = Duration::from_secs(10);

/// What was spent in the month under way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Month {
    /// Months since the year 0.
    number: i32,
    pub(super) spent: u64,
    /// Spent so late that the upstream may count it for the next month.
    late: u64,
    /// The credits of a month as the upstream stated them.
    stated: Option<u64>,
    /// The month before and what was spent in it, for a clock that goes back.
    before: Option<(i32, u64)>,
}

impl Month {
    /// Begins the month of `now` where it is a new one.
    pub(super) fn roll(&mut self, now: Timestamp) {
        // A state that begins knows of no month that could be going on.
        let begun = if self.number == 0 { now } else { now.minus(SKEW) };
        let number = number_of(begun);
        if number > self.number {
            self.before = Some((self.number, self.spent));
            self.spent = if number == self.number + 1 { self.late } else { 0 };
            self.number = number;
            (self.late, self.stated) = (0, None);
        }
    }

    /// The clock went back: what was spent meanwhile belongs to the month it shows now.
    pub(super) fn roll_back(&mut self, now: Timestamp) {
        let number = number_of(now);
        if number < self.number {
            let then = self.before.take().filter(|(before, _)| *before == number);
            self.spent = self.spent.saturating_add(then.map_or(0, |(_, spent)| spent));
            self.number = number;
        }
    }

    /// When the month begins for us.
    pub(super) fn begin(&self) -> Timestamp {
        start_of(self.number).plus(SKEW)
    }

    /// When the next one does.
    pub(super) fn end(&self) -> Timestamp {
        start_of(self.number + 1).plus(SKEW)
    }

    /// The credits of a month: the configured ones, or fewer where the upstream said so.
    pub(super) fn limit(&self, configured: u64) -> u64 {
        self.stated.map_or(configured, |stated| stated.min(configured))
    }

    /// The credits that are left.
    pub(super) fn left(&self, configured: u64) -> u64 {
        self.limit(configured).saturating_sub(self.spent)
    }

    pub(super) fn spend(&mut self, credits: u32, now: Timestamp) {
        let credits = u64::from(credits);
        self.spent = self.spent.saturating_add(credits);
        if now.plus(SKEW) >= start_of(self.number + 1) {
            self.late = self.late.saturating_add(credits);
        }
    }

    /// A request that was sent in an earlier month was answered: the upstream may have counted it in
    /// this one.
    pub(super) fn answered(&mut self, credits: u32, sent_at: Timestamp) {
        if self.number == number_of(sent_at) + 1 && sent_at.plus(SKEW) < start_of(self.number) {
            self.spent = self.spent.saturating_add(u64::from(credits));
        }
    }

    /// Takes what the upstream states about the month.
    pub(super) fn told(&mut self, configured: u64, limit: Option<u32>, remaining: Option<u32>) {
        if let Some(limit) = limit {
            self.stated = Some(u64::from(limit));
        }
        if let (Some(limit), Some(remaining)) = (limit, remaining) {
            let used = u64::from(limit.saturating_sub(remaining));
            self.spent = self.spent.max(used.min(self.limit(configured)));
        }
    }
}

fn number_of(at: Timestamp) -> i32 {
    let instant = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    let date = instant.to_zoned(TimeZone::UTC).date();
    i32::from(date.year()) * 12 + i32::from(date.month()) - 1
}

/// The first instant of a month; the end of time where there is none.
fn start_of(number: i32) -> Timestamp {
    let first = || {
        let year = i16::try_from(number.div_euclid(12)).ok()?;
        let month = i8::try_from(number.rem_euclid(12) + 1).ok()?;
        let date = Date::new(year, month, 1).ok()?;
        let instant = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Timestamp::from_millis(instant.as_millisecond()).ok()
    };
    first().unwrap_or_else(|| Timestamp::EPOCH.plus(Duration::MAX))
}
