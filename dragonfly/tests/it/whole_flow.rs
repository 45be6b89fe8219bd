//! Two recorded venues through the whole of a flow, stepped by hand, against a merge by brute force.

use std::{cmp::Reverse, collections::BTreeMap};

use dragonfly::{
    aggregators::Bbo,
    clients::{
        ReplaySource,
        capture::{Direction, Record},
    },
    clock::{Clock, Nanos, UtcNanos},
    flow::Flow,
    market::{BookState, Cause, ConsolidatedBook, Symbol, VenueLevel},
    queue::{self, Consumer as _},
    sim::{Line, Recording},
    stage::Work,
};
use serde_json::Value;

use super::recorded::{Pair, SlowBook, Top, feed, units};

/// The best ten levels of a recorded book by (restart, the venue's number), in recorded order.
type History = BTreeMap<(u32, u64), Top>;

/// The book messages of Bybit are whole or changes, and numbered by `u`.
fn bybit_history(records: &[Record]) -> History {
    let (mut history, mut book, mut epoch) = (History::new(), SlowBook::default(), 0);
    for record in records {
        let message: Value = serde_json::from_str(&record.msg).unwrap();
        if message["type"] == "snapshot" {
            (book, epoch) = (SlowBook::default(), epoch + 1);
        }
        let data = &message["data"];
        for (is_bid, side) in [(true, "b"), (false, "a")] {
            for level in data[side].as_array().into_iter().flatten() {
                book.set(is_bid, &level[0], &level[1]);
            }
        }
        if let Some(number) = data["u"].as_u64() {
            history.insert((epoch, number), book.top(10));
        }
    }
    history
}

/// Those of Coinbase are too, and numbered on their connection.
fn coinbase_history(records: &[Record]) -> History {
    let (mut history, mut book, mut epoch) = (History::new(), SlowBook::default(), 0);
    for record in records {
        let message: Value = serde_json::from_str(&record.msg).unwrap();
        if message["channel"] != "l2_data" {
            continue;
        }
        for event in message["events"].as_array().unwrap() {
            if event["type"] == "snapshot" {
                (book, epoch) = (SlowBook::default(), epoch + 1);
            }
            for level in event["updates"].as_array().unwrap() {
                let is_bid = level["side"] == "bid";
                book.set(is_bid, &level["price_level"], &level["new_quantity"]);
            }
        }
        let number = message["sequence_num"].as_u64().unwrap();
        history.insert((epoch, number), book.top(10));
    }
    history
}

fn record(line: &Line) -> Record {
    Record {
        ts: Some(line.at),
        direction: Direction::In,
        url: line.url.to_string(),
        msg: line.text.to_string(),
        raw: None,
    }
}

/// Coinbase counts what it sends on a connection. The other instrument of the recorded one is left
/// out of the recording, so what remains is counted anew.
fn recounted((number, mut record): (usize, Record)) -> Record {
    let message: Value = serde_json::from_str(&record.msg).unwrap();
    let was = format!("\"sequence_num\":{}", message["sequence_num"]);
    assert_eq!(record.msg.matches(&was).count(), 1);
    record.msg = record
        .msg
        .replace(&was, &format!("\"sequence_num\":{number}"));
    record
}

/// Every view of the recordings, played in turn.
fn views(recordings: [(&str, &str, Vec<Record>); 2]) -> Vec<ConsolidatedBook> {
    let (clock, hand) = Clock::manual(UtcNanos(0));
    let mut flow = Flow::with_clock(clock.clone());
    let sources = recordings.map(|(venue, instrument, records)| {
        ReplaySource::new(records.into_iter(), feed(venue, instrument))
    });
    let books = flow.listen(sources).via(queue::mpsc(64));
    let bbo = Bbo::top(10).named(Symbol::new("BTC-USD").unwrap());
    let mut reader = flow
        .aggregate(books, bbo)
        .via(queue::spmc(64))
        .into_consumer();
    let mut views = Vec::new();
    loop {
        let work = flow.step(clock.mono()).unwrap();
        hand.advance(Nanos::from_millis(1));
        while let Ok(seen @ [_, ..]) = reader.ready() {
            views.extend_from_slice(seen);
            let count = seen.len();
            reader.release(count);
        }
        if work == Work::Done {
            return views;
        }
    }
}

