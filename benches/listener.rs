//! From a decoded update to an event, or to the verdict that there is nothing to tell: what a listener
//! of books does between its decoder and the flow, and over how many instruments.
//!
//! The decoder hands over updates made beforehand, drawn at random; copying one is part of every
//! figure. The books are of 1,000 levels a side, ten of them told; for images, of ten.
//!
//! * `delta_below_top`: a level changes where it is not told.
//! * `delta_near_top`: one of the ten best has a new quantity.
//! * `image_again`: a whole image that is the one before.
//! * `image_new`: a whole image that is another one.
//!
//! The alternatives:
//! * `only_changes`: the listener as `feeds::open` makes it.
//! * `changed`: a listener that makes an event of every update, and the decorator that compares it
//!   with the one before.
//! * `every_update`: the listener that tells everything.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

mod harness;

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use dragonfly_benches::books::{asks, bids, qty, scatter};
use dragonfly_core::{
    clock::Now,
    feed::{BookListener, Decoded, Decoder, FeedError, Link, Listener},
    market::{BookEvent, BookRules, BookUpdate, Level, Symbol, UpdateKind},
};
use dragonfly_feeds::decorate::Changed;

const DEPTH: usize = 10;

/// How many different updates each book has.
const UPDATES: usize = 8;

fn main() {
    harness::run(|c| {
        for books in [1, 100, 1_000] {
            for shape in [
                Shape::DeltaBelowTop,
                Shape::DeltaNearTop,
                Shape::ImageAgain,
                Shape::ImageNew,
            ] {
                measure(c, shape, books);
            }
        }
    });
}

#[derive(Clone, Copy)]
enum Shape {
    DeltaBelowTop,
    DeltaNearTop,
    ImageAgain,
    ImageNew,
}

impl Shape {
    const fn name(self) -> &'static str {
        match self {
            Self::DeltaBelowTop => "delta_below_top",
            Self::DeltaNearTop => "delta_near_top",
            Self::ImageAgain => "image_again",
            Self::ImageNew => "image_new",
        }
    }

    /// The update that makes the book.
    fn first(self, symbol: Symbol) -> BookUpdate {
        let (kind, levels) = match self {
            Self::DeltaBelowTop | Self::DeltaNearTop => (UpdateKind::Snapshot, 1_000),
            Self::ImageAgain | Self::ImageNew => (UpdateKind::Image, DEPTH as u64),
        };
        BookUpdate {
            kind,
            symbol,
            bids: bids(levels, 0),
            asks: asks(levels, 0),
            ..BookUpdate::default()
        }
    }

    /// One of the updates that follow.
    fn next(self, symbol: Symbol, n: u64) -> BookUpdate {
        let random = scatter(n);
        let level = |at: u64| {
            let price = bids(1, at)[0].price;
            vec![Level::new(price, qty(1 + scatter(n ^ 0xffff) % 5_000))]
        };
        match self {
            Self::DeltaBelowTop => delta(symbol, level(20 + random % 20)),
            Self::DeltaNearTop => delta(symbol, level(random % 10)),
            Self::ImageAgain => self.first(symbol),
            Self::ImageNew => BookUpdate {
                bids: bids(DEPTH as u64, random % 3),
                asks: asks(DEPTH as u64, random % 3),
                ..self.first(symbol)
            },
        }
    }
}

fn delta(symbol: Symbol, bids: Vec<Level>) -> BookUpdate {
    BookUpdate {
        kind: UpdateKind::Delta,
        symbol,
        bids,
        ..BookUpdate::default()
    }
}

/// Hands over the update whose number is the message.
struct Prepared(Vec<BookUpdate>);

impl Decoder for Prepared {
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        let number = u16::from_le_bytes([message[0], message[1]]);
        let prepared = &self.0[usize::from(number)];
        (update.kind, update.symbol) = (prepared.kind, prepared.symbol);
        update.bids.extend_from_slice(&prepared.bids);
        update.asks.extend_from_slice(&prepared.asks);
        apply(update);
        Ok(Decoded::Book)
    }
}

fn symbol(book: usize) -> Symbol {
    format!("coin{book}usdt").parse().unwrap()
}

fn listener(shape: Shape, books: usize) -> BookListener<Box<dyn Decoder>> {
    let first = (0..books).map(|book| shape.first(symbol(book)));
    let next = (0..books * UPDATES).map(|n| shape.next(symbol(n % books), n as u64));
    let decoder = Box::new(Prepared(first.chain(next).collect()));
    let symbols = (0..books).map(|book| (symbol(book), symbol(book)));
    let venue = "binance".parse().unwrap();
    BookListener::new(venue, decoder, BookRules::default(), DEPTH, symbols)
}

/// A listener at work.
struct Running<L> {
    listener: L,
    books: usize,
    random: u64,
}

impl<L: Listener<Event = BookEvent>> Running<L> {
    fn new(listener: L, books: usize) -> Self {
        let mut running = Self {
            listener,
            books,
            random: 0x2545_f491_4f6c_dd1d,
        };
        running
            .listener
            .on_link(Link::Up, Now::default(), &mut |event| {
                black_box(event);
            });
        for book in 0..books {
            running.take(book);
        }
        running
    }

    /// One message; how many events came of it.
    fn take(&mut self, number: usize) -> usize {
        let mut message = u16::try_from(number).unwrap_or(0).to_le_bytes();
        let mut events = 0;
        let heard = self
            .listener
            .on_message(&mut message, Now::default(), &mut |event| {
                black_box(&event);
                events += 1;
            });
        assert!(heard.is_ok());
        events
    }

    fn take_any(&mut self) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let updates = self.books * UPDATES;
        let drawn = ((self.random & 0xffff_ffff) * updates as u64) >> 32;
        self.take(self.books + usize::try_from(drawn).unwrap_or(0))
    }
}

fn run<L: Listener<Event = BookEvent>>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    listener: L,
    books: usize,
) {
    let mut running = Running::new(listener, books);
    group.bench_function(name, |b| b.iter(|| running.take_any()));
}

fn measure(c: &mut Criterion, shape: Shape, books: usize) {
    let new = || listener(shape, books);
    let mut inside = Running::new(new().only_changes(), books);
    let mut around = Running::new(Changed::new(new()), books);
    for _ in 0..10_000 {
        assert_eq!(inside.take_any(), around.take_any());
    }
    let mut group = c.benchmark_group(format!("listener_{}_of_{books}", shape.name()));
    run(&mut group, "only_changes", new().only_changes(), books);
    run(&mut group, "changed", Changed::new(new()), books);
    run(&mut group, "every_update", new(), books);
    group.finish();
}
