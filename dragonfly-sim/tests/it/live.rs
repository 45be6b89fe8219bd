//! Generated markets over real sockets: the ledger says what arrived, faults do what they say.

use std::sync::{Arc, Mutex};

use dragonfly_core::clock::{Clock, Nanos, UtcNanos};
use dragonfly_sim::{
    fault::{Fault, Kind},
    ledger::{Entry, Levels, Record},
    live::{Live, Options, Rate},
};
use serde_json::{Value, json};

use crate::client::{Client, Closed};

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

pub(crate) fn entries(ledger: &Ledger) -> Vec<Entry> {
    let records = ledger.lock().unwrap();
    let entry = |record: &Record| match record {
        Record::Entry(entry) => Some(entry.clone()),
        _ => None,
    };
    records.iter().filter_map(entry).collect()
}

/// What comes of asking again and again, for some seconds.
fn until<T>(ask: impl Fn() -> Option<T>) -> T {
    let clock = Clock::monotonic();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(clock.mono() < Nanos::from_secs(20), "it never happened");
        std::thread::yield_now();
    }
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

#[test]
fn a_market_without_a_pace_is_as_fast_as_its_client() {
    let mut options = options("bybit");
    options.rate = Rate::AsFast;
    let (live, ledger) = start(options);
    let mut client = Client::reach(live.ca_pem(), live.endpoint("bybit").unwrap()).unwrap();
    client.send(&request("bybit"));
    let mut last = None;
    for _ in 0..3_000 {
        let Some(number) = number("bybit", &client.next()) else {
            continue;
        };
        assert!(
            last.is_none_or(|last| number == last + 1),
            "{last:?} {number}"
        );
        last = Some(number);
    }
    live.stop();
    assert!(entries(&ledger).len() >= 2_900);
}

#[test]
fn two_hundred_connections_are_cut_at_once_and_slots_are_given_again() {
    let mut options = options("kraken");
    options.venues.push("bybit".to_owned());
    options.rate = Rate::PerSecond(0.5);
    let (live, ledger) = start(options);
    let connect = |venue: &str| {
        let mut client = Client::reach(live.ca_pem(), live.endpoint(venue).unwrap()).unwrap();
        client.send(&request(venue));
        while number(venue, &client.next()).is_none() {}
        client
    };
    let venues = ["kraken", "bybit"].into_iter().cycle();
    let clients: Vec<Client> = venues.take(200).map(connect).collect();
    live.inject(&Fault::new(Kind::MassCut, 1.0)).unwrap();
    for mut client in clients {
        assert_eq!(client.rest().1, Closed(None));
    }
    assert_eq!(live.fired()[&Kind::MassCut], 1);
    let before = entries(&ledger);
    assert_eq!(before.iter().map(|entry| entry.socket).max(), Some(199));
    let _client = connect("kraken");
    // What a client reads may be in the ledger a moment later.
    let entry = until(|| entries(&ledger).get(before.len()).cloned());
    assert_eq!((entry.venue.as_str(), entry.socket), ("kraken", 1));
}

#[test]
fn what_can_never_happen_is_not_injected() {
    let (live, _ledger) = start(options("kraken"));
    let refused = |kind: Kind, instrument: Option<&str>| {
        let mut fault = Fault::new(kind, 1.0);
        fault.instrument = instrument.map(str::to_owned);
        live.inject(&fault).unwrap_err().to_string()
    };
    assert!(refused(Kind::Starved, None).contains("the client's machine"));
    assert!(refused(Kind::Recount, None).contains("no venue is served"));
    assert!(refused(Kind::Gap, Some("BTCUSD")).contains("no venue has \"BTCUSD\", only BTC/USD"));
    assert!(refused(Kind::LostRequest, Some("BTC/USD")).contains("leave `instrument` out"));
    let mut endless = Fault::new(Kind::Stall, 1.0);
    endless.for_ms = u64::MAX;
    let error = live.inject(&endless).unwrap_err().to_string();
    assert!(error.contains("more than a day"), "{error}");
    assert!(live.unfired().is_empty());
}

#[test]
fn what_finds_nothing_to_happen_to_in_its_time_does_not_happen_later() {
    let mut options = options("bybit");
    let (clock, hands) = Clock::manual(UtcNanos(0));
    options.clock = clock;
    let mut cut = Fault::new(Kind::Cut, 1.0);
    cut.until_s = 1;
    options.plan.faults.push(cut);
    let (live, _ledger) = start(options);
    hands.advance(Nanos::from_secs(3));
    let mut client = Client::reach(live.ca_pem(), live.endpoint("bybit").unwrap()).unwrap();
    client.send(&request("bybit"));
    for _ in 0..20 {
        hands.advance(Nanos::from_millis(50));
        client.next();
    }
    assert_eq!(live.unfired(), [(0, Kind::Cut)]);
}

