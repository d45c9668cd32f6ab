//! The rows by ascending listing id, in chunks that snapshots share.

use std::ops::ControlFlow;
use std::sync::Arc;

use kasparro_domain::{ListingId, Timestamp};

use crate::Row;
use crate::chunk::{CHUNK_ROWS, Chunk, ones};
use crate::fold::FoldedChunk;
use crate::further::Further;
use crate::key::{Exact, Field, UNKNOWN, canonical_key, instant_key, signed_key, text_key};
use crate::render::{Column, Fresh};

/// Every row, by ascending listing id; a row's place is its slot.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    chunks: Vec<Arc<Chunk>>,
    /// Id of the first row of every chunk.
    first_ids: Vec<i64>,
    /// Rows with a quote before every chunk, and in all.
    priced_before: Vec<u32>,
}

impl Default for Rows {
    fn default() -> Self {
        Self { chunks: Vec::new(), first_ids: Vec::new(), priced_before: vec![0] }
    }
}

impl Rows {
    /// Lays out rows, which stand by ascending id.
    pub(crate) fn build(fresh: Vec<Fresh>) -> Self {
        let mut rows = Self::default();
        let mut fresh = fresh.into_iter();
        loop {
            let chunk: Vec<Fresh> = fresh.by_ref().take(CHUNK_ROWS).collect();
            if chunk.is_empty() {
                return rows;
            }
            rows.push(Arc::new(Chunk::new(chunk)));
        }
    }

    fn push(&mut self, chunk: Arc<Chunk>) {
        let priced = self.priced_before.last().copied().unwrap_or(0) + chunk.priced.count_ones();
        self.first_ids.push(chunk.columns.first().map_or(0, |column| column.listing_id));
        self.chunks.push(chunk);
        self.priced_before.push(priced);
    }

    /// The rows with some replaced and others appended: `changes` are by ascending slot, and those at
    /// or past the end by ascending id without a gap. Only chunks with a change are copied.
    pub(crate) fn with(&self, changes: Vec<(u32, Fresh)>) -> Self {
        let mut next = self.clone();
        let mut changes = changes.into_iter().peekable();
        let mut first_changed_count = None;
        while let Some((slot, fresh)) = changes.next() {
            let at = slot as usize / CHUNK_ROWS;
            let mut within = vec![(slot as usize % CHUNK_ROWS, fresh)];
            while let Some((slot, fresh)) =
                changes.next_if(|(slot, _)| *slot as usize / CHUNK_ROWS == at)
            {
                within.push((slot as usize % CHUNK_ROWS, fresh));
            }
            match next.chunks.get_mut(at) {
                Some(place) => {
                    let chunk = Arc::new(place.with(within));
                    if chunk.priced.count_ones() != place.priced.count_ones() {
                        first_changed_count.get_or_insert(at);
                    }
                    *place = chunk;
                }
                None => {
                    if let Some(from) = first_changed_count.take() {
                        next.count_from(from);
                    }
                    next.push(Arc::new(Chunk::new(
                        within.into_iter().map(|(_, fresh)| fresh).collect(),
                    )));
                }
            }
        }
        if let Some(from) = first_changed_count {
            next.count_from(from);
        }
        next
    }

    fn count_from(&mut self, chunk: usize) {
        self.priced_before.truncate(chunk + 1);
        let mut priced = self.priced_before.last().copied().unwrap_or(0);
        for chunk in self.chunks.iter().skip(chunk) {
            priced += chunk.priced.count_ones();
            self.priced_before.push(priced);
        }
    }

    /// The rows in chunks.
    pub(crate) fn chunks(&self) -> &[Arc<Chunk>] {
        &self.chunks
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.chunks
            .last()
            .map_or(0, |last| self.chunks.len().saturating_sub(1) * CHUNK_ROWS + last.rows.len())
    }

    /// How many of them have a quote.
    pub(crate) fn priced(&self) -> usize {
        self.priced_before.last().map_or(0, |priced| *priced as usize)
    }

    fn chunk(&self, slot: u32) -> Option<(&Chunk, usize)> {
        let chunk = self.chunks.get(slot as usize / CHUNK_ROWS)?;
        Some((chunk, slot as usize % CHUNK_ROWS))
    }

