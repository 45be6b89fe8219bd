//! Bytes of messages to filled `BookUpdate`s: symbol, sequence, time and exact levels.
//!
//! Every alternative fills the same `BookUpdate` with the same numbers, which is asserted before
//! anything is measured; all parse numbers with `Price::parse` or its kin. Each shape is sixteen
//! messages in turn, from recordings, so that no branch predictor knows them by heart; of two images
//! that follow one another no side has the same ten best levels, but for `unchanged_top_*`, where
//! both do and only the numbers of the messages differ.
//!
//! * `dragonfly`: the venue's decoder, through the same dynamic calls as in a feed.
//! * `serde_json`: the whole message into structs of borrowed strings, then the wanted levels
//!   parsed. It allocates its vectors anew for every message.
//! * `sonic_rs_typed`: the same structs through `sonic-rs`.
//! * `sonic_rs_lazy`: the wanted values looked up by their paths, arrays no further than wanted.
//! * `gjson`: the same through `gjson`.
//! * `simd_json_tape`: the whole message into a tape whose buffers are reused, then the wanted values
//!   looked up in it. It writes to its input, so the message is copied first. Kraken's numbers come
//!   out of it as doubles.
//! * `memchr`: one search that reads every byte and finds nothing: the floor of anything that reads
//!   the message to its end.
//!
//! `sonic-rs` and `simd-json` are faster when they are built for one processor
//! (`RUSTFLAGS="-C target-cpu=native"`); here all are built as a plain `cargo build` does.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

#[path = "decode/by_gjson.rs"]
mod by_gjson;
#[path = "decode/by_lazy.rs"]
mod by_lazy;
#[path = "decode/by_serde.rs"]
mod by_serde;
#[path = "decode/by_tape.rs"]
mod by_tape;
mod harness;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use dragonfly_benches::messages;
use dragonfly_core::{feed::Decoder, market::BookUpdate};
use dragonfly_feeds::venue::{self, Subscription};
use simd_json::Tape;

/// How an alternative reads a message.
type Read = fn(&[u8], &mut BookUpdate);

