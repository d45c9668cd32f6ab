//! What kind of value a member holds, finer than JSON tells it.

use std::fmt::{self, Write as _};

use kasparro_domain::{FieldRole, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// A kind of value. Whole and broken numbers are one kind: upstreams send 1 and 1.0 alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Kind {
    Null,
    /// The empty text, object or array.
    Empty,
    Bool,
    Number,
    NumberText,
    /// A text with an instant and its zone.
    Instant,
    /// A text with a date, or a time without a zone.
    LocalInstant,
    Seconds,
    Millis,
    /// Finer than milliseconds: nothing of ours reads it.
    Micros,
    Text,
    Array,
    Object,
}

/// How many kinds there are.
pub(super) const KINDS: usize = 13;

impl Kind {
    /// Every kind, in the order of its number.
    pub(super) const ALL: [Self; KINDS] = [
        Self::Null,
        Self::Empty,
        Self::Bool,
        Self::Number,
        Self::NumberText,
        Self::Instant,
        Self::LocalInstant,
        Self::Seconds,
        Self::Millis,
        Self::Micros,
        Self::Text,
        Self::Array,
        Self::Object,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Empty => "empty",
            Self::Bool => "flag",
            Self::Number => "number",
            Self::NumberText => "number as text",
            Self::Instant => "instant",
            Self::LocalInstant => "instant without zone",
            Self::Seconds => "Unix seconds",
            Self::Millis => "Unix milliseconds",
            Self::Micros => "Unix microseconds",
            Self::Text => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    pub(super) const fn known(self) -> bool {
        !matches!(self, Self::Null | Self::Empty)
    }

    pub(super) const fn container(self) -> bool {
        matches!(self, Self::Array | Self::Object)
    }

    pub(super) const fn numeric(self) -> bool {
        matches!(self, Self::Number | Self::NumberText)
    }

    pub(super) const fn unix(self) -> bool {
        matches!(self, Self::Seconds | Self::Millis | Self::Micros)
    }

    pub(super) const fn instant(self) -> bool {
        matches!(self, Self::Instant | Self::LocalInstant) || self.unix()
    }

    /// True when our readers take this kind for this role, and mean what the upstream means.
    pub(super) fn readable(self, role: FieldRole) -> bool {
        match role {
            FieldRole::Price | FieldRole::Amount | FieldRole::Percent | FieldRole::Rank => {
                self.numeric()
            }
            FieldRole::Instant => matches!(self, Self::Instant | Self::Seconds | Self::Millis),
            FieldRole::Id | FieldRole::Text => self == Self::Text,
            FieldRole::Other => false,
        }
    }
}

/// What is kept of one value of a row that is compared by its id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scalar {
    pub(super) kind: Kind,
    /// Magnitude of a number ([`magnitude`]), seconds of an instant, hash of anything else.
    pub(super) code: i64,
    /// Hash of the value as it is.
    pub(super) exact: u16,
    /// Significant digits of a number.
    pub(super) digits: u8,
}

/// The code of zero, which has no logarithm.
pub(super) const ZERO: i64 = -1_000_000;

/// A number's magnitude in thousandths of a decade: 1,000 times `log10 |v|`; [`ZERO`] for 0.
#[expect(clippy::cast_possible_truncation, reason = "1,000 times the logarithm of an f64 fits")]
pub(super) fn magnitude(number: f64) -> i64 {
    if number == 0.0 { ZERO } else { (number.abs().log10() * 1000.0).round() as i64 }
}

/// What one value is, and its number and instant where it has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) kind: Kind,
    pub(super) number: Option<f64>,
    pub(super) instant: Option<Timestamp>,
}

/// Reads a value that is used as `role`; texts of ids and names are never looked into.
pub(super) fn read(value: &Value, role: Option<FieldRole>) -> Reading {
    let plain = |kind| Reading { kind, number: None, instant: None };
    match value {
        Value::Null => plain(Kind::Null),
        Value::Bool(_) => plain(Kind::Bool),
        Value::Array(items) if items.is_empty() => plain(Kind::Empty),
        Value::Object(members) if members.is_empty() => plain(Kind::Empty),
        Value::Array(_) => plain(Kind::Array),
        Value::Object(_) => plain(Kind::Object),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            read_number(Kind::Number, number, role)
        }
        Value::String(text) => {
            let text = text.trim();
            if text.is_empty() {
                return plain(Kind::Empty);
            }
            if matches!(role, Some(FieldRole::Id | FieldRole::Text | FieldRole::Other)) {
                return plain(Kind::Text);
            }
            read_text(text, role)
        }
    }
}

