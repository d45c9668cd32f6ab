//! Listings by what they could have in common: only listings that share a block are compared.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use compact_str::ToCompactString as _;
use kasparro_domain::ListingKey;
use smallvec::SmallVec;

use crate::profile::Profile;
use crate::text::{self, Key};
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

/// A map by a listing's place.
pub(crate) type SlotMap<V> = HashMap<Slot, V, BuildHasherDefault<Hashed>>;

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
    pub(crate) members: SmallVec<[Slot; 4]>,
    /// How many of them each source has.
    counts: Counts,
    /// The shape that it had when pairs were compared last.
    compared_as: Option<Shape>,
    /// Members came or went since then.
    touched: bool,
}

/// Sources by number, and how often each one occurs.
type Counts = SmallVec<[(u16, u16); 4]>;

impl Block {
    /// How many listings of one source have it, at most.
    pub(crate) fn most(&self) -> u16 {
        self.counts.iter().map(|(_, count)| *count).max().unwrap_or(0)
    }

    /// All that weights and the choice of pairs depend on, beyond the members themselves; `dated` are the
    /// sources of members whose name says that there is another one.
    fn shape(&self, dated: &[(u16, u16)]) -> Shape {
        Shape {
            bucket: weights::bucket(self.most()),
            crowded: self.is_crowded(),
            common: self.is_common(),
            // Sources are few: two that share a bit cost a comparison too many, never one too few.
            dated: dated.iter().fold(0, |bits, (source, _)| bits | 1 << (source % 64)),
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

    fn add(&mut self, slot: Slot, profile: &Profile) {
        self.members.push(slot);
        raise(&mut self.counts, profile.source);
    }

    fn drop(&mut self, slot: Slot, profile: &Profile) {
        self.members.retain(|member| *member != slot);
        lower(&mut self.counts, profile.source);
    }
}

fn raise(counts: &mut Counts, source: u16) {
    match counts.iter_mut().find(|(of, _)| *of == source) {
        Some((_, count)) => *count = count.saturating_add(1),
        None => counts.push((source, 1)),
    }
}

fn lower(counts: &mut Counts, source: u16) {
    if let Some((_, count)) = counts.iter_mut().find(|(of, _)| *of == source) {
        *count = count.saturating_sub(1);
    }
    counts.retain(|(_, count)| *count > 0);
}

/// See [`Block::shape`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    bucket: u8,
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
    /// By name: the sources of listings that have a version or are marked as old. Few names have one.
    dated: KeyMap<Counts>,
    /// Blocks whose members came or went since pairs were compared last.
    touched: Vec<Key>,
    /// Names whose block was touched.
    renamed: Vec<Key>,
    /// By what they name: the listings whose source says that they are the same as another listing.
    named: KeyMap<SmallVec<[Slot; 2]>>,
    /// The source of each listing by its place: asked of every member of a block.
    sources: Vec<u16>,
}

impl Index {
    /// Makes room for the first listings at once. Later ones share many blocks, so that room for as many
    /// again would mostly stay empty.
    pub(crate) fn reserve(&mut self, listings: usize) {
        if self.blocks.is_empty() {
            self.blocks.reserve(listings * KEYS_PER_LISTING);
        }
    }

    /// The blocks that a listing is in.
    pub(crate) fn keys(profile: &Profile) -> Keys {
        let mut keys: Keys =
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
        let place = slot as usize;
        self.sources.resize(self.sources.len().max(place + 1), u16::MAX);
        if let Some(source) = self.sources.get_mut(place) {
            *source = profile.source;
        }
        for named in &profile.same_as {
            self.named.entry(named_key(named)).or_default().push(slot);
        }
        for (kind, key) in Self::keys(profile) {
            self.touch(kind, key).add(slot, profile);
            if kind == Kind::Name && profile.marks.is_dated() {
                raise(self.dated.entry(kind.block(key)).or_default(), profile.source);
            }
        }
    }

