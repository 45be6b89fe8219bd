//! A merge of two sorted lists of levels without a branch on how they interleave.
//!
//! Which of two heads comes next is as good as random between venues, so a branch on it is mispredicted
//! half of the time, and a misprediction costs as much as several levels. Here the answer is
//! arithmetic: it moves the lists' beginnings by one or by none. What is left is the latency from one
//! level to the next, and [`both`] hides that by working on bids and asks at the same time.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places lie within lists of a fixed length, and ranks below their number; held to a merge by brute force"
)]

use std::hint::select_unpredictable;

use dragonfly_core::market::{Level, Price, VenueLevel};

/// Whether the first price is strictly better.
#[inline]
pub(crate) fn is_better<const IS_BID: bool>(price: Price, than: Price) -> bool {
    if IS_BID { price > than } else { price < than }
}

/// A level of a list to be merged.
pub(crate) trait Listed: Copy {
    fn level(&self) -> Level;

    /// The level with its leg: its own, or `leg` where it knows of none.
    fn of_leg(&self, leg: u8) -> VenueLevel;

    /// Whether it comes after a level that equals it, of a leg with this rank.
    fn yields_to(&self, equal: &Level, rank: u8, ranks: &[u8]) -> bool;
}

/// The levels of one leg; on the left, the one whose name comes first.
impl Listed for Level {
    #[inline]
    fn level(&self) -> Level {
        *self
    }

    #[inline]
    fn of_leg(&self, leg: u8) -> VenueLevel {
        venue_level(self, leg)
    }

    #[inline]
    fn yields_to(&self, _: &Level, _: u8, _: &[u8]) -> bool {
        false
    }
}

/// The levels of several legs.
impl Listed for VenueLevel {
    #[inline]
    fn level(&self) -> Level {
        Level::new(self.price, self.qty)
    }

    #[inline]
    fn of_leg(&self, _: u8) -> VenueLevel {
        *self
    }

    #[inline]
    fn yields_to(&self, equal: &Level, rank: u8, ranks: &[u8]) -> bool {
        // Without a branch: the same price is common and cannot be predicted.
        let other = ranks.get(usize::from(self.leg)).copied().unwrap_or(0);
        (rank < other) & (self.price == equal.price) & (self.qty == equal.qty)
    }
}

#[inline]
pub(crate) const fn venue_level(level: &Level, leg: u8) -> VenueLevel {
    VenueLevel {
        price: level.price,
        qty: level.qty,
        leg,
    }
}

/// Two sorted lists on their way into one; `IS_BID` says which way prices get worse.
#[derive(Debug)]
pub(crate) struct Merge<'a, L, const IS_BID: bool> {
    pub(crate) left: &'a [L],
    /// The left list's leg, where it is the list of one.
    pub(crate) left_leg: u8,
    /// The levels of one leg.
    pub(crate) right: &'a [L],
    pub(crate) right_leg: u8,
    /// The place of each leg in the order of names.
    pub(crate) ranks: &'a [u8],
    /// Where the result goes; as much as there is room for.
    pub(crate) merged: &'a mut [VenueLevel],
    /// The last level that may come in from `right` once `left` has ended.
    pub(crate) bound: Option<VenueLevel>,
}

/// What a merge came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Merged {
    /// How long the result is.
    pub(crate) len: usize,
    /// Whether it has all levels of both lists.
    pub(crate) has_all: bool,
}

