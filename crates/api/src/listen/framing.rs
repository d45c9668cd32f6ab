//! Where requests of HTTP/1 begin and end, judged more strictly than by the parser.
//!
//! The parser forgives some things that other servers read otherwise: a line that ends without a carriage
//! return, a length that is given twice, a length beside chunks. Behind a proxy that reads them otherwise, one
//! request could be hidden in another. Nobody sends them by mistake, so they are refused.

use memchr::memchr;

use super::MAX_HEAD_BYTES;

/// How HTTP/2 connections begin.
const HTTP2_LINE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// What may follow on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Lines of a head.
    Head,
    /// So many bytes of a body.
    Body(u64),
    /// Whatever: what follows is not ours to judge, or the connection ends with this request.
    Anything,
}

/// The bytes of a connection as they come in.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    head: Head,
    /// Bytes of the head that is coming.
    head_bytes: usize,
    /// A line of which the end is still to come.
    partial: Vec<u8>,
}

/// What was said of the body so far.
#[derive(Debug, Default)]
struct Head {
    begun: bool,
    length: Option<u64>,
    chunked: bool,
}

/// A head that could be read in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

impl Framing {
    pub(super) const fn new() -> Self {
        let head = Head { begun: false, length: None, chunked: false };
        Self { state: State::Head, head, head_bytes: 0, partial: Vec::new() }
    }

    /// Bytes that came in of a head which is not complete: all that a parser may hold back. `None` where
    /// something else is coming.
    pub(super) fn of_head(&self) -> Option<usize> {
        (self.state == State::Head).then_some(self.head_bytes)
    }

    /// Looks at bytes that came in.
    ///
    /// # Errors
    /// [`Ambiguous`]; nothing more may be read then.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Ambiguous> {
        while !bytes.is_empty() {
            match self.state {
                State::Anything => break,
                State::Body(left) => {
                    let read = left.min(bytes.len() as u64);
                    bytes = bytes
                        .get(usize::try_from(read).unwrap_or(bytes.len())..)
                        .unwrap_or_default();
                    self.state = if read == left { State::Head } else { State::Body(left - read) };
                }
                State::Head => bytes = self.line_of(bytes)?,
            }
        }
        Ok(())
    }

    /// Reads up to the end of a line, and returns what comes after it.
    fn line_of<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Ambiguous> {
        let end = memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
        let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        self.head_bytes += line.len();
        if self.partial.is_empty() && line.ends_with(b"\n") {
            self.line(line)?;
            return Ok(rest);
        }
        self.partial.extend_from_slice(line);
        if self.partial.ends_with(b"\n") {
            let whole = std::mem::take(&mut self.partial);
            self.line(&whole)?;
        } else if self.partial.len() > MAX_HEAD_BYTES {
            // The parser refuses it.
            self.partial = Vec::new();
            self.state = State::Anything;
        }
        Ok(rest)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        let text = line.strip_suffix(b"\r\n").ok_or(Ambiguous)?;
        if !self.head.begun {
            // Empty lines before a request are left out.
            self.head.begun = !text.is_empty();
            if line == HTTP2_LINE {
                self.state = State::Anything;
            }
            return Ok(());
        }
        if text.is_empty() {
            let Head { length, chunked, .. } = std::mem::take(&mut self.head);
            self.head_bytes = 0;
            self.state = match length {
                // Answered with the last answer of the connection.
                _ if chunked => State::Anything,
                None | Some(0) => State::Head,
                Some(length) => State::Body(length),
            };
            return Ok(());
        }
        self.head.header(text)
    }
}

impl Head {
    fn header(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        match line.first() {
            // A line that goes on with the one before.
            Some(b' ' | b'\t') => return Err(Ambiguous),
            Some(b'c' | b'C' | b't' | b'T') => {}
            _ => return Ok(()),
        }
        let Some(at) = memchr(b':', line) else { return Ok(()) };
        let (name, value) =
            (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default());
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            match length.filter(|_| digits) {
                Some(length) if !self.chunked && self.length.is_none() => {
                    self.length = Some(length)
                }
                _ => return Err(Ambiguous),
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let known = value.eq_ignore_ascii_case(b"chunked");
            if !known || self.chunked || self.length.is_some() {
                return Err(Ambiguous);
            }
            self.chunked = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads bytes at once and byte by byte; both must judge alike.
    fn read(bytes: &[u8]) -> Result<State, Ambiguous> {
        let mut whole = Framing::new();
        let judged = whole.read(bytes).map(|()| whole.state);
        let mut slow = Framing::new();
        let trickled = bytes.iter().try_for_each(|byte| slow.read(&[*byte])).map(|()| slow.state);
        assert_eq!(judged, trickled, "{}", String::from_utf8_lossy(bytes));
        judged
    }

    fn with(headers: &str) -> Result<State, Ambiguous> {
        read(format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n").as_bytes())
    }

    #[test]
    fn a6_what_has_one_meaning_is_followed() {
        assert_eq!(with(""), Ok(State::Head));
        assert_eq!(with("Content-Length: 5\r\n"), Ok(State::Body(5)));
        assert_eq!(with("content-length:0\r\n"), Ok(State::Head));
        assert_eq!(with("TRANSFER-ENCODING: Chunked\r\n"), Ok(State::Anything));
        assert_eq!(with("Cookie: a\r\nTE: trailers\r\nContent-Type: x\r\n"), Ok(State::Head));
        assert_eq!(read(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"), Ok(State::Head));
        assert_eq!(read(b"PRI * HTTP/2.0\r\n\r\nSM\n\n"), Ok(State::Anything));
        let two =
            b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\na\nbGET / HTTP/1.1\r\nx: y\r\n\r\nGE";
        assert_eq!(read(two), Ok(State::Head));
        let endless = vec![b'x'; MAX_HEAD_BYTES + 2];
        assert_eq!(read(&endless), Ok(State::Anything));
    }

    #[test]
    fn what_came_of_a_head_is_counted_until_it_is_complete() {
        let mut framing = Framing::new();
        for (bytes, expected) in [
            ("", Some(0)),
            ("\r\nPO", Some(4)),
            ("ST / HTTP/1.1\r\ncontent-length", Some(33)),
            (": 3\r\n\r\n", None),
            ("ab", None),
            ("c", Some(0)),
            ("GET / HTTP/1.1\r\n\r\nGET", Some(3)),
            (" / HTTP/1.1\r\n\r\n", Some(0)),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", None),
        ] {
            framing.read(bytes.as_bytes()).unwrap();
            assert_eq!(framing.of_head(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a6_what_others_may_read_otherwise_is_refused() {
        for headers in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: \x0bchunked\r\n",
            "Transfer-Encoding:\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length: \r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "X: a\r\n Content-Length: 5\r\n",
            "X: a\r\n\tb\r\n",
            "X: a\nTransfer-Encoding: chunked\r\n",
            "\n",
        ] {
            assert_eq!(with(headers), Err(Ambiguous), "{headers:?}");
        }
        assert_eq!(read(b"GET / HTTP/1.1\n\n"), Err(Ambiguous));
        assert_eq!(read(b"\nGET / HTTP/1.1\r\n\r\n"), Err(Ambiguous));
        let hidden = b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nxGET / HTTP/1.1\r\na: b\n\r\n";
        assert_eq!(read(hidden), Err(Ambiguous));
    }
}
