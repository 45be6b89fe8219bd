//! Short names stored inline, so that an event carries them without a heap and without a lock.

use std::{borrow::Borrow, fmt, ops::Deref, str::FromStr};

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

impl<const N: usize> Borrow<[u8]> for Name<N> {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
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

#[cfg(test)]
mod tests {
    use super::*;

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
