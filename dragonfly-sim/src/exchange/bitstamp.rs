//! Bitstamp: an image of the best 100 levels after every change; none on subscribing.

use serde_json::Value;

use super::{Conversation, Cx, Demands, Dialect, Step, Trick, pairs};

pub(super) static DIALECT: Dialect = Dialect {
    name: "bitstamp",
    quote: "USD",
    path: "/",
    native: |base, quote| format!("{base}{quote}").to_ascii_lowercase(),
    open: |_| Box::new(Bitstamp::default()),
    has_path: |path| path == "/",
    demands: Demands {
        ping_every: Some(54_000_000_000),
        ..Demands::NONE
    },
    is_uncounted: false,
    price_mark: "[[\"",
};

const CHANNEL: &str = "order_book_";
/// Channels that there are at the venue, of which nothing is said here.
const QUIET: [&str; 5] = [
    "detail_order_book_",
    "diff_order_book_",
    "funding_rate_",
    "live_orders_",
    "live_trades_",
];
const LEVELS: usize = 100;
/// The longest message a client may send, in bytes.
const LONGEST: usize = 512;

#[derive(Default)]
struct Bitstamp {
    channels: Vec<usize>,
}

impl Conversation for Bitstamp {
    fn on_text(&mut self, text: &str, cx: &mut Cx<'_>) {
        if text.len() > LONGEST {
            cx.out.push(super::Frame {
                close: Some(1009),
                ..super::Frame::default()
            });
            return;
        }
        let request = serde_json::from_str::<Value>(text).unwrap_or_default();
        let channel = request["data"]["channel"].as_str().unwrap_or_default();
        let is_right = channel.strip_prefix(CHANNEL).filter(|id| is_market(id));
        match (request["event"].as_str(), is_right) {
            (None, _) => error("Incorrect JSON format.", cx),
            (Some("bts:heartbeat"), _) => {
                cx.say(r#"{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}"#);
            }
            (Some("bts:subscribe"), Some(id)) if cx.refuses(cx.find(id)) => {
                error("Bad subscription string.", cx);
            }
            (Some("bts:subscribe"), Some(id)) => {
                self.channels.extend(cx.find(id));
                acknowledge("subscription", channel, cx);
            }
            (Some("bts:unsubscribe"), Some(id)) => {
                let gone = cx.find(id);
                self.channels.retain(|listing| Some(*listing) != gone);
                acknowledge("unsubscription", channel, cx);
            }
            (Some("bts:subscribe"), None) if is_quiet(channel) => {
                acknowledge("subscription", channel, cx);
            }
            (Some("bts:unsubscribe"), None) if is_quiet(channel) => {
                acknowledge("unsubscription", channel, cx);
            }
            (Some("bts:subscribe" | "bts:unsubscribe"), None) => {
                error("Invalid channel provided.", cx);
            }
            _ => error("Bad subscription string.", cx),
        }
    }

    fn on_market(&mut self, listing: usize, cx: &mut Cx<'_>) {
        let Some(known) = cx.listing(listing) else {
            return;
        };
        if !self.channels.contains(&listing) || !cx.is_served(listing) {
            return;
        }
        let (micros, generation, id) = (known.stamp_us, known.generation, &known.native);
        let window = cx.window(listing, LEVELS);
        let scale = cx.scale(listing);
        let (bids, asks) = (pairs(&window.bids, scale), pairs(&window.asks, scale));
        let seconds = micros / 1_000_000;
        let text = format!(
            r#"{{"data":{{"timestamp":"{seconds}","microtimestamp":"{micros}","bids":{bids},"asks":{asks}}},"channel":"{CHANNEL}{id}","event":"data"}}"#
        );
        cx.tell(text, listing, Step::Image(generation), micros, &window);
    }

    fn trick(&mut self, trick: Trick, _listing: usize, cx: &mut Cx<'_>) -> bool {
        match trick {
            Trick::AskToReconnect => {
                cx.say(r#"{"event":"bts:request_reconnect","channel":"","data":null}"#);
                true
            }
            Trick::Recount => true,
            Trick::SecondSnapshot | Trick::PartialSnapshot => false,
        }
    }
}

fn is_quiet(channel: &str) -> bool {
    let id = QUIET.iter().find_map(|kind| channel.strip_prefix(kind));
    id.is_some_and(is_market)
}

fn is_market(id: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !id.is_empty() && id.bytes().all(is_part)
}

fn acknowledge(what: &str, channel: &str, cx: &mut Cx<'_>) {
    cx.say(format!(
        r#"{{"event":"bts:{what}_succeeded","channel":"{channel}","data":{{}}}}"#
    ));
}

fn error(message: &str, cx: &mut Cx<'_>) {
    cx.say(format!(
        r#"{{"event":"bts:error","channel":"","data":{{"code":null,"message":"{message}"}}}}"#
    ));
}