    /// The row at a slot.
    pub(crate) fn row(&self, slot: u32) -> Option<&Arc<Row>> {
        let (chunk, place) = self.chunk(slot)?;
        chunk.rows.get(place)
    }

    /// The column of the row at a slot.
    pub(crate) fn column(&self, slot: u32) -> Option<&Column> {
        let (chunk, place) = self.chunk(slot)?;
        chunk.columns.get(place)
    }

    /// The first slot whose id is `id` or greater.
    pub(crate) fn slot_from(&self, id: ListingId) -> u32 {
        let Some(at) = self.first_ids.partition_point(|first| *first <= id.0).checked_sub(1) else {
            return 0;
        };
        let within = self
            .chunks
            .get(at)
            .map_or(0, |chunk| chunk.columns.partition_point(|column| column.listing_id < id.0));
        slot(at * CHUNK_ROWS + within)
    }

    /// The slot of a listing.
    pub(crate) fn find(&self, id: ListingId) -> Option<u32> {
        let slot = self.slot_from(id);
        self.column(slot).filter(|column| column.listing_id == id.0).map(|_| slot)
    }

    /// The greatest listing id.
    pub(crate) fn last_id(&self) -> Option<i64> {
        self.chunks.last()?.columns.last().map(|column| column.listing_id)
    }

    /// When the newest values were fetched.
    pub(crate) fn newest_fetched_at(&self) -> Option<Timestamp> {
        self.chunks.iter().filter_map(|chunk| chunk.newest_fetched_at).max()
    }

    /// The row at a slot with everything that belongs to it.
    pub(crate) fn fresh(&self, slot: u32) -> Option<Fresh> {
        let (chunk, place) = self.chunk(slot)?;
        Some(Fresh {
            row: Arc::clone(chunk.rows.get(place)?),
            column: *chunk.columns.get(place)?,
            folds: chunk.texts(place).row(place).to_owned(),
        })
    }

    /// True where the row at a slot is the same already.
    pub(crate) fn holds(&self, slot: u32, fresh: &Fresh) -> bool {
        self.column(slot) == Some(&fresh.column) && self.row(slot) == Some(&fresh.row)
    }

    /// The key of a field of the row at a slot.
    pub(crate) fn key(&self, field: Field, slot: u32) -> u64 {
        let Some((chunk, place)) = self.chunk(slot) else {
            return UNKNOWN;
        };
        let (Some(column), Some(row)) = (chunk.columns.get(place), chunk.rows.get(place)) else {
            return UNKNOWN;
        };
        match field {
            Field::PriceUsd => column.keys.price_usd,
            Field::MarketCap => column.keys.market_cap,
            Field::Volume24h => column.keys.volume_24h,
            Field::PriceChange24h => column.keys.price_change_24h,
            Field::CirculatingSupply
            | Field::TotalSupply
            | Field::MaxSupply
            | Field::FullyDilutedValuation => Further::of(field)
                .map_or(UNKNOWN, |number| canonical_key(row.further_number(number))),
            Field::Rank => column.keys.rank,
            Field::UpdatedAt => column.keys.updated_at,
            Field::IngestedAt => instant_key(row.ingested_at()),
            Field::Asset => signed_key(row.asset_id().0),
            Field::Symbol => {
                text_key_of(chunk.texts(place).symbol(place), || row.symbol().is_some())
            }
            Field::Name => text_key_of(chunk.texts(place).name(place), || row.name().is_some()),
            Field::Source => text_key(row.source().as_str()),
            Field::UntimedFetch => instant_key(row.untimed_fetch()),
            Field::Founded if row.founded_asset_id() != row.asset_id() => {
                signed_key(row.founded_asset_id().0)
            }
            // A row has as many contracts as it has: they have no single key.
            Field::Founded | Field::Contract => UNKNOWN,
        }
    }

