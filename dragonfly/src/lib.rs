//! Market data from many venues as one book that can be trusted, at the speed of a ring buffer.
//!
//! Dragonfly is a framework for processing market data in one process: *listeners* turn the messages
//! of venues into books, *aggregators* fold the books of many venues into one view of the world, and
//! *services* serve that view to clients. They are joined by bounded queues, and swapping a queue is
//! swapping one word. Every book carries a state and only a `Live` one enters a view; every view says
//! which books it rests on; prices and quantities are exact decimals from end to end.
//!
//! # A server in ten lines
//!
//! Three venues, one book over them, served over gRPC:
//!
//! ```no_run
//! # #[cfg(all(feature = "feeds", feature = "grpc"))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use dragonfly::{aggregators::Bbo, feeds, flow::Flow, grpc, queue, run::Threads};
//!
//! let mut flow = Flow::new();
//! let books = flow
//!     .listen(feeds::open(["binance", "bitstamp", "kraken"], "ETH-BTC")?)
//!     .via(queue::mpsc(256));
//! let bbo = flow.aggregate(books, Bbo::top(10)).via(queue::spmc(256));
//! flow.serve(grpc::Server::bind("127.0.0.1:50051")?, bbo);
//! flow.launch(Threads::Auto)?.join()?;
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "feeds", feature = "grpc")))]
//! # fn main() {}
//! ```
//!
//! A bot reads the book in its own loop instead: `bbo.into_consumer()` is the reading end.
//!
//! # The five layers
//!
//! | Layer | Does | Trait | Comes with |
//! |---|---|---|---|
//! | 1 client / protocol | connects, turns bytes into messages | [`client::Client`] | [`clients`]: WebSocket over TLS, captures |
//! | 2 feed subscriber | asks one venue for channels, recognises its answers | [`feed::Subscriber`] | [`feeds`] |
//! | 3 feed listener | turns messages into books, decides which events go on | [`feed::Listener`], [`feed::Decoder`] | [`feeds`], [`feeds::decorate`] |
//! | 4 aggregator | folds the events of many listeners into a view | [`stage::Aggregator`] | [`aggregators`] |
//! | 5 service | serves a view, never waits for a client | [`stage::Service`], [`stage::Serve`] | [`grpc`] |
//!
//! # Features
//!
//! `feeds` (the venues) and `grpc` (server and client) are on by default; `clients` alone brings
//! connections and captures for venues of your own; `sim` brings recorded venues to test against.

#![cfg_attr(
    not(all(feature = "feeds", feature = "grpc")),
    allow(
        rustdoc::broken_intra_doc_links,
        reason = "the table shows all parts, also those that are left out"
    )
)]

pub use dragonfly_aggregators as aggregators;
#[cfg(feature = "clients")]
pub use dragonfly_clients as clients;
#[doc(inline)]
pub use dragonfly_core::{client, clock, counter, edge, feed, flow, market, queue, run, stage};
#[cfg(feature = "feeds")]
pub use dragonfly_feeds as feeds;
#[cfg(feature = "grpc")]
pub use dragonfly_grpc as grpc;
#[cfg(feature = "sim")]
pub use dragonfly_sim as sim;

/// The examples of the README, which have to compile.
#[cfg(all(doctest, feature = "feeds", feature = "grpc"))]
#[doc = include_str!("../../README.md")]
mod readme {}