#[test]
fn a_request_that_never_comes_keeps_no_other_from_being_lost() {
    let (live, _ledger) = start(options("kraken"));
    let connect = || {
        let mut client = Client::reach(live.ca_pem(), live.endpoint("kraken").unwrap()).unwrap();
        client.send(&request("kraken"));
        client
    };
    let up = || {
        let mut client = connect();
        while number("kraken", &client.next()).is_none() {}
        client
    };
    let (mut stays, mut leaves) = (up(), up());
    let mut lost = Fault::new(Kind::LostRequest, 1.0);
    lost.socket = Some(1);
    live.inject(&lost).unwrap();
    assert_eq!(
        leaves.rest().1,
        Closed(None),
        "it is cut and does not come back"
    );
    lost.socket = None;
    live.inject(&lost).unwrap();
    assert_eq!(stays.rest().1, Closed(None));
    let _back = connect();
    until(|| (live.unfired() == [(0, Kind::LostRequest)]).then_some(()));
}

#[test]
fn connections_end_in_time_where_their_lifetime_is_set_again_before() {
    let mut options = options("bybit");
    let (clock, hands) = Clock::manual(UtcNanos(0));
    options.clock = clock;
    options.span = std::time::Duration::from_secs(60);
    let mut lifetime = Fault::new(Kind::Lifetime, 120.0);
    lifetime.for_ms = 3_000;
    options.plan.faults.push(lifetime);
    let (live, _ledger) = start(options);
    let mut client = Client::reach(live.ca_pem(), live.endpoint("bybit").unwrap()).unwrap();
    client.send(&request("bybit"));
    for steps in 0.. {
        assert!(steps < 200, "ten seconds, and nothing ended it");
        hands.advance(Nanos::from_millis(50));
        if client.text() == Err(Closed(None)) {
            break;
        }
    }
    assert_eq!(live.fired()[&Kind::Lifetime], 1);
}

#[test]
fn a_renamed_instrument_can_be_had_under_its_new_symbol() {
    for venue in VENUES {
        let (live, _ledger) = start(options(venue));
        let connect = || Client::reach(live.ca_pem(), live.endpoint(venue).unwrap()).unwrap();
        let (mut old, mut new) = (connect(), connect());
        old.send(&request(venue));
        while number(venue, &old.next()).is_none() {}
        live.inject(&Fault::new(Kind::Renamed, 1.0)).unwrap();
        until(|| (live.fired()[&Kind::Renamed] > 0).then_some(()));
        let renamed = |text: &str| text.replace("BTC", "XBTC").replace("btc", "xbtc");
        new.send(&renamed(&request(venue)));
        for client in [&mut new, &mut old] {
            let mut told = client.next();
            while number(venue, &told).is_none() || !told.to_ascii_lowercase().contains("xbtc") {
                told = client.next();
            }
            let plain = told.replace("XBTC", "BTC").replace("xbtc", "btc");
            assert_eq!(told, renamed(&plain), "{venue}");
        }
    }
}

#[test]
fn only_the_subscription_that_a_plan_wants_refused_is_refused_and_counted() {
    for venue in VENUES {
        let mut options = options(venue);
        options.instruments = vec!["BTC-USD".to_owned(), "ETH-USD".to_owned()];
        let (live, _ledger) = start(options);
        let connect = || Client::reach(live.ca_pem(), live.endpoint(venue).unwrap()).unwrap();
        let btc = request(venue);
        let eth = btc.replace("BTC", "ETH").replace("btc", "eth");
        let mut refused = Fault::new(Kind::Refused, 1.0);
        let symbols: Vec<String> = live.books().into_iter().map(|book| book.symbol).collect();
        refused.instrument = Some(symbols[1].clone());
        let count = || live.fired()[&Kind::Refused];
        let mut client = connect();
        client.send(&eth);
        while number(venue, &client.next()).is_none() {}
        live.inject(&refused).unwrap();
        client.rest();
        let mut client = connect();
        client.send(&btc);
        while number(venue, &client.next()).is_none() {}
        assert_eq!(count(), 0, "{venue}: nothing of it was asked for");
        client.send(&eth);
        let is_refusal = |text: &str| {
            let text = text.to_ascii_lowercase();
            ["error", "invalid", "false"]
                .iter()
                .any(|word| text.contains(word))
        };
        while !is_refusal(&client.next()) {}
        until(|| (count() == 1).then_some(()));
        client.send(&eth);
        let is_told = |text: &str| text.to_ascii_lowercase().contains("eth");
        let mut text = client.next();
        while !is_told(&text) || number(venue, &text).is_none() {
            text = client.next();
        }
    }
}

#[test]
fn calm_ends_what_lasts_and_what_is_to_come() {
    let mut options = options("bitstamp");
    options.plan.faults.push(Fault::new(Kind::Cut, 1.0));
    options.span = std::time::Duration::from_secs(100_000);
    let (live, _ledger) = start(options);
    let mut client = Client::reach(live.ca_pem(), live.endpoint("bitstamp").unwrap()).unwrap();
    client.send(&request("bitstamp"));
    client.next();
    let mut stall = Fault::new(Kind::Stall, 1.0);
    stall.for_ms = 1_000_000;
    live.inject(&stall).unwrap();
    until(|| (live.fired()[&Kind::Stall] > 0).then_some(()));
    live.calm();
    for _ in 0..3 {
        client.next();
    }
    assert_eq!(live.unfired(), [(0, Kind::Cut)]);
}
