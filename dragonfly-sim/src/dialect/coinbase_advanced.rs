//! Coinbase Advanced Trade: one channel a subscription, `sequence_num` over the whole connection.
//!
//! The venue numbers every message of a connection. A client that subscribes to less than was
//! recorded would therefore see holes, so each connection is numbered anew: from 0, plus one each,
//! acknowledgements and heartbeats included. Those digits are all that differs from the recorded
//! text. Heartbeats are the recorded ones, one a second at the recorded pace.
//!
//! A product nothing was recorded of is acknowledged and stays silent, as on the venue. Messages
//! that carry several products at once are not played.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use dragonfly_core::clock::UtcNanos;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{Action, Dialect, Spec, Tapes, Visit, only};
use crate::{
    Recording, rfc3339,
    tape::{Item, Tape},
};

/// Subscribable channels and the name their messages carry.
const CHANNELS: [(&str, &str); 7] = [
    ("level2", "l2_data"),
    ("market_trades", "market_trades"),
    ("ticker", "ticker"),
    ("ticker_batch", "ticker_batch"),
    ("candles", "candles"),
    ("status", "status"),
    (HEARTBEATS, HEARTBEATS),
];
const HEARTBEATS: &str = "heartbeats";
/// Products a channel keeps; the venue publishes no limit, and lists fewer.
const MAX_PRODUCTS: usize = 1024;

pub(super) const SPEC: Spec = Spec {
    name: "coinbase-advanced",
    prepare,
    open,
    patience: Duration::from_secs(5),
    max_message: 64 << 10,
};

#[derive(Deserialize)]
struct Head<'a> {
    channel: String,
    #[serde(borrow)]
    sequence_num: &'a RawValue,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: Option<String>,
    product_id: Option<String>,
    #[serde(default)]
    trades: Vec<Entry>,
    #[serde(default)]
    tickers: Vec<Entry>,
    #[serde(default)]
    candles: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    product_id: Option<String>,
}

#[derive(Deserialize)]
struct Request {
    #[serde(rename = "type")]
    kind: String,
    channel: Option<String>,
    #[serde(default)]
    product_ids: Vec<String>,
}

fn prepare(recording: &Recording) -> Tapes {
    let mut tape = Tape::default();
    let mut begun = BTreeSet::new();
    for line in recording.received() {
        let Ok(head) = serde_json::from_str::<Head<'_>>(&line.text) else {
            continue;
        };
        let Some(stream) = stream_of(&head) else {
            continue;
        };
        // A book is played from its first snapshot on.
        let snapshot = head
            .events
            .iter()
            .any(|event| event.kind.as_deref() == Some("snapshot"));
        if head.channel == "l2_data" && snapshot {
            begun.insert(stream.clone());
        }
        if head.channel != "l2_data" || begun.contains(&stream) {
            let span = span_of(&line.text, head.sequence_num.get());
            tape.push(line.at, &stream, Arc::clone(&line.text), span);
        }
    }
    only("/", tape)
}

/// Where `part`, a slice of `text`, lies in it.
fn span_of(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

/// `channel/product`, or the channel alone; `None` for what is not played.
fn stream_of(head: &Head<'_>) -> Option<String> {
    if head.channel == HEARTBEATS {
        return Some(HEARTBEATS.to_owned());
    }
    let products: BTreeSet<&str> = head.events.iter().flat_map(products).collect();
    let mut products = products.into_iter();
    match (products.next(), products.next()) {
        (Some(product), None) => Some(format!("{}/{product}", head.channel)),
        _ => None,
    }
}

fn products(event: &Event) -> impl Iterator<Item = &str> {
    let lists = [&event.trades, &event.tickers, &event.candles];
    let nested = lists
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.product_id.as_deref());
    event.product_id.as_deref().into_iter().chain(nested)
}

fn open(tapes: &Tapes, visit: &Visit<'_>) -> Option<Box<dyn Dialect>> {
    let tape = Arc::clone(tapes.get(visit.path)?);
    Some(Box::new(Coinbase {
        tape,
        sequence: 0,
        subscriptions: BTreeMap::new(),
    }))
}

