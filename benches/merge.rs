//! Books of several venues to one consolidated book of ten levels a side.
//!
//! `bbo_*`: one venue's image of ten levels comes in, one view goes out. Which venue, and which of its
//! images, is drawn anew each time: a rotation, however long, is learnt by heart by the branch
//! predictor of a present-day processor, which no market can be.
//! * `dragonfly`: `Bbo`, apply and publish, with the provenance of every leg in the view.
//! * `linear_scan`: the same view by looking at the head of every leg for every level, both sides
//!   for every event.
//! * `sort_all`: keeps the newest image of every venue, puts all levels in one vector, sorts it and
//!   cuts it; no provenance, so it does less.
//!
//! `bbo_*_one_side`: only the bids of the image are new. `bbo_*_again`: nothing is, besides time and
//! sequence.
//!
//! `merge_2x10`: both sides of two images merged to ten levels each, and nothing else: no image is
//! taken in, no view is made. One of the two is drawn anew each time.
//!
//! `path_2_venues`: the bytes of a Binance and a Bitstamp message, without socket and runner.
//! * `decode`: to two events.
//! * `decode_merge`: and these merged once, as in `merge_2x10`.
//! * `decode_publish_each`: what a flow does: a view with its provenance for each of the two.
//!
//! `numbers_2x10`: the k-way merge alone, copied here over a number type of choice: `i128` as in
//! `Price`, `i64` as in `number.rs`. `take_in` copies the incoming image first, as `Bbo` does.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

mod harness;
#[path = "merge/linear.rs"]
mod linear;
#[path = "merge/numbers.rs"]
mod numbers;

use std::{cmp::Ordering, hint::black_box};

use criterion::Criterion;
use dragonfly_aggregators::{Bbo, bench};
use dragonfly_benches::{books, messages};
use dragonfly_core::{
    feed::Decoder,
    market::{BookEvent, BookUpdate, Depth, Ladder, Level, Venue, VenueLevel},
    stage::Aggregator,
};
use dragonfly_feeds::venue::{self, Subscription};
use linear::LinearScan;

const DEPTH: usize = 10;

fn main() {
    harness::run(|c| {
        for venues in [2, 5, books::VENUES] {
            bbo(c, venues);
        }
        two(c);
        path(c);
        numbers::measure(c);
    });
}

/// How many images of each venue there are.
const IMAGES: u64 = 16;

/// What of an image is new.
#[derive(Clone, Copy, PartialEq)]
enum News {
    Both,
    Bids,
    Nothing,
}

/// Images of each venue, drawn at random.
struct Deck {
    events: Vec<BookEvent>,
    venues: u64,
    state: u64,
}

impl Deck {
    fn new(venues: usize, news: News) -> Self {
        let first = |v| books::scattered_event(v, DEPTH as u64, 1);
        let event = |v, seq| {
            let mut event = books::scattered_event(v, DEPTH as u64, seq);
            match news {
                News::Both => {}
                News::Bids => event.depth.asks = first(v).depth.asks,
                News::Nothing => event.depth = first(v).depth,
            }
            event
        };
        Self {
            events: (1..=IMAGES)
                .flat_map(|seq| (0..venues).map(move |v| event(v, seq)))
                .collect(),
            venues: venues as u64,
            state: 0x2545_f491_4f6c_dd1d,
        }
    }

    /// The venue and its new image.
    #[inline]
    fn draw(&mut self) -> (usize, &BookEvent) {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        // The upper half of a product is a number below the other factor.
        let below = |bits: u64, n: u64| ((bits & 0xffff_ffff) * n) >> 32;
        let venue = below(self.state, self.venues);
        let image = below(self.state >> 32, IMAGES);
        let at = usize::try_from(image * self.venues + venue).unwrap_or(0);
        (usize::try_from(venue).unwrap_or(0), &self.events[at])
    }
}

fn bbo(c: &mut Criterion, venues: usize) {
    for (news, suffix) in [
        (News::Both, ""),
        (News::Bids, "_one_side"),
        (News::Nothing, "_again"),
    ] {
        assert_alike(Deck::new(venues, news), venues);
        let mut group = c.benchmark_group(format!("bbo_{venues}x{DEPTH}{suffix}"));
        let (mut bbo, mut deck) = (Bbo::top(DEPTH), Deck::new(venues, news));
        group.bench_function("dragonfly", |b| {
            b.iter(|| {
                bbo.apply(black_box(deck.draw().1));
                bbo.publish()
            });
        });
        let (mut scan, mut deck) = (LinearScan::new(DEPTH), Deck::new(venues, news));
        group.bench_function("linear_scan", |b| {
            b.iter(|| {
                scan.apply(black_box(deck.draw().1));
                scan.publish()
            });
        });
        if news == News::Both {
            let (mut naive, mut deck) = (SortAll::new(venues), Deck::new(venues, news));
            group.bench_function("sort_all", |b| {
                b.iter(|| {
                    let (venue, event) = deck.draw();
                    naive.apply(venue, black_box(event));
                    naive.publish()
                });
            });
        }
        group.finish();
    }
}

