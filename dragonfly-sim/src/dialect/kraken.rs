//! Kraken Spot, WebSocket v2 (`/v2`), from recordings of protocol v1.
//!
//! The recorded v1 messages (arrays, text numbers) are re-expressed as v2 messages (objects, JSON
//! numbers) once, when the recording is prepared: digits are kept as they are, the objects of a
//! split message are merged in order, `XBT` and `XDG` become `BTC` and `DOGE`, and the checksum
//! text becomes a number. v1 snapshots carry no checksum, so theirs is computed here.
//!
//! The recorded depth is played message by message. Smaller depths are *derived*: the levels that
//! changed among the best N, without deletes for levels pushed out of them, as the venue does it;
//! the recorded checksum covers the best 10 and so holds for every depth.

mod window;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use dragonfly_core::clock::UtcNanos;
use serde::Deserialize;
use serde_json::{Value, json};

use self::window::{Best, Change, advance};
use super::{Action, Dialect, Spec, Tapes, Visit, only};
use crate::{
    Recording,
    naive_book::{LevelText, NaiveBook},
    recording::Line,
    rfc3339,
    tape::Tape,
};

const DEPTHS: [usize; 5] = [10, 25, 100, 500, 1000];

pub(super) const SPEC: Spec = Spec {
    name: "kraken",
    prepare,
    open,
    patience: Duration::from_secs(60),
    max_message: 64 << 10,
};

/// The object part of a v1 book message: a snapshot (`as`, `bs`) or changes (`a`, `b`, `c`).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    #[serde(rename = "as")]
    all_asks: Option<Vec<LevelText>>,
    #[serde(rename = "bs")]
    all_bids: Option<Vec<LevelText>>,
    #[serde(rename = "a")]
    asks: Vec<LevelText>,
    #[serde(rename = "b")]
    bids: Vec<LevelText>,
    #[serde(rename = "c")]
    checksum: Option<String>,
}

/// A v1 book message with its parts merged.
struct Message {
    depth: usize,
    symbol: String,
    snapshot: bool,
    bids: Vec<LevelText>,
    asks: Vec<LevelText>,
    checksum: Option<u32>,
}

/// A pair's book while the recording is prepared, and what a subscriber of each depth holds.
struct Pair {
    book: NaiveBook,
    windows: Vec<(usize, NaiveBook)>,
}

fn prepare(recording: &Recording) -> Tapes {
    let mut tape = Tape::default();
    let mut pairs = BTreeMap::new();
    for line in recording.received() {
        if let Some(message) = parse(&line.text) {
            record(&mut tape, &mut pairs, line, &message);
        }
    }
    only("/v2", tape)
}

/// Parses `[channelID, {..}, .., "book-<depth>", "<pair>"]`; `None` for anything else.
fn parse(text: &str) -> Option<Message> {
    let mut array: Vec<Value> = serde_json::from_str(text).ok()?;
    let pair = array.pop()?;
    let channel = array.pop()?;
    let mut message = Message {
        depth: channel.as_str()?.strip_prefix("book-")?.parse().ok()?,
        symbol: v2_symbol(pair.as_str()?),
        snapshot: false,
        bids: Vec::new(),
        asks: Vec::new(),
        checksum: None,
    };
    for part in array.into_iter().skip(1) {
        let part: Part = serde_json::from_value(part).ok()?;
        message.snapshot |= part.all_asks.is_some() || part.all_bids.is_some();
        message.bids.extend(
            part.all_bids
                .unwrap_or_default()
                .into_iter()
                .chain(part.bids),
        );
        message.asks.extend(
            part.all_asks
                .unwrap_or_default()
                .into_iter()
                .chain(part.asks),
        );
        let checksum = part.checksum.and_then(|text| text.parse().ok());
        message.checksum = checksum.or(message.checksum);
    }
    Some(message)
}

fn v2_symbol(pair: &str) -> String {
    let rename = |asset| match asset {
        "XBT" => "BTC",
        "XDG" => "DOGE",
        other => other,
    };
    pair.split('/').map(rename).collect::<Vec<_>>().join("/")
}

fn record(tape: &mut Tape, pairs: &mut BTreeMap<String, Pair>, line: &Line, message: &Message) {
    if message.snapshot {
        let book = NaiveBook::of(&message.bids, &message.asks);
        let mut windows = Vec::new();
        for depth in DEPTHS.into_iter().filter(|depth| *depth <= message.depth) {
            let mut window = book.clone();
            window.truncate(depth);
            push(tape, line, message, depth, &snapshot(message, &window));
            windows.push((depth, window));
        }
        pairs.insert(message.symbol.clone(), Pair { book, windows });
        return;
    }
    let (Some(pair), Some(checksum)) = (pairs.get_mut(&message.symbol), message.checksum) else {
        return;
    };
    pair.book.apply(&message.bids, &message.asks);
    pair.book.truncate(message.depth);
    for (depth, window) in &mut pair.windows {
        let (bids, asks) = if *depth == message.depth {
            (changes(&message.bids), changes(&message.asks))
        } else {
            let full = &pair.book;
            let bids = advance(
                &mut window.bids,
                &full.bids,
                &message.bids,
                *depth,
                Best::Highest,
            );
            let asks = advance(
                &mut window.asks,
                &full.asks,
                &message.asks,
                *depth,
                Best::Lowest,
            );
            (bids, asks)
        };
        if !bids.is_empty() || !asks.is_empty() {
            let levels = Levels {
                bids,
                asks,
                checksum,
            };
            push(tape, line, message, *depth, &levels.text(message, "update"));
        }
    }
}

