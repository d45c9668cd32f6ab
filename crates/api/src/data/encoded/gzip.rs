//! A body as gzip (RFC 1952, RFC 1951), compressed once for all the beginnings that are put before it.

use std::io::Write as _;

use bytes::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// Deflate, without a name or a time, by the fastest algorithm, on a system that is not told.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// The most that a stored block holds.
const MAX_STORED_BYTES: usize = 65_535;

/// A deflated body and its checksum.
#[derive(Debug)]
pub(super) struct Gzip {
    deflated: Bytes,
    check: Crc,
}

impl Gzip {
    pub(super) fn new(body: &[u8]) -> Option<Self> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).ok()?;
        let deflated = encoder.finish().ok()?;
        let mut check = Crc::new();
        check.update(body);
        // Kept for long, so without the room to grow.
        Some(Self { deflated: Bytes::from(deflated.into_boxed_slice()), check })
    }

    /// What it takes, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.deflated.len()
    }

    /// One member: the prefix as it is, the body behind it. A stored block ends with a whole byte, and what was
    /// deflated refers to nothing before its own beginning.
    pub(super) fn behind(&self, prefix: &[u8]) -> [Bytes; 3] {
        let blocks = prefix.chunks(MAX_STORED_BYTES);
        let mut head = Vec::with_capacity(HEADER.len() + prefix.len() + 5 * blocks.len());
        head.extend_from_slice(&HEADER);
        for block in blocks {
            let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
            head.push(0);
            head.extend_from_slice(&length.to_le_bytes());
            head.extend_from_slice(&(!length).to_le_bytes());
            head.extend_from_slice(block);
        }
        let mut check = Crc::new();
        check.update(prefix);
        check.combine(&self.check);
        let tail = [check.sum().to_le_bytes(), check.amount().to_le_bytes()].concat();
        [Bytes::from(head), self.deflated.clone(), Bytes::from(tail)]
    }
}
