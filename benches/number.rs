//! Text to number: one price and one quantity.
//!
//! * `dragonfly`: `Price` and `Qty`, an `i128` at 1e-18 each; exact.
//! * `i64_at_1e-8`: an `i64` at a scale fixed per instrument, same parser; exact within its scale.
//! * `rust_decimal`: 96-bit mantissa and a scale in the value; exact.
//! * `fast_float2`: an `f64`; **not exact**, 0.06824 has no double.
//! * `core_f64`: the same with `str::parse`.
//!
//! `alone` has the text of each number by itself, `in_message` has it as it stands in a message, with
//! its end to be found: only parsers that tell where they stopped take part.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

mod harness;
#[path = "number/scaled.rs"]
mod scaled;

use std::hint::black_box;

use criterion::Criterion;
use dragonfly_core::market::{Price, Qty};
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

    let mut group = c.benchmark_group(format!("pair_{name}_alone"));
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
    group.bench_function("core_f64", |b| {
        b.iter(|| black_box(pair).map(str::parse::<f64>));
    });
    group.finish();
}

fn in_message(c: &mut Criterion, name: &str, [price, qty]: [&str; 2]) {
    let message = format!(r#"{price}","{qty}"],["0.06823000","3.00000000"]"#);
    let message = message.as_bytes();
    /// What stands between the two numbers.
    const BETWEEN: usize = 3;

    let mut group = c.benchmark_group(format!("pair_{name}_in_message"));
    group.bench_function("dragonfly", |b| {
        b.iter(|| {
            let text = black_box(message);
            let (price, _, end) = Price::parse_prefix(text)?;
            let (qty, _, _) = Qty::parse_prefix(text.get(end + BETWEEN..)?)?;
            Some((price, qty))
        });
    });
    group.bench_function("i64_at_1e-8", |b| {
        b.iter(|| {
            let text = black_box(message);
            let (price, end) = scaled::parse_prefix(text, black_box(8))?;
            let (qty, _) = scaled::parse_prefix(text.get(end + BETWEEN..)?, black_box(8))?;
            Some((price, qty))
        });
    });
    group.bench_function("fast_float2", |b| {
        b.iter(|| {
            let text = black_box(message);
            let (price, end) = fast_float2::parse_partial::<f64, _>(text).ok()?;
            let (qty, _) = fast_float2::parse_partial::<f64, _>(text.get(end + BETWEEN..)?).ok()?;
            Some((price, qty))
        });
    });
    group.finish();
}
