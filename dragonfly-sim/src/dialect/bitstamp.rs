//! Bitstamp: one channel a subscription, full books as images.
//!
//! Recorded channels (`diff_order_book_*`, `live_trades_*`) are played as recorded. The
//! `order_book_*` channel is *derived*: the recordings hold diffs and a REST image, from which the
//! full book is kept and sent as its best 100 levels after each diff, with the diff's own stamps.
//! The first image is the REST one, so that a market with few changes is not silent.
//!
//! A well-formed channel nothing was recorded of is acknowledged and stays silent, as on the venue.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use dragonfly_core::clock::UtcNanos;
use serde::Deserialize;
use serde_json::Value;

use super::{Action, Dialect, Spec, Tapes, Visit, only};
use crate::{
    Recording,
    naive_book::{LevelText, NaiveBook, pairs},
    recording::Line,
    tape::Tape,
};

const IMAGE_DEPTH: usize = 100;
const DIFF: &str = "diff_order_book_";
/// Diffs kept while a market's REST image has not come.
const MAX_EARLY_DIFFS: usize = 10_000;

pub(super) const SPEC: Spec = Spec {
    name: "bitstamp",
    prepare,
    open,
    patience: Duration::from_secs(60),
    // The venue's own limit; more closes the connection with 1009.
    max_message: 512,
};

#[derive(Deserialize)]
struct Message {
    channel: String,
    event: String,
    data: Value,
}

#[derive(Clone, Deserialize)]
struct Levels {
    timestamp: String,
    microtimestamp: String,
    bids: Vec<LevelText>,
    asks: Vec<LevelText>,
}

impl Levels {
    fn micros(&self) -> u64 {
        self.microtimestamp.parse().unwrap_or(0)
    }
}

/// A market's book while the recording is prepared, and the stamps of its last change.
#[derive(Default)]
struct Market {
    early: Vec<Levels>,
    book: Option<(NaiveBook, Levels)>,
}

impl Market {
    fn seed(&mut self, image: Levels) {
        self.book = Some((NaiveBook::of(&image.bids, &image.asks), image));
        for diff in std::mem::take(&mut self.early) {
            self.apply(diff);
        }
    }

    /// Applies a diff; true if the book moved on.
    fn apply(&mut self, diff: Levels) -> bool {
        let Some((book, last)) = &mut self.book else {
            if self.early.len() < MAX_EARLY_DIFFS {
                self.early.push(diff);
            }
            return false;
        };
        if diff.micros() <= last.micros() {
            return false;
        }
        book.apply(&diff.bids, &diff.asks);
        *last = diff;
        true
    }

    fn image(&self, name: &str) -> Option<String> {
        let (
            book,
            Levels {
                timestamp,
                microtimestamp,
                ..
            },
        ) = self.book.as_ref()?;
        let (bids, asks) = (
            pairs(book.best_bids(IMAGE_DEPTH)),
            pairs(book.best_asks(IMAGE_DEPTH)),
        );
        Some(format!(
            r#"{{"data":{{"timestamp":"{timestamp}","microtimestamp":"{microtimestamp}","bids":{bids},"asks":{asks}}},"channel":"order_book_{name}","event":"data"}}"#
        ))
    }
}

fn prepare(recording: &Recording) -> Tapes {
    let mut tape = Tape::default();
    let mut markets = BTreeMap::<String, Market>::new();
    for line in recording.lines().iter().filter(|line| line.inbound) {
        if line.url.starts_with("http") {
            on_rest(&mut tape, &mut markets, line);
        } else {
            on_message(&mut tape, &mut markets, line);
        }
    }
    only("/", tape)
}

fn on_rest(tape: &mut Tape, markets: &mut BTreeMap<String, Market>, line: &Line) {
    let name = line
        .url
        .split_once("/order_book/")
        .map(|(_, name)| name.trim_matches('/'));
    let (Some(name), Ok(image)) = (name, serde_json::from_str::<Levels>(&line.text)) else {
        return;
    };
    let market = markets.entry(name.to_owned()).or_default();
    market.seed(image);
    push_image(tape, line.at, name, market);
}

fn on_message(tape: &mut Tape, markets: &mut BTreeMap<String, Market>, line: &Line) {
    let Ok(message) = serde_json::from_str::<Message>(&line.text) else {
        return;
    };
    if message.event.starts_with("bts:") {
        return;
    }
    tape.push(line.at, &message.channel, Arc::clone(&line.text), 0..0);
    let name = message.channel.strip_prefix(DIFF);
    let (Some(name), Ok(diff)) = (name, serde_json::from_value::<Levels>(message.data)) else {
        return;
    };
    let market = markets.entry(name.to_owned()).or_default();
    if market.apply(diff) {
        push_image(tape, line.at, name, market);
    }
}

fn push_image(tape: &mut Tape, at: UtcNanos, name: &str, market: &Market) {
    if let Some(image) = market.image(name) {
        tape.push(at, &format!("order_book_{name}"), image.into(), 0..0);
    }
}

fn open(tapes: &Tapes, visit: &Visit<'_>) -> Option<Box<dyn Dialect>> {
    let tape = Arc::clone(tapes.get(visit.path)?);
    Some(Box::new(Bitstamp { tape }))
}

#[derive(Deserialize)]
struct Request {
    event: String,
    #[serde(default)]
    data: Value,
}

struct Bitstamp {
    tape: Arc<Tape>,
}

impl Dialect for Bitstamp {
    fn tape(&self) -> &Arc<Tape> {
        &self.tape
    }

    fn on_text(&mut self, text: &str, _now: UtcNanos) -> Vec<Action> {
        let Ok(request) = serde_json::from_str::<Request>(text) else {
            return vec![error("Incorrect JSON format.")];
        };
        let channel = request
            .data
            .get("channel")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let streams = self.tape.stream(channel).into_iter().collect();
        match request.event.as_str() {
            "bts:heartbeat" => vec![Action::Reply(
                r#"{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}"#.to_owned(),
            )],
            "bts:subscribe" | "bts:unsubscribe" if !well_formed(channel) => {
                vec![error("Invalid channel provided.")]
            }
            "bts:subscribe" => {
                vec![
                    ack("bts:subscription_succeeded", channel),
                    Action::Play(streams),
                ]
            }
            "bts:unsubscribe" => {
                vec![
                    Action::Stop(streams),
                    ack("bts:unsubscription_succeeded", channel),
                ]
            }
            _ => vec![error("Bad subscription string.")],
        }
    }
}

/// Whether a channel is of a kind the venue has, for a market id it could have.
fn well_formed(channel: &str) -> bool {
    const KINDS: [&str; 6] = [
        "order_book",
        "diff_order_book",
        "detail_order_book",
        "live_orders",
        "live_trades",
        "funding_rate",
    ];
    let id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    channel.rsplit_once('_').is_some_and(|(kind, market)| {
        KINDS.contains(&kind) && !market.is_empty() && market.bytes().all(id)
    })
}

fn ack(event: &str, channel: &str) -> Action {
    // A well-formed channel needs no escaping.
    Action::Reply(format!(
        r#"{{"event":"{event}","channel":"{channel}","data":{{}}}}"#
    ))
}

fn error(message: &str) -> Action {
    Action::Reply(format!(
        r#"{{"event":"bts:error","channel":"","data":{{"code":null,"message":"{message}"}}}}"#
    ))
}
