//! What clients write passes when it is right, and each error put into it is found.

use serde_json::{Value, json};

use super::*;
use crate::ledger::Entry;

const MS: u64 = 1_000_000;

fn entry(at: u64, venue: &str, seq: u64, bid: &str, ask: &str) -> News {
    let mut entry = Entry {
        at: at * MS,
        socket: u32::from(venue == "kraken"),
        venue: venue.to_owned(),
        symbol: "BTCUSDT".to_owned(),
        stream: 1,
        seq,
        is_whole: seq == 1,
        bids: Default::default(),
        asks: Default::default(),
    };
    entry.bids.push(bid, "2");
    entry.asks.push(ask, "3");
    News::Said(Record::Entry(entry))
}

fn leg(venue: &str, state: &str, seq: u64) -> Value {
    json!({"venue": venue, "symbol": "BTC-USDT", "native_symbol": "BTCUSDT", "state": state,
        "cause": if state == "live" { "complete image" } else { "stopped" }, "epoch": 1, "seq": seq})
}

fn level(leg: usize, price: &str, qty: &str) -> Value {
    json!({"leg": leg, "price": price, "qty": qty})
}

/// Both venues live; bybit's best bid is `bid`.
fn both(seq: u64, bybit: u64, bid: &str) -> Value {
    json!({"seq": seq, "skipped": 0, "live_legs": 2,
        "legs": [leg("bybit", "live", bybit), leg("kraken", "live", 1)],
        "bids": [level(0, bid, "2"), level(1, "99", "2")],
        "asks": [level(0, "101", "3"), level(1, "101", "3")]})
}

fn stopped(seq: u64) -> Value {
    json!({"seq": seq, "skipped": 0, "live_legs": 0, "bids": [], "asks": [],
        "legs": [leg("bybit", "down", 2), leg("kraken", "down", 1)]})
}

fn loss() -> Value {
    json!({"seq": 0, "skipped": 0, "live_legs": 0, "bids": [], "asks": [], "legs": [],
        "disconnected": "the server ended the stream"})
}

/// What a prompt client and a slow one write, with when each line is read, in ms.
fn right() -> Vec<(u64, usize, Value)> {
    let mut lines = vec![
        (12, 0, both(1, 1, "100")),
        (22, 0, both(2, 2, "100.5")),
        (30, 0, stopped(3)),
        (31, 0, loss()),
    ];
    let mut late = both(2, 2, "100.5");
    late["skipped"] = 1.into();
    lines.extend([(9_000, 1, late), (9_001, 1, stopped(3)), (9_002, 1, loss())]);
    lines
}

/// The rules that are broken by these lines.
fn found(lines: &[(u64, usize, Value)], looks: &[u64]) -> Vec<Rule> {
    let mut judge = Judge::new(10, Limits::real_time(), &[true, false], Trace::default());
    for news in [
        entry(10, "bybit", 1, "100", "101"),
        entry(11, "kraken", 1, "99", "101"),
        entry(20, "bybit", 2, "100.5", "101"),
    ] {
        judge.take(news);
    }
    for (at, client, line) in lines {
        let (at, text) = (at * MS, line.to_string());
        judge.take(News::Shown(*client, Written { at, text }));
    }
    for at in looks {
        judge.take(News::Said(Record::Looked { at: at * MS }));
    }
    judge.judge(u64::MAX);
    assert!(judge.judged().views > 0);
    let (violations, _) = judge.finish();
    violations.iter().map(|violation| violation.rule).collect()
}

#[test]
fn what_is_right_passes_and_who_was_told_of_the_end_is_known() {
    assert_eq!(found(&right(), &[100, 1_000]), []);
    let mut judge = Judge::new(10, Limits::real_time(), &[true, false], Trace::default());
    for (at, client, line) in right() {
        let text = line.to_string();
        judge.take(News::Shown(client, Written { at: at * MS, text }));
    }
    judge.judge(40 * MS);
    assert!(!judge.was_told(0), "it is held back");
    judge.judge(1_000 * MS);
    assert!(judge.was_told(0) && !judge.was_told(1));
    assert_eq!(judge.lost_at(0), Some(31 * MS));
}

