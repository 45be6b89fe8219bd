//! The command line.

use std::{path::PathBuf, str::FromStr};

use clap::{Parser, ValueEnum};
use dragonfly_core::run::Threads;

/// Combines the live order books of several exchanges into one and serves it over gRPC.
///
/// It connects to each venue, keeps its book in step, and streams the best price levels of all of
/// them to any number of clients. A venue that fails is named, left out of the book, and tried again
/// for ever; while none is live the clients are told so and see no prices.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "dragonflybot-grpc-server",
    version,
    after_help = "Examples:\n  \
        dragonflybot-grpc-server --demo                        recorded venues, no network needed\n  \
        dragonflybot-grpc-server --instrument-name ethbtc      Binance and Bitstamp, live\n  \
        dragonflybot-grpc-server --instrument-name BTC-USDT --venues binance,bybit\n  \
        dragonflybot-grpc-server --venues bybit:BTC-USDT,kraken:BTC-USD   taken as one instrument\n\n\
        Then, in another terminal: dragonflybot-grpc-client"
)]
pub(crate) struct Options {
    /// What to combine: ETH-BTC, BTC-USDT-PERP, or the compact form of a pair (ethbtc).
    #[arg(
        long,
        value_name = "NAME",
        default_value = "ethbtc",
        conflicts_with = "demo"
    )]
    pub(crate) instrument_name: String,

    /// The venues, by id, separated by commas: binance, bitstamp, bybit, coinbase-advanced, kraken.
    /// VENUE:INSTRUMENT takes another instrument there, as worth the same.
    #[arg(
        long,
        value_name = "VENUES",
        value_delimiter = ',',
        default_value = "binance,bitstamp",
        conflicts_with = "demo"
    )]
    pub(crate) venues: Vec<String>,

    /// How many price levels of each side, 1 to 20.
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) depth: u8,

    /// The address to serve on. Others than this machine's own need --insecure.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50051",
          value_parser = host_and_port)]
    pub(crate) bind: String,

    /// Allows --bind to an address that other machines can reach: without encryption, to anybody.
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Connects to a venue at another address, such as a proxy or a simulator; may be repeated.
    #[arg(
        long,
        value_name = "VENUE=wss://HOST:PORT/PATH",
        conflicts_with = "demo"
    )]
    pub(crate) endpoint: Vec<Endpoint>,

    /// Also trusts the certificates in this PEM file when connecting to venues.
    #[arg(long, value_name = "FILE", conflicts_with = "demo")]
    pub(crate) tls_ca: Option<PathBuf>,

    /// How to use the machine's cores.
    #[arg(long, value_enum, default_value_t = ThreadMode::Auto)]
    pub(crate) threads: ThreadMode,

    /// Plays recordings of Bybit and Coinbase over and over, and shows the book.
    #[arg(long)]
    pub(crate) demo: bool,

    /// How to write the log, which goes to standard error; RUST_LOG chooses what is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// An address as it will be resolved; its form is checked here, so that it is named as an option.
fn host_and_port(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.into()),
        _ => Err("write HOST:PORT, as in 127.0.0.1:50051".into()),
    }
}

/// Another address for a venue.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) venue: String,
    pub(crate) url: String,
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((venue, url)) if !venue.is_empty() && !url.is_empty() => Ok(Self {
                venue: venue.into(),
                url: url.into(),
            }),
            _ => Err("write VENUE=wss://HOST:PORT/PATH".into()),
        }
    }
}

/// Which stages share a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ThreadMode {
    /// One thread below four cores; else two that never sleep.
    Auto,
    /// Everything on one thread that sleeps when there is nothing to do.
    One,
    /// Feeds and merging on one thread, clients on another.
    Shared,
    /// A thread for each feed, for merging, and for clients.
    Dedicated,
}

impl From<ThreadMode> for Threads {
    fn from(mode: ThreadMode) -> Self {
        match mode {
            ThreadMode::Auto => Self::Auto,
            ThreadMode::One => Self::One,
            ThreadMode::Shared => Self::Shared,
            ThreadMode::Dedicated => Self::Dedicated,
        }
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_a_name_and_needs_a_port() {
        for right in ["localhost:50051", "127.0.0.1:0", "[::1]:50051"] {
            assert_eq!(host_and_port(right).as_deref(), Ok(right));
        }
        for wrong in ["", "localhost", "50051", ":50051", "localhost:99999"] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
    }
}
