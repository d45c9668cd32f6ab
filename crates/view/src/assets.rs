//! Which assets there are.

use std::sync::Arc;

use kasparro_domain::AssetId;

use crate::condition::Condition;
use crate::key::{Field, signed_of};
use crate::{Filter, Row, Snapshot};

/// Where a list of assets begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssetStart {
    /// After so many assets.
    Offset(u64),
    /// After the asset with this id.
    After(AssetId),
}

/// A question for assets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AssetQuery {
    /// An asset fits where one of its listings does, whether that has a quote or not.
    pub filter: Filter,
    /// From where.
    pub start: AssetStart,
    /// At most how many.
    pub limit: usize,
}

/// The answer to an [`AssetQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetPage {
    /// The assets, by ascending id.
    pub assets: Vec<AssetId>,
    /// How many assets fit in all, exactly.
    pub total: u64,
    /// True when assets that fit follow after the last one.
    pub more: bool,
}

impl Snapshot {
    /// Lists the assets that fit, by ascending id.
    #[must_use]
    pub fn assets(&self, query: &AssetQuery) -> AssetPage {
        let filter = Filter { unpriced: true, ..query.filter.clone() };
        let Some(index) = self.index(Field::Asset) else {
            return window(std::iter::empty(), query);
        };
        if filter == (Filter { unpriced: true, ..Filter::default() }) {
            return window(index.blocks.iter().flat_map(|block| block.keys.iter().copied()), query);
        }
        let slots = self.slots(&Condition::new(self, &filter));
        let mut keys: Vec<u64> =
            slots.into_iter().map(|slot| self.rows.key(Field::Asset, slot)).collect();
        keys.sort_unstable();
        window(keys.into_iter(), query)
    }

    /// Shows every asset of which several listings have a quote, with those listings, by ascending id: one
    /// pass over the index, which never looks at a row of another asset.
    pub fn several_quotes(&self, mut visit: impl FnMut(AssetId, &[&Arc<Row>])) {
        let Some(index) = self.index(Field::Asset) else {
            return;
        };
        let (mut asset, mut slots, mut rows) = (None, Vec::new(), Vec::new());
        let mut show = |asset: Option<u64>, slots: &[u32]| {
            if let Some(key) = asset.filter(|_| slots.len() > 1) {
                rows.extend(slots.iter().filter_map(|slot| self.rows.row(*slot)));
                visit(AssetId(signed_of(key)), &rows);
                rows.clear();
            }
        };
        for block in &index.blocks {
            for entry in block.entries() {
                if asset != Some(entry.key) {
                    show(asset, &slots);
                    slots.clear();
                    asset = Some(entry.key);
                }
                if entry.tag.priced() {
                    slots.push(entry.tag.slot());
                }
            }
        }
        show(asset, &slots);
    }
}

/// The part of the ascending keys that is asked for, each once.
fn window(keys: impl Iterator<Item = u64>, query: &AssetQuery) -> AssetPage {
    let (mut skip, after) = match query.start {
        AssetStart::Offset(offset) => (offset, None),
        AssetStart::After(id) => (0, Some(id)),
    };
    let mut page = AssetPage { assets: Vec::new(), total: 0, more: false };
    let mut last = None;
    for key in keys {
        if last.replace(key) == Some(key) {
            continue;
        }
        page.total += 1;
        let id = AssetId(signed_of(key));
        if after.is_some_and(|after| id <= after) {
            continue;
        }
        if skip > 0 {
            skip -= 1;
        } else if page.assets.len() < query.limit {
            page.assets.push(id);
        } else {
            page.more = true;
        }
    }
    page
}
