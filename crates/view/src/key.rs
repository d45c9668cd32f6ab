//! What rows are ordered by: order-preserving 64-bit keys, and the exact values behind equal keys.
//!
//! A key is cheap to compare and never wrong about "smaller" or "larger", but two different values
//! may share one: decimals that round to the same `f64`, texts with the same first eight bytes. Where
//! keys are equal the exact values decide, read from the row.

use std::cmp::Ordering;

use kasparro_domain::{Decimal, Timestamp};

use crate::SortKey;

/// Key of a value that is not known: it sorts last, and no known value has it.
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// Bytes of a text that its key holds.
const PREFIX_BYTES: usize = 8;

/// Decimals of at most so many digits are told apart by their `f64`.
const FAITHFUL_DIGITS: usize = 15;

/// A field that has an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    PriceUsd,
    MarketCap,
    Volume24h,
    PriceChange24h,
    CirculatingSupply,
    TotalSupply,
    MaxSupply,
    FullyDilutedValuation,
    Rank,
    UpdatedAt,
    IngestedAt,
    Asset,
    Symbol,
    Name,
    Source,
    /// When the values of a row were fetched whose source gives no instant; no other row is in its index.
    UntimedFetch,
    /// The asset that a row founded and does not belong to any more; no other row is in its index.
    Founded,
    /// The addresses of a row's contracts: its index has as many entries of a row as those are.
    Contract,
}

impl Field {
    pub(crate) const ALL: [Self; 18] = [
        Self::PriceUsd,
        Self::MarketCap,
        Self::Volume24h,
        Self::PriceChange24h,
        Self::CirculatingSupply,
        Self::TotalSupply,
        Self::MaxSupply,
        Self::FullyDilutedValuation,
        Self::Rank,
        Self::UpdatedAt,
        Self::IngestedAt,
        Self::Asset,
        Self::Symbol,
        Self::Name,
        Self::Source,
        Self::UntimedFetch,
        Self::Founded,
        Self::Contract,
    ];

    /// True for a field whose index leaves out rows that do not have it.
    pub(crate) const fn sparse(self) -> bool {
        matches!(self, Self::UntimedFetch | Self::Founded | Self::Contract)
    }

    /// The field behind a sort key; `None` for the id, which is the order of the rows themselves.
    pub(crate) const fn of(sort: SortKey) -> Option<Self> {
        match sort {
            SortKey::Id => None,
            SortKey::Symbol => Some(Self::Symbol),
            SortKey::Name => Some(Self::Name),
            SortKey::Source => Some(Self::Source),
            SortKey::PriceUsd => Some(Self::PriceUsd),
            SortKey::MarketCap => Some(Self::MarketCap),
            SortKey::Volume24h => Some(Self::Volume24h),
            SortKey::PriceChange24h => Some(Self::PriceChange24h),
            SortKey::CirculatingSupply => Some(Self::CirculatingSupply),
            SortKey::TotalSupply => Some(Self::TotalSupply),
            SortKey::MaxSupply => Some(Self::MaxSupply),
            SortKey::FullyDilutedValuation => Some(Self::FullyDilutedValuation),
            SortKey::Rank => Some(Self::Rank),
            SortKey::UpdatedAt => Some(Self::UpdatedAt),
            SortKey::IngestedAt => Some(Self::IngestedAt),
        }
    }
}

/// Some of the first sixteen fields; the others, whose equal keys are equal values, are never among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FieldSet(u16);

impl FieldSet {
    /// Adds the field, where `member` holds.
    pub(crate) fn set(&mut self, field: Field, member: bool) {
        self.0 |= u16::from(member).checked_shl(field as u32).unwrap_or(0);
    }

    /// True when the field is one of them.
    pub(crate) const fn has(self, field: Field) -> bool {
        match self.0.checked_shr(field as u32) {
            Some(rest) => rest & 1 == 1,
            None => false,
        }
    }
}

/// The numeric keys of a row, kept in a column beside the rows so that a test or a sort does not have
/// to visit the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) price_usd: u64,
    pub(crate) market_cap: u64,
    pub(crate) volume_24h: u64,
    pub(crate) price_change_24h: u64,
    pub(crate) rank: u64,
    pub(crate) updated_at: u64,
}

