//! Which assets there are.

use std::cmp::Reverse;
use std::sync::Arc;

use kasparro_domain::{AssetClass, AssetId, IdentityState};

use crate::condition::Condition;
use crate::index::Index;
use crate::key::{Exact, Field, UNKNOWN, signed_key, signed_of};
use crate::{Filter, Row, Snapshot, WantedContract};

/// Looking up one asset in so many costs as much as passing over all of them.
const WALK_FRACTION: usize = 16;

/// Where a list of assets begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssetStart {
    /// After so many assets.
    Offset(u64),
    /// After the asset with this id; only by ascending id, else it begins at the front.
    After(AssetId),
}

impl Default for AssetStart {
    fn default() -> Self {
        Self::Offset(0)
    }
}

/// A question for assets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct AssetQuery {
    /// An asset fits where one of its listings does, whether that has a quote or not.
    pub filter: Filter,
    /// That listing also has this contract.
    pub contract: Option<WantedContract>,
    /// The asset is of this sort.
    pub class: Option<AssetClass>,
    /// What it is has been decided so far.
    pub identity: Option<IdentityState>,
    /// True for the largest first: by the best rank that a source gives it, then the largest market
    /// capitalisation, then ascending id. Otherwise by ascending id.
    pub best_first: bool,
    /// From where.
    pub start: AssetStart,
    /// At most how many.
    pub limit: usize,
}

/// The answer to an [`AssetQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetPage {
    /// The assets, in the order that was asked for.
    pub assets: Vec<AssetId>,
    /// How many assets fit in all, exactly.
    pub total: u64,
    /// True when assets that fit follow after the last one.
    pub more: bool,
}

/// The listing that founded an asset, of the asset's listings by ascending id: its symbol and name are those
/// of the asset.
#[must_use]
pub fn founding_listing<R: AsRef<Row>>(listings: &[R]) -> Option<&R> {
    let founder = |row: &&R| row.as_ref().founded_asset_id() == row.as_ref().asset_id();
    listings.iter().find(founder).or_else(|| listings.first())
}

/// What sort of thing an asset with these listings is: what its founding listing is, or, where that is not
/// known, the first other one of which it is.
#[must_use]
pub fn asset_class<R: AsRef<Row>>(listings: &[R]) -> AssetClass {
    let rows = founding_listing(listings).into_iter().chain(listings);
    let classes = rows.map(|row| row.as_ref().class());
    let mut known = classes.filter(|class| *class != AssetClass::Other);
    known.next().unwrap_or(AssetClass::Other)
}

/// How far it is decided what an asset with these listings is.
#[must_use]
pub fn asset_identity<R: AsRef<Row>>(listings: &[R]) -> IdentityState {
    let founding = founding_listing(listings);
    founding.map_or(IdentityState::Unresolved, |row| row.as_ref().identity())
}

impl AssetQuery {
    /// True where an asset with these listings is of the sort that is asked for.
    fn takes(&self, listings: &[&Arc<Row>]) -> bool {
        self.class.is_none_or(|class| asset_class(listings) == class)
            && self.identity.is_none_or(|state| asset_identity(listings) == state)
    }
}

impl Snapshot {
    /// Lists the assets that fit.
    #[must_use]
    pub fn assets(&self, query: &AssetQuery) -> AssetPage {
        let filter = Filter { unpriced: true, ..query.filter.clone() };
        let Some(index) = self.index(Field::Asset) else {
            return window(std::iter::empty(), query);
        };
        let by_listing =
            query.contract.is_some() || filter != (Filter { unpriced: true, ..Filter::default() });
        if !by_listing && query.class.is_none() && query.identity.is_none() && !query.best_first {
            return window(index.blocks.iter().flat_map(|block| block.keys.iter().copied()), query);
        }
        let mut keys: Vec<u64> = if by_listing {
            let slots = self.fitting(&filter, query.contract.as_ref());
            slots.into_iter().map(|slot| self.rows.key(Field::Asset, slot)).collect()
        } else {
            index.blocks.iter().flat_map(|block| block.keys.iter().copied()).collect()
        };
        keys.sort_unstable();
        keys.dedup();
        if query.class.is_some() || query.identity.is_some() {
            let fitting = self.of_sort(index, query, &keys);
            keys = fitting;
        }
        if query.best_first {
            // Ids are ascending, and sorting keeps them so among equals.
            keys.sort_by_cached_key(|key| self.size(*key));
        }
        window(keys.into_iter(), query)
    }

