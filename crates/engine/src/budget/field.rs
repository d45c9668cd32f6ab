//! The items of a header line, and values that may be stated twice.

use std::time::Duration;

/// A value that may be stated more than once, and then must be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Field<T> {
    #[default]
    Unset,
    Stated(T),
    /// Stated with different values.
    Clash,
}

impl<T: Copy + PartialEq> Field<T> {
    /// Takes a value; nothing changes where there is none.
    pub(super) fn set(&mut self, value: Option<T>) {
        let Some(value) = value else { return };
        *self = match *self {
            Self::Unset => Self::Stated(value),
            Self::Stated(known) if known == value => Self::Stated(value),
            _ => Self::Clash,
        };
    }

    pub(super) const fn get(&self) -> Option<T> {
        match self {
            Self::Stated(value) => Some(*value),
            Self::Unset | Self::Clash => None,
        }
    }

    pub(super) const fn clashes(&self) -> bool {
        matches!(self, Self::Clash)
    }
}

/// An item of a list: a text with parameters (RFC 9651, section 3.1, read leniently).
#[derive(Debug, Clone)]
pub(super) struct Item<'a> {
    /// The text before the first parameter, with its quotes.
    pub(super) bare: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Item<'a> {
    pub(super) fn is_quoted(&self) -> bool {
        self.bare.starts_with('"')
    }

    /// A parameter, without quotes.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        let found = self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim_matches('"'))
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.parameter(name)?.parse().ok()
    }

    /// A parameter that is a length of time in whole seconds; a length of zero is none.
    pub(super) fn seconds(&self, name: &str) -> Option<Duration> {
        let seconds: u32 = self.number(name)?;
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }
}

/// The items of a header line.
pub(super) fn items(line: &str) -> impl Iterator<Item = Item<'_>> {
    split(line, ',').into_iter().filter(|item| !item.is_empty()).map(|item| {
        let mut parts = split(item, ';').into_iter();
        let bare = parts.next().unwrap_or_default();
        let parameters = parts.filter_map(|part| part.split_once('='));
        let parameters = parameters.map(|(name, value)| (name.trim(), value.trim())).collect();
        Item { bare, parameters }
    })
}

/// Splits at a sign that does not stand in quotes; the pieces are trimmed.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut pieces, mut begin, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (index, sign) in text.char_indices() {
        match sign {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            sign if sign == at && !quoted => {
                pieces.push(text[begin..index].trim());
                begin = index + sign.len_utf8();
            }
            _ => {}
        }
    }
    pieces.push(text[begin..].trim());
    pieces
}

/// A window named in a header's name: `minute`, `1m`, `10s`.
pub(super) fn window_named(name: &str) -> Option<Duration> {
    let digits = name.find(|sign: char| !sign.is_ascii_digit())?;
    let (count, unit) = name.split_at(digits);
    let count = if count.is_empty() { 1 } else { count.parse::<u32>().ok()? };
    let seconds = match (digits, unit) {
        (0, "second") | (1.., "s") => 1,
        (0, "minute") | (1.., "m") => 60,
        (0, "hour") | (1.., "h") => 3600,
        (0, "day") | (1.., "d") => 24 * 3600,
        (0, "month") => 30 * 24 * 3600,
        _ => return None,
    };
    let seconds = u64::from(count).checked_mul(seconds).filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds))
}
