//! For the project's own benchmarks: what they could not reach otherwise. May change at any time.

use dragonfly_core::market::{Depth, VenueLevel};

use crate::merge::{Merge, both};

/// Merges two images, of which the left one's leg has the name that comes first, into as much as there
/// is room for; returns how many bids and asks there are.
pub fn merge_two(
    left: &Depth,
    right: &Depth,
    bids: &mut [VenueLevel],
    asks: &mut [VenueLevel],
) -> (usize, usize) {
    let bids = Merge::<_, true> {
        left: &left.bids,
        left_leg: 0,
        right: &right.bids,
        right_leg: 1,
        ranks: &[0, 1],
        merged: bids,
        bound: None,
    };
    let asks = Merge::<_, false> {
        left: &left.asks,
        left_leg: 0,
        right: &right.asks,
        right_leg: 1,
        ranks: &[0, 1],
        merged: asks,
        bound: None,
    };
    let (bids, asks) = both(bids, asks);
    (bids.len, asks.len)
}
