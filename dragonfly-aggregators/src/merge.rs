//! A merge of two sorted lists of levels without a branch on how they interleave.
//!
//! Which of two heads comes next is as good as random between venues, so a branch on it is mispredicted
//! half of the time, and a misprediction costs as much as several levels. Here the answer is
//! arithmetic: it moves the lists' beginnings by one or by none. What is left is the latency from one
//! level to the next, and [`both`] hides that by working on bids and asks at the same time.

use std::hint::select_unpredictable;

use dragonfly_core::market::{Price, Qty};

/// A level of a leg, with what decides between equals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) price: Price,
    pub(crate) qty: Qty,
    /// Index of the leg.
    pub(crate) leg: u8,
    /// The leg's place in the order of names.
    pub(crate) rank: u8,
}

impl Entry {
    /// Whether this level comes before `other` in the view: the better price, then the larger
    /// quantity, then the name that comes first.
    #[inline]
    pub(crate) fn precedes<const IS_BID: bool>(&self, other: &Self) -> bool {
        let (high, low) = if IS_BID {
            (self.price, other.price)
        } else {
            (other.price, self.price)
        };
        let wins_equal_qty = self.rank < other.rank;
        let wins_equal_price =
            select_unpredictable(wins_equal_qty, self.qty >= other.qty, self.qty > other.qty);
        select_unpredictable(wins_equal_price, high >= low, high > low)
    }
}

/// Two sorted lists on their way into one; `IS_BID` says which way prices get worse.
#[derive(Debug)]
pub(crate) struct Merge<'a, const IS_BID: bool> {
    left: &'a [Entry],
    right: &'a [Entry],
    merged: &'a mut [Entry],
    done: usize,
    /// The last level that may come in from `right` once `left` has ended.
    bound: Option<Entry>,
}

impl<'a, const IS_BID: bool> Merge<'a, IS_BID> {
    /// Fills `merged` with the best of both lists; with a `bound`, levels of `right` that come
    /// behind it, and behind all of `left`, are left out.
    pub(crate) const fn new(
        left: &'a [Entry],
        right: &'a [Entry],
        merged: &'a mut [Entry],
        bound: Option<Entry>,
    ) -> Self {
        Self {
            left,
            right,
            merged,
            done: 0,
            bound,
        }
    }

    /// Goes on until one list has ended, or there is no more room.
    #[inline]
    fn advance(&mut self) {
        let (mut left, mut right) = (self.left, self.right);
        for slot in self.merged.iter_mut().skip(self.done) {
            let (Some(l), Some(r)) = (left.first(), right.first()) else {
                break;
            };
            let is_right = r.precedes::<IS_BID>(l);
            *slot = *select_unpredictable(is_right, r, l);
            left = &left[usize::from(!is_right)..];
            right = &right[usize::from(is_right)..];
            self.done += 1;
        }
        (self.left, self.right) = (left, right);
    }

    /// Does what is left to do. Returns how long the result is and whether it has all levels.
    #[inline]
    pub(crate) fn finish(mut self) -> (usize, bool) {
        self.advance();
        let bound = self.bound.as_ref();
        let mut room = self.merged.iter_mut().skip(self.done);
        let mut rest = 0;
        for (entry, slot) in self.left.iter().zip(room.by_ref()) {
            *slot = *entry;
            rest += 1;
        }
        let is_within = |entry: &&Entry| bound.is_none_or(|b| !b.precedes::<IS_BID>(entry));
        for (slot, entry) in room.zip(self.right.iter().take_while(is_within)) {
            *slot = *entry;
            rest += 1;
        }
        let has_all = rest == self.left.len() + self.right.len();
        (self.done + rest, has_all)
    }
}

/// Goes on with both until one list of either has ended, or there is no more room in one.
#[inline]
pub(crate) fn both(bids: &mut Merge<'_, true>, asks: &mut Merge<'_, false>) {
    let (mut bid_left, mut bid_right) = (bids.left, bids.right);
    let (mut ask_left, mut ask_right) = (asks.left, asks.right);
    let mut done = 0;
    for (bid_slot, ask_slot) in bids.merged.iter_mut().zip(asks.merged.iter_mut()) {
        let (Some(bl), Some(br), Some(al), Some(ar)) = (
            bid_left.first(),
            bid_right.first(),
            ask_left.first(),
            ask_right.first(),
        ) else {
            break;
        };
        let is_bid_right = br.precedes::<true>(bl);
        let is_ask_right = ar.precedes::<false>(al);
        *bid_slot = *select_unpredictable(is_bid_right, br, bl);
        *ask_slot = *select_unpredictable(is_ask_right, ar, al);
        bid_left = &bid_left[usize::from(!is_bid_right)..];
        bid_right = &bid_right[usize::from(is_bid_right)..];
        ask_left = &ask_left[usize::from(!is_ask_right)..];
        ask_right = &ask_right[usize::from(is_ask_right)..];
        done += 1;
    }
    (bids.left, bids.right, bids.done) = (bid_left, bid_right, done);
    (asks.left, asks.right, asks.done) = (ask_left, ask_right, done);
}
