//! The way into a flow: where events wait when the first queue is full.
//!
//! Nothing inside a flow blocks or loses. A feed cannot stop the venue, though, so at this edge
//! events that carry a whole image replace an older one of the same book, and that is counted.

use std::collections::VecDeque;

use crate::{
    counter::Counter,
    market::{BookEvent, LegId},
    queue::{Producer, PushError},
};

/// An event that carries a whole image, so that a newer one makes an older one of the same key
/// superfluous. Deltas and trades are not of this kind.
pub trait Conflate {
    /// What the event is an image of.
    type Key: PartialEq;

    /// What this event is an image of.
    fn key(&self) -> Self::Key;
}

impl Conflate for BookEvent {
    type Key = LegId;
    fn key(&self) -> Self::Key {
        Self::key(self)
    }
}

/// Writes to the first queue of a flow; what finds it full waits here, the newest of each key.
#[derive(Debug)]
pub struct Edge<P: Producer> {
    output: P,
    held: VecDeque<P::Item>,
    emitted: Counter,
    conflated: Counter,
    closed: bool,
}

impl<P: Producer> Edge<P>
where
    P::Item: Conflate,
{
    /// An edge that writes to `output`.
    pub fn new(output: P) -> Self {
        Self::counting(output, Counter::default(), Counter::default())
    }

    /// An edge whose counters somebody else reads: of events sent or held, and of those replaced.
    pub const fn counting(output: P, emitted: Counter, conflated: Counter) -> Self {
        let held = VecDeque::new();
        Self {
            output,
            held,
            emitted,
            conflated,
            closed: false,
        }
    }

    /// Sends an event, or holds it for [`Edge::flush`].
    #[inline]
    pub fn emit(&mut self, event: P::Item) {
        self.emitted.add(1);
        if self.held.is_empty() {
            match self.output.push(event) {
                Ok(()) => {}
                Err(PushError::Full(event)) => self.held.push_back(event),
                Err(PushError::Closed(_)) => self.closed = true,
            }
            return;
        }
        let key = event.key();
        match self.held.iter_mut().find(|held| held.key() == key) {
            Some(older) => {
                *older = event;
                self.conflated.add(1);
            }
            None => self.held.push_back(event),
        }
    }

    /// Sends what is held as far as there is room; true when anything moved.
    pub fn flush(&mut self) -> bool {
        let mut moved = false;
        while let Some(event) = self.held.pop_front() {
            match self.output.push(event) {
                Ok(()) => moved = true,
                Err(PushError::Full(event)) => {
                    self.held.push_front(event);
                    break;
                }
                Err(PushError::Closed(_)) => {
                    self.closed = true;
                    self.held.clear();
                    return true;
                }
            }
        }
        moved
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether nobody will ever read what is sent.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Events sent or held so far.
    pub const fn emitted(&self) -> &Counter {
        &self.emitted
    }

    /// Events that were replaced by a newer one while they waited.
    pub const fn conflated(&self) -> &Counter {
        &self.conflated
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        market::BookState,
        queue::{self, Consumer, Queue},
    };

    #[test]
    fn while_there_is_no_room_the_newest_of_each_book_waits_though_a_venue_spells_two_alike() {
        let event = |symbol: &str, seq, state| BookEvent {
            venue: "bybit".parse().unwrap(),
            symbol: symbol.parse().unwrap(),
            native_symbol: "BTCUSDT".parse().unwrap(),
            seq,
            state,
            ..BookEvent::default()
        };
        let (writer, mut reader) = queue::spsc(2).open();
        let mut edge = Edge::new(writer);
        for seq in 0..2 {
            edge.emit(event("ETH-USDT", seq, BookState::Live));
        }
        edge.emit(event("BTC-USDT", 1, BookState::Live));
        edge.emit(event("BTC-USDT-PERP", 1, BookState::Live));
        edge.emit(event("BTC-USDT", 2, BookState::Down));
        edge.emit(event("BTC-USDT-PERP", 2, BookState::Live));
        assert_eq!((edge.emitted().get(), edge.conflated().get()), (6, 2));
        assert_eq!(reader.ready().unwrap().len(), 2);
        reader.release(2);
        assert!(edge.flush() && edge.is_empty());
        let waited = reader.ready().unwrap().iter();
        let waited: Vec<_> = waited
            .map(|e| (e.symbol.to_string(), e.seq, e.state))
            .collect();
        assert_eq!(
            waited,
            [
                ("BTC-USDT".to_owned(), 2, BookState::Down),
                ("BTC-USDT-PERP".to_owned(), 2, BookState::Live)
            ]
        );
    }
}
