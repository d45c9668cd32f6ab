//! What an upstream is asked and what it answers, before HTTP.

use std::fmt;

use axum::http::StatusCode;

/// A request for data, at the step at which it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) path: String,
    /// Decoded parameters in order.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) step: u64,
}

impl Ask {
    /// The value of a parameter; the last one counts, as at both vendors.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// How a vendor lets clients tell an unchanged body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validator {
    /// `ETag: W/"..."`.
    WeakEtag,
    /// `Last-Modified`.
    LastModified,
    /// Both, for a body that changes less often than the step: the number of its state and when it began,
    /// in milliseconds.
    Both { version: u64, changed_ms: i64 },
    /// Nothing, as on errors.
    None,
}

/// An answer whose body is not yet written.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) cache_control: Option<&'static str>,
    pub(crate) validator: Validator,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// A short body without rows.
    Text(Vec<u8>),
    /// A body made of rows, written as it is sent.
    Rows(Rows),
}

/// The rows of a body and what stands around them.
pub(crate) struct Rows {
    /// What stands before everything.
    pub(crate) prefix: Vec<u8>,
    /// What stands before the first row, if there is one.
    pub(crate) lead: &'static str,
    /// What stands before every later row.
    pub(crate) separator: &'static str,
    pub(crate) suffix: &'static str,
    /// What the rows are about, in order.
    pub(crate) subjects: Box<dyn Iterator<Item = u32> + Send>,
    /// Appends one row to the body, and its external id to the text.
    pub(crate) write: RowWriter,
}

pub(crate) type RowWriter = Box<dyn FnMut(u32, &mut Vec<u8>, &mut String) + Send>;

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

impl Rows {
    /// A JSON array of rows.
    pub(crate) fn json(
        subjects: impl Iterator<Item = u32> + Send + 'static,
        write: impl FnMut(u32, &mut Vec<u8>, &mut String) + Send + 'static,
    ) -> Self {
        Self {
            prefix: b"[".to_vec(),
            lead: "",
            separator: ",",
            suffix: "]",
            subjects: Box::new(subjects),
            write: Box::new(write),
        }
    }
}

impl Answer {
    /// An error as both vendors phrase it: `{"error":"..."}`.
    pub(crate) fn error(status: StatusCode, content_type: &'static str, message: &str) -> Self {
        let body = serde_json::json!({ "error": message }).to_string().into_bytes();
        Self {
            status,
            content_type,
            cache_control: None,
            validator: Validator::None,
            content: Content::Text(body),
        }
    }
}
