//! The dates of feeds, in the many ways in which they are written.

use jiff::fmt::rfc2822::DateTimeParser;
use kasparro_domain::{Timestamp, TimestampError};

/// A weekday that does not fit the date is common, and says less than the date.
static RFC_822: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// Digits that an instant written as a Unix number has at least; fewer are a year or a day.
const MIN_UNIX_DIGITS: usize = 9;

/// Reads RFC 822 and its successors, with names of days and months in full, without seconds or without
/// a zone (then UTC), or RFC 3339 and its parts.
pub(super) fn instant(text: &str) -> Result<Timestamp, TimestampError> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return if text.len() < MIN_UNIX_DIGITS {
            Err(TimestampError)
        } else {
            Timestamp::parse(text)
        };
    }
    Timestamp::parse(text).or_else(|_| {
        let instant = RFC_822.parse_timestamp(normal(text)).map_err(|_| TimestampError)?;
        Timestamp::from_millis(instant.as_millisecond())
    })
}

/// The date as RFC 822 has it: no weekday, three letters of the month, a zone without a colon.
fn normal(text: &str) -> String {
    let text = text.split_once(',').map_or(text, |(_, date)| date);
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    // A weekday without a comma behind it.
    if words.first().is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_alphabetic())) {
        words.remove(0);
    }
    if let Some(month) = words.get_mut(1).filter(|word| word.is_ascii()) {
        month.truncate(3);
    }
    if words.len() == 4 {
        words.push("+0000".to_owned());
    }
    if let Some(zone) = words.get_mut(4).filter(|zone| zone.starts_with(['+', '-'])) {
        *zone = zone.replace(':', "");
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_they_are_written() {
        for (text, printed) in [
            ("Sat, 07 Sep 2002 00:00:01 GMT", "2002-09-07T00:00:01Z"),
            ("Sat, 07 Sep 02 00:00:01 GMT", "2002-09-07T00:00:01Z"),
            ("07 Sep 2002 00:00 EST", "2002-09-07T05:00:00Z"),
            ("Sat, 7 Sep 2002 00:00:01 +0200", "2002-09-06T22:00:01Z"),
            ("Sat, 7 Sep 2002 00:00:01 +02:00", "2002-09-06T22:00:01Z"),
            ("Saturday, 07 September 2002 00:00:01 PDT", "2002-09-07T07:00:01Z"),
            ("Sat, 07 Sept 2002 00:00:01 UTC", "2002-09-07T00:00:01Z"),
            ("Mon, 07 Sep 2002 00:00:01 Z", "2002-09-07T00:00:01Z"),
            ("Sat, 07 Sep 2002 00:00:01", "2002-09-07T00:00:01Z"),
            (" Sat,  07 Sep\n2002 00:00:01 UT ", "2002-09-07T00:00:01Z"),
            ("Sat 07 Sep 2002 00:00:01 GMT", "2002-09-07T00:00:01Z"),
            ("2003-12-13T18:30:02.25+01:00", "2003-12-13T17:30:02.250Z"),
            ("2003-12-13T18:30Z", "2003-12-13T18:30:00Z"),
            ("2003-12-13", "2003-12-13T00:00:00Z"),
            ("1609459200", "2021-01-01T00:00:00Z"),
        ] {
            assert_eq!(instant(text).unwrap().to_string(), printed, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "yesterday",
            "2003",
            "20031213",
            "Sat, 31 Feb 2002 00:00:01 GMT",
            "07 Sep 2002",
            "é é é",
        ] {
            assert!(instant(text).is_err(), "{text}");
        }
    }
}
