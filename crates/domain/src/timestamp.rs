//! Instants in milliseconds since the Unix epoch, UTC.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in UTC with millisecond precision: what every `*_at` value is.
///
/// Upstreams state at most milliseconds; finer digits are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Why a text or number is not a [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an instant (RFC 3339, YYYY-MM-DD, or Unix seconds or milliseconds)")]
pub struct TimestampError;

impl Timestamp {
    /// The Unix epoch, 1970-01-01T00:00:00Z, which some upstreams send for "unknown".
    pub const EPOCH: Self = Self(0);

    /// Last millisecond of the year 9999, the end of what RFC 3339 can write.
    const MAX_MILLIS: i64 = 253_402_300_799_999;
    /// Numbers below this are Unix seconds, from here on milliseconds (1973-03-03 in milliseconds,
    /// the year 5138 in seconds).
    const MILLIS_FROM: i64 = 100_000_000_000;

    /// An instant from milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`TimestampError`] before the epoch or after the year 9999.
    pub fn from_millis(millis: i64) -> Result<Self, TimestampError> {
        if (0..=Self::MAX_MILLIS).contains(&millis) {
            Ok(Self(millis))
        } else {
            Err(TimestampError)
        }
    }

    /// An instant from a Unix number that may be seconds or milliseconds, told apart by size.
    ///
    /// # Errors
    /// [`TimestampError`] before the epoch or after the year 9999.
    pub fn from_unix(number: i64) -> Result<Self, TimestampError> {
        Self::from_millis(Self::unix_millis(number))
    }

    /// Milliseconds since the Unix epoch of a Unix number that may be seconds or milliseconds, told apart
    /// by size.
    #[must_use]
    pub const fn unix_millis(number: i64) -> i64 {
        if number < Self::MILLIS_FROM { number.saturating_mul(1000) } else { number }
    }

    /// The instant nearest to so many milliseconds since the Unix epoch: the epoch for those before it,
    /// the end of the year 9999 for those after it.
    #[must_use]
    pub fn nearest(millis: i64) -> Self {
        Self(millis.clamp(0, Self::MAX_MILLIS))
    }

    /// Reads RFC 3339, a date and time without zone (taken as UTC), a date (midnight UTC), or a Unix
    /// number in seconds or milliseconds.
    ///
    /// # Errors
    /// [`TimestampError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::from_unix(text.parse().map_err(|_| TimestampError)?);
        }
        Self::from_millis(Self::calendar_millis(text)?)
    }

    /// Milliseconds since the Unix epoch of RFC 3339, a date and time without zone (taken as UTC), or a
    /// date (midnight UTC), of the years -9999 to 9999: also where there is no such instant here.
    ///
    /// # Errors
    /// [`TimestampError`] for anything else, numbers included.
    pub fn calendar_millis(text: &str) -> Result<i64, TimestampError> {
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Ok(instant.as_millisecond());
        }
        let civil = text
            .parse::<civil::DateTime>()
            .and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC))
            .map(|zoned| zoned.timestamp().as_millisecond());
        civil.or_else(|_| at_the_ends(text))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The instant `duration` later, saturating at the year 9999.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis).min(Self::MAX_MILLIS))
    }

    /// The instant `duration` earlier, saturating at the epoch.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis).max(0))
    }

    /// The time from `earlier` to this instant; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whole hours since the Unix epoch: the bucket that history is keyed by.
    #[must_use]
    pub const fn hour(self) -> i64 {
        self.0.div_euclid(3_600_000)
    }
}

/// The epoch in the calendar of UTC.
const EPOCH: civil::DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// Reads what the calendar has and the library's instants leave out: they end about a day before the
/// years -9999 and 9999 do, so that each has a date in every zone.
fn at_the_ends(text: &str) -> Result<i64, TimestampError> {
    let pieces = Pieces::parse(text).map_err(|_| TimestampError)?;
    if pieces.time_zone_annotation().is_some() {
        return Err(TimestampError);
    }
    let civil = pieces.date().to_datetime(pieces.time().unwrap_or_default());
    let offset = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
    let since_epoch =
        civil.duration_since(EPOCH) - SignedDuration::from_secs(offset.seconds().into());
    // Within the library's instants it had its reasons to refuse.
    if jiff::Timestamp::from_duration(since_epoch).is_ok() {
        return Err(TimestampError);
    }
    i64::try_from(since_epoch.as_millis()).map_err(|_| TimestampError)
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC; milliseconds only where they are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.0 % 1000 == 0 { 0 } else { 3 };
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.digits$}"),
            Err(_) => {
                let since_epoch = SignedDuration::from_millis(self.0);
                let civil = EPOCH.checked_add(since_epoch).map_err(|_| fmt::Error)?;
                write!(f, "{civil:.digits$}Z")
            }
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d11_the_forms_that_upstreams_use_are_read() {
        for (text, printed) in [
            ("2021-08-12T19:06:04Z", "2021-08-12T19:06:04Z"),
            ("2022-01-29T17:06:45.247Z", "2022-01-29T17:06:45.247Z"),
            ("2022-01-29T19:06:45+02:00", "2022-01-29T17:06:45Z"),
            ("2022-01-29T17:06:45.247951Z", "2022-01-29T17:06:45.247Z"),
            ("2022-01-29 17:06:45", "2022-01-29T17:06:45Z"),
            ("2022-03-16", "2022-03-16T00:00:00Z"),
            ("1609459200", "2021-01-01T00:00:00Z"),
            ("1609459200000", "2021-01-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), printed, "{text}");
        }
    }

    #[test]
    fn d11_what_is_no_instant_is_refused() {
        for text in ["", "soon", "2021-13-01", "-5", "99999999999999999999", "1969-12-31T23:59:59Z"]
        {
            assert_eq!(Timestamp::parse(text), Err(TimestampError), "{text}");
        }
    }

    #[test]
    fn json_round_trips_from_the_first_instant_to_the_last() {
        for (millis, printed) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (253_402_207_201_000, "9999-12-30T22:00:01Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            let instant = Timestamp::from_millis(millis).unwrap();
            let json = serde_json::to_string(&instant).unwrap();
            assert_eq!(json, format!("\"{printed}\""));
            assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), instant);
        }
    }

    #[test]
    fn dates_that_no_instant_here_has_are_read_and_the_nearest_one_stands_for_them() {
        for (text, millis, nearest) in [
            ("9999-12-31", 253_402_214_400_000, "9999-12-31T00:00:00Z"),
            ("9999-12-31T23:59:59-14:00", 253_402_351_199_000, "9999-12-31T23:59:59.999Z"),
            ("1970-01-01T00:30:00+02:00", -5_400_000, "1970-01-01T00:00:00Z"),
            ("0001-01-01", -62_135_596_800_000, "1970-01-01T00:00:00Z"),
            ("-009999-01-01T00:00:00Z", -377_705_116_800_000, "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp::calendar_millis(text), Ok(millis), "{text}");
            assert_eq!(Timestamp::nearest(millis).to_string(), nearest, "{text}");
        }
        for text in ["9999-12-32", "10000-01-01", "9999-12-31T23:59:59[Europe/Berlin]", "99991231T"]
        {
            assert_eq!(Timestamp::calendar_millis(text), Err(TimestampError), "{text}");
        }
    }
}
