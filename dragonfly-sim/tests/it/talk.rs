//! How generated venues answer: as their guides say, to what is asked rightly and wrongly.

use dragonfly_sim::live::{Live, Rate};
use serde_json::{Value, json};

use crate::{
    client::Client,
    live::{options, start},
};

/// A venue whose book of BTC-USD (nearly) never changes, and its start.
fn quiet(venue: &str) -> Live {
    let mut options = options(venue);
    options.rate = Rate::PerSecond(0.01);
    start(options).0
}

fn connect(live: &Live, venue: &str) -> Client {
    Client::reach(live.ca_pem(), live.endpoint(venue).unwrap()).unwrap()
}

fn read(client: &mut Client) -> Value {
    serde_json::from_str(&client.next()).unwrap()
}

/// What comes next that is no heartbeat.
fn ask(client: &mut Client, request: &Value) -> Value {
    client.send(&request.to_string());
    answer(client)
}

fn answer(client: &mut Client) -> Value {
    loop {
        let said = read(client);
        if said["channel"] != "heartbeat" && said["channel"] != "heartbeats" {
            return said;
        }
    }
}

fn kraken(method: &str, params: &Value) -> Value {
    json!({"method": method, "params": params, "req_id": 77})
}

#[test]
fn kraken_gives_back_the_id_of_a_request_in_every_answer() {
    let live = quiet("kraken");
    let mut client = connect(&live, "kraken");
    assert_eq!(read(&mut client)["channel"], "status");
    let pong = ask(&mut client, &json!({"method": "ping", "req_id": 101}));
    assert_eq!(
        (&pong["method"], &pong["req_id"]),
        (&json!("pong"), &json!(101))
    );
    let params = json!({"channel": "book", "symbol": ["ABC/DEF"], "depth": 25});
    let refusal = ask(&mut client, &kraken("subscribe", &params));
    assert_eq!(refusal["error"], "Currency pair not supported ABC/DEF");
    assert_eq!(
        (&refusal["symbol"], &refusal["req_id"]),
        (&json!("ABC/DEF"), &json!(77))
    );
    let params = json!({"channel": "book", "symbol": ["BTC/USD"], "depth": 25});
    let ack = ask(&mut client, &kraken("subscribe", &params));
    assert_eq!(
        (&ack["success"], &ack["req_id"]),
        (&json!(true), &json!(77))
    );
    assert_eq!(answer(&mut client)["type"], "snapshot");
    let without = ask(&mut client, &json!({"method": "ping"}));
    assert!(without.get("req_id").is_none(), "{without}");
}

#[test]
fn kraken_takes_every_parameter_at_its_word() {
    let live = quiet("kraken");
    let mut client = connect(&live, "kraken");
    read(&mut client);
    // A text is no list, and no number.
    for params in [
        json!({"channel": "book", "symbol": "BTC/USD"}),
        json!({"channel": "book", "symbol": ["BTC/USD"], "depth": "25"}),
        json!({"channel": "book", "symbol": []}),
    ] {
        let refusal = ask(&mut client, &kraken("subscribe", &params));
        assert_eq!(
            (&refusal["error"], &refusal["req_id"]),
            (&json!("Malformed request"), &json!(77))
        );
    }
    // Without a snapshot there is the acknowledgement and nothing else.
    let params = json!({"channel": "book", "symbol": ["BTC/USD"], "depth": 25, "snapshot": false});
    let ack = ask(&mut client, &kraken("subscribe", &params));
    assert_eq!(ack["result"]["snapshot"], false);
    // Neither another depth nor another channel is what was subscribed.
    for (channel, depth) in [("book", 10), ("trade", 25)] {
        let params = json!({"channel": channel, "symbol": ["BTC/USD"], "depth": depth});
        let refusal = ask(&mut client, &kraken("unsubscribe", &params));
        assert_eq!(refusal["error"], "Subscription Not Found", "{channel}");
    }
    let params = json!({"channel": "book", "symbol": ["BTC/USD"], "depth": 25});
    let gone = ask(&mut client, &kraken("unsubscribe", &params));
    assert_eq!(
        (&gone["success"], &gone["result"]["depth"]),
        (&json!(true), &json!(25))
    );
}

