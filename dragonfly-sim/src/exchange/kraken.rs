//! Kraken Spot, protocol v2: a snapshot of the subscribed depth, then changes, each with the CRC-32
//! of the best ten levels a side; nothing is numbered.
//!
//! A level that falls out of the subscribed depth is not deleted: the client has to cut its book.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Conversation, Cx, Demands, Dialect, Step, Trick, texts, write_levels};
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
            quiet: BTreeSet::new(),
            spoke_at: 0,
        })
    },
    has_path: |path| path == "/v2",
    demands: Demands {
        idle: Some(60_000_000_000),
        ..Demands::NONE
    },
    is_uncounted: true,
    price_mark: "\"price\":",
};

const SECOND: u64 = 1_000_000_000;
const DEPTHS: [u64; 5] = [10, 25, 100, 500, 1000];
/// Channels that there are at the venue, of which nothing is said here.
const QUIET: [&str; 4] = ["instrument", "ohlc", "ticker", "trade"];

struct Kraken {
    connection: u64,
    books: Vec<Book>,
    /// What was subscribed beside books: channels and symbols of which nothing is ever said.
    quiet: BTreeSet<(String, String)>,
    /// When anything was last sent.
    spoke_at: u64,
}

struct Book {
    listing: usize,
    depth: usize,
    has_begun: bool,
    sent: Window,
}

impl Conversation for Kraken {
    fn has_subscription(&self) -> bool {
        !self.books.is_empty() || !self.quiet.is_empty()
    }

    fn on_open(&mut self, cx: &mut Cx<'_>) {
        let id = self.connection;
        cx.say(format!(
            r#"{{"channel":"status","type":"update","data":[{{"version":"2.0.0","system":"online","api_version":"v2","connection_id":{id}}}]}}"#
        ));
    }

