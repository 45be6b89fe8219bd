//! Binance: derived images in raw and combined framing.

use serde_json::Value;

use crate::client::{Client, Closed, recording, simulate};

const CAPTURE: &str = "binance_20211012_2pairs.jsonl.zst";
const STREAM: &str = "nknusdt@depth20@100ms";

fn played(path: &str) -> Vec<Value> {
    let sim = simulate("binance", recording(CAPTURE));
    let url = sim.endpoint("binance").unwrap().replace("/stream", path);
    let (texts, closed) = Client::try_connect(&sim, &url).unwrap().rest();
    assert_eq!(closed, Closed(Some(1001)));
    texts
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect()
}

#[test]
fn the_images_follow_the_recorded_diffs_to_the_known_last_book() {
    let images = played(&format!("/ws/{STREAM}"));
    let ids: Vec<u64> = images
        .iter()
        .map(|image| image["lastUpdateId"].as_u64().unwrap())
        .collect();
    let capture = recording(CAPTURE);
    let diffs = capture
        .received()
        .filter(|line| line.text.contains("nknusdt@depth@100ms"));
    let diffs = diffs.map(|line| serde_json::from_str::<Value>(&line.text).unwrap());
    // The recorded REST image stands at the first diff's last id.
    let expected: Vec<u64> = diffs
        .map(|diff| diff["data"]["u"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, expected);
    let last = images.last().unwrap();
    assert_eq!(
        last["bids"][0],
        serde_json::json!(["0.35270000", "9602.00000000"])
    );
    assert_eq!(
        last["asks"][0],
        serde_json::json!(["0.35310000", "152.00000000"])
    );
    for image in &images {
        assert_eq!(image["bids"].as_array().unwrap().len(), 20);
        assert_eq!(image["asks"].as_array().unwrap().len(), 20);
    }
}

#[test]
fn combined_framing_wraps_the_same_payload() {
    let raw = played(&format!("/ws/{STREAM}"));
    let combined = played(&format!("/stream?streams={STREAM}/unknown@depth20@100ms"));
    let unwrapped: Vec<Value> = combined
        .iter()
        .map(|message| message["data"].clone())
        .collect();
    assert_eq!(unwrapped, raw);
    assert!(combined.iter().all(|message| message["stream"] == STREAM));
}

#[test]
fn subscribing_at_run_time_is_acknowledged_even_for_what_does_not_exist() {
    let sim = simulate("binance", recording(CAPTURE));
    let mut client = Client::connect(&sim, "binance");
    client.send(r#"{"method":"SUBSCRIBE","params":["zzz@depth20@100ms"],"id":3}"#);
    assert_eq!(client.next(), r#"{"result":null,"id":3}"#);
    client.expect_silence();
    client.send(r#"{"method":"LIST_SUBSCRIPTIONS","id":"x"}"#);
    assert_eq!(
        client.next(),
        r#"{"result":["zzz@depth20@100ms"],"id":"x"}"#
    );
    client.send("no json");
    assert!(client.next().starts_with(r#"{"code":3,"#));
    client.send(&format!(
        r#"{{"method":"SUBSCRIBE","params":["{STREAM}"],"id":4}}"#
    ));
    assert_eq!(client.next(), r#"{"result":null,"id":4}"#);
    assert!(client.next().starts_with(&format!(
        r#"{{"stream":"{STREAM}","data":{{"lastUpdateId":"#
    )));
}

#[test]
fn a_connection_keeps_as_many_streams_as_on_the_venue() {
    let sim = simulate("binance", recording(CAPTURE));
    let mut client = Client::connect(&sim, "binance");
    for half in 0..2 {
        let names: Vec<String> = (0..1_000).map(|n| format!("s{half}x{n}@trade")).collect();
        let params = serde_json::json!(names);
        client.send(&format!(
            r#"{{"method":"SUBSCRIBE","params":{params},"id":1}}"#
        ));
        client.next();
    }
    client.send(r#"{"method":"LIST_SUBSCRIPTIONS","id":2}"#);
    assert_eq!(client.next().matches("@trade").count(), 1_024);
}

#[test]
fn recorded_streams_keep_their_text() {
    let sim = simulate("binance", recording(CAPTURE));
    let url = sim.endpoint("binance").unwrap().to_owned() + "?streams=blzeth@depth@100ms";
    let (texts, _) = Client::try_connect(&sim, &url).unwrap().rest();
    let capture = recording(CAPTURE);
    let recorded = capture
        .received()
        .filter(|line| line.text.contains("blzeth@depth@100ms"));
    assert_eq!(
        texts,
        recorded
            .map(|line| line.text.to_string())
            .collect::<Vec<_>>()
    );
}
