//! Numbers, instants and strings as the vendors write them, appended to bytes.

use jiff::tz::Offset;

/// An exact decimal number: `mantissa * 10^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) mantissa: i64,
    pub(crate) exponent: i32,
}

impl Number {
    pub(crate) const fn new(mantissa: i64, exponent: i32) -> Self {
        Self { mantissa, exponent }
    }

    /// The number cut (not rounded) to `digits` significant digits.
    pub(crate) fn cut(mut self, digits: u32) -> Self {
        let length = self.mantissa.unsigned_abs().checked_ilog10().map_or(0, |log| log + 1);
        if length > digits {
            self.mantissa /= 10_i64.pow(length - digits);
            self.exponent = self.exponent.saturating_add_unsigned(length - digits);
        }
        self
    }

    /// The integer part; `None` when it does not fit.
    pub(crate) fn whole(self) -> Option<i64> {
        let scale = 10_i64.checked_pow(self.exponent.unsigned_abs());
        if self.exponent >= 0 {
            self.mantissa.checked_mul(scale?)
        } else {
            Some(scale.map_or(0, |scale| self.mantissa / scale))
        }
    }
}

pub(crate) fn push_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes as Go's JSON encoder does, which CoinPaprika uses: the shortest text, an exponent below 1e-6
/// and from 1e21 on (`3.84e-18`).
pub(crate) fn push_go(out: &mut Vec<u8>, number: Number) {
    let mut buffer = itoa::Buffer::new();
    let Some((digits, adjusted)) = significant(out, number, &mut buffer) else {
        out.push(b'0');
        return;
    };
    if (-6..21).contains(&adjusted) {
        push_plain(out, digits, adjusted);
    } else {
        push_digits_with_point(out, digits);
        out.push(b'e');
        out.extend_from_slice(itoa::Buffer::new().format(adjusted).as_bytes());
    }
}

/// Writes as Ruby writes a float, which CoinGecko uses: always a fraction, and an exponent of two digits
/// below 1e-4 and from 1e16 on (`18943225.0`, `4.279e-09`, `1.0e+16`).
pub(crate) fn push_ruby(out: &mut Vec<u8>, number: Number) {
    let mut buffer = itoa::Buffer::new();
    let Some((digits, adjusted)) = significant(out, number, &mut buffer) else {
        out.extend_from_slice(b"0.0");
        return;
    };
    if (-4..16).contains(&adjusted) {
        push_plain(out, digits, adjusted);
        if usize::try_from(adjusted).is_ok_and(|adjusted| adjusted + 1 >= digits.len()) {
            out.extend_from_slice(b".0");
        }
        return;
    }
    push_digits_with_point(out, digits);
    if digits.len() == 1 {
        out.extend_from_slice(b".0");
    }
    out.extend_from_slice(if adjusted < 0 { b"e-" } else { b"e+" });
    if adjusted.unsigned_abs() < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(itoa::Buffer::new().format(adjusted.unsigned_abs()).as_bytes());
}

/// Writes the sign and gives the digits without trailing zeros, and the power of ten of the first one;
/// `None` for zero.
fn significant<'a>(
    out: &mut Vec<u8>,
    number: Number,
    buffer: &'a mut itoa::Buffer,
) -> Option<(&'a [u8], i32)> {
    if number.mantissa == 0 {
        return None;
    }
    if number.mantissa < 0 {
        out.push(b'-');
    }
    let all = buffer.format(number.mantissa.unsigned_abs()).as_bytes();
    let adjusted = number.exponent.saturating_add(i32::try_from(all.len()).unwrap_or(0)) - 1;
    let zeros = all.iter().rev().take_while(|digit| **digit == b'0').count();
    Some((all.get(..all.len() - zeros).unwrap_or(all), adjusted))
}

