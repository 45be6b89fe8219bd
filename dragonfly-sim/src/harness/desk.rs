//! The aggregators of a run in one stage: a consolidated book and a sum for each base currency, and
//! a consolidated book of each leg alone.

use dragonfly_aggregators::{Bbo, Liquidity};
use dragonfly_core::{
    market::{AggregatedBook, BookEvent, ConsolidatedBook, Symbol, Venue},
    stage::Aggregator,
};

/// A view on its way to the client.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    Consolidated(Box<ConsolidatedBook>),
    Aggregated(Box<AggregatedBook>),
}

#[derive(Debug)]
enum Book {
    Bbo(Box<Bbo>),
    Liquidity(Box<Liquidity>),
}

/// What a book is a book of.
#[derive(Debug, PartialEq, Eq)]
enum Scope {
    Base(String),
    Leg(Venue, Symbol),
}

/// All aggregators of a run.
#[derive(Debug)]
pub(super) struct Desk {
    depth: usize,
    books: Vec<(Scope, Book)>,
}

impl Desk {
    /// Views of the best `depth` levels.
    pub(super) const fn new(depth: usize) -> Self {
        Self {
            depth,
            books: Vec::new(),
        }
    }

    fn open(&mut self, event: &BookEvent) {
        let leg = Scope::Leg(event.venue, event.native_symbol);
        if self.books.iter().any(|(scope, _)| *scope == leg) {
            return;
        }
        self.books
            .push((leg, Book::Bbo(Box::new(Bbo::top(self.depth)))));
        let base = base(&event.symbol);
        if !self
            .books
            .iter()
            .any(|(scope, _)| *scope == Scope::Base(base.clone()))
        {
            let named = Symbol::new(&base).unwrap_or_default();
            let bbo = Bbo::top(self.depth).named(named);
            let sums = Liquidity::levels(self.depth).named(named);
            self.books
                .push((Scope::Base(base.clone()), Book::Bbo(Box::new(bbo))));
            self.books
                .push((Scope::Base(base), Book::Liquidity(Box::new(sums))));
        }
    }
}

/// The base currency of a unified symbol such as `BTC-USD`.
fn base(symbol: &str) -> String {
    symbol.split('-').next().unwrap_or_default().to_owned()
}

impl Aggregator for Desk {
    type Input = BookEvent;
    type Output = Shown;

    fn apply(&mut self, event: &BookEvent) {
        self.open(event);
        for (scope, book) in &mut self.books {
            let is_meant = match scope {
                Scope::Base(base) => event
                    .symbol
                    .strip_prefix(base.as_str())
                    .is_some_and(|r| r.starts_with('-')),
                Scope::Leg(venue, symbol) => {
                    (*venue, *symbol) == (event.venue, event.native_symbol)
                }
            };
            match book {
                Book::Bbo(bbo) if is_meant => bbo.apply(event),
                Book::Liquidity(sums) if is_meant => sums.apply(event),
                _ => {}
            }
        }
    }

    fn publish(&mut self) -> Option<Shown> {
        self.books.iter_mut().find_map(|(_, book)| match book {
            Book::Bbo(bbo) => bbo
                .publish()
                .map(|view| Shown::Consolidated(Box::new(view))),
            Book::Liquidity(sums) => sums.publish().map(|view| Shown::Aggregated(Box::new(view))),
        })
    }
}

/// The name of the stream of a leg alone.
pub(super) fn leg_stream(venue: &str, symbol: &str) -> String {
    format!("leg {venue} {symbol}")
}
