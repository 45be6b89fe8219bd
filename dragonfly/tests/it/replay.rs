//! Captures through the code of the `replay` example, against books worked out independently.

use std::fmt::Write as _;

use dragonfly::{
    clients::capture,
    feeds::{OpenError, VenueReplay},
    market::{BookState, Level},
};
use serde_json::Value;

use super::recorded;

const REFERENCE: &str =
    include_str!("../../../dragonfly-feeds/tests/captures/reference_final_books.json");

/// The captures of protocols that are spoken today; Kraken's is of an older one.
const CAPTURES: [&str; 5] = [
    "binance/20211012_ws_4pairs",
    "bitstamp/20220105_ws_10pairs",
    "bybit/20260809_ws_v5_spot",
    "bybit/20260809_ws_v5_linear",
    "coinbase-advanced/20260809_ws_advanced_btcusd_ethusd",
];

/// Plays a capture; also what was wrong in it.
fn played(name: &str) -> (VenueReplay, Vec<String>) {
    let venue = name.split('/').next().unwrap();
    let mut replay = VenueReplay::new(venue, 10).unwrap();
    let mut faults = Vec::new();
    let file = capture::open(recorded::capture(name)).unwrap();
    replay
        .play_file(file, &mut |fault| faults.push(fault))
        .unwrap();
    (replay, faults)
}

fn text(level: Option<&Level>) -> (String, String) {
    let level = level.unwrap();
    (level.price.to_string(), level.qty.to_string())
}

/// Fails where a replay did not end in the reference books of the capture `name`.
fn ends_in_its_books(name: &str, replay: &VenueReplay, native: impl Fn(&str) -> String) {
    let reference: Value = serde_json::from_str(REFERENCE).unwrap();
    let expected = reference[format!("{name}.jsonl")].as_object().unwrap();
    assert_eq!(replay.books().count(), expected.len(), "{name}");
    for (recorded_as, expected) in expected {
        let native = native(recorded_as);
        let book = replay.books().find(|book| book.native_symbol == *native);
        let book = book.unwrap();
        let (stats, depth) = (book.sync.stats(), book.sync.depth(10));
        assert_eq!(book.sync.state(), BookState::Live, "{name} {native}");
        assert_eq!((stats.gaps, stats.checksum_failures), (0, 0), "{name}");
        for (side, best) in [("bid", depth.bids.first()), ("ask", depth.asks.first())] {
            let (price, qty) = text(best);
            let [is_price, is_qty] = [&price, &qty].map(|text| recorded::units(text));
            let level = [0, 1].map(|i| recorded::units(expected[side][i].as_str().unwrap()));
            assert_eq!([is_price, is_qty], level, "{name} {native} {side}");
        }
    }
}

#[test]
fn every_capture_ends_in_its_reference_books() {
    for name in CAPTURES {
        let (replay, faults) = played(name);
        assert_eq!(faults, [""; 0], "{name}");
        ends_in_its_books(name, &replay, str::to_owned);
    }
}

fn v2_symbol(v1: &str) -> String {
    v1.replace("XBT", "BTC").replace("XDG", "DOGE")
}

/// A book message of Kraken's protocol v1, `[id, {..}, .., "book-1000", "XBT/USD"]`, as one of v2:
/// the digits and the checksum are kept.
fn kraken_v2(v1: &str) -> Option<String> {
    let message: Value = serde_json::from_str(v1).unwrap();
    let [_, parts @ .., _, pair] = &message.as_array()?[..] else {
        return None;
    };
    let level = |level: &Value| {
        let [price, qty] = [0, 1].map(|i| level[i].as_str().unwrap());
        format!(r#"{{"price":{price},"qty":{qty}}}"#)
    };
    let side = |keys: [&str; 2]| {
        let levels = parts.iter().flat_map(|part| keys.map(|key| &part[key]));
        let levels = levels.filter_map(Value::as_array).flatten();
        levels.map(level).collect::<Vec<_>>().join(",")
    };
    let kind = ["update", "snapshot"][usize::from(parts[0].get("as").is_some())];
    let sum = parts.iter().find_map(|part| part["c"].as_str());
    let sum = sum.map_or(String::new(), |sum| format!(r#","checksum":{sum}"#));
    let (bids, asks) = (side(["bs", "b"]), side(["as", "a"]));
    let symbol = v2_symbol(pair.as_str()?);
    Some(format!(
        r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{bids}],"asks":[{asks}]{sum},"timestamp":"2021-04-05T23:47:03Z"}}]}}"#
    ))
}

