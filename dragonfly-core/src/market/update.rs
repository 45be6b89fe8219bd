//! What one message says about one book, decoded but not yet judged.

use super::{Level, MAX_DEPTH, Symbol};
use crate::clock::UtcNanos;

/// How an update relates to the book before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateKind {
    /// A whole top-N image that replaces everything; nothing else is ever sent.
    #[default]
    Image,
    /// A whole book that deltas will follow.
    Snapshot,
    /// Changed levels only.
    Delta,
}

/// One book update as the venue sent it, in buffers that are reused from message to message.
///
/// A decoder fills it, hands it on and fills it again; it allocates only until the buffers have
/// grown to the venue's largest message.
#[derive(Clone, Debug)]
pub struct BookUpdate {
    /// How the update relates to the book before it.
    pub kind: UpdateKind,
    /// The venue's own symbol; empty where the message names none, which is accepted only on a
    /// connection with a single instrument.
    pub symbol: Symbol,
    /// The first sequence number the update covers; equal to `last` where the venue sends one.
    pub first: u64,
    /// The last sequence number the update covers; zero where the venue sends none.
    pub last: u64,
    /// The sequence number the update says it follows, where the venue sends it.
    pub prev: Option<u64>,
    /// The sequence number of the message on its connection, where the venue counts those.
    pub connection_seq: Option<u64>,
    /// The checksum the book must have after the update.
    pub checksum: Option<u32>,
    /// The venue's time stamp.
    pub ts_venue: Option<UtcNanos>,
    /// Bid levels in wire order; quantity zero removes.
    pub bids: Vec<Level>,
    /// Ask levels in wire order; quantity zero removes.
    pub asks: Vec<Level>,
    /// The most decimals any price of the update was written with.
    pub price_decimals: u8,
    /// The most decimals any quantity of the update was written with.
    pub qty_decimals: u8,
    /// Where the venue announces it, how many levels a side its book has: the book is cut to it
    /// after each update.
    pub window: Option<usize>,
    /// How many levels a side an [`UpdateKind::Image`] needs; the rest may be skipped unparsed.
    /// Set by the listener, read by the decoder.
    pub wanted: usize,
}

impl Default for BookUpdate {
    fn default() -> Self {
        Self {
            kind: UpdateKind::Image,
            symbol: Symbol::EMPTY,
            first: 0,
            last: 0,
            prev: None,
            connection_seq: None,
            checksum: None,
            ts_venue: None,
            bids: Vec::new(),
            asks: Vec::new(),
            price_decimals: 0,
            qty_decimals: 0,
            window: None,
            wanted: MAX_DEPTH,
        }
    }
}

impl BookUpdate {
    /// Makes room for the next update; keeps `wanted` and the buffers' capacity.
    #[inline]
    pub fn clear(&mut self) {
        self.kind = UpdateKind::Image;
        self.symbol = Symbol::EMPTY;
        (self.first, self.last, self.prev) = (0, 0, None);
        (self.connection_seq, self.checksum, self.ts_venue) = (None, None, None);
        self.bids.clear();
        self.asks.clear();
        (self.price_decimals, self.qty_decimals, self.window) = (0, 0, None);
    }
}
