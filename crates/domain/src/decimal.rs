//! Exact decimal numbers that keep the digits an upstream sent.
//!
//! A [`Decimal`] is canonical text: no superfluous zeros, plain notation while the first significant
//! digit stands between 10^-6 and 10^20, otherwise `d.ddde-N` or `d.ddde30` (the rule ECMAScript uses
//! to print numbers, without a plus sign). Two equal numbers therefore have equal text, so equality,
//! hashing and digests are those of the text, and printing costs a copy.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Serialize, Serializer};

/// The most significant digits a [`Decimal`] holds.
pub const MAX_DIGITS: usize = 38;

/// Power of ten of the smallest first digit that is accepted (1e-60).
const MIN_ADJUSTED: i64 = -60;
/// Power of ten of the largest first digit that is accepted (1e80).
const MAX_ADJUSTED: i64 = 80;
/// Power of ten of the first digit below which text is written with an exponent.
const PLAIN_MIN: i64 = -6;
/// Power of ten of the first digit above which text is written with an exponent.
const PLAIN_MAX: i64 = 20;

/// An exact decimal number: at most 38 significant digits, zero or a magnitude from 1e-60 to 1e80.
///
/// Up to 24 bytes of text live inline; longer ones are on the heap.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Decimal(CompactString);

/// Why a text is not a [`Decimal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text is not a decimal number.
    #[error("is not a decimal number")]
    Syntax,
    /// The number has more than [`MAX_DIGITS`] significant digits.
    #[error("has more than 38 significant digits")]
    TooManyDigits,
    /// The magnitude is neither zero nor within 1e-60 to 1e80.
    #[error("is outside the range 1e-60 to 1e80")]
    OutOfRange,
}

/// Sign, significant digits and the power of ten of the first digit.
struct Parts {
    negative: bool,
    digits: [u8; MAX_DIGITS],
    len: usize,
    adjusted: i64,
}

impl Parts {
    fn digits(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, digit: u8) -> Result<(), DecimalError> {
        let slot = self.digits.get_mut(self.len).ok_or(DecimalError::TooManyDigits)?;
        *slot = digit;
        self.len += 1;
        Ok(())
    }

    /// Reads `[+-] digits [. digits] [e [+-] digits]`; at least one digit must stand before the exponent.
    fn read(text: &str) -> Result<Self, DecimalError> {
        let mut bytes = text.as_bytes();
        let mut parts = Self { negative: false, digits: [0; MAX_DIGITS], len: 0, adjusted: 0 };
        match bytes.first() {
            Some(b'-') => {
                parts.negative = true;
                bytes = bytes.get(1..).unwrap_or_default();
            }
            Some(b'+') => bytes = bytes.get(1..).unwrap_or_default(),
            _ => {}
        }
        let mut seen_digit = false;
        let mut seen_point = false;
        let mut pending_zeros = 0_usize;
        let mut leading_fraction_zeros = 0_i64;
        let mut integer_digits_after_first = 0_i64;
        let mut first_in_fraction = false;
        let mut exponent_text: Option<&[u8]> = None;
        for (index, byte) in bytes.iter().copied().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    seen_digit = true;
                    if parts.len == 0 {
                        if byte == b'0' {
                            leading_fraction_zeros += i64::from(seen_point);
                            continue;
                        }
                        first_in_fraction = seen_point;
                        parts.push(byte)?;
                        continue;
                    }
                    integer_digits_after_first += i64::from(!seen_point);
                    if byte == b'0' {
                        pending_zeros += 1;
                        continue;
                    }
                    if parts.len + pending_zeros >= MAX_DIGITS {
                        return Err(DecimalError::TooManyDigits);
                    }
                    for _ in 0..pending_zeros {
                        parts.push(b'0')?;
                    }
                    pending_zeros = 0;
                    parts.push(byte)?;
                }
                b'.' if !seen_point => seen_point = true,
                b'e' | b'E' if seen_digit => {
                    exponent_text = bytes.get(index + 1..);
                    break;
                }
                _ => return Err(DecimalError::Syntax),
            }
        }
        if !seen_digit || bytes.last() == Some(&b'.') {
            return Err(DecimalError::Syntax);
        }
        let exponent = exponent_text.map_or(Ok(0), read_exponent)?;
        if parts.len == 0 {
            parts.negative = false;
            return Ok(parts);
        }
        let place = if first_in_fraction {
            -leading_fraction_zeros - 1
        } else {
            integer_digits_after_first
        };
        parts.adjusted = place.saturating_add(exponent);
        parts.check_range()?;
        Ok(parts)
    }

    fn check_range(&self) -> Result<(), DecimalError> {
        let above = self.adjusted > MAX_ADJUSTED
            || (self.adjusted == MAX_ADJUSTED && self.digits() != b"1");
        if self.adjusted < MIN_ADJUSTED || above {
            return Err(DecimalError::OutOfRange);
        }
        Ok(())
    }

    fn write(&self) -> CompactString {
        let mut text = CompactString::const_new("");
        if self.len == 0 {
            text.push('0');
            return text;
        }
        if self.negative {
            text.push('-');
        }
        let digits = self.digits().iter().copied().map(char::from);
        if (PLAIN_MIN..0).contains(&self.adjusted) {
            text.push_str("0.");
            for _ in 1..-self.adjusted {
                text.push('0');
            }
            text.extend(digits);
        } else if (0..=PLAIN_MAX).contains(&self.adjusted) {
            let mut place = self.adjusted;
            for digit in digits {
                if place == -1 {
                    text.push('.');
                }
                text.push(digit);
                place -= 1;
            }
            for _ in 0..=place {
                text.push('0');
            }
        } else {
            for (index, digit) in digits.enumerate() {
                if index == 1 {
                    text.push('.');
                }
                text.push(digit);
            }
            text.push('e');
            text.push_str(&self.adjusted.to_string());
        }
        text
    }
}

