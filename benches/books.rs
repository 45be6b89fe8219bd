//! Books and their images, alike on every run.

use dragonfly_core::{
    clock::UtcNanos,
    market::{BookEvent, BookState, Cause, Depth, Level, Price, Qty},
};

/// One tick, 1e-5, in units of 1e-18.
const TICK: i128 = 10_i128.pow(13);

/// How many venues [`venue_event`] has names for.
pub const VENUES: usize = 20;

/// A number that looks arbitrary and is the same on every run.
pub const fn scatter(n: u64) -> u64 {
    (n.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

/// A price in ticks.
pub const fn price(ticks: u64) -> Price {
    Price::from_units(ticks as i128 * TICK)
}

/// A quantity in hundredths.
pub const fn qty(hundredths: u64) -> Qty {
    Qty::from_units(hundredths as i128 * 10_i128.pow(16))
}

/// `count` bids from 0.06824 downwards, best first.
pub fn bids(count: u64, offset: u64) -> Vec<Level> {
    let level = |i| Level::new(price(6_824 - offset - i), qty(1 + scatter(i) % 5_000));
    (0..count).map(level).collect()
}

/// `count` asks from 0.06826 upwards, best first.
pub fn asks(count: u64, offset: u64) -> Vec<Level> {
    let level = |i| Level::new(price(6_826 + offset + i), qty(1 + scatter(i + 500) % 5_000));
    (0..count).map(level).collect()
}

/// A live image of `levels` levels a side at venue number `venue`; venues differ by a tick or two,
/// so that their levels interleave and some prices are equal.
pub fn venue_event(venue: usize, levels: u64, seq: u64) -> BookEvent {
    let offset = scatter(venue as u64 + 7 * seq) % 3;
    BookEvent {
        venue: format!("venue-{venue:02}").parse().unwrap(),
        symbol: "ETH-BTC".parse().unwrap(),
        native_symbol: "ethbtc".parse().unwrap(),
        epoch: 1,
        seq,
        state: BookState::Live,
        cause: Cause::Image,
        ts_venue: None,
        ts_recv: UtcNanos(1_789_457_617_000_000_000 + seq),
        depth: Depth {
            bids: bids(levels, offset).into_iter().collect(),
            asks: asks(levels, offset).into_iter().collect(),
        },
    }
}

/// As [`venue_event`], with gaps between prices and quantities of each image's own: how the images of
/// two venues interleave is as good as random.
pub fn scattered_event(venue: usize, levels: u64, seq: u64) -> BookEvent {
    let seed = (venue as u64 + 1) * 1_000_003 + seq * 7_919;
    let ticks = |first: u64, side: u64| {
        let step = move |at: &mut u64, i: u64| {
            *at += 1 + scatter(seed + 64 * side + i) % 3;
            Some(*at)
        };
        (0..levels).scan(first + scatter(seed + side) % 4, step)
    };
    let level =
        |(i, price): (u64, Price)| Level::new(price, qty(1 + scatter(seed ^ (i << 20)) % 5_000));
    let bids = ticks(0, 1).map(|t| price(6_824 - t));
    let asks = ticks(0, 2).map(|t| price(6_826 + t));
    BookEvent {
        depth: Depth {
            bids: (0..).zip(bids).map(level).collect(),
            asks: (1_000..).zip(asks).map(level).collect(),
        },
        ..venue_event(venue, 0, seq)
    }
}
