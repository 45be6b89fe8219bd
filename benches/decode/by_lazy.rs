//! Messages through `sonic-rs`, lazily: each wanted value looked up by its path, arrays only as far as
//! wanted.

use dragonfly_core::{
    clock::UtcNanos,
    market::{BookUpdate, Level, Symbol, UpdateKind},
};
use dragonfly_feeds::json::rfc3339;
use sonic_rs::{LazyValue, get_from_slice, to_array_iter, to_object_iter};

use super::by_serde::{kind, level};

/// The text of a value that must be there, without its quotes.
fn at<'a>(message: &'a [u8], path: &[&str]) -> &'a str {
    bare(get_from_slice(message, path).unwrap().as_raw_str(), message)
}

/// The part of `message` that `text` is, without its quotes: a borrow of the message itself.
fn bare<'a>(text: &str, message: &'a [u8]) -> &'a str {
    let begin = text.as_ptr() as usize - message.as_ptr() as usize;
    let text = str::from_utf8(&message[begin..begin + text.len()]).unwrap();
    text.trim_matches('"')
}

fn number(message: &[u8], path: &[&str]) -> u64 {
    at(message, path).parse().unwrap()
}

pub(crate) fn binance(message: &[u8], update: &mut BookUpdate) {
    let stream = at(message, &["stream"]);
    let name = stream.split('@').next().unwrap_or_default();
    update.symbol = Symbol::new(&name.to_ascii_uppercase()).unwrap();
    update.last = number(message, &["data", "lastUpdateId"]);
    let wanted = update.wanted;
    pairs(message, &["data", "bids"], wanted, &mut update.bids);
    pairs(message, &["data", "asks"], wanted, &mut update.asks);
}

pub(crate) fn binance_diff(message: &[u8], update: &mut BookUpdate) {
    update.kind = UpdateKind::Delta;
    update.symbol = Symbol::new(at(message, &["data", "s"])).unwrap();
    update.first = number(message, &["data", "U"]);
    update.last = number(message, &["data", "u"]);
    update.ts_venue = Some(UtcNanos::from_millis(number(message, &["data", "E"])));
    pairs(message, &["data", "b"], usize::MAX, &mut update.bids);
    pairs(message, &["data", "a"], usize::MAX, &mut update.asks);
}

pub(crate) fn bitstamp(message: &[u8], update: &mut BookUpdate) {
    assert_eq!(at(message, &["event"]), "data");
    let pair = at(message, &["channel"])
        .strip_prefix("order_book_")
        .unwrap();
    update.symbol = Symbol::new(pair).unwrap();
    update.last = number(message, &["data", "microtimestamp"]);
    update.ts_venue = Some(UtcNanos::from_micros(update.last));
    let wanted = update.wanted;
    pairs(message, &["data", "bids"], wanted, &mut update.bids);
    pairs(message, &["data", "asks"], wanted, &mut update.asks);
}

pub(crate) fn bybit(message: &[u8], update: &mut BookUpdate) {
    let mut words = at(message, &["topic"]).split('.').skip(1);
    update.window = words.next().map(|levels| levels.parse().unwrap());
    update.symbol = Symbol::new(words.next().unwrap()).unwrap();
    update.kind = kind(at(message, &["type"]));
    update.last = number(message, &["data", "u"]);
    update.ts_venue = Some(UtcNanos::from_millis(number(message, &["cts"])));
    pairs(message, &["data", "b"], usize::MAX, &mut update.bids);
    pairs(message, &["data", "a"], usize::MAX, &mut update.asks);
}

pub(crate) fn coinbase(message: &[u8], update: &mut BookUpdate) {
    assert_eq!(at(message, &["channel"]), "l2_data");
    update.last = number(message, &["sequence_num"]);
    update.ts_venue = rfc3339(at(message, &["timestamp"]).as_bytes());
    let events = get_from_slice(message, &["events"]).unwrap();
    for event in to_array_iter(events.as_raw_str()) {
        let event = event.unwrap();
        let event = event.as_raw_str().as_bytes();
        update.kind = kind(at(event, &["type"]));
        update.symbol = Symbol::new(at(event, &["product_id"])).unwrap();
        let changes = get_from_slice(event, &["updates"]).unwrap();
        for change in to_array_iter(changes.as_raw_str()) {
            let change = change.unwrap();
            let [side, price, qty] =
                fields(&change, ["side", "price_level", "new_quantity"]).map(Option::unwrap);
            let changed = level(trimmed(&price), trimmed(&qty));
            match trimmed(&side) {
                "bid" => update.bids.push(changed),
                _ => update.asks.push(changed),
            }
        }
    }
}

pub(crate) fn kraken(message: &[u8], update: &mut BookUpdate) {
    assert_eq!(at(message, &["channel"]), "book");
    update.kind = kind(at(message, &["type"]));
    let books = get_from_slice(message, &["data"]).unwrap();
    for book in to_array_iter(books.as_raw_str()) {
        let book = book.unwrap();
        let book = book.as_raw_str().as_bytes();
        update.symbol = Symbol::new(at(book, &["symbol"])).unwrap();
        update.checksum = Some(at(book, &["checksum"]).parse().unwrap());
        update.ts_venue = rfc3339(at(book, &["timestamp"]).as_bytes());
        for (key, into) in [("bids", &mut update.bids), ("asks", &mut update.asks)] {
            let levels = get_from_slice(book, &[key]).unwrap();
            for l in to_array_iter(levels.as_raw_str()) {
                let l = l.unwrap();
                let [price, qty] = fields(&l, ["price", "qty"]).map(Option::unwrap);
                into.push(level(price.as_raw_str(), qty.as_raw_str()));
            }
        }
    }
}

/// The values of some keys in one walk over an object.
fn fields<'a, const N: usize>(
    object: &'a LazyValue<'_>,
    keys: [&str; N],
) -> [Option<LazyValue<'a>>; N] {
    let mut values = [const { None }; N];
    for field in to_object_iter(object.as_raw_str()) {
        let (key, value) = field.unwrap();
        if let Some(i) = keys.iter().position(|k| *k == key) {
            values[i] = Some(value);
        }
    }
    values
}

fn trimmed<'a>(value: &'a LazyValue<'_>) -> &'a str {
    value.as_raw_str().trim_matches('"')
}

fn pairs(message: &[u8], path: &[&str], wanted: usize, into: &mut Vec<Level>) {
    let levels = get_from_slice(message, path).unwrap();
    for pair in to_array_iter(levels.as_raw_str()).take(wanted) {
        let pair = pair.unwrap();
        let mut parts = to_array_iter(pair.as_raw_str());
        let (price, qty) = (parts.next().unwrap(), parts.next().unwrap());
        into.push(level(trimmed(&price.unwrap()), trimmed(&qty.unwrap())));
    }
}
