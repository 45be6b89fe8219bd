//! Coinbase Advanced Trade: `level2`, the whole book and then changes, numbered per connection.
//!
//! Subscribed to as `level2`, delivered as `l2_data`; the ask side is called `offer`. Every message of the
//! connection, whatever its channel, bears the next `sequence_num`. `heartbeats` keeps quiet
//! channels open and arrives once a second.

use dragonfly_core::{
    clock::Nanos,
    feed::{Ack, Ask, Budget, Decoded, FeedPolicy, Ping, Subscriber},
    market::{BookRules, BookUpdate, Instrument, Kind, Level, SequenceRule, Symbol, UpdateKind},
};

use super::{
    Spec,
    grammar::{
        Apply, Grammar, Json, Later, apply_elements, is_other, lacks, read_elements, symbol,
        unified, words,
    },
};
use crate::early::Piecewise;
use crate::json::{Cursor, Decimals, LevelShape, Parse, Piece, quoted, rfc3339, scalars, whole_number};

/// From which size on a message is read while it arrives, in bytes: snapshots alone have it.
const EARLY: usize = 64 << 10;

pub(super) static SPEC: Spec = Spec {
    id: "coinbase-advanced",
    about: "Coinbase Advanced Trade: the whole book and every change, unbatched",
    kinds: "spot, INTX perpetual",
    channel: "level2",
    loss: "sequence_num must be the last one of the connection + 1",
    depths: &[],
    usual_depth: 0,
    rules: || BookRules {
        sequence: SequenceRule::Connection,
        ..BookRules::default()
    },
    policy: || FeedPolicy {
        // A heartbeat comes every second: silence says that the venue is gone.
        ping: Ping::Never,
        // Eight messages a second are allowed.
        messages: Budget::new(3, Nanos::from_millis(250)),
        // Of an address eight connections a second are allowed, and eight messages: each new connection
        // sends two at once.
        connects_in_all: Budget::new(2, Nanos::from_millis(400)),
        ..FeedPolicy::default()
    },
    // The snapshot of a busy book has several megabytes.
    max_message: 32 << 20,
    native: |instrument| {
        let (base, quote) = (instrument.base(), instrument.quote());
        let product = match (instrument.kind(), quote) {
            (Kind::Spot, "USDC") if !matches!(base, "USDT" | "EURC") => format!("{base}-USD"),
            (Kind::Spot, _) => format!("{base}-{quote}"),
            (Kind::Perpetual, "USDC") => format!("{base}-PERP-INTX"),
            _ => return None,
        };
        Symbol::new(&product).ok()
    },
    unify: |_| unify,
    endpoint: |_| "wss://advanced-trade-ws.coinbase.com",
    subscriber: |wanted| {
        Box::new(Products {
            symbols: wanted.symbols.clone(),
        })
    },
    // The sheets that describe the venue say that levels come best first; the venue does not.
    decoder: |_| {
        let (begin, end) = (br#""updates":["#, b"]}]}");
        Box::new(Piecewise::new(Json(Books), EARLY, begin, end))
    },
    diffs: None,
};

/// Most `-USDC` products are another name of the `-USD` ones, under which their messages come.
fn unify(native: &str) -> Symbol {
    let instrument = match native.strip_suffix("-PERP-INTX") {
        Some(base) => Instrument::new(base, "USDC", Kind::Perpetual).ok(),
        None => native.parse().ok(),
    };
    unified(instrument, native)
}

#[derive(Debug)]
struct Products {
    symbols: Vec<Symbol>,
}

fn request(method: &str, symbols: &[Symbol]) -> String {
    let ids = symbols.iter().map(|symbol| quoted(symbol));
    let ids = ids.collect::<Vec<_>>().join(",");
    format!(r#"{{"type":"{method}","product_ids":[{ids}],"channel":"level2"}}"#)
}

impl Subscriber for Products {
    fn subscribe(&mut self, ask: Ask, send: &mut dyn FnMut(&[u8])) {
        match ask {
            Ask::Again(symbol) => {
                send(request("unsubscribe", &[symbol]).as_bytes());
                send(request("subscribe", &[symbol]).as_bytes());
            }
            _ => {
                send(request("subscribe", &self.symbols).as_bytes());
                send(br#"{"type":"subscribe","channel":"heartbeats"}"#);
            }
        }
    }

    fn acknowledge(&mut self, message: &[u8]) -> Ack {
        let Ok([channel, kind, reason]) = scalars(message, ["channel", "type", "message"]) else {
            return Ack::Waiting;
        };
        if kind == Some(b"error") {
            let text = words(reason);
            // Whole words: BTC-USDT is not about BTC-USD.
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let words = text.split(|c| !is_part(c));
            let named = |s: &&Symbol| words.clone().any(|word| word == s.as_str());
            return Ack::Rejected {
                symbol: self.symbols.iter().find(named).copied(),
                reason: text,
            };
        }
        match channel {
            Some(b"subscriptions") if self.all_listed(message).unwrap_or(false) => Ack::Accepted,
            _ => Ack::Waiting,
        }
    }
}

impl Products {
    /// Whether the list of what is subscribed to has every product.
    fn all_listed(&self, message: &[u8]) -> Parse<bool> {
        let mut missing = self.symbols.clone();
        let listed = |key: &[u8], c: &mut Cursor<'_>, missing: &mut Vec<Symbol>| {
            if key != b"level2" || !c.is_array() {
                return c.skip();
            }
            c.array(|c| {
                let product = c.text_if_any()?;
                missing.retain(|s| Some(s.as_bytes()) != product);
                Ok(())
            })
        };
        Cursor::new(message).object(|key, c| {
            if key != b"events" || !c.is_array() {
                return c.skip();
            }
            c.array(|c| {
                c.object(|key, c| match key {
                    b"subscriptions" if c.is_object() => {
                        c.object(|key, c| listed(key, c, &mut missing))
                    }
                    _ => c.skip(),
                })
            })
        })?;
        Ok(missing.is_empty())
    }
}

#[derive(Debug)]
struct Books;

/// How the venue writes a level.
static LEVEL: LevelShape<2> = LevelShape {
    heads: [
        Piece::new(br#"{"side":"bid","event_time":""#),
        Piece::new(br#"{"side":"offer","event_time":""#),
    ],
    behind: Some(Piece::new(br#"","price_level":""#)),
    between: Piece::new(br#"","new_quantity":""#),
    tail: Piece::new(br#""}"#),
};

impl Grammar for Books {
    #[inline]
    fn expected(
        &mut self,
        message: &[u8],
        update: &mut BookUpdate,
        apply: Apply<'_>,
    ) -> Option<Decoded> {
        let mut c = Cursor::new(message);
        c.literal(br#"{"channel":"l2_data","#)?;
        if c.rest().starts_with(br#""client_id""#) {
            c.literal(br#""client_id":"","#)?;
        }
        c.literal(br#""timestamp":""#)?;
        let time = c.plain_string()?;
        c.literal(br#","sequence_num":"#)?;
        let number = c.digits()?;
        c.literal(br#","events":[{"type":""#)?;
        update.kind = match c.plain_string()? {
            b"update" => UpdateKind::Delta,
            b"snapshot" => UpdateKind::Snapshot,
            _ => return None,
        };
        c.literal(br#","product_id":""#)?;
        let product = c.plain_string()?;
        c.literal(br#","updates":"#)?;
        let BookUpdate { bids, asks, .. } = &mut *update;
        let is_plain = levels(&mut c, bids, asks).ok()?;
        if c.rest() != b"}]}" || !is_plain && !c.has_no_escape() {
            return None;
        }
        update.symbol = symbol(product, &c).ok()?;
        (update.first, update.last) = (number, number);
        update.connection_seq = Some(number);
        update.ts_venue = rfc3339(time);
        apply(update);
        Some(Decoded::Book)
    }

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
        let (mut is_book, mut time, mut number) = (false, None, None);
        let mut events = Later::Missing;
        c.fields(|key, c| {
            match key {
                b"channel" => is_book = c.text_if_any()? == Some(b"l2_data"),
                b"timestamp" => time = c.text_if_any()?,
                b"sequence_num" => number = c.text_if_any()?.and_then(whole_number),
                b"events" => {
                    let start = *c;
                    events = if is_book {
                        Later::Read(start, read_elements(c, update, event)?)
                    } else {
                        c.skip()?;
                        Later::Passed(start)
                    };
                }
                _ => c.skip()?,
            }
            Ok(())
        })?;
        c.end()?;
        let other = Decoded::Other {
            connection_seq: number,
        };
        if !is_book {
            return Ok(other);
        }
        let Some(last) = number else {
            return Err(lacks("l2_data without sequence_num", &c));
        };
        let ts_venue = time.and_then(rfc3339);
        let finish = |update: &mut BookUpdate| {
            (update.first, update.last) = (last, last);
            update.connection_seq = Some(last);
            update.ts_venue = ts_venue;
        };
        let Some((start, count @ 1..)) = events.read(update, event)? else {
            return Ok(other);
        };
        apply_elements(start, count, update, event, finish, apply)?;
        Ok(Decoded::Book)
    }
}

#[inline]
fn event(c: &mut Cursor<'_>, update: &mut BookUpdate) -> Parse<()> {
    let (mut kind, mut product, mut has_levels) = (None, None, false);
    c.fields(|key, c| {
        match key {
            b"type" => kind = c.text_if_any()?,
            b"product_id" => product = c.text_if_any()?,
            b"updates" => {
                levels(c, &mut update.bids, &mut update.asks)?;
                has_levels = true;
            }
            _ => c.skip()?,
        }
        Ok(())
    })?;
    update.kind = match kind {
        Some(b"snapshot") => UpdateKind::Snapshot,
        Some(b"update") => UpdateKind::Delta,
        _ => return Err(lacks("an event that is neither snapshot nor update", c)),
    };
    let (Some(product), true) = (product, has_levels) else {
        return Err(lacks("an event without product_id or updates", c));
    };
    update.symbol = symbol(product, c)?;
    Ok(())
}

#[inline]
fn levels(c: &mut Cursor<'_>, bids: &mut Vec<Level>, asks: &mut Vec<Level>) -> Parse<bool> {
    bids.clear();
    asks.clear();
    let other = |c: &mut Cursor<'_>, [bids, asks]: &mut [&mut Vec<Level>; 2], _: &mut Decimals| {
        level(c, bids, asks)
    };
    c.objects(&LEVEL, [bids, asks], &mut Decimals::default(), other)
}

#[inline]
fn level(c: &mut Cursor<'_>, bids: &mut Vec<Level>, asks: &mut Vec<Level>) -> Parse<()> {
    let (mut side, mut price, mut qty) = (None, None, None);
    c.object(|key, c| {
        match key {
            b"side" => {
                c.once(side.is_some())?;
                side = c.text_if_any()?;
            }
            b"price_level" => {
                c.once(price.is_some())?;
                price = Some(c.price()?.0);
            }
            b"new_quantity" => {
                c.once(qty.is_some())?;
                qty = Some(c.qty()?.0);
            }
            _ => c.skip()?,
        }
        Ok(())
    })?;
    let (Some(price), Some(qty)) = (price, qty) else {
        return Err(lacks("a level without price_level or new_quantity", c));
    };
    match side {
        Some(b"bid") => bids.push(Level::new(price, qty)),
        Some(b"offer" | b"ask") => asks.push(Level::new(price, qty)),
        _ => return Err(lacks("a level that is neither bid nor offer", c)),
    }
    Ok(())
}