#[test]
fn each_error_is_found_by_its_rule() {
    type Spoil = fn(&mut Vec<(u64, usize, Value)>);
    let cases: [(&str, Rule, Spoil); 10] = [
        ("a price", Rule::Truth, |l| {
            l[1].2["bids"][0]["price"] = "100.6".into()
        }),
        ("a quantity", Rule::Truth, |l| {
            l[1].2["bids"][1]["qty"] = "2.000001".into()
        }),
        ("sides", Rule::Truth, |l| {
            let bids = l[1].2["bids"].take();
            l[1].2["bids"] = l[1].2["asks"].take();
            l[1].2["asks"] = bids;
        }),
        ("what is not said yet", Rule::Truth, |l| {
            l.insert(0, (0, 0, both(0, 3, "102")))
        }),
        ("ties", Rule::Merge, |l| {
            l[1].2["asks"].as_array_mut().unwrap().swap(0, 1)
        }),
        ("a level of a leg that is not live", Rule::Merge, |l| {
            l[1].2["legs"][1] = leg("kraken", "gap", 1);
            l[1].2["live_legs"] = 1.into();
        }),
        ("going back", Rule::Order, |l| l[1].2 = both(2, 0, "100.5")),
        ("skipped", Rule::Subsequence, |l| l[1].2["seq"] = 4.into()),
        ("another view of the same number", Rule::Subsequence, |l| {
            l[4].2["bids"] = json!([]);
        }),
        ("no view at all", Rule::Failure, |l| {
            l[1].2["legs"] = "none".into()
        }),
    ];
    for (what, rule, spoil) in cases {
        let mut lines = right();
        spoil(&mut lines);
        let rules = found(&lines, &[]);
        assert!(rules.contains(&rule), "{what}: {rules:?}");
    }
}

#[test]
fn who_goes_on_showing_what_is_old_is_found_and_who_said_so_is_not() {
    let silent = 20 + 5_900 + 151;
    assert_eq!(found(&right(), &[silent]), []);
    let mut lines = right();
    lines.drain(2..4);
    assert_eq!(found(&lines, &[1_000]), []);
    assert!(found(&lines, &[silent]).contains(&Rule::Freshness));
    lines.remove(1);
    assert!(
        found(&lines, &[1_100]).contains(&Rule::Freshness),
        "an update that is not shown"
    );
}

#[test]
fn a_client_that_a_living_server_cuts_off_is_found_unless_it_was_told_or_the_server_was_killed() {
    let mut lines = right();
    lines.remove(2);
    assert!(
        found(&lines, &[]).contains(&Rule::Failure),
        "nobody told it"
    );
    let mut judge = Judge::new(10, Limits::real_time(), &[true], Trace::default());
    judge.take(entry(10, "bybit", 1, "100", "101"));
    judge.take(entry(11, "kraken", 1, "99", "101"));
    for (at, line) in [(12, both(1, 1, "100")), (31, loss())] {
        let (at, text) = (at * MS, line.to_string());
        judge.take(News::Shown(0, Written { at, text }));
    }
    judge.killed(30 * MS);
    judge.judge(u64::MAX);
    assert_eq!(judge.finish().0, []);
    let mut lines = right();
    lines.remove(2);
    let mut judge = Judge::new(10, Limits::real_time(), &[true, false], Trace::default());
    judge.excuse(40 * MS);
    for (at, client, line) in lines {
        let text = line.to_string();
        judge.take(News::Shown(client, Written { at: at * MS, text }));
    }
    judge.judge(u64::MAX);
    let (found, _) = judge.finish();
    assert!(!found.iter().any(|v| v.to_string().contains("is cut off")));
}
