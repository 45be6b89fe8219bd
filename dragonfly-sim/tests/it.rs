//! Real clients over real WebSocket and TLS: what a client of each venue would notice.

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
#[path = "it/kraken.rs"]
mod kraken;
#[path = "it/program.rs"]
mod program;
#[path = "it/start.rs"]
mod start;
