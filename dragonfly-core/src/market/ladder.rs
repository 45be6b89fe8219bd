//! One or two sides of a book as a short sorted image stored in place.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places are those of levels that are there, and counts of updates do not reach 2^64; tried by models and fuzz targets"
)]

use std::{fmt, ops::Deref};

use super::{Price, Qty};

/// How many levels a side an image carries at the most.
pub const MAX_DEPTH: usize = 20;

/// A price and the quantity resting at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The price of the level.
    pub price: Price,
    /// The quantity at that price; zero removes the level.
    pub qty: Qty,
}

impl Level {
    /// A level from its two parts.
    pub const fn new(price: Price, qty: Qty) -> Self {
        Self { price, qty }
    }
}

/// Up to [`MAX_DEPTH`] levels of one side, best first.
///
/// Two ladders are equal when their levels are; what a longer ladder left behind in the unused
/// places does not count.
#[derive(Clone, Copy)]
pub struct Ladder<T: Copy = Level> {
    len: u8,
    levels: [T; MAX_DEPTH],
}

impl<T: Copy + Default> Default for Ladder<T> {
    fn default() -> Self {
        Self {
            len: 0,
            levels: [T::default(); MAX_DEPTH],
        }
    }
}

impl<T: Copy> Ladder<T> {
    /// Appends a level behind the worst one; false when the ladder is full.
    #[inline]
    pub fn push(&mut self, level: T) -> bool {
        let Some(slot) = self.levels.get_mut(usize::from(self.len)) else {
            return false;
        };
        *slot = level;
        self.len += 1;
        true
    }

    /// Removes every level.
    #[inline]
    pub const fn clear(&mut self) {
        self.len = 0;
    }

    /// Replaces every level by the first [`MAX_DEPTH`] of `levels`.
    #[inline]
    pub fn refill(&mut self, levels: impl IntoIterator<Item = T>) {
        let mut len = 0;
        for (slot, level) in self.levels.iter_mut().zip(levels) {
            *slot = level;
            len += 1;
        }
        self.len = len;
    }

    /// The first `depth` places to write levels to, used or not, at most [`MAX_DEPTH`]; then
    /// [`set_len`](Self::set_len) says how many of them are levels.
    #[inline]
    pub fn room(&mut self, depth: usize) -> &mut [T] {
        &mut self.levels[..depth.min(MAX_DEPTH)]
    }

    /// Makes the first `len` places, at most [`MAX_DEPTH`], the levels.
    #[inline]
    pub fn set_len(&mut self, len: usize) {
        #[allow(clippy::cast_possible_truncation, reason = "smaller than a u8")]
        let len = len.min(MAX_DEPTH) as u8;
        self.len = len;
    }

    /// Keeps the best `depth` levels.
    #[inline]
    pub fn truncate(&mut self, depth: usize) {
        if depth < usize::from(self.len) {
            #[allow(clippy::cast_possible_truncation, reason = "smaller than a u8")]
            let len = depth as u8;
            self.len = len;
        }
    }

    /// The levels, best first.
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        &self.levels[..usize::from(self.len)]
    }
}

impl<T: Copy + PartialEq> PartialEq for Ladder<T> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Copy + Eq> Eq for Ladder<T> {}

impl<T: Copy + fmt::Debug> fmt::Debug for Ladder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

impl<T: Copy> Deref for Ladder<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T: Copy + Default> FromIterator<T> for Ladder<T> {
    /// Takes the first [`MAX_DEPTH`] items and leaves the rest.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut ladder = Self::default();
        ladder.refill(items);
        ladder
    }
}

/// The best levels of one book: bids descending, asks ascending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Bids, highest price first.
    pub bids: Ladder,
    /// Asks, lowest price first.
    pub asks: Ladder,
}

impl Depth {
    /// Whether the best bid is at or above the best ask.
    #[inline]
    pub fn is_crossed(&self) -> bool {
        match (self.bids.first(), self.asks.first()) {
            (Some(bid), Some(ask)) => bid.price >= ask.price,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_longer_ladder_left_behind_does_not_count() {
        let mut cut: Ladder<u8> = [1, 2, 3].into_iter().collect();
        cut.truncate(1);
        let short: Ladder<u8> = [1].into_iter().collect();
        assert_eq!(cut, short);
        cut.clear();
        assert_eq!(cut, Ladder::default());
        assert_ne!(short, Ladder::default());
    }
}