/// One message shape and how the alternatives read it.
struct Shape {
    name: &'static str,
    venue: &'static str,
    diffs: bool,
    messages: Vec<Vec<u8>>,
    others: [(&'static str, Read); 4],
    tape: fn(&Tape<'_>, &mut BookUpdate),
}

/// The shapes of one kind of message.
macro_rules! shape {
    ($name:literal, $venue:literal, $kind:ident, $messages:expr) => {
        Shape {
            name: $name,
            venue: $venue,
            diffs: stringify!($kind).ends_with("_diff"),
            messages: $messages,
            others: [
                ("gjson", by_gjson::$kind),
                ("serde_json", by_serde::plain::$kind),
                ("sonic_rs_typed", by_serde::sonic::$kind),
                ("sonic_rs_lazy", by_lazy::$kind),
            ],
            tape: by_tape::$kind,
        }
    };
}

fn main() {
    harness::run(|c| {
        for shape in shapes() {
            measure(c, &shape);
        }
    });
}

fn shapes() -> [Shape; 9] {
    use messages::{rotation, spread, unchanged};
    let (binance, bitstamp) = (messages::binance_images(), messages::bitstamp_images());
    let (same_binance, same_bitstamp) = (unchanged(&binance[0]), unchanged(&bitstamp[0]));
    let diffs = spread(messages::binance_diffs());
    let bybit = spread(messages::bybit_deltas());
    let coinbase = spread(messages::coinbase_updates());
    let snapshot = vec![messages::coinbase_snapshot()];
    let kraken = spread(messages::kraken_updates());
    [
        shape!(
            "binance_depth20_top10",
            "binance",
            binance,
            rotation(binance)
        ),
        shape!("binance_diff", "binance", binance_diff, diffs),
        shape!(
            "bitstamp_100_top10",
            "bitstamp",
            bitstamp,
            rotation(bitstamp)
        ),
        shape!("bybit_delta", "bybit", bybit, bybit),
        shape!("coinbase_update", "coinbase-advanced", coinbase, coinbase),
        shape!(
            "coinbase_snapshot_5mb",
            "coinbase-advanced",
            coinbase,
            snapshot
        ),
        shape!("kraken_update", "kraken", kraken, kraken),
        shape!("unchanged_top_binance", "binance", binance, same_binance),
        shape!(
            "unchanged_top_bitstamp",
            "bitstamp",
            bitstamp,
            same_bitstamp
        ),
    ]
}

fn measure(c: &mut Criterion, shape: &Shape) {
    let spec = venue::find(shape.venue).unwrap();
    let make = match spec.diffs {
        Some(channel) if shape.diffs => channel.decoder,
        _ => spec.decoder,
    };
    let mut decoder = make(&Subscription::default());
    let mut update = BookUpdate {
        wanted: 10,
        ..BookUpdate::default()
    };
    let mut reader = by_tape::Reader::default();
    assert_alike(shape, &mut decoder, &mut reader);

    let mut group = c.benchmark_group(shape.name);
    let bytes: usize = shape.messages.iter().map(Vec::len).sum();
    group.throughput(Throughput::Bytes((bytes / shape.messages.len()) as u64));
    let mut messages = shape.messages.clone();
    let mut next = 0;
    group.bench_function("dragonfly", |b| {
        b.iter(|| {
            let at = turn(&mut next, messages.len());
            dragonfly(&mut decoder, black_box(&mut messages[at]), &mut update);
        });
    });
    for (name, read) in shape.others {
        group.bench_function(name, |b| {
            b.iter(|| {
                let at = turn(&mut next, messages.len());
                update.clear();
                read(black_box(&messages[at]), &mut update);
            });
        });
    }
    group.bench_function("simd_json_tape", |b| {
        b.iter(|| {
            let at = turn(&mut next, messages.len());
            update.clear();
            reader.read(black_box(&messages[at]), |tape| {
                (shape.tape)(tape, &mut update)
            });
        });
    });
    group.bench_function("memchr", |b| {
        b.iter(|| {
            let at = turn(&mut next, messages.len());
            memchr::memchr(0, black_box(&messages[at]))
        });
    });
    group.finish();
}

/// The next of `count` in turn.
const fn turn(next: &mut usize, count: usize) -> usize {
    *next += 1;
    if *next >= count {
        *next = 0;
    }
    *next
}

fn dragonfly(decoder: &mut dyn Decoder, message: &mut [u8], update: &mut BookUpdate) {
    update.clear();
    let decoded = decoder.decode(message, update, &mut |update| {
        black_box(update);
    });
    black_box(decoded.is_ok());
}

/// All alternatives must have read the same, of each message.
fn assert_alike(shape: &Shape, decoder: &mut dyn Decoder, reader: &mut by_tape::Reader) {
    let empty = || BookUpdate {
        wanted: 10,
        ..BookUpdate::default()
    };
    for message in &shape.messages {
        let mut ours = empty();
        dragonfly(decoder, &mut message.clone(), &mut ours);
        assert!(ours.bids.len() + ours.asks.len() > 0, "{}", shape.name);
        let mut tape = empty();
        reader.read(message, |t| (shape.tape)(t, &mut tape));
        let read = |read: Read| {
            let mut update = empty();
            read(message, &mut update);
            update
        };
        let others = shape.others.map(|(name, by)| (name, read(by)));
        for (name, other) in others.into_iter().chain([("simd_json_tape", tape)]) {
            let all = |u: &BookUpdate| (u.kind, u.symbol, u.last, u.ts_venue, u.checksum);
            let what = format!("{} by {name}", shape.name);
            assert_eq!(all(&ours), all(&other), "{what}");
            assert_eq!(
                (&ours.bids, &ours.asks),
                (&other.bids, &other.asks),
                "{what}"
            );
        }
    }
}