/// Writes digits in plain notation, without a fraction when there is none.
fn push_plain(out: &mut Vec<u8>, digits: &[u8], adjusted: i32) {
    const ZEROS: [u8; 24] = [b'0'; 24];
    let zeros = |count: usize| ZEROS.get(..count).unwrap_or(&ZEROS);
    let Ok(before_point) = usize::try_from(adjusted + 1) else {
        out.extend_from_slice(b"0.");
        out.extend_from_slice(zeros(usize::try_from(-adjusted - 1).unwrap_or(0)));
        out.extend_from_slice(digits);
        return;
    };
    match digits.split_at_checked(before_point) {
        Some(([], fraction)) => {
            out.extend_from_slice(b"0.");
            out.extend_from_slice(fraction);
        }
        Some((whole, [])) => out.extend_from_slice(whole),
        Some((whole, fraction)) => {
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
        None => {
            out.extend_from_slice(digits);
            out.extend_from_slice(zeros(before_point - digits.len()));
        }
    }
}

fn push_digits_with_point(out: &mut Vec<u8>, digits: &[u8]) {
    if let Some((first, rest)) = digits.split_first() {
        out.push(*first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
    }
}

/// Writes `2026-01-01T00:00:00Z`, with milliseconds if `with_millis`.
///
/// The calendar is jiff's; its formatting machinery would cost half of a row's time.
pub(crate) fn push_instant(out: &mut Vec<u8>, millis: i64, with_millis: bool) {
    let instant = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    let civil = Offset::UTC.to_datetime(instant);
    let two = |value: i8| {
        let value = value.unsigned_abs();
        [b'0' + value / 10, b'0' + value % 10]
    };
    let year = civil.year().unsigned_abs();
    let [century, rest] = [year / 100, year % 100].map(|part| i8::try_from(part).unwrap_or(0));
    out.extend_from_slice(&two(century));
    out.extend_from_slice(&two(rest));
    for (mark, value) in [
        (b'-', civil.month()),
        (b'-', civil.day()),
        (b'T', civil.hour()),
        (b':', civil.minute()),
        (b':', civil.second()),
    ] {
        out.push(mark);
        out.extend_from_slice(&two(value));
    }
    if with_millis {
        let millis = civil.millisecond().unsigned_abs();
        let [hundreds, rest] =
            [millis / 100, millis % 100].map(|part| i8::try_from(part).unwrap_or(0));
        out.push(b'.');
        out.extend(two(hundreds).get(1));
        out.extend_from_slice(&two(rest));
    }
    out.push(b'Z');
}

/// Writes a JSON string with its quotes.
pub(crate) fn push_json_text(out: &mut Vec<u8>, text: &str) {
    if let Err(error) = serde_json::to_writer(&mut *out, text) {
        tracing::error!(%error, "a text could not be written as JSON");
    }
}

/// An instant as HTTP headers and RSS write it.
pub(crate) fn http_date(millis: i64) -> String {
    let instant = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    instant.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|nibble| DIGITS.get(usize::from(nibble)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(push: fn(&mut Vec<u8>, Number), mantissa: i64, exponent: i32) -> String {
        let mut out = Vec::new();
        push(&mut out, Number::new(mantissa, exponent));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        for (mantissa, exponent, expected) in [
            (0, 5, "0"),
            (384, -20, "3.84e-18"),
            (i64::MAX, 0, "9223372036854775807"),
            (-400, -2, "-4"),
            (760, -2, "7.6"),
            (5, -2, "0.05"),
            (1, -6, "0.000001"),
            (9, -7, "9e-7"),
            (21, 6, "21000000"),
            (1, 20, "100000000000000000000"),
            (1, 21, "1e21"),
            (444_565, -1, "44456.5"),
            (123, -3, "0.123"),
        ] {
            assert_eq!(written(push_go, mantissa, exponent), expected);
        }
    }

    #[test]
    fn numbers_are_written_as_ruby_writes_floats() {
        for (mantissa, exponent, expected) in [
            (0, 0, "0.0"),
            (18_943_225, 0, "18943225.0"),
            (4279, -12, "4.279e-09"),
            (1, -5, "1.0e-05"),
            (12, -5, "0.00012"),
            (1, 16, "1.0e+16"),
            (-2451, 0, "-2451.0"),
            (i64::MAX, 0, "9.223372036854775807e+18"),
            (256_692, -2, "2566.92"),
        ] {
            assert_eq!(written(push_ruby, mantissa, exponent), expected);
        }
    }

    #[test]
    fn numbers_are_cut_and_never_rounded() {
        assert_eq!(Number::new(-129_999, 3).cut(3), Number::new(-129, 6));
        assert_eq!(Number::new(12, 0).cut(3), Number::new(12, 0));
        assert_eq!(Number::new(12_999, -3).whole(), Some(12));
        assert_eq!(Number::new(1, -40).whole(), Some(0));
        assert_eq!(Number::new(1, 40).whole(), None);
    }

    #[test]
    fn instants_are_written_in_utc() {
        let mut out = Vec::new();
        push_instant(&mut out, 1_767_225_600_045, false);
        push_instant(&mut out, 1_767_225_600_045, true);
        assert_eq!(String::from_utf8(out).unwrap(), "2026-01-01T00:00:00Z2026-01-01T00:00:00.045Z");
        assert_eq!(http_date(1_767_225_600_000), "Thu, 01 Jan 2026 00:00:00 GMT");
    }
}
