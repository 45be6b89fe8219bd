//! Generated markets over real sockets: the ledger says what arrived, faults do what they say.

use std::sync::{Arc, Mutex};

use dragonfly_sim::{
    ledger::{Entry, Levels, Record},
    live::{Live, Options, Rate},
};
use serde_json::{Value, json};

use crate::client::Client;

const VENUES: [&str; 5] = [
    "binance",
    "bitstamp",
    "bybit",
    "coinbase-advanced",
    "kraken",
];

/// What a client says to get the book of BTC-USD.
pub(crate) fn request(venue: &str) -> String {
    let request = match venue {
        "binance" => {
            json!({"method": "SUBSCRIBE", "params": ["btcusd@depth20@100ms"], "id": 1})
        }
        "bitstamp" => {
            json!({"event": "bts:subscribe", "data": {"channel": "order_book_btcusd"}})
        }
        "bybit" => json!({"op": "subscribe", "args": ["orderbook.50.BTCUSD"]}),
        "kraken" => json!({
            "method": "subscribe",
            "params": {"channel": "book", "symbol": ["BTC/USD"], "depth": 25}
        }),
        _ => json!({"type": "subscribe", "channel": "level2", "product_ids": ["BTC-USD"]}),
    };
    request.to_string()
}

/// The number of a message about a book; Kraken, which has none, counts from 0.
fn number(venue: &str, text: &str) -> Option<u64> {
    let message: Value = serde_json::from_str(text).unwrap();
    match venue {
        "binance" => message["data"]["lastUpdateId"].as_u64(),
        "bitstamp" => message["data"]["microtimestamp"].as_str()?.parse().ok(),
        "bybit" => message["data"]["u"].as_u64(),
        "kraken" => (message["channel"] == "book").then_some(0),
        _ => (message["channel"] == "l2_data").then(|| message["sequence_num"].as_u64())?,
    }
}

pub(crate) type Ledger = Arc<Mutex<Vec<Record>>>;

pub(crate) fn start(options: Options) -> (Live, Ledger) {
    let ledger = Ledger::default();
    let sink = Arc::clone(&ledger);
    let live = Live::start(
        options,
        Box::new(move |record| sink.lock().unwrap().push(record)),
    );
    (live.unwrap(), ledger)
}

pub(crate) fn options(venue: &str) -> Options {
    let mut options = Options::new(5);
    options.venues = vec![venue.to_owned()];
    options.instruments = vec!["BTC-USD".to_owned()];
    options.rate = Rate::PerSecond(200.0);
    options
}

fn entries(ledger: &Ledger) -> Vec<Entry> {
    let records = ledger.lock().unwrap();
    let entry = |record: &Record| match record {
        Record::Entry(entry) => Some(entry.clone()),
        _ => None,
    };
    records.iter().filter_map(entry).collect()
}

#[test]
fn the_ledger_says_what_arrived() {
    for venue in VENUES {
        let (live, ledger) = start(options(venue));
        let mut client = Client::reach(live.ca_pem(), live.endpoint(venue).unwrap()).unwrap();
        client.send(&request(venue));
        let mut numbers = Vec::new();
        while numbers.len() < 15 {
            numbers.extend(number(venue, &client.next()));
        }
        if venue == "kraken" {
            numbers = (0..15).collect();
        }
        live.stop();
        let entries = entries(&ledger);
        let said: Vec<u64> = entries.iter().take(15).map(|entry| entry.seq).collect();
        assert_eq!(said, numbers, "{venue}");
        assert!(entries.iter().all(|entry| entry.venue == venue));
        assert!(entries[0].is_whole && entries.windows(2).all(|two| two[0].at <= two[1].at));
    }
}

#[test]
fn an_image_is_in_the_ledger_level_by_level() {
    let (live, ledger) = start(options("bitstamp"));
    let mut client = Client::reach(live.ca_pem(), live.endpoint("bitstamp").unwrap()).unwrap();
    client.send(&request("bitstamp"));
    let image = loop {
        let text = client.next();
        if number("bitstamp", &text).is_some() {
            break serde_json::from_str::<Value>(&text).unwrap();
        }
    };
    live.stop();
    let entry = entries(&ledger).remove(0);
    let worth = |text: &str| text.parse::<f64>().unwrap();
    let same = |side: &str, levels: &Levels| {
        let sent = image["data"][side].as_array().unwrap();
        let both = levels.iter().zip(sent).map(|((price, qty), level)| {
            let sent = [&level[0], &level[1]].map(|number| worth(number.as_str().unwrap()));
            ([worth(price), worth(qty)], sent)
        });
        let both: Vec<_> = both.collect();
        assert!(!both.is_empty() && both.iter().all(|(said, sent)| said == sent));
    };
    same("bids", &entry.bids);
    same("asks", &entry.asks);
}
