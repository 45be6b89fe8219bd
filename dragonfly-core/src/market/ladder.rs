//! One or two sides of a book as a short sorted image stored in place.

use std::ops::Deref;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        for item in items.into_iter().take(MAX_DEPTH) {
            ladder.push(item);
        }
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
