//! Views in the words of the oracle. Of each stream the last view is kept, and only what is new in
//! the next one is written again.

use std::fmt::{Display, Write as _};

use dragonfly_core::market::{
    AggregatedBook, ConsolidatedBook, Legs, Level, Price, Qty, Symbol, Venue,
};

use super::desk::{Shown, leg_stream};
use crate::oracle::{Kind, Shelf, View};

/// What tells streams apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Leg(Venue, Symbol),
    Consolidated(Symbol),
    Aggregated(Symbol),
}

/// A level as the product has it.
type Row = (Price, Qty, Option<u8>);

/// Tells what is shown.
#[derive(Debug)]
pub(super) struct Teller {
    depth: usize,
    told: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    stream: Stream,
    view: View,
    bids: Vec<Row>,
    asks: Vec<Row>,
}

impl Teller {
    /// Of views with so many levels a side.
    pub(super) const fn new(depth: usize) -> Self {
        Self {
            depth,
            told: Vec::new(),
        }
    }

    /// What the oracle is told of a view that came out at `at` ns.
    pub(super) fn tell(&mut self, shown: &Shown, at: u64) -> &View {
        match shown {
            Shown::Consolidated(book) => self.consolidated(book, at),
            Shown::Aggregated(book) => self.aggregated(book, at),
        }
    }

    fn consolidated(&mut self, book: &ConsolidatedBook, at: u64) -> &View {
        // A leg's own stream has the leg's own symbol; a merged one is named by its base.
        let stream = match book.legs.id(0) {
            Some(leg) if leg.symbol == book.symbol => Stream::Leg(leg.venue, leg.native_symbol),
            _ => Stream::Consolidated(book.symbol),
        };
        let told = self.find(stream);
        told.begin(at, book.seq, &book.legs);
        let row =
            |level: &dragonfly_core::market::VenueLevel| (level.price, level.qty, Some(level.leg));
        rewrite(
            &mut told.bids,
            &mut told.view.bids,
            book.bids.iter().map(row),
        );
        rewrite(
            &mut told.asks,
            &mut told.view.asks,
            book.asks.iter().map(row),
        );
        &told.view
    }

    fn aggregated(&mut self, book: &AggregatedBook, at: u64) -> &View {
        let told = self.find(Stream::Aggregated(book.symbol));
        told.begin(at, book.seq, &book.legs);
        let row = |level: &Level| (level.price, level.qty, None);
        rewrite(
            &mut told.bids,
            &mut told.view.bids,
            book.bids.iter().map(row),
        );
        rewrite(
            &mut told.asks,
            &mut told.view.asks,
            book.asks.iter().map(row),
        );
        &told.view
    }

    fn find(&mut self, stream: Stream) -> &mut Told {
        let known = self.told.iter().position(|told| told.stream == stream);
        let at = known.unwrap_or_else(|| {
            self.told.push(Told::new(stream, self.depth));
            self.told.len() - 1
        });
        &mut self.told[at]
    }
}

impl Told {
    fn new(stream: Stream, depth: usize) -> Self {
        let (name, kind) = match stream {
            Stream::Leg(venue, symbol) => (leg_stream(&venue, &symbol), Kind::Consolidated),
            Stream::Consolidated(symbol) => (format!("bbo {symbol}"), Kind::Consolidated),
            Stream::Aggregated(symbol) => (format!("liquidity {symbol}"), Kind::Aggregated),
        };
        Self {
            stream,
            view: View::new(0, name, kind, depth, 0),
            bids: Vec::new(),
            asks: Vec::new(),
        }
    }

    fn begin(&mut self, at: u64, seq: u64, legs: &Legs) {
        let view = &mut self.view;
        (view.at, view.seq) = (at, seq);
        view.legs.truncate(legs.iter().count());
        for (place, (id, status)) in legs.iter().enumerate() {
            let (venue, symbol) = (&*id.venue, &*id.native_symbol);
            let state = status.state.name();
            match view.legs.get_mut(place) {
                Some(leg) if leg.venue == venue && leg.symbol == symbol => {
                    (leg.epoch, leg.seq) = (status.epoch, status.seq);
                    if leg.state != state {
                        state.clone_into(&mut leg.state);
                    }
                }
                _ => {
                    view.legs.truncate(place);
                    view.leg(venue, symbol, state, status.epoch, status.seq);
                }
            }
        }
    }
}

/// Makes `shelves`, which say what `rows` were, say what they are now.
fn rewrite(rows: &mut Vec<Row>, shelves: &mut Vec<Shelf>, now: impl Iterator<Item = Row>) {
    let mut count = 0;
    for (at, row) in now.enumerate() {
        count = at + 1;
        if rows.get(at).is_some_and(|old| old.0 != row.0)
            && rows.get(at + 1).is_some_and(|old| old.0 == row.0)
        {
            // A level before it is gone.
            rows.remove(at);
            shelves.remove(at);
        }
        match rows.get(at) {
            Some(old) if *old == row => {}
            Some(old) if old.0 == row.0 => {
                write(&mut shelves[at].qty, &row.1);
                shelves[at].leg = row.2.map(usize::from);
                rows[at] = row;
            }
            _ => {
                let (price, qty) = (row.0.to_string(), row.1.to_string());
                let leg = row.2.map(usize::from);
                rows.insert(at, row);
                shelves.insert(at, Shelf::new(price, qty, leg));
            }
        }
    }
    rows.truncate(count);
    shelves.truncate(count);
}

fn write(text: &mut String, number: &impl Display) {
    text.clear();
    // Writing into a string cannot fail.
    let _written = write!(text, "{number}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(price: u64, qty: u64) -> Row {
        let number = |n: u64| n.to_string().into_bytes();
        let price = Price::parse(&number(price)).unwrap();
        (price, Qty::parse(&number(qty)).unwrap(), Some(0))
    }

    #[test]
    fn what_is_rewritten_says_what_is_new_whatever_was_there() {
        let mut random = crate::random::Random::new(4);
        let (mut rows, mut shelves) = (Vec::new(), Vec::new());
        for _ in 0..2_000 {
            let mut prices: Vec<u64> = (0..random.below(8)).map(|_| random.below(12)).collect();
            prices.sort_unstable();
            let now: Vec<Row> = prices.iter().map(|p| row(*p, random.below(3))).collect();
            rewrite(&mut rows, &mut shelves, now.iter().copied());
            assert_eq!(rows, now);
            let said = shelves
                .iter()
                .map(|s| (s.price.clone(), s.qty.clone(), s.leg));
            let meant = now
                .iter()
                .map(|r| (r.0.to_string(), r.1.to_string(), Some(0)));
            assert!(said.eq(meant), "{shelves:?} for {now:?}");
        }
    }
}
