//! Why a row is quarantined.

use serde::{Deserialize, Serialize};

/// The stable code of a reason for quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionReason {
    /// The row is not well-formed JSON, or not a record of the expected shape.
    Malformed,
    /// A field that identifies the row is missing or empty.
    MissingField,
    /// A field has a type that the mapping does not know.
    WrongType,
    /// A number is not a number, has too many digits or is out of range.
    BadNumber,
    /// A number that must not be negative is.
    NegativeValue,
    /// An instant cannot be read.
    BadTimestamp,
    /// An instant lies more than five minutes after the fetch.
    FutureTimestamp,
    /// An instant lies before the first block of Bitcoin.
    AncientTimestamp,
    /// A text holds the character U+0000.
    NulInText,
    /// A text holds half of a surrogate pair or bytes that are not UTF-8.
    InvalidText,
    /// A text is longer than its field allows.
    TextTooLong,
    /// An object names one key twice.
    DuplicateKey,
    /// The key of the row is shared with other rows of the file.
    AmbiguousKey,
    /// The row is larger than the cap for one row.
    RowTooLarge,
}

impl RejectionReason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::Malformed,
        Self::MissingField,
        Self::WrongType,
        Self::BadNumber,
        Self::NegativeValue,
        Self::BadTimestamp,
        Self::FutureTimestamp,
        Self::AncientTimestamp,
        Self::NulInText,
        Self::InvalidText,
        Self::TextTooLong,
        Self::DuplicateKey,
        Self::AmbiguousKey,
        Self::RowTooLarge,
    ];

    /// The code as users see it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::BadNumber => "bad_number",
            Self::NegativeValue => "negative_value",
            Self::BadTimestamp => "bad_timestamp",
            Self::FutureTimestamp => "future_timestamp",
            Self::AncientTimestamp => "ancient_timestamp",
            Self::NulInText => "nul_in_text",
            Self::InvalidText => "invalid_text",
            Self::TextTooLong => "text_too_long",
            Self::DuplicateKey => "duplicate_key",
            Self::AmbiguousKey => "ambiguous_key",
            Self::RowTooLarge => "row_too_large",
        }
    }

    /// The reason with this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// Why one row was not believed: kept with the row in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {} ({value})", reason.code())]
pub struct Rejection {
    /// The stable code.
    pub reason: RejectionReason,
    /// JSON pointer of the field, or the column name; empty for the whole row.
    pub field: String,
    /// The offending value as sent, cut to 200 characters.
    pub value: String,
    /// The source's id of the row, where it could be read.
    pub external_id: Option<String>,
}

impl Rejection {
    /// The most characters of the offending value that are kept.
    pub const MAX_VALUE_CHARS: usize = 200;

    /// A rejection of `value` at `field`; the value is cut and freed of U+0000, which stores refuse.
    #[must_use]
    pub fn new(reason: RejectionReason, field: impl Into<String>, value: &str) -> Self {
        let value = value
            .chars()
            .take(Self::MAX_VALUE_CHARS)
            .map(|c| if c == '\0' { '\u{fffd}' } else { c });
        Self { reason, field: field.into(), value: value.collect(), external_id: None }
    }

    /// The same rejection with the row's id, likewise cut and freed of U+0000.
    #[must_use]
    pub fn of(mut self, external_id: &str) -> Self {
        let id = external_id
            .chars()
            .take(Self::MAX_VALUE_CHARS)
            .map(|c| if c == '\0' { '\u{fffd}' } else { c });
        self.external_id = Some(id.collect());
        self
    }
}
