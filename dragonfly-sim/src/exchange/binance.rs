//! Binance Spot: an image of the best levels of each subscribed stream every 100 ms or every second,
//! in the combined framing or, for a connection to `/ws`, without it.
//!
//! An image is sent whether or not anything has changed, as long as the instrument is traded.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{Conversation, Cx, Demands, Dialect, Step, Trick, pairs, texts};

pub(super) static DIALECT: Dialect = Dialect {
    name: "binance",
    quote: "USDT",
    path: "/stream",
    native: |base, quote| format!("{base}{quote}"),
    open: |_| Box::new(Binance::default()),
    has_path: |path| path == "/stream" || raw(path).is_some(),
    demands: Demands {
        ping_every: Some(20_000_000_000),
        pong_within: Some(60_000_000_000),
        ..Demands::NONE
    },
    is_uncounted: false,
    price_mark: "[[\"",
};

/// Time between two images, in ns.
const FAST: u64 = 100_000_000;
/// The same of a stream that does not say how fast it wants them.
const SLOW: u64 = 1_000_000_000;
/// Messages a client may send in a second.
const BUDGET: usize = 5;

#[derive(Default)]
struct Binance {
    streams: Vec<Stream>,
    /// Whether messages are nothing but their payload.
    is_raw: bool,
    /// When the client's last messages came.
    heard: VecDeque<u64>,
}

struct Stream {
    name: String,
    listing: Option<usize>,
    levels: usize,
    cadence: u64,
    next_at: u64,
}

impl Conversation for Binance {
    fn on_target(&mut self, path: &str, query: &str, cx: &mut Cx<'_>) {
        let pairs = query.split('&');
        let combined = pairs.filter_map(|pair| pair.strip_prefix("streams="));
        let names = match raw(path) {
            Some(names) => {
                self.is_raw = true;
                names.to_owned()
            }
            None => combined.collect::<Vec<_>>().join("/"),
        };
        let names = ["%2F", "%2f"]
            .iter()
            .fold(names, |names, code| names.replace(code, "/"));
        for name in names.split('/').filter(|name| !name.is_empty()) {
            let name = name.replace("%40", "@");
            if cx.refuses(stream(&name, cx).listing) {
                return close(cx);
            }
            self.begin(&name, cx);
        }
    }