    fn on_text(&mut self, text: &str, cx: &mut Cx<'_>) {
        let request = serde_json::from_str::<Value>(text).unwrap_or_default();
        match Request::read(&request) {
            None => malformed(&request, cx),
            Some(request) => match request.method {
                "ping" => request.pong(cx),
                "subscribe" | "unsubscribe" => self.order(&request, cx),
                _ => request.refuse(None, "Method not supported", cx),
            },
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
        self.has_subscription().then_some(self.spoke_at + SECOND)
    }

    fn on_due(&mut self, cx: &mut Cx<'_>) {
        if self.spoke_at + SECOND <= cx.now {
            self.spoke_at = cx.now;
            cx.say(r#"{"channel":"heartbeat"}"#);
        }
    }

    fn trick(&mut self, trick: Trick, listing: usize, cx: &mut Cx<'_>) -> bool {
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
    fn order(&mut self, request: &Request<'_>, cx: &mut Cx<'_>) {
        let is_subscription = request.method == "subscribe";
        let (channel, symbols) = (request.channel, request.symbols.as_slice());
        match (channel, symbols) {
            ("book", [_, ..]) if is_subscription => self.subscribe(request, cx),
            ("book", [_, ..]) => {
                for symbol in symbols {
                    self.unsubscribe(symbol, request, cx);
                }
            }
            ("instrument", _) => self.keep_quiet("", request, cx),
            _ if !QUIET.contains(&channel) && channel != "book" => {
                request.refuse(None, "Channel not supported", cx);
            }
            (_, []) => request.refuse(None, "Malformed request", cx),
            _ => {
                for symbol in symbols {
                    self.keep_quiet(symbol, request, cx);
                }
            }
        }
    }

    /// One answer a symbol, then the books of those that were accepted.
    fn subscribe(&mut self, request: &Request<'_>, cx: &mut Cx<'_>) {
        let mut fresh = Vec::new();
        for symbol in &request.symbols {
            let listing = cx.find(symbol);
            let is_held = |book: &Book| Some(book.listing) == listing;
            let depth = usize::try_from(request.depth).unwrap_or(0);
            match listing {
                _ if cx.refuses(listing) => {
                    request.refuse(Some(symbol), "Internal error", cx);
                }
                _ if !DEPTHS.contains(&request.depth) => {
                    request.refuse(Some(symbol), "Subscription depth not supported", cx);
                }
                _ if self.books.iter().any(is_held) => {
                    request.refuse(Some(symbol), "Already subscribed", cx);
                }
                None => request.refuse_pair(symbol, cx),
                Some(listing) => {
                    fresh.push(Book {
                        listing,
                        depth,
                        has_begun: false,
                        sent: Window::default(),
                    });
                    request.accept(symbol, cx);
                }
            }
        }
        for mut book in fresh {
            if !request.has_snapshot {
                // The client has to know the book from elsewhere.
                book.has_begun = true;
                book.sent = cx.window(book.listing, book.depth);
            } else if cx.is_served(book.listing) {
                book.snapshot(usize::MAX, cx);
            }
            self.books.push(book);
        }
    }

    fn unsubscribe(&mut self, symbol: &str, request: &Request<'_>, cx: &mut Cx<'_>) {
        let is_it = |l: &super::Listing| l.native == symbol || l.symbol() == symbol;
        let listing = cx.listings.iter().position(is_it);
        let is_meant = |book: &Book| {
            Some(book.listing) == listing && usize::try_from(request.depth) == Ok(book.depth)
        };
        let before = self.books.len();
        self.books.retain(|book| !is_meant(book));
        if self.books.len() < before {
            request.accept(symbol, cx);
        } else {
            request.refuse(Some(symbol), "Subscription Not Found", cx);
        }
    }

    /// Begins or ends a subscription of which nothing is said.
    fn keep_quiet(&mut self, symbol: &str, request: &Request<'_>, cx: &mut Cx<'_>) {
        let key = (request.channel.to_owned(), symbol.to_owned());
        let named = Some(symbol).filter(|symbol| !symbol.is_empty());
        if request.method == "unsubscribe" {
            if self.quiet.remove(&key) {
                request.accept(symbol, cx);
            } else {
                request.refuse(named, "Subscription Not Found", cx);
            }
        } else if named.is_some() && cx.find(symbol).is_none() {
            request.refuse_pair(symbol, cx);
        } else if self.quiet.insert(key) {
            request.accept(symbol, cx);
        } else {
            request.refuse(named, "Already subscribed", cx);
        }
    }
}

/// Answers what cannot be read as a request, by what of it can.
fn malformed(request: &Value, cx: &mut Cx<'_>) {
    let mut answer = json!({"error": "Malformed request"});
    for key in ["method", "req_id"] {
        if let Some(value) = request.get(key) {
            answer[key] = value.clone();
            answer["success"] = false.into();
        }
    }
    cx.say(answer.to_string());
}

/// What a client asks for.
struct Request<'a> {
    method: &'a str,
    channel: &'a str,
    symbols: Vec<&'a str>,
    depth: u64,
    has_snapshot: bool,
    id: Option<&'a Value>,
}

impl<'a> Request<'a> {
    /// `None` for what has another form than a request has.
    fn read(request: &'a Value) -> Option<Self> {
        let params = &request["params"];
        let method = request["method"].as_str()?;
        let symbols = match &params["symbol"] {
            Value::Null => Vec::new(),
            Value::Array(all) => {
                let symbols = texts(&params["symbol"]);
                (symbols.len() == all.len()).then_some(symbols)?
            }
            _ => return None,
        };
        let depth = match &params["depth"] {
            Value::Null => 10,
            depth => depth.as_u64()?,
        };
        let has_snapshot = match &params["snapshot"] {
            Value::Null => true,
            snapshot => snapshot.as_bool()?,
        };
        Some(Self {
            method,
            channel: params["channel"].as_str().unwrap_or_default(),
            symbols,
            depth,
            has_snapshot,
            id: request.get("req_id").filter(|id| !id.is_null()),
        })
    }

    fn pong(&self, cx: &mut Cx<'_>) {
        self.answer(json!({"method": "pong"}), cx);
    }

    fn accept(&self, symbol: &str, cx: &mut Cx<'_>) {
        let mut result = json!({"channel": self.channel});
        if !symbol.is_empty() {
            result["symbol"] = symbol.into();
        }
        if self.channel == "book" {
            result["depth"] = self.depth.into();
        }
        result["snapshot"] = self.has_snapshot.into();
        let answer = json!({"method": self.method, "success": true, "result": result});
        self.answer(answer, cx);
    }

    fn refuse_pair(&self, symbol: &str, cx: &mut Cx<'_>) {
        let why = format!("Currency pair not supported {symbol}");
        self.refuse(Some(symbol), &why, cx);
    }

    fn refuse(&self, symbol: Option<&str>, why: &str, cx: &mut Cx<'_>) {
        let mut answer = json!({"error": why, "method": self.method, "success": false});
        if let Some(symbol) = symbol {
            answer["symbol"] = symbol.into();
        }
        self.answer(answer, cx);
    }

    /// Says it with the times and the id of the request, if it had one.
    fn answer(&self, mut answer: Value, cx: &mut Cx<'_>) {
        let time = rfc3339::text(cx.utc);
        answer["time_in"] = time.clone().into();
        answer["time_out"] = time.into();
        if let Some(id) = self.id {
            answer["req_id"] = id.clone();
        }
        cx.say(answer.to_string());
    }
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
