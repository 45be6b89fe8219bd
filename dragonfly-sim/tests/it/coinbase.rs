//! Coinbase Advanced: the connection's own sequence, and only its digits differing from the record.

use std::collections::BTreeSet;

use dragonfly_sim::Recording;
use serde_json::Value;

use crate::client::{Client, Closed, simulate};

const LEVEL2: &str = r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}"#;
const HEARTBEATS: &str = r#"{"type":"subscribe","channel":"heartbeats"}"#;

fn sequence(text: &str) -> u64 {
    let message: Value = serde_json::from_str(text).unwrap();
    message["sequence_num"].as_u64().unwrap()
}

/// The text with its connection sequence blanked.
fn unnumbered(text: &str) -> String {
    text.replace(
        &format!(r#""sequence_num":{},"#, sequence(text)),
        r#""sequence_num":_,"#,
    )
}

/// What was recorded on a channel, in order, unnumbered.
fn recorded(channel: &str) -> Vec<String> {
    let recording = Recording::demo_coinbase().unwrap();
    let of_channel = recording
        .received()
        .filter(|line| line.text.contains(channel));
    of_channel.map(|line| unnumbered(&line.text)).collect()
}

#[test]
fn the_sequence_has_no_holes_and_the_text_is_the_recorded_one() {
    let sim = simulate("coinbase_advanced", Recording::demo_coinbase().unwrap());
    for _loop in 0..2 {
        let mut client = Client::connect(&sim, "coinbase-advanced");
        client.send(LEVEL2);
        client.send(HEARTBEATS);
        let (texts, closed) = client.rest();
        let numbers: Vec<u64> = texts.iter().map(|text| sequence(text)).collect();
        assert_eq!(numbers, (0..texts.len() as u64).collect::<Vec<_>>());
        for channel in [r#""channel":"l2_data""#, r#""channel":"heartbeats""#] {
            let played = texts.iter().filter(|text| text.contains(channel));
            let played: Vec<String> = played.map(|text| unnumbered(text)).collect();
            assert!(played.len() > 20);
            assert!(
                played == recorded(channel),
                "{channel}: text or order differs"
            );
        }
        assert_eq!(closed, Closed(Some(1001)));
    }
}

#[test]
fn the_acknowledgement_holds_the_full_state() {
    let sim = simulate("coinbase-advanced", Recording::demo_coinbase().unwrap());
    let mut client = Client::connect(&sim, "coinbase-advanced");
    client.send(LEVEL2);
    client.send(HEARTBEATS);
    let (texts, _) = client.rest();
    let states: Vec<Value> = texts
        .iter()
        .filter(|text| text.contains(r#""channel":"subscriptions""#))
        .map(|text| serde_json::from_str::<Value>(text).unwrap()["events"].clone())
        .collect();
    let expected = [
        serde_json::json!([{"subscriptions": {"level2": ["BTC-USD"]}}]),
        serde_json::json!([{"subscriptions": {"heartbeats": ["heartbeats"], "level2": ["BTC-USD"]}}]),
    ];
    assert_eq!(states, expected);
}

#[test]
fn an_unrecorded_product_is_acknowledged_and_silent() {
    let sim = simulate("coinbase-advanced", Recording::demo_coinbase().unwrap());
    let mut client = Client::connect(&sim, "coinbase-advanced");
    client.send(r#"{"type":"subscribe","product_ids":["XYZ-USD"],"channel":"level2"}"#);
    assert!(client.next().contains(r#"{"level2":["XYZ-USD"]}"#));
    client.expect_silence();
}

#[test]
fn an_alias_plays_the_product_it_stands_for() {
    let sim = simulate("coinbase-advanced", Recording::demo_coinbase().unwrap());
    let mut client = Client::connect(&sim, "coinbase-advanced");
    client.send(&LEVEL2.replace("BTC-USD", "BTC-USDC"));
    assert!(client.next().contains(r#"{"level2":["BTC-USD"]}"#));
    assert!(client.next().contains(r#""type":"snapshot""#));
}

#[test]
fn an_unknown_channel_is_refused_outside_the_sequence() {
    let sim = simulate("coinbase-advanced", Recording::demo_coinbase().unwrap());
    let mut client = Client::connect(&sim, "coinbase-advanced");
    client.send(r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level9"}"#);
    let refusal: Value = serde_json::from_str(&client.next()).unwrap();
    let keys: BTreeSet<&str> = refusal
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(keys, BTreeSet::from(["message", "type"]));
    client.send(HEARTBEATS);
    assert_eq!(sequence(&client.next()), 0);
}
