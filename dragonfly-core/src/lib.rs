//! The foundation of Dragonfly: the five layer traits, the market vocabulary, the queues and the
//! runner.
//!
//! This crate knows no venue, no socket, no JSON and no async runtime. A flow is made of *stages*
//! (feeds, aggregators, services) joined by *queues*; [`flow`] wires them and [`run`] steps them.
//!
//! | Layer | Trait | Where implementations live |
//! |---|---|---|
//! | 1 client / protocol | [`client::Client`] | `dragonfly-clients` |
//! | 2 feed subscriber | [`feed::Subscriber`] | `dragonfly-feeds` |
//! | 3 feed listener | [`feed::Listener`] | `dragonfly-feeds`, over [`feed::BookListener`] |
//! | 4 aggregator | [`stage::Aggregator`] | `dragonfly-aggregators` |
//! | 5 service | [`stage::Service`], [`stage::Serve`] | `dragonfly-grpc` |

pub mod client;
pub mod clock;
pub mod counter;
pub mod edge;
pub mod feed;
pub mod flow;
pub mod market;
pub mod queue;
pub mod run;
pub mod stage;
mod sync;
