//! A scripted venue, and a feed over it on a clock moved by hand.

use dragonfly_core::{
    clock::{Nanos, Now, UtcNanos},
    feed::{
        Ack, Ask, BookListener, Decoded, Decoder, Feed, FeedError, FeedPolicy, Request, Subscriber,
        Verdict,
    },
    market::{
        BookEvent, BookRules, BookState, BookUpdate, Cause, Level, SequenceRule, Symbol,
        UpdateKind, Venue,
    },
};

/// A venue whose messages are words: `kind symbol number bid ask`, and `&` before a further one.
pub(crate) struct Words;

impl Decoder for Words {
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        let text = std::str::from_utf8(message).unwrap().to_owned();
        let mut parts = text.split(" & ").peekable();
        while let Some(part) = parts.next() {
            let decoded = Self::decode_part(part, update, apply)?;
            if parts.peek().is_none() {
                return Ok(decoded);
            }
            (update.bids, update.asks) = Default::default();
        }
        Ok(Decoded::OTHER)
    }
}

impl Words {
    fn decode_part(
        text: &str,
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        let words: Vec<&str> = text.split(' ').collect();
        update.kind = match words[0] {
            "image" | "scrambled" => UpdateKind::Image,
            "snapshot" => UpdateKind::Snapshot,
            "delta" => UpdateKind::Delta,
            "boom" => panic!("boom"),
            "bad" => return Err(FeedError::malformed("nonsense", text.as_bytes(), 0)),
            "count" => {
                return Ok(Decoded::Other {
                    connection_seq: words[1].parse().ok(),
                });
            }
            _ => return Ok(Decoded::OTHER),
        };
        update.symbol = Symbol::new(words[1]).unwrap();
        update.last = words[2].parse().unwrap();
        update.first = update.last;
        update.connection_seq = Some(update.last);
        update
            .bids
            .push(Level::new(words[3].parse().unwrap(), "1".parse().unwrap()));
        update
            .asks
            .push(Level::new(words[4].parse().unwrap(), "1".parse().unwrap()));
        if words[0] == "scrambled" {
            let best = update.bids[0];
            update.bids.push(best);
        }
        apply(update);
        Ok(Decoded::Book)
    }
}

impl Subscriber for Words {
    fn subscribe(&mut self, ask: Ask, send: &mut dyn FnMut(&[u8])) {
        match ask {
            Ask::Again(symbol) => send(format!("again {symbol}").as_bytes()),
            _ => send(b"subscribe"),
        }
    }
    fn acknowledge(&mut self, message: &[u8]) -> Ack {
        let symbol = Symbol::new("b").ok();
        match message {
            b"ok" => Ack::Accepted,
            b"no" => Ack::Rejected {
                symbol: None,
                reason: "not today".into(),
            },
            b"no b" => Ack::Rejected {
                symbol,
                reason: "unknown pair".into(),
            },
            b"go away" => Ack::Reconnect,
            b"subscriber panics" => panic!("boom"),
            _ => Ack::Waiting,
        }
    }
}

pub(crate) struct Bench {
    pub(crate) feed: Feed<Words, BookListener<Words>>,
    pub(crate) now: Now,
    pub(crate) events: Vec<BookEvent>,
}

impl Bench {
    pub(crate) fn new(rules: BookRules, policy: FeedPolicy) -> Self {
        let symbols = ["a", "b"].map(|s| {
            (
                Symbol::new(&s.to_uppercase()).unwrap(),
                Symbol::new(s).unwrap(),
            )
        });
        let listener = BookListener::new(Venue::new("words").unwrap(), Words, rules, 5, symbols);
        let feed = Feed::new("words", Words, listener, policy);
        let now = Now {
            mono: Nanos::from_secs(100),
            utc: UtcNanos(1),
        };
        let mut bench = Self {
            feed,
            now,
            events: Vec::new(),
        };
        bench
            .feed
            .on_start(bench.now, &mut |event| bench.events.push(event));
        bench
    }

    pub(crate) fn open(sequence: SequenceRule) -> Self {
        let rules = BookRules {
            sequence,
            renew_after: None,
            ..BookRules::default()
        };
        let mut bench = Self::new(rules, FeedPolicy::default());
        bench
            .feed
            .on_open(bench.now, &mut |event| bench.events.push(event));
        bench.events.clear();
        assert_eq!(bench.sent(), ["subscribe"]);
        bench
    }

    pub(crate) fn hear(&mut self, text: &str) -> Result<Verdict, FeedError> {
        let mut message = text.as_bytes().to_vec();
        self.feed
            .on_message(&mut message, self.now, &mut |event| self.events.push(event))
    }

    /// Moves the clock and does what is due on the way, as a driver would.
    pub(crate) fn pass(&mut self, by: Nanos) -> Verdict {
        let end = self.now.mono + by;
        while let Some(due) = self.feed.deadline().filter(|due| *due <= end) {
            self.now.mono = self.now.mono.max(due);
            let verdict = self
                .feed
                .on_deadline(self.now, &mut |event| self.events.push(event));
            if verdict != Verdict::Continue {
                return verdict;
            }
            if self.feed.deadline() == Some(due) {
                break;
            }
        }
        self.now.mono = end;
        Verdict::Continue
    }

    pub(crate) fn sent(&mut self) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some(request) = self.feed.request(self.now.mono) {
            sent.push(match request {
                Request::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                _ => "PING".into(),
            });
        }
        sent
    }

    pub(crate) fn states(&mut self) -> Vec<(String, BookState, Cause)> {
        let seen = self.events.drain(..);
        seen.map(|e| (e.native_symbol.to_string(), e.state, e.cause))
            .collect()
    }
}

pub(crate) fn state(symbol: &str, state: BookState, cause: Cause) -> (String, BookState, Cause) {
    (symbol.into(), state, cause)
}
