//! The command line.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use clap::{Parser, ValueEnum};
use dragonfly_core::{
    clock::Nanos,
    market::{Instrument, InstrumentError},
    run::{RunOptions, Threads, Wait},
};

/// How long the stages have to finish, so that the program has ended 10 s after it was told to.
const JOIN_LIMIT: Nanos = Nanos::from_secs(8);

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

    /// Answers /livez and /readyz over plain HTTP at this address, such as 127.0.0.1:8080. Others than
    /// this machine's own need --insecure.
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    pub(crate) health_bind: Option<String>,

    /// How many venues have to be live for the server to be ready [default: half of them, rounded up].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=24))]
    pub(crate) quorum: Option<u8>,

    /// Connects to a venue at another address, such as a proxy or a simulator; may be repeated.
    /// VENUE:INSTRUMENT=wss://.. is for that instrument alone.
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

    /// Never sleeps: the shortest time from a venue to a client, for a whole core for each thread.
    /// With --threads auto that is one thread.
    #[arg(long, conflicts_with = "spin_for")]
    pub(crate) spin: bool,

    /// Stays awake for so long after the last message, then sleeps: 50us, 2ms, 1s; 1us to 60s.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) spin_for: Option<Duration>,

    /// Lets reads from venues ask the network card for so many microseconds, 1 to 10000
    /// (SO_BUSY_POLL); needs CAP_NET_ADMIN or the sysctl net.core.busy_read.
    #[arg(long, value_name = "MICROS", conflicts_with = "demo",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) busy_poll: Option<u32>,

    /// Ties the threads to these cores, in turn, by their numbers: 1 or 2,3.
    #[arg(long, value_name = "CORES", value_delimiter = ',')]
    pub(crate) pin: Vec<usize>,

    /// Keeps all memory of the server resident (mlockall), so that nothing waits for a page.
    #[arg(long)]
    pub(crate) lock_memory: bool,

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

impl Options {
    /// How to run the flow.
    pub(crate) fn run(&self) -> RunOptions {
        let threads = match self.threads {
            // Of threads that never sleep there are no more than asked for.
            ThreadMode::Auto if self.spin => Threads::One,
            mode => mode.into(),
        };
        let wait = match self.spin_for {
            _ if self.spin => Wait::Spin,
            Some(time) => Wait::Adaptive(Nanos::from(time)),
            None => Wait::Auto,
        };
        RunOptions::from(threads)
            .wait(wait)
            .pin(self.pin.as_slice())
            .join_limit(JOIN_LIMIT)
    }
}

/// A number with its unit, such as `50us`; 1 us to 60 s.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "us" => Duration::from_micros(1),
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        _ => return Err("write a number with its unit, as in 50us, 2ms or 1s".into()),
    };
    let time = digits.parse().ok().and_then(|n| unit.checked_mul(n));
    time.filter(|time| (Duration::from_micros(1)..=Duration::from_secs(60)).contains(time))
        .ok_or_else(|| "it must be from 1us to 60s".into())
}

/// Another address for a venue, or for one of its instruments.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) venue: String,
    pub(crate) instrument: Option<Instrument>,
    pub(crate) url: String,
}

impl Endpoint {
    /// Whether it is where this instrument is asked for.
    pub(crate) fn is_for(&self, venue: &str, instrument: &Instrument) -> bool {
        self.venue == venue && self.instrument.is_none_or(|only| only == *instrument)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.instrument {
            Some(instrument) => write!(f, "{}:{instrument}", self.venue),
            None => f.write_str(&self.venue),
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "write VENUE=wss://HOST:PORT/PATH".to_owned();
        let (place, url) = text.split_once('=').ok_or_else(form)?;
        let (venue, instrument) = match place.split_once(':') {
            Some((venue, only)) => {
                let instrument = only.parse().map_err(|e: InstrumentError| e.to_string())?;
                (venue, Some(instrument))
            }
            None => (place, None),
        };
        if venue.is_empty() || url.is_empty() {
            return Err(form());
        }
        Ok(Self {
            venue: venue.into(),
            instrument,
            url: url.into(),
        })
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

    #[test]
    fn a_time_has_a_unit_and_a_range() {
        for (text, us) in [("50us", 50), ("2ms", 2_000), ("60s", 60_000_000)] {
            assert_eq!(time(text), Ok(Duration::from_micros(us)));
        }
        for wrong in [
            "",
            "50",
            "us",
            "0us",
            "61s",
            "1.5ms",
            "-1us",
            "5m",
            "99999999999s",
            "5µs",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
