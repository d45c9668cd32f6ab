//! Why a body cannot be cut into rows.

use std::io;

use crate::PageError;

/// What stands where a JSON array or an XML document was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A JSON object.
    Object,
    /// A JSON string, number, boolean or null.
    Scalar,
    /// An HTML page, as captive portals and firewalls send it.
    Html,
    /// Text that is neither JSON nor XML.
    Text,
}

impl Found {
    const fn words(self) -> &'static str {
        match self {
            Self::Object => "a JSON object",
            Self::Scalar => "a single JSON value",
            Self::Html => "an HTML page",
            Self::Text => "plain text",
        }
    }
}

/// Why a body cannot be cut into rows.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The body could not be read.
    #[error("the body cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The body is empty or blank.
    #[error("the body is empty")]
    Empty,
    /// The body, or the member the pointer names, is not an array.
    #[error("expected a JSON array{}, found {}", at(.pointer), .found.words())]
    NotAnArray {
        /// Where the array was expected; empty for the whole body.
        pointer: String,
        /// What stands there.
        found: Found,
    },
    /// The object has no member of that name.
    #[error("expected a JSON array{}, found no such member", at(.pointer))]
    PointerMissing {
        /// Where the array was expected.
        pointer: String,
    },
    /// The body is no XML document.
    #[error("expected an XML document, found {}", .found.words())]
    NotXml {
        /// What stands there.
        found: Found,
    },
    /// The body ends inside the array or document.
    #[error("the body ends after {rows} rows, before its own end")]
    Truncated {
        /// Rows that were complete.
        rows: u64,
    },
    /// Something follows the end of the array, object or document.
    #[error("the body goes on after the end of its {rows} rows")]
    TrailingGarbage {
        /// Rows of the array.
        rows: u64,
    },
    /// One record of a delimited text is longer than a chunk can be.
    #[error("one record of the text is longer than {bytes} bytes")]
    RecordTooLarge {
        /// The cap.
        bytes: usize,
    },
}

fn at(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" at {pointer}") }
}

impl FrameError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "body_unreadable",
            Self::Empty => "empty_body",
            Self::NotAnArray { found: Found::Html | Found::Text, .. } => "not_json",
            Self::NotXml { .. } => "not_xml",
            Self::NotAnArray { .. } | Self::PointerMissing { .. } => "wrong_shape",
            Self::Truncated { .. } => "truncated",
            Self::TrailingGarbage { .. } => "trailing_garbage",
            Self::RecordTooLarge { .. } => "record_too_large",
        }
    }

    /// The error as the engine acts on it: what a transfer can damage is asked for again, a shape
    /// that is whole but wrong is not.
    #[must_use]
    pub fn to_page_error(&self) -> PageError {
        let message = self.to_string();
        match self {
            Self::Io(_) => {
                let hint = "check the file or the disk; a gzip file may be damaged or cut off";
                PageError::stop(self.code(), message, hint)
            }
            Self::NotAnArray { found: Found::Html | Found::Text, .. } | Self::NotXml { .. } => {
                let hint = "a portal, proxy or firewall may stand between here and the upstream";
                PageError::retry(self.code(), message, hint)
            }
            Self::Empty | Self::Truncated { .. } | Self::TrailingGarbage { .. } => {
                let hint = "the answer was damaged on its way; the schedule asks again";
                PageError::retry(self.code(), message, hint)
            }
            Self::NotAnArray { .. } | Self::PointerMissing { .. } => {
                let hint = "the upstream may have changed its answers: look for a newer version";
                PageError::stop(self.code(), message, hint)
            }
            Self::RecordTooLarge { .. } => {
                let hint = "check the file: an opening quote may never be closed";
                PageError::stop(self.code(), message, hint)
            }
        }
    }
}
