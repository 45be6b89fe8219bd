//! One side of the consolidated book: the best levels of all legs, kept in order from event to event.
//!
//! A new image of one leg changes only that leg's levels. With one or two legs the best levels are
//! merged anew. With more, the levels of the other legs stay where they are: the leg's old ones are
//! taken out and its new ones merged in, which costs the same for three legs and for twenty.
//!
//! What that needs: a few more levels are kept than are shown, because taking out may take more than
//! comes in. The kept levels are the best of all levels: whatever is not among them comes behind the
//! last of them. So a new level that comes behind that last one cannot be kept, and when fewer are
//! left than are shown, all legs are merged anew.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places lie within lists of a fixed length, and ranks below their number; held to a merge by brute force"
)]

use dragonfly_core::market::{Ladder, Level, MAX_DEPTH, MAX_LEGS, VenueLevel};

use crate::merge::{self, Merge, Merged, is_better, is_right, venue_level};

/// How many levels are kept beyond those that are shown.
const RESERVE: usize = 8;

/// Room for every level that is kept.
const ROOM: usize = MAX_DEPTH + RESERVE;

/// Every leg has its bit.
const _: () = assert!(MAX_LEGS <= 32);

/// Levels of several legs, best first, stored in place.
#[derive(Clone, Copy, Debug, Default)]
struct List {
    len: usize,
    levels: [VenueLevel; ROOM],
}

impl List {
    #[inline]
    fn as_slice(&self) -> &[VenueLevel] {
        self.levels.get(..self.len).unwrap_or_default()
    }

    #[inline]
    fn fill(&mut self, leg: u8, levels: &[Level]) {
        self.len = 0;
        for (slot, level) in self.levels.iter_mut().zip(levels) {
            *slot = venue_level(level, leg);
            self.len += 1;
        }
    }
}

/// One side of the view, and of every leg.
#[derive(Debug)]
pub(crate) struct Top<const IS_BID: bool> {
    shown: usize,
    /// The newest image of each leg.
    images: Vec<Ladder>,
    /// The legs whose image has a level, a bit each.
    filled: u32,
    /// The place of each leg in the order of names.
    ranks: Vec<u8>,
    /// The best levels of all legs, while there are more than two.
    best: List,
    /// Whether `best` has all levels of all legs.
    has_all: bool,
    /// The best levels without those of the leg whose image is new.
    others: List,
    /// That leg's new levels.
    own: List,
}

/// What is left to do after a new image.
#[derive(Debug)]
pub(crate) enum Work<'a, const IS_BID: bool> {
    /// The best levels are as before.
    Nothing,
    /// Two legs are merged straight into the view.
    Two(Merge<'a, Level, IS_BID>),
    /// A leg is merged into the levels of the others.
    Into(Merge<'a, VenueLevel, IS_BID>),
}

/// Does the work of both sides, at the same time where it is alike.
#[inline]
pub(crate) fn work(
    bids: Work<'_, true>,
    asks: Work<'_, false>,
) -> (Option<Merged>, Option<Merged>) {
    match (bids, asks) {
        (Work::Two(bids), Work::Two(asks)) => done(merge::both(bids, asks)),
        (Work::Into(bids), Work::Into(asks)) => done(merge::both(bids, asks)),
        (bids, asks) => (bids.run(), asks.run()),
    }
}

#[inline]
const fn done((bids, asks): (Merged, Merged)) -> (Option<Merged>, Option<Merged>) {
    (Some(bids), Some(asks))
}

impl<const IS_BID: bool> Work<'_, IS_BID> {
    fn run(self) -> Option<Merged> {
        match self {
            Self::Nothing => None,
            Self::Two(merge) => Some(merge.run()),
            Self::Into(merge) => Some(merge.run()),
        }
    }
}

impl<const IS_BID: bool> Top<IS_BID> {
    pub(crate) fn new(shown: usize) -> Self {
        Self {
            shown,
            images: Vec::new(),
            filled: 0,
            ranks: Vec::new(),
            best: List::default(),
            has_all: true,
            others: List::default(),
            own: List::default(),
        }
    }

    /// Makes room for every leg; `ranks` says which place each has in the order of names.
    pub(crate) fn rank(&mut self, ranks: &[u8]) {
        self.images.resize_with(ranks.len(), Ladder::default);
        self.ranks = ranks.into();
    }

