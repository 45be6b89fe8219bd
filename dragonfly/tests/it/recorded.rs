//! Recordings, the feeds they are played into, and books kept the slow and obvious way.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use dragonfly::{
    feed::{BookListener, Feed, Subscriber},
    feeds::{
        BookChanges,
        venue::{self, Subscription},
    },
    market::Instrument,
};
use serde_json::Value;

/// A capture of the repository, such as `bybit/20260809_ws_v5_spot`.
pub(crate) fn capture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dragonfly-feeds/tests/captures");
    folder.join(format!("{name}.jsonl.zst"))
}

/// A feed of one instrument, as `feeds::open` makes it, without a connection.
pub(crate) fn feed(venue: &str, instrument: &str) -> Feed<Box<dyn Subscriber>, BookChanges> {
    let spec = venue::find(venue).unwrap();
    let instrument: Instrument = instrument.parse().unwrap();
    let native = (spec.native)(&instrument).unwrap();
    let wanted = Subscription::new([native], 10);
    let (decoder, rules) = ((spec.decoder)(&wanted), (spec.rules)());
    let symbols = [(instrument.symbol(), native)];
    let books = BookListener::new(venue.parse().unwrap(), decoder, rules, 10, symbols);
    let subscriber = (spec.subscriber)(&wanted);
    Feed::new(venue, subscriber, books.only_changes(), (spec.policy)())
}

/// A decimal text as units of 1e-18, worked out digit by digit.
pub(crate) fn units(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 18, "{text}");
    let digits = format!("{whole}{fraction:0<18}");
    digits.parse().unwrap()
}

/// Price and quantity.
pub(crate) type Pair = (i128, i128);

/// The best levels of both sides.
pub(crate) type Top = (Vec<Pair>, Vec<Pair>);

/// A book kept the slow and obvious way.
#[derive(Default)]
pub(crate) struct SlowBook {
    bids: BTreeMap<Reverse<i128>, i128>,
    asks: BTreeMap<i128, i128>,
}

impl SlowBook {
    pub(crate) fn set(&mut self, is_bid: bool, price: &Value, qty: &Value) {
        let [price, qty] = [price, qty].map(|text| units(text.as_str().unwrap()));
        match (is_bid, qty) {
            (true, 0) => self.bids.remove(&Reverse(price)),
            (true, _) => self.bids.insert(Reverse(price), qty),
            (false, 0) => self.asks.remove(&price),
            (false, _) => self.asks.insert(price, qty),
        };
    }

    pub(crate) fn top(&self, levels: usize) -> Top {
        let bids = self.bids.iter().map(|(price, qty)| (price.0, *qty));
        let asks = self.asks.iter().map(|(price, qty)| (*price, *qty));
        (bids.take(levels).collect(), asks.take(levels).collect())
    }
}
