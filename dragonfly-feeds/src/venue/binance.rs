//! Binance Spot: `<symbol>@depth20@100ms`, a whole image of the best levels with every message.
//!
//! The image names no symbol and no time; the stream's name in the combined framing tells the
//! symbol, and without it (raw framing) a connection can carry a single instrument. Recordings of
//! the channel of changes, `<symbol>@depth[@100ms]`, are read by [`Diffs`].

#![allow(
    clippy::arithmetic_side_effects,
    reason = "positions go forward within the message, and counts are of what is in it; tried by a fuzz target for each decoder"
)]

use dragonfly_core::{
    clock::{Nanos, UtcNanos},
    feed::{Ack, Ask, Budget, Decoded, FeedPolicy, Subscriber},
    market::{BookRules, BookUpdate, Instrument, Kind, SequenceRule, Symbol, UpdateKind},
};

use super::{
    Diffs, Spec, Subscription,
    grammar::{Apply, Grammar, Json, Known, is_other, lacks, symbol, unified, words},
};
use crate::json::{Cursor, Parse, quoted, scalars, whole_number};

pub(super) static SPEC: Spec = Spec {
    id: "binance",
    about: "Binance Spot: images of the best 5, 10 or 20 levels every 100 ms",
    kinds: "spot",
    channel: "<symbol>@depth20@100ms",
    loss: "every message is a whole image; lastUpdateId must grow",
    depths: &[5, 10, 20],
    usual_depth: 20,
    rules: || BookRules {
        sequence: SequenceRule::Increasing,
        // An image is due ten times a second, and nothing but it tells a quiet book from a stream
        // that has stopped: the venue has no heartbeat, and its socket answers pings regardless.
        heartbeats_count: false,
        sync_within: Nanos::from_secs(30),
        ..BookRules::default()
    },
    policy: || FeedPolicy {
        // Five messages a second are allowed, pings and pongs included.
        messages: Budget::new(1, Nanos::from_millis(250)),
        // Of an address 300 attempts in five minutes are allowed.
        connects_in_all: Budget::new(100, Nanos::from_secs(2)),
        ..FeedPolicy::default()
    },
    max_message: 1 << 20,
    native: |instrument| {
        let pair = format!("{}{}", instrument.base(), instrument.quote());
        let is_spot = instrument.kind() == Kind::Spot;
        Symbol::new(&pair).ok().filter(|_| is_spot)
    },
    unify: |_| |native| unified(Instrument::from_compact(native), native),
    endpoint: |_| "wss://stream.binance.com:9443/stream",
    subscriber: |wanted| {
        Box::new(Streams {
            symbols: wanted.symbols.clone(),
            levels: wanted.levels(&SPEC),
        })
    },
    decoder: |_| Box::new(Json(Books::default())),
    diffs: Some(Diffs {
        rules: || BookRules {
            sequence: SequenceRule::Span,
            ..BookRules::default()
        },
        decoder: |_: &Subscription| Box::new(Json(Books { diffs: true, ..Books::default() })),
        snapshot: framed_snapshot,
    }),
};

