//! Bybit v5, spot and linear: `orderbook.<levels>.<symbol>`, a snapshot and then numbered changes.
//!
//! Spot and linear are two endpoints that use the same native symbols for different instruments. A
//! second snapshot replaces the book whenever it comes.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "positions go forward within the message, and counts are of what is in it; tried by a fuzz target for each decoder"
)]

use dragonfly_core::{
    clock::{Nanos, UtcNanos},
    feed::{Ack, Ask, Budget, Decoded, FeedPolicy, Ping, Subscriber},
    market::{BookRules, BookUpdate, Instrument, Kind, SequenceRule, Symbol, UpdateKind},
};

use super::{
    Spec,
    grammar::{Apply, Grammar, Json, Known, Later, is_other, lacks, millis, symbol, unified, words},
};
use crate::json::{Cursor, Parse, quoted, scalars, whole_number};

pub(super) static SPEC: Spec = Spec {
    id: "bybit",
    about: "Bybit v5 spot and linear perpetuals: snapshot and numbered changes every 20 ms",
    kinds: "spot, linear perpetual",
    channel: "orderbook.50.<symbol>",
    loss: "u must be the last u + 1",
    depths: &[1, 50, 200, 1000],
    usual_depth: 50,
    rules: || BookRules {
        sequence: SequenceRule::Next { restart: Some(1) },
        ..BookRules::default()
    },
    policy: || FeedPolicy {
        ping: Ping::Text(r#"{"req_id":"ping","op":"ping"}"#),
        keep_alive: Some(Nanos::from_secs(20)),
        messages: Budget::new(20, Nanos::from_millis(50)),
        connects: Budget::new(20, Nanos::from_secs(2)),
        // Of an address 500 in five minutes are allowed.
        connects_in_all: Budget::new(150, Nanos::from_secs(1)),
        ..FeedPolicy::default()
    },
    max_message: 4 << 20,
    native: |instrument| {
        let (base, quote) = (instrument.base(), instrument.quote());
        let symbol = match (instrument.kind(), quote) {
            (Kind::Spot, _) | (Kind::Perpetual, "USDT") => format!("{base}{quote}"),
            (Kind::Perpetual, "USDC") => format!("{base}PERP"),
            _ => return None,
        };
        Symbol::new(&symbol).ok()
    },
    unify: |url| {
        if url.contains("/spot") {
            |native| unified(Instrument::from_compact(native), native)
        } else {
            unify_linear
        }
    },
    endpoint: |instrument| match instrument.kind() {
        Kind::Spot => "wss://stream.bybit.com/v5/public/spot",
        _ => "wss://stream.bybit.com/v5/public/linear",
    },
    subscriber: |wanted| {
        Box::new(Topics {
            symbols: wanted.symbols.clone(),
            levels: wanted.levels(&SPEC),
            unanswered: Vec::new(),
        })
    },
    decoder: |_| Box::new(Json(Books::default())),
    diffs: None,
};

fn unify_linear(native: &str) -> Symbol {
    let pair = match native.strip_suffix("PERP") {
        Some(base) => Instrument::spot(base, "USDC").ok(),
        None => Instrument::from_compact(native),
    };
    let perpetual = |pair: Instrument| Instrument::new(pair.base(), pair.quote(), Kind::Perpetual);
    unified(pair.and_then(|pair| perpetual(pair).ok()), native)
}

#[derive(Debug)]
struct Topics {
    symbols: Vec<Symbol>,
    levels: usize,
    /// Symbols whose request has not been answered.
    unanswered: Vec<Symbol>,
}

impl Topics {
    /// One topic a request, which bears the symbol's name: a bad topic fails its whole request, and
    /// the answer does not say which it was.
    fn request(&self, op: &str, symbol: &Symbol) -> String {
        let topic = quoted(&format!("orderbook.{}.{symbol}", self.levels));
        let id = quoted(symbol);
        format!(r#"{{"req_id":{id},"op":"{op}","args":[{topic}]}}"#)
    }
}

impl Subscriber for Topics {
    fn subscribe(&mut self, ask: Ask, send: &mut dyn FnMut(&[u8])) {
        match ask {
            Ask::Again(symbol) => {
                send(self.request("unsubscribe", &symbol).as_bytes());
                send(self.request("subscribe", &symbol).as_bytes());
            }
            _ => {
                self.unanswered.clone_from(&self.symbols);
                for symbol in &self.symbols {
                    send(self.request("subscribe", symbol).as_bytes());
                }
            }
        }
    }

    fn acknowledge(&mut self, message: &[u8]) -> Ack {
        let paths = ["op", "success", "ret_msg", "req_id"];
        let Ok([op, Some(success), reason, id]) = scalars(message, paths) else {
            return Ack::Waiting;
        };
        // A pong calls itself a ping, and its message tells.
        if op != Some(b"subscribe") || reason == Some(b"pong") {
            return Ack::Waiting;
        }
        let asked = |s: &Symbol| Some(s.as_bytes()) == id;
        if success != b"true" {
            return Ack::Rejected {
                symbol: self.symbols.iter().copied().find(asked),
                reason: words(reason),
            };
        }
        self.unanswered.retain(|s| !asked(s));
        if self.unanswered.is_empty() {
            Ack::Accepted
        } else {
            Ack::Waiting
        }
    }
}

#[derive(Debug, Default)]
struct Books {
    /// By what a change begins with, up to the end of its topic.
    known: Known,
}

/// What is before the number of levels in what a message begins with.
const BEFORE_LEVELS: &[u8] = br#"{"topic":"orderbook."#;

/// Bytes of a message that tell the topics apart: the number of levels and the symbol's first.
#[inline]
fn key(message: &[u8]) -> Option<&[u8; 16]> {
    message.get(BEFORE_LEVELS.len()..)?.first_chunk()
}

impl Books {
    /// Remembers what a change of this topic begins with.
    #[cold]
    fn learn(&mut self, message: &[u8], levels: usize, symbol: Symbol) {
        let text = format!(r#"{{"topic":"orderbook.{levels}.{symbol}","#);
        let key = key(message).filter(|_| message.starts_with(text.as_bytes()));
        let stream = key.and_then(|key| self.known.learn(key, text.as_bytes(), symbol));
        if let Some(stream) = stream {
            stream.window = Some(levels);
        }
    }
}

/// `"ts":..,"type":"delta",`, in any order; the time, which is when the message was made, is of no use
/// beside that of the change.
#[inline]
fn change(c: &mut Cursor<'_>) -> Option<()> {
    let stamp = |c: &mut Cursor<'_>| {
        c.literal(br#""ts":"#)?;
        c.digits()?;
        c.literal(b",")
    };
    if c.rest().starts_with(br#""ts""#) {
        stamp(c)?;
        c.literal(br#""type":"delta","#)
    } else {
        c.literal(br#""type":"delta","#)?;
        stamp(c)
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
        c.exactly(&stream.text)?;
        change(&mut c)?;
        c.literal(br#""data":{"s":""#)?;
        c.plain_string()?;
        c.literal(br#","b":["#)?;
        c.changes(&mut update.bids)?;
        c.literal(br#","a":["#)?;
        c.changes(&mut update.asks)?;
        c.literal(br#","u":"#)?;
        let number = c.digits()?;
        c.literal(br#","seq":"#)?;
        c.digits()?;
        c.literal(br#"},"cts":"#)?;
        // The last number is followed by too little for `digits`.
        let cts = c.rest().strip_suffix(b"}").and_then(whole_number)?;
        update.kind = UpdateKind::Delta;
        update.symbol = stream.symbol;
        update.window = stream.window;
        (update.first, update.last) = (number, number);
        update.ts_venue = Some(UtcNanos::from_millis(cts));
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
        let (mut topic, mut kind, mut pushed, mut matched) = (None, None, None, None);
        let mut book = Later::Missing;
        c.fields(|key, c| {
            match key {
                b"topic" => topic = c.text_if_any()?.and_then(order_book),
                b"type" => kind = c.text_if_any()?,
                b"ts" => pushed = c.text_if_any()?,
                b"cts" => matched = c.text_if_any()?,
                b"data" if topic.is_some() => {
                    book = Later::Read(*c, 1);
                    data(c, update)?;
                }
                b"data" => {
                    book = Later::Passed(*c);
                    c.skip()?;
                }
                _ => c.skip()?,
            }
            Ok(())
        })?;
        c.end()?;
        let Some((levels, native)) = topic else {
            return Ok(Decoded::OTHER);
        };
        match book {
            Later::Missing => return Err(lacks("an order book without data", &c)),
            Later::Passed(mut start) => data(&mut start, update)?,
            Later::Read(..) => {}
        }
        update.kind = match kind {
            Some(b"snapshot") => UpdateKind::Snapshot,
            Some(b"delta") => UpdateKind::Delta,
            _ => return Err(lacks("an order book that is neither snapshot nor delta", &c)),
        };
        update.symbol = symbol(native, &c)?;
        update.window = Some(levels);
        update.ts_venue = millis(matched.or(pushed));
        if update.kind == UpdateKind::Delta {
            self.learn(message, levels, update.symbol);
        }
        apply(update);
        Ok(Decoded::Book)
    }
}

/// The number of levels and the symbol of `orderbook.<levels>.<symbol>`.
#[inline]
fn order_book(topic: &[u8]) -> Option<(usize, &[u8])> {
    let rest = topic.strip_prefix(b"orderbook.")?;
    let dot = rest.iter().position(|b| *b == b'.')?;
    let levels = usize::try_from(whole_number(&rest[..dot])?).ok()?;
    Some((levels, &rest[dot + 1..])).filter(|_| levels > 0)
}

#[inline]
fn data(c: &mut Cursor<'_>, update: &mut BookUpdate) -> Parse<()> {
    let (mut bids, mut asks, mut number) = (false, false, None);
    c.fields(|key, c| {
        match key {
            b"b" => {
                c.pairs(&mut update.bids, usize::MAX)?;
                bids = true;
            }
            b"a" => {
                c.pairs(&mut update.asks, usize::MAX)?;
                asks = true;
            }
            b"u" => number = Some(c.count()?),
            _ => c.skip()?,
        }
        Ok(())
    })?;
    let (Some(number), true, true) = (number, bids, asks) else {
        return Err(lacks("an order book without u, b or a", c));
    };
    (update.first, update.last) = (number, number);
    Ok(())
}
