//! Layer 3: turns the messages of a subscribed feed into normalised events.

use super::FeedError;
use crate::{
    clock::{Nanos, Now},
    market::{Cause, Symbol},
};

/// What a message was, and what it asks of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// Market data; taken care of.
    Data,
    /// No market data; the subscriber may know it.
    Control,
    /// The instrument must be asked for again; its book is withdrawn already.
    Renew(Symbol),
    /// The connection must be made anew.
    Reconnect(Cause),
}

/// What happened to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Link {
    /// The feed has begun; nothing is connected yet.
    Started,
    /// The connection is up and the subscriptions are being sent.
    Up,
    /// The venue refused an instrument, or everything where it did not say which.
    Refused(Option<Symbol>),
    /// The connection could not be made, or was lost, or is being given up.
    Down(Cause),
}

/// Turns a feed's messages into normalised events and decides which go on.
pub trait Listener: Send {
    /// What it emits.
    type Event;

    /// Takes one message; it may be changed in place while parsing.
    ///
    /// # Errors
    /// [`FeedError`] names what could not be understood; whatever went before it in the message
    /// has not been applied.
    fn on_message(
        &mut self,
        message: &mut [u8],
        now: Now,
        emit: &mut dyn FnMut(Self::Event),
    ) -> Result<Heard, FeedError>;

    /// From which size on messages are to be shown while they arrive, in bytes; `None` if it does not
    /// matter. Of smaller ones it is not seen that they grow.
    fn early(&mut self) -> Option<usize> {
        None
    }

    /// So much of a large message has come by now, from its first byte on, and more than the last
    /// time. [`on_message`](Self::on_message) follows when it is whole, or the connection ends.
    fn on_part(&mut self, so_far: &[u8], now: Now, emit: &mut dyn FnMut(Self::Event)) {
        let (_, _, _) = (so_far, now, emit);
    }

    /// Takes a change of the connection.
    fn on_link(&mut self, link: Link, now: Now, emit: &mut dyn FnMut(Self::Event));

    /// Something that is no message proved the connection alive.
    fn on_alive(&mut self, now: Now) {
        let _ = now;
    }

    /// Whether an instrument that it has asked for with [`Heard::Renew`] is still to be asked for: the
    /// request may have had to wait for the venue's budget, and what was missing may have come.
    fn wants(&self, native_symbol: Symbol) -> bool {
        let _ = native_symbol;
        true
    }

    /// When [`Listener::on_deadline`] wants to be called, if at all.
    fn deadline(&self) -> Option<Nanos> {
        None
    }

    /// The deadline has come. Called again, with the same `now`, until it answers `None`.
    fn on_deadline(&mut self, now: Now, emit: &mut dyn FnMut(Self::Event)) -> Option<Heard> {
        let (_, _) = (now, emit);
        None
    }
}

impl<L: Listener + ?Sized> Listener for Box<L> {
    type Event = L::Event;
    fn on_message(
        &mut self,
        message: &mut [u8],
        now: Now,
        emit: &mut dyn FnMut(Self::Event),
    ) -> Result<Heard, FeedError> {
        (**self).on_message(message, now, emit)
    }
    fn early(&mut self) -> Option<usize> {
        (**self).early()
    }
    fn on_part(&mut self, so_far: &[u8], now: Now, emit: &mut dyn FnMut(Self::Event)) {
        (**self).on_part(so_far, now, emit);
    }
    fn on_link(&mut self, link: Link, now: Now, emit: &mut dyn FnMut(Self::Event)) {
        (**self).on_link(link, now, emit);
    }
    fn on_alive(&mut self, now: Now) {
        (**self).on_alive(now);
    }
    fn wants(&self, native_symbol: Symbol) -> bool {
        (**self).wants(native_symbol)
    }
    fn deadline(&self) -> Option<Nanos> {
        (**self).deadline()
    }
    fn on_deadline(&mut self, now: Now, emit: &mut dyn FnMut(Self::Event)) -> Option<Heard> {
        (**self).on_deadline(now, emit)
    }
}
