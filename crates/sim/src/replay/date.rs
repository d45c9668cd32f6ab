//! When a capture was made, from text that people wrote.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

/// The longest instant that is looked for, with fractions and an offset.
const LONGEST: usize = 35;

/// The first date in a text, to the precision in which it stands there: an instant, a day, a month (its
/// first day) or, if there is nothing else, a year. Without an offset it is in UTC.
pub(super) fn first_date(text: &str) -> Option<Timestamp> {
    let starts = || {
        text.char_indices().filter_map(|(at, letter)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            (letter.is_ascii_digit() && !before.is_some_and(|before| before.is_ascii_digit()))
                .then(|| text.get(at..))
                .flatten()
        })
    };
    starts()
        .find_map(instant)
        .or_else(|| jiff::fmt::rfc2822::parse(text.trim()).ok().map(|zoned| zoned.timestamp()))
        .or_else(|| starts().find_map(year))
}

/// The longest instant, day or month at the beginning of a text.
fn instant(text: &str) -> Option<Timestamp> {
    if text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    let parts = (8..=LONGEST).rev().filter_map(|end| text.get(..end));
    // The parsers would take a blank or an annotation along.
    parts
        .filter(|part| part.ends_with(|end: char| end.is_ascii_digit() || end == 'Z'))
        .find_map(|part| part.parse().ok().or_else(|| utc(part.parse().ok()?)))
        .or_else(|| utc(format!("{}-01", text.get(..7)?).parse().ok()?))
}

fn utc(local: DateTime) -> Option<Timestamp> {
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn year(text: &str) -> Option<Timestamp> {
    let digits = text.find(|end: char| !end.is_ascii_digit()).unwrap_or(text.len());
    let year: i16 = text.get(..digits).filter(|digits| digits.len() == 4)?.parse().ok()?;
    let year = Some(year).filter(|year| (1990..=2200).contains(year))?;
    utc(Date::new(year, 1, 1).ok()?.to_datetime(Time::midnight()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_date_is_found_in_every_form() {
        for (text, wanted) in [
            ("2022-01-29T17:08:03Z", "2022-01-29T17:08:03Z"),
            ("2024-03-30T07:22:29.427+00:00", "2024-03-30T07:22:29.427Z"),
            ("2024-03-30T07:22:29+02:00", "2024-03-30T05:22:29Z"),
            ("2023-01-11T13:52Z (last_updated)", "2023-01-11T13:52:00Z"),
            ("2023-01-11 13:52:07", "2023-01-11T13:52:07Z"),
            ("<=2024-02-24 (commit date)", "2024-02-24T00:00:00Z"),
            ("2025-07-05 (commit of the same job)", "2025-07-05T00:00:00Z"),
            ("2021-12-31/2022-01-12", "2021-12-31T00:00:00Z"),
            ("2025-08-05 .. 2026-05-01", "2025-08-05T00:00:00Z"),
            ("2020-10..2021-07", "2020-10-01T00:00:00Z"),
            ("2021-12/2022-01", "2021-12-01T00:00:00Z"),
            ("2020-12", "2020-12-01T00:00:00Z"),
            ("page 20220 of 2019-02-03", "2019-02-03T00:00:00Z"),
            ("Sat, 29 Jan 2022 17:08:03 GMT", "2022-01-29T17:08:03Z"),
            ("2022-13-45", "2022-01-01T00:00:00Z"),
            ("spring of 2019 – about", "2019-01-01T00:00:00Z"),
        ] {
            assert_eq!(
                first_date(text).map(|at| at.to_string()).as_deref(),
                Some(wanted),
                "{text}"
            );
        }
        for text in ["", "unknown", "12345", "–2–"] {
            assert_eq!(first_date(text), None, "{text}");
        }
    }
}
