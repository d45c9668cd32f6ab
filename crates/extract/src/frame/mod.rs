//! Cutting a body into rows, tolerantly and as a stream.
//!
//! One bad row must cost one row, so nothing here parses: in JSON only strings, brackets and commas
//! matter, in delimited text only quotes and line ends, in XML only where tags begin and end. What stands inside a row is the reader's
//! business. Memory is bounded by one row and one read, whatever the size of the body.

mod chunks;
mod csv;
mod error;
mod json;
mod records;
#[cfg(test)]
mod tests;
mod window;
mod xml;
mod xml_scan;

use std::io::Read;

use kasparro_domain::{Rejection, RejectionReason};
use serde_json::Value;

pub use chunks::{CsvChunks, MAX_RECORD_BYTES};
pub use error::{Found, FrameError};

use crate::Framing;
use csv::CsvRows;
use json::JsonRows;
use xml::XmlRows;

/// The longest row in bytes; a longer one is skipped and costs only itself.
pub const MAX_ROW_BYTES: usize = 1 << 20;

/// The deepest nesting inside a JSON or XML row, its own brackets or tags included.
pub const MAX_ROW_DEPTH: u32 = 128;

/// One row of a body.
#[derive(Debug, PartialEq, Eq)]
pub struct CutRow<'a> {
    /// Its place in the body, from 0; a CSV header is not counted.
    pub ordinal: u64,
    /// The row's bytes without the separators around it, or why it cannot be handed out.
    pub row: Result<&'a [u8], Rejection>,
}

/// Cuts one body into rows.
#[derive(Debug)]
pub struct RowCutter<R> {
    rows: Rows<R>,
}

#[derive(Debug)]
enum Rows<R> {
    Json(JsonRows<R>),
    Csv(CsvRows<R>),
    Xml(XmlRows<R>),
    None,
}

impl<R: Read> RowCutter<R> {
    /// A cutter for `body`, framed as its source says.
    ///
    /// `context` is what the survey noted. Of a delimited text it may hold `delimiter` (one
    /// character; without it every known delimiter counts) and `first` (false where the text does
    /// not begin with the header).
    pub fn new(framing: &Framing, context: &Value, body: R) -> Self {
        let rows = match framing {
            Framing::JsonArray { pointer } => Rows::Json(JsonRows::new(pointer, body)),
            Framing::Csv => Rows::Csv(CsvRows::new(context, body)),
            Framing::XmlItems => Rows::Xml(XmlRows::new(body)),
            Framing::Whole => Rows::None,
        };
        Self { rows }
    }

    /// The next row, or `None` behind the last.
    ///
    /// # Errors
    /// [`FrameError`] when the body is not what its framing says. Nothing comes after an error.
    pub fn next_row(&mut self) -> Result<Option<CutRow<'_>>, FrameError> {
        match &mut self.rows {
            Rows::Json(rows) => rows.next_row(),
            Rows::Csv(rows) => rows.next_row(),
            Rows::Xml(rows) => rows.next_row(),
            Rows::None => Ok(None),
        }
    }
}

/// Reads a whole body and counts its rows, good and bad, as [`RowCutter`] numbers them.
///
/// # Errors
/// [`FrameError`] when the body is not what its framing says.
pub fn check<R: Read>(framing: &Framing, context: &Value, body: R) -> Result<u64, FrameError> {
    let mut cutter = RowCutter::new(framing, context, body);
    let mut rows = 0;
    while let Some(cut) = cutter.next_row()? {
        rows = cut.ordinal + 1;
    }
    Ok(rows)
}

/// A rejection of a whole row, with the beginning of the row as evidence.
fn reject_row(reason: RejectionReason, row: &[u8]) -> Rejection {
    // No character takes more than four bytes.
    let begin = row.get(..4 * Rejection::MAX_VALUE_CHARS).unwrap_or(row);
    Rejection::new(reason, "", &String::from_utf8_lossy(begin))
}
