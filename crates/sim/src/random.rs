//! Random numbers that are the same for a seed in every build, for ever.

use std::time::Duration;

/// A generator in the manner of `SplitMix64`: small, fast, and ours, so that no update of a library changes a schedule.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator for a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x6A09_E667_F3BC_C908)
    }

    /// A generator of its own for a part of the schedule.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.draw())
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw().checked_rem(end).unwrap_or_default()
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first) + 1)
    }

    /// Minor units from 1 to `most`.
    pub fn minor(&mut self, most: i64) -> i64 {
        i64::try_from(self.between(1, u64::try_from(most).unwrap_or(1))).unwrap_or(1)
    }

    /// An index into something with `length` elements.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// Whether something that happens `per_mille` times in a thousand happens now.
    pub fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// A time between two bounds, in whole milliseconds.
    pub fn pause(&mut self, shortest: Duration, longest: Duration) -> Duration {
        let millis = |one: Duration| u64::try_from(one.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.between(millis(shortest), millis(longest)))
    }
}

/// A number for the n-th time of something, for generators that do not depend on what else happened before.
pub fn digest(name: &str, ordinal: u64) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in name.bytes().chain(ordinal.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers that the author of the algorithm gives for this state.
    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        let mut random = Random(1_234_567);
        let numbers = [random.draw(), random.draw(), random.draw()];
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
