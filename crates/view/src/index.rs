//! One ordered index: (key, slot) pairs in blocks that snapshots share, with cumulative counts.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use crate::block::{Block, Entry, Tag};
use crate::further::{Further, FurtherKeys};
use crate::key::{Exact, Field, UNKNOWN};
use crate::rows::Rows;

/// Entries of a block as it is built.
const BLOCK_ENTRIES: usize = 192;
/// Entries above which a block is split.
const MAX_ENTRIES: usize = 256;
/// Entries below which a block is joined with its neighbour.
const MIN_ENTRIES: usize = 64;

/// Where an entry stands: its block, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) block: usize,
    pub(crate) offset: usize,
}

/// Every row, ordered by one field; rows of equal values by ascending slot, unknown values last. The
/// index of a sparse field leaves rows with an unknown value out.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) field: Field,
    pub(crate) blocks: Vec<Arc<Block>>,
    first_keys: Vec<u64>,
    /// Entries before every block, and in all.
    entries_before: Vec<u32>,
    /// Entries with a quote before every block, and in all.
    priced_before: Vec<u32>,
    /// About so many bytes the index that it was made from holds that it does not.
    pub(crate) replaced_bytes: usize,
}

impl Index {
    /// An index without entries.
    pub(crate) fn empty(field: Field) -> Self {
        Self {
            field,
            blocks: Vec::new(),
            first_keys: Vec::new(),
            entries_before: vec![0],
            priced_before: vec![0],
            replaced_bytes: 0,
        }
    }

    /// The index of every field, from all rows.
    pub(crate) fn build_all(rows: &Rows) -> [Self; Field::ALL.len()] {
        let further = rows.further_keys();
        Field::ALL.map(|field| Self::build(field, rows, &further))
    }

    /// Sorts all rows that belong in it.
    fn build(field: Field, rows: &Rows, further: &[FurtherKeys]) -> Self {
        let mut entries = Vec::with_capacity(if field.sparse() { 0 } else { rows.len() });
        if let Some(number) = Further::of(field) {
            let keys = further.iter().map(|keys| keys.get(number as usize).copied());
            let keys = (0..).zip(keys.map(|key| key.unwrap_or(UNKNOWN)));
            entries.extend(keys.map(|(slot, key)| Entry::with_key(field, rows, slot, key)));
        } else {
            for slot in 0..crate::rows::slot(rows.len()) {
                Entry::add(field, rows, slot, &mut entries);
            }
        }
        entries.sort_unstable_by_key(|entry| (entry.key, entry.tag.slot()));
        for run in entries.chunk_by_mut(|left, right| left.key == right.key) {
            if run.len() > 1 && run.iter().any(|entry| entry.tag.loose()) {
                run.sort_by(|left, right| {
                    let right = rows.exact(field, right.tag.slot());
                    rows.exact(field, left.tag.slot()).compare(right)
                });
            }
        }
        let mut index = Self::empty(field);
        for block in entries.chunks(BLOCK_ENTRIES) {
            let block = Arc::new(Block::new(block));
            let priced = block.priced(0..block.tags.len());
            index.push(block, priced);
        }
        index
    }

    fn push(&mut self, block: Arc<Block>, priced: usize) {
        let count = |before: &[u32], more: usize| {
            before.last().copied().unwrap_or(0).saturating_add(crate::rows::slot(more))
        };
        self.entries_before.push(count(&self.entries_before, block.keys.len()));
        self.priced_before.push(count(&self.priced_before, priced));
        self.first_keys.push(block.keys.first().copied().unwrap_or(UNKNOWN));
        self.blocks.push(block);
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries_before.last().map_or(0, |len| *len as usize)
    }

