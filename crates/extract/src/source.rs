//! The contract that every source keeps and the conformance suite checks.

use std::borrow::Cow;
use std::io::Read;
use std::time::Duration;

use kasparro_domain::{Checkpoint, FieldUse, Rejection, Statement, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Limits, PageError, Request};

/// What is fixed about a source.
#[derive(Debug, Clone, Copy)]
pub struct SourceSpec {
    /// Its name in configuration, API and metrics: lower case, digits and `_`.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The page that documents the upstream.
    pub documentation: &'static str,
    /// How often it runs unless configured otherwise.
    pub default_interval: Duration,
    /// How often its lists are asked for unless configured otherwise; `None` where it has none.
    pub lists_interval: Option<Duration>,
    /// Options that hold secrets and are masked wherever configuration is shown.
    pub secret_options: &'static [&'static str],
}

/// Where a run begins.
#[derive(Debug, Clone, Copy)]
pub struct RunStart<'a> {
    /// How far the source came before.
    pub checkpoint: Option<&'a Checkpoint>,
    /// When the run begins.
    pub now: Timestamp,
    /// False for a run that asks for lists only.
    pub values: bool,
}

/// What came of a page that was landed and split.
#[derive(Debug, Clone, Copy)]
pub struct PageSummary<'a> {
    /// Rows on the page, good and bad.
    pub rows: u64,
    /// Pages of this run so far, this one included.
    pub pages: u64,
    /// What [`Source::survey`] noted.
    pub survey: &'a Value,
}

/// The head of an HTTP answer, for a source to recognise errors in its own vocabulary.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Retry-After`, read by the engine.
    pub retry_after: Option<Duration>,
    /// The first bytes of the body, at most 4 KiB.
    pub head: &'a [u8],
}

/// How a body is cut into rows.
///
/// It is stored with each landed page, so that the page can be cut again on recovery and replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Framing {
    /// The elements of a JSON array: the whole body where `pointer` is empty, otherwise the member of
    /// the top-level object that it names (`/data`).
    JsonArray {
        /// Empty, or `/` and one member name.
        pointer: Cow<'static, str>,
    },
    /// The records of a delimited text; the survey finds the dialect and the header.
    Csv,
    /// The elements of an XML document whose local name is `item` (RSS) or `entry` (Atom), tags included.
    XmlItems,
    /// No rows: all there is to know of the body is what the survey notes.
    Whole,
}

/// What a row reader may know about the page a row stands on.
#[derive(Debug, Clone, Copy)]
pub struct PageMeta<'a> {
    /// [`Request::describe`] of the request that brought it.
    pub request: &'a Value,
    /// What [`Source::survey`] noted.
    pub context: &'a Value,
    /// When it was fetched.
    pub fetched_at: Timestamp,
}

/// Turns the rows of one page into statements.
pub trait RowReader: Send {
    /// Reads one row: the bytes of one JSON element, one CSV record or one XML element.
    ///
    /// # Errors
    /// A [`Rejection`] that names the field; the row's neighbours are not affected.
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection>;

    /// The members of one row as JSON, by which changes of the layout are found; `None` where the row
    /// cannot be read or its layout is not followed.
    fn members(&mut self, row: &[u8]) -> Option<Value> {
        serde_json::from_slice(row).ok()
    }
}

/// One upstream: what to ask, and what an answer means.
pub trait Source: Send + Sync + std::fmt::Debug {
    /// What is fixed about it.
    fn spec(&self) -> &'static SourceSpec;

    /// What the upstream allows to this configuration; nothing for files.
    fn limits(&self) -> Limits;

    /// What the members of the rows of an endpoint are read into; drift of these matters most.
    fn mapped(&self, endpoint: &str) -> &'static [FieldUse];

    /// The requests that a run begins with, in order.
    ///
    /// Those for lists are always among them: the engine leaves out a list that it asked for within
    /// the list's interval.
    fn first(&self, start: RunStart<'_>) -> Vec<Request>;

    /// The requests that `request`, whose page was landed, brings with it; they go before what else is
    /// still to be asked.
    fn next(&self, request: &Request, page: PageSummary<'_>) -> Vec<Request>;

    /// The position to store once the page of `request` is loaded, where it moves one.
    fn position_after(&self, request: &Request, page: PageSummary<'_>) -> Option<Value>;

    /// How the answer to `request` is cut into rows, given what the survey noted.
    fn framing(&self, request: &Request, survey: &Value) -> Framing;

    /// Recognises errors of this upstream: a status other than 200, or an error object with 200.
    ///
    /// # Errors
    /// A [`PageError`] that says whether to ask again.
    fn judge(&self, answer: Answer<'_>) -> Result<(), PageError>;

    /// Looks at a whole body before it is cut, for example to find a CSV header; what it returns is
    /// stored with the page and handed to [`Source::reader`], also on replay.
    ///
    /// # Errors
    /// A [`PageError`] when the body cannot be understood as a whole.
    fn survey(&self, request: &Request, body: &mut dyn Read) -> Result<Value, PageError> {
        let _ = (request, body);
        Ok(Value::Null)
    }

    /// A reader for the rows of one page.
    ///
    /// # Errors
    /// A [`PageError`] when the page's context does not fit this source.
    fn reader(&self, page: PageMeta<'_>) -> Result<Box<dyn RowReader + '_>, PageError>;
}

/// Why an option of a source is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value}: {remedy}")]
pub struct OptionError {
    /// The option's key.
    pub key: String,
    /// Its value, masked when it is a secret.
    pub value: String,
    /// What to write instead.
    pub remedy: String,
}
