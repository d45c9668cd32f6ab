//! Up to 64 rows that snapshots share.

use std::sync::Arc;

use kasparro_domain::Timestamp;

use crate::Row;
use crate::fold::{FoldedChunk, FoldsRef};
use crate::render::{Column, Fresh};

/// Rows in a chunk; only the last chunk holds fewer.
pub(crate) const CHUNK_ROWS: usize = 64;

/// Up to 64 rows with what is asked of many of them at once.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) rows: Vec<Arc<Row>>,
    pub(crate) columns: Vec<Column>,
    /// The texts of the rows with a quote; the others stand empty there, and these in `unpriced`, so
    /// that a search for the former never reads the latter.
    pub(crate) folded: Arc<FoldedChunk>,
    pub(crate) unpriced: Arc<FoldedChunk>,
    /// One bit for each row that has a quote.
    pub(crate) priced: u64,
    pub(crate) newest_fetched_at: Option<Timestamp>,
}

impl Chunk {
    /// Lays out up to [`CHUNK_ROWS`] rows.
    pub(crate) fn new(fresh: Vec<Fresh>) -> Self {
        let texts = |priced: bool| {
            FoldedChunk::new(fresh.iter().map(|fresh| {
                if fresh.column.priced == priced {
                    FoldsRef::from(&fresh.folds)
                } else {
                    FoldsRef::EMPTY
                }
            }))
        };
        let mut chunk = Self {
            rows: Vec::with_capacity(fresh.len()),
            columns: Vec::with_capacity(fresh.len()),
            folded: Arc::new(texts(true)),
            unpriced: Arc::new(texts(false)),
            priced: 0,
            newest_fetched_at: None,
        };
        for fresh in fresh {
            chunk.rows.push(fresh.row);
            chunk.columns.push(fresh.column);
        }
        chunk.mark_priced();
        chunk.newest_fetched_at = chunk.rows.iter().filter_map(|row| row.fetched_at()).max();
        chunk
    }

    fn mark_priced(&mut self) {
        let bits = self.columns.iter().enumerate();
        self.priced =
            bits.fold(0, |mask, (place, column)| mask | u64::from(column.priced) << place);
    }

    /// The folded texts that hold those of the row at a place.
    pub(crate) fn texts(&self, place: usize) -> &FoldedChunk {
        let priced = self.columns.get(place).is_some_and(|column| column.priced);
        if priced { &self.folded } else { &self.unpriced }
    }

    /// One of the two texts, with the rows of `changes` replaced.
    fn retold(&self, priced: bool, changes: &[(usize, Fresh)]) -> Arc<FoldedChunk> {
        let own = if priced { &self.folded } else { &self.unpriced };
        let texts = |fresh: &'_ Fresh| fresh.column.priced == priced;
        let same_texts = changes.iter().all(|(place, fresh)| {
            let after = if texts(fresh) { FoldsRef::from(&fresh.folds) } else { FoldsRef::EMPTY };
            *place < self.rows.len() && own.row(*place) == after
        });
        if same_texts {
            return Arc::clone(own);
        }
        let mut changed = changes.iter().peekable();
        let len = changes.last().map_or(0, |(place, _)| place + 1).max(self.rows.len());
        Arc::new(FoldedChunk::new((0..len).map(|place| {
            match changed.next_if(|(changed_place, _)| *changed_place == place) {
                Some((_, fresh)) if texts(fresh) => FoldsRef::from(&fresh.folds),
                Some(_) => FoldsRef::EMPTY,
                None => own.row(place),
            }
        })))
    }

    /// The chunk with some of its rows replaced and others appended. `changes` are by ascending place.
    pub(crate) fn with(&self, changes: Vec<(usize, Fresh)>) -> Self {
        let (folded, unpriced) = (self.retold(true, &changes), self.retold(false, &changes));
        let mut chunk = Self { folded, unpriced, ..self.clone() };
        let mut newest_left = false;
        for (place, fresh) in changes {
            let fetched_at = fresh.row.fetched_at();
            if let (Some(row), Some(column)) =
                (chunk.rows.get_mut(place), chunk.columns.get_mut(place))
            {
                newest_left |= row.fetched_at() == self.newest_fetched_at;
                *row = fresh.row;
                *column = fresh.column;
            } else {
                chunk.rows.push(fresh.row);
                chunk.columns.push(fresh.column);
            }
            chunk.newest_fetched_at = chunk.newest_fetched_at.max(fetched_at);
        }
        // Visiting all rows costs more than the rest together, so only where the newest one left and
        // no newer one came.
        if newest_left && chunk.newest_fetched_at == self.newest_fetched_at {
            chunk.newest_fetched_at = chunk.rows.iter().filter_map(|row| row.fetched_at()).max();
        }
        chunk.mark_priced();
        chunk
    }
}

/// The places of the ones in a mask, ascending.
pub(crate) fn ones(mask: u64) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let place = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
        rest &= rest - 1;
        Some(place)
    })
}