    fn on_text(&mut self, text: &str, cx: &mut Cx<'_>) {
        if self.is_over_budget(cx.now) {
            return close(cx);
        }
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            cx.say(r#"{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}"#);
            return;
        };
        let id = &request["id"];
        match self.answer(&request, cx) {
            Ok(result) => cx.say(format!(r#"{{"result":{result},"id":{id}}}"#)),
            Err((code, why)) => {
                cx.say(json!({"code": code, "msg": why, "id": id}).to_string());
            }
        }
    }

    fn on_market(&mut self, _listing: usize, _cx: &mut Cx<'_>) {}

    fn due(&self) -> Option<u64> {
        self.streams.iter().map(|stream| stream.next_at).min()
    }

    fn on_due(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now;
        for stream in self.streams.iter_mut().filter(|s| s.next_at <= now) {
            stream.next_at = now + stream.cadence;
            let Some(listing) = stream.listing.filter(|listing| cx.is_served(*listing)) else {
                continue;
            };
            // Without its name nobody could tell a stream that goes on under another one.
            let has_asked = |known: &super::Listing| {
                let symbol = known.symbol().to_ascii_lowercase();
                stream.name.split('@').next() == Some(&symbol)
            };
            let is_told = |known: &&super::Listing| !self.is_raw || has_asked(known);
            let Some(known) = cx.listing(listing).filter(is_told) else {
                continue;
            };
            let (number, generation) = (known.number(), known.generation);
            let window = cx.window(listing, stream.levels);
            let scale = cx.scale(listing);
            let (bids, asks) = (pairs(&window.bids, scale), pairs(&window.asks, scale));
            let image = format!(r#"{{"lastUpdateId":{number},"bids":{bids},"asks":{asks}}}"#);
            let text = framed(self.is_raw, &stream.name, image);
            cx.tell(text, listing, Step::Image(generation), number, &window);
        }
    }

    fn trick(&mut self, trick: Trick, _listing: usize, cx: &mut Cx<'_>) -> bool {
        match trick {
            Trick::AskToReconnect => {
                let payload = r#"{"e":"serverShutdown","E":1}"#.to_owned();
                cx.say(framed(self.is_raw, "!serverShutdown", payload));
                true
            }
            // A recount is the listing's own; the others make no sense for images.
            Trick::Recount => true,
            Trick::SecondSnapshot | Trick::PartialSnapshot => false,
        }
    }
}

impl Binance {
    /// Counts a message that has come; true when it is one too many.
    fn is_over_budget(&mut self, now: u64) -> bool {
        self.heard.push_back(now);
        let is_past = |at: &u64| at + 1_000_000_000 <= now;
        while self.heard.front().is_some_and(is_past) {
            self.heard.pop_front();
        }
        self.heard.len() > BUDGET
    }

    /// The result of a request, or the code and the text of its refusal.
    fn answer(&mut self, request: &Value, cx: &Cx<'_>) -> Result<Value, (u8, String)> {
        let params = &request["params"];
        let wrong = |what: &str| (2, format!("Invalid request: {what}"));
        let is_refused = |name: &&str| cx.refuses(stream(name, cx).listing);
        match request["method"].as_str() {
            Some("SUBSCRIBE") if texts(params).iter().any(is_refused) => Err(wrong("refused")),
            Some(method @ ("SUBSCRIBE" | "UNSUBSCRIBE")) => {
                if !params.is_array() {
                    return Err(wrong("missing field `params`"));
                }
                for name in texts(params) {
                    self.streams.retain(|stream| stream.name != name);
                    if method == "SUBSCRIBE" {
                        self.begin(name, cx);
                    }
                }
                Ok(Value::Null)
            }
            Some("LIST_SUBSCRIPTIONS") => {
                let names = self.streams.iter().map(|stream| stream.name.as_str());
                Ok(names.collect())
            }
            Some("SET_PROPERTY") => match params.as_array().map(Vec::as_slice) {
                Some([Value::String(name), Value::Bool(value)]) if name == "combined" => {
                    self.is_raw = !value;
                    Ok(Value::Null)
                }
                Some([Value::String(name), _]) if name == "combined" => {
                    Err((1, "Invalid value type: expected Boolean".to_owned()))
                }
                _ => Err((0, "Unknown property".to_owned())),
            },
            Some(other) => Err(wrong(&format!("unknown method `{other}`"))),
            None => Err(wrong("missing field `method`")),
        }
    }

    fn begin(&mut self, name: &str, cx: &Cx<'_>) {
        self.streams.retain(|stream| stream.name != name);
        self.streams.push(stream(name, cx));
    }
}

fn close(cx: &mut Cx<'_>) {
    cx.out.push(super::Frame {
        close: Some(1008),
        ..super::Frame::default()
    });
}

/// The names of the streams in the path of a connection that wants nothing but payloads.
fn raw(path: &str) -> Option<&str> {
    let names = path.strip_prefix("/ws")?;
    (names.is_empty() || names.starts_with('/')).then_some(names)
}

fn framed(is_raw: bool, name: &str, payload: String) -> String {
    if is_raw {
        payload
    } else {
        format!(r#"{{"stream":"{name}","data":{payload}}}"#)
    }
}

/// A stream such as `btcusdt@depth20@100ms`; one that is not known stays silent.
fn stream(name: &str, cx: &Cx<'_>) -> Stream {
    let (mut parts, mut listing) = (name.split('@'), None);
    let symbol = parts.next().unwrap_or_default();
    let kind = [parts.next(), parts.next(), parts.next()];
    let (levels, cadence) = match kind {
        [Some("depth5"), speed, None] => (5, pace(speed)),
        [Some("depth10"), speed, None] => (10, pace(speed)),
        [Some("depth20"), speed, None] => (20, pace(speed)),
        _ => (0, None),
    };
    if cadence.is_some() && !symbol.bytes().any(|byte| byte.is_ascii_uppercase()) {
        listing = cx.find(&symbol.to_ascii_uppercase());
    }
    let cadence = cadence.unwrap_or(SLOW);
    Stream {
        name: name.to_owned(),
        listing,
        levels,
        cadence,
        next_at: cx.now + 1 + cx.now % cadence,
    }
}

fn pace(speed: Option<&str>) -> Option<u64> {
    match speed {
        None => Some(SLOW),
        Some("100ms") => Some(FAST),
        Some(_) => None,
    }
}
