//! Questions to a snapshot, and their answers.

use std::sync::Arc;

use kasparro_domain::{AssetId, Decimal, ListingId, SourceName};

use crate::Row;

/// Which listings an answer holds. Conditions are combined with "and"; the default is every listing
/// that has a quote.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Filter {
    /// The symbol, compared without regard to case.
    pub symbol: Option<String>,
    /// Part of the name, compared without regard to case; no wildcards.
    pub name: Option<String>,
    /// Part of symbol, name or external id, compared without regard to case; no wildcards.
    pub search: Option<String>,
    /// The source.
    pub source: Option<SourceName>,
    /// The asset.
    pub asset_id: Option<AssetId>,
    /// Smallest price in US dollars, inclusive, compared exactly; unknown prices never fit.
    pub min_price: Option<Decimal>,
    /// Largest price in US dollars, inclusive, compared exactly; unknown prices never fit.
    pub max_price: Option<Decimal>,
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
    /// The source's rank.
    Rank,
    /// The instant the source gives for its values; unknown where it gives none.
    UpdatedAt,
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
