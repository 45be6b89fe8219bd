//! The truth ledger: what each message told its client about a book, as exact decimal text.
//!
//! A ledger is written by whoever plays the venue, after every message that has reached the
//! client's end of the line. An [`Entry`] is found again by what the client itself can know:
//!
//! * `stream` is the scope of a numbering. Where a venue sends a snapshot and then changes, every
//!   snapshot that is sent begins a new one; where it sends nothing but images, a new one begins
//!   when the venue's count starts again.
//! * `seq` is the number of the update within it. Binance: `lastUpdateId`. Bitstamp:
//!   `microtimestamp`. Bybit: `u`. Coinbase: `sequence_num`. Kraken, which has no numbers: 0 for
//!   the snapshot and then a count of the updates that were sent.
//!
//! A client knows `seq`, and that a new epoch of its book began with a snapshot; the
//! [`oracle`](crate::oracle) finds out which `stream` that was.

mod jsonl;
mod levels;

use serde::{Deserialize, Serialize};

pub use jsonl::{JsonlError, read, write};
pub use levels::{Levels, Pairs};

/// What one message said about one book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// When the message reached the client's end of the line, in ns since the run began.
    pub at: u64,
    /// Which of the client's connections, counted over all venues; stays the same when the
    /// connection is made anew.
    pub socket: u32,
    /// The venue's id.
    pub venue: String,
    /// The venue's own symbol.
    pub symbol: String,
    /// The scope of the numbering, unique for the venue and symbol.
    pub stream: u64,
    /// The number of the update within the stream.
    pub seq: u64,
    /// Whether the message was a whole book, with which a client can begin.
    pub is_whole: bool,
    /// The best bids the client must have after it, best first.
    pub bids: Levels,
    /// The best asks.
    pub asks: Levels,
}

/// One line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Record {
    /// Which wall time the times of the ledger are of: `utc` was when `at` was. The first line of a
    /// ledger of real time; simulated worlds have none.
    Began {
        /// When, in ns since the run began.
        at: u64,
        /// The same moment, in ns since 1970 UTC.
        utc: u64,
    },
    /// What one message said about one book.
    Entry(Entry),
    /// A message of any kind reached the client.
    Heard {
        /// When, in ns since the run began.
        at: u64,
        /// On which connection.
        socket: u32,
    },
    /// The state of every leg was looked at, by all that had arrived.
    Looked {
        /// When, in ns since the run began.
        at: u64,
    },
}

impl Record {
    /// When it happened, in ns since the run began.
    pub const fn at(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.at,
            Self::Began { at, .. } | Self::Heard { at, .. } | Self::Looked { at } => *at,
        }
    }
}
