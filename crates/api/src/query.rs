//! The grammar of query strings: strict, so that a mistake is answered and never ignored.

use std::borrow::Cow;

use kasparro_domain::{AssetId, RunId};
use percent_encoding::percent_decode;

use crate::problem::{Code, Mistakes, Problem};

/// The longest value of a parameter, in bytes after decoding: two hundred symbols; cursors are far shorter.
const MAX_VALUE_BYTES: usize = 2_048;

/// The parameters of one request, each known and given at most once.
#[derive(Debug)]
pub(crate) struct Params<'a> {
    values: Vec<(&'static str, Cow<'a, str>)>,
    mistakes: Mistakes,
}

impl<'a> Params<'a> {
    /// Reads a query string. Names that are not in `known`, repeated names, empty or overlong values,
    /// malformed percent-encoding, text that is not UTF-8 and control characters (U+0000 among them)
    /// are noted as mistakes.
    pub(crate) fn read(query: Option<&'a str>, known: &[&'static str]) -> Self {
        let mut params = Self { values: Vec::new(), mistakes: Mistakes::default() };
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            params.take_pair(name, value, known);
        }
        params
    }

    fn take_pair(&mut self, raw_name: &'a str, raw_value: &'a str, known: &[&'static str]) {
        let found =
            decode(raw_name).ok().and_then(|name| known.iter().copied().find(|k| *k == name));
        let Some(name) = found else {
            let shown = decode(raw_name).map_or_else(|_| raw_name.to_owned(), Cow::into_owned);
            let shown: String =
                shown.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            let message = if known.is_empty() {
                "is not known; this path takes no parameters".to_owned()
            } else {
                format!("is not known; known are {}", known.join(", "))
            };
            self.mistakes.add(Code::UnknownParameter, &shown, message);
            return;
        };
        if self.values.iter().any(|(given, _)| *given == name) {
            self.mistakes.add(Code::RepeatedParameter, name, "is given more than once");
            return;
        }
        let mistake = match decode(raw_value) {
            Err(message) => message,
            Ok(value) if value.is_empty() => "is empty; leave the parameter out instead",
            Ok(value) if value.len() > MAX_VALUE_BYTES => "is longer than 2,048 bytes",
            Ok(value) if value.contains(char::is_control) => "holds a control character",
            Ok(value) => {
                self.values.push((name, value));
                return;
            }
        };
        self.mistakes.add(Code::InvalidParameter, name, mistake);
    }

    /// The value of a parameter, where it is given.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_ref())
    }

    /// True when a mistake was noted.
    pub(crate) fn mistaken(&self) -> bool {
        self.mistakes.any()
    }

    /// Notes that a parameter has a value that is not allowed.
    pub(crate) fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.mistakes.add(Code::InvalidParameter, name, message);
    }

    /// Notes a mistake with a code of its own.
    pub(crate) fn refuse_as(&mut self, code: Code, name: &str, message: impl Into<String>) {
        self.mistakes.add(code, name, message);
    }

    /// The value of a parameter as `parse` reads it; what it refuses is noted.
    pub(crate) fn read_as<T, M: Into<String>>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, M>,
    ) -> Option<T> {
        match self.get(name).map(parse)? {
            Ok(value) => Some(value),
            Err(message) => {
                self.refuse(name, message);
                None
            }
        }
    }

    /// `value`, unless a mistake was noted.
    pub(crate) fn check<T>(self, value: T) -> Result<T, Problem> {
        self.mistakes.check(value)
    }
}

/// Refuses a request that brings any parameter.
pub(crate) fn no_params(query: Option<&str>) -> Result<(), Problem> {
    Params::read(query, &[]).check(())
}

/// Reads a whole number written in digits only.
pub(crate) fn whole_number(text: &str) -> Result<u64, &'static str> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is not a whole number in digits");
    }
    text.parse().map_err(|_| "is too large")
}

/// Reads the id of an asset.
pub(crate) fn asset_id(text: &str) -> Result<AssetId, &'static str> {
    i64::try_from(whole_number(text)?).map(AssetId).map_err(|_| "is too large")
}

/// Reads the id of a run.
pub(crate) fn run_id(text: &str) -> Result<RunId, &'static str> {
    text.parse().map_err(|_| "is no id of a run, a UUID; GET /runs lists them")
}

/// One of `names`, or a message that lists them.
pub(crate) fn one_of<T: Copy>(text: &str, names: &[(&str, T)]) -> Result<T, String> {
    names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        format!("is none of {}", known.join(", "))
    })
}

fn decode(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        rest = match rest.get(at + 1..) {
            Some([high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                tail
            }
            _ => return Err("holds a % that is not followed by two hexadecimal digits"),
        };
    }
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes())
        .decode_utf8()
        .map(|text| Cow::Owned(text.into_owned()))
        .map_err(|_| "is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["name", "limit"];

    fn problem(query: &str) -> Problem {
        Params::read(Some(query), KNOWN).check(()).unwrap_err()
    }

    #[test]
    fn values_are_decoded() {
        let params = Params::read(Some("name=a%20b+c%2Bd%C3%A9&limit=5&&"), KNOWN);
        assert_eq!(params.get("name"), Some("a b c+dé"));
        assert_eq!(params.get("limit"), Some("5"));
        assert!(params.check(()).is_ok());
    }

    #[test]
    fn a_name_may_be_encoded_but_not_to_smuggle_a_second_value() {
        assert_eq!(problem("limit=5&l%69mit=6").code, Code::RepeatedParameter);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (query, code) in [
            ("nam=x", Code::UnknownParameter),
            ("Name=x", Code::UnknownParameter),
            ("name=x&name=x", Code::RepeatedParameter),
            ("name=", Code::InvalidParameter),
            ("name", Code::InvalidParameter),
            ("name=%", Code::InvalidParameter),
            ("name=%zz", Code::InvalidParameter),
            ("name=%ff", Code::InvalidParameter),
            ("name=%00", Code::InvalidParameter),
            ("name=a%0d%0ab", Code::InvalidParameter),
            ("%00=a", Code::UnknownParameter),
        ] {
            assert_eq!(problem(query).code, code, "{query}");
        }
        assert_eq!(problem(&format!("name={}", "x".repeat(2_049))).code, Code::InvalidParameter);
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(whole_number("0012"), Ok(12));
        for text in ["-1", "+1", "1e3", " 1", "1.0", "", "١", "99999999999999999999"] {
            assert!(whole_number(text).is_err(), "{text}");
        }
    }
}
