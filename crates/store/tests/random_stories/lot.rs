//! Chance that is the same in every run.

/// Numbers that look random and are the same in every run (xorshift).
pub(super) struct Lot(pub(super) u64);

impl Lot {
    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// True once in `times`.
    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(super) fn minute(&mut self) -> i64 {
        self.below(9).cast_signed()
    }

    pub(super) fn name(&mut self) -> Option<compact_str::CompactString> {
        (!self.once_in(4)).then(|| format!("name {}", self.below(3)).into())
    }
}