#[test]
fn kraken_acknowledges_the_channels_it_says_nothing_of() {
    let live = quiet("kraken");
    let mut client = connect(&live, "kraken");
    read(&mut client);
    let params = json!({"channel": "trade", "symbol": ["BTC/USD"]});
    let ack = ask(&mut client, &kraken("subscribe", &params));
    assert_eq!(
        ack["result"],
        json!({"channel": "trade", "symbol": "BTC/USD", "snapshot": true})
    );
    let again = ask(&mut client, &kraken("subscribe", &params));
    assert_eq!(again["error"], "Already subscribed");
    let gone = ask(&mut client, &kraken("unsubscribe", &params));
    assert_eq!(gone["success"], true);
    let params = json!({"channel": "gossip", "symbol": ["BTC/USD"]});
    let refusal = ask(&mut client, &kraken("subscribe", &params));
    assert_eq!(refusal["error"], "Channel not supported");
}

#[test]
fn bybit_serves_books_beside_topics_of_which_it_says_nothing() {
    let live = quiet("bybit");
    let mut client = connect(&live, "bybit");
    let args = [
        "orderbook.50.BTCUSD",
        "publicTrade.BTCUSD",
        "tickers.BTCUSD",
        "kline.5.BTCUSD",
    ];
    let ack = ask(
        &mut client,
        &json!({"op": "subscribe", "args": args, "req_id": "a"}),
    );
    assert_eq!(
        (&ack["success"], &ack["req_id"]),
        (&json!(true), &json!("a"))
    );
    assert_eq!(answer(&mut client)["topic"], "orderbook.50.BTCUSD");
    for topic in ["publicTrade.NONE", "kline.7.BTCUSD", "gossip.BTCUSD"] {
        let refusal = ask(&mut client, &json!({"op": "subscribe", "args": [topic]}));
        let why = format!("error:handler not found,topic:{topic}");
        assert_eq!(refusal["ret_msg"], Value::from(why));
    }
}

#[test]
fn bybit_sends_the_best_level_as_snapshots_and_again_when_nothing_changes() {
    let mut options = options("bybit");
    options.rate = Rate::PerSecond(50.0);
    let (live, _ledger) = start(options);
    let mut client = connect(&live, "bybit");
    ask(
        &mut client,
        &json!({"op": "subscribe", "args": ["orderbook.1.BTCUSD"]}),
    );
    let mut last = 0;
    for _ in 0..10 {
        let said = answer(&mut client);
        assert_eq!(said["type"], "snapshot");
        assert_eq!(said["data"]["b"].as_array().unwrap().len(), 1);
        let number = said["data"]["u"].as_u64().unwrap();
        assert!(last == 0 || number == last + 1, "{last} {number}");
        last = number;
    }
    let live = quiet("bybit");
    let mut client = connect(&live, "bybit");
    ask(
        &mut client,
        &json!({"op": "subscribe", "args": ["orderbook.1.BTCUSD"]}),
    );
    let [first, second] = [answer(&mut client), answer(&mut client)];
    assert_eq!(first["data"], {
        let mut same = second["data"].clone();
        same["seq"] = first["data"]["seq"].clone();
        same
    });
}

#[test]
fn bitstamp_acknowledges_the_channels_it_says_nothing_of() {
    let live = quiet("bitstamp");
    let mut client = connect(&live, "bitstamp");
    for kind in [
        "live_trades",
        "diff_order_book",
        "live_orders",
        "detail_order_book",
    ] {
        let channel = format!("{kind}_btcusd");
        for what in ["subscribe", "unsubscribe"] {
            let request = json!({"event": format!("bts:{what}"), "data": {"channel": channel}});
            let ack = ask(&mut client, &request);
            let expected = what.replace("scribe", "scription_succeeded");
            assert_eq!(ack["event"], Value::from(format!("bts:{expected}")));
            assert_eq!(ack["channel"], Value::from(channel.as_str()));
        }
    }
    let request = json!({"event": "bts:subscribe", "data": {"channel": "live_trades_BTC/USD"}});
    let refusal = ask(&mut client, &request);
    assert_eq!(refusal["data"]["message"], "Invalid channel provided.");
}

