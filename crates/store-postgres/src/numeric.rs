//! Decimals in the binary form of `numeric`: exact both ways, without a text in between on the server.
//!
//! A `numeric` is a count of groups of four digits, the power of 10,000 of the first, a sign, and how many
//! digits are shown behind the point; then the groups. Our canonical text keeps no trailing zeros, so a
//! value that somebody else wrote with some comes back as the number that it is.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use kasparro_domain::{Decimal, MAX_DIGITS};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const MINUS_INFINITY: u16 = 0xf000;

/// Powers of ten of the first digit between which canonical text has no exponent.
const PLAIN: std::ops::RangeInclusive<i32> = -6..=20;

/// A decimal on its way into a `numeric`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumericRef<'a>(pub(crate) &'a Decimal);

/// A decimal that a `numeric` held.
#[derive(Debug)]
pub(crate) struct Numeric(pub(crate) Decimal);

/// Why a `numeric` is not a decimal of ours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored number {0}")]
struct Unreadable(&'static str);

/// Significant digits, none of them a leading or trailing zero, and the power of ten of the first.
struct Digits {
    negative: bool,
    digits: [u8; MAX_DIGITS],
    len: usize,
    adjusted: i32,
}

impl Digits {
    const NONE: Self = Self { negative: false, digits: [0; MAX_DIGITS], len: 0, adjusted: 0 };

    fn get(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }

    /// Adds a digit; false when there are too many.
    fn push(&mut self, digit: u8) -> bool {
        let slot = self.digits.get_mut(self.len);
        self.len += usize::from(slot.is_some());
        slot.map(|slot| *slot = digit).is_some()
    }

    fn drop_trailing_zeros(&mut self) {
        while self.get().last() == Some(&0) {
            self.len -= 1;
        }
    }

    /// Takes canonical text apart; `None` for a text that [`Decimal`] does not write.
    fn of_text(text: &str) -> Option<Self> {
        let mut parts = Self::NONE;
        let unsigned = text.strip_prefix('-');
        parts.negative = unsigned.is_some();
        let unsigned = unsigned.unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once('e') {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        // The power of ten of the next digit.
        let integer = mantissa.find('.').unwrap_or(mantissa.len());
        let mut place = i32::try_from(integer).ok()? - 1 + exponent;
        for byte in mantissa.bytes().filter(|byte| *byte != b'.') {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
            if parts.len > 0 || digit > 0 {
                if parts.len == 0 {
                    parts.adjusted = place;
                }
                if !parts.push(digit) {
                    return None;
                }
            }
            place -= 1;
        }
        parts.drop_trailing_zeros();
        Some(parts)
    }

    fn write(&self, out: &mut BytesMut) -> Option<()> {
        let digits = self.get();
        let len = i32::try_from(digits.len()).ok()?;
        // How many places of the first group stand before the first digit.
        let before = usize::try_from(3 - self.adjusted.rem_euclid(4)).ok()?;
        let groups = if len == 0 { 0 } else { (before + digits.len()).div_ceil(4) };
        out.put_i16(i16::try_from(groups).ok()?);
        out.put_i16(i16::try_from(self.adjusted.div_euclid(4)).ok()?);
        out.put_u16(if self.negative { NEGATIVE } else { 0 });
        out.put_u16(u16::try_from((len - 1 - self.adjusted).max(0)).ok()?);
        for group in 0..groups {
            let places = (group * 4)..(group * 4 + 4);
            let value = places.fold(0, |value, place| {
                let digit = place.checked_sub(before).and_then(|index| digits.get(index));
                value * 10 + i16::from(digit.copied().unwrap_or(0))
            });
            out.put_i16(value);
        }
        Some(())
    }

    fn read(raw: &[u8]) -> Result<Self, Unreadable> {
        let mut words = raw.chunks_exact(2).map(|pair| match pair {
            [high, low] => u16::from_be_bytes([*high, *low]),
            _ => 0,
        });
        let mut header = || words.next().ok_or(Unreadable("is cut off"));
        let (groups, weight, sign, _shown) = (header()?, header()?, header()?, header()?);
        if raw.len() != 8 + 2 * usize::from(groups) {
            return Err(Unreadable("is cut off"));
        }
        let negative = match sign {
            0 => false,
            NEGATIVE => true,
            NAN => return Err(Unreadable("is NaN")),
            INFINITY | MINUS_INFINITY => return Err(Unreadable("is infinite")),
            _ => return Err(Unreadable("has no sign")),
        };
        let mut parts = Self { negative, ..Self::NONE };
        let mut place = i32::from(weight.cast_signed()) * 4 + 3;
        let mut zeros = 0;
        for group in words {
            for power in [1000, 100, 10, 1] {
                let digit = u8::try_from(group / power % 10).unwrap_or(0);
                if group >= 10_000 {
                    return Err(Unreadable("has a group of more than four digits"));
                }
                if digit == 0 {
                    // Zeros count once a digit follows; those before the first never do.
                    zeros += usize::from(parts.len > 0);
                } else {
                    if parts.len == 0 {
                        parts.adjusted = place;
                    }
                    let zeros = (0..std::mem::take(&mut zeros)).map(|_| 0);
                    if !zeros.chain([digit]).all(|digit| parts.push(digit)) {
                        return Err(Unreadable("has more than 38 significant digits"));
                    }
                }
                place -= 1;
            }
        }
        Ok(parts)
    }

    fn decimal(&self) -> Result<Decimal, Unreadable> {
        let digits = self.get();
        if digits.is_empty() {
            return Ok(Decimal::ZERO);
        }
        let mut text = compact_str::CompactString::const_new(if self.negative { "-" } else { "" });
        let ascii = digits.iter().map(|digit| char::from(b'0' + *digit));
        if !PLAIN.contains(&self.adjusted) {
            for (index, digit) in ascii.enumerate() {
                text.push_str(if index == 1 { "." } else { "" });
                text.push(digit);
            }
            text.push('e');
            text.push_str(&self.adjusted.to_string());
        } else if self.adjusted < 0 {
            text.push_str("0.");
            text.extend((1..-self.adjusted).map(|_| '0'));
            text.extend(ascii);
        } else {
            let mut place = self.adjusted;
            for digit in ascii {
                text.push_str(if place == -1 { "." } else { "" });
                text.push(digit);
                place -= 1;
            }
            text.extend((0..=place).map(|_| '0'));
        }
        // Reads it again: nothing is a decimal that its own type does not take.
        Decimal::from_canonical(&text).map_err(|_| Unreadable("is outside the range 1e-60 to 1e80"))
    }
}

impl ToSql for NumericRef<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let written = Digits::of_text(self.0.as_str()).and_then(|digits| digits.write(out));
        match written {
            Some(()) => Ok(IsNull::No),
            None => Err(format!("{} cannot be written as numeric", self.0).into()),
        }
    }

    accepts!(NUMERIC);

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Numeric {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Digits::read(raw)?.decimal()?))
    }

    accepts!(NUMERIC);
}

