//! Bybit v5: a snapshot of each subscribed topic, then changes numbered by `u`.
//!
//! Levels that leave the topic's window are deleted by the venue. `u` = 1 says that its count has
//! begun again. A topic is counted from subscription to subscription. The topic of one level has
//! snapshots only, the same again after 3 s without a change.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Conversation, Cx, Demands, Dialect, Step, Trick, pairs};
use crate::market::{Window, changes};

pub(super) static DIALECT: Dialect = Dialect {
    name: "bybit",
    quote: "USDT",
    path: "/v5/public/spot",
    native: |base, quote| format!("{base}{quote}"),
    open: |connection| {
        Box::new(Bybit {
            connection,
            topics: Vec::new(),
            counts: BTreeMap::new(),
        })
    },
    has_path: |path| path == "/v5/public/spot",
    demands: Demands::NONE,
    is_uncounted: false,
    price_mark: "[[\"",
};

/// After so long without a change the one level is sent again, in ns.
const REPEAT: u64 = 3_000_000_000;
/// Topics that there are at the venue, of which nothing is said here.
const QUIET: [&str; 4] = [
    "orderbook.full.",
    "orderbook.rpi.",
    "publicTrade.",
    "tickers.",
];
const INTERVALS: [&str; 13] = [
    "1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D", "W", "M",
];

struct Bybit {
    connection: u64,
    topics: Vec<Topic>,
    /// How far the topics were counted whose subscriptions have ended, by listing.
    counts: BTreeMap<usize, u64>,
}

struct Topic {
    name: String,
    listing: usize,
    levels: usize,
    update: u64,
    /// Whether the snapshot has been sent.
    has_begun: bool,
    /// When anything was last sent, in ns.
    sent_at: u64,
    /// What the venue takes the client to have.
    sent: Window,
    /// What the client has, where that is something else.
    held: Option<Window>,
}

impl Conversation for Bybit {
    fn on_text(&mut self, text: &str, cx: &mut Cx<'_>) {
        let request = serde_json::from_str::<Value>(text).unwrap_or_default();
        match request["op"].as_str() {
            Some("ping") => self.reply(true, "pong", "ping", &Value::Null, cx),
            Some("subscribe") => self.subscribe(&request, cx),
            Some("unsubscribe") => {
                for name in super::texts(&request["args"]) {
                    self.forget(name);
                }
                self.reply(true, "", "unsubscribe", &request["req_id"], cx);
            }
            op => {
                let op = op.unwrap_or_default().to_owned();
                self.reply(
                    false,
                    "error:request not supported",
                    &op,
                    &request["req_id"],
                    cx,
                );
            }
        }
    }

    fn on_market(&mut self, listing: usize, cx: &mut Cx<'_>) {
        if !cx.is_served(listing) {
            return;
        }
        for topic in self
            .topics
            .iter_mut()
            .filter(|topic| topic.listing == listing)
        {
            topic.change(cx);
        }
    }

    fn due(&self) -> Option<u64> {
        let single = self.topics.iter().filter(|topic| topic.is_single());
        single.map(|topic| topic.sent_at + REPEAT).min()
    }

    fn on_due(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now;
        let is_due = |topic: &&mut Topic| topic.is_single() && topic.sent_at + REPEAT <= now;
        for topic in self.topics.iter_mut().filter(is_due) {
            topic.sent_at = now;
            if topic.has_begun && cx.is_served(topic.listing) {
                // The same number says that nothing has changed.
                if cx.window(topic.listing, topic.levels) == topic.sent {
                    topic.update -= 1;
                }
                topic.snapshot(usize::MAX, "snapshot", cx);
            }
        }
    }

    fn trick(&mut self, trick: Trick, listing: usize, cx: &mut Cx<'_>) -> bool {
        let Some(topic) = self
            .topics
            .iter_mut()
            .find(|topic| topic.listing == listing)
        else {
            return false;
        };
        if !cx.is_served(listing) {
            return false;
        }
        match trick {
            Trick::SecondSnapshot => topic.snapshot(usize::MAX, "snapshot", cx),
            Trick::PartialSnapshot => topic.snapshot(3, "snapshot", cx),
            Trick::Recount => {
                topic.update = 0;
                // Either type has been seen; the number decides.
                let kind = if cx.now.is_multiple_of(2) && !topic.is_single() {
                    "delta"
                } else {
                    "snapshot"
                };
                topic.snapshot(usize::MAX, kind, cx);
            }
            Trick::AskToReconnect => return false,
        }
        true
    }
}

impl Bybit {
    /// Ends a subscription.
    fn forget(&mut self, name: &str) {
        let counts = &mut self.counts;
        self.topics.retain(|topic| {
            if topic.name == name {
                counts.insert(topic.listing, topic.update);
            }
            topic.name != name
        });
    }

