//! Reads `Retry-After` in every form in which it is met (RFC 9110, sections 5.6.7 and 10.2.3).

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use kasparro_domain::Timestamp;

/// A number this close to now, as Unix time, is an instant and not a delay of half a century.
const NEAR: Duration = Duration::from_secs(31 * 24 * 3600);

/// The delay that a `Retry-After` value asks for at `now`: a number of seconds or an HTTP date.
/// Nothing for text that is neither; zero for a date in the past.
///
/// Forms that no specification knows but that are sent: fractions of seconds, Unix times, RFC 3339, a
/// wrong day of the week, and several headers joined by commas, of which the longest delay counts.
pub(crate) fn read(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Some(delay) = number(value, now) {
        return Some(delay);
    }
    if let Some(at) = date(value) {
        return Some(at.since(now));
    }
    let joined = value.contains(',').then(|| value.split(',').map(|each| number(each.trim(), now)));
    joined?.collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// Seconds, with or without a fraction, or a Unix time.
fn number(value: &str, now: Timestamp) -> Option<Duration> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    // More digits than fit are no less of a delay.
    let seconds = whole.parse::<u64>().unwrap_or(u64::MAX / 1000);
    if let Some(at) = i64::try_from(seconds).ok().and_then(|unix| Timestamp::from_unix(unix).ok())
        && seconds > NEAR.as_secs()
        && at >= now.minus(NEAR)
        && at <= now.plus(NEAR)
    {
        return Some(at.since(now));
    }
    // Cut off below a millisecond the delay would be too short.
    let millis = fraction.bytes().chain(*b"000").take(3);
    let millis = millis.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let finer = fraction.bytes().skip(3).any(|digit| digit != b'0');
    let millis = millis + u64::from(finer);
    Some(Duration::from_secs(seconds.min(u64::MAX / 1000)) + Duration::from_millis(millis))
}

/// The three forms of an HTTP date, and RFC 3339.
fn date(value: &str) -> Option<Timestamp> {
    static RFC_2822: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    let written = RFC_2822.parse_timestamp(value).or_else(|_| {
        let civil = rfc_850(value)
            .or_else(|_| strtime::parse("%a %b %e %H:%M:%S %Y", value)?.to_datetime());
        civil.and_then(|civil| Ok(civil.to_zoned(TimeZone::UTC)?.timestamp()))
    });
    match written {
        Ok(instant) => Timestamp::from_millis(instant.as_millisecond()).ok(),
        // Its numbers were judged before.
        Err(_) if value.contains('-') => Timestamp::parse(value).ok(),
        Err(_) => None,
    }
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`.
fn rfc_850(value: &str) -> Result<DateTime, jiff::Error> {
    // The day of the week is said again by the date, and not always rightly.
    let date = value.split_once(',').map_or(value, |(_, date)| date.trim());
    strtime::parse("%d-%b-%y %H:%M:%S GMT", date)?.to_datetime()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n13_every_form_is_read_and_nonsense_is_not() {
        let now = Timestamp::parse("2022-09-29T16:17:14Z").unwrap();
        for (value, seconds) in [
            ("119", Some(119)),
            (" 5 ", Some(5)),
            ("0", Some(0)),
            ("1000000000", Some(1_000_000_000)),
            ("007", Some(7)),
            ("Thu, 29 Sep 2022 16:19:14 GMT", Some(120)),
            ("thu, 29 sep 2022 16:19:14 GMT", Some(120)),
            ("Thu, 29 Sep 2022 18:19:14 +0200", Some(120)),
            ("Mon, 29 Sep 2022 16:19:14 GMT", Some(120)),
            ("29 Sep 2022 16:19:14 GMT", Some(120)),
            ("Thursday, 29-Sep-22 16:19:14 GMT", Some(120)),
            ("Monday, 29-Sep-22 16:19:14 GMT", Some(120)),
            ("Thu Sep 29 16:19:14 2022", Some(120)),
            ("Sat Oct  1 16:17:14 2022", Some(2 * 86_400)),
            ("2022-09-29T16:19:14Z", Some(120)),
            ("1664468354", Some(120)),
            ("1664468354000", Some(120)),
            ("5, 7", Some(7)),
            ("Thu, 29 Sep 2022 16:00:00 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(0)),
            ("Sun Nov  6 08:49:37 1994", Some(0)),
            ("soon", None),
            ("-5", None),
            ("-0", None),
            ("+5", None),
            ("", None),
            (".", None),
            ("5.", None),
            ("5s", None),
            ("1e3", None),
            ("0x10", None),
            ("5, soon", None),
            ("٣", None),
            ("Thu, 31 Sep 2022 16:19:14 GMT", None),
            ("Thu, 29 Sep 2022 25:19:14 GMT", None),
        ] {
            assert_eq!(read(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn n13_a_fraction_is_never_cut_short() {
        let now = Timestamp::parse("2022-09-29T16:17:14Z").unwrap();
        for (value, millis) in [("1.5", 1500), ("0.0001", 1), ("2.000", 2000), ("0.9999", 1000)] {
            assert_eq!(read(value, now), Some(Duration::from_millis(millis)), "{value}");
        }
    }

    #[test]
    fn n13_more_digits_than_fit_are_a_long_delay() {
        let delay = read(&"9".repeat(400), Timestamp::EPOCH).unwrap();
        assert!(delay > Duration::from_secs(u64::from(u32::MAX)));
    }

    #[test]
    fn n13_a_date_in_the_past_is_no_delay_and_one_a_millisecond_ahead_is_one() {
        let now = Timestamp::parse("2022-09-29T16:17:14.999Z").unwrap();
        let delay = read("Thu, 29 Sep 2022 16:17:15 GMT", now);
        assert_eq!(delay, Some(Duration::from_millis(1)));
    }
}
