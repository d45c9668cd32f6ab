//! Reads `Retry-After` in both its forms (RFC 9110, section 10.2.3).

use std::time::Duration;

use kasparro_domain::Timestamp;

/// The delay that a `Retry-After` value asks for at `now`: a number of seconds or an HTTP date.
/// Nothing for text that is neither; zero for a date in the past.
pub(crate) fn read(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    let at = Timestamp::from_millis(date.timestamp().as_millisecond()).ok()?;
    Some(at.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n13_seconds_and_dates_are_read_and_nonsense_is_not() {
        let now = Timestamp::parse("2022-09-29T16:17:14Z").unwrap();
        for (value, seconds) in [
            ("119", Some(119)),
            (" 5 ", Some(5)),
            ("Thu, 29 Sep 2022 16:19:14 GMT", Some(120)),
            ("Thu, 29 Sep 2022 16:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            assert_eq!(read(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
