//! Reading a raw body back from a store.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use kasparro_domain::BodyHash;
use kasparro_store::Store;
use tokio::runtime::Handle;

use crate::body::{Body, BodyWriter, HEAD_BYTES};

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

/// Takes a stored body into the spool, as if it had just arrived.
///
/// # Errors
/// Any failure of store or spool; [`io::ErrorKind::InvalidData`] where the store holds another body under
/// that hash.
pub(crate) async fn spooled(
    store: Arc<dyn Store>,
    hash: BodyHash,
    spool_dir: PathBuf,
) -> io::Result<Body> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut stored = StoredBody::open(store, hash)?;
        let mut writer = BodyWriter::new(&spool_dir)?;
        let mut piece = vec![0; 1 << 16];
        loop {
            let read = stored.read(&mut piece)?;
            match piece.get(..read).filter(|read| !read.is_empty()) {
                Some(read) => writer.write(read)?,
                None => break,
            }
        }
        let body = writer.finish()?;
        if body.hash == hash {
            return Ok(body);
        }
        let what = format!("it is {}, not {hash}", body.hash);
        Err(io::Error::new(io::ErrorKind::InvalidData, what))
    });
    reading.await.map_err(io::Error::other).and_then(|body| body)
}

/// The first bytes of a stored body, as many as are kept of one that arrives; on a thread that may block.
pub(crate) fn head(store: Arc<dyn Store>, hash: BodyHash) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    StoredBody::open(store, hash)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}
