//! Listings by what they could have in common: only listings that share a block are compared.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::profile::Profile;
use crate::text::Key;
use crate::weights;

/// A listing's place in memory; no outcome depends on it.
pub(crate) type Slot = u32;

/// Keys are hashes already.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// A map whose keys are hashes.
pub(crate) type KeyMap<V> = HashMap<Key, V, BuildHasherDefault<Hashed>>;

/// What listings of a block have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A contract on a chain.
    Contract,
    /// A symbol, now or before.
    Symbol,
    /// A name's or an id's core.
    Name,
    /// What they stand for.
    Underlying,
}

impl Kind {
    /// The key of a block, so that one map holds all kinds.
    pub(crate) const fn block(self, key: Key) -> Key {
        // Odd constants far apart; the kinds of one text must not meet.
        key ^ match self {
            Self::Contract => 0,
            Self::Symbol => 0x9e37_79b9_7f4a_7c15,
            Self::Name => 0xc2b2_ae3d_27d4_eb4f,
            Self::Underlying => 0x1656_67b1_9e37_79f9,
        }
    }
}

/// Listings that have something in common.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) members: Vec<Slot>,
    /// How many of them each source has.
    counts: Vec<(u16, u16)>,
    /// The sources of members whose name says that there is another one.
    dated: Vec<(u16, u16)>,
}

impl Block {
    /// How many listings of one source have it, at most.
    pub(crate) fn most(&self) -> u16 {
        self.counts.iter().map(|(_, count)| *count).max().unwrap_or(0)
    }

    /// All that weights and the choice of pairs depend on, beyond the members themselves.
    pub(crate) fn shape(&self) -> Shape {
        Shape {
            bucket: weights::bucket(self.most()),
            crowded: self.is_crowded(),
            common: self.is_common(),
            // Sources are few: two that share a bit cost a comparison too many, never one too few.
            dated: self.dated.iter().fold(0, |bits, (source, _)| bits | 1 << (source % 64)),
        }
    }

    /// Too many members to compare each with each.
    pub(crate) fn is_crowded(&self) -> bool {
        self.members.len() > CROWDED
    }

    /// Too many members for a name to bring pairs together: such a name says little, and without an equal
    /// symbol or contract nothing is linked anyway.
    pub(crate) fn is_common(&self) -> bool {
        self.members.len() > COMMON
    }

    /// True where a member of this source has a version or is marked as old.
    pub(crate) fn has_dated(&self, source: u16) -> bool {
        self.dated.iter().any(|(of, _)| *of == source)
    }

    fn add(&mut self, slot: Slot, profile: &Profile) {
        self.members.push(slot);
        raise(&mut self.counts, profile.source);
        if profile.marks.is_dated() {
            raise(&mut self.dated, profile.source);
        }
    }

    fn drop(&mut self, slot: Slot, profile: &Profile) {
        self.members.retain(|member| *member != slot);
        lower(&mut self.counts, profile.source);
        if profile.marks.is_dated() {
            lower(&mut self.dated, profile.source);
        }
    }
}

fn raise(counts: &mut Vec<(u16, u16)>, source: u16) {
    match counts.iter_mut().find(|(of, _)| *of == source) {
        Some((_, count)) => *count = count.saturating_add(1),
        None => counts.push((source, 1)),
    }
}

fn lower(counts: &mut Vec<(u16, u16)>, source: u16) {
    if let Some((_, count)) = counts.iter_mut().find(|(of, _)| *of == source) {
        *count = count.saturating_sub(1);
    }
    counts.retain(|(_, count)| *count > 0);
}

/// See [`Block::shape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    bucket: usize,
    crowded: bool,
    common: bool,
    dated: u64,
}

/// In a block of more members than this, only listings that also share a name are compared.
const CROWDED: usize = 192;
/// See [`Block::is_common`].
const COMMON: usize = 48;

/// How many new blocks a listing brings, about.
const KEYS_PER_LISTING: usize = 3;

/// All blocks.
#[derive(Debug, Default)]
pub(crate) struct Index {
    blocks: KeyMap<Block>,
    /// The shape that blocks had before they were touched first.
    touched: KeyMap<Option<Shape>>,
    /// Names whose block was touched.
    renamed: Vec<Key>,
}

impl Index {
    /// Makes room for so many more listings at once.
    pub(crate) fn reserve(&mut self, listings: usize) {
        self.blocks.reserve(listings * KEYS_PER_LISTING);
        self.touched.reserve(listings * KEYS_PER_LISTING);
    }

    /// The blocks that a listing is in.
    pub(crate) fn keys(profile: &Profile) -> Vec<(Kind, Key)> {
        let mut keys: Vec<(Kind, Key)> =
            profile.deployments.iter().map(|(_, key)| (Kind::Contract, *key)).collect();
        keys.push((Kind::Symbol, profile.symbol));
        keys.extend(profile.former_symbols.iter().map(|key| (Kind::Symbol, *key)));
        let names = names(profile);
        keys.extend(names.into_iter().map(|key| (Kind::Name, key)));
        keys.push((Kind::Underlying, profile.underlying));
        keys.retain(|(_, key)| *key != 0);
        keys
    }

    pub(crate) fn insert(&mut self, slot: Slot, profile: &Profile) {
        for (kind, key) in Self::keys(profile) {
            let block = self.touch(kind, key);
            self.blocks.entry(block).or_default().add(slot, profile);
        }
    }

    pub(crate) fn remove(&mut self, slot: Slot, profile: &Profile) {
        for (kind, key) in Self::keys(profile) {
            let block = self.touch(kind, key);
            if let Some(found) = self.blocks.get_mut(&block) {
                found.drop(slot, profile);
                if found.members.is_empty() {
                    self.blocks.remove(&block);
                }
            }
        }
    }

    fn touch(&mut self, kind: Kind, key: Key) -> Key {
        let block = kind.block(key);
        let blocks = &self.blocks;
        self.touched.entry(block).or_insert_with(|| blocks.get(&block).map(Block::shape));
        if kind == Kind::Name {
            self.renamed.push(key);
        }
        block
    }

    /// The members of blocks whose shape changed since the last call, and the listings that stand for
    /// something of a name that came, changed or went.
    pub(crate) fn reshaped(&mut self) -> (Vec<Slot>, Vec<Slot>) {
        let touched = std::mem::take(&mut self.touched);
        let mut slots = Vec::new();
        for (key, before) in touched {
            if let Some(block) = self.blocks.get(&key)
                && before != Some(block.shape())
            {
                slots.extend_from_slice(&block.members);
            }
        }
        let renamed = std::mem::take(&mut self.renamed);
        let waiting = renamed.into_iter().filter_map(|key| self.block(Kind::Underlying, key));
        let interested = waiting.flat_map(|block| block.members.iter().copied()).collect();
        (slots, interested)
    }

    pub(crate) fn block(&self, kind: Kind, key: Key) -> Option<&Block> {
        if key == 0 { None } else { self.blocks.get(&kind.block(key)) }
    }

    /// How many listings of one source share it, at most.
    pub(crate) fn frequency(&self, kind: Kind, key: Key) -> u16 {
        self.block(kind, key).map_or(0, Block::most)
    }
}

/// The keys by which a listing is found by name: the cores of its names and of its id.
fn names(profile: &Profile) -> Vec<Key> {
    let mut keys: Vec<Key> = profile.names.iter().map(|name| name.core_key).collect();
    keys.push(profile.slug.core);
    keys.sort_unstable();
    keys.dedup();
    keys
}
