//! Binance Spot: raw (`/ws/<stream>`) and combined (`/stream?streams=<stream>/<stream>`) framing.
//!
//! Recorded streams are played as recorded. The `<symbol>@depth20@100ms` stream is *derived*: the
//! book is rebuilt from the recorded REST image and diffs by the venue's own procedure, and after
//! each diff its best 20 levels are sent with `lastUpdateId` = the diff's `u`.
//!
//! An unknown stream is acknowledged and stays silent, as on the venue.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use dragonfly_core::clock::UtcNanos;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{Action, Dialect, Spec, Tapes, Visit, only};
use crate::{
    Recording,
    naive_book::{LevelText, NaiveBook, pairs},
    recording::Line,
    tape::{Item, Tape},
};

/// Diffs kept while a symbol's REST image has not come.
const MAX_EARLY_DIFFS: usize = 10_000;
const IMAGE_DEPTH: usize = 20;
/// Streams a connection keeps, as on the venue.
const MAX_STREAMS: usize = 1024;

pub(super) const SPEC: Spec = Spec {
    name: "binance",
    prepare,
    open,
    patience: Duration::from_secs(60),
    max_message: 64 << 10,
};

#[derive(Deserialize)]
struct Combined<'a> {
    stream: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Diff {
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(rename = "b")]
    bids: Vec<LevelText>,
    #[serde(rename = "a")]
    asks: Vec<LevelText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    last_update_id: u64,
    bids: Vec<LevelText>,
    asks: Vec<LevelText>,
}

/// A symbol's book while the recording is prepared.
#[derive(Default)]
struct Symbol {
    early: Vec<Diff>,
    book: Option<(u64, NaiveBook)>,
}

impl Symbol {
    /// Starts the book from a REST image and the diffs that came before it.
    fn seed(&mut self, image: &Image) {
        let book = NaiveBook::of(&image.bids, &image.asks);
        self.book = Some((image.last_update_id, book));
        for diff in std::mem::take(&mut self.early) {
            self.apply(diff);
        }
    }

    /// Applies a diff; true if the book moved on.
    fn apply(&mut self, diff: Diff) -> bool {
        let Some((id, book)) = &mut self.book else {
            if self.early.len() < MAX_EARLY_DIFFS {
                self.early.push(diff);
            }
            return false;
        };
        if diff.last <= *id {
            return false;
        }
        if diff.first > *id + 1 {
            // A hole in the recording: nothing true can be derived behind it.
            tracing::warn!(
                expected = *id + 1,
                got = diff.first,
                "recorded diffs have a gap"
            );
            self.book = None;
            return false;
        }
        book.apply(&diff.bids, &diff.asks);
        *id = diff.last;
        true
    }

    fn image(&self) -> Option<String> {
        let (id, book) = self.book.as_ref()?;
        let (bids, asks) = (
            pairs(book.best_bids(IMAGE_DEPTH)),
            pairs(book.best_asks(IMAGE_DEPTH)),
        );
        Some(format!(
            r#"{{"lastUpdateId":{id},"bids":{bids},"asks":{asks}}}"#
        ))
    }
}

fn prepare(recording: &Recording) -> Tapes {
    let mut tape = Tape::default();
    let mut symbols = BTreeMap::<String, Symbol>::new();
    for line in recording.lines().iter().filter(|line| line.inbound) {
        if line.url.starts_with("http") {
            on_rest(&mut tape, &mut symbols, line);
        } else if let Ok(message) = serde_json::from_str::<Combined<'_>>(&line.text) {
            push(&mut tape, line.at, &message.stream, &line.text);
            on_diff(&mut tape, &mut symbols, line, &message);
        }
    }
    only("/stream", tape)
}

fn on_rest(tape: &mut Tape, symbols: &mut BTreeMap<String, Symbol>, line: &Line) {
    let query = line
        .url
        .split_once("/depth?")
        .map_or("", |(_, query)| query);
    let name = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("symbol="));
    let (Some(name), Ok(image)) = (name, serde_json::from_str::<Image>(&line.text)) else {
        return;
    };
    let name = name.to_lowercase();
    let symbol = symbols.entry(name.clone()).or_default();
    symbol.seed(&image);
    push_image(tape, line.at, &name, symbol);
}

fn on_diff(
    tape: &mut Tape,
    symbols: &mut BTreeMap<String, Symbol>,
    line: &Line,
    message: &Combined<'_>,
) {
    let name = message.stream.strip_suffix("@depth@100ms");
    let (Some(name), Ok(diff)) = (name, serde_json::from_str::<Diff>(message.data.get())) else {
        return;
    };
    let symbol = symbols.entry(name.to_owned()).or_default();
    if symbol.apply(diff) {
        push_image(tape, line.at, name, symbol);
    }
}

