//! Aggregated liquidity: the quantity at each price, summed over all venues.

use dragonfly_core::{
    market::{AggregatedBook, BookEvent, Depth, Ladder, Level, MAX_DEPTH, Symbol},
    stage::Aggregator,
};

use crate::legs::LegBooks;

/// Folds the books of many venues into one [`AggregatedBook`]: levels of equal price are one.
///
/// The view is exact as far down as every venue's image reaches; a price beyond the worst level of
/// one venue's image has no share of that venue.
#[derive(Debug)]
pub struct Liquidity {
    depth: usize,
    books: LegBooks,
}

impl Liquidity {
    /// Publishes the best `depth` prices a side: 1 to [`MAX_DEPTH`], the nearest of them otherwise.
    pub fn levels(depth: usize) -> Self {
        let depth = depth.clamp(1, MAX_DEPTH);
        Self {
            depth,
            books: LegBooks::default(),
        }
    }

    /// Names the view; by default it has the symbol of the leg that reported first.
    #[must_use]
    pub fn named(mut self, symbol: Symbol) -> Self {
        self.books.name = Some(symbol);
        self
    }

    fn side(
        &self,
        side: impl Fn(&Depth) -> &[Level],
        better: impl Fn(&Level, &Level) -> bool,
    ) -> Ladder {
        let mut ladder = Ladder::default();
        let mut sum: Option<Level> = None;
        self.books.merge(side, better, |_, level| {
            match &mut sum {
                Some(open) if open.price == level.price => {
                    // Quantities are bounded far below the range of the sum.
                    open.qty = open.qty.checked_add(level.qty).unwrap_or(open.qty);
                    return true;
                }
                _ => {}
            }
            sum.replace(*level).is_none_or(|done| {
                ladder.push(done);
                ladder.len() < self.depth
            })
        });
        if let Some(done) = sum.filter(|_| ladder.len() < self.depth) {
            ladder.push(done);
        }
        ladder
    }
}

impl Aggregator for Liquidity {
    type Input = BookEvent;
    type Output = AggregatedBook;

    fn apply(&mut self, event: &BookEvent) {
        self.books.apply(event);
    }

    fn publish(&mut self) -> Option<AggregatedBook> {
        let seq = self.books.next_seq()?;
        Some(AggregatedBook {
            symbol: self.books.symbol(),
            seq,
            bids: self.side(|depth| &depth.bids, |a, b| a.price > b.price),
            asks: self.side(|depth| &depth.asks, |a, b| a.price < b.price),
            legs: self.books.legs.clone(),
            ts_recv: self.books.ts_recv,
        })
    }

    fn name(&self) -> String {
        format!("liquidity {} levels", self.depth)
    }
}
