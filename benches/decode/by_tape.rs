//! Messages through `simd-json`: the whole of it into a reused tape, values looked up by name.

use dragonfly_core::{
    clock::UtcNanos,
    market::{BookUpdate, Level, Price, Qty, Symbol, UpdateKind},
};
use dragonfly_feeds::json::rfc3339;
use simd_json::{
    Buffers, INPUT_PADDING, Tape, fill_tape_padded,
    prelude::{ValueAsScalar, ValueIntoString},
    tape::Value,
};

use super::by_serde::{kind, level};

/// The buffers that are reused from message to message.
#[derive(Default)]
pub(crate) struct Reader {
    input: Vec<u8>,
    buffers: Buffers,
    tape: Option<Tape<'static>>,
}

impl Reader {
    /// Copies the message, makes the tape and has it read.
    pub(crate) fn read(&mut self, message: &[u8], read: impl FnOnce(&Tape<'_>)) {
        self.input.clear();
        self.input.extend_from_slice(message);
        self.input.resize(message.len() + INPUT_PADDING, 0);
        let mut tape = self.tape.take().unwrap_or_else(Tape::null).reset();
        fill_tape_padded(&mut self.input, message.len(), &mut self.buffers, &mut tape).unwrap();
        read(&tape);
        self.tape = Some(tape.reset());
    }
}

/// The value of a key that must be there.
fn at<'t, 'i>(value: Value<'t, 'i>, key: &str) -> Value<'t, 'i> {
    value.get(key).unwrap()
}

fn text<'i>(value: Value<'_, 'i>) -> &'i str {
    value.into_string().unwrap()
}

pub(crate) fn binance(tape: &Tape<'_>, update: &mut BookUpdate) {
    let root = tape.as_value();
    let name = text(at(root, "stream"))
        .split('@')
        .next()
        .unwrap_or_default();
    update.symbol = Symbol::new(&name.to_ascii_uppercase()).unwrap();
    let data = at(root, "data");
    update.last = at(data, "lastUpdateId").as_u64().unwrap();
    pairs(at(data, "bids"), update.wanted, &mut update.bids);
    pairs(at(data, "asks"), update.wanted, &mut update.asks);
}

pub(crate) fn binance_diff(tape: &Tape<'_>, update: &mut BookUpdate) {
    let change = at(tape.as_value(), "data");
    update.kind = UpdateKind::Delta;
    update.symbol = Symbol::new(text(at(change, "s"))).unwrap();
    update.first = at(change, "U").as_u64().unwrap();
    update.last = at(change, "u").as_u64().unwrap();
    update.ts_venue = Some(UtcNanos::from_millis(at(change, "E").as_u64().unwrap()));
    pairs(at(change, "b"), usize::MAX, &mut update.bids);
    pairs(at(change, "a"), usize::MAX, &mut update.asks);
}

pub(crate) fn bitstamp(tape: &Tape<'_>, update: &mut BookUpdate) {
    let root = tape.as_value();
    assert_eq!(text(at(root, "event")), "data");
    let pair = text(at(root, "channel"))
        .strip_prefix("order_book_")
        .unwrap();
    update.symbol = Symbol::new(pair).unwrap();
    let data = at(root, "data");
    update.last = text(at(data, "microtimestamp")).parse().unwrap();
    update.ts_venue = Some(UtcNanos::from_micros(update.last));
    pairs(at(data, "bids"), update.wanted, &mut update.bids);
    pairs(at(data, "asks"), update.wanted, &mut update.asks);
}

pub(crate) fn bybit(tape: &Tape<'_>, update: &mut BookUpdate) {
    let root = tape.as_value();
    let mut words = text(at(root, "topic")).split('.').skip(1);
    update.window = words.next().map(|levels| levels.parse().unwrap());
    update.symbol = Symbol::new(words.next().unwrap()).unwrap();
    update.kind = kind(text(at(root, "type")));
    let data = at(root, "data");
    update.last = at(data, "u").as_u64().unwrap();
    update.ts_venue = Some(UtcNanos::from_millis(at(root, "cts").as_u64().unwrap()));
    pairs(at(data, "b"), usize::MAX, &mut update.bids);
    pairs(at(data, "a"), usize::MAX, &mut update.asks);
}

pub(crate) fn coinbase(tape: &Tape<'_>, update: &mut BookUpdate) {
    let root = tape.as_value();
    assert_eq!(text(at(root, "channel")), "l2_data");
    update.last = at(root, "sequence_num").as_u64().unwrap();
    update.ts_venue = rfc3339(text(at(root, "timestamp")).as_bytes());
    for event in at(root, "events").as_array().unwrap().iter() {
        update.kind = kind(text(at(event, "type")));
        update.symbol = Symbol::new(text(at(event, "product_id"))).unwrap();
        for change in at(event, "updates").as_array().unwrap().iter() {
            let changed = level(
                text(at(change, "price_level")),
                text(at(change, "new_quantity")),
            );
            match text(at(change, "side")) {
                "bid" => update.bids.push(changed),
                _ => update.asks.push(changed),
            }
        }
    }
}

pub(crate) fn kraken(tape: &Tape<'_>, update: &mut BookUpdate) {
    let root = tape.as_value();
    assert_eq!(text(at(root, "channel")), "book");
    update.kind = kind(text(at(root, "type")));
    for book in at(root, "data").as_array().unwrap().iter() {
        update.symbol = Symbol::new(text(at(book, "symbol"))).unwrap();
        let checksum = at(book, "checksum").as_u64().unwrap();
        update.checksum = Some(u32::try_from(checksum).unwrap());
        update.ts_venue = rfc3339(text(at(book, "timestamp")).as_bytes());
        for (key, into) in [("bids", &mut update.bids), ("asks", &mut update.asks)] {
            let levels = at(book, key).as_array().unwrap();
            into.extend(levels.iter().map(|level| {
                let [price, qty] = ["price", "qty"].map(|key| units(at(level, key)));
                Level::new(Price::from_units(price), Qty::from_units(qty))
            }));
        }
    }
}

/// The number of units that the tape's double stands for, if it has at most ten decimals; not exact
/// where a number has more than 15 digits.
fn units(value: Value<'_, '_>) -> i128 {
    let double = value.cast_f64().unwrap();
    #[allow(clippy::cast_possible_truncation, reason = "rounded to a whole number")]
    let tenth = (double * 1e10).round() as i128;
    tenth * 100_000_000
}

fn pairs(from: Value<'_, '_>, wanted: usize, into: &mut Vec<Level>) {
    for pair in from.as_array().unwrap().iter().take(wanted) {
        let pair = pair.as_array().unwrap();
        let mut parts = pair.iter();
        let (price, qty) = (parts.next().unwrap(), parts.next().unwrap());
        into.push(level(text(price), text(qty)));
    }
}
