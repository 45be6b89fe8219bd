//! What a decoder remembers of the streams it has met, so that it need not be worked out again for
//! every message.
//!
//! A stream is told by text its messages carry in a fixed place, such as its name. What is remembered
//! follows from that text and is used only where the same text stands again: that something has been
//! forgotten, or pushed out by another stream, costs time and nothing else.

#![allow(
    clippy::indexing_slicing,
    reason = "positions go forward within the message, and counts are of what is in it; tried by a fuzz target for each decoder"
)]

use dragonfly_core::market::Symbol;

use crate::json::Memo;

/// How many streams are remembered at most; their places are chosen by a hash.
const PLACES: usize = 256;

/// One stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// The text by which it is told.
    pub(crate) text: Vec<u8>,
    /// The symbol the text names.
    pub(crate) symbol: Symbol,
    /// How many levels the text says the book has.
    pub(crate) window: Option<usize>,
    /// The best bids of its last image, as text and as levels.
    pub(crate) bids: Memo,
    /// The best asks.
    pub(crate) asks: Memo,
}

/// The streams.
#[derive(Debug)]
pub(crate) struct Known {
    places: Box<[Option<Box<Stream>>]>,
}

impl Default for Known {
    fn default() -> Self {
        let places = std::iter::repeat_with(|| None).take(PLACES);
        Self {
            places: places.collect(),
        }
    }
}

impl Known {
    /// The stream that may have these bytes within its text.
    #[inline]
    pub(crate) fn find(&mut self, key: &[u8; 16]) -> Option<&mut Stream> {
        self.places.get_mut(place(key))?.as_deref_mut()
    }

    /// Remembers a stream, in the place of another where need be; `None` for a text that may stand for
    /// something else.
    #[cold]
    pub(crate) fn learn(
        &mut self,
        key: &[u8; 16],
        text: &[u8],
        symbol: Symbol,
    ) -> Option<&mut Stream> {
        if text.contains(&b'\\') {
            return None;
        }
        let stream = self.places[place(key)].get_or_insert_default();
        stream.text.clear();
        stream.text.extend_from_slice(text);
        (stream.symbol, stream.window) = (symbol, None);
        Some(stream)
    }
}

#[inline]
fn place(key: &[u8; 16]) -> usize {
    let key = u128::from_le_bytes(*key);
    #[allow(clippy::cast_possible_truncation, reason = "halves")]
    let mixed = key as u64 ^ ((key >> 64) as u64).rotate_left(29);
    // Fibonacci hashing: the upper bits depend on all others.
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize % PLACES
}
