//! The elements of a JSON array, cut by a tokenizer that knows strings, brackets and separators only.

use std::io::Read;

use kasparro_domain::{Rejection, RejectionReason};
use memchr::memchr2;

use super::error::{Found, FrameError};
use super::window::Window;
use super::{CutRow, MAX_ROW_BYTES, MAX_ROW_DEPTH, reject_row};

/// Bytes that end what is being scanned, where they stand outside of strings and brackets.
type Stops = [u8; 2];
const ELEMENT: Stops = *b",]";
const MEMBER_NAME: Stops = *b":}";
const MEMBER_VALUE: Stops = *b",}";
const REST_OF_OBJECT: Stops = *b"}}";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    InArray,
    Done,
}

/// The elements of one array, one at a time.
#[derive(Debug)]
pub(super) struct JsonRows<R> {
    window: Window<R>,
    pointer: String,
    place: Place,
    ordinal: u64,
    /// Bytes of the row handed out last, dropped when the next one is asked for.
    held: usize,
}

/// What a scan came upon.
struct Scanned {
    /// Bytes up to the stop, of those in view.
    length: usize,
    /// Why the bytes cannot be handed out as a row.
    refused: Option<Rejection>,
}

impl<R: Read> JsonRows<R> {
    pub(super) fn new(pointer: &str, body: R) -> Self {
        Self {
            window: Window::new(body),
            pointer: pointer.to_owned(),
            place: Place::Start,
            ordinal: 0,
            held: 0,
        }
    }

    pub(super) fn next_row(&mut self) -> Result<Option<CutRow<'_>>, FrameError> {
        let before = std::mem::replace(&mut self.place, Place::Done);
        match before {
            Place::Done => return Ok(None),
            Place::Start => self.open()?,
            Place::InArray => self.window.consume(std::mem::take(&mut self.held)),
        }
        let ordinal = self.ordinal;
        match self.peek()?.ok_or_else(|| self.truncated())? {
            b']' => {
                self.window.consume(1);
                self.close()?;
                return Ok(None);
            }
            b',' => {
                self.held = 1;
                self.place = Place::InArray;
                self.ordinal += 1;
                return Ok(Some(CutRow {
                    ordinal,
                    row: Err(reject_row(RejectionReason::Malformed, b"")),
                }));
            }
            _ => {}
        }
        let Scanned { length, refused } = self.scan(ELEMENT)?;
        let comma = self.window.bytes().get(length) == Some(&b',');
        self.held = length + usize::from(comma);
        self.place = Place::InArray;
        self.ordinal += 1;
        let row = self.window.bytes().get(..length).unwrap_or_default().trim_ascii_end();
        Ok(Some(CutRow { ordinal, row: refused.map_or(Ok(row), Err) }))
    }

    /// Goes to the first element of the array.
    fn open(&mut self) -> Result<(), FrameError> {
        self.window.skip_bom()?;
        let first = self.peek()?.ok_or(FrameError::Empty)?;
        if self.pointer.is_empty() {
            return self.enter_array(first);
        }
        if first != b'{' {
            // An array where an object was expected lacks the member as well.
            if first == b'[' {
                return Err(FrameError::PointerMissing { pointer: self.pointer.clone() });
            }
            return Err(self.not_an_array(first));
        }
        self.window.consume(1);
        loop {
            if self.peek()?.ok_or_else(|| self.truncated())? == b'}' {
                return Err(FrameError::PointerMissing { pointer: self.pointer.clone() });
            }
            let name = self.scan(MEMBER_NAME)?;
            let wanted = name.refused.is_none() && self.names_wanted(name.length);
            self.window.consume(name.length);
            if self.window.bytes().first() != Some(&b':') {
                continue;
            }
            self.window.consume(1);
            if wanted {
                let first = self.peek()?.ok_or_else(|| self.truncated())?;
                return self.enter_array(first);
            }
            let value = self.scan(MEMBER_VALUE)?;
            self.window.consume(value.length);
            if self.window.bytes().first() == Some(&b',') {
                self.window.consume(1);
            }
        }
    }

    fn enter_array(&mut self, first: u8) -> Result<(), FrameError> {
        if first != b'[' {
            return Err(self.not_an_array(first));
        }
        self.window.consume(1);
        Ok(())
    }

    /// True when the first `length` bytes are the member name that the pointer names.
    fn names_wanted(&self, length: usize) -> bool {
        let wanted = self.pointer.strip_prefix('/').unwrap_or(&self.pointer);
        let name = self.window.bytes().get(..length).unwrap_or_default();
        serde_json::from_slice::<String>(name).is_ok_and(|name| name == wanted)
    }

    /// Goes behind the array, to the end of the body.
    fn close(&mut self) -> Result<(), FrameError> {
        if !self.pointer.is_empty() {
            let rest = self.scan(REST_OF_OBJECT)?;
            self.window.consume(rest.length + 1);
        }
        match self.peek()? {
            None => Ok(()),
            Some(_) => Err(FrameError::TrailingGarbage { rows: self.ordinal }),
        }
    }

    /// The next byte that is not white space, left in view.
    fn peek(&mut self) -> Result<Option<u8>, FrameError> {
        loop {
            let bytes = self.window.bytes();
            let blank = bytes.len() - bytes.trim_ascii_start().len();
            let found = bytes.get(blank).copied();
            self.window.consume(blank);
            if found.is_some() || !self.window.more()? {
                return Ok(found);
            }
        }
    }

    /// Reads on to the first stop outside of strings and brackets. Bytes beyond the cap are dropped as
    /// they come, and then only the beginning is known.
    fn scan(&mut self, stops: Stops) -> Result<Scanned, FrameError> {
        let mut scan = Scan::default();
        let mut refused = None;
        let length = loop {
            if let Some(length) = scan.advance(self.window.bytes(), stops) {
                break length;
            }
            if scan.at > MAX_ROW_BYTES || refused.is_some() {
                let bytes = self.window.bytes();
                refused.get_or_insert_with(|| reject_row(RejectionReason::RowTooLarge, bytes));
                self.window.consume(scan.at);
                scan.at = 0;
            }
            if !self.window.more()? {
                return Err(self.truncated());
            }
        };
        let scanned = self.window.bytes().get(..length).unwrap_or_default();
        if refused.is_none() && length > MAX_ROW_BYTES {
            refused = Some(reject_row(RejectionReason::RowTooLarge, scanned));
        } else if refused.is_none() && scan.deepest > MAX_ROW_DEPTH {
            refused = Some(reject_row(RejectionReason::Malformed, scanned));
        }
        Ok(Scanned { length, refused })
    }

    const fn truncated(&self) -> FrameError {
        FrameError::Truncated { rows: self.ordinal }
    }

    fn not_an_array(&mut self, first: u8) -> FrameError {
        const LONGEST_WORD: usize = 5;
        while self.window.bytes().len() < LONGEST_WORD {
            match self.window.more() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return error.into(),
            }
        }
        let words: [&[u8]; 3] = [b"null", b"true", b"false"];
        let found = match first {
            b'{' => Found::Object,
            b'<' => Found::Html,
            b'"' | b'-' | b'0'..=b'9' => Found::Scalar,
            _ if words.iter().any(|word| self.window.bytes().starts_with(word)) => Found::Scalar,
            _ => Found::Text,
        };
        FrameError::NotAnArray { pointer: self.pointer.clone(), found }
    }
}

