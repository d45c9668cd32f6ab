//! Where the records of a delimited text end.
//!
//! A quote opens a field only at its beginning, and a line end inside quotes belongs to the record. A
//! quote that is never closed would so swallow all that follows. That is noticed when a later quote
//! does not fit (it is followed by neither a delimiter nor a line end nor another quote), when the
//! record outgrows the cap, or when the text ends; then the lines that were joined are cut one by one,
//! so that a stray quote costs its own line. Each byte is looked at no more than twice.

use memchr::{memchr, memchr2, memrchr};

use super::MAX_ROW_BYTES;
use super::window::BOM;

/// Delimiters that a text may have.
pub(super) const DELIMITERS: [u8; 4] = *b",;\t|";

/// Bytes in which the line end of a record must be found: the record and the line end itself.
const VISIBLE: usize = MAX_ROW_BYTES + 1;

/// Finds the ends of records, one after the other.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// The text's delimiter; `None` takes any of the known ones for it.
    delimiter: Option<u8>,
    /// How far the current record has been looked at.
    at: usize,
    quoted: bool,
    /// True once a line end was passed inside quotes.
    joined: bool,
    /// Bytes from the beginning of the record in which every line end ends a record.
    by_line: usize,
    /// Bytes of the record that the caller has dropped.
    dropped: usize,
}

enum Step {
    End(usize),
    /// The quotes make no sense; the lines before this place stand alone.
    Broken(usize),
    More,
}

impl Records {
    pub(super) fn new(delimiter: Option<u8>) -> Self {
        Self { delimiter, ..Self::default() }
    }

    /// Length of the record at the beginning of `bytes`, its line end included; `None` when more bytes
    /// are needed, or when there are none left. `ended` says that nothing follows `bytes`.
    pub(super) fn end_of(&mut self, bytes: &[u8], ended: bool) -> Option<usize> {
        loop {
            let step =
                if self.by_line > 0 { self.line_end(bytes) } else { self.quoted_end(bytes, ended) };
            match step {
                Step::End(length) => return Some(self.finish(length)),
                Step::Broken(by_line) => {
                    *self = Self { by_line: by_line.max(1), ..Self::new(self.delimiter) };
                }
                Step::More if ended && self.dropped + bytes.len() > 0 => {
                    return Some(self.finish(bytes.len()));
                }
                Step::More => return None,
            }
        }
    }

    /// True when the record is certainly too long for a row, and cut at the next line end.
    pub(super) const fn overlong(&self) -> bool {
        self.by_line > 0 && self.dropped + self.at > VISIBLE + 1
    }

    /// The caller has dropped all bytes that were looked at.
    pub(super) const fn drop_seen(&mut self) -> usize {
        let seen = self.at;
        self.dropped += seen;
        self.at = 0;
        seen
    }

    fn finish(&mut self, length: usize) -> usize {
        let by_line = self.by_line.saturating_sub(self.dropped + length);
        *self = Self { by_line, ..Self::new(self.delimiter) };
        length
    }

    fn line_end(&mut self, bytes: &[u8]) -> Step {
        let rest = bytes.get(self.at..).unwrap_or_default();
        match memchr(b'\n', rest) {
            Some(skipped) => Step::End(self.at + skipped + 1),
            None => {
                self.at = bytes.len();
                Step::More
            }
        }
    }

    fn quoted_end(&mut self, bytes: &[u8], ended: bool) -> Step {
        let visible = bytes.get(..VISIBLE).unwrap_or(bytes);
        loop {
            let rest = visible.get(self.at..).unwrap_or_default();
            let found = if self.quoted && self.joined {
                memchr(b'"', rest)
            } else {
                memchr2(b'"', b'\n', rest)
            };
            let Some(place) = found.map(|skipped| self.at + skipped) else {
                self.at = visible.len();
                return if visible.len() == VISIBLE {
                    Step::Broken(VISIBLE)
                } else if ended && self.quoted && self.joined {
                    Step::Broken(bytes.len())
                } else {
                    Step::More
                };
            };
            let line_end = visible.get(place) == Some(&b'\n');
            match (self.quoted, line_end) {
                (false, true) => return Step::End(place + 1),
                (true, true) => self.joined = true,
                (false, false) => self.quoted = self.opens_field(visible, place),
                (true, false) => match bytes.get(place + 1) {
                    Some(b'"') => {
                        self.at = place + 2;
                        continue;
                    }
                    Some(b'\r' | b'\n') => self.quoted = false,
                    Some(byte) if self.delimits(*byte) => self.quoted = false,
                    Some(_) if self.joined => {
                        let before = visible.get(..place).unwrap_or_default();
                        return Step::Broken(memrchr(b'\n', before).map_or(place, |at| at + 1));
                    }
                    Some(_) => self.quoted = false,
                    None if ended => self.quoted = false,
                    None => {
                        self.at = place;
                        return Step::More;
                    }
                },
            }
            self.at = place + 1;
        }
    }

    fn opens_field(&self, bytes: &[u8], place: usize) -> bool {
        let before = bytes.get(..place).unwrap_or_default();
        before.last().is_none_or(|byte| self.delimits(*byte)) || before == BOM
    }

    fn delimits(&self, byte: u8) -> bool {
        self.delimiter.map_or_else(|| DELIMITERS.contains(&byte), |delimiter| delimiter == byte)
    }
}
