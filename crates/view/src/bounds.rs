//! Ranges of numbers, made ready: keys decide, and exact decimals where keys are equal.

use std::ops::Range;

use kasparro_domain::Decimal;

use crate::index::Index;
use crate::key::{Exact, Field, Keys, UNKNOWN, number_key};
use crate::rows::Rows;
use crate::{Bounds, Filter};

/// An end of a range: its key, and the decimal that decides where a row has the same key.
type Border<'a> = (u64, &'a Decimal);

fn border(value: Option<&Decimal>) -> Option<Border<'_>> {
    value.map(|value| (number_key(Some(value)), value))
}

/// Which of a row's keys a range is about.
type KeyOf = fn(&Keys) -> u64;

/// A range that leaves something out, and the field that it is about.
pub(crate) struct Borders<'a> {
    field: Field,
    key: KeyOf,
    min: Option<Border<'a>>,
    max: Option<Border<'a>>,
}

impl<'a> Borders<'a> {
    /// The ranges of a filter that leave something out.
    pub(crate) fn of(filter: &'a Filter) -> Vec<Self> {
        let ranges: [(Field, KeyOf, &'a Bounds); 4] = [
            (Field::PriceUsd, |keys| keys.price_usd, &filter.price_usd),
            (Field::MarketCap, |keys| keys.market_cap, &filter.market_cap),
            (Field::Volume24h, |keys| keys.volume_24h, &filter.volume_24h),
            (Field::PriceChange24h, |keys| keys.price_change_24h, &filter.price_change_24h),
        ];
        let closed = ranges.into_iter().filter(|(.., bounds)| !bounds.open());
        closed
            .map(|(field, key, bounds)| Self {
                field,
                key,
                min: border(bounds.min.as_ref()),
                max: border(bounds.max.as_ref()),
            })
            .collect()
    }

    /// The field that the range is about.
    pub(crate) const fn field(&self) -> Field {
        self.field
    }

    /// The positions of the rows within the range, in the index of its field.
    pub(crate) fn span(&self, index: &Index, rows: &Rows) -> Range<usize> {
        let equal =
            |(key, value): Border<'_>| index.equal(key, Exact::Number(value.as_str()), rows);
        let start = self.min.map_or(0, |border| equal(border).start);
        let end = match self.max {
            Some(border) => equal(border).end,
            None => index.position(UNKNOWN, |_| false),
        };
        start..end.max(start)
    }

    /// True when the row at a slot, which has these keys, lies within the range.
    pub(crate) fn fits(&self, slot: u32, keys: &Keys, rows: &Rows) -> bool {
        let key = (self.key)(keys);
        let against =
            |value: &Decimal| rows.exact(self.field, slot).compare(Exact::Number(value.as_str()));
        key != UNKNOWN
            && self.min.is_none_or(|(min, value)| key > min || key == min && against(value).is_ge())
            && self.max.is_none_or(|(max, value)| key < max || key == max && against(value).is_le())
    }
}
