//! Exchanges: generated markets spoken in a venue's own dialect.
//!
//! An exchange does no I/O and reads no clock: a client's text and the time go in, messages come
//! out, each with what it says about which book. Its dialect is one file for each venue, beside the
//! one that plays recordings.

mod binance;
mod bitstamp;
mod bybit;
mod coinbase_advanced;
mod kraken;
mod listing;

use std::cell::Cell;

use serde_json::Value;

use crate::{
    ledger::Levels,
    market::{Level, Scale, Window, wire},
};
pub(crate) use listing::Listing;

/// How a message relates to the book before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A whole image; the number says which time the venue's count has begun.
    Image(u64),
    /// A whole book that changes follow.
    Snapshot,
    /// Changes.
    Change,
}

/// What a message says about one book.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// Which of the exchange's listings.
    pub(crate) listing: usize,
    pub(crate) step: Step,
    /// The scope of the number, as the ledger knows it; given when the message is sent.
    pub(crate) stream: u64,
    /// The venue's number of the update, 0 where it has none.
    pub(crate) seq: u64,
    /// The best levels after it.
    pub(crate) bids: Levels,
    pub(crate) asks: Levels,
}

/// A message to a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    pub(crate) text: Vec<u8>,
    pub(crate) claims: Vec<Claim>,
    /// The venue closes the connection after it with this code.
    pub(crate) close: Option<u16>,
}

impl Frame {
    /// Says what it says of renamed listings under their new names.
    pub(crate) fn rename(&mut self, listings: &[Listing]) {
        let is_renamed = |claim: &Claim| listings[claim.listing].is_renamed;
        for claim in self.claims.iter().filter(|claim| is_renamed(claim)) {
            let (old, new) = (
                &listings[claim.listing].native,
                listings[claim.listing].symbol(),
            );
            let lower = (old.to_ascii_lowercase(), new.to_ascii_lowercase());
            for (old, new) in [(&**old, &*new), (&lower.0, &lower.1)] {
                // A client that has asked for the new name is told it already.
                let text = String::from_utf8_lossy(&self.text);
                self.text = text.replace(new, old).replace(old, new).into_bytes();
            }
        }
        self.claims.retain(|claim| !is_renamed(claim));
    }
}

/// What a conversation sees of its exchange.
pub(crate) struct Cx<'a> {
    /// Time in ns since the run began.
    pub(crate) now: u64,
    /// The venue's wall clock in ns.
    pub(crate) utc: u64,
    pub(crate) listings: &'a [Listing],
    /// How many levels a side a claim has.
    pub(crate) depth: usize,
    pub(crate) out: &'a mut Vec<Frame>,
    /// The listings of which the next subscription is to be refused.
    pub(crate) refusable: &'a [usize],
    /// Whether it has been.
    pub(crate) has_refused: &'a Cell<bool>,
}

/// What a venue may do of itself that its clients do not like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    /// Sends the whole book again without being asked.
    SecondSnapshot,
    /// Sends as the whole book what is only part of it.
    PartialSnapshot,
    /// Begins its count of updates again.
    Recount,
    /// Asks the client to connect again.
    AskToReconnect,
}

