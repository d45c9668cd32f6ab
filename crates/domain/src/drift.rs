//! Changes in what an upstream sends, as opposed to what it says.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{PageId, SourceName, Timestamp};

/// What a member of an upstream's rows is read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FieldUse {
    /// JSON pointer of the member in a row; for delimited texts `/` and the column.
    pub pointer: &'static str,
    /// The field of ours that it becomes, as the API names it.
    pub field: &'static str,
    /// What kind of value it holds.
    pub role: FieldRole,
}

/// What kind of value a mapped member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldRole {
    /// The source's id of the listing; rows are compared by it.
    Id,
    /// A text: symbol, name, title.
    Text,
    /// The price of one unit.
    Price,
    /// An amount of money or units: cap, volume, supply.
    Amount,
    /// A change in percent.
    Percent,
    /// A place in a ranking.
    Rank,
    /// The instant the values hold for.
    Instant,
    /// Anything else that is read: contracts, flags.
    Other,
}

/// What kind of change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// A member that was never there.
    FieldAdded,
    /// A member that was always there and is gone.
    FieldRemoved,
    /// A member is gone, and another one holds what it held.
    FieldRenamed,
    /// A member holds values of another type.
    TypeChanged,
    /// A value became an object or array, or an object or array a value.
    Nested,
    /// Far more or far fewer rows leave a member empty.
    NullRate,
    /// A member that had few different values has a new one.
    NewValue,
    /// The values of a member are spread differently.
    Distribution,
    /// The values of a member are larger or smaller by a power of ten.
    UnitFlip,
    /// Base and quote currency have changed places: prices are one over what they were.
    Inverted,
    /// Values and instants no longer move.
    Frozen,
    /// Instants lie in the future or at the epoch.
    BadInstants,
    /// Values have lost their digits.
    Precision,
    /// An error or a web page came in place of an answer, with status 200.
    ErrorPage,
}

impl DriftKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::FieldAdded,
        Self::FieldRemoved,
        Self::FieldRenamed,
        Self::TypeChanged,
        Self::Nested,
        Self::NullRate,
        Self::NewValue,
        Self::Distribution,
        Self::UnitFlip,
        Self::Inverted,
        Self::Frozen,
        Self::BadInstants,
        Self::Precision,
        Self::ErrorPage,
    ];

    /// The kind as users see it and stores write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FieldAdded => "field_added",
            Self::FieldRemoved => "field_removed",
            Self::FieldRenamed => "field_renamed",
            Self::TypeChanged => "type_changed",
            Self::Nested => "nested",
            Self::NullRate => "null_rate",
            Self::NewValue => "new_value",
            Self::Distribution => "distribution",
            Self::UnitFlip => "unit_flip",
            Self::Inverted => "inverted",
            Self::Frozen => "frozen",
            Self::BadInstants => "bad_instants",
            Self::Precision => "precision",
            Self::ErrorPage => "error_page",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for DriftKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much a change matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftSeverity {
    /// Nothing that is read is concerned.
    Info,
    /// Something that is read looks unusual; what was stored stays right.
    Warning,
    /// Believing the page would store wrong values or lose known ones.
    Breaking,
}

impl DriftSeverity {
    /// Every severity, the least first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Breaking];

    /// The severity as users see it and stores write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Breaking => "breaking",
        }
    }

    /// The severity with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

/// What a source does about a page that has drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftMode {
    /// Pages are loaded whatever has changed; the change is on record.
    Evolve,
    /// A page with a breaking change is refused until somebody accepts the change.
    #[default]
    Quarantine,
    /// A page with any change is refused until somebody accepts it.
    Freeze,
}

impl DriftMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Evolve, Self::Quarantine, Self::Freeze];

    /// The mode as it stands in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Evolve => "evolve",
            Self::Quarantine => "quarantine",
            Self::Freeze => "freeze",
        }
    }

    /// The mode with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// True when a change of this severity keeps a page out.
    #[must_use]
    pub fn refuses(self, severity: DriftSeverity) -> bool {
        match self {
            Self::Evolve => false,
            Self::Quarantine => severity == DriftSeverity::Breaking,
            Self::Freeze => true,
        }
    }
}

/// What makes two sightings the same change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DriftKey {
    /// The endpoint whose rows have changed.
    pub endpoint: String,
    /// What kind of change it is.
    pub kind: DriftKind,
    /// JSON pointer of the member, `*` for the elements of arrays; empty for the page as a whole.
    pub pointer: String,
    /// What was there, in a few words: a type, a unit, the name of the new member.
    pub before: String,
    /// What is there now.
    pub after: String,
}

impl fmt::Display for DriftKey {
    /// The change as one sentence tells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, kind, pointer, before, after } = self;
        let place = if pointer.is_empty() { "the page" } else { pointer };
        write!(f, "{endpoint}: {kind} at {place}: {before} became {after}")
    }
}

/// One change, as it was found on one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftEvent {
    /// What has changed.
    #[serde(flatten)]
    pub key: DriftKey,
    /// How much it matters.
    pub severity: DriftSeverity,
    /// Rows that show it, of those that were looked at.
    pub rows_affected: u64,
    /// Rows that were looked at.
    pub rows_examined: u64,
    /// How sure the finding is, 0 to 100.
    pub confidence_percent: u8,
    /// What an operator can do about it, in one sentence.
    pub suggestion: String,
    /// Fields of ours that would be wrong or unknown.
    pub breaks: Vec<String>,
}

/// The number of a drift row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DriftId(pub i64);

/// How a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftStatus {
    /// Nobody has decided.
    Open,
    /// Somebody accepted it: it refuses no page any more.
    Accepted,
}

impl DriftStatus {
    /// Every status.
    pub const ALL: [Self; 2] = [Self::Open, Self::Accepted];

    /// The status as users see it and stores write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// One change with its history: a change that is seen again is the same row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftRow {
    /// Its number, in the order of first sight.
    pub drift_id: DriftId,
    /// The source.
    pub source: SourceName,
    /// The change as it was found last.
    #[serde(flatten)]
    pub event: DriftEvent,
    /// The page that showed it first.
    pub page_id: PageId,
    /// True when a page was refused because of it.
    pub refused: bool,
    /// When the page that showed it first was fetched.
    pub first_seen_at: Timestamp,
    /// When the page that showed it last was fetched.
    pub last_seen_at: Timestamp,
    /// Pages that showed it.
    pub pages_seen: u64,
    /// How it stands.
    pub status: DriftStatus,
}
