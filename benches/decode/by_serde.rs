//! Messages through `serde_json`: the whole of it into structs of borrowed strings.

use dragonfly_core::{
    clock::UtcNanos,
    market::{BookUpdate, Level, Price, Qty, Symbol, UpdateKind},
};
use dragonfly_feeds::json::rfc3339;
use serde::Deserialize;

/// A level as a pair of strings.
type Pair<'a> = [&'a str; 2];

#[derive(Deserialize)]
struct Binance<'a> {
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

pub(crate) fn binance(message: &[u8], update: &mut BookUpdate) {
    let parsed: Binance<'_> = serde_json::from_slice(message).unwrap();
    let name = parsed.stream.split('@').next().unwrap_or_default();
    update.symbol = Symbol::new(&name.to_ascii_uppercase()).unwrap();
    update.last = parsed.data.last_update_id;
    pairs(&parsed.data.bids, update.wanted, &mut update.bids);
    pairs(&parsed.data.asks, update.wanted, &mut update.asks);
}

#[derive(Deserialize)]
struct Bitstamp<'a> {
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

pub(crate) fn bitstamp(message: &[u8], update: &mut BookUpdate) {
    let parsed: Bitstamp<'_> = serde_json::from_slice(message).unwrap();
    assert_eq!(parsed.event, "data");
    let pair = parsed.channel.strip_prefix("order_book_").unwrap();
    update.symbol = Symbol::new(pair).unwrap();
    update.last = parsed.data.microtimestamp.parse().unwrap();
    update.ts_venue = Some(UtcNanos::from_micros(update.last));
    pairs(&parsed.data.bids, update.wanted, &mut update.bids);
    pairs(&parsed.data.asks, update.wanted, &mut update.asks);
}

#[derive(Deserialize)]
struct Bybit<'a> {
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

pub(crate) fn bybit(message: &[u8], update: &mut BookUpdate) {
    let parsed: Bybit<'_> = serde_json::from_slice(message).unwrap();
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
struct Coinbase<'a> {
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

pub(crate) fn coinbase(message: &[u8], update: &mut BookUpdate) {
    let parsed: Coinbase<'_> = serde_json::from_slice(message).unwrap();
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
