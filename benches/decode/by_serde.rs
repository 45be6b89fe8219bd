//! Messages into structs of borrowed strings, the whole of them: through `serde_json`, and through
//! `sonic-rs`.

use dragonfly_core::{
    clock::UtcNanos,
    market::{BookUpdate, Level, Price, Qty, Symbol, UpdateKind},
};
use dragonfly_feeds::json::rfc3339;
use serde::Deserialize;
use serde_json::value::RawValue;
use sonic_rs::{JsonValueTrait, LazyValue};

/// Makes a reader of each shape for both parsers out of what is done with the parsed message.
macro_rules! readers {
    ($($shape:ident: $parsed:ty, $by_sonic:ty;)+) => {
        pub(crate) mod plain {
            use super::*;
            $(pub(crate) fn $shape(message: &[u8], update: &mut BookUpdate) {
                let parsed: $parsed = serde_json::from_slice(message).unwrap();
                super::$shape(parsed, update);
            })+
        }
        pub(crate) mod sonic {
            use super::*;
            $(pub(crate) fn $shape(message: &[u8], update: &mut BookUpdate) {
                let parsed: $by_sonic = sonic_rs::from_slice(message).unwrap();
                super::$shape(parsed, update);
            })+
        }
    };
}

readers! {
    binance: Binance<'_>, Binance<'_>;
    binance_diff: BinanceDiff<'_>, BinanceDiff<'_>;
    bitstamp: Bitstamp<'_>, Bitstamp<'_>;
    bybit: Bybit<'_>, Bybit<'_>;
    coinbase: Coinbase<'_>, Coinbase<'_>;
    kraken: Kraken<'_, &RawValue>, Kraken<'_, LazyValue<'_>>;
}

/// A level as a pair of strings.
type Pair<'a> = [&'a str; 2];

#[derive(Deserialize)]
pub(crate) struct Binance<'a> {
    stream: &'a str,
    #[serde(borrow)]
    data: BinanceData<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BinanceData<'a> {
    last_update_id: u64,
    #[serde(borrow)]
    bids: Vec<Pair<'a>>,
    asks: Vec<Pair<'a>>,
}

fn binance(parsed: Binance<'_>, update: &mut BookUpdate) {
    let name = parsed.stream.split('@').next().unwrap_or_default();
    update.symbol = Symbol::new(&name.to_ascii_uppercase()).unwrap();
    update.last = parsed.data.last_update_id;
    pairs(&parsed.data.bids, update.wanted, &mut update.bids);
    pairs(&parsed.data.asks, update.wanted, &mut update.asks);
}

#[derive(Deserialize)]
pub(crate) struct BinanceDiff<'a> {
    #[serde(borrow)]
    data: BinanceChange<'a>,
}

#[derive(Deserialize)]
struct BinanceChange<'a> {
    #[serde(rename = "E")]
    time: u64,
    s: &'a str,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    #[serde(borrow)]
    b: Vec<Pair<'a>>,
    a: Vec<Pair<'a>>,
}

fn binance_diff(parsed: BinanceDiff<'_>, update: &mut BookUpdate) {
    let change = parsed.data;
    update.kind = UpdateKind::Delta;
    update.symbol = Symbol::new(change.s).unwrap();
    (update.first, update.last) = (change.first, change.u);
    update.ts_venue = Some(UtcNanos::from_millis(change.time));
    pairs(&change.b, usize::MAX, &mut update.bids);
    pairs(&change.a, usize::MAX, &mut update.asks);
}

#[derive(Deserialize)]
pub(crate) struct Bitstamp<'a> {
    #[serde(borrow)]
    data: BitstampData<'a>,
    channel: &'a str,
    event: &'a str,
}

#[derive(Deserialize)]
struct BitstampData<'a> {
    microtimestamp: &'a str,
    #[serde(borrow)]
    bids: Vec<Pair<'a>>,
    asks: Vec<Pair<'a>>,
}

fn bitstamp(parsed: Bitstamp<'_>, update: &mut BookUpdate) {
    assert_eq!(parsed.event, "data");
    let pair = parsed.channel.strip_prefix("order_book_").unwrap();
    update.symbol = Symbol::new(pair).unwrap();
    update.last = parsed.data.microtimestamp.parse().unwrap();
    update.ts_venue = Some(UtcNanos::from_micros(update.last));
    pairs(&parsed.data.bids, update.wanted, &mut update.bids);
    pairs(&parsed.data.asks, update.wanted, &mut update.asks);
}

