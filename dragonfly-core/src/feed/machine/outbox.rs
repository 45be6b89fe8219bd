//! What a feed has to send, in its turn.

use super::{Feed, Request, Verdict};
use crate::{
    clock::Nanos,
    feed::{Ask, Listener, Subscriber},
    market::Symbol,
};

/// Something to send.
#[derive(Debug)]
pub(super) enum Outgoing {
    Text(Vec<u8>),
    Ping,
    /// An instrument that is asked for again, if it is still to be asked for when its turn has come.
    Again(Symbol),
}

impl<S: Subscriber, L: Listener> Feed<S, L> {
    /// The next thing to send, as far as the venue's budget allows.
    pub fn request(&mut self, now: Nanos) -> Option<Request<'_>> {
        if self.policy.messages.next_at(now) > now {
            return None;
        }
        loop {
            match self.outbox.pop_front()? {
                // What was missing may have come.
                Outgoing::Again(symbol) if !self.listener.wants(symbol) => {}
                Outgoing::Again(symbol) => {
                    let spelt = self.guarded(|feed| Ok(feed.spell_out(symbol)));
                    if spelt != Ok(Verdict::Continue) {
                        self.is_broken = true;
                        return None;
                    }
                }
                Outgoing::Text(text) => {
                    self.policy.messages.take(now);
                    self.sending = text;
                    return Some(Request::Text(&self.sending));
                }
                Outgoing::Ping => {
                    self.policy.messages.take(now);
                    return Some(Request::Ping);
                }
            }
        }
    }

    /// The requests for an instrument come next. A subscriber may count what it has asked for, so it is
    /// told no sooner.
    fn spell_out(&mut self, symbol: Symbol) -> Verdict {
        let mut texts = Vec::new();
        let mut send = |text: &[u8]| texts.push(Outgoing::Text(text.to_vec()));
        self.subscriber.subscribe(Ask::Again(symbol), &mut send);
        let texts = texts.into_iter().rev();
        texts.for_each(|text| self.outbox.push_front(text));
        Verdict::Continue
    }

    /// One that waits for its turn, as the venue's budget has it, need not wait twice.
    pub(super) fn ask_again(&mut self, symbol: Symbol) {
        let is_same = |o: &Outgoing| matches!(o, Outgoing::Again(other) if *other == symbol);
        if !self.outbox.iter().any(is_same) {
            self.outbox.push_back(Outgoing::Again(symbol));
        }
    }
}
