//! Bybit v5 public streams: one socket a category (`/v5/public/spot`, `/v5/public/linear`).
//!
//! Messages are played exactly as recorded. Any `orderbook.N` of a recorded symbol is accepted and
//! plays the recorded depth, whose own topic the messages keep: asking for the recorded depth is
//! the only way to get what the venue would have sent. A topic nothing was recorded for is refused
//! in the venue's words, and with it the whole request, as the venue does.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use dragonfly_core::clock::UtcNanos;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Action, Dialect, Spec, Tapes, Visit, path_of};
use crate::{Recording, tape::Tape};

const PREFIX: &str = "/v5/public/";
/// Arguments a request may carry on the spot socket.
const MAX_SPOT_ARGS: usize = 10;

pub(super) const SPEC: Spec = Spec {
    name: "bybit",
    prepare,
    open,
    patience: Duration::from_secs(600),
    max_message: 64 << 10,
};

#[derive(Deserialize)]
struct Head {
    topic: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Request {
    op: String,
    #[serde(default)]
    args: Vec<String>,
    req_id: Option<Value>,
}

fn prepare(recording: &Recording) -> Tapes {
    let mut tapes = std::collections::BTreeMap::<String, Tape>::new();
    let mut begun = BTreeSet::new();
    for line in recording.received() {
        let path = path_of(&line.url);
        let head = serde_json::from_str(&line.text);
        let (
            true,
            Ok(Head {
                topic: Some(topic),
                kind,
            }),
        ) = (path.starts_with(PREFIX), head)
        else {
            continue;
        };
        // A book is played from its first snapshot on.
        if topic.starts_with("orderbook.") && kind.as_deref() == Some("snapshot") {
            begun.insert((path.to_owned(), topic.clone()));
        }
        if !topic.starts_with("orderbook.") || begun.contains(&(path.to_owned(), topic.clone())) {
            let tape = tapes.entry(path.to_owned()).or_default();
            tape.push(line.at, &topic, Arc::clone(&line.text), 0..0);
        }
    }
    tapes
        .into_iter()
        .map(|(path, tape)| (path, Arc::new(tape)))
        .collect()
}

fn open(tapes: &Tapes, visit: &Visit<'_>) -> Option<Box<dyn Dialect>> {
    let tape = Arc::clone(tapes.get(visit.path)?);
    Some(Box::new(Bybit {
        tape,
        spot: visit.path.ends_with("/spot"),
        conn_id: format!("dragonfly-sim-{}", visit.connection),
    }))
}

struct Bybit {
    tape: Arc<Tape>,
    spot: bool,
    conn_id: String,
}

impl Dialect for Bybit {
    fn tape(&self) -> &Arc<Tape> {
        &self.tape
    }

    fn on_text(&mut self, text: &str, _now: UtcNanos) -> Vec<Action> {
        let Ok(request) = serde_json::from_str::<Request>(text) else {
            return vec![self.reply(false, "error:invalid request", "", None)];
        };
        let id = request.req_id.as_ref();
        match request.op.as_str() {
            // The spot socket leaves the id out of its pong.
            "ping" => vec![self.reply(true, "pong", "ping", id.filter(|_| !self.spot))],
            "subscribe" | "unsubscribe" => self.on_topics(&request),
            other => vec![self.reply(false, "error:request not supported", other, id)],
        }
    }
}

impl Bybit {
    fn on_topics(&self, request: &Request) -> Vec<Action> {
        let (op, id) = (request.op.as_str(), request.req_id.as_ref());
        if self.spot && request.args.len() > MAX_SPOT_ARGS {
            return vec![self.reply(false, "args size >10", op, id)];
        }
        let mut streams = Vec::new();
        for topic in &request.args {
            let Some(stream) = self.stream(topic) else {
                let refusal = format!("error:handler not found,topic:{topic}");
                return vec![self.reply(false, &refusal, op, id)];
            };
            streams.push(stream);
        }
        let ack = self.reply(true, op, op, id);
        match op {
            "subscribe" => vec![ack, Action::Play(streams)],
            _ => vec![Action::Stop(streams), ack],
        }
    }

    /// The stream of a topic; for a book, that of any depth recorded of the symbol.
    fn stream(&self, topic: &str) -> Option<usize> {
        self.tape.stream(topic).or_else(|| {
            let symbol = book_symbol(topic)?;
            let mut streams = self.tape.streams();
            streams
                .find(|(_, name)| book_symbol(name) == Some(symbol))
                .map(|(stream, _)| stream)
        })
    }

    fn reply(&self, success: bool, ret_msg: &str, op: &str, req_id: Option<&Value>) -> Action {
        let id = req_id.map_or_else(String::new, |id| format!(r#""req_id":{id},"#));
        let (ret_msg, conn_id, op) = (json!(ret_msg), json!(self.conn_id), json!(op));
        Action::Reply(format!(
            r#"{{"success":{success},"ret_msg":{ret_msg},"conn_id":{conn_id},{id}"op":{op}}}"#
        ))
    }
}

/// The symbol of `orderbook.<digits>.<symbol>`.
fn book_symbol(topic: &str) -> Option<&str> {
    let (depth, symbol) = topic.strip_prefix("orderbook.")?.split_once('.')?;
    depth
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(symbol)
}
