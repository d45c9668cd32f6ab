//! Instants in query strings.

use kasparro_domain::Timestamp;

use crate::query::Params;

/// Numbers of fewer digits are years, dates or slips: as Unix seconds they are of before March 1973.
const UNIX_MIN_DIGITS: usize = 9;
/// Numbers of more digits are microseconds or finer: as milliseconds they are of after the year 33658.
const UNIX_MAX_DIGITS: usize = 15;
/// Digits of a date as YYYYMMDD.
const DATE_DIGITS: usize = 8;

const NO_INSTANT: &str = "is no instant; write it as 2024-01-31T12:00:00Z, 2024-01-31, or in Unix \
     seconds or milliseconds, and the + of an offset as %2B";

/// Reads `from` (inclusive) and `to` (exclusive); what cannot be read or holds nothing is noted.
pub(crate) fn read_span(params: &mut Params<'_>) -> (Option<Timestamp>, Option<Timestamp>) {
    let from = params.read_as("from", millis);
    let to = params.read_as("to", millis);
    // Compared as they are written: two that lie outside on one side have the same nearest instant.
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        params.refuse("from", "is not before to; to itself is left out");
    }
    (from.map(Timestamp::nearest), to.map(Timestamp::nearest))
}

/// Reads an instant that something is compared with. What lies before or after all that can be stored
/// is the nearest instant: nothing lies between the two.
pub(crate) fn instant(text: &str) -> Result<Timestamp, &'static str> {
    millis(text).map(Timestamp::nearest)
}

/// Milliseconds since the Unix epoch.
fn millis(text: &str) -> Result<i64, &'static str> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Timestamp::calendar_millis(text).map_err(|_| NO_INSTANT);
    }
    match text.len() {
        DATE_DIGITS => {
            let (year, day) = text.split_at(4);
            let (month, day) = day.split_at(2);
            Timestamp::calendar_millis(&format!("{year}-{month}-{day}"))
                .map_err(|_| "is no date; eight digits are year, month and day, as in 20240131")
        }
        UNIX_MIN_DIGITS..=UNIX_MAX_DIGITS => {
            text.parse().map(Timestamp::unix_millis).map_err(|_| NO_INSTANT)
        }
        digits if digits < UNIX_MIN_DIGITS => {
            Err("is too short for Unix seconds, which have nine \
             digits or more; write a date as 2024-01-31 or 20240131, and a year as 2024-01-01")
        }
        _ => Err(
            "is too long for Unix milliseconds; write microseconds and finer without their last \
             digits, or as 2024-01-31T12:00:00.123456Z",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_alone_are_a_date_of_eight_or_unix_time_of_nine_and_more() {
        for (text, read) in [
            ("20240131", "2024-01-31T00:00:00Z"),
            ("20270101", "2027-01-01T00:00:00Z"),
            ("99991231", "9999-12-31T00:00:00Z"),
            ("00010101", "1970-01-01T00:00:00Z"),
            ("000000000", "1970-01-01T00:00:00Z"),
            ("100000000", "1973-03-03T09:46:40Z"),
            ("1701426000", "2023-12-01T10:20:00Z"),
            ("1701426000123", "2023-12-01T10:20:00.123Z"),
            ("999999999999999", "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(instant(text).unwrap().to_string(), read, "{text}");
        }
    }

    #[test]
    fn digits_that_could_mean_something_else_are_refused_with_what_to_write() {
        for (text, hint) in [
            ("0", "2024-01-31"),
            ("2027", "2024-01-01"),
            ("202701", "20240131"),
            ("2027001", "20240131"),
            ("20270230", "is no date"),
            ("12345678", "is no date"),
            ("1701426000123456", "microseconds"),
            ("99999999999999999999", "microseconds"),
        ] {
            let message = instant(text).unwrap_err();
            assert!(message.contains(hint), "{text}: {message}");
        }
    }

    #[test]
    fn what_lies_outside_all_instants_is_the_nearest_one() {
        for (text, read) in [
            ("9999-12-31", "9999-12-31T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("9999-12-31T23:59:59-10:00", "9999-12-31T23:59:59.999Z"),
            ("0001-01-01", "1970-01-01T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(instant(text).unwrap().to_string(), read, "{text}");
        }
        for text in
            ["", "soon", "-5", "2024", "2021-13-01", "9999-12-32", "2024-02-30", "10000-01-01"]
        {
            assert!(instant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_is_judged_as_it_is_written() {
        let read = |query| {
            let mut params = Params::read(Some(query), &["from", "to"]);
            let span = read_span(&mut params);
            params.check(span)
        };
        let (from, to) = read("from=0001-01-01&to=1969-01-01").unwrap();
        assert_eq!((from, to), (Some(Timestamp::EPOCH), Some(Timestamp::EPOCH)));
        assert!(read("from=0001-01-01&to=9999-12-31").is_ok());
        assert!(read("from=1969-01-01&to=0001-01-01").is_err());
        assert!(read("from=2024-01-01&to=20240101").is_err());
    }
}