#[derive(Debug, Clone, Copy, Default)]
enum Inside {
    #[default]
    Plain,
    Text,
    Escape,
}

/// Where a scan stands, so that it goes on where the bytes in view ended.
#[derive(Debug, Default)]
struct Scan {
    at: usize,
    inside: Inside,
    depth: u32,
    deepest: u32,
}

impl Scan {
    /// The place of the first stop in `bytes`, or `None` when more bytes are needed.
    fn advance(&mut self, bytes: &[u8], stops: Stops) -> Option<usize> {
        let mut rest = bytes.get(self.at..).unwrap_or_default();
        loop {
            match self.inside {
                Inside::Escape => {
                    let Some((_, after)) = rest.split_first() else {
                        break;
                    };
                    rest = after;
                    self.inside = Inside::Text;
                }
                Inside::Text => {
                    let Some(skipped) = memchr2(b'"', b'\\', rest) else {
                        rest = &[];
                        break;
                    };
                    let quote = rest.get(skipped) == Some(&b'"');
                    self.inside = if quote { Inside::Plain } else { Inside::Escape };
                    rest = rest.get(skipped + 1..).unwrap_or_default();
                }
                Inside::Plain => {
                    let Some((byte, after)) = rest.split_first() else {
                        break;
                    };
                    if self.depth == 0 && stops.contains(byte) {
                        return Some(bytes.len() - rest.len());
                    }
                    rest = after;
                    match byte {
                        b'"' => self.inside = Inside::Text,
                        b'{' | b'[' => {
                            self.depth = self.depth.saturating_add(1);
                            self.deepest = self.deepest.max(self.depth);
                        }
                        b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                        _ => {}
                    }
                }
            }
        }
        self.at = bytes.len() - rest.len();
        None
    }
}
