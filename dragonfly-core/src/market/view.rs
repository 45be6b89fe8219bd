//! The world views an aggregator publishes: they say which books they rest on and how far to trust
//! each.

#![allow(
    clippy::indexing_slicing,
    reason = "places are those of levels that are there, and counts of updates do not reach 2^64; tried by models and fuzz targets"
)]

use std::sync::Arc;

use super::{BookEvent, BookState, Cause, Ladder, Level, Price, Qty, Symbol, Venue};
use crate::clock::UtcNanos;

/// How many books a view can rest on.
pub const MAX_LEGS: usize = 24;

/// Which book a leg is: two are one only where all three names are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LegId {
    /// The venue.
    pub venue: Venue,
    /// The unified symbol of the book at that venue.
    pub symbol: Symbol,
    /// The venue's own spelling.
    pub native_symbol: Symbol,
}

impl LegId {
    /// Whether the event is of this book: [`BookEvent::key`] compared without being made.
    #[inline]
    pub fn is_of(&self, event: &BookEvent) -> bool {
        // First what differs most often.
        self.native_symbol == event.native_symbol
            && self.symbol == event.symbol
            && self.venue == event.venue
    }
}

/// The state of one leg at the moment of the view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegStatus {
    /// Whether the leg takes part; only `Live` ones do.
    pub state: BookState,
    /// Why it is in that state.
    pub cause: Cause,
    /// Counts the book's complete restarts.
    pub epoch: u32,
    /// The sequence of the leg's newest image within the epoch.
    pub seq: u64,
    /// The venue's time stamp of that image, where it sends one.
    pub ts_venue: Option<UtcNanos>,
    /// When that image was read from the socket.
    pub ts_recv: UtcNanos,
}

impl LegStatus {
    #[inline]
    const fn of(event: &BookEvent) -> Self {
        Self {
            state: event.state,
            cause: event.cause,
            epoch: event.epoch,
            seq: event.seq,
            ts_venue: event.ts_venue,
            ts_recv: event.ts_recv,
        }
    }
}

/// The legs of a view: who they are (shared, it changes only when a leg first appears) and how they
/// are (copied into every view).
#[derive(Clone, Debug)]
pub struct Legs {
    ids: Arc<[LegId]>,
    status: [LegStatus; MAX_LEGS],
}

impl Default for Legs {
    fn default() -> Self {
        Self {
            ids: Arc::new([]),
            status: [LegStatus::default(); MAX_LEGS],
        }
    }
}

impl PartialEq for Legs {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Legs {
    /// Takes over the state an event reports and returns the leg's index, adding the leg when it is
    /// new; `None` when [`MAX_LEGS`] others are there already.
    pub fn note(&mut self, event: &BookEvent) -> Option<usize> {
        let key = event.key();
        let index = match self.ids.iter().position(|id| *id == key) {
            Some(index) => index,
            None => self.add(key)?,
        };
        self.status[index] = LegStatus::of(event);
        Some(index)
    }

    /// Takes over the state an event reports where the caller has an idea which leg it is of;
    /// false, and nothing is changed, when the leg at `index` is another one.
    #[inline]
    pub fn refresh(&mut self, index: usize, event: &BookEvent) -> bool {
        let is_it = self.ids.get(index).is_some_and(|id| id.is_of(event));
        if is_it {
            self.status[index] = LegStatus::of(event);
        }
        is_it
    }

    fn add(&mut self, id: LegId) -> Option<usize> {
        let index = self.ids.len();
        if index == MAX_LEGS {
            return None;
        }
        self.ids = self.ids.iter().copied().chain([id]).collect();
        Some(index)
    }

    /// How many legs there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether no leg has reported yet.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Who the leg is.
    pub fn id(&self, index: usize) -> Option<&LegId> {
        self.ids.get(index)
    }

    /// How the leg is.
    pub fn status(&self, index: usize) -> Option<&LegStatus> {
        self.status.get(index).filter(|_| index < self.ids.len())
    }

    /// Every leg, in the order in which they first reported.
    pub fn iter(&self) -> impl Iterator<Item = (&LegId, &LegStatus)> {
        self.ids.iter().zip(&self.status)
    }

    /// How many legs are `Live`.
    pub fn live(&self) -> usize {
        self.iter()
            .filter(|(_, status)| status.state == BookState::Live)
            .count()
    }
}

/// A level that keeps the venue it rests at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VenueLevel {
    /// The price.
    pub price: Price,
    /// The quantity at that price and venue.
    pub qty: Qty,
    /// Index of the leg in the view's [`Legs`].
    pub leg: u8,
}

/// The best levels over all `Live` venues, each with its venue.
///
/// Levels of equal price are ordered by larger quantity, then by venue name, by the venue's spelling
/// and by unified symbol. When no leg is `Live` both sides are empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsolidatedBook {
    /// What the book is a book of; the symbol of its legs, or the name given to the aggregator.
    pub symbol: Symbol,
    /// Counts the views of this stream, from 1.
    pub seq: u64,
    /// Bids, best first.
    pub bids: Ladder<VenueLevel>,
    /// Asks, best first.
    pub asks: Ladder<VenueLevel>,
    /// The books the view rests on.
    pub legs: Legs,
    /// When the newest message behind the view was read.
    pub ts_recv: UtcNanos,
}

/// Liquidity summed by price over all `Live` venues.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AggregatedBook {
    /// What the book is a book of.
    pub symbol: Symbol,
    /// Counts the views of this stream, from 1.
    pub seq: u64,
    /// Bids, best first.
    pub bids: Ladder<Level>,
    /// Asks, best first.
    pub asks: Ladder<Level>,
    /// The books the view rests on.
    pub legs: Legs,
    /// When the newest message behind the view was read.
    pub ts_recv: UtcNanos,
}

macro_rules! best_prices {
    ($view:ty) => {
        impl $view {
            /// Whether the best bid is above the best ask, which happens between venues.
            pub fn is_crossed(&self) -> bool {
                matches!((self.bids.first(), self.asks.first()), (Some(b), Some(a)) if b.price > a.price)
            }

            /// Whether the best bid equals the best ask.
            pub fn is_locked(&self) -> bool {
                matches!((self.bids.first(), self.asks.first()), (Some(b), Some(a)) if b.price == a.price)
            }
        }
    };
}
best_prices!(ConsolidatedBook);
best_prices!(AggregatedBook);