/// True for canonical text in plain notation with a short integer part: almost every number a store
/// gives back. Looking at it once costs a third of reading and printing it.
fn plainly_canonical(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let point = unsigned.iter().position(|byte| *byte == b'.').unwrap_or(unsigned.len());
    let (integer, fraction) = unsigned.split_at(point);
    let digits = fraction.get(1..).unwrap_or_default();
    // Few enough digits for all of them to be significant, and no exponent needed above or below.
    let short = integer.len() <= 18 && digits.len() <= 18;
    let whole = match integer {
        [b'1'..=b'9', ..] => true,
        [b'0'] => digits.iter().take(6).any(|digit| *digit != b'0'),
        _ => false,
    };
    let ends = fraction.is_empty() || matches!(digits, [.., b'1'..=b'9']);
    short && whole && ends && integer.iter().chain(digits).all(u8::is_ascii_digit)
}

/// Reads a signed exponent; one too long for `i64` saturates, which the range check then refuses.
fn read_exponent(text: &[u8]) -> Result<i64, DecimalError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if digits.is_empty() {
        return Err(DecimalError::Syntax);
    }
    let mut value = 0_i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return Err(DecimalError::Syntax);
        }
        value = value.saturating_mul(10).saturating_add(i64::from(byte - b'0'));
    }
    Ok(if negative { -value } else { value })
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(CompactString::const_new("0"));

    /// Reads a decimal number in plain or exponent notation.
    ///
    /// # Errors
    /// [`DecimalError::Syntax`] for anything but a number (also `NaN`, `Infinity`, hexadecimal and
    /// grouped digits), [`DecimalError::TooManyDigits`] and [`DecimalError::OutOfRange`] for numbers
    /// that would have to be rounded. Nothing is ever rounded.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        Parts::read(text).map(|parts| Self(parts.write()))
    }

    /// Takes text that this type printed, for example from a store, checking it again.
    ///
    /// # Errors
    /// [`DecimalError::Syntax`] when the text is a number but not in canonical form.
    pub fn from_canonical(text: &str) -> Result<Self, DecimalError> {
        if plainly_canonical(text.as_bytes()) {
            return Ok(Self(CompactString::from(text)));
        }
        let value = Self::parse(text)?;
        if value.0 == text { Ok(value) } else { Err(DecimalError::Syntax) }
    }

    /// The canonical text, which is also a JSON number token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest `f64`, for sorting and filtering only.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// True for zero.
    #[must_use]
    pub fn zero(&self) -> bool {
        self.0 == "0"
    }

    /// True below zero.
    #[must_use]
    pub fn negative(&self) -> bool {
        self.0.starts_with('-')
    }

    /// The number times ten to the power `places`, exactly (2 turns a fraction into percent).
    ///
    /// # Errors
    /// [`DecimalError::OutOfRange`] when the result is outside the range.
    pub fn shifted(&self, places: i64) -> Result<Self, DecimalError> {
        let mut parts = Parts::read(&self.0)?;
        if parts.len > 0 {
            parts.adjusted = parts.adjusted.saturating_add(places);
            parts.check_range()?;
        }
        Ok(Self(parts.write()))
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl From<u64> for Decimal {
    fn from(value: u64) -> Self {
        // A u64 has at most 20 digits, so reading it cannot fail.
        Self::parse(&value.to_string()).unwrap_or(Self::ZERO)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let (Ok(left), Ok(right)) = (Parts::read(&self.0), Parts::read(&other.0)) else {
            return self.0.cmp(&other.0);
        };
        let sign = |parts: &Parts| match (parts.len, parts.negative) {
            (0, _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        };
        let (left_sign, right_sign) = (sign(&left), sign(&right));
        left_sign.cmp(&right_sign).then_with(|| {
            let magnitude =
                left.adjusted.cmp(&right.adjusted).then_with(|| left.digits().cmp(right.digits()));
            if left_sign < 0 { magnitude.reverse() } else { magnitude }
        })
    }
}

impl Serialize for Decimal {
    /// Writes a JSON number token with every digit.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::value::RawValue::from_string(self.0.to_string())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bigdecimal::BigDecimal;
    use proptest::prelude::*;

    fn canonical(text: &str) -> String {
        Decimal::parse(text).unwrap().to_string()
    }

    #[test]
    fn d2_text_is_canonical_and_keeps_every_digit() {
        for (sent, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.000e99", "0"),
            ("1.0", "1"),
            ("18943225.0", "18943225"),
            ("0044.50", "44.5"),
            ("3.84e-18", "3.84e-18"),
            ("8.9e-46", "8.9e-46"),
            ("0.00000000000000000384", "3.84e-18"),
            ("9223372036854775807", "9223372036854775807"),
            ("1.6234567890123456e17", "162345678901234560"),
            ("16234567890123456.7", "16234567890123456.7"),
            ("1e30", "1e30"),
            ("1E+20", "100000000000000000000"),
            ("1e21", "1e21"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("-1.25e-7", "-1.25e-7"),
            (
                "12345678901234567890123456789012345678",
                "1.2345678901234567890123456789012345678e37",
            ),
            (".5", "0.5"),
            ("+2", "2"),
        ] {
            assert_eq!(canonical(sent), expected, "{sent}");
        }
    }

    #[test]
    fn d2_what_does_not_fit_is_refused_and_never_rounded() {
        for (sent, error) in [
            ("", DecimalError::Syntax),
            ("-", DecimalError::Syntax),
            (".", DecimalError::Syntax),
            ("1.", DecimalError::Syntax),
            ("1e", DecimalError::Syntax),
            ("1e+", DecimalError::Syntax),
            ("NaN", DecimalError::Syntax),
            ("Infinity", DecimalError::Syntax),
            ("0x10", DecimalError::Syntax),
            ("1,234.5", DecimalError::Syntax),
            ("1 2", DecimalError::Syntax),
            ("--1", DecimalError::Syntax),
            ("1e400", DecimalError::OutOfRange),
            ("-1e400", DecimalError::OutOfRange),
            ("1E-400", DecimalError::OutOfRange),
            ("1e99999999999999999999999", DecimalError::OutOfRange),
            ("1.1e80", DecimalError::OutOfRange),
            ("123456789012345678901234567890123456789", DecimalError::TooManyDigits),
        ] {
            assert_eq!(Decimal::parse(sent), Err(error), "{sent}");
        }
        assert_eq!(canonical("1e80"), "1e80");
        assert_eq!(canonical("1e-60"), "1e-60");
    }

    #[test]
    fn a_fraction_becomes_percent_without_losing_a_digit() {
        assert_eq!(Decimal::parse("0.022").unwrap().shifted(2).unwrap().as_str(), "2.2");
        assert_eq!(Decimal::parse("-0.001").unwrap().shifted(2).unwrap().as_str(), "-0.1");
        assert_eq!(Decimal::ZERO.shifted(2).unwrap(), Decimal::ZERO);
    }

    #[test]
    fn a_decimal_is_as_small_as_a_string_header() {
        assert_eq!(size_of::<Option<Decimal>>(), 24);
    }

    proptest! {
        #[test]
        fn parsing_and_printing_agree_with_an_independent_library(
            mantissa in -1_000_000_000_000_000_000_i128..1_000_000_000_000_000_000_i128,
            exponent in -40_i32..40,
        ) {
            let text = format!("{mantissa}e{exponent}");
            let ours = Decimal::parse(&text).unwrap();
            let theirs = BigDecimal::from_str(&text).unwrap();
            prop_assert_eq!(BigDecimal::from_str(ours.as_str()).unwrap(), theirs);
            prop_assert_eq!(&Decimal::parse(ours.as_str()).unwrap(), &ours);
            prop_assert_eq!(serde_json::to_string(&ours).unwrap(), ours.as_str());
            serde_json::from_str::<serde_json::Value>(ours.as_str()).unwrap();
        }

        #[test]
        fn order_agrees_with_an_independent_library(
            a in -1_000_000_i64..1_000_000, ae in -8_i32..8,
            b in -1_000_000_i64..1_000_000, be in -8_i32..8,
        ) {
            let (a, b) = (format!("{a}e{ae}"), format!("{b}e{be}"));
            let ours = Decimal::parse(&a).unwrap().cmp(&Decimal::parse(&b).unwrap());
            let theirs = BigDecimal::from_str(&a).unwrap().cmp(&BigDecimal::from_str(&b).unwrap());
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn text_is_taken_back_exactly_when_it_was_printed(
            text in "-?(0|00|[0-9]{1,25})(\\.(0{0,7}[0-9]{0,25})?)?(e-?[0-9]{1,2})?",
        ) {
            let printed = Decimal::parse(&text).map(|value| value.to_string());
            let taken = Decimal::from_canonical(&text).map(|value| value.to_string());
            prop_assert_eq!(taken.ok(), printed.ok().filter(|printed| *printed == text));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = Decimal::parse(&text);
        }
    }
}