fn push_image(tape: &mut Tape, at: UtcNanos, name: &str, symbol: &Symbol) {
    if let Some(image) = symbol.image() {
        let stream = format!("{name}@depth{IMAGE_DEPTH}@100ms");
        let text: Arc<str> = format!(r#"{{"stream":"{stream}","data":{image}}}"#).into();
        push(tape, at, &stream, &text);
    }
}

/// Puts a combined message on the tape, its payload marked.
fn push(tape: &mut Tape, at: UtcNanos, stream: &str, text: &Arc<str>) {
    let Ok(message) = serde_json::from_str::<Combined<'_>>(text) else {
        return;
    };
    let payload = message.data.get();
    let start = payload.as_ptr() as usize - text.as_ptr() as usize;
    tape.push(at, stream, Arc::clone(text), start..start + payload.len());
}

fn open(tapes: &Tapes, visit: &Visit<'_>) -> Option<Box<dyn Dialect>> {
    let tape = Arc::clone(tapes.get("/stream")?);
    let decode = |text: &str| {
        text.replace("%40", "@")
            .replace("%2F", "/")
            .replace("%2f", "/")
    };
    let (combined, names) = match visit.path.strip_prefix("/ws") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => (false, decode(rest)),
        _ if visit.path == "/stream" => {
            let mut pairs = visit.query.split('&');
            let names = pairs.find_map(|pair| pair.strip_prefix("streams="));
            (true, names.map(decode).unwrap_or_default())
        }
        _ => return None,
    };
    let wanted = names
        .split('/')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    Some(Box::new(Binance {
        tape,
        combined,
        wanted,
    }))
}

#[derive(Deserialize)]
struct Request {
    method: String,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    id: Value,
}

struct Binance {
    tape: Arc<Tape>,
    combined: bool,
    wanted: BTreeSet<String>,
}

impl Dialect for Binance {
    fn tape(&self) -> &Arc<Tape> {
        &self.tape
    }

    fn on_open(&mut self) -> Vec<Action> {
        if self.wanted.is_empty() {
            return Vec::new();
        }
        vec![Action::Play(self.streams(self.wanted.iter()))]
    }

    fn on_text(&mut self, text: &str, _now: UtcNanos) -> Vec<Action> {
        let Ok(request) = serde_json::from_str::<Request>(text) else {
            return vec![error(
                3,
                "Invalid JSON: expected an object with a method",
                &Value::Null,
            )];
        };
        let id = &request.id;
        match request.method.as_str() {
            "SUBSCRIBE" | "UNSUBSCRIBE" => self.on_streams(&request),
            "LIST_SUBSCRIPTIONS" => vec![result(&json!(self.wanted), id)],
            "SET_PROPERTY" => match request.params.as_array().map(Vec::as_slice) {
                Some([Value::String(name), Value::Bool(value)]) if name == "combined" => {
                    self.combined = *value;
                    vec![result(&Value::Null, id)]
                }
                _ => vec![error(0, "Unknown property", id)],
            },
            other => vec![error(
                2,
                &format!("Invalid request: unknown method `{other}`"),
                id,
            )],
        }
    }

    fn present(&mut self, item: &Item, out: &mut Vec<u8>) {
        let payload = item.text.get(item.span.clone()).unwrap_or_default();
        out.extend_from_slice(if self.combined {
            item.text.as_bytes()
        } else {
            payload.as_bytes()
        });
    }
}

impl Binance {
    fn on_streams(&mut self, request: &Request) -> Vec<Action> {
        let Ok(names) = serde_json::from_value::<Vec<String>>(request.params.clone()) else {
            return vec![error(
                1,
                "Invalid value type: expected an array of strings",
                &request.id,
            )];
        };
        let (ack, streams) = (
            result(&Value::Null, &request.id),
            self.streams(names.iter()),
        );
        if request.method == "SUBSCRIBE" {
            let room = MAX_STREAMS.saturating_sub(self.wanted.len());
            self.wanted.extend(names.into_iter().take(room));
            vec![ack, Action::Play(streams)]
        } else {
            self.wanted.retain(|name| !names.contains(name));
            vec![Action::Stop(streams), ack]
        }
    }

    fn streams<'a>(&self, names: impl Iterator<Item = &'a String>) -> Vec<usize> {
        names.filter_map(|name| self.tape.stream(name)).collect()
    }
}

fn result(result: &Value, id: &Value) -> Action {
    Action::Reply(format!(r#"{{"result":{result},"id":{id}}}"#))
}

fn error(code: u8, msg: &str, id: &Value) -> Action {
    Action::Reply(format!(
        r#"{{"code":{code},"msg":{},"id":{id}}}"#,
        json!(msg)
    ))
}
