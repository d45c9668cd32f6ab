//! Questions to a snapshot, and their answers.

use std::sync::Arc;

use kasparro_domain::{AssetId, Decimal, ListingId, SourceName, Timestamp};

use crate::Row;

/// The ends of a range of numbers: both belong to it and are compared exactly. Unknown values fit only
/// where neither end is given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Bounds {
    /// The smallest.
    pub min: Option<Decimal>,
    /// The largest.
    pub max: Option<Decimal>,
}

impl Bounds {
    /// True where neither end is given, so that every value fits.
    #[must_use]
    pub const fn open(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }
}

/// Which listings an answer holds. Conditions are combined with "and"; the default is every listing
/// that has a quote.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Filter {
    /// One of these symbols, compared without regard to case; any where there are none.
    pub symbols: Vec<String>,
    /// One of these sources; any where there are none.
    pub sources: Vec<SourceName>,
    /// Part of the name, compared without regard to case; no wildcards.
    pub name: Option<String>,
    /// Part of symbol, name or external id, compared without regard to case; no wildcards.
    pub search: Option<String>,
    /// One of these assets; any where there are none. An id of before a merge asks for the asset that it
    /// belongs to now.
    pub asset_ids: Vec<AssetId>,
    /// Price in US dollars.
    pub price_usd: Bounds,
    /// Market capitalisation in US dollars.
    pub market_cap: Bounds,
    /// Volume over 24 hours in US dollars.
    pub volume_24h: Bounds,
    /// Change of the price over 24 hours in percent.
    pub price_change_24h: Bounds,
    /// The source's instant is this one or a later one; listings without one never fit.
    pub updated_since: Option<Timestamp>,
    /// True to hold listings without a quote too.
    pub unpriced: bool,
}

/// What an answer is sorted by. Unknown values stand last in both orders; ties are broken by
/// ascending id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SortKey {
    /// The listing's id: the default order, which never changes.
    #[default]
    Id,
    /// Symbol, without regard to case.
    Symbol,
    /// Name, without regard to case.
    Name,
    /// Source, then id.
    Source,
    /// Price in US dollars.
    PriceUsd,
    /// Market capitalisation.
    MarketCap,
    /// Volume over 24 hours.
    Volume24h,
    /// Change over 24 hours.
    PriceChange24h,
    /// Units in circulation.
    CirculatingSupply,
    /// Units that exist.
    TotalSupply,
    /// Units that can ever exist.
    MaxSupply,
    /// What all units that can ever exist are worth.
    FullyDilutedValuation,
    /// The source's rank.
    Rank,
    /// The instant the source gives for its values; unknown where it gives none.
    UpdatedAt,
    /// When the values were fetched.
    IngestedAt,
}

/// Direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}

/// Where an answer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Start {
    /// After so many listings.
    Offset(u64),
    /// After the listing with this id; only in the default order by id, ascending.
    After(ListingId),
}

/// A question to a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListingQuery {
    /// Which listings.
    pub filter: Filter,
    /// Sorted by what.
    pub sort: SortKey,
    /// In which direction.
    pub order: Order,
    /// From where.
    pub start: Start,
    /// At most how many.
    pub limit: usize,
}

/// The answer to a [`ListingQuery`].
#[derive(Debug, Clone)]
pub struct ListingPage {
    /// The rows, in order.
    pub rows: Vec<Arc<Row>>,
    /// How many listings fit the filter in all, exactly.
    pub total: u64,
    /// True when listings that fit follow after the last row.
    pub more: bool,
}