fn push(tape: &mut Tape, line: &Line, message: &Message, depth: usize, text: &str) {
    let stream = format!("book-{depth}/{}", message.symbol);
    tape.push(line.at, &stream, text.into(), 0..0);
}

fn changes(levels: &[LevelText]) -> Vec<Change> {
    let pair = |level: &LevelText| Some((level.first()?.clone(), level.get(1)?.clone()));
    levels.iter().filter_map(pair).collect()
}

/// The levels of a v2 message.
struct Levels {
    bids: Vec<Change>,
    asks: Vec<Change>,
    checksum: u32,
}

fn snapshot(message: &Message, window: &NaiveBook) -> String {
    let owned = |(price, qty): (&str, &str)| (price.to_owned(), qty.to_owned());
    let levels = Levels {
        bids: window.best_bids(usize::MAX).map(owned).collect(),
        asks: window.best_asks(usize::MAX).map(owned).collect(),
        checksum: checksum(window),
    };
    levels.text(message, "snapshot")
}

impl Levels {
    fn text(&self, message: &Message, kind: &str) -> String {
        let symbol = json!(message.symbol);
        let (bids, asks) = (objects(&self.bids), objects(&self.asks));
        let (checksum, timestamp) = (self.checksum, message.timestamp());
        format!(
            r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":{symbol},"bids":[{bids}],"asks":[{asks}],"checksum":{checksum},"timestamp":"{timestamp}"}}]}}"#
        )
    }
}