#[cfg(test)]
mod tests {
    use bigdecimal::BigDecimal;
    use proptest::prelude::*;

    use super::*;

    fn binary(text: &str) -> Vec<u8> {
        let mut out = BytesMut::new();
        let value = Decimal::parse(text).unwrap();
        NumericRef(&value).to_sql(&Type::NUMERIC, &mut out).unwrap();
        out.to_vec()
    }

    fn words(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn back(raw: &[u8]) -> Result<String, String> {
        let read = Numeric::from_sql(&Type::NUMERIC, raw);
        read.map(|value| value.0.to_string()).map_err(|error| error.to_string())
    }

    /// What a binary `numeric` is worth, computed by another library from the definition of the form.
    fn worth(raw: &[u8]) -> BigDecimal {
        let words: Vec<u16> =
            raw.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        let mut worth = BigDecimal::from(0);
        for (place, group) in words[4..].iter().enumerate() {
            let power = 4 * (i64::from(words[1].cast_signed()) - i64::try_from(place).unwrap());
            worth += BigDecimal::new((*group).into(), -power);
        }
        if words[2] == NEGATIVE { -worth } else { worth }
    }

    #[test]
    fn d2_numbers_have_the_form_that_the_server_documents() {
        for (text, expected) in [
            ("0", &[0, 0, 0, 0][..]),
            ("1", &[1, 0, 0, 0, 1]),
            ("-12345.678", &[3, 1, NEGATIVE, 3, 1, 2345, 6780]),
            ("0.0001", &[1, u16::MAX, 0, 4, 1]),
            ("0.00001", &[1, u16::MAX - 1, 0, 5, 1000]),
            ("10000", &[1, 1, 0, 0, 1]),
            ("1e80", &[1, 20, 0, 0, 1]),
            ("1e-60", &[1, 15_u16.wrapping_neg(), 0, 60, 1]),
        ] {
            assert_eq!(binary(text), words(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_of_ours_is_refused() {
        for (raw, why) in [
            (words(&[0, 0, NAN, 0]), "is NaN"),
            (words(&[0, 0, INFINITY, 0]), "is infinite"),
            (words(&[0, 0, MINUS_INFINITY, 0]), "is infinite"),
            (words(&[0, 0, 7, 0]), "no sign"),
            (words(&[1, 0, 0, 0, 10_000]), "four digits"),
            (words(&[1, 20, 0, 0, 2]), "range"),
            (words(&[1, 15_u16.wrapping_neg() - 1, 0, 64, 9999]), "range"),
            (words(&[10, 9, 0, 0, 1000, 0, 0, 0, 0, 0, 0, 0, 0, 1]), "38 significant"),
            (words(&[2, 0, 0, 0, 1]), "cut off"),
            (words(&[0, 0, 0]), "cut off"),
            (vec![0; 9], "cut off"),
        ] {
            let error = back(&raw).unwrap_err();
            assert!(error.contains(why), "{error} is not {why}");
        }
    }

    #[test]
    fn zeros_that_somebody_else_wrote_are_left_out() {
        assert_eq!(back(&words(&[2, 0, 0, 6, 1, 5000])).unwrap(), "1.5");
        assert_eq!(back(&words(&[3, 1, 0, 4, 0, 7, 0])).unwrap(), "7");
        assert_eq!(back(&words(&[2, 3, NEGATIVE, 2, 0, 0])).unwrap(), "0");
        assert_eq!(back(&words(&[1, 5, 0, 0, 10])).unwrap(), "1e21");
    }

    proptest! {
        #[test]
        fn d2_every_decimal_is_written_and_read_exactly(
            mantissa in "[1-9][0-9]{0,37}", exponent in -60_i32..80, negative in any::<bool>(),
        ) {
            let sign = if negative { "-" } else { "" };
            let adjusted = exponent.min(79) - i32::try_from(mantissa.len()).unwrap() + 1;
            let value = Decimal::parse(&format!("{sign}{mantissa}e{adjusted}")).unwrap();
            let raw = binary(value.as_str());
            prop_assert_eq!(worth(&raw), value.as_str().parse::<BigDecimal>().unwrap());
            prop_assert_eq!(back(&raw).unwrap(), value.as_str());
        }

        #[test]
        fn no_bytes_make_it_panic(raw in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = back(&raw);
        }
    }
}
