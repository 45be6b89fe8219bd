//! One book: what the venue said of it.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, VecDeque},
    hash::{BuildHasher, Hasher},
};

use super::{Leg, Rule, Violation, decimal};
use crate::ledger::{Entry, Levels};

/// How many arrivals of a book are remembered.
const RECENT: usize = 64;
/// How many of the newest updates of a stream are remembered by when they arrived.
const HEADS: usize = 4_096;

/// What one message said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) at: u64,
    pub(super) bids: Levels,
    pub(super) asks: Levels,
}

/// What is known of one stream of a book.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// When a whole book last arrived in it.
    pub(super) whole_at: Option<u64>,
    /// How many whole books arrived in it.
    pub(super) wholes: u64,
    pub(super) arrivals: u64,
    /// The newest update: its number, and when it arrived.
    pub(super) head: (u64, u64),
    /// The updates that were the newest when they arrived, oldest first.
    heads: VecDeque<(u64, u64)>,
}

impl Stream {
    /// The update that was the newest at `at`, as far as is remembered.
    pub(super) fn head_by(&self, at: u64) -> Option<(u64, u64)> {
        self.heads
            .iter()
            .rev()
            .copied()
            .find(|(_, arrived)| *arrived <= at)
    }

    /// An update arrives. Changes that overtook the whole book they follow are news from then on.
    fn arrive(&mut self, seq: u64, is_whole: bool, at: u64) {
        // Where every message is a whole book, an older one that comes late is out of date.
        let is_imaging = self.wholes == self.arrivals && self.wholes > 1;
        self.arrivals += 1;
        if is_imaging && is_whole && seq < self.head.0 {
            (self.whole_at, self.wholes) = (Some(at), self.wholes + 1);
            return;
        }
        let is_overtaken = is_whole && self.whole_at.is_none() && self.head.0 > seq;
        if is_whole {
            if seq <= self.head.0 {
                // What was said before it is over.
                self.heads.clear();
            }
            self.whole_at = Some(at);
            self.wholes += 1;
        }
        if is_overtaken {
            self.head.1 = at;
        } else if is_whole || seq > self.head.0 {
            self.head = (seq, at);
        } else {
            return;
        }
        if self.heads.len() == HEADS {
            self.heads.pop_front();
        }
        self.heads.push_back(self.head);
    }
}

/// All that a venue said of one book.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) venue: String,
    pub(super) symbol: String,
    said: HashMap<(u64, u64), Said, Quick>,
    pub(super) streams: BTreeMap<u64, Stream>,
    pub(super) socket: u32,
    pub(super) heard: u64,
    /// When the last messages arrived, oldest first.
    recent: VecDeque<u64>,
}

/// Numbers are hashed by a multiplication: nobody chooses them to do harm.
#[derive(Clone, Copy, Debug, Default)]
struct Quick;

/// See [`Quick`].
#[derive(Debug)]
struct QuickHash(u64);

impl BuildHasher for Quick {
    type Hasher = QuickHash;

    fn build_hasher(&self) -> QuickHash {
        QuickHash(0)
    }
}

impl Hasher for QuickHash {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Truth {
    /// What is said of a book, of which nothing has been said yet.
    pub(super) fn of(venue: &str, symbol: &str) -> Self {
        Self {
            venue: venue.to_owned(),
            symbol: symbol.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn is_of(&self, leg: &Leg) -> bool {
        self.symbol == leg.symbol && self.venue == leg.venue
    }

    /// Takes an entry; an error when it contradicts an earlier one.
    /// Of a venue that sends nothing but images, those of a new count are no news before `recount` of
    /// them, and those of the past never.
    pub(super) fn take(&mut self, entry: Entry, recount: u64) -> Result<(), Violation> {
        let Entry {
            at, seq, is_whole, ..
        } = entry;
        (self.socket, self.heard) = (entry.socket, at);
        if !is_ordered(&entry.bids, Ordering::Greater) || !is_ordered(&entry.asks, Ordering::Less) {
            let book = format!("{} {}", entry.venue, entry.symbol);
            let what = format!("the ledger has seq {seq} out of the order of its prices");
            return Err(Violation::new(Rule::Failure, at, book, what));
        }
        let is_imaging = self.is_imaging();
        let is_first = self.streams.keys().next() == Some(&entry.stream);
        let stream = self.streams.entry(entry.stream).or_default();
        let is_past = seq < stream.head.0 || !is_first && stream.arrivals < recount;
        stream.arrive(seq, is_whole, at);
        if !(is_imaging && is_past) {
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(at);
        }
        let known = self.said.get(&(entry.stream, seq));
        if let Some(known) = known {
            if (&known.bids, &known.asks) == (&entry.bids, &entry.asks) {
                return Ok(());
            }
            let book = format!("{} {}", entry.venue, entry.symbol);
            let what = format!(
                "the ledger says two things of stream {}, seq {seq}",
                entry.stream
            );
            return Err(Violation::new(Rule::Failure, at, book, what));
        }
        let Entry { bids, asks, .. } = entry;
        self.said
            .insert((entry.stream, seq), Said { at, bids, asks });
        Ok(())
    }

    /// Whether the venue sends nothing but whole books.
    pub(super) fn is_imaging(&self) -> bool {
        let is_whole = |stream: &Stream| stream.wholes == stream.arrivals;
        let is_many = |stream: &Stream| stream.wholes > 2;
        self.streams.values().all(is_whole) && self.streams.values().any(is_many)
    }

    /// When a message last arrived that was there at `at`, as far as is remembered.
    pub(super) fn heard_by(&self, at: u64) -> Option<u64> {
        self.recent.iter().rev().copied().find(|heard| *heard <= at)
    }

    pub(super) fn said(&self, stream: u64, seq: u64) -> Option<&Said> {
        self.said.get(&(stream, seq))
    }
}

/// Whether each price is on that side of the next.
fn is_ordered(levels: &Levels, side: Ordering) -> bool {
    let next = levels.iter().skip(1);
    let mut pairs = levels.iter().zip(next);
    pairs.all(|(a, b)| decimal::compare(a.0, b.0) == side)
}
