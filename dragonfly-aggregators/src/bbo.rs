//! The consolidated book: the best levels over all venues, each with its venue.

use std::cmp::Ordering;

use dragonfly_core::{
    market::{BookEvent, ConsolidatedBook, Ladder, Level, MAX_DEPTH, Symbol, VenueLevel},
    stage::Aggregator,
};

use crate::legs::LegBooks;

/// Folds the books of many venues into one [`ConsolidatedBook`].
///
/// Levels are ordered by price; of equal prices the larger quantity comes first, of equal
/// quantities the venue whose name comes first. Each event gives one view.
#[derive(Debug)]
pub struct Bbo {
    depth: usize,
    books: LegBooks,
}

impl Bbo {
    /// Publishes the best `depth` levels a side: 1 to [`MAX_DEPTH`], the nearest of them otherwise.
    pub fn top(depth: usize) -> Self {
        let depth = depth.clamp(1, MAX_DEPTH);
        Self {
            depth,
            books: LegBooks::default(),
        }
    }

    /// Names the view; by default it has the symbol of the leg that reported first. For legs of
    /// different symbols that are taken to be worth the same, as BTC-USD and BTC-USDT.
    #[must_use]
    pub fn named(mut self, symbol: Symbol) -> Self {
        self.books.name = Some(symbol);
        self
    }

    fn side(
        &self,
        side: impl Fn(&dragonfly_core::market::Depth) -> &[Level],
        better: impl Fn(&Level, &Level) -> bool,
    ) -> Ladder<VenueLevel> {
        let mut ladder = Ladder::default();
        self.books.merge(side, better, |leg, level| {
            ladder.push(VenueLevel {
                price: level.price,
                qty: level.qty,
                leg,
            });
            ladder.len() < self.depth
        });
        ladder
    }
}

impl Aggregator for Bbo {
    type Input = BookEvent;
    type Output = ConsolidatedBook;

    fn apply(&mut self, event: &BookEvent) {
        self.books.apply(event);
    }

    fn publish(&mut self) -> Option<ConsolidatedBook> {
        let seq = self.books.next_seq()?;
        Some(ConsolidatedBook {
            symbol: self.books.symbol(),
            seq,
            bids: self.side(|depth| &depth.bids, higher_bid),
            asks: self.side(|depth| &depth.asks, lower_ask),
            legs: self.books.legs.clone(),
            ts_recv: self.books.ts_recv,
        })
    }

    fn name(&self) -> String {
        format!("bbo top {}", self.depth)
    }
}

#[inline]
fn higher_bid(a: &Level, b: &Level) -> bool {
    match a.price.cmp(&b.price) {
        Ordering::Equal => a.qty > b.qty,
        order => order == Ordering::Greater,
    }
}

#[inline]
fn lower_ask(a: &Level, b: &Level) -> bool {
    match a.price.cmp(&b.price) {
        Ordering::Equal => a.qty > b.qty,
        order => order == Ordering::Less,
    }
}
