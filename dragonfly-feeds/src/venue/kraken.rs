//! Kraken Spot, protocol v2: `book`, a snapshot and then changes, each with a checksum.
//!
//! Nothing is numbered; the CRC-32 of the ten best levels a side tells whether an update was lost. The
//! venue does not say when a level falls out of the subscribed depth, so the book is cut to it.

use dragonfly_core::{
    clock::Nanos,
    feed::{Ack, Ask, Budget, Decoded, FeedPolicy, Ping, Subscriber},
    market::{
        BookRules, BookUpdate, ChecksumRule, ChecksumText, Instrument, Kind, Level, SequenceRule,
        Symbol, UpdateKind,
    },
};

use super::{
    Spec,
    grammar::{
        Apply, Grammar, Json, Later, apply_elements, is_other, lacks, read_elements, symbol,
        unified, words,
    },
};
use crate::json::{Cursor, Decimals, LevelShape, Parse, Piece, quoted, rfc3339, scalars, whole_number};

pub(super) static SPEC: Spec = Spec {
    id: "kraken",
    about: "Kraken Spot v2: snapshot and changes with a checksum",
    kinds: "spot",
    channel: "book",
    loss: "the CRC-32 of the best ten levels a side must match",
    depths: &[10, 25, 100, 500, 1000],
    usual_depth: 10,
    rules: || BookRules {
        sequence: SequenceRule::None,
        checksum: Some(ChecksumRule {
            levels: 10,
            text: ChecksumText::AsksThenBidsDigits,
        }),
        ..BookRules::default()
    },
    policy: || FeedPolicy {
        ping: Ping::Text(r#"{"method":"ping"}"#),
        messages: Budget::new(10, Nanos::from_millis(50)),
        // Of an address some 150 attempts in ten minutes are suffered.
        connects_in_all: Budget::new(40, Nanos::from_secs(6)),
        ..FeedPolicy::default()
    },
    max_message: 4 << 20,
    native: |instrument| {
        let pair = format!("{}/{}", instrument.base(), instrument.quote());
        let is_spot = instrument.kind() == Kind::Spot;
        Symbol::new(&pair).ok().filter(|_| is_spot)
    },
    unify: |_| unify,
    endpoint: |_| "wss://ws.kraken.com/v2",
    subscriber: |wanted| {
        Box::new(Channel {
            symbols: wanted.symbols.clone(),
            depth: wanted.levels(&SPEC),
            unanswered: Vec::new(),
        })
    },
    decoder: |wanted| {
        // Of a recording nobody knows what was asked for; its messages tell.
        let known = !wanted.symbols.is_empty() || wanted.channel_depth.is_some();
        Box::new(Json(Books {
            depth: known.then(|| wanted.levels(&SPEC)),
        }))
    },
    diffs: None,
};

/// Older interfaces call Bitcoin XBT and Dogecoin XDG.
fn unify(native: &str) -> Symbol {
    let asset = |code: &str| match code {
        "XBT" => "BTC".to_owned(),
        "XDG" => "DOGE".to_owned(),
        _ => code.to_owned(),
    };
    let pair = native.split_once('/');
    let spot = pair.and_then(|(base, quote)| Instrument::spot(&asset(base), &asset(quote)).ok());
    unified(spot, native)
}

#[derive(Debug)]
struct Channel {
    symbols: Vec<Symbol>,
    depth: usize,
    /// Symbols whose request has not been answered; each is answered by itself.
    unanswered: Vec<Symbol>,
}

impl Channel {
    fn request(&self, method: &str, symbols: &[Symbol]) -> String {
        let symbols = symbols.iter().map(|symbol| quoted(symbol));
        let symbols = symbols.collect::<Vec<_>>().join(",");
        format!(
            r#"{{"method":"{method}","params":{{"channel":"book","symbol":[{symbols}],"depth":{}}}}}"#,
            self.depth
        )
    }
}

impl Subscriber for Channel {
    fn subscribe(&mut self, ask: Ask, send: &mut dyn FnMut(&[u8])) {
        match ask {
            Ask::Again(symbol) => {
                send(self.request("unsubscribe", &[symbol]).as_bytes());
                send(self.request("subscribe", &[symbol]).as_bytes());
            }
            _ => {
                self.unanswered.clone_from(&self.symbols);
                send(self.request("subscribe", &self.symbols).as_bytes());
            }
        }
    }

    fn acknowledge(&mut self, message: &[u8]) -> Ack {
        let paths = ["method", "success", "error", "Error", "symbol", "result.symbol"];
        let Ok([method, success, error, limit, refused, accepted]) = scalars(message, paths) else {
            return Ack::Waiting;
        };
        if limit.is_some() {
            return Ack::Rejected {
                symbol: None,
                reason: words(limit),
            };
        }
        if method != Some(b"subscribe") {
            return Ack::Waiting;
        }
        let named = |name: Option<&[u8]>| {
            let is_name = |s: &&Symbol| Some(s.as_bytes()) == name;
            self.symbols.iter().find(is_name).copied()
        };
        if success == Some(b"false") {
            return Ack::Rejected {
                symbol: named(refused),
                reason: words(error),
            };
        }
        let accepted = named(accepted);
        self.unanswered.retain(|s| Some(*s) != accepted);
        if self.unanswered.is_empty() {
            Ack::Accepted
        } else {
            Ack::Waiting
        }
    }
}

#[derive(Debug)]
struct Books {
    /// The subscribed depth, as asked for or as the venue confirmed it.
    depth: Option<usize>,
}

impl Grammar for Books {
    #[inline]
    fn expected(
        &mut self,
        message: &[u8],
        update: &mut BookUpdate,
        apply: Apply<'_>,
    ) -> Option<Decoded> {
        let mut c = Cursor::new(message);
        c.literal(br#"{"channel":"book","type":"update","data":[{"symbol":""#)?;
        let pair = c.plain_string()?;
        c.literal(br#","bids":"#)?;
        let (bids, bids_plain) = side(&mut c, &mut update.bids).ok()?;
        c.literal(br#","asks":"#)?;
        let (asks, asks_plain) = side(&mut c, &mut update.asks).ok()?;
        c.literal(br#","checksum":"#)?;
        let checksum = u32::try_from(c.digits()?).ok()?;
        c.literal(br#","timestamp":""#)?;
        let time = c.plain_string()?;
        let is_plain = bids_plain && asks_plain;
        if c.rest() != b"}]}" || !is_plain && !c.has_no_escape() {
            return None;
        }
        let decimals = bids.max(asks);
        update.symbol = symbol(pair, &c).ok()?;
        (update.kind, update.window) = (UpdateKind::Delta, self.depth);
        (update.price_decimals, update.qty_decimals) = (decimals.price, decimals.qty);
        update.checksum = Some(checksum);
        update.ts_venue = rfc3339(time);
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
        let (mut is_book, mut kind, mut confirmed, mut unsummed) = (false, None, None, false);
        let mut books = Later::Missing;
        c.fields(|key, c| {
            match key {
                b"channel" => is_book = c.text_if_any()? == Some(b"book"),
                b"type" => kind = c.text_if_any()?,
                b"data" if is_book => {
                    let start = *c;
                    books = Later::Read(start, read_elements(c, update, |c, u| book(c, u, &mut unsummed))?);
                }
                b"data" => {
                    books = Later::Passed(*c);
                    c.skip()?;
                }
                b"result" if c.is_object() => confirmed = confirmed_depth(c)?,
                _ => c.skip()?,
            }
            Ok(())
        })?;
        c.end()?;
        if !is_book {
            self.depth = confirmed.or(self.depth);
            return Ok(Decoded::OTHER);
        }
        let kind = match kind {
            Some(b"snapshot") => UpdateKind::Snapshot,
            Some(b"update") => UpdateKind::Delta,
            _ => return Err(lacks("a book that is neither snapshot nor update", &c)),
        };
        let Some((start, count @ 1..)) = books.read(update, |c, u| book(c, u, &mut unsummed))?
        else {
            return Err(lacks("a book message without a book", &c));
        };
        // Only old snapshots came without.
        if unsummed && kind == UpdateKind::Delta {
            return Err(lacks("an update without checksum", &c));
        }
        let depth = &mut self.depth;
        let finish = |update: &mut BookUpdate| {
            let levels = update.bids.len().max(update.asks.len());
            if kind == UpdateKind::Snapshot && depth.is_none_or(|depth| depth < levels) {
                *depth = SPEC.depths.contains(&levels).then_some(levels).or(*depth);
            }
            (update.kind, update.window) = (kind, *depth);
        };
        let again = |c: &mut Cursor<'_>, u: &mut BookUpdate| book(c, u, &mut false);
        apply_elements(start, count, update, again, finish, apply)?;
        Ok(Decoded::Book)
    }
}

/// The depth of `{"channel":"book","depth":N,..}`.
fn confirmed_depth(c: &mut Cursor<'_>) -> Parse<Option<usize>> {
    let (mut is_book, mut depth) = (false, None);
    c.fields(|key, c| {
        match key {
            b"channel" => is_book = c.text_if_any()? == Some(b"book"),
            b"depth" => depth = c.text_if_any()?.and_then(whole_number),
            _ => c.skip()?,
        }
        Ok(())
    })?;
    let depth = depth.and_then(|depth| usize::try_from(depth).ok());
    Ok(depth.filter(|depth| is_book && *depth > 0))
}

#[inline]
fn book(c: &mut Cursor<'_>, update: &mut BookUpdate, unsummed: &mut bool) -> Parse<()> {
    let (mut pair, mut has_levels) = (None, false);
    let mut decimals = Decimals::default();
    c.fields(|key, c| {
        match key {
            b"symbol" => pair = c.text_if_any()?,
            b"bids" => {
                decimals = decimals.max(side(c, &mut update.bids)?.0);
                has_levels = true;
            }
            b"asks" => {
                decimals = decimals.max(side(c, &mut update.asks)?.0);
                has_levels = true;
            }
            b"checksum" => {
                let sum = u32::try_from(c.count()?);
                update.checksum = Some(sum.map_err(|_| c.fault("a checksum above 32 bits"))?);
            }
            b"timestamp" => update.ts_venue = c.text_if_any()?.and_then(rfc3339),
            _ => c.skip()?,
        }
        Ok(())
    })?;
    *unsummed |= update.checksum.is_none();
    let (Some(pair), true) = (pair, has_levels) else {
        return Err(lacks("a book without symbol or levels", c));
    };
    update.symbol = symbol(pair, c)?;
    (update.price_decimals, update.qty_decimals) = (decimals.price, decimals.qty);
    Ok(())
}

/// How the venue writes a level.
static LEVEL: LevelShape<1> = LevelShape {
    heads: [Piece::new(br#"{"price":"#)],
    behind: None,
    between: Piece::new(br#","qty":"#),
    tail: Piece::new(b"}"),
};

/// The decimals of the levels, and whether all were written as usual.
#[inline]
fn side(c: &mut Cursor<'_>, levels: &mut Vec<Level>) -> Parse<(Decimals, bool)> {
    levels.clear();
    let mut decimals = Decimals::default();
    let is_plain = c.objects(&LEVEL, [levels], &mut decimals, |c, [levels], decimals| {
        let (level, written) = c.level(b"price", b"qty")?;
        levels.push(level);
        *decimals = decimals.max(written);
        Ok(())
    })?;
    Ok((decimals, is_plain))
}
