//! The counted shapes: each is made ready, and then done as often as it is called.
//!
//! A shape has the name of the group in which its time is measured, and does the same.

use std::hint::black_box;

use dragonfly_aggregators::Bbo;
use dragonfly_benches::{
    ROUNDS,
    books::{self, asks, bids, qty, scatter},
    messages,
};
use dragonfly_core::{
    feed::Decoder,
    market::{Book, BookEvent, BookUpdate, ConsolidatedBook, Level, Qty},
    queue::{self, Consumer, Producer, Queue},
    stage::{Aggregator, Serve},
};
use dragonfly_feeds::{
    json::Cursor,
    venue::{self, Subscription},
};
use dragonfly_grpc::Server;

/// One shape, ready to be done once at each call.
pub(crate) type Work = Box<dyn FnMut()>;

/// Many times a shape is done before it is counted, so that its buffers have grown.
const WARM_UP: usize = 100;

pub(crate) fn warm(mut work: Work) -> Work {
    (0..WARM_UP).for_each(|_| work());
    work
}

/// Sixteen messages of a venue in turn through its decoder.
pub(crate) fn decode(venue: &str, mut messages: Vec<Vec<u8>>) -> Work {
    let mut decoder: Box<dyn Decoder> =
        (venue::find(venue).unwrap().decoder)(&Subscription::default());
    let mut update = BookUpdate {
        wanted: 10,
        ..BookUpdate::default()
    };
    let mut next = 0;
    Box::new(move || {
        next = (next + 1) % messages.len();
        update.clear();
        let mut updates = 0;
        let message = black_box(&mut messages[next]);
        let decoded = decoder.decode(message, &mut update, &mut |update| {
            black_box(update);
            updates += 1;
        });
        assert!(decoded.is_ok() && updates == 1);
    })
}

pub(crate) fn binance_depth20_top10() -> Work {
    decode("binance", messages::rotation(messages::binance_images()))
}

pub(crate) fn bitstamp_100_top10() -> Work {
    decode("bitstamp", messages::rotation(messages::bitstamp_images()))
}

pub(crate) fn bybit_delta() -> Work {
    decode("bybit", messages::spread(messages::bybit_deltas()))
}

pub(crate) fn coinbase_update() -> Work {
    decode(
        "coinbase-advanced",
        messages::spread(messages::coinbase_updates()),
    )
}

pub(crate) fn kraken_update() -> Work {
    decode("kraken", messages::spread(messages::kraken_updates()))
}

pub(crate) fn unchanged_top_binance() -> Work {
    let image = &messages::binance_images()[0];
    decode("binance", messages::unchanged(image))
}

pub(crate) fn unchanged_top_bitstamp() -> Work {
    let image = &messages::bitstamp_images()[0];
    decode("bitstamp", messages::unchanged(image))
}

