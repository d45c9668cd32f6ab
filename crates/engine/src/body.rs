//! A body on its way into the store: hashed and compressed while it arrives, in bounded memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use bytes::{Buf, Bytes};
use kasparro_domain::BodyHash;
use kasparro_store::CompressedBody;
use sha2::{Digest, Sha256};

/// Compressed bytes kept in memory; a longer body goes on in an unnamed temporary file.
const MEMORY_BYTES: usize = 2 << 20;

/// zstd level: 1 compresses ticker pages 5 times at 2 ms a megabyte; 3 costs half as much again for
/// a few percent.
const ZSTD_LEVEL: i32 = 1;

/// First bytes that are kept for a source to recognise errors in.
pub(crate) const HEAD_BYTES: usize = 4096;

/// Takes a body in as it arrives.
pub(crate) struct BodyWriter {
    sha256: Sha256,
    bytes: u64,
    head: Vec<u8>,
    frame: zstd::stream::write::Encoder<'static, tempfile::SpooledTempFile>,
}

impl BodyWriter {
    pub(crate) fn new(spool_dir: &Path) -> io::Result<Self> {
        let spool = tempfile::SpooledTempFile::new_in(MEMORY_BYTES, spool_dir);
        let frame = zstd::stream::write::Encoder::new(spool, ZSTD_LEVEL)?;
        Ok(Self { sha256: Sha256::new(), bytes: 0, head: Vec::new(), frame })
    }

    /// Bytes taken in so far.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.sha256.update(piece);
        self.bytes += piece.len() as u64;
        let missing = HEAD_BYTES.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(piece.get(..missing).unwrap_or_default());
        self.frame.write_all(piece)
    }

    pub(crate) fn finish(self) -> io::Result<Body> {
        let kept = match self.frame.finish()?.into_inner() {
            tempfile::SpooledData::InMemory(cursor) => {
                Kept::Memory(Bytes::from(cursor.into_inner()))
            }
            tempfile::SpooledData::OnDisk(file) => Kept::Disk(file),
        };
        Ok(Body {
            hash: BodyHash(self.sha256.finalize().into()),
            bytes: self.bytes,
            head: self.head,
            kept,
        })
    }
}

enum Kept {
    Memory(Bytes),
    Disk(File),
}

/// A whole body, compressed. Its readers share one position, so only one is used at a time.
pub(crate) struct Body {
    pub(crate) hash: BodyHash,
    pub(crate) bytes: u64,
    pub(crate) head: Vec<u8>,
    kept: Kept,
}

impl Body {
    fn frame(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match &self.kept {
            Kept::Memory(bytes) => Box::new(bytes.clone().reader()),
            Kept::Disk(file) => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(0))?;
                Box::new(file)
            }
        })
    }

    /// The body as it came.
    pub(crate) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(zstd::stream::read::Decoder::new(self.frame()?)?))
    }

    /// The body as a store takes it.
    pub(crate) fn compressed(&self) -> io::Result<CompressedBody> {
        Ok(CompressedBody { hash: self.hash, body_bytes: self.bytes, frame: self.frame()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incompressible(bytes: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..bytes).map(|_| next()).collect()
    }

    #[test]
    fn a_body_comes_back_as_it_came_from_memory_and_from_disk() {
        let folder = tempfile::tempdir().unwrap();
        for length in [0, 10, MEMORY_BYTES + (1 << 20)] {
            let sent = incompressible(length);
            let mut writer = BodyWriter::new(folder.path()).unwrap();
            for piece in sent.chunks(70_001) {
                writer.write(piece).unwrap();
            }
            let body = writer.finish().unwrap();
            for _ in 0..2 {
                let mut back = Vec::new();
                body.open().unwrap().read_to_end(&mut back).unwrap();
                assert!(back == sent);
            }
            assert_eq!(body.bytes, length as u64);
            assert_eq!(body.hash.0, <[u8; 32]>::from(Sha256::digest(&sent)));
            assert_eq!(body.head, sent[..length.min(HEAD_BYTES)]);
        }
    }
}
