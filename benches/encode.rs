//! A consolidated view of two venues and ten levels a side on its way out.
//!
//! * `dragonfly_summary`, `dragonfly_book`: the server's own encoder, from the view to a gRPC frame.
//! * `prost_summary`, `prost_book`: the same view through the generated types and `prost`. What they
//!   write is asserted to be the same bytes.
//! * `publish_without_subscriber`: `Server::publish`, which covers the clock, the lock, storing the
//!   view and finding that nobody reads it; a view is encoded when the first subscriber needs it.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot set itself up stops"
)]

mod harness;
mod views;

use std::hint::black_box;

use dragonfly_core::stage::Serve;
use dragonfly_grpc::{Server, bench::Encoder};
use prost::Message;

/// The bytes in front of a gRPC message.
const PREFIX: usize = 5;

fn main() {
    harness::run(|c| {
        let view = views::two_venues();
        let mut encoder = Encoder::default();
        let (summary, book) = (views::summary(&view), views::book(&view));
        assert_eq!(
            encoder.summary(&view, 10)[PREFIX..],
            summary.encode_to_vec()
        );
        assert_eq!(encoder.book(&view, 10)[PREFIX..], book.encode_to_vec());

        let mut buffer = Vec::with_capacity(4_096);
        let mut group = c.benchmark_group("encode_summary_2x10");
        group.bench_function("dragonfly_summary", |b| {
            b.iter(|| encoder.summary(black_box(&view), 10).len());
        });
        group.bench_function("prost_summary", |b| {
            b.iter(|| {
                buffer.clear();
                let summary = views::summary(black_box(&view));
                summary.encode(&mut buffer).unwrap();
                buffer.len()
            });
        });
        group.finish();

        let mut group = c.benchmark_group("encode_book_2x10");
        group.bench_function("dragonfly_book", |b| {
            b.iter(|| encoder.book(black_box(&view), 10).len());
        });
        group.bench_function("prost_book", |b| {
            b.iter(|| {
                buffer.clear();
                views::book(black_box(&view)).encode(&mut buffer).unwrap();
                buffer.len()
            });
        });
        group.finish();

        let mut group = c.benchmark_group("publish_2x10");
        let mut server = Server::bind("127.0.0.1:0").unwrap();
        let views = std::slice::from_ref(&view);
        group.bench_function("publish_without_subscriber", |b| {
            b.iter(|| server.publish(black_box(views)));
        });
        group.finish();
    });
}
