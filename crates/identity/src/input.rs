//! What is known of a listing.

use compact_str::CompactString;
use kasparro_domain::{Attributes, Contract, ListingKey, Timestamp};

/// Everything that speaks for what a listing is: statements that are settled, each as it counts now.
///
/// What a source says for a few minutes is no evidence yet; whoever fills this in leaves it out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListingEvidence {
    /// The listing.
    pub key: ListingKey,
    /// When it was seen first.
    pub first_seen_at: Timestamp,
    /// Symbol and name as the source spells them.
    pub attributes: Attributes,
    /// Symbols and names that it had before, newest first.
    pub former: Vec<Former>,
    /// Its contracts, as the source spells them.
    pub contracts: Vec<Contract>,
    /// The sort of thing in the source's word, for example `coin` or `token`.
    pub kind: Option<CompactString>,
    /// Its place by market capitalisation at the source, from 1, where that is known.
    pub rank: Option<u32>,
    /// Listings of other sources that its source says are the same asset.
    pub same_as: Vec<ListingKey>,
}

/// What a listing was called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Former {
    /// Symbol and name until then.
    pub attributes: Attributes,
    /// Until when.
    pub until_at: Timestamp,
}