fn read_number(kind: Kind, number: f64, role: Option<FieldRole>) -> Reading {
    if role != Some(FieldRole::Instant) {
        return Reading { kind, number: Some(number), instant: None };
    }
    // The same borders by which the reader tells seconds from milliseconds.
    let (kind, millis) = match number.abs() {
        size if size < 1e11 => (Kind::Seconds, number * 1000.0),
        size if size < 2.5e14 => (Kind::Millis, number),
        _ => (Kind::Micros, f64::NAN),
    };
    #[expect(clippy::cast_possible_truncation, reason = "a fraction of a millisecond is nothing")]
    let instant = millis.is_finite().then(|| Timestamp::from_millis(millis as i64).ok()).flatten();
    Reading { kind, number: Some(number), instant }
}

fn read_text(text: &str, role: Option<FieldRole>) -> Reading {
    let first = text.as_bytes().first().copied().unwrap_or_default();
    let numeric = first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.');
    if numeric && let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) {
        return read_number(Kind::NumberText, number, role);
    }
    // Year, month and day first: everything else is no instant that anything of ours reads.
    let dated = text.len() >= 10 && text.as_bytes().get(4) == Some(&b'-');
    if numeric
        && dated
        && let Ok(instant) = Timestamp::parse(text)
    {
        let time = text.get(10..).unwrap_or_default();
        let zoned = time.contains(['Z', 'z', '+', '-']);
        let kind = if zoned { Kind::Instant } else { Kind::LocalInstant };
        return Reading { kind, number: None, instant: Some(instant) };
    }
    Reading { kind: Kind::Text, number: None, instant: None }
}

/// The scalar of a value that was read.
pub(super) fn scalar(value: &Value, reading: &Reading, digits: bool) -> Scalar {
    let exact = match value {
        Value::Number(_) => hash(&reading.number.unwrap_or_default().to_bits().to_le_bytes()),
        Value::String(text) => hash(text.as_bytes()),
        Value::Bool(flag) => hash(&[u8::from(*flag)]),
        _ => 0,
    };
    let code = match (reading.instant, reading.number) {
        (Some(instant), _) => instant.as_millis() / 1000,
        (None, Some(number)) => magnitude(number),
        (None, None) => i64::from(exact),
    };
    let digits = if digits { significant(value) } else { 0 };
    Scalar { kind: reading.kind, code, exact, digits }
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits of a hash are one, too")]
pub(super) fn hash(bytes: &[u8]) -> u16 {
    xxh3_64(bytes) as u16
}

/// The significant digits of a number; 0 for zero and for what is none.
pub(super) fn significant(value: &Value) -> u8 {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    let Some(number) = number.filter(|number| number.is_finite() && *number != 0.0) else {
        return 0;
    };
    let mut digits = Digits { count: 0, exponent: false };
    // The shortest form that reads back as the same number; counting cannot fail.
    let _ = write!(digits, "{number:e}");
    digits.count
}

/// Counts the digits before the exponent, without a text being made.
struct Digits {
    count: u8,
    exponent: bool,
}

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.exponent |= byte == b'e';
            if !self.exponent && byte.is_ascii_digit() {
                self.count = self.count.saturating_add(1);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_are_told_apart_as_our_readers_would() {
        let instant = Some(FieldRole::Instant);
        for (value, role, kind) in [
            (json!(null), None, Kind::Null),
            (json!(" "), None, Kind::Empty),
            (json!({}), None, Kind::Empty),
            (json!(1), None, Kind::Number),
            (json!(1.5e-9), None, Kind::Number),
            (json!("1.5e-9"), None, Kind::NumberText),
            (json!("1,234.5"), None, Kind::Text),
            (json!("inf"), None, Kind::Text),
            (json!("2022-01-29T17:06:45.247Z"), None, Kind::Instant),
            (json!("2022-01-29 17:06:45"), None, Kind::LocalInstant),
            (json!("29/01/2022 17:06"), instant, Kind::Text),
            (json!(1_643_476_005), instant, Kind::Seconds),
            (json!(1_643_476_005_247_i64), instant, Kind::Millis),
            (json!(1_643_476_005_247_000_i64), instant, Kind::Micros),
            (json!("420"), Some(FieldRole::Text), Kind::Text),
        ] {
            assert_eq!(read(&value, role).kind, kind, "{value}");
        }
    }

    #[test]
    fn digits_are_those_of_the_value_and_not_of_its_spelling() {
        for (value, digits) in
            [(json!(37672), 5), (json!(0.001230), 3), (json!("1.50"), 2), (json!(0), 0)]
        {
            assert_eq!(significant(&value), digits, "{value}");
        }
    }
}
