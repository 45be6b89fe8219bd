//! Messages of channels nobody has recorded, made of recordings of others: images of the books that
//! recorded changes add up to, and Kraken's protocol v2 out of v1.

use std::collections::BTreeMap;

use dragonfly_core::market::{Price, Qty};
use serde_json::Value;

/// Price and quantity as the venue wrote them.
type Texts = (String, String);

/// A book kept the slow and obvious way.
#[derive(Default)]
struct Book {
    sides: [BTreeMap<Price, Texts>; 2],
    last: u64,
}

impl Book {
    fn apply(&mut self, bids: &Value, asks: &Value) {
        for (side, levels) in self.sides.iter_mut().zip([bids, asks]) {
            for level in levels.as_array().unwrap() {
                let [price, qty] = [0, 1].map(|i: usize| level[i].as_str().unwrap().to_owned());
                let key = price.parse::<Price>().unwrap();
                if qty.parse::<Qty>().unwrap().is_zero() {
                    side.remove(&key);
                } else {
                    side.insert(key, (price, qty));
                }
            }
        }
    }

    /// The best `levels` bids and asks.
    fn best(&self, levels: usize) -> [String; 2] {
        let pairs = |levels: Vec<&Texts>| {
            let pair = levels.iter().map(|(p, q)| format!(r#"["{p}","{q}"]"#));
            pair.collect::<Vec<_>>().join(",")
        };
        let [bids, asks] = &self.sides;
        [
            pairs(bids.values().rev().take(levels).collect()),
            pairs(asks.values().take(levels).collect()),
        ]
    }

    /// `"bids":[..],"asks":[..]` with the best `levels` of each.
    fn image(&self, levels: usize) -> String {
        let [bids, asks] = self.best(levels);
        format!(r#""bids":[{bids}],"asks":[{asks}]"#)
    }
}

/// The books of a recording.
#[derive(Default)]
struct Books {
    books: BTreeMap<String, Book>,
    images: Vec<Vec<u8>>,
    /// The ten best levels of the image that was last kept of each book.
    tops: BTreeMap<String, [String; 2]>,
}

impl Books {
    fn start(&mut self, symbol: &str, snapshot: &Value, last: u64) {
        let mut book = Book {
            last,
            ..Book::default()
        };
        book.apply(&snapshot["bids"], &snapshot["asks"]);
        self.books.insert(symbol.to_owned(), book);
    }

    /// Applies a change and keeps what `write` makes of the book, if its ten best levels are others on
    /// both sides than in the image that was kept before: nothing is to be gained by remembering it.
    fn change(
        &mut self,
        symbol: &str,
        [bids, asks]: [&Value; 2],
        last: u64,
        write: impl Fn(&Book) -> String,
    ) {
        let Some(book) = self.books.get_mut(symbol).filter(|book| book.last < last) else {
            return;
        };
        book.apply(bids, asks);
        book.last = last;
        let top = book.best(10);
        let last = self.tops.entry(symbol.to_owned()).or_default();
        if last[0] != top[0] && last[1] != top[1] {
            *last = top;
            self.images.push(write(book).into_bytes());
        }
    }
}

/// The `depth20` images Binance would have sent where it sent changes, given the URLs and texts of
/// the recording; only those whose top 10 differs on both sides from that of the image before.
pub fn binance_depth20(recorded: impl Iterator<Item = (String, String)>) -> Vec<Vec<u8>> {
    let mut books = Books::default();
    for (url, text) in recorded {
        let msg: Value = serde_json::from_str(&text).unwrap();
        if let Some((_, query)) = url.split_once("depth?symbol=") {
            let symbol = query.split('&').next().unwrap();
            books.start(symbol, &msg, msg["lastUpdateId"].as_u64().unwrap());
        } else if msg["data"]["e"] == "depthUpdate" {
            let (change, symbol) = (&msg["data"], msg["data"]["s"].as_str().unwrap());
            let last = change["u"].as_u64().unwrap();
            books.change(symbol, [&change["b"], &change["a"]], last, |book| {
                let (stream, image) = (symbol.to_lowercase(), book.image(20));
                format!(
                    r#"{{"stream":"{stream}@depth20@100ms","data":{{"lastUpdateId":{last},{image}}}}}"#
                )
            });
        }
    }
    books.images
}

/// The `order_book` images Bitstamp would have sent where it sent changes, likewise; of books of at
/// least 100 levels a side.
pub fn bitstamp_100(recorded: impl Iterator<Item = (String, String)>) -> Vec<Vec<u8>> {
    let mut books = Books::default();
    let micros = |v: &Value| {
        let text = v["microtimestamp"].as_str().unwrap();
        text.parse::<u64>().unwrap()
    };
    for (url, text) in recorded {
        let msg: Value = serde_json::from_str(&text).unwrap();
        if let Some((_, pair)) = url.split_once("/order_book/") {
            books.start(pair, &msg, micros(&msg));
            continue;
        }
        let channel = msg["channel"].as_str().unwrap_or_default();
        let pair = channel.strip_prefix("diff_order_book_");
        let Some(pair) = pair.filter(|_| msg["event"] == "data") else {
            continue;
        };
        let (change, last) = (&msg["data"], micros(&msg["data"]));
        books.change(pair, [&change["bids"], &change["asks"]], last, |book| {
            let (seconds, image) = (last / 1_000_000, book.image(100));
            format!(
                r#"{{"data":{{"timestamp":"{seconds}","microtimestamp":"{last}",{image}}},"channel":"order_book_{pair}","event":"data"}}"#
            )
        });
    }
    let is_deep = |m: &Vec<u8>| m.iter().filter(|b| **b == b'[').count() == 202;
    books.images.into_iter().filter(is_deep).collect()
}

/// A change of Kraken's protocol v1 as a message of v2; `None` for everything else.
pub fn kraken_update(text: &str) -> Option<Vec<u8>> {
    let msg: Value = serde_json::from_str(text).ok()?;
    let parts = msg.as_array()?;
    let symbol = parts.last()?.as_str()?.replace("XBT", "BTC");
    let (mut sides, mut checksum) = ([String::new(), String::new()], None);
    for fields in parts.iter().filter_map(Value::as_object) {
        for (key, value) in fields {
            match key.as_str() {
                "b" => sides[0] = kraken_side(value),
                "a" => sides[1] = kraken_side(value),
                "c" => checksum = value.as_str(),
                _ => return None,
            }
        }
    }
    let ([bids, asks], checksum) = (sides, checksum?);
    Some(
        format!(
            r#"{{"channel":"book","type":"update","data":[{{"symbol":"{symbol}","bids":[{bids}],"asks":[{asks}],"checksum":{checksum},"timestamp":"2021-04-05T23:47:03.440295Z"}}]}}"#
        )
        .into_bytes(),
    )
}

fn kraken_side(levels: &Value) -> String {
    let levels = levels.as_array().unwrap().iter().map(|level| {
        let [price, qty] = [0, 1].map(|i: usize| level[i].as_str().unwrap());
        format!(r#"{{"price":{price},"qty":{qty}}}"#)
    });
    levels.collect::<Vec<_>>().join(",")
}