#[test]
fn kraken_in_its_protocol_of_today_ends_in_its_reference_books() {
    let name = "kraken/20210405_ws_book1000_10pairs";
    let mut replay = VenueReplay::new("kraken", 10).unwrap();
    for record in capture::open(recorded::capture(name)).unwrap() {
        let mut record = record.unwrap();
        if let Some(message) = kraken_v2(&record.msg) {
            record.msg = message;
            replay.play(record).unwrap();
        }
    }
    assert_eq!(replay.counts().others, 0);
    ends_in_its_books(name, &replay, v2_symbol);
}

#[test]
fn spot_and_linear_books_of_one_name_are_two() {
    let mut replay = VenueReplay::new("bybit", 1).unwrap();
    for name in ["bybit/20260809_ws_v5_spot", "bybit/20260809_ws_v5_linear"] {
        let file = capture::open(recorded::capture(name)).unwrap();
        replay
            .play_file(file, &mut |fault| panic!("{fault}"))
            .unwrap();
    }
    let of_btc = replay
        .books()
        .filter(|book| book.native_symbol == *"BTCUSDT");
    let best = |book: &dragonfly::feed::TrackedBook| {
        let depth = book.sync.depth(1);
        format!("{} {}", book.symbol, text(depth.bids.first()).0)
    };
    let best: Vec<String> = of_btc.map(best).collect();
    assert_eq!(best, ["BTC-USDT 65140.4", "BTC-USDT-PERP 65114.2"]);
}

#[test]
fn messages_of_an_older_protocol_give_no_book() {
    let (replay, faults) = played("kraken/20210405_ws_book1000_10pairs");
    assert_eq!((replay.books().count(), faults.len()), (0, 0));
    let counts = replay.counts();
    assert_eq!((counts.messages, counts.others), (14_636, 14_636));
}

#[test]
fn what_is_wrong_is_named_by_its_line_and_the_rest_is_read() {
    let snapshot = r#"{"topic":"orderbook.50.BTCUSDT","type":"snapshot","data":{"s":"BTCUSDT","b":[["1","2"]],"a":[["3","4"]],"u":5}}"#;
    let delta = r#"{"topic":"orderbook.50.BTCUSDT","type":"delta","data":{"s":"BTCUSDT","b":[["1","7"]],"a":[],"u":6}}"#;
    let mut lines = String::new();
    for message in [snapshot, r#"{"topic":"orderbook.50.BTCUSDT""#, delta] {
        let message = Value::from(message);
        writeln!(
            lines,
            r#"{{"ts":1,"dir":"in","url":"wss://x/spot","msg":{message}}}"#
        )
        .unwrap();
    }
    lines.push_str("no JSON\n");
    let mut replay = VenueReplay::new("bybit", 10).unwrap();
    let mut faults = Vec::new();
    let file = capture::Reader::new("a.jsonl", lines.as_bytes());
    replay
        .play_file(file, &mut |fault| faults.push(fault))
        .unwrap();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].starts_with("a.jsonl, line 2: "), "{faults:?}");
    assert!(
        faults[1].starts_with("a.jsonl, line 4: expected"),
        "{faults:?}"
    );
    assert_eq!((replay.counts().bad, replay.counts().broken), (1, 1));
    let depth = replay.books().next().unwrap().sync.depth(1);
    assert_eq!(text(depth.bids.first()), ("1".into(), "7".into()));
}

#[test]
fn an_unknown_venue_is_told_the_known_ones() {
    let error: OpenError = VenueReplay::new("kraken-futures", 10).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("\"kraken-futures\"") && text.contains("bybit, "),
        "{text}"
    );
}
