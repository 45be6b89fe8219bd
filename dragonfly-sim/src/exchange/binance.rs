//! Binance Spot: an image of the best levels of each subscribed stream every 100 ms, in the combined
//! framing.
//!
//! An image is sent whether or not anything has changed, as long as the instrument is traded.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{Conversation, Cx, Dialect, Step, Trick, pairs, texts};

pub(super) static DIALECT: Dialect = Dialect {
    name: "binance",
    quote: "USDT",
    path: "/stream",
    native: |base, quote| format!("{base}{quote}"),
    open: |_| Box::new(Binance::default()),
    is_uncounted: false,
    price_mark: "[[\"",
};

/// Time between two images, in ns.
const CADENCE: u64 = 100_000_000;
/// Messages a client may send in a second.
const BUDGET: usize = 5;

#[derive(Default)]
struct Binance {
    streams: Vec<Stream>,
    /// When the client's last messages came.
    heard: VecDeque<u64>,
    refuses: bool,
}

struct Stream {
    name: String,
    listing: Option<usize>,
    levels: usize,
    next_at: u64,
}

impl Conversation for Binance {
    fn on_text(&mut self, text: &str, cx: &mut Cx<'_>) {
        self.heard.push_back(cx.now);
        while self
            .heard
            .front()
            .is_some_and(|at| at + 1_000_000_000 <= cx.now)
        {
            self.heard.pop_front();
        }
        if self.heard.len() > BUDGET {
            cx.out.push(super::Frame {
                close: Some(1008),
                ..super::Frame::default()
            });
            return;
        }
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            cx.say(r#"{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}"#);
            return;
        };
        let id = &request["id"];
        if request["method"] == "SUBSCRIBE" && std::mem::take(&mut self.refuses) {
            let refusal = json!({"code": 2, "msg": "Invalid request: refused", "id": id});
            cx.say(refusal.to_string());
            return;
        }
        for name in texts(&request["params"]) {
            self.streams.retain(|stream| stream.name != name);
            if request["method"] == "SUBSCRIBE" {
                self.streams.push(stream(name, cx));
            }
        }
        cx.say(format!(r#"{{"result":null,"id":{id}}}"#));
    }

    fn on_market(&mut self, _listing: usize, _cx: &mut Cx<'_>) {}

    fn due(&self) -> Option<u64> {
        self.streams.iter().map(|stream| stream.next_at).min()
    }

    fn on_due(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now;
        for stream in self.streams.iter_mut().filter(|s| s.next_at <= now) {
            stream.next_at = now + CADENCE;
            let Some(listing) = stream.listing.filter(|listing| cx.is_served(*listing)) else {
                continue;
            };
            let Some(known) = cx.listing(listing) else {
                continue;
            };
            let (number, generation) = (known.number(), known.generation);
            let window = cx.window(listing, stream.levels);
            let scale = cx.scale(listing);
            let (bids, asks) = (pairs(&window.bids, scale), pairs(&window.asks, scale));
            let name = &stream.name;
            let text = format!(
                r#"{{"stream":"{name}","data":{{"lastUpdateId":{number},"bids":{bids},"asks":{asks}}}}}"#
            );
            cx.tell(text, listing, Step::Image(generation), number, &window);
        }
    }

    fn trick(&mut self, trick: Trick, _listing: usize, cx: &mut Cx<'_>) -> bool {
        match trick {
            Trick::AskToReconnect => {
                cx.say(r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#);
                true
            }
            Trick::Refuse => {
                self.refuses = true;
                true
            }
            // A recount is the listing's own; the others make no sense for images.
            Trick::Recount => true,
            Trick::SecondSnapshot | Trick::PartialSnapshot => false,
        }
    }
}

/// A stream such as `btcusdt@depth20@100ms`; one that is not known stays silent.
fn stream(name: &str, cx: &Cx<'_>) -> Stream {
    let mut parts = name.split('@');
    let symbol = parts.next().unwrap_or_default().to_ascii_uppercase();
    let levels = parts.next().and_then(|part| part.strip_prefix("depth"));
    let levels = levels.and_then(|levels| levels.parse().ok());
    Stream {
        name: name.to_owned(),
        listing: cx.find(&symbol).filter(|_| levels.is_some()),
        levels: levels.unwrap_or(0),
        next_at: cx.now + 1 + cx.now % CADENCE,
    }
}
