//! What is possible but unusual: flagged and kept, never dropped.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{RunId, SourceName, Timestamp};

/// What is unusual about the values of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueAnomalyKind {
    /// The price moved far more than it ever did.
    PriceJump,
    /// The market cap is not price times circulating supply.
    CapMismatch,
    /// The volume is absurd for the market cap: next to nothing, or many times as much.
    VolumeAbsurd,
}

impl ValueAnomalyKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::PriceJump, Self::CapMismatch, Self::VolumeAbsurd];

    /// The kind as users see it and stores write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PriceJump => "price_jump",
            Self::CapMismatch => "cap_mismatch",
            Self::VolumeAbsurd => "volume_absurd",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One unusual value of one listing at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueAnomaly {
    /// The source's id of the listing.
    pub external_id: CompactString,
    /// The instant the values hold for.
    pub observed_at: Timestamp,
    /// What is unusual.
    pub kind: ValueAnomalyKind,
    /// The value as it was sent.
    pub value: String,
    /// What would not have been unusual, in words.
    pub expected: String,
}

/// What is unusual about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunAnomalyKind {
    /// Far fewer rows than usual.
    FewRows,
    /// Far more rows than usual.
    ManyRows,
    /// It ended in success without a row.
    NoRows,
    /// It took far longer than usual.
    Slow,
    /// It took far less time than usual, for as many rows.
    Fast,
    /// Far more of its rows were quarantined than usual.
    ManyRejects,
    /// It failed after a success.
    Failed,
    /// Far more of the latest runs failed than usual.
    FailureRate,
}

impl RunAnomalyKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::FewRows,
        Self::ManyRows,
        Self::NoRows,
        Self::Slow,
        Self::Fast,
        Self::ManyRejects,
        Self::Failed,
        Self::FailureRate,
    ];

    /// The kind as users see it and stores write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FewRows => "few_rows",
            Self::ManyRows => "many_rows",
            Self::NoRows => "no_rows",
            Self::Slow => "slow",
            Self::Fast => "fast",
            Self::ManyRejects => "many_rejects",
            Self::Failed => "failed",
            Self::FailureRate => "failure_rate",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One unusual property of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAnomaly {
    /// What is unusual.
    pub kind: RunAnomalyKind,
    /// What the run showed, for example `12 rows`.
    pub value: String,
    /// What is usual, for example `median 1000 rows, spread 3`.
    pub expected: String,
}

/// What an anomaly is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum AnomalySubject {
    /// A listing at an instant.
    Value(ValueAnomaly),
    /// A run.
    Run {
        /// The run.
        run_id: RunId,
        /// What is unusual about it.
        #[serde(flatten)]
        anomaly: RunAnomaly,
    },
}

/// An anomaly as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Its number, in the order in which anomalies were found.
    pub anomaly_id: i64,
    /// The source.
    pub source: SourceName,
    /// What it is about.
    #[serde(flatten)]
    pub subject: AnomalySubject,
    /// When it was found: the fetch that brought the values, or the end of the run.
    pub found_at: Timestamp,
}
