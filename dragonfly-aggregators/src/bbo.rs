//! The consolidated book: the best levels over all venues, each with its venue.

use dragonfly_core::{
    market::{BookEvent, BookState, ConsolidatedBook, MAX_DEPTH, Symbol},
    stage::Aggregator,
};

use crate::{
    legs::LegBooks,
    top::{self, Top},
};

/// Folds the books of many venues into one [`ConsolidatedBook`].
///
/// Levels are ordered by price; of equal prices the larger quantity comes first, of equal
/// quantities the venue whose name comes first, and of one venue the book whose native, then whose
/// unified symbol does. Each event gives one view. An event's levels are
/// taken as far as they are in order: bids descending, asks ascending, each price once.
#[derive(Debug)]
pub struct Bbo {
    depth: usize,
    books: LegBooks,
    bids: Top<true>,
    asks: Top<false>,
    /// What was published last, but for the sides that have changed since.
    view: ConsolidatedBook,
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
            view: ConsolidatedBook::default(),
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
        let Some(noted) = self.books.note(&mut self.view.legs, event) else {
            return;
        };
        let Self {
            bids, asks, view, ..
        } = self;
        if noted.is_new {
            bids.rank(&self.books.ranks);
            asks.rank(&self.books.ranks);
            view.symbol = self.books.symbol(&view.legs);
        }
        let (new_bids, new_asks) = match event.state {
            BookState::Live => (event.depth.bids.as_slice(), event.depth.asks.as_slice()),
            _ => ([].as_slice(), [].as_slice()),
        };
        let bid_work = bids.take(noted.leg, new_bids, &mut view.bids);
        let ask_work = asks.take(noted.leg, new_asks, &mut view.asks);
        let (bid_result, ask_result) = top::work(bid_work, ask_work);
        if let Some(merged) = bid_result {
            bids.settle(merged, &mut view.bids);
        }
        if let Some(merged) = ask_result {
            asks.settle(merged, &mut view.asks);
        }
    }

    fn publish(&mut self) -> Option<ConsolidatedBook> {
        self.view.seq = self.books.next_seq()?;
        self.view.ts_recv = self.books.ts_recv;
        Some(self.view.clone())
    }

    fn name(&self) -> String {
        format!("bbo top {}", self.depth)
    }
}
