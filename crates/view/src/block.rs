//! The entries of an index: keys with slots, in blocks.

use std::ops::Range;

use crate::contract;
use crate::key::{Field, UNKNOWN};
use crate::rows::Rows;

/// A slot with two facts about its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag(u32);

impl Tag {
    const UNPRICED: u32 = 1 << 31;
    const LOOSE: u32 = 1 << 30;

    fn new(slot: u32, priced: bool, loose: bool) -> Self {
        let unpriced = if priced { 0 } else { Self::UNPRICED };
        let loose = if loose { Self::LOOSE } else { 0 };
        Self(slot & !(Self::UNPRICED | Self::LOOSE) | unpriced | loose)
    }

    /// The slot of the row.
    pub(crate) const fn slot(self) -> u32 {
        self.0 & !(Self::UNPRICED | Self::LOOSE)
    }

    /// True when the row has a quote.
    pub(crate) const fn priced(self) -> bool {
        self.0 & Self::UNPRICED == 0
    }

    /// True when another value might have the same key.
    pub(crate) const fn loose(self) -> bool {
        self.0 & Self::LOOSE != 0
    }
}

/// A key with its slot: one row's place in an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: u64,
    pub(crate) tag: Tag,
}

impl Entry {
    /// The entry of a row.
    pub(crate) fn of(field: Field, rows: &Rows, slot: u32) -> Self {
        Self::with_key(field, rows, slot, rows.key(field, slot))
    }

    /// The entry of a row whose key is known.
    pub(crate) fn with_key(field: Field, rows: &Rows, slot: u32, key: u64) -> Self {
        let column = rows.column(slot);
        let loose = column.is_some_and(|column| column.loose.has(field));
        let priced = column.is_some_and(|column| column.priced);
        Self { key, tag: Tag::new(slot, priced, loose) }
    }

    /// False where the index of the field leaves the row out.
    const fn indexed(self, field: Field) -> bool {
        self.key != UNKNOWN || !field.sparse()
    }

    /// Adds the entries that a row has in the index of a field: one, or as many as it has contracts.
    pub(crate) fn add(field: Field, rows: &Rows, slot: u32, entries: &mut Vec<Self>) {
        if field == Field::Contract {
            let keys = rows.row(slot).map(|row| contract::keys(row)).unwrap_or_default();
            // Whoever looks for a contract asks for rows without a quote too, so that mark stays off.
            let tag = Tag::new(slot, true, false);
            entries.extend(keys.into_iter().map(|key| Self { key, tag }));
            return;
        }
        let entry = Self::of(field, rows, slot);
        if entry.indexed(field) {
            entries.push(entry);
        }
    }
}

/// Some entries that stand side by side; snapshots share it.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) keys: Box<[u64]>,
    pub(crate) tags: Box<[Tag]>,
}

impl Block {
    /// Lays out entries, which stand in order.
    pub(crate) fn new(entries: &[Entry]) -> Self {
        Self {
            keys: entries.iter().map(|entry| entry.key).collect(),
            tags: entries.iter().map(|entry| entry.tag).collect(),
        }
    }

    /// The entries, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.keys.iter().zip(&self.tags).map(|(key, tag)| Entry { key: *key, tag: *tag })
    }

    /// How many entries within a range of places have a quote.
    pub(crate) fn priced(&self, range: Range<usize>) -> usize {
        self.tags.get(range).map_or(0, |tags| tags.iter().filter(|tag| tag.priced()).count())
    }
}
