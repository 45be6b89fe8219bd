//! Messages made from recordings of other channels: images from recorded books, and protocol v2
//! from v1.

use std::collections::BTreeMap;

use dragonfly_core::market::{Price, Qty};
use serde_json::Value;

use super::{
    capture::{Line, received},
    json_text::Json,
};

/// A book kept the slow and obvious way.
#[derive(Default)]
pub(crate) struct SlowBook {
    bids: BTreeMap<Price, (String, String)>,
    asks: BTreeMap<Price, (String, String)>,
}

impl SlowBook {
    pub(crate) fn apply(&mut self, bids: &Value, asks: &Value) {
        for (side, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for level in levels.as_array().unwrap() {
                let text = |i: usize| level[i].as_str().unwrap().to_owned();
                let price = text(0).parse::<Price>().unwrap();
                if text(1).parse::<Qty>().unwrap().is_zero() {
                    side.remove(&price);
                } else {
                    side.insert(price, (text(0), text(1)));
                }
            }
        }
    }

    /// `"bids":[..],"asks":[..]` with the best `levels` of each.
    pub(crate) fn image(&self, levels: usize) -> String {
        let pair = |(p, q): &(String, String)| format!(r#"["{p}","{q}"]"#);
        let bids = self.bids.values().rev().take(levels).map(pair);
        let asks = self.asks.values().take(levels).map(pair);
        let [bids, asks] = [bids.collect::<Vec<_>>(), asks.collect()].map(|side| side.join(","));
        format!(r#""bids":[{bids}],"asks":[{asks}]"#)
    }
}

/// The `depth20` messages Binance would have sent where it sent `depth` ones.
pub(crate) fn binance_images() -> Vec<Line> {
    let mut books: BTreeMap<String, (SlowBook, u64)> = BTreeMap::new();
    let mut images = Vec::new();
    let mut early: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in received("binance/20211012_ws_4pairs") {
        let msg: Value = serde_json::from_str(&line.msg).unwrap();
        let symbol = if let Some((_, query)) = line.url.split_once("depth?symbol=") {
            let symbol = query.split('&').next().unwrap().to_owned();
            let mut book = SlowBook::default();
            book.apply(&msg["bids"], &msg["asks"]);
            let mut last = msg["lastUpdateId"].as_u64().unwrap();
            for change in early.remove(&symbol).unwrap_or_default() {
                if change["u"].as_u64().unwrap() > last {
                    book.apply(&change["b"], &change["a"]);
                    last = change["u"].as_u64().unwrap();
                }
            }
            books.insert(symbol.clone(), (book, last));
            symbol
        } else if msg["data"]["e"] == "depthUpdate" {
            let change = &msg["data"];
            let symbol = change["s"].as_str().unwrap().to_owned();
            let Some((book, last)) = books.get_mut(&symbol) else {
                early.entry(symbol).or_default().push(change.clone());
                continue;
            };
            if change["u"].as_u64().unwrap() <= *last {
                continue;
            }
            book.apply(&change["b"], &change["a"]);
            *last = change["u"].as_u64().unwrap();
            symbol
        } else {
            continue;
        };
        let (book, last) = &books[&symbol];
        let (stream, image) = (symbol.to_lowercase(), book.image(20));
        images.push(Line {
            msg: format!(
                r#"{{"stream":"{stream}@depth20@100ms","data":{{"lastUpdateId":{last},{image}}}}}"#
            ),
            ..line
        });
    }
    images
}

/// The `order_book` messages Bitstamp would have sent where it sent `diff_order_book` ones.
pub(crate) fn bitstamp_images() -> Vec<Line> {
    let mut books: BTreeMap<String, (SlowBook, u64)> = BTreeMap::new();
    let mut early: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut images = Vec::new();
    let micros = |v: &Value| {
        v["microtimestamp"]
            .as_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    for line in received("bitstamp/20220105_ws_10pairs") {
        let msg: Value = serde_json::from_str(&line.msg).unwrap();
        let pair = if let Some((_, pair)) = line.url.split_once("/order_book/") {
            let mut book = SlowBook::default();
            book.apply(&msg["bids"], &msg["asks"]);
            let mut last = micros(&msg);
            for change in early.remove(pair).unwrap_or_default() {
                if micros(&change) > last {
                    book.apply(&change["bids"], &change["asks"]);
                    last = micros(&change);
                }
            }
            books.insert(pair.to_owned(), (book, last));
            pair.to_owned()
        } else {
            let channel = msg["channel"].as_str().unwrap_or_default();
            let pair = channel.strip_prefix("diff_order_book_").map(str::to_owned);
            let Some(pair) = pair.filter(|_| msg["event"] == "data") else {
                continue;
            };
            let Some((book, last)) = books.get_mut(&pair) else {
                early.entry(pair).or_default().push(msg["data"].clone());
                continue;
            };
            if micros(&msg["data"]) <= *last {
                continue;
            }
            book.apply(&msg["data"]["bids"], &msg["data"]["asks"]);
            *last = micros(&msg["data"]);
            pair
        };
        let (book, last) = &books[&pair];
        let (seconds, image) = (last / 1_000_000, book.image(100));
        images.push(Line {
            msg: format!(
                r#"{{"data":{{"timestamp":"{seconds}","microtimestamp":"{last}",{image}}},"channel":"order_book_{pair}","event":"data"}}"#
            ),
            url: line.url,
            ts: line.ts,
        });
    }
    images
}

/// Kraken's recording of protocol v1 as messages of v2; the checksums carry over.
pub(crate) fn kraken_v2() -> Vec<Line> {
    let v1 = received("kraken/20210405_ws_book1000_10pairs");
    v1.into_iter().filter_map(kraken_message).collect()
}

fn kraken_message(line: Line) -> Option<Line> {
    let Json::Array(parts) = Json::read(&line.msg) else {
        let is_heartbeat = line.msg.contains("heartbeat");
        let msg = r#"{"channel":"heartbeat"}"#.to_owned();
        return is_heartbeat.then_some(Line { msg, ..line });
    };
    let Some(Json::Text(pair)) = parts.last() else {
        panic!("a book without pair: {}", line.msg);
    };
    let symbol = pair.replace("XBT", "BTC").replace("XDG", "DOGE");
    let (mut bids, mut asks, mut checksum, mut kind) = (None, None, String::new(), "update");
    for part in &parts {
        let Json::Object(fields) = part else { continue };
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("bs" | "as", _) => kind = "snapshot",
                ("c", Json::Text(sum)) => checksum = format!(r#","checksum":{sum}"#),
                _ => {}
            }
            match key.as_str() {
                "b" | "bs" => bids = Some(kraken_side(value)),
                "a" | "as" => asks = Some(kraken_side(value)),
                _ => {}
            }
        }
    }
    let (bids, asks) = (bids.unwrap_or_default(), asks.unwrap_or_default());
    let msg = format!(
        r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{bids}],"asks":[{asks}]{checksum},"timestamp":"2021-04-05T23:47:03.440295Z"}}]}}"#
    );
    Some(Line { msg, ..line })
}

fn kraken_side(levels: &Json) -> String {
    let Json::Array(levels) = levels else {
        panic!("a side is an array");
    };
    let level = |level: &Json| match level {
        Json::Array(parts) => match &parts[..2] {
            [Json::Text(price), Json::Text(qty)] => format!(r#"{{"price":{price},"qty":{qty}}}"#),
            _ => panic!("a level is two texts"),
        },
        _ => panic!("a level is an array"),
    };
    levels.iter().map(level).collect::<Vec<_>>().join(",")
}