/// A value that decides between equal keys.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Exact<'a> {
    /// Equal keys are equal values.
    Key,
    /// A decimal in canonical text.
    Number(&'a str),
    /// A text, compared by code point.
    Text(&'a str),
}

impl Exact<'_> {
    /// Compares two values of one field whose keys are equal.
    pub(crate) fn compare(self, other: Exact<'_>) -> Ordering {
        match (self, other) {
            (Exact::Number(left), Exact::Number(right)) => compare_numbers(left, right),
            (Exact::Text(left), Exact::Text(right)) => left.cmp(right),
            _ => Ordering::Equal,
        }
    }

    /// True when another value might have the same key.
    pub(crate) fn loose(self) -> bool {
        match self {
            Exact::Key => false,
            Exact::Number(text) => digits(text) > FAITHFUL_DIGITS,
            Exact::Text(text) => text.len() > PREFIX_BYTES || text.as_bytes().contains(&0),
        }
    }
}

fn compare_numbers(left: &str, right: &str) -> Ordering {
    // Canonical texts are equal exactly where the numbers are.
    if left == right {
        return Ordering::Equal;
    }
    match (Decimal::from_canonical(left), Decimal::from_canonical(right)) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => left.cmp(right),
    }
}

/// An upper bound of the significant digits in a canonical decimal.
fn digits(text: &str) -> usize {
    let mantissa = text.split('e').next().unwrap_or(text);
    mantissa.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count()
}

/// The key of a decimal: its nearest `f64` in total order.
pub(crate) fn number_key(value: Option<&Decimal>) -> u64 {
    value.map_or(UNKNOWN, |value| float_key(value.to_f64()))
}

/// The key of a decimal in canonical text; that of an unknown one for any other text.
pub(crate) fn canonical_key(text: &str) -> u64 {
    text.parse().map_or(UNKNOWN, float_key)
}

fn float_key(value: f64) -> u64 {
    let bits = value.to_bits();
    // Negative numbers run backwards in their bits, positive ones stand above them.
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

/// The key of a signed number.
pub(crate) const fn signed_key(value: i64) -> u64 {
    value.cast_unsigned() ^ (1 << 63)
}

/// The signed number behind a key.
pub(crate) const fn signed_of(key: u64) -> i64 {
    (key ^ (1 << 63)).cast_signed()
}

/// The key of an instant.
pub(crate) fn instant_key(value: Option<Timestamp>) -> u64 {
    value.map_or(UNKNOWN, |instant| signed_key(instant.as_millis()))
}

/// The key of a rank.
pub(crate) fn rank_key(value: Option<u32>) -> u64 {
    value.map_or(UNKNOWN, u64::from)
}

/// The key of a text: its first eight bytes.
pub(crate) fn text_key(text: &str) -> u64 {
    let mut prefix = [0_u8; PREFIX_BYTES];
    for (place, byte) in prefix.iter_mut().zip(text.bytes()) {
        *place = byte;
    }
    u64::from_be_bytes(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn keys_of_numbers_keep_their_order_and_stand_before_unknown() {
        let sorted = ["-1e80", "-3.5", "-1e-60", "0", "1e-60", "3.84e-18", "1", "44471.6", "1e80"];
        let keys: Vec<u64> = sorted.iter().map(|text| number_key(Some(&decimal(text)))).collect();
        assert!(keys.is_sorted_by(|left, right| left < right));
        assert!(keys.iter().all(|key| *key < UNKNOWN));
        assert_eq!(number_key(None), UNKNOWN);
    }

    #[test]
    fn different_decimals_with_one_f64_are_told_apart() {
        let (short, long) = (decimal("0.1"), decimal("0.1000000000000000055"));
        assert_eq!(number_key(Some(&short)), number_key(Some(&long)));
        let (short, long) = (Exact::Number(short.as_str()), Exact::Number(long.as_str()));
        assert_eq!(short.compare(long), Ordering::Less);
        assert!(long.loose() && !short.loose());
    }

    #[test]
    fn keys_of_texts_keep_their_order() {
        let sorted = ["", "a", "a\u{1}", "ab", "bitcoin c", "ж", "日本"];
        let keys: Vec<u64> = sorted.iter().map(|text| text_key(text)).collect();
        assert!(keys.is_sorted_by(|left, right| left < right));
        assert!(keys.iter().all(|key| *key < UNKNOWN));
    }
}
