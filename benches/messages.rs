//! The messages that are decoded: made where no recording of the channel exists, recorded otherwise.

use std::{fmt::Write as _, path::Path};

use dragonfly_clients::capture::{self, Direction};

use crate::images;

/// Binance `depth20`: 20 levels a side, eight decimals, as compact as the venue sends it; 1.2 KB.
pub fn binance_depth20() -> Vec<u8> {
    let mut text = String::from(
        r#"{"stream":"ethbtc@depth20@100ms","data":{"lastUpdateId":7251698023,"bids":["#,
    );
    levels(&mut text, 20, |i| {
        (6_824_000 - i * 1_000, 1_210_000_000 - i * 31_700_000)
    });
    text.push_str(r#"],"asks":["#);
    levels(&mut text, 20, |i| {
        (6_825_000 + i * 1_000, 940_000_000 + i * 17_300_000)
    });
    text.push_str("]}}");
    text.into_bytes()
}

/// A Binance `depth20` of which every message is alike but for its number and, if it is to be news,
/// the quantity of the best bid.
#[derive(Clone, Debug)]
pub struct Depth20 {
    head: Vec<u8>,
    middle: Vec<u8>,
    tail: Vec<u8>,
}

impl Depth20 {
    /// The stream of a native symbol such as `ethbtc`.
    pub fn of(native: &str) -> Self {
        let text = String::from_utf8(binance_depth20()).unwrap();
        let text = text.replace("ethbtc", native);
        let (head, rest) = text.split_once("7251698023").unwrap();
        let (middle, tail) = rest.split_once("12.10000000").unwrap();
        let [head, middle, tail] = [head, middle, tail].map(|part| part.as_bytes().to_vec());
        Self { head, middle, tail }
    }

    /// Appends message number `n`.
    pub fn write(&self, n: usize, is_news: bool, into: &mut Vec<u8>) {
        use std::io::Write as _;
        into.extend(&self.head);
        write!(into, "{}", 7_251_698_023 + n).unwrap();
        into.extend(&self.middle);
        let qty = if is_news { n % 90 + 10 } else { 12 };
        write!(into, "{qty}.10000000").unwrap();
        into.extend(&self.tail);
    }
}

/// Appends `count` levels given in units of 1e-8.
fn levels(text: &mut String, count: u64, level: impl Fn(u64) -> (u64, u64)) {
    const ONE: u64 = 100_000_000;
    for i in 0..count {
        let comma = if i == 0 { "" } else { "," };
        let (price, qty) = level(i);
        write!(
            text,
            r#"{comma}["{}.{:08}","{}.{:08}"]"#,
            price / ONE,
            price % ONE,
            qty / ONE,
            qty % ONE,
        )
        .unwrap();
    }
}

/// Binance `depth20` images of four pairs, each with another top 10 on both sides than the one before
/// of its pair.
pub fn binance_images() -> Vec<Vec<u8>> {
    images::binance_depth20(received("binance/20211012_ws_4pairs"))
}

/// Binance changes, as recorded.
pub fn binance_diffs() -> Vec<Vec<u8>> {
    picked("binance/20211012_ws_4pairs", |m| {
        m.contains(r#""e":"depthUpdate""#)
    })
}

/// Bitstamp `order_book` images of 100 levels, likewise.
pub fn bitstamp_images() -> Vec<Vec<u8>> {
    images::bitstamp_100(received("bitstamp/20220105_ws_10pairs"))
}

/// Bybit `orderbook.200`, as recorded.
pub fn bybit_deltas() -> Vec<Vec<u8>> {
    picked("bybit/20260809_ws_v5_spot", |m| {
        m.contains(r#""topic":"orderbook."#) && m.contains(r#""type":"delta""#)
    })
}

const COINBASE: &str = "coinbase-advanced/20260809_ws_advanced_btcusd_ethusd";

/// Coinbase `level2` changes, as recorded.
pub fn coinbase_updates() -> Vec<Vec<u8>> {
    picked(COINBASE, |m| {
        m.contains(r#""channel":"l2_data""#) && m.contains(r#""type":"update""#)
    })
}

/// The recorded Coinbase `level2` snapshot of BTC-USD; 5 MB.
pub fn coinbase_snapshot() -> Vec<u8> {
    let snapshots = picked(COINBASE, |m| {
        m.contains(r#""channel":"l2_data""#) && m.contains(r#""type":"snapshot""#)
    });
    snapshots.into_iter().max_by_key(Vec::len).unwrap()
}

/// Kraken `book` changes, recorded in protocol v1 and written in v2.
pub fn kraken_updates() -> Vec<Vec<u8>> {
    let recorded = received("kraken/20210405_ws_book1000_10pairs");
    recorded
        .filter_map(|(_, text)| images::kraken_update(&text))
        .collect()
}

/// The first sixteen of `messages`: enough that no branch predictor knows them all, few enough to stay in
/// the cache.
pub fn rotation(mut messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    messages.truncate(16);
    messages
}

/// Sixteen of `messages`, evenly spread.
pub fn spread(messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let step = (messages.len() / 16).max(1);
    rotation(messages.into_iter().step_by(step).collect())
}

/// Sixteen images with the levels of `image` and numbers of their own.
pub fn unchanged(image: &[u8]) -> Vec<Vec<u8>> {
    let text = str::from_utf8(image).unwrap();
    let key = ["\"lastUpdateId\":", "\"microtimestamp\":\""];
    let at = key.map(|key| text.find(key).map(|at| at + key.len()));
    let (before, rest) = text.split_at(at[0].or(at[1]).unwrap());
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
    let (number, behind) = rest.split_at(digits);
    let number: u64 = number.parse().unwrap();
    let write = |i| format!("{before}{}{behind}", number + i).into_bytes();
    (0..16).map(write).collect()
}

/// The received messages of a recording that `wanted` picks, in order.
fn picked(recording: &str, wanted: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
    let texts = received(recording).map(|(_, text)| text);
    texts
        .filter(|m| wanted(m))
        .map(String::into_bytes)
        .collect()
}

/// The URL and the text of what was received in a recording.
fn received(recording: &str) -> impl Iterator<Item = (String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dragonfly-feeds/tests/captures");
    let records = capture::open(folder.join(recording).with_extension("jsonl.zst")).unwrap();
    let records = records.map(Result::unwrap);
    let received = records.filter(|record| record.direction == Direction::In);
    received.map(|record| (record.url.to_string(), record.msg))
}