/// Gives the answer to `GET /api/v3/depth?symbol=X` the combined framing, which names the symbol.
fn framed_snapshot(url: &str, body: &str) -> Option<String> {
    let (path, query) = url.split_once('?')?;
    let symbol = query.split('&').find_map(|q| q.strip_prefix("symbol="))?;
    let stream = quoted(&format!("{}@depth", symbol.to_ascii_lowercase()));
    let framed = || format!(r#"{{"stream":{stream},"data":{body}}}"#);
    path.ends_with("/depth").then(framed)
}

/// Requests are numbered, and the answers bear the number: all streams, the stream to drop, and
/// from there on each single stream.
const ALL_STREAMS: usize = 1;
const DROPPED_STREAM: usize = 0;
const FIRST_STREAM: usize = 2;

#[derive(Debug)]
struct Streams {
    symbols: Vec<Symbol>,
    levels: usize,
}

impl Streams {
    fn request(&self, method: &str, symbols: &[Symbol], id: usize) -> String {
        let stream = |symbol: &Symbol| {
            let symbol = symbol.to_ascii_lowercase();
            quoted(&format!("{symbol}@depth{}@100ms", self.levels))
        };
        let params = symbols.iter().map(stream).collect::<Vec<_>>().join(",");
        format!(r#"{{"method":"{method}","params":[{params}],"id":{id}}}"#)
    }
}

impl Subscriber for Streams {
    fn subscribe(&mut self, ask: Ask, send: &mut dyn FnMut(&[u8])) {
        match ask {
            Ask::Again(symbol) => {
                let index = self.symbols.iter().position(|s| *s == symbol);
                let id = FIRST_STREAM + index.unwrap_or(0);
                send(self.request("UNSUBSCRIBE", &[symbol], DROPPED_STREAM).as_bytes());
                send(self.request("SUBSCRIBE", &[symbol], id).as_bytes());
            }
            _ => send(self.request("SUBSCRIBE", &self.symbols, ALL_STREAMS).as_bytes()),
        }
    }

    fn acknowledge(&mut self, message: &[u8]) -> Ack {
        let paths = ["id", "result", "code", "msg", "error.msg", "e", "data.e", "stream"];
        let Ok([id, result, code, msg, error, event, inner, stream]) = scalars(message, paths)
        else {
            return Ack::Waiting;
        };
        let says_goodbye = |name: Option<&[u8]>| name == Some(b"serverShutdown");
        if says_goodbye(event) || says_goodbye(inner) || stream == Some(b"!serverShutdown") {
            return Ack::Reconnect;
        }
        let id = id.and_then(whole_number).and_then(|id| usize::try_from(id).ok());
        if error.is_some() || (code.is_some() && msg.is_some()) {
            if id == Some(DROPPED_STREAM) {
                return Ack::Waiting;
            }
            let index = id.and_then(|id| id.checked_sub(FIRST_STREAM));
            return Ack::Rejected {
                symbol: index.and_then(|at| self.symbols.get(at)).copied(),
                reason: words(error.or(msg)),
            };
        }
        match id {
            Some(ALL_STREAMS..) if result == Some(b"null") => Ack::Accepted,
            _ => Ack::Waiting,
        }
    }
}

#[derive(Debug, Default)]
struct Books {
    /// Reads the channel of changes and its snapshots instead of images.
    diffs: bool,
    /// By what an image begins with, up to its number.
    known: Known,
}

/// What is before and behind the stream's name in what an image begins with.
const BEFORE_NAME: &[u8] = br#"{"stream":""#;
const BEHIND_NAME: &[u8] = br#"","data":{"lastUpdateId":"#;

/// Bytes of an image that tell the streams apart: the first of the name.
#[inline]
fn key(message: &[u8]) -> Option<&[u8; 16]> {
    message.get(BEFORE_NAME.len()..)?.first_chunk()
}

/// What a message has been found to hold, whatever the order of its keys.
#[derive(Default)]
struct Found<'a> {
    stream: Option<&'a [u8]>,
    event: Option<&'a [u8]>,
    symbol: Option<&'a [u8]>,
    time: Option<&'a [u8]>,
    image_id: Option<&'a [u8]>,
    first: Option<&'a [u8]>,
    last: Option<&'a [u8]>,
    bids: bool,
    asks: bool,
}

impl Grammar for Books {
    #[inline]
    fn expected(
        &mut self,
        message: &[u8],
        update: &mut BookUpdate,
        apply: Apply<'_>,
    ) -> Option<Decoded> {
        if self.diffs {
            return expected_change(message, update, apply);
        }
        let stream = self.known.find(key(message)?)?;
        let mut c = Cursor::new(message);
        c.exactly(&stream.text)?;
        let id = c.digits()?;
        let wanted = update.wanted;
        c.literal(br#","bids":["#)?;
        c.image(&mut update.bids, wanted, &mut stream.bids, br#","asks":"#)?;
        c.literal(b"[")?;
        c.image(&mut update.asks, wanted, &mut stream.asks, b"}")?;
        c.literal(b"}")?;
        if !c.rest().is_empty() {
            return None;
        }
        update.symbol = stream.symbol;
        (update.first, update.last) = (id, id);
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
        c.fields(|key, c| match key {
            b"stream" => {
                found.stream = c.text_if_any()?;
                Ok(())
            }
            b"data" if c.is_object() => c.fields(|key, c| self.field(key, c, &mut found, update)),
            _ => self.field(key, c, &mut found, update),
        })?;
        c.end()?;
        let is_book = match found.event {
            Some(b"depthUpdate") if self.diffs => found.change(update, &c)?,
            Some(_) => false,
            None => found.image(update, &c)?,
        };
        if !is_book {
            return Ok(Decoded::OTHER);
        }
        if !self.diffs {
            self.learn(message, update.symbol);
        } else if update.kind == UpdateKind::Image {
            update.kind = UpdateKind::Snapshot;
        }
        apply(update);
        Ok(Decoded::Book)
    }
}

impl Books {
    /// Remembers what an image of `symbol` begins with.
    fn learn(&mut self, message: &[u8], symbol: Symbol) {
        let name = message.strip_prefix(BEFORE_NAME).map(|rest| Cursor::new(rest).plain_string());
        let Some((Some(name), key)) = name.zip(key(message)) else {
            return;
        };
        let text = [BEFORE_NAME, name, BEHIND_NAME].concat();
        if message.starts_with(&text) {
            self.known.learn(key, &text, symbol);
        }
    }

    #[inline]
    fn field<'a>(
        &self,
        key: &[u8],
        c: &mut Cursor<'a>,
        found: &mut Found<'a>,
        update: &mut BookUpdate,
    ) -> Parse<()> {
        let wanted = if self.diffs { usize::MAX } else { update.wanted };
        let place = match key {
            b"lastUpdateId" => &mut found.image_id,
            b"bids" if c.is_array() => {
                found.bids = true;
                return c.pairs(&mut update.bids, wanted).map(|_| ());
            }
            b"asks" if c.is_array() => {
                found.asks = true;
                return c.pairs(&mut update.asks, wanted).map(|_| ());
            }
            b"e" => &mut found.event,
            b"s" => &mut found.symbol,
            b"E" => &mut found.time,
            b"U" => &mut found.first,
            b"u" => &mut found.last,
            b"b" if self.diffs && c.is_array() => {
                return c.pairs(&mut update.bids, wanted).map(|_| ());
            }
            b"a" if self.diffs && c.is_array() => {
                return c.pairs(&mut update.asks, wanted).map(|_| ());
            }
            _ => return c.skip(),
        };
        *place = c.text_if_any()?;
        Ok(())
    }
}

impl Found<'_> {
    /// An image; false when the message is something else.
    #[inline]
    fn image(&self, update: &mut BookUpdate, c: &Cursor<'_>) -> Parse<bool> {
        if let Some(stream) = self.stream {
            let Some(pair) = depth_stream(stream) else {
                return Ok(false);
            };
            update.symbol = upper_case(pair, c)?;
        } else if self.image_id.is_none() && !self.bids && !self.asks {
            return Ok(false);
        }
        let id = self.image_id.and_then(whole_number);
        let (Some(id), true, true) = (id, self.bids, self.asks) else {
            return Err(lacks("an image without lastUpdateId, bids or asks", c));
        };
        update.kind = UpdateKind::Image;
        (update.first, update.last) = (id, id);
        Ok(true)
    }

    fn change(&self, update: &mut BookUpdate, c: &Cursor<'_>) -> Parse<bool> {
        let ids = self.first.and_then(whole_number).zip(self.last.and_then(whole_number));
        let (Some((first, last)), Some(pair)) = (ids, self.symbol) else {
            return Err(lacks("a change without s, U or u", c));
        };
        update.kind = UpdateKind::Delta;
        update.symbol = symbol(pair, c)?;
        (update.first, update.last) = (first, last);
        update.ts_venue = self.time.and_then(whole_number).map(moment);
        Ok(true)
    }
}

/// A message of the channel of changes, as [`Grammar::expected`].
#[inline]
fn expected_change(
    message: &[u8],
    update: &mut BookUpdate,
    apply: Apply<'_>,
) -> Option<Decoded> {
    let mut c = Cursor::new(message);
    c.exactly(BEFORE_NAME)?;
    c.plain_string()?;
    c.literal(br#","data":{"e":"depthUpdate","E":"#)?;
    let time = c.digits()?;
    c.literal(br#","s":""#)?;
    let pair = c.plain_string()?;
    c.literal(br#","U":"#)?;
    let first = c.digits()?;
    c.literal(br#","u":"#)?;
    let last = c.digits()?;
    c.literal(br#","b":["#)?;
    c.changes(&mut update.bids)?;
    c.literal(br#","a":["#)?;
    c.changes(&mut update.asks)?;
    if c.rest() != b"}}" {
        return None;
    }
    update.kind = UpdateKind::Delta;
    update.symbol = symbol(pair, &c).ok()?;
    (update.first, update.last) = (first, last);
    update.ts_venue = Some(moment(time));
    apply(update);
    Some(Decoded::Book)
}

/// Milliseconds, or microseconds where the connection was made with `timeUnit=MICROSECOND`.
const fn moment(time: u64) -> UtcNanos {
    if time < 100_000_000_000_000 {
        UtcNanos::from_millis(time)
    } else {
        UtcNanos::from_micros(time)
    }
}

/// The pair of a stream name such as `btcusdt@depth20@100ms`.
#[inline]
fn depth_stream(name: &[u8]) -> Option<&[u8]> {
    let at = name.iter().position(|b| *b == b'@')?;
    let (pair, channel) = name.split_at(at);
    channel.starts_with(b"@depth").then_some(pair)
}

/// Stream names are lower case, symbols upper case.
#[inline]
fn upper_case(pair: &[u8], c: &Cursor<'_>) -> Parse<Symbol> {
    let mut upper = [0; 39];
    let Some(upper) = upper.get_mut(..pair.len()) else {
        return symbol(pair, c);
    };
    upper.copy_from_slice(pair);
    upper.make_ascii_uppercase();
    symbol(upper, c)
}