#[derive(Deserialize)]
pub(crate) struct Bybit<'a> {
    topic: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    cts: u64,
    #[serde(borrow)]
    data: BybitData<'a>,
}

#[derive(Deserialize)]
struct BybitData<'a> {
    #[serde(borrow)]
    b: Vec<Pair<'a>>,
    a: Vec<Pair<'a>>,
    u: u64,
}

fn bybit(parsed: Bybit<'_>, update: &mut BookUpdate) {
    let mut words = parsed.topic.split('.').skip(1);
    update.window = words.next().map(|levels| levels.parse().unwrap());
    update.symbol = Symbol::new(words.next().unwrap()).unwrap();
    update.kind = kind(parsed.kind);
    update.last = parsed.data.u;
    update.ts_venue = Some(UtcNanos::from_millis(parsed.cts));
    pairs(&parsed.data.b, usize::MAX, &mut update.bids);
    pairs(&parsed.data.a, usize::MAX, &mut update.asks);
}

#[derive(Deserialize)]
pub(crate) struct Coinbase<'a> {
    channel: &'a str,
    timestamp: &'a str,
    sequence_num: u64,
    #[serde(borrow)]
    events: Vec<CoinbaseEvent<'a>>,
}

#[derive(Deserialize)]
struct CoinbaseEvent<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    product_id: &'a str,
    #[serde(borrow)]
    updates: Vec<CoinbaseLevel<'a>>,
}

#[derive(Deserialize)]
struct CoinbaseLevel<'a> {
    side: &'a str,
    price_level: &'a str,
    new_quantity: &'a str,
}

fn coinbase(parsed: Coinbase<'_>, update: &mut BookUpdate) {
    assert_eq!(parsed.channel, "l2_data");
    update.last = parsed.sequence_num;
    update.ts_venue = rfc3339(parsed.timestamp.as_bytes());
    for event in &parsed.events {
        update.kind = kind(event.kind);
        update.symbol = Symbol::new(event.product_id).unwrap();
        for change in &event.updates {
            let changed = level(change.price_level, change.new_quantity);
            match change.side {
                "bid" => update.bids.push(changed),
                _ => update.asks.push(changed),
            }
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Kraken<'a, N> {
    channel: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    data: Vec<KrakenBook<'a, N>>,
}

#[derive(Deserialize)]
struct KrakenBook<'a, N> {
    symbol: &'a str,
    bids: Vec<KrakenLevel<N>>,
    asks: Vec<KrakenLevel<N>>,
    checksum: u32,
    timestamp: &'a str,
}

#[derive(Deserialize)]
struct KrakenLevel<N> {
    price: N,
    qty: N,
}

/// The text of a number.
trait Text {
    fn text(&self) -> &str;
}

impl Text for &RawValue {
    fn text(&self) -> &str {
        self.get()
    }
}

impl Text for LazyValue<'_> {
    fn text(&self) -> &str {
        assert!(self.is_number());
        self.as_raw_str()
    }
}

fn kraken<N: Text>(parsed: Kraken<'_, N>, update: &mut BookUpdate) {
    assert_eq!(parsed.channel, "book");
    update.kind = kind(parsed.kind);
    for book in &parsed.data {
        update.symbol = Symbol::new(book.symbol).unwrap();
        update.checksum = Some(book.checksum);
        update.ts_venue = rfc3339(book.timestamp.as_bytes());
        for (levels, into) in [
            (&book.bids, &mut update.bids),
            (&book.asks, &mut update.asks),
        ] {
            into.extend(levels.iter().map(|l| level(l.price.text(), l.qty.text())));
        }
    }
}

pub(crate) fn kind(text: &str) -> UpdateKind {
    match text {
        "snapshot" => UpdateKind::Snapshot,
        _ => UpdateKind::Delta,
    }
}

pub(crate) fn level(price: &str, qty: &str) -> Level {
    let price = Price::parse(price.as_bytes()).unwrap();
    Level::new(price, Qty::parse(qty.as_bytes()).unwrap())
}

fn pairs(from: &[Pair<'_>], wanted: usize, into: &mut Vec<Level>) {
    into.extend(
        from.iter()
            .take(wanted)
            .map(|[price, qty]| level(price, qty)),
    );
}
