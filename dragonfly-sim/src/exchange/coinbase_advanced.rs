//! Coinbase Advanced Trade: the whole book of each product, then every change; all messages of a
//! connection are numbered, acknowledgements and heartbeats too.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Conversation, Cx, Demands, Dialect, Frame, Step, Trick, texts};
use crate::{
    market::{Level, Scale, Window, changes, wire},
    rfc3339,
};

pub(super) static DIALECT: Dialect = Dialect {
    name: "coinbase-advanced",
    quote: "USD",
    path: "/",
    native: |base, quote| format!("{base}-{quote}"),
    open: |connection| {
        Box::new(Coinbase {
            connection,
            sequence: 0,
            products: Vec::new(),
            quiet: BTreeMap::new(),
            beat_at: None,
            beats: 0,
        })
    },
    has_path: |path| path == "/",
    demands: Demands {
        subscribe_within: Some(5_000_000_000),
        ..Demands::NONE
    },
    is_uncounted: false,
    price_mark: "\"price_level\":\"",
};

const SECOND: u64 = 1_000_000_000;
/// Channels that there are at the venue, of which nothing is said here.
const QUIET: [&str; 5] = [
    "candles",
    "market_trades",
    "status",
    "ticker",
    "ticker_batch",
];

struct Coinbase {
    connection: u64,
    sequence: u64,
    products: Vec<Product>,
    /// What was subscribed of the channels of which nothing is said.
    quiet: BTreeMap<String, BTreeSet<String>>,
    beat_at: Option<u64>,
    beats: u64,
}

struct Product {
    listing: usize,
    has_begun: bool,
    /// What the venue takes the client to have.
    sent: Window,
    /// What the client has, where that is something else.
    held: Option<Window>,
}

impl Conversation for Coinbase {
    fn has_subscription(&self) -> bool {
        let is_quiet = self.quiet.values().all(BTreeSet::is_empty);
        !self.products.is_empty() || self.beat_at.is_some() || !is_quiet
    }

