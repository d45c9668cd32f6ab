//! A filter made ready: what a row must fulfil, and which indexes know who does.

use std::ops::Range;

use kasparro_domain::AssetId;

use crate::bounds::Borders;
use crate::fold::{Needle, Place, fold};
use crate::index::Index;
use crate::key::{Exact, Field, UNKNOWN, instant_key, signed_key, text_key};
use crate::rows::Rows;
use crate::{Filter, Snapshot};

/// What a row must fulfil to be in an answer.
pub(crate) struct Condition<'a> {
    rows: &'a Rows,
    pub(crate) all: bool,
    /// Folded, ascending, each once; none where every symbol fits.
    symbols: Vec<String>,
    /// Ascending, each once; none where every asset fits.
    asset_ids: Vec<AssetId>,
    /// The numbers of the sources that have listings; `None` where every source fits.
    sources: Option<Vec<u32>>,
    /// The ranges that leave something out.
    ranges: Vec<Borders<'a>>,
    /// The key of the earliest instant that fits.
    updated_since: Option<u64>,
    pub(crate) needles: Vec<Needle>,
}

/// An index that knows which rows fulfil one of the conditions.
pub(crate) struct Candidates<'a> {
    pub(crate) index: &'a Index,
    /// Their positions in it: ascending spans without an entry in common, none of them empty.
    pub(crate) spans: Vec<Range<usize>>,
    /// How many they are.
    pub(crate) count: usize,
    /// True when those of one span all have one value, so that they stand by ascending slot.
    pub(crate) one_value: bool,
}

impl<'a> Condition<'a> {
    /// Prepares a filter for the rows of a snapshot.
    pub(crate) fn new(snapshot: &'a Snapshot, filter: &'a Filter) -> Self {
        let needles = [(&filter.name, Place::Name), (&filter.search, Place::Anywhere)];
        let mut symbols: Vec<String> = filter.symbols.iter().map(|symbol| fold(symbol)).collect();
        symbols.sort_unstable();
        symbols.dedup();
        let sources = (!filter.sources.is_empty()).then(|| {
            let numbers = filter.sources.iter().filter_map(|name| snapshot.sources.number(name));
            let mut numbers: Vec<u32> = numbers.collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        });
        let present = |id: &AssetId| snapshot.present_asset(*id).unwrap_or(*id);
        let mut asset_ids: Vec<AssetId> = filter.asset_ids.iter().map(present).collect();
        asset_ids.sort_unstable();
        asset_ids.dedup();
        Self {
            rows: &snapshot.rows,
            all: filter.unpriced,
            symbols,
            asset_ids,
            sources,
            ranges: Borders::of(filter),
            updated_since: filter.updated_since.map(|since| instant_key(Some(since))),
            needles: needles
                .into_iter()
                .filter_map(|(text, place)| Needle::new(text.as_deref()?, place))
                .collect(),
        }
    }

    /// True when no row can fulfil it.
    pub(crate) fn hopeless(&self) -> bool {
        self.sources.as_ref().is_some_and(Vec::is_empty)
            || self.needles.iter().any(Needle::hopeless)
    }

    /// The indexes that know something, fewest rows first.
    pub(crate) fn candidates(&self, snapshot: &'a Snapshot) -> Vec<Candidates<'a>> {
        let mut found = Vec::new();
        let mut add = |field: Field, one_value, spans: &dyn Fn(&Index) -> Vec<Range<usize>>| {
            if let Some(index) = snapshot.index(field) {
                let mut spans = spans(index);
                spans.retain(|span| !span.is_empty());
                spans.sort_unstable_by_key(|span| span.start);
                let count = spans.iter().map(|span| index.count(span, self.all)).sum();
                found.push(Candidates { index, spans, count, one_value });
            }
        };
        let text =
            |index: &Index, text: &str| index.equal(text_key(text), Exact::Text(text), self.rows);
        if !self.symbols.is_empty() {
            let spans = |index: &Index| self.symbols.iter().map(|own| text(index, own)).collect();
            add(Field::Symbol, true, &spans);
        }
        if !self.asset_ids.is_empty() {
            let own =
                |index: &Index, id: &AssetId| index.equal(signed_key(id.0), Exact::Key, self.rows);
            add(Field::Asset, true, &|index| {
                self.asset_ids.iter().map(|id| own(index, id)).collect()
            });
        }
        if let Some(sources) = &self.sources {
            let names = || snapshot.sources.iter().filter(|(number, _)| sources.contains(number));
            let spans =
                |index: &Index| names().map(|(_, name)| text(index, name.as_str())).collect();
            add(Field::Source, true, &spans);
        }
        for range in &self.ranges {
            add(range.field(), false, &|index| vec![range.span(index, self.rows)]);
        }
        if let Some(since) = self.updated_since {
            let position = |index: &Index, key| index.position(key, |_| false);
            add(Field::UpdatedAt, false, &|index| {
                let span = position(index, since)..position(index, UNKNOWN);
                vec![span]
            });
        }
        found.sort_by_key(|candidates| candidates.count);
        found
    }

    /// True when the row at a slot fulfils everything.
    pub(crate) fn fits(&self, slot: u32) -> bool {
        let Some(column) = self.rows.column(slot) else {
            return false;
        };
        (self.all || column.priced)
            && self.sources.as_ref().is_none_or(|numbers| numbers.contains(&column.source))
            && self.ranges.iter().all(|range| range.fits(slot, &column.keys, self.rows))
            && self.updated_since.is_none_or(|since| {
                let key = column.keys.updated_at;
                key >= since && key != UNKNOWN
            })
            && (self.asset_ids.is_empty()
                || self
                    .rows
                    .row(slot)
                    .is_some_and(|row| self.asset_ids.binary_search(&row.asset_id()).is_ok()))
            && (self.symbols.is_empty() || self.fits_symbols(slot))
            && self.needles.iter().all(|needle| {
                self.rows.folded_at(slot).is_some_and(|(chunk, row)| chunk.holds(row, needle))
            })
    }

    fn fits_symbols(&self, slot: u32) -> bool {
        let Some((chunk, row)) = self.rows.folded_at(slot) else {
            return false;
        };
        let own = chunk.symbol(row);
        self.symbols.binary_search_by(|symbol| symbol.as_str().cmp(own)).is_ok()
            && self.rows.key(Field::Symbol, slot) != UNKNOWN
    }
}
