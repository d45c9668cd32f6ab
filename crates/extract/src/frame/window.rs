//! A moving view of a stream.

use std::io::{self, ErrorKind, Read};

/// How much is read at once, in bytes.
const READ_BYTES: usize = 64 << 10;

/// UTF-8's byte order mark.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Bytes of a stream from the first that is still needed to the last that was read.
#[derive(Debug)]
pub(super) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

impl<R: Read> Window<R> {
    pub(super) const fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), start: 0, end: 0, ended: false }
    }

    /// The bytes in view.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// True once the stream has no more bytes than those in view.
    pub(super) const fn ended(&self) -> bool {
        self.ended
    }

    /// Drops bytes from the front.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }

    /// Reads on; false at the end of the stream.
    pub(super) fn more(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            // Exact, so that one long row does not double the memory.
            self.buffer.reserve_exact(READ_BYTES);
            self.buffer.resize(self.end + READ_BYTES, 0);
        }
        let space = self.buffer.get_mut(self.end..).unwrap_or_default();
        let read = loop {
            match self.source.read(space) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.end += read.min(space.len());
        self.ended = read == 0;
        Ok(read > 0)
    }

    /// Drops a byte order mark at the front.
    pub(super) fn skip_bom(&mut self) -> io::Result<()> {
        while self.bytes().len() < BOM.len() && self.more()? {}
        if self.bytes().starts_with(BOM) {
            self.consume(BOM.len());
        }
        Ok(())
    }
}
