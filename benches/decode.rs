//! Bytes of one message to a filled `BookUpdate`: symbol, sequence, time and exact levels.
//!
//! Every alternative fills the same `BookUpdate` with the same exact numbers, which is asserted
//! before anything is measured; all parse numbers with `Price::parse` or its kin.
//!
//! * `dragonfly`: the venue's decoder, through the same dynamic calls as in a feed.
//! * `serde_json`: the whole message into structs of borrowed strings, then the wanted levels
//!   parsed. It allocates its vectors anew for every message.
//! * `simd_json_tape`: the whole message into a tape whose buffers are reused, then the wanted values
//!   looked up in it. It writes to its input, so the message is copied first.
//! * `memchr`: one search that reads every byte and finds nothing: the floor of anything that reads
//!   the message to its end.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

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

/// One message shape and how the alternatives read it.
struct Shape {
    name: &'static str,
    venue: &'static str,
    message: Vec<u8>,
    serde: fn(&[u8], &mut BookUpdate),
    tape: fn(&Tape<'_>, &mut BookUpdate),
}

fn main() {
    harness::run(|c| {
        for shape in shapes() {
            measure(c, &shape);
        }
    });
}

fn shapes() -> [Shape; 4] {
    [
        Shape {
            name: "binance_depth20_top10",
            venue: "binance",
            message: messages::binance_depth20(),
            serde: by_serde::binance,
            tape: by_tape::binance,
        },
        Shape {
            name: "bitstamp_100_top10",
            venue: "bitstamp",
            message: messages::bitstamp_100(),
            serde: by_serde::bitstamp,
            tape: by_tape::bitstamp,
        },
        Shape {
            name: "bybit_delta",
            venue: "bybit",
            message: messages::bybit_delta(),
            serde: by_serde::bybit,
            tape: by_tape::bybit,
        },
        Shape {
            name: "coinbase_update",
            venue: "coinbase-advanced",
            message: messages::coinbase_update(),
            serde: by_serde::coinbase,
            tape: by_tape::coinbase,
        },
    ]
}

fn measure(c: &mut Criterion, shape: &Shape) {
    let mut decoder = (venue::find(shape.venue).unwrap().decoder)(&Subscription::default());
    let mut update = BookUpdate {
        wanted: 10,
        ..BookUpdate::default()
    };
    let mut reader = by_tape::Reader::default();
    assert_alike(shape, &mut decoder, &mut reader);

    let mut group = c.benchmark_group(shape.name);
    group.throughput(Throughput::Bytes(shape.message.len() as u64));
    let mut bytes = shape.message.clone();
    group.bench_function("dragonfly", |b| {
        b.iter(|| dragonfly(&mut decoder, black_box(&mut bytes), &mut update));
    });
    group.bench_function("serde_json", |b| {
        b.iter(|| {
            update.clear();
            (shape.serde)(black_box(&shape.message), &mut update);
        });
    });
    group.bench_function("simd_json_tape", |b| {
        b.iter(|| {
            update.clear();
            reader.read(black_box(&shape.message), |tape| {
                (shape.tape)(tape, &mut update)
            });
        });
    });
    group.bench_function("memchr", |b| {
        b.iter(|| memchr::memchr(0, black_box(&shape.message)));
    });
    group.finish();
}

fn dragonfly(decoder: &mut dyn Decoder, message: &mut [u8], update: &mut BookUpdate) {
    update.clear();
    let decoded = decoder.decode(message, update, &mut |update| {
        black_box(update);
    });
    black_box(decoded.is_ok());
}

/// All alternatives must have read the same.
fn assert_alike(shape: &Shape, decoder: &mut dyn Decoder, reader: &mut by_tape::Reader) {
    let [mut ours, mut serde, mut tape] = [(); 3].map(|()| BookUpdate {
        wanted: 10,
        ..BookUpdate::default()
    });
    dragonfly(decoder, &mut shape.message.clone(), &mut ours);
    (shape.serde)(&shape.message, &mut serde);
    reader.read(&shape.message, |t| (shape.tape)(t, &mut tape));
    assert!(ours.bids.len() + ours.asks.len() > 0, "{}", shape.name);
    for other in [&serde, &tape] {
        assert_eq!(
            (&ours.bids, &ours.asks),
            (&other.bids, &other.asks),
            "{}",
            shape.name
        );
        assert_eq!(
            (ours.kind, ours.symbol),
            (other.kind, other.symbol),
            "{}",
            shape.name
        );
        assert_eq!(
            (ours.last, ours.ts_venue),
            (other.last, other.ts_venue),
            "{}",
            shape.name
        );
    }
}
