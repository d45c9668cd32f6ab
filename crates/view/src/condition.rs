//! A filter made ready: what a row must fulfil, and which indexes know who does.

use std::ops::Range;

use kasparro_domain::{AssetId, Decimal};

use crate::fold::{Needle, Place, fold};
use crate::index::Index;
use crate::key::{Exact, Field, UNKNOWN, number_key, signed_key, text_key};
use crate::rows::Rows;
use crate::{Filter, Snapshot};

/// A border of a price range: its key, and the decimal that decides where a row has the same key.
type Border<'a> = (u64, &'a Decimal);

/// What a row must fulfil to be in an answer.
pub(crate) struct Condition<'a> {
    rows: &'a Rows,
    pub(crate) all: bool,
    symbol: Option<String>,
    asset_id: Option<AssetId>,
    /// The source's number; `Some(None)` for a source that no listing has.
    source: Option<Option<u32>>,
    min_price: Option<Border<'a>>,
    max_price: Option<Border<'a>>,
    pub(crate) needles: Vec<Needle>,
}

/// An index that knows which rows fulfil one of the conditions.
pub(crate) struct Candidates<'a> {
    pub(crate) index: &'a Index,
    /// Their positions in it.
    pub(crate) positions: Range<usize>,
    /// How many they are.
    pub(crate) count: usize,
    /// True when they all have one value, so that they stand by ascending slot.
    pub(crate) one_value: bool,
}

fn border(price: Option<&Decimal>) -> Option<Border<'_>> {
    price.map(|price| (number_key(Some(price)), price))
}

impl<'a> Condition<'a> {
    /// Prepares a filter for the rows of a snapshot.
    pub(crate) fn new(snapshot: &'a Snapshot, filter: &'a Filter) -> Self {
        let needles = [(&filter.name, Place::Name), (&filter.search, Place::Anywhere)];
        Self {
            rows: &snapshot.rows,
            all: filter.unpriced,
            symbol: filter.symbol.as_deref().map(fold),
            // An id of before a merge asks for the asset that it belongs to now.
            asset_id: filter.asset_id.map(|id| snapshot.present_asset(id).unwrap_or(id)),
            source: filter.source.as_ref().map(|name| snapshot.sources.number(name)),
            min_price: border(filter.min_price.as_ref()),
            max_price: border(filter.max_price.as_ref()),
            needles: needles
                .into_iter()
                .filter_map(|(text, place)| Needle::new(text.as_deref()?, place))
                .collect(),
        }
    }

    /// True when no row can fulfil it.
    pub(crate) fn hopeless(&self) -> bool {
        self.source == Some(None) || self.needles.iter().any(Needle::hopeless)
    }

    /// The indexes that know something, fewest rows first.
    pub(crate) fn candidates(&self, snapshot: &'a Snapshot) -> Vec<Candidates<'a>> {
        let mut found = Vec::new();
        let mut add = |field: Field, one_value: bool, span: &dyn Fn(&Index) -> Range<usize>| {
            if let Some(index) = snapshot.index(field) {
                let positions = span(index);
                let count = index.count(&positions, self.all);
                found.push(Candidates { index, positions, count, one_value });
            }
        };
        if let Some(symbol) = &self.symbol {
            add(Field::Symbol, true, &|index| {
                index.equal(text_key(symbol), Exact::Text(symbol), self.rows)
            });
        }
        if let Some(id) = self.asset_id {
            add(Field::Asset, true, &|index| index.equal(signed_key(id.0), Exact::Key, self.rows));
        }
        if let Some(Some(number)) = self.source {
            let name = snapshot.sources.iter().find(|(own, _)| *own == number);
            if let Some((_, name)) = name {
                add(Field::Source, true, &|index| {
                    index.equal(text_key(name.as_str()), Exact::Text(name.as_str()), self.rows)
                });
            }
        }
        if self.min_price.is_some() || self.max_price.is_some() {
            add(Field::PriceUsd, false, &|index| self.price_span(index));
        }
        found.sort_by_key(|candidates| candidates.count);
        found
    }

    fn price_span(&self, index: &Index) -> Range<usize> {
        let equal =
            |(key, price): Border<'_>| index.equal(key, Exact::Number(price.as_str()), self.rows);
        let start = self.min_price.map_or(0, |border| equal(border).start);
        let end = match self.max_price {
            Some(border) => equal(border).end,
            None => index.position(UNKNOWN, |_| false),
        };
        start..end.max(start)
    }

    /// True when the row at a slot fulfils everything.
    pub(crate) fn fits(&self, slot: u32) -> bool {
        self.fits_columns(slot) && self.fits_texts(slot)
    }

    /// True when the row at a slot fulfils everything but the needles.
    pub(crate) fn fits_columns(&self, slot: u32) -> bool {
        let Some(column) = self.rows.column(slot) else {
            return false;
        };
        (self.all || column.priced)
            && self.source.is_none_or(|number| number == Some(column.source))
            && self.fits_price(slot, column.keys.price_usd)
            && self
                .asset_id
                .is_none_or(|id| self.rows.row(slot).is_some_and(|row| row.asset_id() == id))
            && self.symbol.as_ref().is_none_or(|symbol| {
                self.rows.folded_at(slot).is_some_and(|(chunk, row)| chunk.symbol(row) == symbol)
                    && self.rows.key(Field::Symbol, slot) != UNKNOWN
            })
    }

    fn fits_texts(&self, slot: u32) -> bool {
        self.needles.iter().all(|needle| {
            self.rows.folded_at(slot).is_some_and(|(chunk, row)| chunk.holds(row, needle))
        })
    }

    fn fits_price(&self, slot: u32, key: u64) -> bool {
        let price = || self.rows.row(slot).and_then(|row| row.price_usd());
        let above = |(min, exact): Border<'_>| {
            key > min || key == min && price().is_some_and(|price| price >= exact)
        };
        let below = |(max, exact): Border<'_>| {
            key < max || key == max && price().is_some_and(|price| price <= exact)
        };
        (self.min_price.is_none() && self.max_price.is_none() || key != UNKNOWN)
            && self.min_price.is_none_or(above)
            && self.max_price.is_none_or(below)
    }
}
