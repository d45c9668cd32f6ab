//! What people decided about stored rows.

use serde::{Deserialize, Serialize};

use crate::{
    AssetRelation, DriftKey, ListingKey, OverrideVerdict, PageId, RunId, SourceName, Timestamp,
};

/// The number of a decision, in the order in which they were made.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct DecisionId(pub i64);

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Quarantined rows were read again.
    Retry,
    /// Quarantined rows were given up.
    Discard,
    /// A refused page was read after all.
    Reopen,
    /// Changes of an upstream were accepted.
    AcceptDrift,
    /// Listings were said to be one asset.
    Link,
    /// Listings were said to be different assets.
    Unlink,
    /// Assets were said to be one.
    Merge,
    /// Listings were taken out of an asset.
    Split,
    /// One listing's asset was said to relate to another's.
    Relate,
    /// Listings were said not to relate to each other.
    Unrelate,
    /// What was said of listings earlier was withdrawn.
    Withdraw,
}

impl DecisionKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Retry,
        Self::Discard,
        Self::Reopen,
        Self::AcceptDrift,
        Self::Link,
        Self::Unlink,
        Self::Merge,
        Self::Split,
        Self::Relate,
        Self::Unrelate,
        Self::Withdraw,
    ];

    /// The kind as stores write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Discard => "discard",
            Self::Reopen => "reopen",
            Self::AcceptDrift => "accept_drift",
            Self::Link => "link",
            Self::Unlink => "unlink",
            Self::Merge => "merge",
            Self::Split => "split",
            Self::Relate => "relate",
            Self::Unrelate => "unrelate",
            Self::Withdraw => "withdraw",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// What it says of pairs of listings; `None` for what is about rows, pages or changes.
    #[must_use]
    pub const fn identity_verdict(self) -> Option<OverrideVerdict> {
        match self {
            Self::Link | Self::Merge => Some(OverrideVerdict::Link),
            Self::Unlink | Self::Split => Some(OverrideVerdict::Separate),
            Self::Relate => Some(OverrideVerdict::Related),
            Self::Unrelate => Some(OverrideVerdict::Unrelated),
            Self::Withdraw => Some(OverrideVerdict::Withdraw),
            Self::Retry | Self::Discard | Self::Reopen | Self::AcceptDrift => None,
        }
    }
}

/// A row on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PageRow {
    /// The page that met the row first.
    pub page_id: PageId,
    /// Its place there, from 0.
    pub ordinal: u64,
}

/// One act of a person, kept for good: replay takes it after the same page as it was taken then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Its number.
    pub decision_id: DecisionId,
    /// What was decided.
    pub kind: DecisionKind,
    /// The source of the rows.
    pub source: SourceName,
    /// The rows it is about, sorted; for a page that was reopened its first row.
    pub rows: Vec<PageRow>,
    /// The changes that were accepted, sorted.
    pub drift: Vec<DriftKey>,
    /// The pairs of listings it is about, each sorted, all sorted.
    #[serde(default)]
    pub pairs: Vec<(ListingKey, ListingKey)>,
    /// How one listing of its only pair relates to the other; there exactly where the kind is
    /// [`DecisionKind::Relate`].
    #[serde(default)]
    pub relation: Option<AssetRelation>,
    /// True where a page was to be read whatever speaks against it.
    pub forced: bool,
    /// Who decided.
    pub who: String,
    /// Why.
    pub why: String,
    /// When.
    pub decided_at: Timestamp,
    /// The newest page that was landed before it.
    pub after_page: PageId,
    /// The run that read the rows or the page again.
    pub run_id: Option<RunId>,
}