impl<L: Listed, const IS_BID: bool> Merge<'_, L, IS_BID> {
    #[inline]
    fn right_rank(&self) -> u8 {
        let rank = self.ranks.get(usize::from(self.right_leg));
        rank.copied().unwrap_or(u8::MAX)
    }

    /// Merges.
    #[inline]
    pub(crate) fn run(self) -> Merged {
        self.go_on(0)
    }

    /// Goes on until one list has ended, or there is no more room; then takes what is left of the
    /// other: of the right one only what does not come behind the bound.
    #[inline]
    fn go_on(self, done: usize) -> Merged {
        let rank = self.right_rank();
        let is_within = |level: &&L| match &self.bound {
            None => true,
            Some(bound) if bound.leg == self.right_leg && bound.level() == level.level() => true,
            Some(bound) => is_right::<_, IS_BID>(bound, &level.level(), rank, self.ranks),
        };
        let (mut left, mut right) = (self.left, self.right);
        let mut room = self.merged.iter_mut().skip(done);
        let mut len = done;
        while let (Some(l), Some(r)) = (left.first(), right.first()) {
            let Some(slot) = room.next() else {
                return Merged {
                    len,
                    has_all: false,
                };
            };
            let is_right = is_right::<L, IS_BID>(l, &r.level(), rank, self.ranks);
            *slot = pick(is_right, l, self.left_leg, r, self.right_leg);
            left = &left[usize::from(!is_right)..];
            right = &right[usize::from(is_right)..];
            len += 1;
        }
        let mut rest = 0;
        for (level, slot) in left.iter().zip(room.by_ref()) {
            *slot = level.of_leg(self.left_leg);
            rest += 1;
        }
        for (level, slot) in right.iter().take_while(is_within).zip(room) {
            *slot = level.of_leg(self.right_leg);
            rest += 1;
        }
        Merged {
            len: len + rest,
            has_all: rest == left.len() + right.len(),
        }
    }
}

/// Whether the right list's head comes next: it has the better price, or the larger quantity at the
/// same price, or the name that comes first.
#[inline]
pub(crate) fn is_right<L: Listed, const IS_BID: bool>(
    left: &L,
    right: &Level,
    rank: u8,
    ranks: &[u8],
) -> bool {
    let level = left.level();
    let (high, low) = if IS_BID {
        (right.price, level.price)
    } else {
        (level.price, right.price)
    };
    let is_first = select_unpredictable(right.qty > level.qty, high >= low, high > low);
    // No short circuit: it would be a branch on how the lists interleave.
    is_first | left.yields_to(right, rank, ranks)
}

/// Chooses a place and copies from there: a choice between two copies would be a branch.
#[inline]
fn pick<L: Listed>(is_right: bool, left: &L, left_leg: u8, right: &L, right_leg: u8) -> VenueLevel {
    let leg = select_unpredictable(is_right, right_leg, left_leg);
    select_unpredictable(is_right, right, left).of_leg(leg)
}

/// Merges bids and asks at the same time.
#[inline]
pub(crate) fn both<L: Listed>(
    mut bids: Merge<'_, L, true>,
    mut asks: Merge<'_, L, false>,
) -> (Merged, Merged) {
    let (bid_rank, ask_rank) = (bids.right_rank(), asks.right_rank());
    let mut done = 0;
    for (bid_slot, ask_slot) in bids.merged.iter_mut().zip(asks.merged.iter_mut()) {
        let (Some(bl), Some(br)) = (bids.left.first(), bids.right.first()) else {
            break;
        };
        let (Some(al), Some(ar)) = (asks.left.first(), asks.right.first()) else {
            break;
        };
        let is_bid_right = is_right::<L, true>(bl, &br.level(), bid_rank, bids.ranks);
        let is_ask_right = is_right::<L, false>(al, &ar.level(), ask_rank, asks.ranks);
        *bid_slot = pick(is_bid_right, bl, bids.left_leg, br, bids.right_leg);
        *ask_slot = pick(is_ask_right, al, asks.left_leg, ar, asks.right_leg);
        bids.left = &bids.left[usize::from(!is_bid_right)..];
        bids.right = &bids.right[usize::from(is_bid_right)..];
        asks.left = &asks.left[usize::from(!is_ask_right)..];
        asks.right = &asks.right[usize::from(is_ask_right)..];
        done += 1;
    }
    (bids.go_on(done), asks.go_on(done))
}
