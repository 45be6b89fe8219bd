//! Bitstamp: `order_book_<pair>`, a whole image of the best 100 levels with every message.
//!
//! The levels come before the keys that say which channel they are of, so they are read on the
//! assumption that they are wanted; what turns out to be of another channel is nobody's. Recordings
//! of the channel of changes, `diff_order_book_<pair>`, are read by [`Diffs`].

use std::collections::VecDeque;

use dragonfly_core::{
    clock::{Nanos, UtcNanos},
    feed::{Ack, Ask, Budget, Decoded, Decoder, FeedPolicy, Ping, Subscriber},
    market::{BookRules, BookUpdate, Instrument, Kind, SequenceRule, Symbol, UpdateKind},
};

use super::{
    Diffs, Spec, Subscription,
    grammar::{Apply, Grammar, Json, Known, is_other, lacks, symbol, unified, words},
};
use crate::early::BestFirst;
use crate::json::{Cursor, Parse, quoted, scalars, whole_number};

/// What the name of a book channel begins with.
const CHANNEL: &str = "order_book_";

/// What the name of a channel of changes begins with.
const DIFF_CHANNEL: &str = "diff_order_book_";

/// From which size on a message is read while it arrives, in bytes.
const EARLY: usize = 1024;

pub(super) static SPEC: Spec = Spec {
    id: "bitstamp",
    about: "Bitstamp spot and perpetuals: images of the best 100 levels on every change",
    kinds: "spot, perpetual",
    channel: "order_book_<symbol>",
    loss: "every message is a whole image; microtimestamp must grow",
    depths: &[100],
    usual_depth: 100,
    rules: || BookRules {
        sequence: SequenceRule::Increasing,
        // There is no image on subscribing, and a quiet book sends nothing for up to a minute.
        sync_within: Nanos::from_secs(60),
        ..BookRules::default()
    },
    policy: || FeedPolicy {
        ping: Ping::Text(r#"{"event":"bts:heartbeat"}"#),
        keep_alive: Some(Nanos::from_secs(20)),
        messages: Budget::new(20, Nanos::from_millis(50)),
        ..FeedPolicy::default()
    },
    max_message: 1 << 20,
    native: |instrument| {
        let suffix = match instrument.kind() {
            Kind::Spot => "",
            Kind::Perpetual => "-perp",
            _ => return None,
        };
        let pair = format!("{}{}{suffix}", instrument.base(), instrument.quote());
        Symbol::new(&pair.to_ascii_lowercase()).ok()
    },
    unify: |_| unify,
    endpoint: |_| "wss://ws.bitstamp.net",
    subscriber: |wanted| {
        Box::new(Channels {
            symbols: wanted.symbols.clone(),
            unanswered: VecDeque::new(),
        })
    },
    decoder,
    diffs: Some(Diffs {
        // The changes are not numbered: that one is missing cannot be seen.
        rules: || BookRules {
            sequence: SequenceRule::Increasing,
            ..BookRules::default()
        },
        decoder: |_: &Subscription| Box::new(Json(Books { diffs: true, ..Books::default() })),
        snapshot: framed_snapshot,
    }),
};

/// With a single book on the connection, an image need not say whose it is, which it does at its end.
fn decoder(wanted: &Subscription) -> Box<dyn Decoder> {
    let books = || Json(Books::default());
    let [symbol] = &wanted.symbols[..] else {
        return Box::new(books());
    };
    let channel = quoted(&format!("{CHANNEL}{symbol}"));
    let end = format!(r#"]}},"channel":{channel},"event":"data"}}"#);
    Box::new(BestFirst::new(books, EARLY, br#""asks":["#, end))
}

/// Gives the answer to `GET /api/v2/order_book/<pair>` the frame of a message, which names the pair.
fn framed_snapshot(url: &str, body: &str) -> Option<String> {
    let (_, rest) = url.split_once("/order_book/")?;
    let pair = rest.split(['/', '?']).next().filter(|pair| !pair.is_empty())?;
    let channel = quoted(&format!("{CHANNEL}{pair}"));
    Some(format!(r#"{{"data":{body},"channel":{channel},"event":"data"}}"#))
}

fn unify(native: &str) -> Symbol {
    let instrument = match native.strip_suffix("-perp") {
        Some(pair) => Instrument::from_compact(pair)
            .and_then(|pair| Instrument::new(pair.base(), pair.quote(), Kind::Perpetual).ok()),
        None => Instrument::from_compact(native),
    };
    unified(instrument, native)
}

#[derive(Debug)]
struct Channels {
    symbols: Vec<Symbol>,
    /// Requests are answered in their order; a refusal does not name what it refuses.
    unanswered: VecDeque<Symbol>,
}

fn request(event: &str, symbol: &Symbol) -> String {
    let channel = quoted(&format!("{CHANNEL}{symbol}"));
    format!(r#"{{"event":"bts:{event}","data":{{"channel":{channel}}}}}"#)
}

impl Subscriber for Channels {
    fn subscribe(&mut self, ask: Ask, send: &mut dyn FnMut(&[u8])) {
        match ask {
            Ask::Again(symbol) => {
                send(request("unsubscribe", &symbol).as_bytes());
                send(request("subscribe", &symbol).as_bytes());
                self.unanswered.push_back(symbol);
            }
            _ => {
                self.unanswered.clear();
                for symbol in &self.symbols {
                    send(request("subscribe", symbol).as_bytes());
                    self.unanswered.push_back(*symbol);
                }
            }
        }
    }

    fn acknowledge(&mut self, message: &[u8]) -> Ack {
        let paths = ["event", "channel", "data.message"];
        let Ok([Some(event), channel, reason]) = scalars(message, paths) else {
            return Ack::Waiting;
        };
        match event {
            b"bts:subscription_succeeded" => {
                let name = channel.and_then(|name| name.strip_prefix(CHANNEL.as_bytes()));
                self.unanswered.retain(|s| Some(s.as_bytes()) != name);
                if self.unanswered.is_empty() {
                    Ack::Accepted
                } else {
                    Ack::Waiting
                }
            }
            b"bts:error" => Ack::Rejected {
                symbol: self.unanswered.pop_front(),
                reason: words(reason),
            },
            b"bts:request_reconnect" => Ack::Reconnect,
            _ => Ack::Waiting,
        }
    }
}

#[derive(Debug, Default)]
struct Books {
    /// Reads the channel of changes and its snapshots instead of images.
    diffs: bool,
    /// By what an image ends with, from behind its data on.
    known: Known,
}

/// What is before and behind the pair's name in what an image ends with.
const BEFORE_PAIR: &[u8] = br#","channel":"order_book_"#;
const BEHIND_PAIR: &[u8] = br#"","event":"data"}"#;

/// Bytes of an image that tell the pairs apart: the last of the channel's name.
#[inline]
fn key(message: &[u8]) -> Option<&[u8; 16]> {
    let end = message.len().checked_sub(BEHIND_PAIR.len())?;
    message.get(..end)?.last_chunk()
}

/// What a message has been found to hold.
#[derive(Default)]
struct Found<'a> {
    channel: Option<&'a [u8]>,
    event: Option<&'a [u8]>,
    micros: Option<&'a [u8]>,
    bids: bool,
    asks: bool,
}

impl<'a> Found<'a> {
    /// Of which pair this is a book, and what of it.
    #[inline]
    fn pair(&self, diffs: bool) -> Option<(&'a [u8], UpdateKind)> {
        let channel = self.channel.filter(|_| self.event == Some(b"data"))?;
        match channel.strip_prefix(CHANNEL.as_bytes()) {
            Some(pair) if diffs => Some((pair, UpdateKind::Snapshot)),
            Some(pair) => Some((pair, UpdateKind::Image)),
            None if diffs => {
                let pair = channel.strip_prefix(DIFF_CHANNEL.as_bytes());
                pair.map(|pair| (pair, UpdateKind::Delta))
            }
            None => None,
        }
    }
}

impl Books {
    /// Remembers what an image of `pair` ends with.
    #[cold]
    fn learn(&mut self, message: &[u8], pair: Symbol) {
        let text = [BEFORE_PAIR, pair.as_bytes(), BEHIND_PAIR].concat();
        if let Some(key) = key(message).filter(|_| message.ends_with(&text)) {
            self.known.learn(key, &text, pair);
        }
    }
}

impl Grammar for Books {
    #[inline]
    fn expected(
        &mut self,
        message: &[u8],
        update: &mut BookUpdate,
        apply: Apply<'_>,
    ) -> Option<Decoded> {
        let stream = self.known.find(key(message)?)?;
        let mut c = Cursor::new(message);
        c.literal(br#"{"data":{"timestamp":""#)?;
        c.digits()?;
        c.literal(br#"","microtimestamp":""#)?;
        let micros = c.digits()?;
        let wanted = update.wanted;
        c.literal(br#"","bids":["#)?;
        c.image(&mut update.bids, wanted, &mut stream.bids, br#","asks":"#)?;
        c.literal(b"[")?;
        c.image(&mut update.asks, wanted, &mut stream.asks, b"}")?;
        if c.rest() != stream.text {
            return None;
        }
        update.symbol = stream.symbol;
        (update.first, update.last) = (micros, micros);
        update.ts_venue = Some(UtcNanos::from_micros(micros));
        apply(update);
        Some(Decoded::Book)
    }

    #[inline]
    fn parse(
        &mut self,
        message: &[u8],
        update: &mut BookUpdate,
        apply: Apply<'_>,
    ) -> Parse<Decoded> {
        let mut c = Cursor::new(message);
        if is_other(&mut c)? {
            return Ok(Decoded::OTHER);
        }
        let mut found = Found::default();
        let wanted = if self.diffs { usize::MAX } else { update.wanted };
        if let Err(fault) = read(&mut c, Some((update, wanted)), &mut found) {
            // The levels may be of a channel whose levels look otherwise.
            let mut only_names = Found::default();
            read(&mut Cursor::new(message), None, &mut only_names)?;
            return match only_names.pair(self.diffs) {
                Some(_) => Err(fault),
                None => Ok(Decoded::OTHER),
            };
        }
        let Some((pair, kind)) = found.pair(self.diffs) else {
            return Ok(Decoded::OTHER);
        };
        let micros = found.micros.and_then(whole_number);
        let (Some(micros), true, true) = (micros, found.bids, found.asks) else {
            return Err(lacks("a book without microtimestamp, bids or asks", &c));
        };
        update.kind = kind;
        update.symbol = symbol(pair, &c)?;
        (update.first, update.last) = (micros, micros);
        update.ts_venue = Some(UtcNanos::from_micros(micros));
        if kind == UpdateKind::Image {
            self.learn(message, update.symbol);
        }
        apply(update);
        Ok(Decoded::Book)
    }
}

#[inline]
fn read<'a>(
    c: &mut Cursor<'a>,
    mut into: Option<(&mut BookUpdate, usize)>,
    found: &mut Found<'a>,
) -> Parse<()> {
    c.fields(|key, c| match (key, &mut into) {
        (b"channel", _) => {
            found.channel = c.text_if_any()?;
            Ok(())
        }
        (b"event", _) => {
            found.event = c.text_if_any()?;
            Ok(())
        }
        (b"data", Some((update, wanted))) if c.is_object() => {
            c.fields(|key, c| data(key, c, update, *wanted, found))
        }
        _ => c.skip(),
    })?;
    c.end()
}

#[inline]
fn data<'a>(
    key: &[u8],
    c: &mut Cursor<'a>,
    update: &mut BookUpdate,
    wanted: usize,
    found: &mut Found<'a>,
) -> Parse<()> {
    match key {
        b"microtimestamp" => found.micros = c.text_if_any()?,
        b"bids" if c.is_array() => {
            c.pairs(&mut update.bids, wanted)?;
            found.bids = true;
        }
        b"asks" if c.is_array() => {
            c.pairs(&mut update.asks, wanted)?;
            found.asks = true;
        }
        _ => c.skip()?,
    }
    Ok(())
}
