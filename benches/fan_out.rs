//! One update to 1, 100 and 1,000 subscribers, as far as the server has a say: the view is published,
//! encoded once, and its bytes are taken by every subscriber. HTTP/2 and sockets are in
//! `fan_out_load.rs`.
//!
//! * `dragonfly`: the server; the frame is encoded once and shared.
//! * `prost_each`: an encoding by `prost` for each subscriber, as a codec for each stream makes it.
//! * `memcpy_each`: the ready frame copied for each subscriber, the floor of anything that copies.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

mod harness;
mod views;

use std::hint::black_box;

use dragonfly_core::stage::Serve;
use dragonfly_grpc::{
    Server,
    bench::{Encoder, Subscribers},
};
use prost::Message;

fn main() {
    harness::run(|c| {
        let view = views::two_venues();
        for count in [1, 100, 1_000] {
            let mut group = c.benchmark_group(format!("fan_out_{count}"));
            let mut server = Server::bind("127.0.0.1:0").unwrap();
            let mut subscribers = Subscribers::of(&server, count).unwrap();
            subscribers.take();
            let frame = Encoder::default().book(&view, 10);
            group.bench_function("dragonfly", |b| {
                b.iter(|| {
                    server.publish(black_box(std::slice::from_ref(&view)));
                    let taken = subscribers.take();
                    assert!(taken >= count * frame.len() / 2);
                    taken
                });
            });
            let mut out = Vec::with_capacity(4_096);
            group.bench_function("prost_each", |b| {
                b.iter(|| {
                    for _ in 0..count {
                        out.clear();
                        views::book(black_box(&view)).encode(&mut out).unwrap();
                    }
                    out.len()
                });
            });
            group.bench_function("memcpy_each", |b| {
                b.iter(|| {
                    for _ in 0..count {
                        out.clear();
                        out.extend_from_slice(black_box(&frame));
                    }
                    out.len()
                });
            });
            group.finish();
        }
    });
}
