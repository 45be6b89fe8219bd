//! A consolidated view of two venues and ten levels a side on its way out.
//!
//! * `publish_without_subscriber`: `Server::publish`, which covers the clock, the lock, storing the
//!   view and finding that nobody reads it. A view is encoded when the first subscriber needs it,
//!   so **no encoding is in this figure**: the encoder is private and is reached over a socket only.
//! * `prost_summary`, `prost_book`: the same view through the generated types and `prost`, which is
//!   what the server's own encoder stands in for; without frame and without the provenance of legs.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

mod harness;

use std::hint::black_box;

use dragonfly_aggregators::Bbo;
use dragonfly_benches::books;
use dragonfly_core::{
    market::{ConsolidatedBook, VenueLevel},
    stage::{Aggregator, Serve},
};
use dragonfly_grpc::{
    Server,
    proto::{orderbook, v1},
};
use prost::Message;

fn main() {
    harness::run(|c| {
        let view = view();
        let mut group = c.benchmark_group("view_2x10");
        let mut server = Server::bind("127.0.0.1:0").unwrap();
        let views = std::slice::from_ref(&view);
        group.bench_function("publish_without_subscriber", |b| {
            b.iter(|| server.publish(black_box(views)));
        });
        let mut buffer = Vec::with_capacity(4_096);
        group.bench_function("prost_summary", |b| {
            b.iter(|| {
                buffer.clear();
                summary(black_box(&view)).encode(&mut buffer).unwrap();
                buffer.len()
            });
        });
        group.bench_function("prost_book", |b| {
            b.iter(|| {
                buffer.clear();
                book(black_box(&view)).encode(&mut buffer).unwrap();
                buffer.len()
            });
        });
        group.finish();
    });
}

fn view() -> ConsolidatedBook {
    let mut bbo = Bbo::top(10);
    bbo.apply(&books::venue_event(0, 10, 1));
    bbo.apply(&books::venue_event(1, 10, 1));
    bbo.publish().unwrap()
}

fn summary(view: &ConsolidatedBook) -> orderbook::Summary {
    let level = |l: &VenueLevel| orderbook::Level {
        exchange: view.legs.id(l.leg.into()).unwrap().venue.to_string(),
        price: l.price.to_f64_lossy(),
        amount: l.qty.to_f64_lossy(),
    };
    let spread = match (view.bids.first(), view.asks.first()) {
        (Some(bid), Some(ask)) => ask.price.to_f64_lossy() - bid.price.to_f64_lossy(),
        _ => 0.0,
    };
    orderbook::Summary {
        spread,
        bids: view.bids.iter().map(level).collect(),
        asks: view.asks.iter().map(level).collect(),
    }
}

fn book(view: &ConsolidatedBook) -> v1::Book {
    let level = |l: &VenueLevel| v1::Level {
        price: l.price.to_string(),
        qty: l.qty.to_string(),
        leg: l.leg.into(),
    };
    v1::Book {
        symbol: view.symbol.to_string(),
        seq: view.seq,
        bids: view.bids.iter().map(level).collect(),
        asks: view.asks.iter().map(level).collect(),
        live_legs: 2,
        ts_recv_ns: view.ts_recv.0,
        ..v1::Book::default()
    }
}
