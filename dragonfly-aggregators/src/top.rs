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

use dragonfly_core::market::{Ladder, Level, MAX_DEPTH, MAX_LEGS, Price, VenueLevel};

use crate::merge::{Entry, Merge};

/// How many levels are kept beyond those that are shown.
const RESERVE: usize = 8;

/// Room for every level that is kept.
const ROOM: usize = MAX_DEPTH + RESERVE;

/// Every leg has its bit.
const _: () = assert!(MAX_LEGS <= 32);

/// A list of levels, best first, stored in place.
#[derive(Clone, Copy, Debug)]
struct List<const N: usize> {
    len: usize,
    entries: [Entry; N],
}

impl<const N: usize> Default for List<N> {
    fn default() -> Self {
        Self {
            len: 0,
            entries: [Entry::default(); N],
        }
    }
}

impl<const N: usize> List<N> {
    #[inline]
    fn as_slice(&self) -> &[Entry] {
        self.entries.get(..self.len).unwrap_or_default()
    }
}

/// One side of the view, and of every leg.
#[derive(Debug)]
pub(crate) struct Top<const IS_BID: bool> {
    shown: usize,
    /// The newest image of each leg.
    images: Vec<List<MAX_DEPTH>>,
    /// The legs whose image has a level, a bit each.
    filled: u32,
    /// The best levels of all legs.
    best: List<ROOM>,
    /// Whether `best` has all levels of all legs.
    has_all: bool,
    /// The best levels without those of the leg whose image is new.
    others: List<ROOM>,
}

impl<const IS_BID: bool> Top<IS_BID> {
    pub(crate) fn new(shown: usize) -> Self {
        Self {
            shown,
            images: Vec::new(),
            filled: 0,
            best: List::default(),
            has_all: true,
            others: List::default(),
        }
    }

    /// Makes room for every leg; `ranks` says which place each has in the order of names.
    pub(crate) fn rank(&mut self, ranks: &[u8]) {
        self.images.resize_with(ranks.len(), List::default);
        let images = self.images.iter_mut().flat_map(|image| &mut image.entries);
        for entry in images.chain(&mut self.best.entries) {
            entry.rank = ranks.get(usize::from(entry.leg)).copied().unwrap_or(0);
        }
    }

    /// Takes the new image of a leg in. `None` where the best levels are as before; otherwise they
    /// are right after the merge and [`settle`](Self::settle).
    #[inline]
    pub(crate) fn take(
        &mut self,
        leg: usize,
        rank: u8,
        levels: &[Level],
    ) -> Option<Merge<'_, IS_BID>> {
        let image = self.images.get_mut(leg)?;
        if !image.take::<IS_BID>(leg, rank, levels) {
            return None;
        }
        let bit = 1_u32 << (leg % 32);
        self.filled = if image.len > 0 {
            self.filled | bit
        } else {
            self.filled & !bit
        };
        if self.is_simple() {
            return Some(self.merge_two());
        }
        self.merge_in(leg)
    }

    /// Whether the best levels come of two legs at the most.
    #[inline]
    const fn is_simple(&self) -> bool {
        self.filled.count_ones() <= 2
    }

    /// The two legs there are, if there are any.
    #[inline]
    fn merge_two(&mut self) -> Merge<'_, IS_BID> {
        let first = self.filled.trailing_zeros();
        let second = (self.filled & self.filled.wrapping_sub(1)).trailing_zeros();
        let image = |leg: u32| {
            let image = self.images.get(leg as usize);
            image.map_or([].as_slice(), List::as_slice)
        };
        let room = &mut self.best.entries[..self.shown];
        Merge::new(image(first), image(second), room, None)
    }

    /// The levels of the other legs, and the leg's new ones.
    #[inline]
    fn merge_in(&mut self, leg: usize) -> Option<Merge<'_, IS_BID>> {
        let mut kept = 0;
        for entry in self.best.as_slice() {
            // Written in any case and kept by counting it: whose level is next is not predictable.
            *self.others.entries.get_mut(kept)? = *entry;
            kept += usize::from(usize::from(entry.leg) != leg);
        }
        self.others.len = kept;
        let levels = self.images.get(leg)?.as_slice();
        let last = self.best.as_slice().last().filter(|_| !self.has_all);
        if let Some(last) = last
            && kept == self.best.len
            && levels
                .first()
                .is_none_or(|best| last.precedes::<IS_BID>(best))
        {
            return None;
        }
        let bound = last.copied();
        let room = &mut self.best.entries[..self.shown + RESERVE];
        Some(Merge::new(self.others.as_slice(), levels, room, bound))
    }

    /// Takes over what the merge came to.
    #[inline]
    pub(crate) fn settle(&mut self, (len, took_all): (usize, bool)) {
        self.best.len = len;
        self.has_all = took_all && (self.has_all || self.is_simple());
        if len < self.shown && !self.has_all {
            self.merge_anew();
        }
    }

    /// Merges the images of all legs, one after the other.
    #[cold]
    fn merge_anew(&mut self) {
        (self.best.len, self.has_all) = (0, true);
        for image in &self.images {
            self.others = self.best;
            let room = &mut self.best.entries[..self.shown + RESERVE];
            let merge = Merge::<IS_BID>::new(self.others.as_slice(), image.as_slice(), room, None);
            let (len, took_all) = merge.finish();
            self.best.len = len;
            self.has_all &= took_all;
        }
    }

    /// The best levels as they are shown.
    #[inline]
    pub(crate) fn ladder(&self) -> Ladder<VenueLevel> {
        let shown = self.best.as_slice().iter().take(self.shown);
        let level = |entry: &Entry| VenueLevel {
            price: entry.price,
            qty: entry.qty,
            leg: entry.leg,
        };
        shown.map(level).collect()
    }
}

impl List<MAX_DEPTH> {
    /// Takes a leg's levels over, as far as they are in order; false when nothing is new.
    #[inline]
    fn take<const IS_BID: bool>(&mut self, leg: usize, rank: u8, levels: &[Level]) -> bool {
        let pairs = self.as_slice().iter().zip(levels);
        let is_same = |(old, new): &(&Entry, &Level)| old.price == new.price && old.qty == new.qty;
        let same = pairs.take_while(is_same).count();
        if same == self.len && same == levels.len() {
            return false;
        }
        let mut last = None;
        self.len = 0;
        for (slot, level) in self.entries.iter_mut().zip(levels) {
            let is_worse = |last: Price| {
                if IS_BID {
                    last > level.price
                } else {
                    last < level.price
                }
            };
            if !last.is_none_or(is_worse) {
                break;
            }
            last = Some(level.price);
            *slot = Entry {
                price: level.price,
                qty: level.qty,
                leg: u8::try_from(leg).unwrap_or(u8::MAX),
                rank,
            };
            self.len += 1;
        }
        true
    }
}