/// The levels of all venues in one list: by price, then the larger quantity, then the venue's name.
fn merged<'a>(
    sides: impl Iterator<Item = (&'a str, &'a [Pair])>,
    is_bid: bool,
) -> Vec<(i128, i128, &'a str)> {
    let levels = sides.flat_map(|(venue, side)| side.iter().map(move |(p, q)| (*p, *q, venue)));
    let mut levels: Vec<_> = levels.collect();
    let price = |price: i128| if is_bid { -price } else { price };
    levels.sort_by_key(|(p, q, venue)| (price(*p), Reverse(*q), *venue));
    levels.truncate(10);
    levels
}

/// The levels of a view as texts say them.
fn shown<'a>(view: &'a ConsolidatedBook, side: &[VenueLevel]) -> Vec<(i128, i128, &'a str)> {
    let level = |level: &VenueLevel| {
        let venue = view.legs.id(level.leg.into()).unwrap().venue.as_str();
        let [price, qty] = [level.price.to_string(), level.qty.to_string()];
        (units(&price), units(&qty), venue)
    };
    side.iter().map(level).collect()
}

/// Fails where the view is not the merge of the books it says it rests on.
fn is_the_merge(view: &ConsolidatedBook, histories: &BTreeMap<&str, History>) {
    let live = view
        .legs
        .iter()
        .filter(|(_, leg)| leg.state == BookState::Live);
    let tops: Vec<(&str, &Top)> = live
        .map(|(id, leg)| {
            let venue = id.venue.as_str();
            (venue, &histories[venue][&(leg.epoch, leg.seq)])
        })
        .collect();
    let bids = merged(tops.iter().map(|(venue, top)| (*venue, &top.0[..])), true);
    let asks = merged(tops.iter().map(|(venue, top)| (*venue, &top.1[..])), false);
    assert_eq!(shown(view, &view.bids), bids, "bids of view {}", view.seq);
    assert_eq!(shown(view, &view.asks), asks, "asks of view {}", view.seq);
}

/// Where the best ten levels of a book differ from those before.
fn changes(history: &History) -> Vec<(u32, u64)> {
    let mut last = None;
    let is_news = |top| last.replace(top) != Some(top);
    let mut is_news = is_news;
    let changed = history.iter().filter(|(_, top)| is_news(*top));
    changed.map(|(at, _)| *at).collect()
}

#[test]
fn every_view_of_the_demo_is_the_merge_of_the_recorded_books() {
    let bybit: Vec<Record> = Recording::demo_bybit()
        .unwrap()
        .received()
        .map(record)
        .collect();
    let coinbase = Recording::demo_coinbase().unwrap();
    let coinbase = coinbase.received().map(record).enumerate().map(recounted);
    let coinbase: Vec<Record> = coinbase.collect();
    let histories = BTreeMap::from([
        ("bybit", bybit_history(&bybit)),
        ("coinbase-advanced", coinbase_history(&coinbase)),
    ]);
    let views = views([
        ("bybit", "BTC-USDT", bybit),
        ("coinbase-advanced", "BTC-USD", coinbase),
    ]);

    for (view, number) in views.iter().zip(1..) {
        assert_eq!(view.seq, number);
        is_the_merge(view, &histories);
        for (id, leg) in view.legs.iter() {
            let is_fine = matches!(leg.cause, Cause::Started | Cause::Subscribed | Cause::Image)
                || (leg.state, leg.cause) == (BookState::Down, Cause::Stopped);
            assert!(is_fine, "{id:?} {leg:?}");
        }
    }
    let mut changed = 0;
    for (venue, history) in &histories {
        let seen = views.iter().flat_map(|view| view.legs.iter());
        let seen = seen.filter(|(id, leg)| id.venue == **venue && leg.state == BookState::Live);
        let mut seen: Vec<(u32, u64)> = seen.map(|(_, leg)| (leg.epoch, leg.seq)).collect();
        seen.dedup();
        assert_eq!(seen, changes(history), "{venue}");
        changed += seen.len();
    }
    // Each venue also began, subscribed, and ended.
    assert_eq!(views.len(), changed + 3 * histories.len());
    let last = views.last().unwrap();
    assert!(
        last.bids.is_empty() && last.asks.is_empty(),
        "no venue is left"
    );
    assert_eq!(changed, 335);
    let full = views.iter().rfind(|view| view.legs.live() == 2).unwrap();
    let best = [full.bids[0], full.asks[0]].map(|level| {
        let venue = full.legs.id(level.leg.into()).unwrap().venue;
        format!("{} x {} at {venue}", level.price, level.qty)
    });
    assert_eq!(
        best,
        [
            "65140.4 x 0.622237 at bybit",
            "65083.67 x 0.3095925 at coinbase-advanced"
        ]
    );
    assert!(full.is_crossed(), "recorded twenty minutes apart");
}
