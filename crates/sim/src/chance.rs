//! Randomness as a function: the same seed, purpose and index always draw the same number.

/// What a number is drawn for, so that two properties of one coin are independent.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(crate) enum Purpose {
    Name = 1,
    Symbol,
    Cap,
    Supply,
    Supplies,
    Known,
    Character,
    Ath,
    Beta,
    Turnover,
    Volume,
    Walk,
    Spread,
    Jitter,
    Platforms,
    Address,
    News,
    Fault,
    Life,
}

/// The seed of a world.
///
/// A generator of our own and not a crate's: a seed must mean the same world for as long as recorded
/// results refer to it, and generators with a hidden state cannot be asked for coin 70,000 at step 12.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed(u64);

/// The finaliser of `SplitMix64`: every input bit reaches every output bit.
const fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Seed {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(scramble(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)))
    }

    /// The number that belongs to `purpose` and `index`.
    pub(crate) const fn draw(self, purpose: Purpose, index: u32) -> u64 {
        scramble(
            self.0
                .wrapping_add((purpose as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
                .wrapping_add((index as u64).wrapping_mul(0xd134_2543_de82_ef95)),
        )
    }
}

/// The number that follows from a drawn one at a place or instant.
pub(crate) const fn further(drawn: u64, at: u64) -> u64 {
    scramble(drawn ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
