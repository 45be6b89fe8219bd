//! What can go wrong before the simulator runs. Once it runs, a client's misbehaviour ends that
//! client's connection and nothing else.

use std::{io, net::SocketAddr};

use dragonfly_clients::capture::CaptureError;

use crate::fault::Kind;

/// Why a recording could not be read or a simulator not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The recording cannot be read, or a line of it is not of the recorded form.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A demo recording, which is part of the program, cannot be decompressed.
    #[error("the demo recording is damaged: {0}")]
    Demo(String),
    /// No dialect speaks for this venue.
    #[error("unknown venue `{name}`; known are {known}")]
    UnknownVenue {
        /// The name that was asked for.
        name: String,
        /// Every name that would do, separated by commas.
        known: String,
    },
    /// The recording holds nothing the venue's dialect can play.
    #[error("{recording}: holds no message of {venue} that can be played")]
    NothingToPlay {
        /// The venue's name.
        venue: &'static str,
        /// The recording's path or name.
        recording: String,
    },
    /// No venue was given.
    #[error("no venue given: nothing to simulate")]
    NoVenue,
    /// The pace is not a positive, finite number.
    #[error("a speed of {0} cannot be played; give a factor above 0, such as 1 or 2.5")]
    Speed(f64),
    /// The rate of changes is out of range.
    #[error("a rate of {0} changes a second is not from 0.000001 to 100000")]
    Rate(f64),
    /// The instrument is not written as it should be, or is there twice.
    #[error(
        "{0:?} is no instrument, or there twice; give a currency such as BTC, or a pair such as BTC-USDT"
    )]
    Instrument(String),
    /// Two instruments have the same symbol at a venue.
    #[error("{first:?} and {second:?} are both {symbol} at {venue}; give one of them")]
    Symbol {
        /// The venue.
        venue: &'static str,
        /// What both are called there.
        symbol: String,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A fault cannot happen to what is served.
    #[error("fault {number} ({kind}) can never happen: {reason}")]
    Fault {
        /// Which of the plan, counted from 1.
        number: usize,
        /// What would happen.
        kind: Kind,
        /// Why it cannot.
        reason: String,
    },
    /// The address is not a loopback address.
    #[error("{0} is not a loopback address; the simulator serves this machine only")]
    NotLoopback(SocketAddr),
    /// The port cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// There are fewer ports left than venues.
    #[error(
        "from port {first} on there is none for venue {number}: ports end at 65535; give a lower one, or 0"
    )]
    Ports {
        /// The first venue's port.
        first: u16,
        /// The first venue without one, counted from 1.
        number: usize,
    },
    /// The system refused a thread or a runtime.
    #[error("cannot start the simulator's thread: {0}")]
    Thread(io::Error),
    /// The certificates could not be made.
    #[error("cannot make the certificates: {0}")]
    Certificate(String),
}
