//! One side of a book: a sorted list of pairs, searched from its beginning.

/// Price and quantity of each level, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) is_bid: bool,
    pub(super) levels: Vec<(i128, i128)>,
}

impl Side {
    pub(super) const fn new(is_bid: bool) -> Self {
        Self {
            is_bid,
            levels: Vec::new(),
        }
    }

    /// Whether `a` is strictly better than `b`.
    const fn is_better(&self, a: i128, b: i128) -> bool {
        if self.is_bid { a > b } else { a < b }
    }

    pub(super) fn has(&self, price: i128) -> bool {
        self.levels.iter().any(|level| level.0 == price)
    }

    /// Sets a level to a quantity; none removes it.
    pub(super) fn set(&mut self, price: i128, qty: i128) {
        self.levels.retain(|level| level.0 != price);
        if qty == 0 {
            return;
        }
        let worse = |level: &(i128, i128)| self.is_better(price, level.0);
        let at = self.levels.iter().position(worse);
        let at = at.unwrap_or(self.levels.len());
        self.levels.insert(at, (price, qty));
    }

    /// Whether prices get strictly worse from level to level.
    pub(super) fn is_sorted(&self, prices: &[i128]) -> bool {
        prices
            .windows(2)
            .all(|pair| self.is_better(pair[0], pair[1]))
    }
}

/// Whether the best bid is at or above the best ask.
pub(super) fn is_crossed(bids: &Side, asks: &Side) -> bool {
    matches!((bids.levels.first(), asks.levels.first()), (Some(bid), Some(ask)) if bid.0 >= ask.0)
}
