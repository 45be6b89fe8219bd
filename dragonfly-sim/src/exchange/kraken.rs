//! Kraken Spot, protocol v2: a snapshot of the subscribed depth, then changes, each with the CRC-32
//! of the best ten levels a side; nothing is numbered.
//!
//! A level that falls out of the subscribed depth is not deleted: the client has to cut its book.

use serde_json::{Value, json};

use super::{Conversation, Cx, Dialect, Step, Trick, texts, write_levels};
use crate::{
    market::{Level, Scale, Window, changes, wire},
    rfc3339,
};

pub(super) static DIALECT: Dialect = Dialect {
    name: "kraken",
    quote: "USD",
    path: "/v2",
    native: |base, quote| format!("{base}/{quote}"),
    open: |connection| {
        Box::new(Kraken {
            connection,
            books: Vec::new(),
            spoke_at: 0,
            refuses: false,
        })
    },
    is_uncounted: true,
    price_mark: "\"price\":",
};

const SECOND: u64 = 1_000_000_000;
const DEPTHS: [usize; 5] = [10, 25, 100, 500, 1000];

struct Kraken {
    connection: u64,
    books: Vec<Book>,
    /// When anything was last sent.
    spoke_at: u64,
    refuses: bool,
}

struct Book {
    listing: usize,
    depth: usize,
    has_begun: bool,
    sent: Window,
}

impl Conversation for Kraken {
    fn on_open(&mut self, cx: &mut Cx<'_>) {
        let id = self.connection;
        cx.say(format!(
            r#"{{"channel":"status","type":"update","data":[{{"version":"2.0.0","system":"online","api_version":"v2","connection_id":{id}}}]}}"#
        ));
    }