    /// The index after some entries left and others came. Entries in `removed` are ordered by the
    /// values in `old`, those in `inserted` by the values in `new`; only blocks with a change are copied.
    pub(crate) fn with(
        &self,
        removed: &[Entry],
        inserted: &mut [Entry],
        old: &Rows,
        new: &Rows,
    ) -> Self {
        let mut leaving: Vec<Place> =
            removed.iter().map(|entry| self.place(self.position_of(*entry, old, old))).collect();
        leaving.sort_unstable();
        inserted.sort_unstable_by(|left, right| self.compare(*left, new, *right, new));
        let coming: Vec<(Place, Entry)> = inserted
            .iter()
            .map(|entry| (self.gap(self.position_of(*entry, new, old)), *entry))
            .collect();
        let mut leaving = leaving.into_iter().peekable();
        let mut coming = coming.into_iter().peekable();
        let mut next = Self { replaced_bytes: self.lists_bytes(), ..Self::empty(self.field) };
        let mut pending: Vec<Entry> = Vec::new();
        for (at, block) in self.blocks.iter().enumerate() {
            let touched = leaving.peek().is_some_and(|place| place.block == at)
                || coming.peek().is_some_and(|(place, _)| place.block == at);
            if !touched {
                if pending.len() < MIN_ENTRIES && !pending.is_empty() {
                    // Too few to stand alone: they join the block that follows.
                    pending.extend(block.entries());
                    next.replaced_bytes += block.bytes();
                    next.push_all(&mut pending);
                } else {
                    next.push_all(&mut pending);
                    next.push(Arc::clone(block), self.priced_within(at));
                }
                continue;
            }
            next.replaced_bytes += block.bytes();
            for (offset, entry) in block.entries().enumerate() {
                let here = Place { block: at, offset };
                while let Some((_, entry)) = coming.next_if(|(place, _)| *place == here) {
                    pending.push(entry);
                }
                if leaving.next_if(|place| *place == here).is_none() {
                    pending.push(entry);
                }
            }
            while let Some((_, entry)) = coming.next_if(|(place, _)| place.block == at) {
                pending.push(entry);
            }
            if pending.len() >= MIN_ENTRIES {
                next.push_all(&mut pending);
            }
        }
        pending.extend(coming.map(|(_, entry)| entry));
        next.push_all(&mut pending);
        next
    }

    /// Cuts the entries into blocks of even length and appends them.
    fn push_all(&mut self, entries: &mut Vec<Entry>) {
        let pieces =
            if entries.len() > MAX_ENTRIES { entries.len().div_ceil(BLOCK_ENTRIES) } else { 1 };
        for piece in entries.chunks(entries.len().div_ceil(pieces).max(1)) {
            let block = Arc::new(Block::new(piece));
            let priced = block.priced(0..block.tags.len());
            self.push(block, priced);
        }
        entries.clear();
    }

    /// How many entries of a block have a quote.
    pub(crate) fn priced_within(&self, block: usize) -> usize {
        let count = |at: usize| self.priced_before.get(at).map_or(0, |count| *count as usize);
        count(block + 1) - count(block)
    }

    /// Orders two entries by key, exact value and slot; each is read from its own rows.
    fn compare(&self, left: Entry, left_rows: &Rows, right: Entry, right_rows: &Rows) -> Ordering {
        left.key
            .cmp(&right.key)
            .then_with(|| {
                if !left.tag.loose() && !right.tag.loose() {
                    return Ordering::Equal;
                }
                let exact = left_rows.exact(self.field, left.tag.slot());
                exact.compare(right_rows.exact(self.field, right.tag.slot()))
            })
            .then_with(|| left.tag.slot().cmp(&right.tag.slot()))
    }

    /// How many entries stand before this one, whose value is read from `own`.
    fn position_of(&self, entry: Entry, own: &Rows, rows: &Rows) -> usize {
        self.position(entry.key, |tag| {
            self.compare(Entry { key: entry.key, tag }, rows, entry, own) == Ordering::Less
        })
    }

    /// How many entries have a smaller key, or the same key and are told to stand before.
    pub(crate) fn position(&self, key: u64, before: impl Fn(Tag) -> bool) -> usize {
        let smaller = self.first_keys.partition_point(|first| *first < key);
        let equal = self.blocks.get(smaller..).unwrap_or_default().partition_point(|block| {
            block.keys.first() == Some(&key) && block.tags.first().is_some_and(|tag| before(*tag))
        });
        let Some(at) = (smaller + equal).checked_sub(1) else {
            return 0;
        };
        let Some(block) = self.blocks.get(at) else {
            return 0;
        };
        let from = block.keys.partition_point(|own| *own < key);
        let to = block.keys.partition_point(|own| *own <= key);
        let same = block.tags.get(from..to).unwrap_or_default();
        self.entries_before(at) + from + same.partition_point(|tag| before(*tag))
    }

