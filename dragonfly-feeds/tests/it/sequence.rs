//! Lost, repeated and late messages: each venue held to what it promises.

use dragonfly_core::{
    feed::Verdict,
    market::{BookState, Cause, Level},
};
use dragonfly_feeds::venue;

use super::{
    books::{binance_images, kraken_v2},
    capture::{final_books, received},
    replay::{Replay, discovering, of_symbols},
};

fn bybit(kind: &str, u: u64, bids: &str) -> String {
    format!(
        r#"{{"topic":"orderbook.50.BTCUSDT","type":"{kind}","ts":1,"data":{{"s":"BTCUSDT","b":[{bids}],"a":[],"u":{u},"seq":1}},"cts":1}}"#
    )
}

fn best_bid(replay: &Replay) -> String {
    replay.events.last().unwrap().depth.bids[0]
        .price
        .to_string()
}

#[test]
fn bybit_a_lost_delta_withdraws_the_book_and_asks_again() {
    let mut replay = of_symbols(venue::find("bybit").unwrap(), &["BTCUSDT"]);
    replay.take_sent();
    replay.message(&bybit("snapshot", 7, r#"["10","1"]"#));
    replay.message(&bybit("delta", 8, r#"["11","1"]"#));
    assert_eq!(
        (replay.state("BTCUSDT"), best_bid(&replay)),
        (BookState::Live, "11".into())
    );
    let events = replay.events.len();
    replay.message(&bybit("delta", 8, r#"["12","1"]"#));
    replay.message(&bybit("delta", 7, r#"["12","1"]"#));
    assert_eq!(
        replay.events.len(),
        events,
        "repeated and late deltas change nothing"
    );
    replay.message(&bybit("delta", 10, r#"["12","1"]"#));
    assert_eq!(replay.state("BTCUSDT"), BookState::Gap);
    assert!(replay.events.last().unwrap().depth.bids.is_empty());
    let sent = replay.take_sent();
    assert_eq!(sent.len(), 2, "{sent:?}");
    replay.message(&bybit("delta", 11, r#"["12","1"]"#));
    assert_eq!(
        replay.state("BTCUSDT"),
        BookState::Gap,
        "nothing is built on a hole"
    );
    replay.message(&bybit("snapshot", 20, r#"["9","1"]"#));
    assert_eq!(
        (replay.state("BTCUSDT"), best_bid(&replay)),
        (BookState::Live, "9".into())
    );
    replay.message(&bybit("delta", 1, r#"["8","1"]"#));
    assert_eq!(
        best_bid(&replay),
        "8",
        "a restart of the count replaces the book"
    );
}

fn coinbase(seq: u64, kind: &str, price: u64) -> String {
    format!(
        r#"{{"channel":"l2_data","timestamp":"2026-04-07T14:30:00Z","sequence_num":{seq},"events":[{{"type":"{kind}","product_id":"BTC-USD","updates":[{{"side":"bid","event_time":"x","price_level":"{price}","new_quantity":"1"}}]}}]}}"#
    )
}

#[test]
fn coinbase_any_message_of_the_connection_may_be_the_lost_one() {
    let spec = venue::find("coinbase-advanced").unwrap();
    let heartbeat = |seq: u64| format!(r#"{{"channel":"heartbeats","sequence_num":{seq}}}"#);
    let mut replay = of_symbols(spec, &["BTC-USD"]);
    replay.message(&coinbase(0, "snapshot", 10));
    replay.message(&heartbeat(1));
    replay.message(&coinbase(2, "update", 11));
    assert_eq!(
        (replay.state("BTC-USD"), best_bid(&replay)),
        (BookState::Live, "11".into())
    );
    replay.message(&coinbase(1, "update", 99));
    assert_eq!(best_bid(&replay), "11", "a late message is dropped");
    replay.message(&heartbeat(4));
    assert_eq!(replay.state("BTC-USD"), BookState::Gap);
    assert_eq!(
        replay.verdicts.last(),
        Some(&Verdict::Close(Cause::SequenceGap))
    );
}

#[test]
fn kraken_a_lost_update_shows_in_the_checksum() {
    let lines = kraken_v2();
    let pair = r#""symbol":"BTC/USD""#;
    let mut updates = lines.iter().filter(|l| l.msg.contains(pair));
    let spec = venue::find("kraken").unwrap();
    let url = &lines[0].url;
    let mut replay = super::replay::of_recording(spec, url);
    replay.take_sent();
    replay.message(&updates.next().unwrap().msg);
    replay.message(&updates.next().unwrap().msg);
    assert_eq!(replay.state("BTC/USD"), BookState::Live);
    for _ in 0..20 {
        updates.next();
    }
    let rest: Vec<_> = updates.take(50).map(|l| l.msg.clone()).collect();
    rest.iter().for_each(|msg| replay.message(msg));
    assert_eq!(replay.state("BTC/USD"), BookState::Gap);
    let withdrawn = replay
        .events
        .iter()
        .find(|e| e.state == BookState::Gap)
        .unwrap();
    assert_eq!(withdrawn.cause, Cause::ChecksumMismatch);
    assert_eq!(replay.take_sent().len(), 2);
}

/// The whole recording of 2021, re-expressed: every one of its checksums must match.
#[test]
fn kraken_all_checksums_of_the_recording_match() {
    let lines = kraken_v2();
    let spec = venue::find("kraken").unwrap();
    let sums = lines
        .iter()
        .filter(|l| l.msg.contains(r#""checksum":"#))
        .count();
    assert_eq!(sums, 14_496);
    let mut replay = super::replay::of_recording(spec, &lines[0].url);
    replay.lines(&lines);
    let books = replay.feed.listener().books().iter();
    let stats: Vec<_> = books.map(|b| b.sync.stats()).collect();
    assert_eq!(stats.iter().map(|s| s.checksum_failures).sum::<u64>(), 0);
    // Ten snapshots came without a checksum.
    assert_eq!(stats.iter().map(|s| s.updates).sum::<u64>(), 14_496 + 10);
}

#[test]
fn images_that_are_late_or_repeated_change_nothing() {
    let lines = binance_images();
    let spec = venue::find("binance").unwrap();
    let nkn: Vec<&str> = lines
        .iter()
        .map(|l| l.msg.as_str())
        .filter(|m| m.contains("nknusdt"))
        .collect();
    let mut replay = of_symbols(spec, &["NKNUSDT"]);
    replay.message(nkn[1]);
    let events = replay.events.len();
    replay.message(nkn[1]);
    replay.message(nkn[0]);
    assert_eq!(replay.events.len(), events);
    replay.message(nkn[9]);
    assert_eq!(
        replay.events.len(),
        events + 1,
        "a hole in the numbers is none in the book"
    );
    assert_eq!(replay.state("NKNUSDT"), BookState::Live);
}

#[test]
fn raw_images_belong_to_the_only_instrument() {
    let spec = venue::find("binance").unwrap();
    let raw = r#"{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","100"]]}"#;
    let mut one = of_symbols(spec, &["BNBBTC"]);
    one.message(raw);
    assert_eq!(one.state("BNBBTC"), BookState::Live);
    let mut two = of_symbols(spec, &["BNBBTC", "ETHBTC"]);
    two.message(raw);
    assert_eq!(two.errors.len(), 1, "nobody knows whose image it is");
}

/// The channels of changes with their snapshots by request, as recorded.
#[test]
fn recorded_changes_give_their_books() {
    for (id, name) in [
        ("binance", "binance/20211012_ws_4pairs"),
        ("bitstamp", "bitstamp/20220105_ws_10pairs"),
    ] {
        let spec = venue::find(id).unwrap();
        let diffs = spec.diffs.unwrap();
        let decoder = (diffs.decoder)(&venue::Subscription::default());
        let mut replay = discovering(spec, "", decoder, (diffs.rules)());
        for mut line in received(name) {
            if line.url.starts_with("http") {
                line.msg = (diffs.snapshot)(&line.url, &line.msg).unwrap();
            }
            replay.lines(&[line]);
        }
        assert_eq!(replay.errors, []);
        assert_eq!(
            (diffs.snapshot)("https://example.com/api/v3/time?x=1", "{}"),
            None
        );
        for (native, expected) in final_books(name) {
            let books = replay.feed.listener().books();
            let sync = &books
                .iter()
                .find(|b| b.native_symbol == *native)
                .unwrap()
                .sync;
            assert_eq!(
                (sync.state(), sync.stats().gaps),
                (BookState::Live, 0),
                "{native}"
            );
            let counts = (sync.book().bids().len(), sync.book().asks().len());
            let count = |side: &str| expected[side].as_u64().unwrap() as usize;
            assert_eq!(
                counts,
                (count("bid_levels"), count("ask_levels")),
                "{native}"
            );
            for (side, level) in [
                ("bid", sync.book().bids().next()),
                ("ask", sync.book().asks().next()),
            ] {
                let [price, qty] = [0, 1].map(|i| expected[side][i].as_str().unwrap());
                let expected = Level::new(price.parse().unwrap(), qty.parse().unwrap());
                assert_eq!(level, Some(&expected), "{native} {side}");
            }
        }
    }
}

#[test]
fn a_refused_instrument_is_closed_and_the_others_go_on() {
    let spec = venue::find("kraken").unwrap();
    let mut replay = of_symbols(spec, &["BTC/USD", "ABC/DEF"]);
    replay.message(
        r#"{"error":"Currency pair not supported ABC/DEF","method":"subscribe","success":false,"symbol":"ABC/DEF"}"#,
    );
    assert_eq!(replay.state("ABC/DEF"), BookState::Closed);
    assert_eq!(replay.state("BTC/USD"), BookState::Syncing);
    assert_eq!(replay.feed.stats().refused.get(), 1);
}

#[test]
fn three_bad_messages_in_a_row_give_the_connection_up() {
    let mut replay = of_symbols(venue::find("bybit").unwrap(), &["BTCUSDT"]);
    replay.message(&bybit("snapshot", 7, r#"["10","1"]"#));
    for _ in 0..2 {
        replay.message(&bybit("delta", 8, r#"["-1","1"]"#));
        assert_eq!(replay.state("BTCUSDT"), BookState::Live);
    }
    replay.message(&bybit("delta", 8, r#"["-1","1"]"#));
    assert_eq!(replay.state("BTCUSDT"), BookState::Gap);
    assert_eq!(
        replay.verdicts.last(),
        Some(&Verdict::Close(Cause::BadMessages))
    );
}

#[test]
fn coinbase_a_refusal_closes_the_product_it_names_and_not_one_whose_name_it_begins_with() {
    let spec = venue::find("coinbase-advanced").unwrap();
    let mut replay = of_symbols(spec, &["BTC-USD", "BTC-USDT"]);
    replay.message(&coinbase(0, "snapshot", 10));
    replay.message(r#"{"type":"error","message":"BTC-USDT is not a valid product"}"#);
    assert_eq!(replay.state("BTC-USD"), BookState::Live);
    assert_eq!(replay.state("BTC-USDT"), BookState::Closed);
}

#[test]
fn one_book_under_two_names_is_refused_before_it_is_opened() {
    use dragonfly_feeds::Builder;
    let open = |venue, also| {
        Builder::new(venue, "BTC-USD")
            .unwrap()
            .also(also)
            .unwrap()
            .build()
    };
    for (venue, also) in [("coinbase-advanced", "BTC-USDC"), ("kraken", "btcusd")] {
        let error = open(venue, also).err().unwrap().to_string();
        assert!(
            error.starts_with(&format!("{venue} has one book for BTC-USD and BTC-USD")),
            "{error}"
        );
    }
    assert!(open("kraken", "BTC-USDC").is_ok());
}

#[test]
fn one_connection_is_not_taken_for_two_markets() {
    use dragonfly_feeds::{Builder, build_all};
    let url = "wss://localhost:9443/v5/public/spot";
    let spot = || Builder::new("bybit", "BTC-USDT").unwrap();
    // Spelt alike or not, and at an address of the user's or not.
    for perpetual in ["BTC-USDT-PERP", "ETH-USDT-PERP"] {
        let expected = format!("bybit serves BTC-USDT and {perpetual} at different addresses: ");
        let both = || spot().also(perpetual).unwrap();
        for one in [both(), both().endpoint(url)] {
            let error = one.build().err().unwrap().to_string();
            assert_eq!(error, format!("{expected}open a feed for each"));
        }
        let other = || Builder::new("bybit", perpetual).unwrap();
        let error = build_all([spot().endpoint(url), other().endpoint(url)]);
        let error = error.err().unwrap().to_string();
        assert_eq!(error, format!("{expected}{url} cannot be both"));
        assert!(build_all([spot(), other()]).is_ok());
        assert!(build_all([spot(), other().endpoint(url)]).is_ok());
    }
    // One market has many books at one address.
    let ether = || Builder::new("bybit", "ETH-USDT").unwrap();
    assert!(build_all([spot().endpoint(url), ether().endpoint(url)]).is_ok());
    let error = build_all([ether().also("BTC-USDT").unwrap(), spot()]);
    assert_eq!(
        error.err().unwrap().to_string(),
        "bybit has one book for BTC-USDT and BTC-USDT: name it once"
    );
}
