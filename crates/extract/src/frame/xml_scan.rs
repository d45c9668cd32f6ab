//! Where the tags of an XML document begin and end.
//!
//! Comments, CDATA, processing instructions and the document type are passed over as they stand:
//! nothing in them is a tag, and no entity that they declare is ever expanded.

use memchr::{memchr, memmem};
use quick_xml::parser::{ElementParser, Parser};

/// The longest name of an element that is told from others, in bytes.
const MAX_NAME_BYTES: usize = 1 << 10;

const COMMENT: (&[u8], &[u8]) = (b"<!--", b"-->");
const CDATA: (&[u8], &[u8]) = (b"<![CDATA[", b"]]>");
const INSTRUCTION: (&[u8], &[u8]) = (b"<?", b"?>");

/// What a scan came upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The name of a tag, of which the `<` stands at `start`.
    Name {
        /// Where the tag begins.
        start: usize,
        /// Where the name begins and ends.
        name: (usize, usize),
        /// True for an end tag.
        closing: bool,
    },
    /// The end of the tag that was named last.
    TagEnd {
        /// True where the tag opens and closes its element at once.
        empty: bool,
    },
}

#[derive(Debug, Clone, Copy)]
enum Inside {
    Text,
    Tag(ElementParser),
    /// Something that only this sequence ends.
    Until(&'static [u8]),
    /// A document type declaration, in which `<` and `>` are balanced outside of quotes.
    Declaration {
        depth: u32,
        quote: Option<u8>,
    },
}

/// Where a scan stands, so that it goes on where the bytes in view ended.
#[derive(Debug)]
pub(super) struct Scan {
    /// How far the bytes in view have been looked at; what stands before need not stay in view.
    pub(super) at: usize,
    /// True once there was text other than blanks; whoever asks sets it back.
    pub(super) text: bool,
    inside: Inside,
    /// The state of the declaration that the current comment or instruction stands in.
    outer: Option<Inside>,
    /// The last byte of the current tag so far.
    last: u8,
}

impl Scan {
    pub(super) const fn new() -> Self {
        Self { at: 0, text: false, inside: Inside::Text, outer: None, last: 0 }
    }

    /// True between markup, where a document may end.
    pub(super) const fn between(&self) -> bool {
        matches!(self.inside, Inside::Text)
    }

    /// Forgets `count` bytes at the front, which are no longer in view.
    pub(super) const fn dropped(&mut self, count: usize) {
        self.at = self.at.saturating_sub(count);
    }

    /// Goes on to the next stop in `bytes`; `None` when more bytes are needed.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Option<Stop> {
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            match self.inside {
                Inside::Text => {
                    let length = memchr(b'<', rest).unwrap_or(rest.len());
                    let text = rest.get(..length).unwrap_or_default();
                    self.text |= !text.trim_ascii_start().is_empty();
                    self.at += length;
                    if length == rest.len() {
                        return None;
                    }
                    if let Some(stop) = self.open(bytes)? {
                        return Some(stop);
                    }
                }
                Inside::Tag(mut parser) => {
                    let end = parser.feed(rest);
                    let tag = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
                    self.last = tag.last().copied().unwrap_or(self.last);
                    let Some(end) = end else {
                        self.inside = Inside::Tag(parser);
                        self.at = bytes.len();
                        return None;
                    };
                    self.at += end + 1;
                    self.inside = Inside::Text;
                    return Some(Stop::TagEnd { empty: self.last == b'/' });
                }
                Inside::Until(sequence) => {
                    let Some(found) = memmem::find(rest, sequence) else {
                        // The sequence may begin with the last bytes in view.
                        let seen = bytes.len().saturating_sub(sequence.len() - 1);
                        self.at = self.at.max(seen);
                        return None;
                    };
                    self.at += found + sequence.len();
                    self.inside = self.outer.take().unwrap_or(Inside::Text);
                }
                Inside::Declaration { depth, quote } => {
                    if !self.declaration(rest, depth, quote) {
                        return None;
                    }
                }
            }
        }
    }

    /// Finds out what the `<` at hand opens: `None` when more bytes are needed to tell, otherwise the
    /// stop, where there is one.
    fn open(&mut self, bytes: &[u8]) -> Option<Option<Stop>> {
        let start = self.at;
        let markup = bytes.get(start..).unwrap_or_default();
        for (opening, ending) in [COMMENT, CDATA, INSTRUCTION] {
            if markup.starts_with(opening) {
                self.text |= opening == CDATA.0;
                self.at += opening.len();
                self.inside = Inside::Until(ending);
                return Some(None);
            }
        }
        if [COMMENT.0, CDATA.0].iter().any(|opening| opening.starts_with(markup)) {
            return None;
        }
        let closing = markup.get(1) == Some(&b'/');
        let from = 1 + usize::from(closing);
        match markup.get(from)? {
            b'!' if !closing => {
                self.at += from + 1;
                self.inside = Inside::Declaration { depth: 1, quote: None };
                Some(None)
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' | 0x80.. => {
                let visible = markup.get(from..).unwrap_or_default();
                let visible = visible.get(..MAX_NAME_BYTES).unwrap_or(visible);
                let length = visible.iter().position(|byte| ends_name(*byte));
                let length = match length {
                    None if visible.len() < MAX_NAME_BYTES => return None,
                    length => length.unwrap_or(visible.len()),
                };
                self.at += from + length;
                self.last = 0;
                self.inside = Inside::Tag(ElementParser::Outside);
                let name = (start + from, start + from + length);
                Some(Some(Stop::Name { start, name, closing }))
            }
            // A stray sign in a text: the row's reader refuses it.
            _ => {
                self.at += 1;
                self.text = true;
                Some(None)
            }
        }
    }

    /// Goes on in a declaration; false when more bytes are needed.
    fn declaration(&mut self, rest: &[u8], mut depth: u32, mut quote: Option<u8>) -> bool {
        for (place, byte) in rest.iter().enumerate() {
            match (quote, byte) {
                (Some(open), _) => quote = quote.filter(|_| open != *byte),
                (None, b'"' | b'\'') => quote = Some(*byte),
                (None, b'>') => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += place + 1;
                        self.inside = Inside::Text;
                        return true;
                    }
                }
                (None, b'<') => {
                    let markup = rest.get(place..).unwrap_or_default();
                    let passed = [COMMENT, INSTRUCTION]
                        .into_iter()
                        .find(|(opening, _)| markup.starts_with(opening));
                    if let Some((opening, ending)) = passed {
                        self.at += place + opening.len();
                        self.outer = Some(Inside::Declaration { depth, quote });
                        self.inside = Inside::Until(ending);
                        return true;
                    }
                    if COMMENT.0.starts_with(markup) {
                        self.at += place;
                        self.inside = Inside::Declaration { depth, quote };
                        return false;
                    }
                    depth = depth.saturating_add(1);
                }
                _ => {}
            }
        }
        self.at += rest.len();
        self.inside = Inside::Declaration { depth, quote };
        false
    }
}

const fn ends_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'<')
}
