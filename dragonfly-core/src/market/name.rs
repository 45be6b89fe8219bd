//! Short names stored inline, so that an event carries them without a heap and without a lock.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bounded by the length of a name, which is fixed"
)]

use std::{
    fmt,
    hash::{BuildHasher, Hasher},
    ops::Deref,
    str::FromStr,
};

/// Text of at most `N` bytes, stored in place and copied like a number.
///
/// Two names are equal when their text is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name<const N: usize> {
    len: u8,
    bytes: [u8; N],
}

/// The lower-case id of a venue, such as `binance` or `coinbase-advanced`; at most 31 bytes.
pub type Venue = Name<31>;

/// A unified or native symbol, such as `BTC-USDT` or `btcusdt`; at most 39 bytes.
pub type Symbol = Name<39>;

/// Why a text is no [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text is longer than the name can hold.
    #[error("the name {text:?}... is {len} bytes long, at most {max} fit")]
    TooLong {
        /// The first characters of the text.
        text: String,
        /// Its length in bytes.
        len: usize,
        /// How many bytes fit.
        max: usize,
    },
}

impl<const N: usize> Name<N> {
    /// The empty name.
    pub const EMPTY: Self = Self {
        len: 0,
        bytes: [0; N],
    };

    /// Stores `text`.
    ///
    /// # Errors
    /// [`NameError::TooLong`] when it does not fit.
    #[inline]
    pub fn new(text: &str) -> Result<Self, NameError> {
        let Some(rest) = N.checked_sub(text.len()).filter(|_| text.len() <= 255) else {
            return Err(NameError::TooLong {
                text: text.chars().take(24).collect(),
                len: text.len(),
                max: N.min(255),
            });
        };
        let mut bytes = [0; N];
        let end = N - rest;
        bytes[..end].copy_from_slice(text.as_bytes());
        #[allow(clippy::cast_possible_truncation, reason = "checked above")]
        Ok(Self {
            len: end as u8,
            bytes,
        })
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.len))
            .map_or("", |b| str::from_utf8(b).unwrap_or(""))
    }

    /// The text as bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl<const N: usize> Default for Name<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> Deref for Name<N> {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> FromStr for Name<N> {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl<const N: usize> PartialOrd for Name<N> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Ord for Name<N> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl<const N: usize> PartialEq<str> for Name<N> {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<const N: usize> PartialEq<&str> for Name<N> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl<const N: usize> fmt::Display for Name<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Name<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// Hashes for maps whose keys are [`Name`]s: a few nanoseconds for a venue and a symbol.
///
/// Not proof against keys that are chosen to collide; for keys that come from the user's own
/// configuration, as the instruments that are subscribed do.
///
/// ```
/// # use std::collections::HashMap;
/// # use dragonfly_core::market::{NameHash, Symbol};
/// let mut index: HashMap<Symbol, usize, NameHash> = HashMap::default();
/// index.insert("ethbtc".parse()?, 0);
/// assert_eq!(index.get(&Symbol::new("ethbtc")?), Some(&0));
/// # Ok::<(), dragonfly_core::market::NameError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NameHash;

impl BuildHasher for NameHash {
    type Hasher = NameHasher;
    #[inline]
    fn build_hasher(&self) -> NameHasher {
        NameHasher(0)
    }
}

/// The state of a [`NameHash`].
#[derive(Clone, Debug)]
pub struct NameHasher(u64);

/// An odd number without a pattern: the fraction of the golden ratio.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Odd numbers that have nothing to do with each other, one for each word of a name.
const KEYS: [u64; 8] = {
    let mut keys = [0; 8];
    let mut at = 0;
    let mut state = MIX;
    while at < keys.len() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        keys[at] = state.wrapping_mul(MIX) | 1;
        at += 1;
    }
    keys
};

impl NameHasher {
    #[inline]
    const fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(MIX);
    }
}

impl Hasher for NameHasher {
    /// The words' products do not wait for each other.
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8 * KEYS.len()) {
            let (words, rest) = part.as_chunks::<8>();
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            let mut sum = u64::from_le_bytes(last);
            for (word, key) in words.iter().zip(KEYS) {
                sum = sum.wrapping_add(u64::from_le_bytes(*word).wrapping_mul(key));
            }
            self.add(sum);
        }
    }

    #[inline]
    fn write_u8(&mut self, n: u8) {
        self.add(n.into());
    }

    /// The length of an array or a slice, which says nothing of its own about a name.
    #[inline]
    fn write_usize(&mut self, _: usize) {}

    #[inline]
    fn finish(&self) -> u64 {
        // A product's low bits depend on the low bits alone, and tables use both ends.
        let wide = u128::from(self.0) * u128::from(MIX);
        #[allow(clippy::cast_possible_truncation, reason = "both halves are used")]
        let folded = (wide >> 64) as u64 ^ wide as u64;
        folded
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_that_differ_little_have_different_hashes() {
        let names: Vec<(Venue, Symbol)> = (0..10_000)
            .map(|i| {
                let venue = format!("v{}", i % 7).parse().unwrap();
                (venue, format!("coin{i}usdt").parse().unwrap())
            })
            .collect();
        let hashes: HashSet<u64> = names.iter().map(|n| NameHash.hash_one(n)).collect();
        assert_eq!(hashes.len(), names.len());
        // Tables use the lowest bits to choose a place and the highest seven to tell entries apart.
        let low: HashSet<u64> = hashes.iter().map(|h| h % 1_024).collect();
        let high: HashSet<u64> = hashes.iter().map(|h| h >> 57).collect();
        assert!(
            low.len() > 1_000 && high.len() == 128,
            "{} {}",
            low.len(),
            high.len()
        );
    }

    #[test]
    fn a_name_that_does_not_fit_says_so() {
        let error = Venue::new("a-venue-with-a-very-long-name-indeed").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the name \"a-venue-with-a-very-long\"... is 36 bytes long, at most 31 fit"
        );
    }

    #[test]
    fn names_order_as_their_text_does() {
        let mut names = ["kraken", "binance", "bit"].map(|n| Venue::new(n).unwrap());
        names.sort();
        assert_eq!(names.map(|n| n.to_string()), ["binance", "bit", "kraken"]);
    }
}