fn objects(levels: &[Change]) -> String {
    let object = |(price, qty): &Change| format!(r#"{{"price":{price},"qty":{qty}}}"#);
    levels.iter().map(object).collect::<Vec<_>>().join(",")
}

impl Message {
    /// The newest time any of the levels carries (`<seconds>.<microseconds>` in v1).
    fn timestamp(&self) -> String {
        let micros = |level: &LevelText| {
            let (seconds, micros) = level.get(2)?.split_once('.')?;
            Some(seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?)
        };
        let newest = self.bids.iter().chain(&self.asks).filter_map(micros).max();
        rfc3339::micros(UtcNanos::from_micros(newest.unwrap_or(0)))
    }
}

/// The venue's checksum: the digits of the best 10 asks, then of the best 10 bids.
fn checksum(book: &NaiveBook) -> u32 {
    let levels = book.best_asks(10).chain(book.best_bids(10));
    let digits: String = levels
        .flat_map(|(price, qty)| [price, qty])
        .map(significant)
        .collect();
    !digits.bytes().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

fn significant(number: &str) -> String {
    number.replace('.', "").trim_start_matches('0').to_owned()
}

fn open(tapes: &Tapes, visit: &Visit<'_>) -> Option<Box<dyn Dialect>> {
    let tape = Arc::clone(tapes.get(visit.path)?);
    Some(Box::new(Kraken {
        tape,
        connection: visit.connection,
        subscribed: BTreeMap::new(),
    }))
}

#[derive(Deserialize)]
struct Request {
    method: String,
    #[serde(default)]
    params: Params,
    req_id: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    channel: String,
    symbol: Vec<String>,
    depth: Option<usize>,
    snapshot: Option<bool>,
}

struct Kraken {
    tape: Arc<Tape>,
    connection: u64,
    /// The stream played for each subscribed symbol.
    subscribed: BTreeMap<String, usize>,
}

impl Dialect for Kraken {
    fn tape(&self) -> &Arc<Tape> {
        &self.tape
    }

    fn on_open(&mut self) -> Vec<Action> {
        let id = self.connection;
        vec![Action::Reply(format!(
            r#"{{"channel":"status","type":"update","data":[{{"version":"2.0.0","system":"online","api_version":"v2","connection_id":{id}}}]}}"#
        ))]
    }

    fn on_text(&mut self, text: &str, now: UtcNanos) -> Vec<Action> {
        let Ok(request) = serde_json::from_str::<Request>(text) else {
            return vec![Action::Reply(r#"{"error":"Malformed request"}"#.to_owned())];
        };
        let tail = Tail {
            request: &request,
            now,
        };
        match request.method.as_str() {
            "ping" => vec![Action::Reply(format!(r#"{{"method":"pong"{tail}}}"#))],
            "subscribe" => self.on_subscribe(&tail),
            "unsubscribe" => self.on_unsubscribe(&tail),
            _ => vec![tail.error("Method not supported", "")],
        }
    }

    fn heartbeat(&self) -> Option<&'static str> {
        (!self.subscribed.is_empty()).then_some(r#"{"channel":"heartbeat"}"#)
    }
}

impl Kraken {
    /// One acknowledgement or refusal a symbol; the accepted ones start together.
    fn on_subscribe(&mut self, tail: &Tail<'_>) -> Vec<Action> {
        let params = &tail.request.params;
        let depth = params.depth.unwrap_or(10);
        let (mut actions, mut streams) = (Vec::new(), Vec::new());
        for symbol in &params.symbol {
            let stream = self.tape.stream(&format!("book-{depth}/{symbol}"));
            let refusal = if params.channel != "book" {
                "Channel not supported"
            } else if self.subscribed.contains_key(symbol) {
                "Already subscribed"
            } else if let Some(stream) = stream {
                self.subscribed.insert(symbol.clone(), stream);
                streams.push(stream);
                actions.push(tail.ack(symbol, depth));
                continue;
            } else if DEPTHS.contains(&depth) {
                "Currency pair not supported"
            } else {
                "Subscription depth not supported"
            };
            actions.push(tail.error(refusal, symbol));
        }
        if !streams.is_empty() {
            actions.push(Action::Play(streams));
        }
        actions
    }

    fn on_unsubscribe(&mut self, tail: &Tail<'_>) -> Vec<Action> {
        let params = &tail.request.params;
        let mut actions = Vec::new();
        for symbol in &params.symbol {
            match self.subscribed.remove(symbol) {
                Some(stream) => actions.extend([
                    Action::Stop(vec![stream]),
                    tail.ack(symbol, params.depth.unwrap_or(10)),
                ]),
                None => actions.push(tail.error("Subscription Not Found", symbol)),
            }
        }
        actions
    }
}

/// What every reply ends in: the times and the request's id, if it had one.
struct Tail<'a> {
    request: &'a Request,
    now: UtcNanos,
}

impl Tail<'_> {
    fn ack(&self, symbol: &str, depth: usize) -> Action {
        let method = json!(self.request.method);
        let snapshot = self.request.params.snapshot.unwrap_or(true);
        let symbol = json!(symbol);
        Action::Reply(format!(
            r#"{{"method":{method},"result":{{"channel":"book","symbol":{symbol},"depth":{depth},"snapshot":{snapshot}}},"success":true{self}}}"#
        ))
    }

    fn error(&self, error: &str, symbol: &str) -> Action {
        // An unknown pair is named in the text as well.
        let named = if error.starts_with("Currency") {
            format!("{error} {symbol}")
        } else {
            error.into()
        };
        let (error, symbol) = (json!(named), json!(symbol));
        let method = json!(self.request.method);
        Action::Reply(format!(
            r#"{{"error":{error},"method":{method},"success":false,"symbol":{symbol}{self}}}"#
        ))
    }
}

impl std::fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let now = rfc3339::micros(self.now);
        write!(f, r#","time_in":"{now}","time_out":"{now}""#)?;
        match &self.request.req_id {
            Some(id) => write!(f, r#","req_id":{id}"#),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_the_venues_guide() {
        let level = |text: &str| text.split(' ').map(str::to_owned).collect::<LevelText>();
        let asks = "45285.2 0.00100000|45286.4 1.54571953|45286.6 1.54571109|45289.6 1.54560911|\
            45290.2 0.15890660|45291.8 1.54553491|45294.7 0.04454749|45296.1 0.35380000|\
            45297.5 0.09945542|45299.5 0.18772827";
        let bids = "45283.5 0.10000000|45283.4 1.54582015|45282.1 0.10000000|45281.0 0.10000000|\
            45280.3 1.54592586|45279.0 0.07990000|45277.6 0.03310103|45277.5 0.30000000|\
            45277.3 1.54602737|45276.6 0.15445238";
        let side = |text: &str| text.split('|').map(level).collect::<Vec<_>>();
        assert_eq!(
            checksum(&NaiveBook::of(&side(bids), &side(asks))),
            3_310_070_434
        );
    }

    #[test]
    fn a_split_message_is_merged_in_order() {
        let text = r#"[320,{"a":[["2.0","0.0","5.000001"],["3.0","1.0","5.000002"]]},{"b":[["1.0","4.0","5.000003"]],"c":"17"},"book-1000","XBT/USD"]"#;
        let message = parse(text).unwrap();
        assert_eq!((message.symbol.as_str(), message.depth), ("BTC/USD", 1000));
        assert_eq!(
            (message.asks.len(), message.bids.len(), message.checksum),
            (2, 1, Some(17))
        );
        assert_eq!(message.timestamp(), "1970-01-01T00:00:05.000003Z");
    }
}