    fn subscribe(&mut self, request: &Value, cx: &mut Cx<'_>) {
        let (id, mut topics) = (&request["req_id"], Vec::new());
        for name in super::texts(&request["args"]) {
            if is_quiet(name, cx) {
                continue;
            }
            let is_taken = |of: &(usize, usize)| !cx.refuses(Some(of.1));
            let Some((levels, listing)) = topic(name, cx).filter(is_taken) else {
                let why = format!("error:handler not found,topic:{name}");
                return self.reply(false, &why, "subscribe", id, cx);
            };
            topics.push(Topic {
                name: name.to_owned(),
                listing,
                levels,
                update: cx.listing(listing).map_or(0, super::Listing::number),
                has_begun: false,
                sent_at: cx.now,
                sent: Window::default(),
                held: None,
            });
        }
        self.reply(true, "subscribe", "subscribe", id, cx);
        for mut topic in topics {
            self.forget(&topic.name);
            let counted = self.counts.get(&topic.listing).copied().unwrap_or(0);
            topic.update = topic.update.max(counted);
            if cx.is_served(topic.listing) {
                topic.snapshot(usize::MAX, "snapshot", cx);
            }
            self.topics.push(topic);
        }
    }

    fn reply(&self, success: bool, message: &str, op: &str, id: &Value, cx: &mut Cx<'_>) {
        let id = match id {
            Value::Null => String::new(),
            id => format!(r#""req_id":{id},"#),
        };
        let (message, op) = (Value::from(message), Value::from(op));
        let connection = self.connection;
        cx.say(
            format!(r#"{{"success":{success},"ret_msg":{message},"conn_id":"{connection:08x}","#)
                + &format!(r#"{id}"op":{op}}}"#),
        );
    }
}

impl Topic {
    /// Whether it is the topic of one level.
    const fn is_single(&self) -> bool {
        self.levels == 1
    }

    /// Sends the whole window, or the best `part` levels of it as if they were all.
    fn snapshot(&mut self, part: usize, kind: &str, cx: &mut Cx<'_>) {
        self.update += 1;
        (self.has_begun, self.sent_at) = (true, cx.now);
        self.sent = cx.window(self.listing, self.levels);
        let mut shown = self.sent.clone();
        shown.bids.truncate(part);
        shown.asks.truncate(part);
        let text = self.text(kind, &shown, cx);
        cx.tell(text, self.listing, Step::Snapshot, self.update, &shown);
        self.held = (shown != self.sent).then_some(shown);
    }

    fn change(&mut self, cx: &mut Cx<'_>) {
        if !self.has_begun {
            return self.snapshot(usize::MAX, "snapshot", cx);
        }
        let now = cx.window(self.listing, self.levels);
        let change = Window {
            bids: changes(&self.sent.bids, &now.bids, true),
            asks: changes(&self.sent.asks, &now.asks, false),
        };
        if change == Window::default() {
            return;
        }
        if self.is_single() {
            return self.snapshot(usize::MAX, "snapshot", cx);
        }
        self.update += 1;
        self.sent = now;
        if let Some(held) = &mut self.held {
            held.apply(true, &change.bids, self.levels);
            held.apply(false, &change.asks, self.levels);
        }
        let text = self.text("delta", &change, cx);
        let held = self.held.as_ref().unwrap_or(&self.sent);
        cx.tell(text, self.listing, Step::Change, self.update, held);
    }

    fn text(&self, kind: &str, window: &Window, cx: &Cx<'_>) -> String {
        let scale = cx.scale(self.listing);
        let (bids, asks) = (pairs(&window.bids, scale), pairs(&window.asks, scale));
        let symbol = cx.listing(self.listing).map_or("", |l| l.native.as_str());
        let (name, update, millis) = (&self.name, self.update, cx.utc / 1_000_000);
        format!(
            r#"{{"topic":"{name}","ts":{millis},"type":"{kind}","data":{{"s":"{symbol}","b":{bids},"a":{asks},"u":{update},"seq":{millis}}},"cts":{millis}}}"#
        )
    }
}

/// The levels and the listing of `orderbook.<levels>.<symbol>`.
fn topic(name: &str, cx: &Cx<'_>) -> Option<(usize, usize)> {
    let (levels, symbol) = name.strip_prefix("orderbook.")?.split_once('.')?;
    let levels = levels.parse().ok()?;
    [1, 50, 200, 1000].contains(&levels).then_some(())?;
    Some((levels, cx.find(symbol)?))
}

/// Whether it is a topic of a symbol that is traded, of which nothing is said.
fn is_quiet(name: &str, cx: &Cx<'_>) -> bool {
    let symbol = QUIET.iter().find_map(|kind| name.strip_prefix(kind));
    let candle = || {
        let (interval, symbol) = name.strip_prefix("kline.")?.split_once('.')?;
        INTERVALS.contains(&interval).then_some(symbol)
    };
    let symbol = symbol.or_else(candle);
    symbol.is_some_and(|symbol| cx.find(symbol).is_some())
}
