//! What a listener sends on: the newest image of one venue's book, and whether it can be trusted.

use std::fmt;

use super::{Depth, LegId, Symbol, Venue};
use crate::clock::UtcNanos;

/// Whether a venue's book can be trusted. Only `Live` books enter a merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BookState {
    /// Nothing has been asked for yet.
    #[default]
    Empty,
    /// Asked for; the first image has not come yet.
    Syncing,
    /// Complete, in sequence and recently heard of.
    Live,
    /// Not heard of for longer than the venue's limit.
    Stale,
    /// An update was lost or a checksum failed; being asked for again.
    Gap,
    /// The venue's own book is crossed; wrong until it says otherwise.
    Crossed,
    /// The venue closed or refused the instrument.
    Closed,
    /// No connection.
    Down,
}

impl BookState {
    /// The state's lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Syncing => "syncing",
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Gap => "gap",
            Self::Crossed => "crossed",
            Self::Closed => "closed",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for BookState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a book is in its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The flow has just started.
    #[default]
    Started,
    /// The subscription was sent.
    Subscribed,
    /// A complete image arrived.
    Image,
    /// The venue's sequence has a hole.
    SequenceGap,
    /// The book does not have the checksum the venue sent.
    ChecksumMismatch,
    /// Nothing was heard for too long.
    Silent,
    /// The best bid is at or above the best ask.
    CrossedBook,
    /// The connection could not be made or was lost.
    Disconnected,
    /// The venue refused the subscription.
    Refused,
    /// Several messages in a row could not be understood.
    BadMessages,
    /// More early updates arrived than the sync buffer holds.
    BufferOverflow,
    /// The venue's code panicked.
    Panicked,
    /// The flow is stopping.
    Stopped,
}

impl Cause {
    /// The cause in a few lower-case words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Subscribed => "subscribed",
            Self::Image => "complete image",
            Self::SequenceGap => "sequence gap",
            Self::ChecksumMismatch => "checksum mismatch",
            Self::Silent => "silent for too long",
            Self::CrossedBook => "crossed book",
            Self::Disconnected => "disconnected",
            Self::Refused => "subscription refused",
            Self::BadMessages => "bad messages",
            Self::BufferOverflow => "sync buffer overflow",
            Self::Panicked => "adapter panicked",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The newest image of one instrument's book at one venue, with its provenance.
///
/// `depth` is empty unless `state` is [`BookState::Live`]: a book that cannot be trusted carries no
/// price. Because every event is a whole image, a newer one may replace an older one of the same
/// [`key`](Self::key) without loss of meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BookEvent {
    /// The venue.
    pub venue: Venue,
    /// The unified symbol, such as `BTC-USDT`.
    pub symbol: Symbol,
    /// The venue's own spelling.
    pub native_symbol: Symbol,
    /// Counts the book's complete restarts; never goes back.
    pub epoch: u32,
    /// The venue's sequence of the image within the epoch, or a count where it has none.
    pub seq: u64,
    /// Whether the book can be trusted.
    pub state: BookState,
    /// Why it is in that state.
    pub cause: Cause,
    /// The venue's time stamp, where it sends one.
    pub ts_venue: Option<UtcNanos>,
    /// When the message was read from the socket.
    pub ts_recv: UtcNanos,
    /// The best levels; empty unless `Live`.
    pub depth: Depth,
}

impl BookEvent {
    /// What tells one book from another within a flow. All three names do: a venue may have two
    /// markets, such as spot and perpetuals, that spell different instruments alike.
    #[inline]
    pub const fn key(&self) -> LegId {
        LegId {
            venue: self.venue,
            symbol: self.symbol,
            native_symbol: self.native_symbol,
        }
    }
}