    /// What decides between equal keys of a field, for the row at a slot.
    pub(crate) fn exact(&self, field: Field, slot: u32) -> Exact<'_> {
        let Some((chunk, place)) = self.chunk(slot) else {
            return Exact::Key;
        };
        let row = chunk.rows.get(place);
        let number = |key| row.map_or(Exact::Key, |row| Exact::Number(row.number(key)));
        match field {
            Field::Asset
            | Field::Rank
            | Field::UpdatedAt
            | Field::IngestedAt
            | Field::UntimedFetch
            | Field::Founded
            | Field::Contract => Exact::Key,
            Field::PriceUsd => row
                .and_then(|row| row.price_usd())
                .map_or(Exact::Key, |price| Exact::Number(price.as_str())),
            Field::MarketCap => number(r#","market_cap":"#),
            Field::Volume24h => number(r#","volume_24h":"#),
            Field::PriceChange24h => number(r#","price_change_24h":"#),
            Field::CirculatingSupply
            | Field::TotalSupply
            | Field::MaxSupply
            | Field::FullyDilutedValuation => row
                .zip(Further::of(field))
                .map_or(Exact::Key, |(row, number)| Exact::Number(row.further_number(number))),
            Field::Symbol => Exact::Text(chunk.texts(place).symbol(place)),
            Field::Name => Exact::Text(chunk.texts(place).name(place)),
            Field::Source => row.map_or(Exact::Key, |row| Exact::Text(row.source().as_str())),
        }
    }

    /// The chunks' folded texts, each with the slot of its first row; with `all` also those of rows
    /// without a quote, behind the others of their chunk.
    pub(crate) fn folded(&self, all: bool) -> impl Iterator<Item = (u32, &FoldedChunk)> {
        let slots = (0_usize..).step_by(CHUNK_ROWS).map(slot);
        slots.zip(&self.chunks).flat_map(move |(slot, chunk)| {
            let unpriced = all.then(|| (slot, &*chunk.unpriced));
            std::iter::once((slot, &*chunk.folded)).chain(unpriced)
        })
    }

    /// The folded texts of the chunk of a slot, and the row's place in it.
    pub(crate) fn folded_at(&self, slot: u32) -> Option<(&FoldedChunk, usize)> {
        self.chunk(slot).map(|(chunk, place)| (chunk.texts(place), place))
    }

    /// The slot of the row that `n` rows stand before; `all` counts rows without a quote too.
    pub(crate) fn select(&self, n: usize, all: bool) -> u32 {
        if all {
            return slot(n.min(self.len()));
        }
        let at = self.priced_before.partition_point(|before| *before as usize <= n);
        let Some(at) = at.checked_sub(1).filter(|at| *at < self.chunks.len()) else {
            return slot(self.len());
        };
        let before = self.priced_before.get(at).map_or(0, |before| *before as usize);
        let within = self.chunks.get(at).and_then(|chunk| ones(chunk.priced).nth(n - before));
        slot(at * CHUNK_ROWS + within.unwrap_or(CHUNK_ROWS))
    }

    /// Visits slots upwards from `from` until told to stop.
    pub(crate) fn walk_up(
        &self,
        from: u32,
        all: bool,
        visit: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let first = from as usize / CHUNK_ROWS;
        for (at, chunk) in self.chunks.iter().enumerate().skip(first) {
            let skip = if at == first { from as usize % CHUNK_ROWS } else { 0 };
            if all {
                for place in skip..chunk.rows.len() {
                    visit(slot(at * CHUNK_ROWS + place))?;
                }
            } else {
                for place in ones(chunk.priced & (u64::MAX << skip)) {
                    visit(slot(at * CHUNK_ROWS + place))?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Visits slots downwards, `before` and all above left out, until told to stop.
    pub(crate) fn walk_down(
        &self,
        before: u32,
        all: bool,
        visit: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut before = before;
        while let Some(last) = before.checked_sub(1) {
            let first = last - last % CHUNK_ROWS as u32;
            let priced = self.chunk(last).map_or(0, |(chunk, _)| chunk.priced);
            if all || priced != 0 {
                for slot in (first..before).rev() {
                    if all || priced >> (slot - first) & 1 == 1 {
                        visit(slot)?;
                    }
                }
            }
            before = first;
        }
        ControlFlow::Continue(())
    }
}

fn text_key_of(folded: &str, known: impl FnOnce() -> bool) -> u64 {
    if folded.is_empty() && !known() { UNKNOWN } else { text_key(folded) }
}

/// A place as a slot. Two bits of an index entry are flags, so a snapshot holds 2^30 rows at most,
/// more than fit into memory.
pub(crate) fn slot(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
