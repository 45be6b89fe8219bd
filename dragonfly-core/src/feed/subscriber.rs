//! Layer 2: asks one venue for channels and recognises its answers.

use crate::market::Symbol;

/// What to ask the venue for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ask {
    /// Everything; the connection is new.
    All,
    /// One instrument again, unsubscribing first where the venue needs it.
    Again(Symbol),
}

/// What a control message means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ack {
    /// Nothing about subscriptions, or one of several answers that are still to come.
    Waiting,
    /// Everything asked for has been accepted.
    Accepted,
    /// The venue refused.
    Rejected {
        /// The native symbol concerned; `None` where the answer does not name it.
        symbol: Option<Symbol>,
        /// The venue's own words.
        reason: String,
    },
    /// The venue asks for a new connection.
    Reconnect,
}

/// Asks one venue for channels and recognises the acknowledgement or refusal. Parses no market data.
pub trait Subscriber: Send {
    /// Writes the requests for what `ask` names, one call of `send` a message.
    fn subscribe(&mut self, ask: Ask, send: &mut dyn FnMut(&[u8]));

    /// Says what a message means that the listener found to be no market data.
    fn acknowledge(&mut self, message: &[u8]) -> Ack;
}

impl<S: Subscriber + ?Sized> Subscriber for Box<S> {
    fn subscribe(&mut self, ask: Ask, send: &mut dyn FnMut(&[u8])) {
        (**self).subscribe(ask, send);
    }
    fn acknowledge(&mut self, message: &[u8]) -> Ack {
        (**self).acknowledge(message)
    }
}