    fn on_text(&mut self, text: &str, cx: &mut Cx<'_>) {
        let request = serde_json::from_str::<Value>(text).unwrap_or_default();
        let channel = request["channel"].as_str().unwrap_or_default();
        let kind = request["type"].as_str().unwrap_or_default();
        let ids = texts(&request["product_ids"]);
        match (kind, channel) {
            ("subscribe", "heartbeats") => {
                self.beat_at.get_or_insert(cx.now + SECOND);
                self.list(cx);
            }
            ("subscribe", "level2") => self.subscribe(&ids, cx),
            ("unsubscribe", "level2") => {
                self.products.retain(|product| {
                    let is_named = |l: &super::Listing| {
                        ids.iter().any(|id| *id == l.native || *id == l.symbol())
                    };
                    !cx.listing(product.listing).is_some_and(is_named)
                });
                self.list(cx);
            }
            ("unsubscribe", "heartbeats") => {
                self.beat_at = None;
                self.list(cx);
            }
            ("subscribe", channel) if QUIET.contains(&channel) => {
                self.keep_quiet(channel, &ids, cx);
            }
            ("unsubscribe", channel) if QUIET.contains(&channel) => {
                if let Some(quiet) = self.quiet.get_mut(channel) {
                    quiet.retain(|id| !ids.is_empty() && !ids.contains(&id.as_str()));
                }
                self.list(cx);
            }
            _ => cx.say(r#"{"type":"error","message":"invalid message"}"#),
        }
    }

    fn on_market(&mut self, listing: usize, cx: &mut Cx<'_>) {
        let Some(at) = self.products.iter().position(|p| p.listing == listing) else {
            return;
        };
        if !cx.is_served(listing) {
            return;
        }
        if !self.products[at].has_begun {
            return self.snapshots(&[at], usize::MAX, cx);
        }
        let now = cx.window(listing, usize::MAX);
        let product = &mut self.products[at];
        let change = Window {
            bids: changes(&product.sent.bids, &now.bids, true),
            asks: changes(&product.sent.asks, &now.asks, false),
        };
        if change == Window::default() {
            return;
        }
        product.sent = now;
        if let Some(held) = &mut product.held {
            held.apply(true, &change.bids, usize::MAX);
            held.apply(false, &change.asks, usize::MAX);
        }
        let held = product.held.clone().unwrap_or_else(|| product.sent.clone());
        let text = event("update", listing, &change, cx);
        self.send(&[text], vec![(listing, Step::Change, held)], cx);
    }

    fn due(&self) -> Option<u64> {
        self.beat_at
    }

    fn on_due(&mut self, cx: &mut Cx<'_>) {
        if self.beat_at.is_none_or(|at| at > cx.now) {
            return;
        }
        self.beat_at = Some(cx.now + SECOND);
        self.beats += 1;
        let (time, beats) = (rfc3339::text(cx.utc), self.beats);
        let number = self.next();
        cx.say(format!(
            r#"{{"channel":"heartbeats","timestamp":"{time}","sequence_num":{number},"events":[{{"current_time":"{time}","heartbeat_counter":{beats}}}]}}"#
        ));
    }

    fn trick(&mut self, trick: Trick, listing: usize, cx: &mut Cx<'_>) -> bool {
        let at = self.products.iter().position(|p| p.listing == listing);
        let at = at.filter(|_| cx.is_served(listing));
        match (trick, at) {
            (Trick::Recount, _) => self.sequence = 0,
            (Trick::SecondSnapshot, Some(at)) => self.snapshots(&[at], usize::MAX, cx),
            (Trick::PartialSnapshot, Some(at)) => self.snapshots(&[at], 3, cx),
            _ => return false,
        }
        true
    }
}

impl Coinbase {
    fn subscribe(&mut self, ids: &[&str], cx: &mut Cx<'_>) {
        let mut fresh = Vec::new();
        for id in ids {
            let Some(listing) = cx.find(id).filter(|at| !cx.refuses(Some(*at))) else {
                let why = format!("{id} is not a valid product");
                cx.say(json!({"type": "error", "message": why}).to_string());
                continue;
            };
            self.products.retain(|known| known.listing != listing);
            self.products.push(Product {
                listing,
                has_begun: false,
                sent: Window::default(),
                held: None,
            });
            fresh.push(listing);
        }
        let place = |listing: &usize| self.products.iter().position(|p| p.listing == *listing);
        let served = fresh.iter().filter(|listing| cx.is_served(**listing));
        let places: Vec<usize> = served.filter_map(place).collect();
        // The books may come before the answer, and in one message or in several.
        let is_early = self.connection.is_multiple_of(2);
        if !is_early {
            self.list(cx);
        }
        if self.connection.is_multiple_of(3) && !places.is_empty() {
            self.snapshots(&places, usize::MAX, cx);
        } else {
            for place in places {
                self.snapshots(&[place], usize::MAX, cx);
            }
        }
        if is_early {
            self.list(cx);
        }
    }

