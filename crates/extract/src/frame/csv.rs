//! The records of a delimited text as rows.

use std::io::Read;

use kasparro_domain::{Rejection, RejectionReason};
use serde_json::Value;

use super::records::Records;
use super::window::Window;
use super::{CutRow, FrameError, MAX_ROW_BYTES, reject_row};

/// The records of one text, one at a time, without header and blank lines.
#[derive(Debug)]
pub(super) struct CsvRows<R> {
    window: Window<R>,
    records: Records,
    begun: bool,
    header_ahead: bool,
    ordinal: u64,
    /// Bytes of the record handed out last, dropped when the next one is asked for.
    held: usize,
}

impl<R: Read> CsvRows<R> {
    pub(super) fn new(context: &Value, body: R) -> Self {
        let delimiter = context.get("delimiter").and_then(Value::as_str);
        let delimiter = delimiter.and_then(|text| text.bytes().next());
        let header_ahead = context.get("first").and_then(Value::as_bool).unwrap_or(true);
        Self {
            window: Window::new(body),
            records: Records::new(delimiter),
            begun: false,
            header_ahead,
            ordinal: 0,
            held: 0,
        }
    }

    pub(super) fn next_row(&mut self) -> Result<Option<CutRow<'_>>, FrameError> {
        if !self.begun {
            self.window.skip_bom()?;
            self.begun = true;
        }
        let refused = loop {
            self.window.consume(std::mem::take(&mut self.held));
            let Some(refused) = self.next_record()? else {
                return Ok(None);
            };
            if refused.is_none() && self.record().is_empty() {
                continue;
            }
            if !std::mem::take(&mut self.header_ahead) {
                break refused;
            }
        };
        let ordinal = self.ordinal;
        self.ordinal += 1;
        Ok(Some(CutRow { ordinal, row: refused.map_or_else(|| Ok(self.record()), Err) }))
    }

    /// The current record without its line end.
    fn record(&self) -> &[u8] {
        let record = self.window.bytes().get(..self.held).unwrap_or_default();
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        record.strip_suffix(b"\r").unwrap_or(record)
    }

    /// Brings the next record into view; says why it cannot be handed out, or `None` at the end.
    fn next_record(&mut self) -> Result<Option<Option<Rejection>>, FrameError> {
        let mut refused = None;
        loop {
            let ended = self.window.ended();
            if let Some(length) = self.records.end_of(self.window.bytes(), ended) {
                self.held = length;
                break;
            }
            if self.records.overlong() {
                let bytes = self.window.bytes();
                refused.get_or_insert_with(|| reject_row(RejectionReason::RowTooLarge, bytes));
                let seen = self.records.drop_seen();
                self.window.consume(seen);
            }
            if ended {
                return Ok(refused.map(Some));
            }
            self.window.more()?;
        }
        let record = self.record();
        if refused.is_none() && record.len() > MAX_ROW_BYTES {
            refused = Some(reject_row(RejectionReason::RowTooLarge, record));
        }
        Ok(Some(refused))
    }
}
