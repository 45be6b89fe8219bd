//! A full-depth book of one instrument, kept for speed near the top.
//!
//! Each side is one sorted vector with the best level at its end, so that a change near the top
//! moves few levels; changes far from it cost a binary search and a move of what lies above.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places are those of levels that are there, and counts of updates do not reach 2^64; tried by models and fuzz targets"
)]

use std::cmp::Ordering;

use super::{Depth, Ladder, Level, MAX_DEPTH};

/// How many levels from the top are searched one by one before halving.
const NEAR: usize = 8;

/// How many levels one update may move, one change at a time, before the rest of it is sorted in:
/// changes far from the top of a deep book would otherwise take minutes.
const MAX_MOVED: usize = 1 << 20;

/// Both sides of a book. Bids descend, asks ascend; a price occurs once.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Ascending: the best bid is last.
    bids: Vec<Level>,
    /// Descending: the best ask is last.
    asks: Vec<Level>,
}

impl Book {
    /// Sets the quantity at a bid price; zero removes the level, and removing what is not there
    /// changes nothing.
    #[inline]
    pub fn apply_bid(&mut self, level: Level) {
        apply(&mut self.bids, level, |a, b| a.price < b.price);
    }

    /// Sets the quantity at an ask price; zero removes the level.
    #[inline]
    pub fn apply_ask(&mut self, level: Level) {
        apply(&mut self.asks, level, |a, b| a.price > b.price);
    }

    /// Sets the quantities at many prices, in their order: as [`apply_bid`](Self::apply_bid) and
    /// [`apply_ask`](Self::apply_ask) for each.
    ///
    /// Returns how far from the top the best change was, 0 for the best level: every better level
    /// is as before. [`usize::MAX`] when nothing changed.
    pub fn update(&mut self, bids: &[Level], asks: &[Level]) -> usize {
        let bids = apply_all(&mut self.bids, bids, |a, b| a.price.cmp(&b.price));
        let asks = apply_all(&mut self.asks, asks, |a, b| b.price.cmp(&a.price));
        bids.min(asks)
    }

    /// Replaces everything. The levels may come in any order; of two with one price the later
    /// holds, and quantity zero adds nothing.
    pub fn replace(&mut self, bids: &[Level], asks: &[Level]) {
        refill(&mut self.bids, bids, |a, b| a.price.cmp(&b.price));
        refill(&mut self.asks, asks, |a, b| b.price.cmp(&a.price));
    }

    /// Removes every level.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Keeps the best `depth` levels a side; true when there were more.
    pub fn truncate(&mut self, depth: usize) -> bool {
        let mut had_more = false;
        for side in [&mut self.bids, &mut self.asks] {
            if side.len() > depth {
                side.drain(..side.len() - depth);
                had_more = true;
            }
        }
        had_more
    }

    /// Bids, best first.
    pub fn bids(&self) -> impl ExactSizeIterator<Item = &Level> + Clone {
        self.bids.iter().rev()
    }

    /// Asks, best first.
    pub fn asks(&self) -> impl ExactSizeIterator<Item = &Level> + Clone {
        self.asks.iter().rev()
    }

    /// The best `depth` levels a side, at most [`MAX_DEPTH`].
    #[inline]
    pub fn depth(&self, depth: usize) -> Depth {
        let depth = depth.min(MAX_DEPTH);
        let best = |side: &[Level]| side.iter().rev().take(depth).copied().collect::<Ladder>();
        Depth {
            bids: best(&self.bids),
            asks: best(&self.asks),
        }
    }

    /// Whether `image` is the best `depth` levels a side.
    #[inline]
    pub fn shows(&self, image: &Depth, depth: usize) -> bool {
        let depth = depth.min(MAX_DEPTH);
        let is_best = |side: &[Level], shown: &[Level]| {
            side.len().min(depth) == shown.len()
                && side.iter().rev().zip(shown).all(|(a, b)| a == b)
        };
        is_best(&self.bids, &image.bids) && is_best(&self.asks, &image.asks)
    }

    /// Whether the best bid is at or above the best ask.
    #[inline]
    pub fn is_crossed(&self) -> bool {
        match (self.bids.last(), self.asks.last()) {
            (Some(bid), Some(ask)) => bid.price >= ask.price,
            _ => false,
        }
    }
}

/// `order` is that of the vector. Returns how far from the top the best change was.
#[inline]
fn apply_all(
    side: &mut Vec<Level>,
    levels: &[Level],
    order: impl Fn(&Level, &Level) -> Ordering,
) -> usize {
    let (mut moved, mut best) = (0, usize::MAX);
    for (done, level) in levels.iter().enumerate() {
        if moved > MAX_MOVED {
            sort_in(side, &levels[done..], order);
            return 0;
        }
        let change = apply(side, *level, |a, b| order(a, b).is_lt());
        moved += change.moved;
        best = best.min(change.at);
    }
    best
}

#[cold]
fn sort_in(side: &mut Vec<Level>, levels: &[Level], order: impl Fn(&Level, &Level) -> Ordering) {
    let known = std::mem::take(side);
    side.extend(levels.iter().rev().chain(&known));
    tidy(side, order);
}

/// What became of one side by one level.
struct Change {
    /// How many levels are better than the one that changed; `usize::MAX` when nothing did.
    at: usize,
    /// How many levels had to be moved.
    moved: usize,
}

impl Change {
    const NONE: Self = Self {
        at: usize::MAX,
        moved: 0,
    };
}

