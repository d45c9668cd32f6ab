//! Chance that is the same everywhere.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A sequence of numbers that a seed decides. A hash of a counter rather than a generator of a library,
/// whose sequence a new version may change: what was measured must be made again byte for byte.
#[derive(Debug)]
pub(super) struct Chance {
    seed: u64,
    drawn: u64,
}

impl Chance {
    /// One sequence of a seed; `part` tells several apart.
    pub(super) fn new(seed: u64, part: &str) -> Self {
        Self { seed: xxh3_64_with_seed(part.as_bytes(), seed), drawn: 0 }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.drawn += 1;
        xxh3_64_with_seed(&self.drawn.to_le_bytes(), self.seed)
    }

    /// A number below `end`; 0 where that is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % end).unwrap_or_default()
    }

    /// True so many times in a thousand.
    pub(super) fn per_mille(&mut self, times: usize) -> bool {
        self.below(1000) < times
    }

    /// One of these; the default where there are none.
    pub(super) fn pick<T: Clone + Default>(&mut self, from: &[T]) -> T {
        from.get(self.below(from.len())).cloned().unwrap_or_default()
    }
}
