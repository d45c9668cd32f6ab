//! Reading a raw body back from a store.

use std::io::{self, Read};
use std::sync::Arc;

use kasparro_domain::BodyHash;
use kasparro_store::Store;
use tokio::runtime::Handle;

/// Reads a compressed body back from a store, one chunk in memory at a time.
pub(crate) struct StoredBody {
    store: Arc<dyn Store>,
    hash: BodyHash,
    next: u32,
    chunk: io::Cursor<Vec<u8>>,
}

impl StoredBody {
    pub(crate) fn open(store: Arc<dyn Store>, hash: BodyHash) -> io::Result<Box<dyn Read + Send>> {
        let frame = Self { store, hash, next: 0, chunk: io::Cursor::default() };
        Ok(Box::new(zstd::stream::read::Decoder::new(frame)?))
    }
}

impl Read for StoredBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let chunk = self.store.body_chunk(self.hash, self.next);
            match Handle::current().block_on(chunk).map_err(io::Error::other)? {
                Some(bytes) => self.chunk = io::Cursor::new(bytes),
                None => return Ok(0),
            }
            self.next += 1;
        }
    }
}
