//! One source's record of one asset.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// A contract that a source states for a listing: the chain in the source's words, and the address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Contract {
    /// The chain or platform id as the source spells it.
    pub platform: CompactString,
    /// The contract address as the source spells it.
    pub address: CompactString,
}

/// What a source calls a listing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Attributes {
    /// The symbol as sent; symbols repeat and change, and may be absent.
    pub symbol: Option<CompactString>,
    /// The name as sent.
    pub name: Option<CompactString>,
}

/// Which asset a new listing belongs to when it is first stored.
///
/// Resolution never runs inside a source's batch, so a listing begins as an asset of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// The listing founds an asset of its own.
    Founds,
}

/// Complete sweeps in a row that a listing may be missing from before it is no longer active.
pub const SWEEPS_TO_INACTIVE: u8 = 3;