    /// Begins a subscription of which nothing is said.
    fn keep_quiet(&mut self, channel: &str, ids: &[&str], cx: &mut Cx<'_>) {
        if ids.is_empty() && channel != "status" {
            return cx.say(r#"{"type":"error","message":"no product_ids"}"#);
        }
        let refused = refuse_unknown(ids, cx);
        let wanted = ids.iter().filter(|id| !refused.contains(*id));
        let quiet = self.quiet.entry(channel.to_owned()).or_default();
        quiet.extend(wanted.map(|id| (*id).to_owned()));
        if channel == "status" && ids.is_empty() {
            // As heartbeats do, it has an entry that is no product's.
            quiet.insert(channel.to_owned());
        }
        self.list(cx);
    }

    /// Sends the whole books of some products, or the best `part` levels as if they were all.
    fn snapshots(&mut self, places: &[usize], part: usize, cx: &mut Cx<'_>) {
        let (mut events, mut told) = (Vec::new(), Vec::new());
        for &place in places {
            let product = &mut self.products[place];
            product.has_begun = true;
            product.sent = cx.window(product.listing, usize::MAX);
            let mut shown = product.sent.clone();
            shown.bids.truncate(part);
            shown.asks.truncate(part);
            product.held = (shown != product.sent).then(|| shown.clone());
            events.push(event("snapshot", product.listing, &shown, cx));
            told.push((product.listing, Step::Snapshot, shown));
        }
        self.send(&events, told, cx);
    }

    fn send(&mut self, events: &[String], told: Vec<(usize, Step, Window)>, cx: &mut Cx<'_>) {
        let (time, number) = (rfc3339::text(cx.utc), self.next());
        let events = events.join(",");
        let text = format!(
            r#"{{"channel":"l2_data","timestamp":"{time}","sequence_num":{number},"events":[{events}]}}"#
        );
        let claim =
            |(listing, step, held): (usize, Step, Window)| cx.claim(listing, step, number, &held);
        let claims = told.into_iter().map(claim).collect();
        cx.out.push(Frame {
            text: text.into_bytes(),
            claims,
            close: None,
        });
    }

    /// Sends the list of all subscriptions: the venue's acknowledgement.
    fn list(&mut self, cx: &mut Cx<'_>) {
        let symbol = |p: &Product| cx.listing(p.listing).map(|l| l.symbol().into_owned());
        let ids: Vec<String> = self.products.iter().filter_map(symbol).collect();
        let mut lists = serde_json::Map::new();
        if !ids.is_empty() {
            lists.insert("level2".into(), json!(ids));
        }
        for (channel, ids) in self.quiet.iter().filter(|(_, ids)| !ids.is_empty()) {
            lists.insert(channel.clone(), json!(ids));
        }
        if self.beat_at.is_some() {
            lists.insert("heartbeats".into(), json!(["heartbeats"]));
        }
        let (time, number) = (rfc3339::text(cx.utc), self.next());
        let lists = Value::Object(lists);
        cx.say(format!(
            r#"{{"channel":"subscriptions","timestamp":"{time}","sequence_num":{number},"events":[{{"subscriptions":{lists}}}]}}"#
        ));
    }

    const fn next(&mut self) -> u64 {
        let number = self.sequence;
        self.sequence += 1;
        number
    }
}

/// Says of each product that there is none of that name; those.
fn refuse_unknown<'a>(ids: &[&'a str], cx: &mut Cx<'_>) -> Vec<&'a str> {
    let unknown = ids.iter().filter(|id| cx.find(id).is_none());
    let unknown: Vec<&str> = unknown.copied().collect();
    for id in &unknown {
        let why = format!("{id} is not a valid product");
        cx.say(json!({"type": "error", "message": why}).to_string());
    }
    unknown
}

fn event(kind: &str, listing: usize, window: &Window, cx: &Cx<'_>) -> String {
    let (scale, time) = (cx.scale(listing), rfc3339::text(cx.utc));
    let product = cx.listing(listing).map_or("", |l| l.native.as_str());
    let mut updates = String::new();
    for (side, levels) in [("bid", &window.bids), ("offer", &window.asks)] {
        for level in levels {
            write_update(side, &time, *level, scale, &mut updates);
        }
    }
    format!(r#"{{"type":"{kind}","product_id":"{product}","updates":[{updates}]}}"#)
}

fn write_update(side: &str, time: &str, (price, lots): Level, scale: Scale, out: &mut String) {
    if !out.is_empty() {
        out.push(',');
    }
    for part in [
        r#"{"side":""#,
        side,
        r#"","event_time":""#,
        time,
        r#"","price_level":""#,
    ] {
        out.push_str(part);
    }
    wire(price, scale.price, out);
    out.push_str(r#"","new_quantity":""#);
    wire(lots, scale.qty, out);
    out.push_str(r#""}"#);
}
