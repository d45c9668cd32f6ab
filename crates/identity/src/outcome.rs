//! What was decided about a listing, and why.

use compact_str::CompactString;
use kasparro_domain::{AssetClass, AssetEdge, IdentityOverride, IdentityState, ListingKey};
use serde::{Deserialize, Serialize};

/// What was decided about one listing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resolved {
    /// The listing.
    pub key: ListingKey,
    /// The founding listing of its asset: of all members the one seen first, then the smallest key.
    pub founder: ListingKey,
    /// What sort of thing it is.
    pub class: AssetClass,
    /// How far it is decided.
    pub state: IdentityState,
    /// How likely the decision is right, in ten-thousandths, from pairs whose truth is known; absent where
    /// nothing was decided.
    pub confidence: Option<u16>,
    /// What else it might be, best first, at most eight.
    pub candidates: Vec<Candidate>,
    /// How its asset relates to others.
    pub edges: Vec<AssetEdge>,
}

/// Another listing that was looked at, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Candidate {
    /// The other listing.
    pub key: ListingKey,
    /// What was decided about the two.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub why: CompactString,
    /// How much speaks for it, in hundredths of a bit: the sum of the features.
    pub centibits: i32,
    /// What speaks for it and against it.
    pub features: Vec<Feature>,
}

/// One thing that speaks for or against two listings being one asset.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Feature {
    /// Its name, for example `contract_equal`.
    pub name: CompactString,
    /// What was compared, in words.
    pub detail: CompactString,
    /// Its weight in hundredths of a bit; negative speaks against.
    pub centibits: i32,
}

/// What was decided about two listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// They are one asset.
    Linked,
    /// They may be; more has to be known.
    Review,
    /// They are not.
    Rejected,
}

/// Why a listing is what it is, or what two listings are to each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The version of the rules that decided.
    pub rule_version: CompactString,
    /// What was decided, in one sentence.
    pub summary: CompactString,
    /// The first listing; absent where it is not known.
    pub a: Option<Resolved>,
    /// The second listing; absent where none was asked for or it is not known.
    pub b: Option<Resolved>,
    /// How the two compare; absent unless both are known.
    pub pair: Option<Candidate>,
    /// What else was looked at for the first listing, best first, and why not that.
    pub alternatives: Vec<Candidate>,
}

/// A decision of a person that the evidence speaks against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// What the person decided.
    pub decided: IdentityOverride,
    /// What speaks against it, in one sentence.
    pub why: CompactString,
    /// False where it could not be followed, because an asset would hold two listings of one source
    /// or because a newer decision forbids it.
    pub followed: bool,
}