#[test]
fn coinbase_lists_what_is_subscribed_of_every_channel() {
    let live = quiet("coinbase-advanced");
    let mut client = connect(&live, "coinbase-advanced");
    let ids = ["BTC-USD"];
    let ask_for =
        |what: &str, channel: &str| json!({"type": what, "channel": channel, "product_ids": ids});
    ask(
        &mut client,
        &json!({"type": "subscribe", "channel": "heartbeats"}),
    );
    ask(&mut client, &ask_for("subscribe", "market_trades"));
    let list = ask(&mut client, &ask_for("subscribe", "ticker"));
    assert_eq!(list["channel"], "subscriptions");
    assert_eq!(
        list["events"][0]["subscriptions"],
        json!({"heartbeats": ["heartbeats"], "market_trades": ids, "ticker": ids})
    );
    ask(&mut client, &ask_for("unsubscribe", "ticker"));
    let list = ask(
        &mut client,
        &json!({"type": "unsubscribe", "channel": "heartbeats"}),
    );
    assert_eq!(
        list["events"][0]["subscriptions"],
        json!({"market_trades": ids})
    );
    let refusal = ask(&mut client, &ask_for("subscribe", "gossip"));
    assert_eq!(refusal["type"], "error");
}

fn reach(live: &Live, target: &str) -> Result<Client, String> {
    let url = live.endpoint("binance").unwrap().replace("/stream", target);
    Client::reach(live.ca_pem(), &url)
}

#[test]
fn binance_serves_the_streams_of_its_url_wrapped_or_bare() {
    let live = quiet("binance");
    let name = "btcusd@depth20@100ms";
    let mut client = reach(&live, &format!("/stream?streams={name}/btcusd@trade")).unwrap();
    let wrapped = read(&mut client);
    assert_eq!(wrapped["stream"], name);
    assert!(wrapped["data"]["lastUpdateId"].is_u64());
    let list = json!({"method": "LIST_SUBSCRIPTIONS", "id": 3});
    client.send(&list.to_string());
    let listed = loop {
        let said = read(&mut client);
        if said.get("id").is_some() {
            break said;
        }
    };
    assert_eq!(listed, json!({"result": [name, "btcusd@trade"], "id": 3}));
    let mut client = reach(&live, "/ws/btcusd%40depth5").unwrap();
    let bare = read(&mut client);
    assert!(bare["lastUpdateId"].is_u64() && bare.get("stream").is_none());
    assert_eq!(bare["bids"].as_array().unwrap().len(), 5);
    // Without a stream in the path one is asked for later, and comes without its name too.
    let mut client = reach(&live, "/ws").unwrap();
    ask(
        &mut client,
        &json!({"method": "SUBSCRIBE", "params": [name], "id": 1}),
    );
    assert!(read(&mut client)["lastUpdateId"].is_u64());
    let error = reach(&live, "/wsx").err().unwrap();
    assert!(error.contains("404"), "{error}");
}

#[test]
fn binance_refuses_what_it_does_not_know_and_keeps_silent_of_streams_there_are_not() {
    let live = quiet("binance");
    let mut client = connect(&live, "binance");
    let unknown = [
        "btcusd@depth7@100ms",
        "btcusd@depth20@blah",
        "BTCUSD@depth20@100ms",
    ];
    let ack = ask(
        &mut client,
        &json!({"method": "SUBSCRIBE", "params": unknown, "id": 1}),
    );
    assert_eq!(ack, json!({"result": null, "id": 1}));
    // Longer than any of them would keep silent.
    let mut clock = reach(&live, "/ws/btcusd@depth20@100ms").unwrap();
    for _ in 0..12 {
        read(&mut clock);
    }
    client.expect_silence();
    let refusal = ask(&mut client, &json!({"method": "DANCE", "id": 2}));
    assert_eq!((&refusal["code"], &refusal["id"]), (&json!(2), &json!(2)));
}
