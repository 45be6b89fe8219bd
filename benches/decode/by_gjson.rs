//! Messages through `gjson`: each wanted value looked up by its path, arrays only as far as wanted.

use dragonfly_core::{
    clock::UtcNanos,
    market::{BookUpdate, Level, Symbol, UpdateKind},
};
use dragonfly_feeds::json::rfc3339;
use gjson::{Value, get};

use super::by_serde::{kind, level};

fn text(message: &[u8]) -> &str {
    str::from_utf8(message).unwrap()
}

pub(crate) fn binance(message: &[u8], update: &mut BookUpdate) {
    let message = text(message);
    let stream = get(message, "stream");
    let name = stream.str().split('@').next().unwrap_or_default();
    update.symbol = Symbol::new(&name.to_ascii_uppercase()).unwrap();
    update.last = get(message, "data.lastUpdateId").u64();
    pairs(&get(message, "data.bids"), update.wanted, &mut update.bids);
    pairs(&get(message, "data.asks"), update.wanted, &mut update.asks);
}

pub(crate) fn binance_diff(message: &[u8], update: &mut BookUpdate) {
    let message = text(message);
    update.kind = UpdateKind::Delta;
    update.symbol = Symbol::new(get(message, "data.s").str()).unwrap();
    update.first = get(message, "data.U").u64();
    update.last = get(message, "data.u").u64();
    update.ts_venue = Some(UtcNanos::from_millis(get(message, "data.E").u64()));
    pairs(&get(message, "data.b"), usize::MAX, &mut update.bids);
    pairs(&get(message, "data.a"), usize::MAX, &mut update.asks);
}

pub(crate) fn bitstamp(message: &[u8], update: &mut BookUpdate) {
    let message = text(message);
    assert_eq!(get(message, "event").str(), "data");
    let channel = get(message, "channel");
    let pair = channel.str().strip_prefix("order_book_").unwrap();
    update.symbol = Symbol::new(pair).unwrap();
    let micros = get(message, "data.microtimestamp");
    update.last = micros.str().parse().unwrap();
    update.ts_venue = Some(UtcNanos::from_micros(update.last));
    pairs(&get(message, "data.bids"), update.wanted, &mut update.bids);
    pairs(&get(message, "data.asks"), update.wanted, &mut update.asks);
}

pub(crate) fn bybit(message: &[u8], update: &mut BookUpdate) {
    let message = text(message);
    let topic = get(message, "topic");
    let mut words = topic.str().split('.').skip(1);
    update.window = words.next().map(|levels| levels.parse().unwrap());
    update.symbol = Symbol::new(words.next().unwrap()).unwrap();
    update.kind = kind(get(message, "type").str());
    update.last = get(message, "data.u").u64();
    update.ts_venue = Some(UtcNanos::from_millis(get(message, "cts").u64()));
    pairs(&get(message, "data.b"), usize::MAX, &mut update.bids);
    pairs(&get(message, "data.a"), usize::MAX, &mut update.asks);
}

pub(crate) fn coinbase(message: &[u8], update: &mut BookUpdate) {
    let message = text(message);
    assert_eq!(get(message, "channel").str(), "l2_data");
    update.last = get(message, "sequence_num").u64();
    update.ts_venue = rfc3339(get(message, "timestamp").str().as_bytes());
    get(message, "events").each(|_, event| {
        update.kind = kind(event.get("type").str());
        update.symbol = Symbol::new(event.get("product_id").str()).unwrap();
        event.get("updates").each(|_, change| {
            let (price, qty) = (change.get("price_level"), change.get("new_quantity"));
            let changed = level(price.str(), qty.str());
            match change.get("side").str() {
                "bid" => update.bids.push(changed),
                _ => update.asks.push(changed),
            }
            true
        });
        true
    });
}

pub(crate) fn kraken(message: &[u8], update: &mut BookUpdate) {
    let message = text(message);
    assert_eq!(get(message, "channel").str(), "book");
    update.kind = kind(get(message, "type").str());
    get(message, "data").each(|_, book| {
        update.symbol = Symbol::new(book.get("symbol").str()).unwrap();
        update.checksum = Some(book.get("checksum").u32());
        update.ts_venue = rfc3339(book.get("timestamp").str().as_bytes());
        for (key, into) in [("bids", &mut update.bids), ("asks", &mut update.asks)] {
            book.get(key).each(|_, l| {
                into.push(level(l.get("price").json(), l.get("qty").json()));
                true
            });
        }
        true
    });
}

fn pairs(from: &Value<'_>, wanted: usize, into: &mut Vec<Level>) {
    from.each(|_, pair| {
        let mut texts = [Value::default(), Value::default()];
        let mut count = 0;
        pair.each(|_, value| {
            texts[count] = value;
            count += 1;
            count < 2
        });
        into.push(level(texts[0].str(), texts[1].str()));
        into.len() < wanted
    });
}
