//! Instants that were seen in a run, in bounded memory.

use hashbrown::HashSet;
use kasparro_domain::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

/// Most instants that are told apart: with 9 bytes each and room to grow, 20 to 40 MB.
const MOST: usize = 2_000_000;

/// Listings and instants, each by a hash of 64 bits.
///
/// A hit is a hint: the store looks the point up before it counts a row as a repetition, so two points
/// that share a hash lose nothing. Beyond the most that are told apart everything is new; a point that is
/// stated twice with two values then counts as corrected, in place of repeated.
#[derive(Debug, Default)]
pub(super) struct SeenInstants(HashSet<u64>);

impl SeenInstants {
    /// Forgets everything and gives the memory back.
    pub(super) fn clear(&mut self) {
        self.0 = HashSet::default();
    }

    /// Notes an instant; false when it seems to have been seen.
    pub(super) fn insert(&mut self, place: u32, instant: Timestamp) -> bool {
        let mut bytes = [0; 12];
        let (listing, millis) = bytes.split_at_mut(4);
        listing.copy_from_slice(&place.to_le_bytes());
        millis.copy_from_slice(&instant.as_millis().to_le_bytes());
        let hash = xxh3_64(&bytes);
        if self.0.len() >= MOST {
            return !self.0.contains(&hash);
        }
        self.0.insert(hash)
    }
}
