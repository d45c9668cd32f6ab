//! The items of a feed, cut out of an XML document by its tags alone.

use std::io::Read;

use kasparro_domain::{Rejection, RejectionReason};

use super::error::{Found, FrameError};
use super::window::Window;
use super::xml_scan::{Scan, Stop};
use super::{CutRow, MAX_ROW_BYTES, MAX_ROW_DEPTH, reject_row};

/// Local names of the elements that are rows: of RSS and of Atom.
const ROWS: [&[u8]; 2] = [b"item", b"entry"];

/// The rows of one document, one at a time.
#[derive(Debug)]
pub(super) struct XmlRows<R> {
    window: Window<R>,
    scan: Scan,
    begun: bool,
    done: bool,
    /// The first byte that is not blank, once the body has been begun.
    first: Option<u8>,
    /// True once the outermost element was opened.
    rooted: bool,
    /// Elements that are open outside of rows.
    depth: u64,
    /// The tag that was named last and has not ended.
    tag: Tag,
    row: Option<Row>,
    ordinal: u64,
    /// Bytes of the row handed out last, dropped when the next one is asked for.
    held: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tag {
    closing: bool,
    /// True where it has the name of the row that it stands in.
    same: bool,
}

/// A row that has begun and stands at the front of the view.
#[derive(Debug)]
struct Row {
    /// Its full name, prefix included.
    name: Vec<u8>,
    /// Elements of that name that are open, itself included. Its end is found by them alone, so that
    /// another element that is never closed costs the row and not the document.
    same: u32,
    depth: u32,
    deepest: u32,
    refused: Option<Rejection>,
}

impl<R: Read> XmlRows<R> {
    pub(super) const fn new(body: R) -> Self {
        Self {
            window: Window::new(body),
            scan: Scan::new(),
            begun: false,
            done: false,
            first: None,
            rooted: false,
            depth: 0,
            tag: Tag { closing: false, same: false },
            row: None,
            ordinal: 0,
            held: 0,
        }
    }

    pub(super) fn next_row(&mut self) -> Result<Option<CutRow<'_>>, FrameError> {
        // It stays so after an error.
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        if !self.begun {
            self.begin()?;
        }
        self.drop_front(self.held);
        let Some((length, refused)) = self.find_row()? else {
            return Ok(None);
        };
        self.done = false;
        self.held = length;
        let ordinal = self.ordinal;
        self.ordinal += 1;
        let row = self.window.bytes().get(..length).unwrap_or_default();
        Ok(Some(CutRow { ordinal, row: refused.map_or(Ok(row), Err) }))
    }

    /// Goes to the first byte that is not blank.
    fn begin(&mut self) -> Result<(), FrameError> {
        self.begun = true;
        self.window.skip_bom()?;
        loop {
            let bytes = self.window.bytes();
            let blank = bytes.len() - bytes.trim_ascii_start().len();
            self.window.consume(blank);
            self.first = self.window.bytes().first().copied();
            if self.first.is_some() || !self.window.more()? {
                return Ok(());
            }
        }
    }

    /// Brings the next row to the front of the view: its length, and why it cannot be handed out.
    fn find_row(&mut self) -> Result<Option<(usize, Option<Rejection>)>, FrameError> {
        loop {
            let stop = self.scan.advance(self.window.bytes());
            let text = std::mem::take(&mut self.scan.text);
            if text && self.depth == 0 && self.row.is_none() {
                return Err(self.text_outside());
            }
            match stop {
                Some(Stop::Name { start, name, closing }) => self.named(start, name, closing)?,
                Some(Stop::TagEnd { empty }) => {
                    if let Some(row) = self.ended(empty) {
                        return Ok(Some(self.judge(row)));
                    }
                }
                None => {
                    self.shed();
                    if !self.window.more()? {
                        return if self.complete() { Ok(None) } else { Err(self.incomplete()) };
                    }
                }
            }
        }
    }

    fn named(
        &mut self,
        start: usize,
        (from, to): (usize, usize),
        closing: bool,
    ) -> Result<(), FrameError> {
        let name = self.window.bytes().get(from..to).unwrap_or_default();
        if let Some(row) = &self.row {
            self.tag = Tag { closing, same: row.name == name };
            return Ok(());
        }
        self.tag = Tag { closing, same: false };
        if closing {
            return Ok(());
        }
        if self.depth == 0 {
            if self.rooted {
                return Err(FrameError::TrailingGarbage { rows: self.ordinal });
            }
            if name.eq_ignore_ascii_case(b"html") {
                return Err(FrameError::NotXml { found: Found::Html });
            }
            self.rooted = true;
        }
        let local = name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
        if ROWS.contains(&local) {
            let name = name.to_vec();
            self.drop_front(start);
            self.tag.same = true;
            self.row = Some(Row { name, same: 0, depth: 0, deepest: 0, refused: None });
        }
        Ok(())
    }

    /// Takes note of the end of a tag; returns the row that ends with it.
    fn ended(&mut self, empty: bool) -> Option<Row> {
        let Tag { closing, same } = self.tag;
        let Some(row) = &mut self.row else {
            if closing {
                self.depth = self.depth.saturating_sub(1);
            } else if !empty {
                self.depth += 1;
            }
            return None;
        };
        let same = u32::from(same);
        if closing {
            row.depth = row.depth.saturating_sub(1);
            row.same = row.same.saturating_sub(same);
        } else if !empty {
            row.depth = row.depth.saturating_add(1);
            row.deepest = row.deepest.max(row.depth);
            row.same = row.same.saturating_add(same);
        }
        if row.same == 0 { self.row.take() } else { None }
    }

    fn judge(&self, row: Row) -> (usize, Option<Rejection>) {
        let length = self.scan.at;
        let bytes = self.window.bytes().get(..length).unwrap_or_default();
        let refused = match row.refused {
            None if length > MAX_ROW_BYTES => Some(RejectionReason::RowTooLarge),
            None if row.deepest > MAX_ROW_DEPTH => Some(RejectionReason::Malformed),
            refused => return (length, refused),
        };
        (length, refused.map(|reason| reject_row(reason, bytes)))
    }

    /// Drops what need not stay in view: all outside of a row, and of a row what is beyond the cap, so
    /// that then only its beginning is known.
    fn shed(&mut self) {
        if let Some(row) = &mut self.row {
            if self.scan.at <= MAX_ROW_BYTES && row.refused.is_none() {
                return;
            }
            let bytes = self.window.bytes();
            row.refused.get_or_insert_with(|| reject_row(RejectionReason::RowTooLarge, bytes));
        }
        self.drop_front(self.scan.at);
    }

    fn drop_front(&mut self, count: usize) {
        self.held = 0;
        self.window.consume(count);
        self.scan.dropped(count);
    }

    /// True where the document may end.
    fn complete(&self) -> bool {
        let seen_all = self.scan.between() && self.window.bytes().is_empty();
        seen_all && self.rooted && self.depth == 0 && self.row.is_none()
    }

    fn incomplete(&self) -> FrameError {
        match self.first {
            None => FrameError::Empty,
            Some(_) => FrameError::Truncated { rows: self.ordinal },
        }
    }

    fn text_outside(&self) -> FrameError {
        if self.rooted {
            FrameError::TrailingGarbage { rows: self.ordinal }
        } else {
            let found = match self.first {
                Some(b'{') => Found::Object,
                Some(b'"' | b'-' | b'0'..=b'9') => Found::Scalar,
                _ => Found::Text,
            };
            FrameError::NotXml { found }
        }
    }
}
