//! What a list says a listing is.

use compact_str::CompactString;

use crate::{Attributes, Contract, ListingKey};

/// One row of a list: a statement of what a listing is, without values.
///
/// A source may make several statements about one listing: its symbol and name on one endpoint, its
/// contracts on others. Each stands by itself until the same endpoint states it anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The source's own id of the listing.
    pub external_id: CompactString,
    /// Which of several statements about the listing on this endpoint it is; empty where an endpoint
    /// makes one. For a page of contracts it is the address.
    pub part: CompactString,
    /// Symbol and name, where the list states them.
    pub attributes: Attributes,
    /// The contracts it states.
    pub contracts: Vec<Contract>,
    /// Whether the source still lists it, where the list says so.
    pub active: Option<bool>,
    /// What sort of thing it is, in the source's word: `coin`, `token`. Absent where the list does not say.
    pub kind: Option<CompactString>,
    /// Listings of other sources that it says are the same asset.
    pub same_as: Vec<ListingKey>,
}
