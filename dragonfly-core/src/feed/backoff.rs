//! How long to wait before connecting again: full jitter, for ever.
//!
//! After "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): the wait is uniform
//! between zero and a ceiling that doubles from attempt to attempt.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "sums of times saturate, and counts of messages do not reach 2^64"
)]

use crate::clock::Nanos;

/// The waits between attempts. Reset it on the first data, not on the handshake: a venue that
/// accepts and then closes must not be hammered.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Nanos,
    longest: Nanos,
    ceiling: Nanos,
    random: u64,
}

impl Backoff {
    /// Waits up to 125 ms first, so that a book that lost its connection is back within 250 ms where a
    /// venue sends an image every 100 ms; up to 30 s in the end.
    pub const fn new(seed: u64) -> Self {
        Self::between(Nanos::from_millis(125), Nanos::from_secs(30), seed)
    }

    /// Waits up to `first`, doubling up to `longest`. The same `seed` gives the same waits.
    pub const fn between(first: Nanos, longest: Nanos, seed: u64) -> Self {
        Self {
            first,
            longest,
            ceiling: first,
            random: seed,
        }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Nanos {
        let ceiling = self.ceiling;
        self.ceiling = Nanos(ceiling.0.saturating_mul(2)).min(self.longest);
        // The wait is the high half of a 64 x 64 bit product: uniform, without a division.
        let wait = u128::from(self.split_mix()) * u128::from(ceiling.0);
        Nanos(u64::try_from(wait >> 64).unwrap_or(ceiling.0))
    }

    /// Begins again at the shortest wait.
    pub const fn reset(&mut self) {
        self.ceiling = self.first;
    }

    /// `SplitMix64` (Steele, Lea, Flood 2014).
    const fn split_mix(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_jittered_grow_to_the_limit_and_never_end() {
        let mut backoff = Backoff::new(7);
        let waits: Vec<Nanos> = (0..1_000).map(|_| backoff.next_wait()).collect();
        assert!(waits[0] < Nanos::from_millis(125));
        assert!(waits.iter().all(|w| *w < Nanos::from_secs(30)));
        let late = &waits[11..];
        let mean = late.iter().map(|w| w.0 / 1_000_000).sum::<u64>() / late.len() as u64;
        assert!(
            (13_000..17_000).contains(&mean),
            "mean {mean} ms of a uniform 0..30 s"
        );
        backoff.reset();
        assert!(backoff.next_wait() < Nanos::from_millis(125));
    }

    #[test]
    fn two_seeds_do_not_march_in_step() {
        let (mut a, mut b) = (Backoff::new(1), Backoff::new(2));
        assert!((0..10).any(|_| a.next_wait() != b.next_wait()));
    }
}
