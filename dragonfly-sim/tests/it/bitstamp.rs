//! Bitstamp: derived images, silent and loud refusals, the small client frame.

use serde_json::Value;

use crate::client::{Client, Closed, recording, simulate};

const CAPTURE: &str = "bitstamp_20220105_3pairs.jsonl.zst";

fn subscribe(client: &mut Client, channel: &str) {
    client.send(&format!(
        r#"{{"event":"bts:subscribe","data":{{"channel":"{channel}"}}}}"#
    ));
}

#[test]
fn the_images_lead_to_the_known_last_book() {
    let sim = simulate("bitstamp", recording(CAPTURE));
    for (market, bid, ask) in [
        (
            "ethusd",
            ["3800.78", "0.60000000"],
            ["3803.58", "15.09750054"],
        ),
        (
            "xlmgbp",
            ["0.20816", "3588.26617941"],
            ["0.20868", "5855.58528256"],
        ),
        (
            "batbtc",
            ["0.00002834", "52.52866685"],
            ["0.00002843", "2064.32304089"],
        ),
    ] {
        let mut client = Client::connect(&sim, "bitstamp");
        let channel = format!("order_book_{market}");
        subscribe(&mut client, &channel);
        let ack = format!(
            r#"{{"event":"bts:subscription_succeeded","channel":"{channel}","data":{{}}}}"#
        );
        assert_eq!(client.next(), ack);
        let (texts, closed) = client.rest();
        assert_eq!(closed, Closed(Some(1001)));
        let stamps: Vec<u64> = texts
            .iter()
            .map(|text| {
                let image: Value = serde_json::from_str(text).unwrap();
                assert_eq!(
                    (&image["channel"], &image["event"]),
                    (&channel.as_str().into(), &"data".into())
                );
                assert!(image["data"]["bids"].as_array().unwrap().len() <= 100);
                image["data"]["microtimestamp"]
                    .as_str()
                    .unwrap()
                    .parse()
                    .unwrap()
            })
            .collect();
        assert!(stamps.len() > 10 && stamps.is_sorted_by(|a, b| a < b));
        let last: Value = serde_json::from_str(texts.last().unwrap()).unwrap();
        assert_eq!(last["data"]["bids"][0], serde_json::json!(bid));
        assert_eq!(last["data"]["asks"][0], serde_json::json!(ask));
    }
}

#[test]
fn an_unknown_market_is_silent_and_a_malformed_one_refused() {
    let sim = simulate("bitstamp", recording(CAPTURE));
    let mut client = Client::connect(&sim, "bitstamp");
    subscribe(&mut client, "order_book_abcxyz");
    assert!(client.next().contains("subscription_succeeded"));
    client.expect_silence();
    subscribe(&mut client, "order_book_BTC/USD");
    let refusal = r#"{"event":"bts:error","channel":"","data":{"code":null,"message":"Invalid channel provided."}}"#;
    assert_eq!(client.next(), refusal);
    client.send("{");
    assert!(client.next().contains("Incorrect JSON format."));
    client.send(r#"{"event":"bts:heartbeat"}"#);
    let heartbeat = r#"{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}"#;
    assert_eq!(client.next(), heartbeat);
}

#[test]
fn a_client_message_over_512_bytes_closes_with_1009() {
    let sim = simulate("bitstamp", recording(CAPTURE));
    let mut client = Client::connect(&sim, "bitstamp");
    client.send(&" ".repeat(512));
    assert!(client.next().contains("Incorrect JSON format."));
    client.send(&" ".repeat(513));
    assert_eq!(client.rest().1, Closed(Some(1009)));
}