/// All alternatives find the same levels.
fn assert_alike(mut deck: Deck, venues: usize) {
    let (mut bbo, mut naive) = (Bbo::top(DEPTH), SortAll::new(venues));
    let mut scan = LinearScan::new(DEPTH);
    for _ in 0..10_000 {
        let (venue, event) = deck.draw();
        bbo.apply(event);
        scan.apply(event);
        naive.apply(venue, event);
        let (ours, [bids, asks]) = (bbo.publish().unwrap(), naive.publish());
        assert_eq!(Some(&ours), scan.publish().as_ref());
        let named = |ladder: Ladder<VenueLevel>| -> Vec<_> {
            let venue = |l: &VenueLevel| (l.price, l.qty, ours.legs.id(l.leg.into()).copied());
            ladder.iter().map(venue).collect()
        };
        let sorted = |ladder: Ladder<VenueLevel>| -> Vec<_> {
            let id = |v: u8| {
                let name: Venue = format!("venue-{v:02}").parse().unwrap();
                ours.legs
                    .iter()
                    .map(|(id, _)| *id)
                    .find(|id| id.venue == name)
            };
            ladder.iter().map(|l| (l.price, l.qty, id(l.leg))).collect()
        };
        assert_eq!(named(ours.bids), sorted(bids));
        assert_eq!(named(ours.asks), sorted(asks));
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

/// A venue's decoder and messages for it, which come in turn: each with other levels than the one
/// before.
struct Feed {
    decoder: Box<dyn Decoder>,
    update: BookUpdate,
    messages: Vec<Vec<u8>>,
    next: usize,
    event: BookEvent,
}

impl Feed {
    fn new(index: usize, id: &str, messages: Vec<Vec<u8>>) -> Self {
        let mut event = books::venue_event(index, 0, 1);
        event.venue = id.parse().unwrap();
        Self {
            decoder: (venue::find(id).unwrap().decoder)(&Subscription::default()),
            update: BookUpdate {
                wanted: DEPTH,
                ..BookUpdate::default()
            },
            messages: messages::rotation(messages),
            next: 0,
            event,
        }
    }

    /// One message to one event. The image is copied level by level, as the listener does.
    fn next(&mut self) -> &BookEvent {
        self.update.clear();
        self.next += 1;
        if self.next >= self.messages.len() {
            self.next = 0;
        }
        let (event, message) = (&mut self.event, &mut self.messages[self.next]);
        let decoded = self
            .decoder
            .decode(message, &mut self.update, &mut |update| {
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

/// Room for both sides of the merge alone.
type Sides = [[VenueLevel; DEPTH]; 2];

/// The merge alone of two images; how many levels it came to.
#[inline]
fn merge_two(left: &Depth, right: &Depth, [bids, asks]: &mut Sides) -> (usize, usize) {
    bench::merge_two(left, right, bids, asks)
}

fn two(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("merge_2x{DEPTH}"));
    let mut sides = Sides::default();
    let other = books::scattered_event(1, DEPTH as u64, 1);
    let mut scan = LinearScan::new(DEPTH);
    scan.apply(&other);
    let mut deck = Deck::new(1, News::Both);
    for _ in 0..1_000 {
        let event = deck.draw().1;
        scan.apply(event);
        assert_eq!(
            merge_two(&event.depth, &other.depth, &mut sides),
            (DEPTH, DEPTH)
        );
        for (ours, theirs) in sides.iter().zip(scan.sides()) {
            let levels =
                |side: &[VenueLevel]| -> Vec<_> { side.iter().map(|l| (l.price, l.qty)).collect() };
            assert_eq!(levels(ours), levels(&theirs));
        }
    }
    group.bench_function("dragonfly", |b| {
        b.iter(|| {
            merge_two(
                &deck.draw().1.depth,
                black_box(&other.depth),
                black_box(&mut sides),
            )
        });
    });
    let mut deck = Deck::new(1, News::Both);
    group.bench_function("linear_scan", |b| {
        b.iter(|| {
            scan.apply(deck.draw().1);
            scan.sides()
        });
    });
    group.finish();
}

fn path(c: &mut Criterion) {
    let mut binance = Feed::new(0, "binance", messages::binance_images());
    let mut bitstamp = Feed::new(1, "bitstamp", messages::bitstamp_images());
    let mut group = c.benchmark_group("path_2_venues");
    let mut bbo = Bbo::top(DEPTH);
    let mut sides = Sides::default();
    group.bench_function("decode_merge", |b| {
        b.iter(|| {
            let (left, right) = (binance.next(), bitstamp.next());
            merge_two(&left.depth, &right.depth, black_box(&mut sides))
        });
    });
    group.bench_function("decode_publish_each", |b| {
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
