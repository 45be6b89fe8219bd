//! Bybit: acknowledgements, refusals, and the recorded text unchanged.

use dragonfly_sim::Recording;
use serde_json::Value;

use crate::client::{Client, Closed, simulate};

const SUBSCRIBE: &str = r#"{"req_id":"s1","op":"subscribe","args":["orderbook.200.BTCUSDT"]}"#;

fn recorded() -> Vec<String> {
    let recording = Recording::demo_bybit().unwrap();
    recording
        .received()
        .map(|line| line.text.to_string())
        .collect()
}

#[test]
fn each_connection_plays_the_whole_recording_unchanged_and_closes() {
    let sim = simulate("bybit", Recording::demo_bybit().unwrap());
    assert!(sim.endpoint("bybit").unwrap().ends_with("/v5/public/spot"));
    for _loop in 0..2 {
        let mut client = Client::connect(&sim, "bybit");
        client.send(SUBSCRIBE);
        let ack: Value = serde_json::from_str(&client.next()).unwrap();
        let said = ["success", "ret_msg", "req_id", "op"].map(|key| ack[key].to_string());
        assert_eq!(
            said,
            ["true", r#""subscribe""#, r#""s1""#, r#""subscribe""#]
        );
        let (played, closed) = client.rest();
        assert_eq!(played, recorded());
        assert_eq!(closed, Closed(Some(1001)));
    }
}

#[test]
fn a_topic_that_was_not_recorded_refuses_the_whole_request() {
    let sim = simulate("bybit", Recording::demo_bybit().unwrap());
    let mut client = Client::connect(&sim, "bybit");
    client.send(r#"{"op":"subscribe","args":["orderbook.200.BTCUSDT","orderbook.50.DOGEUSDT"]}"#);
    let refusal: Value = serde_json::from_str(&client.next()).unwrap();
    assert_eq!(refusal["success"], false);
    assert_eq!(
        refusal["ret_msg"],
        "error:handler not found,topic:orderbook.50.DOGEUSDT"
    );
    assert!(refusal.get("req_id").is_none(), "none was given");
    client.expect_silence();
}

#[test]
fn any_depth_of_a_recorded_symbol_is_accepted() {
    let sim = simulate("bybit", Recording::demo_bybit().unwrap());
    let mut client = Client::connect(&sim, "bybit");
    client.send(r#"{"op":"subscribe","args":["orderbook.50.BTCUSDT"]}"#);
    assert!(client.next().contains(r#""success":true"#));
    assert_eq!(client.next(), recorded()[0]);
}

#[test]
fn the_json_ping_is_answered_as_on_the_spot_socket() {
    let sim = simulate("bybit", Recording::demo_bybit().unwrap());
    let mut client = Client::connect(&sim, "bybit");
    client.send(r#"{"req_id":"p1","op":"ping"}"#);
    let pong: Value = serde_json::from_str(&client.next()).unwrap();
    assert_eq!(
        (&pong["ret_msg"], &pong["op"]),
        (&"pong".into(), &"ping".into())
    );
    assert!(pong.get("req_id").is_none());
}

#[test]
fn a_category_that_was_not_recorded_is_not_found() {
    let sim = simulate("bybit", Recording::demo_bybit().unwrap());
    let linear = sim.endpoint("bybit").unwrap().replace("spot", "linear");
    let error = Client::try_connect(&sim, &linear).err().unwrap();
    assert!(error.contains("404"), "{error}");
}

#[test]
fn a_resubscription_starts_over_with_a_snapshot() {
    let sim = simulate("bybit", Recording::demo_bybit().unwrap());
    let mut client = Client::connect(&sim, "bybit");
    // One after another they could come when the recording has been played already.
    client.send_together(&[
        SUBSCRIBE,
        r#"{"req_id":"u1","op":"unsubscribe","args":["orderbook.200.BTCUSDT"]}"#,
        r#"{"req_id":"s2","op":"subscribe","args":["orderbook.200.BTCUSDT"]}"#,
    ]);
    let (texts, _) = client.rest();
    let again = texts
        .iter()
        .position(|text| text.contains(r#""req_id":"s2""#))
        .unwrap();
    assert_eq!(texts[again + 1..], recorded());
}

#[test]
fn pings_and_closes_are_answered() {
    let sim = simulate("bybit", Recording::demo_bybit().unwrap());
    let mut client = Client::connect(&sim, "bybit");
    client.expect_silence();
    assert_eq!(client.close(), Closed(Some(1000)));
}
