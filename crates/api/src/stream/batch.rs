//! One swap of the read model, written once for every client.

use bytes::Bytes;
use kasparro_domain::{AssetId, Generation, SourceName};
use kasparro_view::{Swap, fold};

use super::event::{write_quote, write_seen};
use super::filter::Filter;

/// About so many bytes are handed over at once. Whoever reads slowly holds no more than a few of these.
pub(crate) const PIECE_BYTES: usize = 32 * 1024;

/// Part of a stream that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: Bytes,
    /// How many changes it tells.
    pub(crate) quotes: u64,
}

/// The events of one swap.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) from: Generation,
    pub(crate) to: Generation,
    /// Bytes that it holds.
    pub(crate) bytes: usize,
    chunks: Vec<Chunk>,
    sources: Vec<SourceName>,
}

/// Events that lie one behind the other in memory of their own.
#[derive(Debug)]
struct Chunk {
    /// In the last one the end of the swap stands behind the marked events.
    text: Bytes,
    marks: Vec<Mark>,
}

/// What is asked of one event.
#[derive(Debug)]
struct Mark {
    /// Where it ends.
    end: usize,
    asset: AssetId,
    /// Its place among the sources of the batch.
    source: usize,
    /// Folded.
    symbol: Box<str>,
}

/// How far a client has read a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    chunk: usize,
    event: usize,
}

impl Batch {
    /// Writes a swap. The first event has the number behind `told`.
    pub(crate) fn write(swap: &Swap, told: u64) -> Self {
        let mut batch = Self {
            from: swap.from,
            to: swap.to,
            bytes: size_of::<Self>(),
            chunks: Vec::new(),
            sources: Vec::new(),
        };
        let (mut text, mut marks) = (String::with_capacity(PIECE_BYTES + 1024), Vec::new());
        // A listing without a quote is not in /data.
        for (row, sequence) in swap.rows.iter().filter(|row| row.priced()).zip(told + 1..) {
            write_quote(&mut text, swap.from, sequence, row);
            let symbol = fold(row.symbol().unwrap_or_default()).into_boxed_str();
            let source = batch.source(row.source());
            marks.push(Mark { end: text.len(), asset: row.asset_id(), source, symbol });
            if text.len() >= PIECE_BYTES {
                batch.add(&mut text, &mut marks);
            }
        }
        if swap.to != swap.from {
            write_seen(&mut text, swap.to);
        }
        batch.add(&mut text, &mut marks);
        batch
    }

    fn source(&mut self, name: &SourceName) -> usize {
        self.sources.iter().position(|known| known == name).unwrap_or_else(|| {
            self.sources.push(name.clone());
            self.sources.len() - 1
        })
    }

    fn add(&mut self, text: &mut String, marks: &mut Vec<Mark>) {
        if text.is_empty() {
            return;
        }
        let marks = std::mem::take(marks);
        let symbols: usize = marks.iter().map(|mark| mark.symbol.len()).sum();
        self.bytes += size_of::<Chunk>() + text.len() + marks.len() * size_of::<Mark>() + symbols;
        self.chunks.push(Chunk { text: Bytes::copy_from_slice(text.as_bytes()), marks });
        text.clear();
    }

    /// How many changes it tells.
    pub(crate) fn quotes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.marks.len() as u64).sum()
    }

    /// What a client reads next, in memory that all clients share; nothing at the end.
    pub(crate) fn next(&self, place: &mut Place, filter: &Filter) -> Option<Piece> {
        loop {
            let chunk = self.chunks.get(place.chunk)?;
            if filter.open() {
                *place = Place { chunk: place.chunk + 1, event: 0 };
                return Some(Piece { text: chunk.text.clone(), quotes: chunk.marks.len() as u64 });
            }
            let fits = |mark: &&Mark| {
                let source = self.sources.get(mark.source);
                source.is_some_and(|source| filter.fits(&mark.symbol, source, mark.asset))
            };
            let rest = chunk.marks.get(place.event..).unwrap_or_default();
            if let Some(skipped) = rest.iter().position(|mark| fits(&mark)) {
                let first = place.event + skipped;
                let run = rest.iter().skip(skipped).take_while(fits).count();
                place.event = first + run;
                let text = chunk.text.slice(chunk.end_of(first)..chunk.end_of(first + run));
                return Some(Piece { text, quotes: run as u64 });
            }
            let marked = chunk.end_of(chunk.marks.len());
            *place = Place { chunk: place.chunk + 1, event: 0 };
            if marked < chunk.text.len() {
                return Some(Piece { text: chunk.text.slice(marked..), quotes: 0 });
            }
        }
    }
}

impl Chunk {
    /// Where the first so many events end.
    fn end_of(&self, events: usize) -> usize {
        let last = events.checked_sub(1).and_then(|last| self.marks.get(last));
        last.map_or(0, |mark| mark.end)
    }
}
