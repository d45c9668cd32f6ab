//! The date that the name of a text states.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use kasparro_domain::Timestamp;

/// The day of the first block of Bitcoin: no table of quotes is older.
const FIRST_DAY: Date = Date::constant(2009, 1, 3);
const LAST_YEAR: i16 = 2100;

/// The instant that a file name states, the last one where it states several: a day
/// (`2022-03-16`, `2022_03_16`, `20220316`, each at midnight UTC) or Unix milliseconds of 13 digits.
/// Digits that belong to a longer number state nothing, nor do days that no table can be of.
pub(super) fn instant_in(name: &str) -> Option<Timestamp> {
    let numbers = numbers(name);
    (0..numbers.len()).rev().find_map(|last| {
        let (_, text) = numbers.get(last)?;
        match text.len() {
            13 => millis(text),
            8 => day(text.get(..4)?, text.get(4..6)?, text.get(6..)?),
            2 => {
                let [year, month, date] = numbers.get(last.checked_sub(2)?..=last)? else {
                    return None;
                };
                let separated = [b'-', b'_'].into_iter().any(|separator| {
                    [month.0, date.0].into_iter().all(|at| follows(name, at, separator))
                });
                let fits = separated && year.1.len() == 4 && month.1.len() == 2;
                if fits { day(year.1, month.1, date.1) } else { None }
            }
            _ => None,
        }
    })
}

/// The runs of digits of a name, each with its place.
fn numbers(name: &str) -> Vec<(usize, &str)> {
    let mut numbers = Vec::new();
    let mut at = 0;
    for piece in name.split(|c: char| !c.is_ascii_digit()) {
        if !piece.is_empty() {
            numbers.push((at, piece));
        }
        let separator = name.get(at + piece.len()..).and_then(|rest| rest.chars().next());
        at += piece.len() + separator.map_or(0, char::len_utf8);
    }
    numbers
}

/// True when the number at `at` stands behind a digit and one separator.
fn follows(name: &str, at: usize, separator: u8) -> bool {
    let before = name.as_bytes().get(at.saturating_sub(2)..at);
    matches!(before, Some([digit, found]) if digit.is_ascii_digit() && *found == separator)
}

fn day(year: &str, month: &str, day: &str) -> Option<Timestamp> {
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    let midnight = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
    if plausible(date) { Timestamp::from_millis(midnight.as_millisecond()).ok() } else { None }
}

fn millis(text: &str) -> Option<Timestamp> {
    let instant = jiff::Timestamp::from_millisecond(text.parse().ok()?).ok()?;
    let date = instant.to_zoned(TimeZone::UTC).date();
    if plausible(date) { Timestamp::from_millis(instant.as_millisecond()).ok() } else { None }
}

fn plausible(date: Date) -> bool {
    date >= FIRST_DAY && date.year() <= LAST_YEAR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_or_an_instant_in_a_name_is_found() {
        for (name, found) in [
            ("prices_2025-08-05.csv", "2025-08-05T00:00:00Z"),
            ("2022_03_16.csv.gz", "2022-03-16T00:00:00Z"),
            ("top100-20220316.csv", "2022-03-16T00:00:00Z"),
            ("history_1609459200000.csv", "2021-01-01T00:00:00Z"),
            ("1640563200123.csv", "2021-12-27T00:00:00.123Z"),
            ("v2-2022-03-16-v10.csv", "2022-03-16T00:00:00Z"),
            ("2022-03-16_2022-03-18.csv", "2022-03-18T00:00:00Z"),
            ("20220316 of 2022-03-17é.csv", "2022-03-17T00:00:00Z"),
            ("é2009-01-03", "2009-01-03T00:00:00Z"),
            ("2022-03-16-99.csv", "2022-03-16T00:00:00Z"),
        ] {
            assert_eq!(instant_in(name).unwrap().to_string(), found, "{name}");
        }
    }

    #[test]
    fn what_is_no_plausible_date_states_nothing() {
        for name in [
            "",
            "prices.csv",
            "2020-12.csv",
            "2009-01-02.csv",
            "2101-01-01.csv",
            "2022-13-01.csv",
            "2022-02-30.csv",
            "2022-03_16.csv",
            "2022--03-16.csv",
            "2022-3-16.csv",
            "12022-03-16.csv",
            "2022-03-161.csv",
            "120220316.csv",
            "202203160.csv",
            "16094592000001.csv",
            "0000000000000.csv",
            "9999999999999.csv",
            "2022.03.16.csv",
            "1609459200.csv",
        ] {
            assert_eq!(instant_in(name), None, "{name}");
        }
    }
}