    /// Those of the ascending keys whose assets are of the sort that is asked for. Few are looked up one by one,
    /// many found by one pass over the index.
    fn of_sort(&self, index: &Index, query: &AssetQuery, keys: &[u64]) -> Vec<u64> {
        let mut rows: Vec<&Arc<Row>> = Vec::new();
        let mut takes = |slots: &mut dyn Iterator<Item = u32>| {
            rows.clear();
            rows.extend(slots.filter_map(|slot| self.rows.row(slot)));
            query.takes(&rows)
        };
        if keys.len() < index.len() / WALK_FRACTION {
            let own = |key: &u64| index.tags(index.equal(*key, Exact::Key, &self.rows));
            return keys
                .iter()
                .copied()
                .filter(|key| takes(&mut own(key).map(|tag| tag.slot())))
                .collect();
        }
        let mut found = Vec::new();
        let mut wanted = keys.iter().copied().peekable();
        let mut entries = index.blocks.iter().flat_map(|block| block.entries()).peekable();
        let mut slots = Vec::new();
        while let Some(first) = entries.next() {
            slots.clear();
            slots.push(first.tag.slot());
            while let Some(next) = entries.next_if(|next| next.key == first.key) {
                slots.push(next.tag.slot());
            }
            if wanted.next_if_eq(&first.key).is_some() && takes(&mut slots.iter().copied()) {
                found.push(first.key);
            }
        }
        found
    }

    /// Slots of the listings that fulfil a filter and, where one is given, have a contract.
    fn fitting(&self, filter: &Filter, contract: Option<&WantedContract>) -> Vec<u32> {
        let condition = Condition::new(self, filter);
        let Some(contract) = contract else {
            return self.slots(&condition);
        };
        let Some(index) = self.index(Field::Contract).filter(|_| !condition.hopeless()) else {
            return Vec::new();
        };
        let spans = contract.keys().into_iter().map(|key| index.equal(key, Exact::Key, &self.rows));
        let mut slots: Vec<u32> =
            spans.flat_map(|span| index.tags(span)).map(|tag| tag.slot()).collect();
        slots.sort_unstable();
        slots.dedup();
        slots.retain(|slot| {
            condition.fits(*slot)
                && self.rows.row(*slot).is_some_and(|row| contract.stated_for(row))
        });
        slots
    }

    /// How far in front an asset stands: by the best rank that a source gives it which still lists it, then
    /// by the largest market capitalisation; what is not known comes last.
    fn size(&self, key: u64) -> (u64, Reverse<Option<u64>>) {
        let Some(index) = self.index(Field::Asset) else {
            return (UNKNOWN, Reverse(None));
        };
        let tags = index.tags(index.equal(key, Exact::Key, &self.rows)).map(|tag| tag.slot());
        let listed = tags.filter(|slot| self.rows.row(*slot).is_some_and(|row| row.active()));
        listed.filter_map(|slot| self.rows.column(slot)).fold(
            (UNKNOWN, Reverse(None)),
            |(rank, Reverse(cap)), column| {
                let known = Some(column.keys.market_cap).filter(|cap| *cap != UNKNOWN);
                (rank.min(column.keys.rank), Reverse(cap.max(known)))
            },
        )
    }

    /// The asset that this id belongs to now: itself, or the one that it was found to be. `None` for an id
    /// that no listing founded.
    #[must_use]
    pub fn present_asset(&self, id: AssetId) -> Option<AssetId> {
        let first = |field: Field| {
            let index = self.index(field)?;
            let span = index.equal(signed_key(id.0), Exact::Key, &self.rows);
            self.rows.row(index.tags(span).next()?.slot())
        };
        first(Field::Asset).or_else(|| first(Field::Founded)).map(|row| row.asset_id())
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

/// The part of the keys that is asked for, each once; equal ones stand side by side.
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
        if after.is_some_and(|after| id <= after) && !query.best_first {
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
