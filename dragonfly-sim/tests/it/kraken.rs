//! Kraken: protocol v2 from a v1 recording, every checksum recomputed the naive way.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::client::{Client, Closed, recording, simulate};

const CAPTURE: &str = "kraken_20210405_2pairs.jsonl.zst";

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    data: Vec<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    symbol: String,
    #[serde(borrow)]
    bids: Vec<Level<'a>>,
    #[serde(borrow)]
    asks: Vec<Level<'a>>,
    checksum: u32,
    timestamp: String,
}

#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
}

/// A side as a list, best level first; `sign` is -1 for bids.
#[derive(Default)]
struct Side(Vec<(String, String)>);

impl Side {
    fn apply(&mut self, levels: &[Level<'_>], sign: f64, depth: usize) {
        for level in levels {
            let (price, qty) = (level.price.get(), level.qty.get());
            self.0.retain(|(known, _)| known != price);
            if qty.parse::<f64>().unwrap() != 0.0 {
                self.0.push((price.to_owned(), qty.to_owned()));
            }
        }
        let key = |level: &(String, String)| sign * level.0.parse::<f64>().unwrap();
        self.0.sort_by(|a, b| key(a).total_cmp(&key(b)));
        self.0.truncate(depth);
    }
}

fn crc(bids: &Side, asks: &Side) -> u32 {
    let mut crc = u32::MAX;
    for (price, qty) in asks.0.iter().take(10).chain(bids.0.iter().take(10)) {
        for number in [price, qty] {
            for digit in number.replace('.', "").trim_start_matches('0').bytes() {
                crc ^= u32::from(digit);
                for _ in 0..8 {
                    crc = if crc & 1 == 1 {
                        (crc >> 1) ^ 0xedb8_8320
                    } else {
                        crc >> 1
                    };
                }
            }
        }
    }
    !crc
}

fn top(side: &Side) -> (&str, &str) {
    (&side.0[0].0, &side.0[0].1)
}

/// Plays both pairs at `depth`, checks every checksum, and returns the messages played and the
/// last books.
fn replay(depth: usize) -> (usize, HashMap<String, (Side, Side)>) {
    let sim = simulate("kraken", recording(CAPTURE));
    let mut client = Client::connect(&sim, "kraken");
    assert!(client.next().contains(r#""channel":"status""#));
    client.send(&format!(
        r#"{{"method":"subscribe","params":{{"channel":"book","symbol":["DASH/EUR","ICX/USD"],"depth":{depth}}},"req_id":7}}"#
    ));
    for symbol in ["DASH/EUR", "ICX/USD"] {
        let ack: Value = serde_json::from_str(&client.next()).unwrap();
        assert_eq!((&ack["success"], &ack["req_id"]), (&true.into(), &7.into()));
        assert_eq!(
            (&ack["result"]["symbol"], &ack["result"]["depth"]),
            (&symbol.into(), &depth.into())
        );
    }
    let (texts, closed) = client.rest();
    assert_eq!(closed, Closed(Some(1001)));
    let mut books = HashMap::<String, (Side, Side)>::new();
    for text in &texts {
        let message: Message<'_> = serde_json::from_str(text).unwrap();
        let [data] = message.data.as_slice() else {
            panic!("one instrument a message")
        };
        assert!(
            data.timestamp.starts_with("2021-04-05T"),
            "{}",
            data.timestamp
        );
        assert_eq!(
            message.kind == "snapshot",
            !books.contains_key(&data.symbol)
        );
        let (bids, asks) = books.entry(data.symbol.clone()).or_default();
        bids.apply(&data.bids, -1.0, depth);
        asks.apply(&data.asks, 1.0, depth);
        assert_eq!(crc(bids, asks), data.checksum, "after {text}");
    }
    (texts.len(), books)
}

#[test]
fn the_recorded_depth_carries_every_recorded_message_and_checksum() {
    let (played, books) = replay(1000);
    let capture = recording(CAPTURE);
    assert_eq!(
        played,
        capture
            .received()
            .filter(|line| line.text.starts_with('['))
            .count()
    );
    let (bids, asks) = &books["DASH/EUR"];
    assert_eq!(
        (top(bids), top(asks)),
        (("230.638000", "0.23000000"), ("230.998000", "0.23000000"))
    );
    assert_eq!((bids.0.len(), asks.0.len()), (724, 1000));
    let (bids, asks) = &books["ICX/USD"];
    assert_eq!(
        (top(bids), top(asks)),
        (("2.528900", "1383.03630000"), ("2.535000", "98.75578163"))
    );
    assert_eq!((bids.0.len(), asks.0.len()), (284, 337));
}

#[test]
fn a_smaller_depth_is_a_book_of_its_own_with_valid_checksums() {
    let (played, books) = replay(10);
    assert!(played > 500, "{played}");
    let (bids, asks) = &books["DASH/EUR"];
    assert_eq!(
        (top(bids), top(asks)),
        (("230.638000", "0.23000000"), ("230.998000", "0.23000000"))
    );
    assert_eq!((bids.0.len(), asks.0.len()), (10, 10));
}

#[test]
fn each_symbol_is_acknowledged_or_refused_on_its_own() {
    let sim = simulate("kraken", recording(CAPTURE));
    let mut client = Client::connect(&sim, "kraken");
    client.next();
    client.send(
        r#"{"method":"subscribe","params":{"channel":"book","symbol":["ABC/DEF","ICX/USD"]},"req_id":1}"#,
    );
    let refusal: Value = serde_json::from_str(&client.next()).unwrap();
    assert_eq!(refusal["error"], "Currency pair not supported ABC/DEF");
    assert_eq!(
        (&refusal["success"], &refusal["symbol"]),
        (&false.into(), &"ABC/DEF".into())
    );
    assert!(
        client
            .next()
            .contains(r#""symbol":"ICX/USD","depth":10,"snapshot":true"#)
    );
    assert!(client.next().contains(r#""type":"snapshot""#));
}

#[test]
fn the_application_ping_is_answered() {
    let sim = simulate("kraken", recording(CAPTURE));
    let mut client = Client::connect(&sim, "kraken");
    client.next();
    client.send(r#"{"method":"ping","req_id":101}"#);
    let pong: Value = serde_json::from_str(&client.next()).unwrap();
    assert_eq!(
        (&pong["method"], &pong["req_id"]),
        (&"pong".into(), &101.into())
    );
}