struct Coinbase {
    tape: Arc<Tape>,
    sequence: u64,
    subscriptions: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Dialect for Coinbase {
    fn tape(&self) -> &Arc<Tape> {
        &self.tape
    }

    fn on_text(&mut self, text: &str, now: UtcNanos) -> Vec<Action> {
        let Ok(request) = serde_json::from_str::<Request>(text) else {
            return vec![error("invalid message")];
        };
        let wanted = request.channel.as_deref().unwrap_or_default();
        let Some((channel, data)) = CHANNELS.into_iter().find(|(name, _)| *name == wanted) else {
            return vec![error(&format!("channel {wanted} is not supported"))];
        };
        let products: Vec<String> = match channel {
            HEARTBEATS => vec![HEARTBEATS.to_owned()],
            _ => request
                .product_ids
                .iter()
                .map(|id| self.listed(data, id))
                .collect(),
        };
        let streams = products
            .iter()
            .filter_map(|id| self.stream(data, id))
            .collect();
        let known = self.subscriptions.entry(channel).or_default();
        match request.kind.as_str() {
            "subscribe" => {
                let room = MAX_PRODUCTS.saturating_sub(known.len());
                known.extend(products.into_iter().take(room));
                vec![self.subscribed(now), Action::Play(streams)]
            }
            "unsubscribe" => {
                known.retain(|id| !products.contains(id));
                vec![Action::Stop(streams), self.subscribed(now)]
            }
            other => vec![error(&format!("type {other} is not supported"))],
        }
    }

    fn present(&mut self, item: &Item, out: &mut Vec<u8>) {
        let number = self.next_sequence().to_string();
        let (before, after) = (
            item.text.get(..item.span.start),
            item.text.get(item.span.end..),
        );
        for part in [
            before.unwrap_or_default(),
            &number,
            after.unwrap_or_default(),
        ] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

impl Coinbase {
    fn next_sequence(&mut self) -> u64 {
        let sequence = self.sequence;
        self.sequence += 1;
        sequence
    }

    fn stream(&self, data: &str, product: &str) -> Option<usize> {
        match data {
            HEARTBEATS => self.tape.stream(HEARTBEATS),
            _ => self.tape.stream(&format!("{data}/{product}")),
        }
    }

    /// The product the venue lists this one as: a `-USDC` alias is listed as its `-USD` product.
    fn listed(&self, data: &str, product: &str) -> String {
        let alias = product
            .strip_suffix("USDC")
            .map(|base| format!("{base}USD"));
        match alias {
            Some(alias)
                if self.stream(data, product).is_none() && self.stream(data, &alias).is_some() =>
            {
                alias
            }
            _ => product.to_owned(),
        }
    }

    /// The acknowledgement: the full state after the change.
    fn subscribed(&mut self, now: UtcNanos) -> Action {
        self.subscriptions
            .retain(|_, products| !products.is_empty());
        let state = json!(self.subscriptions);
        let (timestamp, sequence) = (rfc3339::micros(now), self.next_sequence());
        Action::Reply(format!(
            r#"{{"channel":"subscriptions","timestamp":"{timestamp}","sequence_num":{sequence},"events":[{{"subscriptions":{state}}}]}}"#
        ))
    }
}

fn error(message: &str) -> Action {
    Action::Reply(format!(
        r#"{{"type":"error","message":{}}}"#,
        json!(message)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_digits_of_the_connection_sequence_change() {
        let text = r#"{"channel":"l2_data","x":"\"sequence_num\":9","sequence_num": 13 ,"events":[{"type":"snapshot","product_id":"A-B","updates":[]}]}"#;
        let line = json!({"ts": 1, "dir": "in", "url": "wss://h", "msg": text}).to_string();
        let recording = Recording::read("one line", line.as_bytes()).unwrap();
        let visit = Visit {
            path: "/",
            query: "",
            connection: 1,
        };
        let mut dialect = open(&prepare(&recording), &visit).unwrap();
        let tape = Arc::clone(dialect.tape());
        let mut out = Vec::new();
        dialect.present(tape.item(0).unwrap(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text.replace(" 13 ", " 0 "));
    }
}
