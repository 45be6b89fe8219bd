//! Real clients over real WebSocket and TLS, and what a client of each venue would notice; the oracle
//! on views made by hand, and simulated worlds out of a few seeds.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

#[path = "it/binance.rs"]
mod binance;
#[path = "it/bitstamp.rs"]
mod bitstamp;
#[path = "it/bybit.rs"]
mod bybit;
#[path = "it/client.rs"]
mod client;
#[path = "it/coinbase.rs"]
mod coinbase;
#[path = "it/faults.rs"]
mod faults;
#[path = "it/independence.rs"]
mod independence;
#[path = "it/kraken.rs"]
mod kraken;
#[path = "it/live.rs"]
mod live;
#[path = "it/model.rs"]
mod model;
#[path = "it/oracle.rs"]
mod oracle;
#[path = "it/program.rs"]
mod program;
#[path = "it/serve.rs"]
mod serve;
#[path = "it/start.rs"]
mod start;
#[path = "it/talk.rs"]
mod talk;
#[path = "it/worlds.rs"]
mod worlds;
