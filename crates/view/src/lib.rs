//! What readers see: an immutable snapshot of every listing behind an atomic pointer.
//!
//! Rows are rendered to JSON once, when they change. A batch makes a new [`Snapshot`] that shares
//! with its predecessor every part the batch did not touch, so a reader keeps one consistent
//! generation for as long as it holds it, and applying a batch costs what the batch changes, not
//! what is stored.

mod aging;
mod assets;
mod block;
mod bounds;
mod bytes;
mod chunk;
mod condition;
mod contract;
mod fold;
mod follow;
mod further;
mod index;
mod kept;
mod key;
mod lookup;
mod patience;
mod plan;
mod posting;
mod query;
mod render;
mod row;
mod rows;
mod snapshot;
mod swap;
#[cfg(test)]
mod tests;
mod view;
mod walk;

pub use assets::{
    AssetPage, AssetQuery, AssetStart, asset_class, asset_identity, founding_listing,
};
pub use contract::WantedContract;
pub use fold::fold;
pub use query::{Bounds, Filter, ListingPage, ListingQuery, Order, SortKey, Start};
pub use row::Row;
pub use snapshot::Snapshot;
pub use swap::Swap;
pub use view::{View, ViewSettings};
