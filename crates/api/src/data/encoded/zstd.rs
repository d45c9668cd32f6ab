//! A body as zstd (RFC 8878), compressed once for all the beginnings that are put before it.

use bytes::Bytes;
use zstd::bulk::Compressor;

/// zstd level: pages live until the next snapshot, so that the first of a snapshot must not take long.
const LEVEL: i32 = 1;
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Neither the length of the content, nor a checksum, nor a dictionary: a window of its own.
const DESCRIPTOR: u8 = 0;
const HEADER_BYTES: usize = 6;
/// The largest window that every client has to take (RFC 9659).
const MAX_WINDOW_BYTES: u64 = 8 << 20;
/// The most that a block holds where the window is not smaller.
const MAX_BLOCK_BYTES: usize = 128 << 10;

/// The frame of a body, in two parts.
#[derive(Debug)]
pub(super) struct Zstd {
    header: [u8; HEADER_BYTES],
    /// The most that a block of this frame holds.
    block_bytes: usize,
    blocks: Bytes,
}

impl Zstd {
    pub(super) fn new(body: &[u8]) -> Option<Self> {
        let mut compressor = Compressor::new(LEVEL).ok()?;
        compressor.include_contentsize(false).ok()?;
        compressor.include_checksum(false).ok()?;
        compressor.include_dictid(false).ok()?;
        // Kept for long, so without the room to grow.
        Self::of_frame(Bytes::from(compressor.compress(body).ok()?.into_boxed_slice()))
    }

    /// Takes a frame apart, if its header has the one form that nothing has to be changed in.
    fn of_frame(frame: Bytes) -> Option<Self> {
        let header: [u8; HEADER_BYTES] = frame.get(..HEADER_BYTES)?.try_into().ok()?;
        let [magic @ .., descriptor, window] = header;
        let window_bytes = window_bytes(window);
        if magic != MAGIC || descriptor != DESCRIPTOR || window_bytes > MAX_WINDOW_BYTES {
            return None;
        }
        let window_bytes = usize::try_from(window_bytes).ok()?;
        let block_bytes = window_bytes.min(MAX_BLOCK_BYTES);
        Some(Self { header, block_bytes, blocks: frame.slice(HEADER_BYTES..) })
    }

    /// What it takes, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        HEADER_BYTES + self.blocks.len()
    }

    /// One frame: the prefix as it is, the body behind it. Raw blocks change nothing of what the blocks behind
    /// them go on from, and these refer to nothing before their own beginning.
    pub(super) fn behind(&self, prefix: &[u8]) -> [Bytes; 3] {
        let blocks = prefix.chunks(self.block_bytes);
        let mut head = Vec::with_capacity(HEADER_BYTES + prefix.len() + 3 * blocks.len());
        head.extend_from_slice(&self.header);
        for block in blocks {
            // Not the last one (bit 0), raw (bits 1 and 2), then its length.
            let length = u32::try_from(block.len()).unwrap_or(u32::MAX) << 3;
            head.extend_from_slice(length.to_le_bytes().get(..3).unwrap_or_default());
            head.extend_from_slice(block);
        }
        [Bytes::from(head), self.blocks.clone(), Bytes::new()]
    }
}

/// What a window descriptor says (RFC 8878, section 3.1.1.1.2).
fn window_bytes(descriptor: u8) -> u64 {
    let base = 1 << (10 + (descriptor >> 3));
    base + base / 8 * u64::from(descriptor & 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(header: [u8; HEADER_BYTES]) -> Bytes {
        // A last block that is raw and empty.
        [&header[..], &[1, 0, 0]].concat().into()
    }

    #[test]
    fn only_a_frame_that_tells_nothing_of_its_content_is_taken_apart() {
        let [a, b, c, d] = MAGIC;
        let small = Zstd::of_frame(frame([a, b, c, d, 0, 0])).unwrap();
        assert_eq!(small.block_bytes, 1 << 10);
        let largest = Zstd::of_frame(frame([a, b, c, d, 0, 13 << 3])).unwrap();
        assert_eq!(largest.block_bytes, MAX_BLOCK_BYTES);
        for header in [
            [a, b, c, d, 0, (13 << 3) + 1],
            [a, b, c, d, 0, u8::MAX],
            [a, b, c, d, 0b100, 0],
            [a, b, c, d, 0b0010_0000, 0],
            [a, b, c, d, 0b0100_0000, 0],
            [a, b, c, d, 1, 0],
            [a, b, c, d ^ 1, 0, 0],
        ] {
            assert!(Zstd::of_frame(frame(header)).is_none(), "{header:?}");
        }
        assert!(Zstd::of_frame(Bytes::from_static(&[0x28, 0xb5, 0x2f, 0xfd, 0])).is_none());
    }
}
