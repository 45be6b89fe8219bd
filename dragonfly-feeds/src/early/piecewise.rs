//! Snapshots whose levels stand in one array of objects.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "positions go forward within the message, and counts are of what is in it; tried by a fuzz target for each decoder"
)]

use dragonfly_core::{
    feed::{Decoded, Decoder, EarlyDecoder, FeedError},
    market::{BookUpdate, Level, Symbol, UpdateKind},
};
use memchr::{memchr, memmem};

/// How far into a message its levels begin at the latest, in bytes.
const HEAD: usize = 1024;

/// Reads the levels of a snapshot piece by piece as they come, so that at the end of the message
/// only the last piece is left to be read.
///
/// Nothing is shown before the end: nobody promises that the levels are sorted, so the last of them
/// may be the best.
#[derive(Debug)]
pub(crate) struct Piecewise<D> {
    decoder: D,
    least: usize,
    /// What the array of levels begins with.
    begin: &'static [u8],
    /// What a message ends in behind the last level.
    end: &'static [u8],
    reached: Reached,
    read: Read,
    piece: Vec<u8>,
}

/// How far a message has been read.
#[derive(Clone, Copy, Debug)]
enum Reached {
    /// The levels have not begun.
    Head,
    /// The levels before `at` have been read; what is before them ends at `head`.
    Levels { head: usize, at: usize },
    /// The message is not written as expected.
    Unknown,
}

/// What has been read of a message.
#[derive(Debug, Default)]
struct Read {
    id: Option<(Symbol, u64, Option<u64>)>,
    bids: Vec<Level>,
    asks: Vec<Level>,
    price_decimals: u8,
    qty_decimals: u8,
}

impl Read {
    /// Adds the levels of a piece; false when it is of another update than those before it.
    fn add(&mut self, update: &mut BookUpdate) -> bool {
        let id = (update.symbol, update.last, update.connection_seq);
        if update.kind != UpdateKind::Snapshot || *self.id.get_or_insert(id) != id {
            return false;
        }
        self.bids.append(&mut update.bids);
        self.asks.append(&mut update.asks);
        self.price_decimals = self.price_decimals.max(update.price_decimals);
        self.qty_decimals = self.qty_decimals.max(update.qty_decimals);
        true
    }

    /// Gives the levels to the update of the last piece.
    fn move_to(&mut self, update: &mut BookUpdate) {
        std::mem::swap(&mut self.bids, &mut update.bids);
        std::mem::swap(&mut self.asks, &mut update.asks);
        update.price_decimals = self.price_decimals;
        update.qty_decimals = self.qty_decimals;
    }

    fn clear(&mut self) {
        self.id = None;
        self.bids.clear();
        self.asks.clear();
        (self.price_decimals, self.qty_decimals) = (0, 0);
    }
}

impl<D: Decoder> Piecewise<D> {
    /// Messages of `least` bytes or more, whose levels begin with `begin` and which end in `end`
    /// behind them, for a venue's `decoder`.
    pub(crate) fn new(decoder: D, least: usize, begin: &'static [u8], end: &'static [u8]) -> Self {
        Self {
            decoder,
            least,
            begin,
            end,
            reached: Reached::Head,
            read: Read::default(),
            piece: Vec::new(),
        }
    }

    /// Reads a piece as a message of its own; true when it was a single update of the snapshot.
    fn read_piece(&mut self, update: &mut BookUpdate) -> bool {
        let Self {
            decoder,
            read,
            piece,
            ..
        } = self;
        let (mut count, mut fits) = (0, true);
        update.clear();
        let decoded = decoder.decode(piece, update, &mut |update| {
            count += 1;
            fits &= count == 1 && read.add(update);
        });
        decoded == Ok(Decoded::Book) && count == 1 && fits
    }

    /// Reads the levels that have come whole since the last piece.
    fn read_on(
        &mut self,
        so_far: &[u8],
        head: usize,
        at: usize,
        update: &mut BookUpdate,
    ) -> Option<Reached> {
        let new = &so_far[at..];
        let Some(end) = memmem::rfind(new, b"},{") else {
            return Some(Reached::Levels { head, at });
        };
        let piece = &new[..=end];
        // Without escapes every quote begins or ends a string, so a cut within a string is seen.
        if memchr(b'\\', piece).is_some() {
            return None;
        }
        self.piece.clear();
        for part in [&so_far[..head], piece, self.end] {
            self.piece.extend_from_slice(part);
        }
        let at = at + end + b"},".len();
        self.read_piece(update)
            .then_some(Reached::Levels { head, at })
    }
}

impl<D: Decoder> EarlyDecoder for Piecewise<D> {
    fn least(&self) -> usize {
        self.least
    }

    fn begin(&mut self) {
        self.reached = Reached::Head;
        self.read.clear();
    }

    fn part(&mut self, so_far: &[u8], update: &mut BookUpdate, _: &mut dyn FnMut(&mut BookUpdate)) {
        if matches!(self.reached, Reached::Head) {
            let start = &so_far[..so_far.len().min(HEAD)];
            self.reached = match memmem::find(start, self.begin) {
                Some(begin) if memchr(b'\\', &start[..begin]).is_none() => {
                    let head = begin + self.begin.len();
                    Reached::Levels { head, at: head }
                }
                None if so_far.len() < HEAD => Reached::Head,
                _ => Reached::Unknown,
            };
        }
        if let Reached::Levels { head, at } = self.reached {
            let reached = self.read_on(so_far, head, at, update);
            self.reached = reached.unwrap_or(Reached::Unknown);
            update.clear();
        }
    }

    fn finish(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Option<Result<Decoded, FeedError>> {
        let Reached::Levels { head, at } = std::mem::replace(&mut self.reached, Reached::Unknown)
        else {
            return None;
        };
        let rest = message.get(at..).filter(|_| self.read.id.is_some())?;
        // A second array of levels would not go with those that have been read.
        if memchr(b'\\', rest).is_some() || memmem::find(rest, self.begin).is_some() {
            return None;
        }
        self.piece.clear();
        self.piece.extend_from_slice(&message[..head]);
        self.piece.extend_from_slice(rest);
        let is_read = self.read_piece(update);
        let id = (update.symbol, update.last, update.connection_seq);
        if !is_read || self.read.id != Some(id) || update.kind != UpdateKind::Snapshot {
            update.clear();
            return None;
        }
        self.read.move_to(update);
        apply(update);
        Some(Ok(Decoded::Book))
    }
}

impl<D: Decoder> Decoder for Piecewise<D> {
    #[inline]
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        self.decoder.decode(message, update, apply)
    }

    fn early(&mut self) -> Option<&mut dyn EarlyDecoder> {
        Some(self)
    }
}
