//! Text to number: one price and one quantity.
//!
//! * `dragonfly`: `Price` and `Qty`, an `i128` at 1e-18 each; exact.
//! * `i64_at_1e-8`: an `i64` at a scale fixed per instrument, same parser; exact within its scale.
//! * `rust_decimal`: 96-bit mantissa and a scale in the value; exact.
//! * `fast_float2`: an `f64`; **not exact**, 0.06824 has no double.
//! * `lexical_core`: an `f64` likewise.
//! * `core_f64`: the same with `str::parse`.
//!
//! `pair_*` is one of sixteen levels `["price","qty"]` that stand in a message, with their ends to be
//! found: the time of the whole array, divided. `dragonfly` is what the decoders do, `plain` the same
//! on a processor without wide registers. `alone_*` has the text of each number by itself.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

mod harness;
#[path = "number/scaled.rs"]
mod scaled;

use std::{hint::black_box, time::Instant};

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use dragonfly_core::market::{Price, Qty};
use dragonfly_feeds::json::{Cursor, simd};
use rust_decimal::Decimal;

/// Price and quantity as Binance writes them, and as Bybit does.
const PAIRS: [(&str, &str, &str); 2] = [
    ("eight_decimals", "0.06824000", "12.10000000"),
    ("short", "65140.4", "0.006"),
];

fn main() {
    harness::run(|c| {
        for (name, price, qty) in PAIRS {
            alone(c, name, [price, qty]);
            in_message(c, name, [price, qty]);
        }
    });
}

fn alone(c: &mut Criterion, name: &str, pair: [&str; 2]) {
    let units = |text: &str| scaled::parse_prefix(text.as_bytes(), 8).unwrap().0;
    let exact = Price::parse(pair[0].as_bytes()).unwrap().units();
    assert_eq!(i128::from(units(pair[0])) * 10_i128.pow(10), exact);

    let mut group = c.benchmark_group(format!("alone_{name}"));
    group.bench_function("dragonfly", |b| {
        b.iter(|| {
            let [price, qty] = black_box(pair);
            (Price::parse(price.as_bytes()), Qty::parse(qty.as_bytes()))
        });
    });
    group.bench_function("i64_at_1e-8", |b| {
        b.iter(|| {
            let whole = |text: &str| {
                scaled::parse_prefix(text.as_bytes(), 8).filter(|(_, end)| *end == text.len())
            };
            black_box(pair).map(whole)
        });
    });
    group.bench_function("rust_decimal", |b| {
        b.iter(|| black_box(pair).map(Decimal::from_str_exact));
    });
    group.bench_function("fast_float2", |b| {
        b.iter(|| black_box(pair).map(fast_float2::parse::<f64, _>));
    });
    group.bench_function("lexical_core", |b| {
        b.iter(|| black_box(pair).map(|text| lexical_core::parse::<f64>(text.as_bytes())));
    });
    group.bench_function("core_f64", |b| {
        b.iter(|| black_box(pair).map(str::parse::<f64>));
    });
    group.finish();
}

/// How many levels are read at once.
const LEVELS: u64 = 16;

// How much stands before, between and behind the numbers of a level, its comma included.
const OPEN: usize = 2;
const BETWEEN: usize = 3;
const CLOSE: usize = 3;

fn in_message(c: &mut Criterion, name: &str, [price, qty]: [&str; 2]) {
    let level = format!(r#"["{price}","{qty}"]"#);
    let levels = vec![level; usize::try_from(LEVELS).unwrap()].join(",");
    // As in a message, something is before and behind.
    let text = format!(r#"{{"stream":"ethbtc@depth20","bids":[{levels}],"asks":[]}}"#);
    let array = text.find("[[").unwrap();
    let text = text.as_bytes();

    let mut group = c.benchmark_group(format!("pair_{name}"));
    let mut levels = Vec::new();
    let mut start = None;
    let found = Cursor::new(text).object(|key, c| {
        if key == b"bids" {
            start = Some(*c);
        }
        c.skip()
    });
    found.unwrap();
    let start = start.unwrap();
    let mut ours = || {
        let mut cursor = black_box(start);
        cursor.pairs(&mut levels, usize::MAX).unwrap();
        black_box(&levels);
    };
    per_pair(&mut group, "dragonfly", &mut ours);
    simd::plainly(|| per_pair(&mut group, "plain", &mut ours));
    per_pair(&mut group, "i64_at_1e-8", || {
        walk(&black_box(text)[array + 1..], |text| {
            scaled::parse_prefix(text, black_box(8)).unwrap()
        });
    });
    per_pair(&mut group, "rust_decimal", || {
        walk(&black_box(text)[array + 1..], |text| {
            let end = memchr::memchr(b'"', text).unwrap();
            let number = str::from_utf8(&text[..end]).unwrap();
            (Decimal::from_str_exact(number).unwrap(), end)
        });
    });
    per_pair(&mut group, "fast_float2", || {
        walk(&black_box(text)[array + 1..], |text| {
            fast_float2::parse_partial::<f64, _>(text).unwrap()
        });
    });
    per_pair(&mut group, "lexical_core", || {
        walk(&black_box(text)[array + 1..], |text| {
            lexical_core::parse_partial::<f64>(text).unwrap()
        });
    });
    group.finish();
}

/// Reads the numbers of all levels one after the other; `parse` also says where a number ends.
fn walk<T>(mut text: &[u8], parse: impl Fn(&[u8]) -> (T, usize)) {
    for _ in 0..LEVELS {
        let (price, end) = parse(&text[OPEN..]);
        let rest = &text[OPEN + end + BETWEEN..];
        let (qty, end) = parse(rest);
        black_box((price, qty));
        text = &rest[end + CLOSE..];
    }
}

/// The time of all levels, divided.
#[allow(
    clippy::disallowed_methods,
    reason = "a benchmark that divides what it measures"
)]
fn per_pair(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut all: impl FnMut()) {
    group.bench_function(name, |b| {
        b.iter_custom(|pairs| {
            let rounds = pairs.div_ceil(LEVELS);
            let begin = Instant::now();
            (0..rounds).for_each(|_| all());
            #[allow(clippy::cast_precision_loss, reason = "a ratio near one")]
            let share = pairs as f64 / (rounds * LEVELS) as f64;
            begin.elapsed().mul_f64(share)
        });
    });
}
