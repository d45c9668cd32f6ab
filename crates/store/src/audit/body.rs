//! A kept body, read back.

use std::io::{self, Read};

use kasparro_domain::BodyHash;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use super::BodyChunks;
use crate::StoreResult;

/// What a body holds, SHA-256 and length, or why it cannot be decompressed.
type Held = io::Result<(BodyHash, u64)>;

/// Reads a body chunk by chunk; also returns length and XXH3-64 of each chunk.
pub(super) fn read_body(chunks: &mut BodyChunks<'_>) -> StoreResult<(Held, Vec<Value>)> {
    let mut frame =
        Frame { chunks, next: 0, chunk: io::Cursor::default(), seen: Vec::new(), error: None };
    let held = hash_of(&mut frame);
    frame.error.map_or(Ok((held, frame.seen)), Err)
}

/// SHA-256 and length of what a compressed body holds.
fn hash_of(frame: &mut Frame<'_, '_>) -> io::Result<(BodyHash, u64)> {
    let mut body = zstd::stream::read::Decoder::new(frame)?;
    let (mut sha256, mut bytes) = (Sha256::new(), 0);
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = body.read(&mut piece)?;
        if read == 0 {
            return Ok((BodyHash(sha256.finalize().into()), bytes));
        }
        sha256.update(piece.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
}

/// The chunks of a body as one stream.
struct Frame<'a, 'b> {
    chunks: &'a mut BodyChunks<'b>,
    next: u32,
    chunk: io::Cursor<Vec<u8>>,
    seen: Vec<Value>,
    error: Option<crate::StoreError>,
}

impl Read for Frame<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let chunk = match (self.chunks)(self.next) {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(0),
                Err(error) => {
                    self.error = Some(error);
                    return Err(io::Error::other("a chunk cannot be read"));
                }
            };
            self.next += 1;
            self.seen.push(json!([chunk.len(), xxh3_64(&chunk)]));
            self.chunk = io::Cursor::new(chunk);
        }
    }
}
