//! What the conformance suite needs to know about each venue. A new venue gets a fixture here.

use dragonfly_core::feed::Ack;
use dragonfly_feeds::venue::{self, Spec};
use serde_json::Value;

use super::{
    books::{binance_images, bitstamp_images, kraken_v2},
    capture::{Line, final_books, received},
    replay::sym,
};

/// A recording, and the books that must stand at its end.
pub(crate) struct Recording {
    pub(crate) url: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) books: Vec<(String, Value)>,
}

pub(crate) struct Fixture {
    pub(crate) spec: &'static Spec,
    pub(crate) recordings: Vec<Recording>,
    /// Messages that are book updates, one of each shape.
    pub(crate) samples: Vec<&'static str>,
    /// Messages that are none.
    pub(crate) others: Vec<&'static str>,
    /// Messages that cannot be understood, and how the error begins.
    pub(crate) bad: Vec<(&'static str, &'static str)>,
    /// Unified name, native name, endpoint.
    pub(crate) names: Vec<(&'static str, &'static str, &'static str)>,
    /// Native symbols, what is sent to subscribe to them, and what is sent to ask for the first one
    /// again.
    pub(crate) requests: (Vec<&'static str>, Vec<&'static str>, Vec<&'static str>),
    /// What the answers to those requests mean, in order.
    pub(crate) answers: Vec<(&'static str, Ack)>,
}

pub(crate) fn of(module: &str) -> Fixture {
    match module {
        "binance" => binance(),
        "bitstamp" => bitstamp(),
        "bybit" => bybit(),
        "coinbase_advanced" => coinbase(),
        "kraken" => kraken(),
        other => panic!("write a fixture for {other}"),
    }
}

fn recording(name: &str, lines: Vec<Line>) -> Recording {
    let url = lines[0].url.clone();
    let books = final_books(name);
    Recording { url, lines, books }
}

fn refused(symbol: Option<&str>, reason: &str) -> Ack {
    Ack::Rejected {
        symbol: symbol.map(sym),
        reason: reason.into(),
    }
}

fn binance() -> Fixture {
    const URL: &str = "wss://stream.binance.com:9443/stream";
    Fixture {
        spec: venue::find("binance").unwrap(),
        // No recording of depth20 exists: its messages are made from the recorded books.
        recordings: vec![recording("binance/20211012_ws_4pairs", binance_images())],
        samples: vec![
            r#"{"stream":"bnbbtc@depth20@100ms","data":{"lastUpdateId":160,"bids":[["0.0024","10"],["0.0023","1"]],"asks":[["0.0026","100"]]}}"#,
            r#"{"lastUpdateId":160,"bids":[["0.0024","10"],["0.0023","1"]],"asks":[]}"#,
        ],
        others: vec![
            r#"{"result":null,"id":1}"#,
            r#"{"stream":"nknusdt@bookTicker","data":{"u":499869768,"s":"NKNUSDT","b":"0.35210000","B":"672.00000000","a":"0.35260000","A":"3199.00000000"}}"#,
            r#"{"stream":"x@depth@100ms","data":{"e":"depthUpdate","E":1633998512568,"s":"NKNUSDT","U":1,"u":2,"b":[["0.35170000","4265.00000000"]],"a":[]}}"#,
            r#"{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}"#,
            r#"{"e":"serverShutdown","E":1}"#,
        ],
        bad: vec![
            (
                r#"{"stream":"bnbbtc@depth20","data":{"lastUpdateId":160,"bids":[["0","10"]],"asks":[]}}"#,
                "price \"0\" is zero",
            ),
            (
                r#"{"stream":"bnbbtc@depth20","data":{"lastUpdateId":160,"bids":[["1","-10"]],"asks":[]}}"#,
                "quantity \"-10\" is negative",
            ),
            (
                r#"{"stream":"bnbbtc@depth20","data":{"bids":[],"asks":[]}}"#,
                "an image without lastUpdateId",
            ),
            ("pong", "neither a string nor a number"),
        ],
        names: vec![
            ("ETH-BTC", "ETHBTC", URL),
            ("BTC-USDT", "BTCUSDT", URL),
            ("BTC-USDT-PERP", "", ""),
        ],
        requests: (
            vec!["ETHBTC", "BTCUSDT"],
            vec![
                r#"{"method":"SUBSCRIBE","params":["ethbtc@depth20@100ms","btcusdt@depth20@100ms"],"id":1}"#,
            ],
            vec![
                r#"{"method":"UNSUBSCRIBE","params":["ethbtc@depth20@100ms"],"id":0}"#,
                r#"{"method":"SUBSCRIBE","params":["ethbtc@depth20@100ms"],"id":2}"#,
            ],
        ),
        answers: vec![
            (r#"{"result":["x"],"id":9}"#, Ack::Waiting),
            (r#"{"result":null,"id":1}"#, Ack::Accepted),
            (r#"{"id":2,"result":null}"#, Ack::Accepted),
            (
                r#"{"code":2,"msg":"Invalid request: x","id":1}"#,
                refused(None, "Invalid request: x"),
            ),
            (
                r#"{"error":{"code":3,"msg":"Invalid JSON"},"id":3}"#,
                refused(Some("BTCUSDT"), "Invalid JSON"),
            ),
            (r#"{"e":"serverShutdown","E":1}"#, Ack::Reconnect),
            (r#"{"stream":"!serverShutdown","data":{}}"#, Ack::Reconnect),
            ("not json", Ack::Waiting),
        ],
    }
}

fn bitstamp() -> Fixture {
    const URL: &str = "wss://ws.bitstamp.net";
    Fixture {
        spec: venue::find("bitstamp").unwrap(),
        // No recording of order_book exists: its messages are made from the recorded books.
        recordings: vec![recording("bitstamp/20220105_ws_10pairs", bitstamp_images())],
        samples: vec![
            r#"{"data":{"timestamp":"1789457617","microtimestamp":"1789457617906487","bids":[["77188","0.41122"],["77183","0.32386"]],"asks":[["77189","0.41124"],["77193","0.32385"]]},"channel":"order_book_btcusd-perp","event":"data"}"#,
        ],
        others: vec![
            r#"{"event":"bts:subscription_succeeded","channel":"order_book_btcusd","data":{}}"#,
            r#"{"event":"bts:request_reconnect","channel":"","data":null}"#,
            r#"{"event":"bts:request_reconnect","channel":"","data":""}"#,
            r#"{"data":{"timestamp":"1641343691","microtimestamp":"1641343691355099","bids":[],"asks":[["0.00002921","3213.71284910"]]},"channel":"diff_order_book_batbtc","event":"data"}"#,
            r#"{"data":{"microtimestamp":"1","bids":[{"unlike":"a level"}],"asks":[]},"channel":"new_book_btcusd","event":"data"}"#,
            r#"{"data":{"id":216000477,"amount":0.0792,"price":3805.44,"type":0},"channel":"live_trades_ethusd","event":"trade"}"#,
        ],
        bad: vec![
            (
                r#"{"data":{"microtimestamp":"1","bids":[["x","1"]],"asks":[]},"channel":"order_book_btcusd","event":"data"}"#,
                "price \"x\" is not a decimal number",
            ),
            (
                r#"{"data":{"bids":[],"asks":[]},"channel":"order_book_btcusd","event":"data"}"#,
                "an image without microtimestamp",
            ),
        ],
        names: vec![
            ("ETH-BTC", "ethbtc", URL),
            ("BTC-USD-PERP", "btcusd-perp", URL),
            ("BTC-USD-20261225", "", ""),
        ],
        requests: (
            vec!["ethbtc", "btcusd"],
            vec![
                r#"{"event":"bts:subscribe","data":{"channel":"order_book_ethbtc"}}"#,
                r#"{"event":"bts:subscribe","data":{"channel":"order_book_btcusd"}}"#,
            ],
            vec![
                r#"{"event":"bts:unsubscribe","data":{"channel":"order_book_ethbtc"}}"#,
                r#"{"event":"bts:subscribe","data":{"channel":"order_book_ethbtc"}}"#,
            ],
        ),
        answers: vec![
            (
                r#"{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}"#,
                Ack::Waiting,
            ),
            (
                r#"{"event":"bts:error","channel":"","data":{"code":null,"message":"Invalid channel provided."}}"#,
                refused(Some("ethbtc"), "Invalid channel provided."),
            ),
            (
                r#"{"event":"bts:subscription_succeeded","channel":"order_book_btcusd","data":{}}"#,
                Ack::Accepted,
            ),
            (
                r#"{"event":"bts:request_reconnect","channel":"","data":null}"#,
                Ack::Reconnect,
            ),
        ],
    }
}

fn bybit() -> Fixture {
    const SPOT: &str = "wss://stream.bybit.com/v5/public/spot";
    const LINEAR: &str = "wss://stream.bybit.com/v5/public/linear";
    let recorded = |name: &str| recording(name, received(name));
    Fixture {
        spec: venue::find("bybit").unwrap(),
        recordings: vec![
            recorded("bybit/20260809_ws_v5_spot"),
            recorded("bybit/20260809_ws_v5_linear"),
        ],
        samples: vec![
            r#"{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1672304484978,"data":{"s":"BTCUSDT","b":[["16493.50","0.006"],["16493.00","0.100"]],"a":[["16611.00","0.029"],["16612.00","0.213"]],"u":18521288,"seq":7961638724},"cts":1672304484976}"#,
            r#"{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1687940967466,"data":{"s":"BTCUSDT","b":[["30247.20","30.028"],["30245.30","0"]],"a":[],"u":177400507,"seq":66544703342},"cts":1687940967464}"#,
        ],
        others: vec![
            r#"{"success":true,"ret_msg":"pong","conn_id":"x","op":"ping"}"#,
            r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","BT":false}]}"#,
            r#"{"topic":"orderbook.rpi.BTCUSDT","type":"snapshot","data":{"b":[["1","1","2"]]}}"#,
            r#"{"topic":"orderbook.full.BTCUSDT","type":"delta","data":{"b":[]}}"#,
        ],
        bad: vec![
            (
                r#"{"topic":"orderbook.50.BTCUSDT","type":"delta","data":{"b":[],"a":[]}}"#,
                "an order book without u",
            ),
            (
                r#"{"topic":"orderbook.50.BTCUSDT","type":"new","data":{"b":[],"a":[],"u":1}}"#,
                "an order book that is neither",
            ),
            (
                r#"{"topic":"orderbook.50.BTCUSDT","type":"delta","data":{"b":[["1"]],"a":[],"u":1}}"#,
                "a level without quantity",
            ),
        ],
        names: vec![
            ("BTC-USDT", "BTCUSDT", SPOT),
            ("BTC-USDT-PERP", "BTCUSDT", LINEAR),
            ("BTC-USDC-PERP", "BTCPERP", LINEAR),
            ("1000PEPE-USDT-PERP", "1000PEPEUSDT", LINEAR),
            ("BTC-USD-PERP", "", ""),
        ],
        requests: (
            vec!["BTCUSDT", "ETHUSDT"],
            vec![
                r#"{"req_id":"BTCUSDT","op":"subscribe","args":["orderbook.50.BTCUSDT"]}"#,
                r#"{"req_id":"ETHUSDT","op":"subscribe","args":["orderbook.50.ETHUSDT"]}"#,
            ],
            vec![
                r#"{"req_id":"BTCUSDT","op":"unsubscribe","args":["orderbook.50.BTCUSDT"]}"#,
                r#"{"req_id":"BTCUSDT","op":"subscribe","args":["orderbook.50.BTCUSDT"]}"#,
            ],
        ),
        answers: vec![
            (
                r#"{"success":true,"ret_msg":"pong","conn_id":"x","req_id":"ping","op":"ping"}"#,
                Ack::Waiting,
            ),
            (
                r#"{"success":true,"ret_msg":"subscribe","conn_id":"x","req_id":"BTCUSDT","op":"subscribe"}"#,
                Ack::Waiting,
            ),
            (
                r#"{"success":true,"ret_msg":"","conn_id":"x","req_id":"ETHUSDT","op":"subscribe"}"#,
                Ack::Accepted,
            ),
            (
                r#"{"success":false,"ret_msg":"error:handler not found","req_id":"ETHUSDT","op":"subscribe"}"#,
                refused(Some("ETHUSDT"), "error:handler not found"),
            ),
        ],
    }
}

fn coinbase() -> Fixture {
    const URL: &str = "wss://advanced-trade-ws.coinbase.com";
    let name = "coinbase-advanced/20260809_ws_advanced_btcusd_ethusd";
    Fixture {
        spec: venue::find("coinbase-advanced").unwrap(),
        recordings: vec![recording(name, received(name))],
        samples: vec![
            r#"{"channel":"l2_data","client_id":"","timestamp":"2026-04-07T14:30:00.123456Z","sequence_num":0,"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"68900.00","new_quantity":"1.50000000"},{"side":"offer","event_time":"2026-04-07T14:30:00.123456Z","price_level":"68901.00","new_quantity":"0.50000000"}]}]}"#,
            r#"{"channel":"l2_data","timestamp":"2026-04-07T14:30:01.456789Z","sequence_num":1,"events":[{"type":"update","product_id":"BTC-USD","updates":[{"side":"offer","event_time":"2026-04-07T14:30:01.456789Z","price_level":"68901.00","new_quantity":"0.00000000"}]},{"type":"update","product_id":"ETH-USD","updates":[]}]}"#,
        ],
        others: vec![
            r#"{"channel":"subscriptions","timestamp":"x","sequence_num":0,"events":[{"subscriptions":{"level2":["BTC-USD"]}}]}"#,
            r#"{"channel":"heartbeats","sequence_num":1,"events":[{"current_time":"2026-04-07 14:30:10.000000000+00:00","heartbeat_counter":42}]}"#,
            r#"{"channel":"something_new","sequence_num":1,"events":{"any":"shape"}}"#,
            r#"{"type":"error","message":"no"}"#,
        ],
        bad: vec![
            (
                r#"{"channel":"l2_data","events":[{"type":"update","product_id":"BTC-USD","updates":[]}]}"#,
                "l2_data without sequence_num",
            ),
            (
                r#"{"channel":"l2_data","sequence_num":1,"events":[{"type":"update","product_id":"BTC-USD","updates":[{"side":"buy","price_level":"1","new_quantity":"1"}]}]}"#,
                "a level that is neither bid nor offer",
            ),
            (
                r#"{"channel":"l2_data","sequence_num":1,"events":[{"type":"update","product_id":"BTC-USD","updates":[]},{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","price_level":"0","new_quantity":"1"}]}]}"#,
                "price \"0\" is zero",
            ),
        ],
        names: vec![
            ("ETH-BTC", "ETH-BTC", URL),
            ("BTC-USDC-PERP", "BTC-PERP-INTX", URL),
            ("USDT-USDC", "USDT-USDC", URL),
            ("BTC-USD-20261225", "", ""),
        ],
        requests: (
            vec!["BTC-USD", "ETH-USD"],
            vec![
                r#"{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"level2"}"#,
                r#"{"type":"subscribe","channel":"heartbeats"}"#,
            ],
            vec![
                r#"{"type":"unsubscribe","product_ids":["BTC-USD"],"channel":"level2"}"#,
                r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}"#,
            ],
        ),
        answers: vec![
            (
                r#"{"channel":"subscriptions","sequence_num":0,"events":[{"subscriptions":{"level2":["BTC-USD"]}}]}"#,
                Ack::Waiting,
            ),
            (
                r#"{"channel":"subscriptions","sequence_num":0,"events":[{"subscriptions":{"heartbeats":["heartbeats"],"level2":["ETH-USD","BTC-USD"]}}]}"#,
                Ack::Accepted,
            ),
            (
                r#"{"type":"error","message":"failed to subscribe"}"#,
                refused(None, "failed to subscribe"),
            ),
            (
                r#"{"type":"error","message":"ETH-USD is not a valid product"}"#,
                refused(Some("ETH-USD"), "ETH-USD is not a valid product"),
            ),
        ],
    }
}

fn kraken() -> Fixture {
    const URL: &str = "wss://ws.kraken.com/v2";
    let name = "kraken/20210405_ws_book1000_10pairs";
    let mut recorded = recording(name, kraken_v2());
    for (pair, _) in &mut recorded.books {
        *pair = pair.replace("XBT", "BTC");
    }
    Fixture {
        spec: venue::find("kraken").unwrap(),
        recordings: vec![recorded],
        samples: vec![
            r#"{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":45283.5,"qty":0.10000000}],"asks":[{"price":45285.2,"qty":0.00100000}],"checksum":3310070434,"timestamp":"2023-10-06T17:35:55.440295Z"}]}"#,
            r#"{"channel":"book","type":"update","data":[{"symbol":"MATIC/USD","bids":[{"price":0.5657,"qty":1098.3947558},{"price":1e-05,"qty":0}],"asks":[],"checksum":2114181697,"timestamp":"2023-10-06T17:35:55.440295Z"}]}"#,
            r#"{"channel":"book","type":"update","data":[{"symbol":"MATIC/USD","bids":[],"asks":[],"checksum":1},{"symbol":"BTC/USD","bids":[],"asks":[],"checksum":2}]}"#,
        ],
        others: vec![
            r#"{"channel":"heartbeat"}"#,
            r#"{"channel":"status","type":"update","data":[{"version":"2.0.x","system":"online","api_version":"v2","connection_id":12393906104898154338}]}"#,
            r#"{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[]}}"#,
            r#"{"method":"pong","req_id":101,"time_in":"x","time_out":"y"}"#,
            r#"[320,{"b":[]},"book-1000","XBT/USD"]"#,
        ],
        bad: vec![
            (
                r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[],"asks":[]}]}"#,
                "an update without checksum",
            ),
            (
                r#"{"channel":"book","type":"update","data":[]}"#,
                "a book message without a book",
            ),
            (
                r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":1}],"asks":[],"checksum":1}]}"#,
                "a level without price or quantity",
            ),
            (
                r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[],"asks":[],"checksum":4294967296}]}"#,
                "a checksum above 32 bits",
            ),
        ],
        names: vec![
            ("ETH-BTC", "ETH/BTC", URL),
            ("DOGE-USD", "DOGE/USD", URL),
            ("BTC-USD-PERP", "", ""),
        ],
        requests: (
            vec!["BTC/USD", "ETH/USD"],
            vec![
                r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD","ETH/USD"],"depth":10}}"#,
            ],
            vec![
                r#"{"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10}}"#,
                r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10}}"#,
            ],
        ),
        answers: vec![
            (
                r#"{"method":"subscribe","result":{"channel":"book","symbol":"ETH/USD","depth":10,"snapshot":true},"success":true}"#,
                Ack::Waiting,
            ),
            (
                r#"{"error":"Currency pair not supported BTC/USD","method":"subscribe","req_id":1,"success":false,"symbol":"BTC/USD"}"#,
                refused(Some("BTC/USD"), "Currency pair not supported BTC/USD"),
            ),
            (
                r#"{"method":"subscribe","result":{"channel":"book","symbol":"BTC/USD","depth":10,"snapshot":true},"success":true}"#,
                Ack::Accepted,
            ),
            (
                r#"{"Error":"Exceeded msg rate"}"#,
                refused(None, "Exceeded msg rate"),
            ),
            (
                r#"{"error":"Subscription Not Found","method":"unsubscribe","success":false}"#,
                Ack::Waiting,
            ),
        ],
    }
}