    /// Positions of the entries with this key and this exact value.
    pub(crate) fn equal(&self, key: u64, value: Exact<'_>, rows: &Rows) -> Range<usize> {
        let loose = value.loose();
        let compare = |tag: Tag| {
            if !loose && !tag.loose() {
                return Ordering::Equal;
            }
            rows.exact(self.field, tag.slot()).compare(value)
        };
        let start = self.position(key, |tag| compare(tag) == Ordering::Less);
        start..self.position(key, |tag| compare(tag) != Ordering::Greater)
    }

    fn entries_before(&self, block: usize) -> usize {
        self.entries_before.get(block).map_or(0, |before| *before as usize)
    }

    /// The place of the entry at a position; behind the last block for the end.
    pub(crate) fn place(&self, position: usize) -> Place {
        let after = self.entries_before.partition_point(|before| *before as usize <= position);
        let block = after.saturating_sub(1).min(self.blocks.len());
        Place { block, offset: position - self.entries_before(block).min(position) }
    }

    /// The place where an entry comes in: behind the last entry where it is the new last one.
    fn gap(&self, position: usize) -> Place {
        let place = self.place(position);
        match place.block.checked_sub(1) {
            Some(last) if place.block == self.blocks.len() => {
                Place { block: last, offset: position - self.entries_before(last) }
            }
            _ => place,
        }
    }

    /// The position of a place.
    pub(crate) fn position_at(&self, place: Place) -> usize {
        self.entries_before(place.block) + place.offset
    }

    /// The entry at a position.
    pub(crate) fn entry(&self, position: usize) -> Option<Entry> {
        let place = self.place(position);
        let block = self.blocks.get(place.block)?;
        Some(Entry { key: *block.keys.get(place.offset)?, tag: *block.tags.get(place.offset)? })
    }

    /// The entries within positions.
    pub(crate) fn tags(&self, positions: Range<usize>) -> impl Iterator<Item = Tag> {
        let first = self.place(positions.start.min(self.len()));
        let tags =
            self.blocks.iter().skip(first.block).flat_map(|block| block.tags.iter().copied());
        tags.skip(first.offset).take(positions.end.saturating_sub(positions.start))
    }

    /// How many entries stand before a position; `all` counts rows without a quote too.
    pub(crate) fn count_before(&self, position: usize, all: bool) -> usize {
        let position = position.min(self.len());
        if all {
            return position;
        }
        let place = self.place(position);
        let before = self.priced_before.get(place.block).map_or(0, |before| *before as usize);
        before + self.blocks.get(place.block).map_or(0, |block| block.priced(0..place.offset))
    }

    /// How many entries stand within positions.
    pub(crate) fn count(&self, span: &Range<usize>, all: bool) -> usize {
        self.count_before(span.end, all).saturating_sub(self.count_before(span.start, all))
    }

    /// The position of the entry that `n` others stand before; the end where there is none.
    pub(crate) fn select(&self, n: usize, all: bool) -> usize {
        if all {
            return n.min(self.len());
        }
        let at = self.priced_before.partition_point(|before| *before as usize <= n);
        let Some((at, block)) = at.checked_sub(1).and_then(|at| Some((at, self.blocks.get(at)?)))
        else {
            return self.len();
        };
        let before = self.priced_before.get(at).map_or(0, |before| *before as usize);
        let priced = (0..).zip(&block.tags).filter(|(_, tag)| tag.priced());
        let offset = priced.map(|(offset, _)| offset).nth(n - before).unwrap_or(block.tags.len());
        self.entries_before(at) + offset
    }

    /// The position of the first entry with the same value as the one at a position.
    pub(crate) fn group_start(&self, position: usize, rows: &Rows) -> usize {
        let Some(entry) = self.entry(position) else {
            return position;
        };
        let first = self.position(entry.key, |_| false);
        if first == position {
            return first;
        }
        let value = rows.exact(self.field, entry.tag.slot());
        let smaller =
            |tag: Tag| rows.exact(self.field, tag.slot()).compare(value) == Ordering::Less;
        match self.entry(first) {
            // The ends of a sorted run are equal only where everything between them is.
            Some(start) if !smaller(start.tag) => first,
            _ => self.position(entry.key, smaller),
        }
    }
}