    fn on_text(&mut self, text: &str, cx: &mut Cx<'_>) {
        let request = serde_json::from_str::<Value>(text).unwrap_or_default();
        let params = &request["params"];
        let depth = params["depth"].as_u64().unwrap_or(10);
        let depth = usize::try_from(depth).unwrap_or(0);
        let symbols = texts(&params["symbol"]);
        match request["method"].as_str() {
            Some("ping") => {
                let time = rfc3339::text(cx.utc);
                cx.say(format!(
                    r#"{{"method":"pong","time_in":"{time}","time_out":"{time}"}}"#
                ));
            }
            Some("subscribe") if params["channel"] == "book" => {
                self.subscribe(&symbols, depth, cx);
            }
            Some("unsubscribe") => {
                for symbol in symbols {
                    self.unsubscribe(symbol, depth, cx);
                }
            }
            _ => cx.say(r#"{"error":"Malformed request"}"#),
        }
        self.spoke_at = cx.now;
    }

    fn on_market(&mut self, listing: usize, cx: &mut Cx<'_>) {
        if !cx.is_served(listing) {
            return;
        }
        if let Some(book) = self.books.iter_mut().find(|book| book.listing == listing)
            && book.change(cx)
        {
            self.spoke_at = cx.now;
        }
    }

    fn due(&self) -> Option<u64> {
        (!self.books.is_empty()).then_some(self.spoke_at + SECOND)
    }

    fn on_due(&mut self, cx: &mut Cx<'_>) {
        if self.spoke_at + SECOND <= cx.now {
            self.spoke_at = cx.now;
            cx.say(r#"{"channel":"heartbeat"}"#);
        }
    }

    fn trick(&mut self, trick: Trick, listing: usize, cx: &mut Cx<'_>) -> bool {
        if trick == Trick::Refuse {
            self.refuses = true;
            return true;
        }
        let book = self.books.iter_mut().find(|book| book.listing == listing);
        let Some(book) = book.filter(|_| cx.is_served(listing)) else {
            return false;
        };
        match trick {
            Trick::SecondSnapshot => book.snapshot(usize::MAX, cx),
            Trick::PartialSnapshot => book.snapshot(3, cx),
            _ => return false,
        }
        true
    }
}

impl Kraken {
    /// One answer a symbol, then the books of those that were accepted.
    fn subscribe(&mut self, symbols: &[&str], depth: usize, cx: &mut Cx<'_>) {
        let mut fresh = Vec::new();
        for symbol in symbols {
            let listing = cx.find(symbol);
            let is_held = |book: &Book| Some(book.listing) == listing;
            let refusal = match listing {
                _ if std::mem::take(&mut self.refuses) => Some("Internal error"),
                _ if !DEPTHS.contains(&depth) => Some("Subscription depth not supported"),
                _ if self.books.iter().any(is_held) => Some("Already subscribed"),
                None => Some("Currency pair not supported"),
                Some(listing) => {
                    fresh.push(Book {
                        listing,
                        depth,
                        has_begun: false,
                        sent: Window::default(),
                    });
                    None
                }
            };
            answer("subscribe", symbol, depth, refusal, cx);
        }
        for mut book in fresh {
            if cx.is_served(book.listing) {
                book.snapshot(usize::MAX, cx);
            }
            self.books.push(book);
        }
    }

    fn unsubscribe(&mut self, symbol: &str, depth: usize, cx: &mut Cx<'_>) {
        let listing = cx.listings.iter().position(|l| l.native == symbol);
        let before = self.books.len();
        self.books.retain(|book| Some(book.listing) != listing);
        let is_gone = self.books.len() < before;
        let refusal = (!is_gone).then_some("Subscription Not Found");
        answer("unsubscribe", symbol, depth, refusal, cx);
    }
}

fn answer(method: &str, symbol: &str, depth: usize, refusal: Option<&str>, cx: &mut Cx<'_>) {
    let time = rfc3339::text(cx.utc);
    let text = match refusal {
        Some(why) => json!({
            "error": why, "method": method, "success": false, "symbol": symbol,
            "time_in": time, "time_out": time,
        }),
        None => json!({
            "method": method, "success": true, "time_in": time, "time_out": time,
            "result": {"channel": "book", "symbol": symbol, "depth": depth, "snapshot": true},
        }),
    };
    cx.say(text.to_string());
}

impl Book {
    /// Sends the whole book, or the best `part` levels of it under the checksum of all.
    fn snapshot(&mut self, part: usize, cx: &mut Cx<'_>) {
        self.has_begun = true;
        self.sent = cx.window(self.listing, self.depth);
        let mut shown = self.sent.clone();
        shown.bids.truncate(part);
        shown.asks.truncate(part);
        let text = self.text("snapshot", &shown, cx);
        cx.tell(text, self.listing, Step::Snapshot, 0, &self.sent);
    }

    fn change(&mut self, cx: &mut Cx<'_>) -> bool {
        if !self.has_begun {
            self.snapshot(usize::MAX, cx);
            return true;
        }
        let now = cx.window(self.listing, self.depth);
        let mut change = Window {
            bids: changes(&self.sent.bids, &now.bids, true),
            asks: changes(&self.sent.asks, &now.asks, false),
        };
        if let Some(listing) = cx.listing(self.listing) {
            // What only fell out of the depth is not spoken of.
            change
                .bids
                .retain(|l| l.1 > 0 || !listing.market.has(true, l.0));
            change
                .asks
                .retain(|l| l.1 > 0 || !listing.market.has(false, l.0));
        }
        if change == Window::default() {
            return false;
        }
        self.sent = now;
        let text = self.text("update", &change, cx);
        cx.tell(text, self.listing, Step::Change, 0, &self.sent);
        true
    }

    fn text(&self, kind: &str, shown: &Window, cx: &Cx<'_>) -> String {
        let scale = cx.scale(self.listing);
        let symbol = cx.listing(self.listing).map_or("", |l| l.native.as_str());
        let around = [r#"{"price":"#, r#","qty":"#, "}"];
        let bids = write_levels(&shown.bids, scale, around);
        let asks = write_levels(&shown.asks, scale, around);
        let (sum, time) = (checksum(&self.sent, scale), rfc3339::text(cx.utc));
        format!(
            r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":{bids},"asks":{asks},"checksum":{sum},"timestamp":"{time}"}}]}}"#
        )
    }
}

/// The CRC-32 of the digits of the best ten asks, then of the best ten bids.
fn checksum(book: &Window, scale: Scale) -> u32 {
    let mut sum = !0_u32;
    for level in book.asks.iter().take(10).chain(book.bids.iter().take(10)) {
        for digits in digits(*level, scale) {
            for byte in digits.bytes() {
                sum = (0..8).fold(sum ^ u32::from(byte), |sum, _| {
                    (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
                });
            }
        }
    }
    !sum
}

/// Price and quantity without points and leading zeros.
fn digits((price, lots): Level, scale: Scale) -> [String; 2] {
    [(price, scale.price), (lots, scale.qty)].map(|(value, decimals)| {
        let mut text = String::new();
        wire(value, decimals, &mut text);
        text.retain(|c| c != '.');
        text.trim_start_matches('0').to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_the_venues_guide() {
        let asks = [
            (452_852, 100_000),
            (452_864, 154_571_953),
            (452_866, 154_571_109),
            (452_896, 154_560_911),
            (452_902, 15_890_660),
            (452_918, 154_553_491),
            (452_947, 4_454_749),
            (452_961, 35_380_000),
            (452_975, 9_945_542),
            (452_995, 18_772_827),
        ];
        let bids = [
            (452_835, 10_000_000),
            (452_834, 154_582_015),
            (452_821, 10_000_000),
            (452_810, 10_000_000),
            (452_803, 154_592_586),
            (452_790, 7_990_000),
            (452_776, 3_310_103),
            (452_775, 30_000_000),
            (452_773, 154_602_737),
            (452_766, 15_445_238),
        ];
        let book = Window {
            bids: bids.to_vec(),
            asks: asks.to_vec(),
        };
        assert_eq!(checksum(&book, Scale { price: 1, qty: 8 }), 3_310_070_434);
    }
}