    pub(crate) fn remove(&mut self, slot: Slot, profile: &Profile) {
        for named in &profile.same_as {
            if let Entry::Occupied(mut slots) = self.named.entry(named_key(named)) {
                slots.get_mut().retain(|other| *other != slot);
                if slots.get().is_empty() {
                    slots.remove();
                }
            }
        }
        for (kind, key) in Self::keys(profile) {
            self.touch(kind, key).drop(slot, profile);
            if kind == Kind::Name
                && profile.marks.is_dated()
                && let Entry::Occupied(mut dated) = self.dated.entry(kind.block(key))
            {
                lower(dated.get_mut(), profile.source);
                if dated.get().is_empty() {
                    dated.remove();
                }
            }
        }
    }

    /// A block whose members are about to come or go. One that becomes empty stays until its shape was
    /// compared with the one before.
    fn touch(&mut self, kind: Kind, key: Key) -> &mut Block {
        if kind == Kind::Name {
            self.renamed.push(key);
        }
        let key = kind.block(key);
        let block = self.blocks.entry(key).or_default();
        if !block.touched {
            block.touched = true;
            self.touched.push(key);
        }
        block
    }

    /// The members of blocks whose shape changed since the last call, and the listings that stand for
    /// something of a name that came, changed or went.
    pub(crate) fn reshaped(&mut self) -> (Vec<Slot>, Vec<Slot>) {
        let touched = std::mem::take(&mut self.touched);
        let mut slots = Vec::new();
        for key in touched {
            let Some(block) = self.blocks.get_mut(&key) else { continue };
            if block.members.is_empty() {
                self.blocks.remove(&key);
                continue;
            }
            block.touched = false;
            let shape = Some(block.shape(self.dated.get(&key).map_or(&[], |dated| dated)));
            if std::mem::replace(&mut block.compared_as, shape) != shape {
                slots.extend_from_slice(&block.members);
            }
        }
        let renamed = std::mem::take(&mut self.renamed);
        let waiting = renamed.into_iter().filter_map(|key| self.block(Kind::Underlying, key));
        let interested = waiting.flat_map(|block| block.members.iter().copied()).collect();
        (slots, interested)
    }

    /// The listings whose source says that they are the same as this one.
    pub(crate) fn named_as(&self, key: &ListingKey) -> &[Slot] {
        if self.named.is_empty() {
            return &[];
        }
        self.named.get(&named_key(key)).map_or(&[], |slots| slots)
    }

    /// The source of a listing that some block holds.
    pub(crate) fn source(&self, slot: Slot) -> Option<u16> {
        self.sources.get(slot as usize).copied()
    }

    pub(crate) fn block(&self, kind: Kind, key: Key) -> Option<&Block> {
        if key == 0 { None } else { self.blocks.get(&kind.block(key)) }
    }

    /// True where a listing of this source and name has a version or is marked as old.
    pub(crate) fn has_dated(&self, name: Key, source: u16) -> bool {
        let dated = self.dated.get(&Kind::Name.block(name));
        dated.is_some_and(|dated| dated.iter().any(|(of, _)| *of == source))
    }

    /// How many listings of one source share it, at most.
    pub(crate) fn frequency(&self, kind: Kind, key: Key) -> u16 {
        self.block(kind, key).map_or(0, Block::most)
    }
}

fn named_key(key: &ListingKey) -> Key {
    text::key(&key.to_compact_string())
}

/// The blocks of one listing.
type Keys = SmallVec<[(Kind, Key); 12]>;

/// The keys by which a listing is found by name: the cores of its names and of its id.
fn names(profile: &Profile) -> SmallVec<[Key; 4]> {
    let mut keys: SmallVec<[Key; 4]> = profile.names.iter().map(|name| name.core_key).collect();
    keys.push(profile.slug.core);
    keys.sort_unstable();
    keys.dedup();
    keys
}
