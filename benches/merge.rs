//! Books of several venues to one consolidated book of ten levels a side.
//!
//! `bbo_*`: one venue's image of ten levels comes in, one view goes out; the venues take turns.
//! * `dragonfly`: `Bbo`, apply and publish, with the provenance of every leg in the view.
//! * `sort_all`: keeps the newest image of every venue, puts all levels in one vector, sorts it and
//!   cuts it; no provenance, so it does less.
//!
//! `path_2_venues`: the whole way of two feeds without socket and runner: the bytes of a Binance and
//! a Bitstamp message decoded, merged and published, one view each.
//!
//! `numbers_2x10`: the k-way merge alone, copied here over a number type of choice: `i128` as in
//! `Price`, `i64` as in `number.rs`. `take_in` copies the incoming image first, as `Bbo` does.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

mod harness;
#[path = "merge/numbers.rs"]
mod numbers;

use std::{cmp::Ordering, hint::black_box};

use criterion::Criterion;
use dragonfly_aggregators::Bbo;
use dragonfly_benches::{books, messages};
use dragonfly_core::{
    feed::Decoder,
    market::{BookEvent, BookUpdate, Ladder, Level, VenueLevel},
    stage::Aggregator,
};
use dragonfly_feeds::venue::{self, Subscription};

const DEPTH: usize = 10;

fn main() {
    harness::run(|c| {
        for venues in [2, 5, books::VENUES] {
            bbo(c, venues);
        }
        path(c);
        numbers::measure(c);
    });
}

/// Eight images of each venue, the venues taking turns.
fn events(venues: usize) -> Vec<BookEvent> {
    (1..=8)
        .flat_map(|seq| (0..venues).map(move |v| books::venue_event(v, DEPTH as u64, seq)))
        .collect()
}

fn bbo(c: &mut Criterion, venues: usize) {
    let events = events(venues);
    assert_alike(&events, venues);
    let mut group = c.benchmark_group(format!("bbo_{venues}x{DEPTH}"));
    let (mut bbo, mut next) = (Bbo::top(DEPTH), (0..events.len()).cycle());
    group.bench_function("dragonfly", |b| {
        b.iter(|| {
            bbo.apply(black_box(&events[next.next().unwrap_or(0)]));
            bbo.publish()
        });
    });
    let (mut naive, mut next) = (SortAll::new(venues), (0..events.len()).cycle());
    group.bench_function("sort_all", |b| {
        b.iter(|| {
            let at = next.next().unwrap_or(0);
            naive.apply(at % venues, black_box(&events[at]));
            naive.publish()
        });
    });
    group.finish();
}

/// The naive merge finds the same levels.
fn assert_alike(events: &[BookEvent], venues: usize) {
    let (mut bbo, mut naive) = (Bbo::top(DEPTH), SortAll::new(venues));
    for (at, event) in events.iter().enumerate() {
        bbo.apply(event);
        naive.apply(at % venues, event);
        let (ours, [bids, asks]) = (bbo.publish().unwrap(), naive.publish());
        assert_eq!((ours.bids, ours.asks), (bids, asks));
    }
}

/// The merge one writes first.
struct SortAll {
    books: Vec<[Vec<Level>; 2]>,
    all: Vec<VenueLevel>,
}

impl SortAll {
    fn new(venues: usize) -> Self {
        Self {
            books: vec![Default::default(); venues],
            all: Vec::new(),
        }
    }

    fn apply(&mut self, venue: usize, event: &BookEvent) {
        for (kept, new) in self.books[venue]
            .iter_mut()
            .zip([&event.depth.bids, &event.depth.asks])
        {
            kept.clear();
            kept.extend_from_slice(new);
        }
    }

    fn publish(&mut self) -> [Ladder<VenueLevel>; 2] {
        let bids = self.side(0, |a, b| b.price.cmp(&a.price));
        [bids, self.side(1, |a, b| a.price.cmp(&b.price))]
    }

    fn side(
        &mut self,
        side: usize,
        order: impl Fn(&VenueLevel, &VenueLevel) -> Ordering,
    ) -> Ladder<VenueLevel> {
        self.all.clear();
        for (leg, book) in (0..).zip(&self.books) {
            let here = |l: &Level| VenueLevel {
                price: l.price,
                qty: l.qty,
                leg,
            };
            self.all.extend(book[side].iter().map(here));
        }
        let by_rank = |a: &VenueLevel, b: &VenueLevel| {
            order(a, b).then(b.qty.cmp(&a.qty)).then(a.leg.cmp(&b.leg))
        };
        self.all.sort_unstable_by(by_rank);
        self.all.iter().take(DEPTH).copied().collect()
    }
}

/// A venue's decoder and a message for it.
struct Feed {
    decoder: Box<dyn Decoder>,
    update: BookUpdate,
    message: Vec<u8>,
    event: BookEvent,
}

impl Feed {
    fn new(index: usize, id: &str, message: Vec<u8>) -> Self {
        let mut event = books::venue_event(index, 0, 1);
        event.venue = id.parse().unwrap();
        Self {
            decoder: (venue::find(id).unwrap().decoder)(&Subscription::default()),
            update: BookUpdate {
                wanted: DEPTH,
                ..BookUpdate::default()
            },
            message,
            event,
        }
    }

    /// One message to one event. The image is copied level by level, as the listener does.
    fn next(&mut self) -> &BookEvent {
        self.update.clear();
        let event = &mut self.event;
        let decoded = self
            .decoder
            .decode(&mut self.message, &mut self.update, &mut |update| {
                event.seq = update.last;
                event.depth.bids.clear();
                event.depth.asks.clear();
                for level in &update.bids {
                    event.depth.bids.push(*level);
                }
                for level in &update.asks {
                    event.depth.asks.push(*level);
                }
            });
        assert!(decoded.is_ok());
        &self.event
    }
}

fn path(c: &mut Criterion) {
    let mut binance = Feed::new(0, "binance", messages::binance_depth20());
    let mut bitstamp = Feed::new(1, "bitstamp", messages::bitstamp_100());
    let mut group = c.benchmark_group("path_2_venues");
    let mut bbo = Bbo::top(DEPTH);
    group.bench_function("decode_and_merge", |b| {
        b.iter(|| {
            bbo.apply(binance.next());
            black_box(bbo.publish());
            bbo.apply(bitstamp.next());
            black_box(bbo.publish());
        });
    });
    group.bench_function("decode", |b| {
        b.iter(|| {
            black_box(binance.next());
            black_box(bitstamp.next());
        });
    });
    group.finish();
}