/// One of sixteen levels that stand in a message: at every sixteenth call all of them are read.
fn pair(level: &str) -> Work {
    const LEVELS: usize = 16;
    assert_eq!(usize::try_from(ROUNDS).unwrap() % LEVELS, 0);
    let before = r#"{"stream":"ethbtc@depth20"}"#;
    let text = format!(r#"{before}[{}],"asks":[]}}"#, vec![level; LEVELS].join(","));
    let (mut next, mut levels) = (0, Vec::new());
    Box::new(move || {
        if next % LEVELS == 0 {
            let mut cursor = Cursor::new(black_box(text.as_bytes()));
            cursor.skip().unwrap();
            cursor.pairs(&mut levels, usize::MAX).unwrap();
            black_box(&levels);
        }
        next += 1;
    })
}

pub(crate) fn pair_eight_decimals() -> Work {
    pair(r#"["0.06824000","12.10000000"]"#)
}

pub(crate) fn pair_short() -> Work {
    pair(r#"["65140.4","0.006"]"#)
}

/// One image of ten levels in, one view out; the venues take turns.
fn bbo(venues: usize) -> Work {
    let events: Vec<BookEvent> = (1..=8)
        .flat_map(|seq| (0..venues).map(move |v| books::venue_event(v, 10, seq)))
        .collect();
    let (mut bbo, mut next) = (Bbo::top(10), 0);
    Box::new(move || {
        bbo.apply(black_box(&events[next % events.len()]));
        black_box(bbo.publish());
        next += 1;
    })
}

pub(crate) fn bbo_2x10() -> Work {
    bbo(2)
}

pub(crate) fn bbo_5x10() -> Work {
    bbo(5)
}

pub(crate) fn bbo_20x10() -> Work {
    bbo(books::VENUES)
}

/// One change to a book of 1,000 levels.
fn book(change: impl Fn(&mut Book, Level) + 'static) -> Work {
    let mut book = Book::default();
    book.replace(&bids(1_000, 0), &asks(1_000, 0));
    let (top, mut next) = (bids(10, 0), 0);
    Box::new(move || {
        let price = top[usize::try_from(scatter(next)).unwrap() % top.len()].price;
        change(
            &mut book,
            black_box(Level::new(price, qty(1 + scatter(next) % 900))),
        );
        next += 1;
    })
}

pub(crate) fn book_1000_set_near_top() -> Work {
    book(Book::apply_bid)
}

pub(crate) fn book_1000_remove_insert_near_top() -> Work {
    book(|book, level| {
        book.apply_bid(Level::new(level.price, Qty::ZERO));
        book.apply_bid(level);
    })
}

/// One item in and out again, with as many readers as there are in the group of that name.
fn hop<T: Copy + 'static>(
    item: T,
    mut writer: impl Producer<Item = T> + 'static,
    mut readers: Vec<impl Consumer<Item = T> + 'static>,
) -> Work {
    Box::new(move || {
        assert!(writer.push(black_box(item)).is_ok());
        for reader in &mut readers {
            let count = reader.ready().map_or(0, |items| black_box(items).len());
            reader.release(count);
        }
    })
}

fn to_one<T: Copy + 'static>(item: T, queue: impl Queue<T>) -> Work {
    let (writer, reader) = queue.open();
    hop(item, writer, vec![reader])
}

fn to_two<T, Q>(item: T, queue: Q) -> Work
where
    T: Copy + 'static,
    Q: Queue<T, Consumer: Clone>,
{
    let (writer, reader) = queue.open();
    hop(item, writer, vec![reader.clone(), reader])
}

const ROOM: usize = 64;

fn event() -> BookEvent {
    books::venue_event(0, 10, 1)
}

pub(crate) fn hop_spsc_u64() -> Work {
    to_one(7_u64, queue::spsc(ROOM))
}

pub(crate) fn hop_mpsc_u64() -> Work {
    to_one(7_u64, queue::mpsc(ROOM))
}

pub(crate) fn hop_spmc_u64() -> Work {
    to_two(7_u64, queue::spmc(ROOM))
}

pub(crate) fn hop_mpmc_u64() -> Work {
    to_two(7_u64, queue::mpmc(ROOM))
}

pub(crate) fn hop_latest_u64() -> Work {
    to_one(7_u64, queue::latest())
}

pub(crate) fn hop_channel_u64() -> Work {
    to_one(7_u64, queue::channel(ROOM))
}

pub(crate) fn hop_spsc_book_event() -> Work {
    to_one(event(), queue::spsc(ROOM))
}

pub(crate) fn hop_mpsc_book_event() -> Work {
    to_one(event(), queue::mpsc(ROOM))
}

pub(crate) fn hop_spmc_book_event() -> Work {
    to_two(event(), queue::spmc(ROOM))
}

pub(crate) fn hop_mpmc_book_event() -> Work {
    to_two(event(), queue::mpmc(ROOM))
}

pub(crate) fn hop_latest_book_event() -> Work {
    to_one(event(), queue::latest())
}

pub(crate) fn hop_channel_book_event() -> Work {
    to_one(event(), queue::channel(ROOM))
}

/// A view handed to a server that nobody has subscribed to.
pub(crate) fn view_2x10() -> Work {
    let mut bbo = Bbo::top(10);
    bbo.apply(&books::venue_event(0, 10, 1));
    bbo.apply(&books::venue_event(1, 10, 1));
    let view: ConsolidatedBook = bbo.publish().unwrap();
    let mut server = Server::bind("127.0.0.1:0").unwrap();
    Box::new(move || server.publish(black_box(std::slice::from_ref(&view))))
}
