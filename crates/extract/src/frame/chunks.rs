//! Cutting a long delimited text into pieces that can each be landed as a page.

use std::io::Read;

use super::FrameError;
use super::records::Records;
use super::window::Window;

/// The longest record that a chunk of its own may hold, in bytes.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// Cuts a delimited text into consecutive chunks at record boundaries. Together the chunks are the
/// text, byte for byte; the first one begins with the byte order mark and the header, where there are.
#[derive(Debug)]
pub struct CsvChunks<R> {
    window: Window<R>,
    records: Records,
    chunk_bytes: usize,
    /// Length of the complete records in view.
    complete: usize,
}

impl<R: Read> CsvChunks<R> {
    /// Chunks of at most `chunk_bytes` bytes; a longer record becomes a chunk of its own.
    pub fn new(body: R, chunk_bytes: usize) -> Self {
        let window = Window::new(body);
        Self { window, records: Records::new(None), chunk_bytes, complete: 0 }
    }

    /// The next chunk, or `None` behind the last.
    ///
    /// # Errors
    /// [`FrameError::Io`], or [`FrameError::RecordTooLarge`] above [`MAX_RECORD_BYTES`].
    pub fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        loop {
            let ended = self.window.ended();
            let begun = self.window.bytes().get(self.complete..).unwrap_or_default();
            if let Some(length) = self.records.end_of(begun, ended) {
                if self.complete > 0 && self.complete + length > self.chunk_bytes {
                    return Ok(self.emit(length));
                }
                self.complete += length;
                continue;
            }
            let in_view = self.window.bytes().len();
            if ended || (self.complete > 0 && in_view > self.chunk_bytes) {
                return Ok(self.emit(0));
            }
            if in_view > MAX_RECORD_BYTES {
                return Err(FrameError::RecordTooLarge { bytes: MAX_RECORD_BYTES });
            }
            self.window.more()?;
        }
    }

    /// Takes the complete records out; a complete record of `following` bytes stands behind them.
    fn emit(&mut self, following: usize) -> Option<Vec<u8>> {
        let length = std::mem::replace(&mut self.complete, following);
        let chunk = self.window.bytes().get(..length)?.to_vec();
        self.window.consume(length);
        (!chunk.is_empty()).then_some(chunk)
    }
}