    /// Takes the new image of a leg in. The view is right after the work this returns, and
    /// [`settle`](Self::settle).
    #[inline]
    pub(crate) fn take<'a>(
        &'a mut self,
        leg: u8,
        levels: &[Level],
        view: &'a mut Ladder<VenueLevel>,
    ) -> Work<'a, IS_BID> {
        let was_simple = self.is_simple();
        let Some(image) = self.images.get_mut(usize::from(leg)) else {
            return Work::Nothing;
        };
        if !renew::<IS_BID>(image, levels) {
            return Work::Nothing;
        }
        let (is_filled, bit) = (!image.is_empty(), 1_u32 << (leg % 32));
        self.filled = if is_filled {
            self.filled | bit
        } else {
            self.filled & !bit
        };
        if self.is_simple() {
            return Work::Two(self.merge_two(view));
        }
        if was_simple {
            self.merge_anew();
        }
        self.merge_in(leg)
    }

    /// Whether the best levels come of two legs at the most.
    #[inline]
    const fn is_simple(&self) -> bool {
        self.filled.count_ones() <= 2
    }

    #[inline]
    fn image(&self, leg: u8) -> &[Level] {
        self.images.get(usize::from(leg)).map_or(&[], |image| image)
    }

    /// The two legs there are, if there are any.
    #[inline]
    fn merge_two<'a>(&'a self, view: &'a mut Ladder<VenueLevel>) -> Merge<'a, Level, IS_BID> {
        #[allow(clippy::cast_possible_truncation, reason = "at most 32")]
        let lowest = |legs: u32| legs.trailing_zeros() as u8;
        let (first, second) = (
            lowest(self.filled),
            lowest(self.filled & self.filled.wrapping_sub(1)),
        );
        let rank = |leg: u8| self.ranks.get(usize::from(leg));
        let (left, right) = if rank(first) < rank(second) {
            (first, second)
        } else {
            (second, first)
        };
        Merge {
            left: self.image(left),
            left_leg: left,
            right: self.image(right),
            right_leg: right,
            ranks: &self.ranks,
            merged: view.room(self.shown),
            bound: None,
        }
    }

    /// The levels of the other legs, and the leg's new ones.
    #[inline]
    fn merge_in(&mut self, leg: u8) -> Work<'_, IS_BID> {
        let mut kept = 0;
        for (at, level) in self.best.levels[..self.shown + RESERVE].iter().enumerate() {
            // All places are visited, and each is written and kept by counting it: neither how many
            // levels there are nor whose is next is predictable.
            if let Some(slot) = self.others.levels.get_mut(kept) {
                *slot = *level;
            }
            kept += usize::from((at < self.best.len) & (level.leg != leg));
        }
        self.others.len = kept;
        let bound = self.best.as_slice().last().filter(|_| !self.has_all);
        let bound = bound.copied();
        let levels = self
            .images
            .get(usize::from(leg))
            .map_or([].as_slice(), |i| i);
        let rank = self.ranks.get(usize::from(leg)).copied().unwrap_or(u8::MAX);
        if let Some(last) = &bound
            && kept == self.best.len
            && !levels
                .first()
                .is_some_and(|l| is_right::<_, IS_BID>(last, l, rank, &self.ranks))
        {
            return Work::Nothing;
        }
        self.own.fill(leg, levels);
        Work::Into(Merge {
            left: self.others.as_slice(),
            left_leg: leg,
            right: self.own.as_slice(),
            right_leg: leg,
            ranks: &self.ranks,
            merged: &mut self.best.levels[..self.shown + RESERVE],
            bound,
        })
    }

    /// Takes over what the work came to, and shows it.
    #[inline]
    pub(crate) fn settle(&mut self, merged: Merged, view: &mut Ladder<VenueLevel>) {
        if self.is_simple() {
            view.set_len(merged.len);
            return;
        }
        self.best.len = merged.len;
        self.has_all &= merged.has_all;
        if merged.len < self.shown && !self.has_all {
            self.merge_anew();
        }
        view.room(self.shown)
            .copy_from_slice(&self.best.levels[..self.shown]);
        view.set_len(self.best.len.min(self.shown));
    }

    /// Merges the images of all legs, one after the other.
    #[cold]
    fn merge_anew(&mut self) {
        (self.best.len, self.has_all) = (0, true);
        for (leg, image) in (0..).zip(&self.images) {
            self.others = self.best;
            self.own.fill(leg, image);
            let merge = Merge::<_, IS_BID> {
                left: self.others.as_slice(),
                left_leg: leg,
                right: self.own.as_slice(),
                right_leg: leg,
                ranks: &self.ranks,
                merged: &mut self.best.levels[..self.shown + RESERVE],
                bound: None,
            };
            let merged = merge.run();
            self.best.len = merged.len;
            self.has_all &= merged.has_all;
        }
    }
}

/// Takes a leg's levels over, as far as they are in order; false when nothing is new.
#[inline]
fn renew<const IS_BID: bool>(image: &mut Ladder, levels: &[Level]) -> bool {
    if image.as_slice() == levels {
        return false;
    }
    let mut last = None;
    image.refill(levels.iter().copied().take_while(|level| {
        let is_worse = |last| is_better::<IS_BID>(last, level.price);
        last.replace(level.price).is_none_or(is_worse)
    }));
    true
}
