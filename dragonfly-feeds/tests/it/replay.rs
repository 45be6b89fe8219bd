//! A venue's feed over recorded messages, as the driver would run it.

use dragonfly_core::{
    clock::{Nanos, Now, UtcNanos},
    feed::{BookListener, Decoder, Feed, FeedError, Listener, Subscriber, Verdict},
    market::{BookEvent, BookRules, BookState, Symbol},
};
use dragonfly_feeds::venue::{Spec, Subscription};

use super::capture::Line;

type Books = BookListener<Box<dyn Decoder>>;

/// A feed with the events it has emitted.
pub(crate) struct Replay<L = Books> {
    pub(crate) feed: Feed<Box<dyn Subscriber>, L>,
    pub(crate) events: Vec<BookEvent>,
    pub(crate) errors: Vec<FeedError>,
    pub(crate) sent: Vec<String>,
    pub(crate) verdicts: Vec<Verdict>,
    now: Now,
}

pub(crate) fn sym(text: &str) -> Symbol {
    text.parse().unwrap()
}

/// A feed that follows the instruments it finds at `url`.
pub(crate) fn of_recording(spec: &Spec, url: &str) -> Replay {
    let wanted = Subscription::new([], 10);
    discovering(spec, url, (spec.decoder)(&wanted), (spec.rules)())
}

/// The same with another decoder and other rules.
pub(crate) fn discovering(
    spec: &Spec,
    url: &str,
    decoder: Box<dyn Decoder>,
    rules: BookRules,
) -> Replay {
    let venue = spec.id.parse().unwrap();
    let listener = BookListener::new(venue, decoder, rules, 10, []).discover((spec.unify)(url));
    Replay::new(spec, &Subscription::new([], 10), listener)
}

/// A feed that has subscribed to `natives`.
pub(crate) fn of_symbols(spec: &Spec, natives: &[&str]) -> Replay {
    let natives: Vec<Symbol> = natives.iter().map(|n| sym(n)).collect();
    let wanted = Subscription::new(natives.iter().copied(), 10);
    let decoder = (spec.decoder)(&wanted);
    let unify = (spec.unify)("");
    let symbols = natives.iter().map(|native| (unify(native), *native));
    let venue = spec.id.parse().unwrap();
    let listener = BookListener::new(venue, decoder, (spec.rules)(), 10, symbols);
    Replay::new(spec, &wanted, listener)
}

impl<L: Listener<Event = BookEvent>> Replay<L> {
    pub(crate) fn new(spec: &Spec, wanted: &Subscription, listener: L) -> Self {
        let subscriber = (spec.subscriber)(wanted);
        let mut replay = Self {
            feed: Feed::new(spec.id, subscriber, listener, (spec.policy)()),
            events: Vec::new(),
            errors: Vec::new(),
            sent: Vec::new(),
            verdicts: Vec::new(),
            now: Now {
                mono: Nanos::from_secs(1),
                utc: UtcNanos(1),
            },
        };
        let events = &mut replay.events;
        replay.feed.on_start(replay.now, &mut |e| events.push(e));
        replay.feed.on_open(replay.now, &mut |e| events.push(e));
        replay.pump();
        replay
    }

    /// Takes what the feed wants to send; time passes while its budget is used up.
    fn pump(&mut self) {
        for _ in 0..200 {
            while let Some(request) = self.feed.request(self.now.mono) {
                if let dragonfly_core::feed::Request::Text(text) = request {
                    self.sent.push(String::from_utf8(text.to_vec()).unwrap());
                }
            }
            self.now.mono = self.now.mono + Nanos::from_millis(10);
        }
    }

    /// Lets `time` pass in which the venue says nothing and its socket answers every ping.
    pub(crate) fn silence(&mut self, time: Nanos) {
        let (step, end) = (Nanos::from_millis(50), self.now.mono + time);
        while self.now.mono < end {
            self.now.mono = self.now.mono + step;
            let events = &mut self.events;
            self.feed.on_alive(self.now);
            while self.feed.request(self.now.mono).is_some() {}
            let verdict = self.feed.on_deadline(self.now, &mut |e| events.push(e));
            self.verdicts.push(verdict);
        }
    }

    pub(crate) fn message(&mut self, text: &str) {
        self.bytes(&mut text.as_bytes().to_vec());
    }

    pub(crate) fn bytes(&mut self, bytes: &mut [u8]) {
        let events = &mut self.events;
        match self
            .feed
            .on_message(bytes, self.now, &mut |e| events.push(e))
        {
            Ok(verdict) => self.verdicts.push(verdict),
            Err(error) => self.errors.push(error),
        }
    }

    pub(crate) fn lines(&mut self, lines: &[Line]) {
        for line in lines {
            self.now.utc = UtcNanos(line.ts);
            self.message(&line.msg);
        }
    }

    /// The newest state of a book.
    pub(crate) fn state(&self, native: &str) -> BookState {
        let events = self.events.iter().rev();
        events
            .filter(|e| e.native_symbol == *native)
            .map(|e| e.state)
            .next()
            .unwrap_or_default()
    }

    /// What has been sent since the last call.
    pub(crate) fn take_sent(&mut self) -> Vec<String> {
        self.pump();
        std::mem::take(&mut self.sent)
    }
}
