//! The consolidated book: the best levels over all venues, each with its venue.

use dragonfly_core::{
    market::{BookEvent, BookState, ConsolidatedBook, MAX_DEPTH, Symbol},
    stage::Aggregator,
};

use crate::{legs::LegBooks, merge, top::Top};

/// Folds the books of many venues into one [`ConsolidatedBook`].
///
/// Levels are ordered by price; of equal prices the larger quantity comes first, of equal
/// quantities the venue whose name comes first. Each event gives one view. An event's levels are
/// taken as far as they are in order: bids descending, asks ascending, each price once.
#[derive(Debug)]
pub struct Bbo {
    depth: usize,
    books: LegBooks,
    bids: Top<true>,
    asks: Top<false>,
}

impl Bbo {
    /// Publishes the best `depth` levels a side: 1 to [`MAX_DEPTH`], the nearest of them otherwise.
    pub fn top(depth: usize) -> Self {
        let depth = depth.clamp(1, MAX_DEPTH);
        Self {
            depth,
            books: LegBooks::default(),
            bids: Top::new(depth),
            asks: Top::new(depth),
        }
    }

    /// Names the view; by default it has the symbol of the leg that reported first. For legs of
    /// different symbols that are taken to be worth the same, as BTC-USD and BTC-USDT.
    #[must_use]
    pub fn named(mut self, symbol: Symbol) -> Self {
        self.books.name = Some(symbol);
        self
    }
}

impl Aggregator for Bbo {
    type Input = BookEvent;
    type Output = ConsolidatedBook;

    fn apply(&mut self, event: &BookEvent) {
        let Some(noted) = self.books.note(event) else {
            return;
        };
        let Self { bids, asks, .. } = self;
        if noted.is_new {
            bids.rank(&self.books.ranks);
            asks.rank(&self.books.ranks);
        }
        let (new_bids, new_asks) = match event.state {
            BookState::Live => (event.depth.bids.as_slice(), event.depth.asks.as_slice()),
            _ => ([].as_slice(), [].as_slice()),
        };
        let bid_merge = bids.take(noted.leg, noted.rank, new_bids);
        let ask_merge = asks.take(noted.leg, noted.rank, new_asks);
        match (bid_merge, ask_merge) {
            (Some(mut bid_merge), Some(mut ask_merge)) => {
                merge::both(&mut bid_merge, &mut ask_merge);
                let (bid_result, ask_result) = (bid_merge.finish(), ask_merge.finish());
                bids.settle(bid_result);
                asks.settle(ask_result);
            }
            (bid_merge, ask_merge) => {
                if let Some(result) = bid_merge.map(merge::Merge::finish) {
                    bids.settle(result);
                }
                if let Some(result) = ask_merge.map(merge::Merge::finish) {
                    asks.settle(result);
                }
            }
        }
    }

    fn publish(&mut self) -> Option<ConsolidatedBook> {
        let seq = self.books.next_seq()?;
        Some(ConsolidatedBook {
            symbol: self.books.symbol(),
            seq,
            bids: self.bids.ladder(),
            asks: self.asks.ladder(),
            legs: self.books.legs.clone(),
            ts_recv: self.books.ts_recv,
        })
    }

    fn name(&self) -> String {
        format!("bbo top {}", self.depth)
    }
}