/// One connection's conversation.
pub(crate) trait Conversation: Send {
    /// Where the client came in: the path and the query of its request, which may ask for something.
    fn on_target(&mut self, _path: &str, _query: &str, _cx: &mut Cx<'_>) {}

    /// Whether anything is subscribed.
    fn has_subscription(&self) -> bool {
        true
    }

    /// What happens without being asked for when the connection opens.
    fn on_open(&mut self, _cx: &mut Cx<'_>) {}

    /// Answers a client's message.
    fn on_text(&mut self, text: &str, cx: &mut Cx<'_>);

    /// The market of a listing has changed.
    fn on_market(&mut self, listing: usize, cx: &mut Cx<'_>);

    /// When [`Conversation::on_due`] wants to be called, in ns.
    fn due(&self) -> Option<u64> {
        None
    }

    /// The time has come.
    fn on_due(&mut self, _cx: &mut Cx<'_>) {}

    /// Does as told; false where it cannot (now).
    fn trick(&mut self, trick: Trick, listing: usize, cx: &mut Cx<'_>) -> bool;
}

/// What a venue demands of its clients' connections; all times in ns.
#[derive(Debug)]
pub(crate) struct Demands {
    /// In which time after connecting something has to be subscribed.
    pub(crate) subscribe_within: Option<u64>,
    /// How long a client that has nothing subscribed may say nothing.
    pub(crate) idle: Option<u64>,
    /// How often the venue pings.
    pub(crate) ping_every: Option<u64>,
    /// In which time that has to be answered.
    pub(crate) pong_within: Option<u64>,
}

impl Demands {
    pub(crate) const NONE: Self = Self {
        subscribe_within: None,
        idle: None,
        ping_every: None,
        pong_within: None,
    };
}

/// What an exchange's dialect file provides.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The venue's id.
    pub(crate) name: &'static str,
    /// The quote currency its generated instruments have.
    pub(crate) quote: &'static str,
    /// The path that clients are told to connect to.
    pub(crate) path: &'static str,
    /// Its own symbol for a pair.
    pub(crate) native: fn(base: &str, quote: &str) -> String,
    /// Begins a conversation; the number is unique in the run.
    pub(crate) open: fn(connection: u64) -> Box<dyn Conversation>,
    /// Whether there is anything under a path.
    pub(crate) has_path: fn(path: &str) -> bool,
    /// What it demands of its clients' connections.
    pub(crate) demands: Demands,
    /// Whether clients have to count the updates themselves.
    pub(crate) is_uncounted: bool,
    /// What comes before the first number of a level in its messages.
    pub(crate) price_mark: &'static str,
}

/// Every venue there is an exchange for.
pub(crate) static DIALECTS: [&Dialect; 5] = [
    &binance::DIALECT,
    &bitstamp::DIALECT,
    &bybit::DIALECT,
    &coinbase_advanced::DIALECT,
    &kraken::DIALECT,
];

impl Cx<'_> {
    /// Sends a message that is about no book.
    fn say(&mut self, text: impl Into<String>) {
        self.out.push(Frame {
            text: text.into().into_bytes(),
            ..Frame::default()
        });
    }

    /// Sends a message about one book, of which the client then has `held`.
    fn tell(&mut self, text: String, listing: usize, step: Step, seq: u64, held: &Window) {
        let claim = self.claim(listing, step, seq, held);
        self.out.push(Frame {
            text: text.into_bytes(),
            claims: vec![claim],
            close: None,
        });
    }

    fn claim(&self, listing: usize, step: Step, seq: u64, held: &Window) -> Claim {
        let scale = self.scale(listing);
        Claim {
            listing,
            step,
            stream: 0,
            seq,
            bids: levels(&held.bids, scale, self.depth),
            asks: levels(&held.asks, scale, self.depth),
        }
    }

    fn scale(&self, listing: usize) -> Scale {
        let listing = self.listings.get(listing);
        listing.map_or(Scale { price: 0, qty: 0 }, |l| l.market.character.scale)
    }

    /// The listing that is (still) traded under this symbol, in the venue's own spelling.
    fn find(&self, symbol: &str) -> Option<usize> {
        let is_it = |l: &Listing| l.is_listed && l.symbol() == symbol;
        self.listings.iter().position(is_it)
    }

    /// Whether a subscription to the listing is to be refused; the next one is not.
    fn refuses(&self, listing: Option<usize>) -> bool {
        let is_refusable = listing.is_some_and(|listing| self.refusable.contains(&listing));
        is_refusable && !self.has_refused.replace(true)
    }

    /// The best `depth` levels of a listing's market.
    fn window(&self, listing: usize, depth: usize) -> Window {
        let listing = self.listings.get(listing);
        listing.map_or_else(Window::default, |l| l.market.window(depth))
    }

    fn listing(&self, listing: usize) -> Option<&Listing> {
        self.listings.get(listing)
    }

    /// Whether anything of the listing is sent at all.
    fn is_served(&self, listing: usize) -> bool {
        let now = self.now;
        self.listing(listing)
            .is_some_and(|l| l.is_listed && l.frozen_until <= now)
    }
}

/// The best levels as the ledger writes them.
fn levels(side: &[Level], scale: Scale, depth: usize) -> Levels {
    let mut levels = Levels::default();
    for &(price, lots) in side.iter().take(depth) {
        levels.push_with(|text| {
            crate::market::plain(price, scale.price, text);
            text.push(' ');
            crate::market::plain(lots, scale.qty, text);
        });
    }
    levels
}

/// Levels as a JSON array: each `before price between qty after`.
fn write_levels(side: &[Level], scale: Scale, [before, between, after]: [&str; 3]) -> String {
    let mut text = String::from("[");
    for (index, &(price, lots)) in side.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(before);
        wire(price, scale.price, &mut text);
        text.push_str(between);
        wire(lots, scale.qty, &mut text);
        text.push_str(after);
    }
    text.push(']');
    text
}

/// Levels as pairs of strings.
fn pairs(side: &[Level], scale: Scale) -> String {
    write_levels(side, scale, [r#"[""#, r#"",""#, r#""]"#])
}

/// The texts of an array of strings; nothing for anything else.
fn texts(value: &Value) -> Vec<&str> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).collect()
}