/// `worse(a, b)`: `a` stands before `b` in the vector.
#[inline]
fn apply(side: &mut Vec<Level>, level: Level, worse: impl Fn(&Level, &Level) -> bool) -> Change {
    let near = side.len().saturating_sub(NEAR);
    let mut at = side.len();
    while at > near && !worse(&side[at - 1], &level) {
        at -= 1;
    }
    if at == near && near > 0 {
        at = side[..near].partition_point(|l| worse(l, &level));
    }
    let above = side.len() - at;
    match side.get_mut(at) {
        Some(found) if found.price == level.price => {
            if !level.qty.is_zero() {
                let is_same = found.qty == level.qty;
                found.qty = level.qty;
                return Change {
                    at: if is_same { usize::MAX } else { above - 1 },
                    moved: 0,
                };
            }
            side.remove(at);
            Change {
                at: above - 1,
                moved: above,
            }
        }
        _ if level.qty.is_zero() => Change::NONE,
        _ => {
            side.insert(at, level);
            Change {
                at: above,
                moved: above,
            }
        }
    }
}

fn refill(side: &mut Vec<Level>, levels: &[Level], order: impl Fn(&Level, &Level) -> Ordering) {
    side.clear();
    // Room for the levels that deltas will add, so that those do not allocate one by one.
    side.reserve(levels.len() + levels.len() / 2 + 16);
    // Venues send the best first, this stores it last: reversed, the sort finds one run.
    side.extend(levels.iter().rev());
    tidy(side, order);
}

fn tidy(side: &mut Vec<Level>, order: impl Fn(&Level, &Level) -> Ordering) {
    side.sort_by(order);
    // Equal prices stand in reverse wire order: the first of them came last and holds.
    side.dedup_by(|later, first| later.price == first.price);
    side.retain(|level| !level.qty.is_zero());
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::market::{Price, Qty};

    fn level(price: i128, qty: i128) -> Level {
        Level::new(Price::from_units(price), Qty::from_units(qty))
    }

    /// Worst case: every change is the farthest from the top, in a book that is deep already.
    #[test]
    fn an_update_of_very_many_levels_far_from_the_top_is_the_same_book() {
        let mut book = Book::default();
        let mut model = BTreeMap::new();
        let prices = (1..=4_000).rev();
        let levels: Vec<Level> = prices
            .flat_map(|price| [level(price, 1), level(price, i128::from(price % 3 != 0))])
            .collect();
        for level in &levels {
            model.insert(level.price, *level);
        }
        book.update(&levels, &[]);
        model.retain(|_, level| !level.qty.is_zero());
        assert!(book.bids().eq(model.values().rev()));
        let mut slow = Book::default();
        levels.iter().for_each(|level| slow.apply_bid(*level));
        assert!(slow.bids().eq(book.bids()));
    }

    proptest! {
        /// A sorted map is the model: whatever is applied, the book lists what the map holds.
        #[test]
        fn the_book_is_its_model(
            start in proptest::collection::vec((0_i128..60, 0_i128..4), 0..80),
            changes in proptest::collection::vec((any::<bool>(), 0_i128..60, 0_i128..4), 0..200),
            depth in 0_usize..25,
        ) {
            let mut book = Book::default();
            let (mut bids, mut asks) = (BTreeMap::new(), BTreeMap::new());
            let levels: Vec<Level> = start.iter().map(|&(p, q)| level(p, q)).collect();
            book.replace(&levels, &levels);
            for &(price, qty) in &start {
                bids.insert(price, qty);
                asks.insert(price, qty);
            }
            for &(is_bid, price, qty) in &changes {
                if is_bid {
                    book.apply_bid(level(price, qty));
                    bids.insert(price, qty);
                } else {
                    book.apply_ask(level(price, qty));
                    asks.insert(price, qty);
                }
            }
            let live = |side: BTreeMap<i128, i128>| {
                side.into_iter().filter(|l| l.1 != 0).map(|(p, q)| level(p, q)).collect::<Vec<_>>()
            };
            let (mut bids, asks) = (live(bids), live(asks));
            bids.reverse();
            prop_assert!(book.bids().eq(&bids));
            prop_assert!(book.asks().eq(&asks));
            let image = book.depth(depth);
            prop_assert_eq!(image.bids.as_slice(), &bids[..bids.len().min(depth).min(MAX_DEPTH)]);
            prop_assert!(book.shows(&image, depth));
            book.truncate(depth);
            prop_assert!(book.bids().eq(&bids[..bids.len().min(depth)]));
            prop_assert!(book.asks().eq(&asks[..asks.len().min(depth)]));
        }

        /// Above the best change nothing has changed, and where something has, it is told.
        #[test]
        fn an_update_tells_how_far_from_the_top_it_reached(
            start in proptest::collection::vec((0_i128..60, 1_i128..4), 0..40),
            updates in proptest::collection::vec(
                proptest::collection::vec((any::<bool>(), 0_i128..60, 0_i128..4), 0..4),
                0..30,
            ),
        ) {
            let mut book = Book::default();
            let levels: Vec<Level> = start.iter().map(|&(p, q)| level(p, q)).collect();
            book.replace(&levels, &levels);
            for update in updates {
                let before = book.clone();
                let side = |is_bid| -> Vec<Level> {
                    let side = update.iter().filter(|change| change.0 == is_bid);
                    side.map(|&(_, p, q)| level(p, q)).collect()
                };
                let reached = book.update(&side(true), &side(false));
                prop_assert!(book.bids().take(reached).eq(before.bids().take(reached)));
                prop_assert!(book.asks().take(reached).eq(before.asks().take(reached)));
                for depth in [1, 5, 20] {
                    let is_same = book.depth(depth) == before.depth(depth);
                    prop_assert_eq!(book.shows(&before.depth(depth), depth), is_same);
                    prop_assert!(reached < depth || is_same);
                }
            }
        }
    }
}
