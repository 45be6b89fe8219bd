//! Layer 5 of Dragonfly: the gRPC server, its client library and the two programs.
//!
//! * [`Server`] serves the views of a flow in two schemas: the original
//!   `orderbook.OrderbookAggregator` and `dragonfly.v1.MarketData`, which has exact decimals and
//!   says in every message which venue books it rests on.
//! * [`Client`] reads the second with exact numbers and connects again by itself.
//! * [`proto`] has the generated messages of both.

pub mod client;
mod encode;
mod host;
mod policy;
#[cfg(feature = "bins")]
#[doc(hidden)]
pub mod program;
pub mod proto;
mod server;

pub use client::Client;
pub use host::TOKIO;
pub use policy::Policy;
#[doc(hidden)]
pub use server::bench;
pub use server::{BindError, Builder as ServerBuilder, Health, Probes, Server, Stats};
