//! What the sampled rows of one page look like.

use std::collections::BTreeMap;

use compact_str::CompactString;
use kasparro_domain::{FieldRole, FieldUse, Timestamp};
use serde_json::Value;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::kind::{Scalar, hash};
use super::limits::PAGE_ANCHORS;
use super::member::Member;
use super::walk::{Tree, Values};

/// The members of one page: how often they are there, what they hold, and the values of the rows by
/// which pages are compared row by row.
///
/// Rows are compared by the mapped member whose role is [`FieldRole::Id`].
#[derive(Debug, Clone)]
pub struct PageSample {
    pub(super) fetched_at: Timestamp,
    pub(super) mapped: &'static [FieldUse],
    tree: Tree,
    chosen: BTreeMap<u32, Values>,
    /// Rows that were added.
    pub(super) rows: usize,
    pub(super) rows_on_page: u64,
    /// True when there were too many members to look at all of them.
    pub(super) cut: bool,
    /// Members by pointer, once finished.
    pub(super) pointers: Vec<CompactString>,
    /// The members, in the order of their pointers.
    pub(super) members: Vec<Member>,
    pub(super) anchors: BTreeMap<u32, Anchor>,
}

/// One row of those that are compared by id.
#[derive(Debug, Clone)]
pub(super) struct Anchor {
    /// Its values by the member's place, in that order.
    values: Vec<(usize, Scalar)>,
    /// Hash of what is read from it: the same row again has the same.
    pub(super) hash: u16,
}

impl Anchor {
    pub(super) fn value(&self, place: usize) -> Option<&Scalar> {
        let at = self.values.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        self.values.get(at).map(|(_, value)| value)
    }
}

/// The order in which rows are chosen to be compared by id, the lowest first: the same ids on every
/// page, wherever they stand. Who samples a long page takes the rows that are lowest by it.
#[must_use]
pub fn sample_order(id: &str) -> u32 {
    u32::try_from(xxh3_64(id.as_bytes()) >> 32).unwrap_or(u32::MAX)
}

impl PageSample {
    /// A sample without rows of a page that was fetched at `fetched_at` and whose members are read as
    /// `mapped` says.
    #[must_use]
    pub fn new(fetched_at: Timestamp, mapped: &'static [FieldUse]) -> Self {
        Self {
            fetched_at,
            mapped,
            tree: Tree::new(fetched_at, mapped),
            chosen: BTreeMap::new(),
            rows: 0,
            rows_on_page: 0,
            cut: false,
            pointers: Vec::new(),
            members: Vec::new(),
            anchors: BTreeMap::new(),
        }
    }

    /// Adds a row.
    pub fn add(&mut self, members: &Value) {
        self.rows += 1;
        let order = self.id(members).filter(|order| {
            !self.chosen.contains_key(order)
                && (self.chosen.len() < PAGE_ANCHORS
                    || self.chosen.last_key_value().is_some_and(|(last, _)| order < last))
        });
        let Some(order) = order else {
            return self.tree.walk(0, members, 0, None);
        };
        let mut values = Values::new();
        self.tree.walk(0, members, 0, Some(&mut values));
        self.chosen.insert(order, values);
        if self.chosen.len() > PAGE_ANCHORS {
            self.chosen.pop_last();
        }
    }

    fn id(&self, members: &Value) -> Option<u32> {
        let field = self.mapped.iter().find(|field| field.role == FieldRole::Id)?;
        match members.pointer(field.pointer)? {
            Value::String(id) if !id.trim().is_empty() => Some(sample_order(id)),
            Value::Number(id) => Some(sample_order(&id.to_string())),
            _ => None,
        }
    }

    /// Closes the sample of a page that had `rows_on_page` rows.
    #[must_use]
    pub fn finish(mut self, rows_on_page: u64) -> Self {
        self.rows_on_page = rows_on_page;
        let tree = std::mem::replace(&mut self.tree, Tree::new(self.fetched_at, self.mapped));
        self.cut = tree.cut;
        let (members, moved) = tree.members();
        (self.pointers, self.members) = members.into_iter().unzip();
        let read: Vec<bool> =
            self.pointers.iter().map(|pointer| self.field(pointer).is_some()).collect();
        for (order, values) in std::mem::take(&mut self.chosen) {
            let mut values: Vec<(usize, Scalar)> = values
                .into_iter()
                .filter_map(|(node, value)| Some((moved.get(node).copied().flatten()?, value)))
                .collect();
            values.sort_unstable_by_key(|(place, _)| *place);
            let mut digest = Xxh3::new();
            for (place, value) in values.iter().filter(|(place, _)| read[*place]) {
                digest.update(&hash(self.pointers[*place].as_bytes()).to_le_bytes());
                digest.update(&value.exact.to_le_bytes());
            }
            let hash = hash(&digest.digest().to_le_bytes());
            self.anchors.insert(order, Anchor { values, hash });
        }
        self
    }

    /// How a member is used; `None` where it is not read.
    pub(super) fn field(&self, pointer: &str) -> Option<&'static FieldUse> {
        self.mapped.iter().find(|field| field.pointer == pointer)
    }

    pub(super) fn place(&self, pointer: &str) -> Option<usize> {
        self.pointers.binary_search_by(|known| known.as_str().cmp(pointer)).ok()
    }

    pub(super) fn member(&self, pointer: &str) -> Option<&Member> {
        self.members.get(self.place(pointer)?)
    }

    /// Members with their pointers, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Member)> {
        self.pointers.iter().map(CompactString::as_str).zip(&self.members)
    }

    /// Our fields that are read from a member or from what is inside it.
    pub(super) fn breaks(&self, pointer: &str) -> Vec<String> {
        let mut fields: Vec<String> = self
            .mapped
            .iter()
            .filter(|field| within(field.pointer, pointer))
            .map(|field| field.field.to_owned())
            .collect();
        fields.sort();
        fields.dedup();
        fields
    }

    /// Rows that were added.
    #[must_use]
    pub fn rows_examined(&self) -> u64 {
        self.rows as u64
    }

    /// Rows of the whole page.
    #[must_use]
    pub fn rows_on_page(&self) -> u64 {
        self.rows_on_page
    }
}

/// True when `pointer` is `outer` or inside it.
pub(super) fn within(pointer: &str, outer: &str) -> bool {
    pointer.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The pointer of the object or array that holds `pointer`; `None` for the row itself.
pub(super) fn parent(pointer: &str) -> Option<&str> {
    pointer.rfind('/').map(|at| &pointer[..at])
}
