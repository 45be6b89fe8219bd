//! Random numbers that are the same on every machine for the same seed.
//!
//! xoshiro256** (Blackman and Vigna, 2018), seeded by SplitMix64 (Steele, Lea and Flood, 2014). No
//! floating point: what depends on rounding or on a mathematics library does not repeat.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random([u64; 4]);

impl Random {
    /// The stream of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed;
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(state)
        }))
    }

    /// A stream of its own for what `label` names: taking one thing out of a run leaves the numbers
    /// of all others as they were.
    pub(crate) fn of(seed: u64, label: &str) -> Self {
        let hash = label.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self::new(mix(seed) ^ hash)
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number below `limit`; 0 where the limit is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // The high half of a 64 x 64 bit product: uniform but for a bias nobody here would notice.
        let wide = u128::from(self.next()) * u128::from(limit);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// The same as [`Random::between`] for what can be counted down from zero.
    pub(crate) fn near(&mut self, low: i64, high: i64) -> i64 {
        let span = high.saturating_sub(low).unsigned_abs();
        low.saturating_add_unsigned(self.below(span.saturating_add(1)))
    }

    /// True in `hits` of `of` cases.
    pub(crate) fn chance(&mut self, hits: u64, of: u64) -> bool {
        self.below(of) < hits
    }

    /// An index into something of `len` items; 0 where it is empty.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// One of the items.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T], other: T) -> T {
        items.get(self.index(items.len())).copied().unwrap_or(other)
    }

    /// How long until the next of events that come every `mean` on average: mostly shorter, at
    /// times three times as long.
    pub(crate) fn gap(&mut self, mean: u64) -> u64 {
        let long = if self.chance(1, 8) { 3 } else { 1 };
        1 + self.below(mean.saturating_mul(2).saturating_mul(long) * 8 / 10)
    }
}

/// The finalizer of SplitMix64.
const fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_label_fix_the_numbers() {
        let numbers = |seed, label| {
            let mut random = Random::of(seed, label);
            [random.next(), random.next()]
        };
        assert_eq!(numbers(1, "a"), numbers(1, "a"));
        assert_ne!(numbers(1, "a"), numbers(1, "b"));
        assert_ne!(numbers(1, "a"), numbers(2, "a"));
    }

    #[test]
    fn numbers_stay_in_range_and_reach_both_ends() {
        let mut random = Random::new(3);
        let seen: Vec<u64> = (0..200).map(|_| random.between(4, 7)).collect();
        assert_eq!((seen.iter().min(), seen.iter().max()), (Some(&4), Some(&7)));
        let mean = (0..1_000).map(|_| random.gap(1_000)).sum::<u64>() / 1_000;
        assert!((700..1_400).contains(&mean), "{mean}");
        assert_eq!(random.below(0), 0);
    }
}
