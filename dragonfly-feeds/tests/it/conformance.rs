//! What every registered venue must do, whatever its protocol.

use dragonfly_core::{
    clock::Nanos,
    feed::{Ask, Decoded, FeedError},
    market::{BookState, BookUpdate, Instrument, Level, Symbol},
};
use dragonfly_feeds::{
    json::simd,
    venue::{self, Spec, Subscription},
};
use serde_json::Value;

use super::{
    fixtures::{self, Fixture, Recording},
    json_text::{Json, escaped, plain},
    replay::{Replay, of_recording, sym},
};

macro_rules! conformance_of {
    ($($module:ident)+) => {
        $(mod $module {
            use super::*;

            fn fixture() -> Fixture {
                fixtures::of(stringify!($module))
            }

            #[test]
            fn recordings_give_their_books() {
                let fixture = fixture();
                both_ways(|| fixture.recordings.iter().for_each(|r| replays(fixture.spec, r)));
            }

            #[test]
            fn a_message_means_the_same_however_it_is_written() {
                both_ways(|| rewritten(&fixture()));
            }

            #[test]
            fn a_truncated_message_is_never_an_update() {
                both_ways(|| truncated(&fixture()));
            }

            #[test]
            fn what_is_no_book_is_told_from_what_is_broken() {
                both_ways(|| classified(&fixture()));
            }

            #[test]
            fn requests_and_answers() {
                answered(&fixture());
            }

            #[test]
            fn a_venue_that_falls_silent_is_stale_though_its_socket_answers() {
                let fixture = fixture();
                fixture.recordings.iter().for_each(|r| falls_silent(fixture.spec, r));
            }

            #[test]
            fn names_go_there_and_back() {
                named(&fixture());
            }
        })+
    };
}
dragonfly_feeds::each_venue!(conformance_of);

/// With what the processor has and without.
fn both_ways(test: impl Fn()) {
    test();
    simd::plainly(test);
}

/// Decodes a message with a fresh decoder; its updates as text.
pub(crate) fn decode(spec: &Spec, message: &str) -> (Result<Decoded, FeedError>, Vec<String>) {
    let mut decoder = (spec.decoder)(&Subscription::default());
    let mut update = BookUpdate {
        wanted: 10,
        ..BookUpdate::default()
    };
    let mut updates = Vec::new();
    let mut bytes = message.as_bytes().to_vec();
    let decoded = decoder.decode(&mut bytes, &mut update, &mut |u| {
        updates.push(format!("{u:?}"));
        u.clear();
    });
    (decoded, updates)
}

fn replays(spec: &Spec, recording: &Recording) {
    let mut replay = of_recording(spec, &recording.url);
    replay.lines(&recording.lines);
    assert_eq!(replay.errors, [], "{}", recording.url);
    let books = replay.feed.listener().books();
    assert_eq!(books.len(), recording.books.len());
    for (native, expected) in &recording.books {
        let book = books.iter().find(|b| b.native_symbol == **native).unwrap();
        let stats = book.sync.stats();
        let (gaps, bad) = (stats.gaps, stats.checksum_failures);
        assert_eq!(
            (book.sync.state(), gaps, bad),
            (BookState::Live, 0, 0),
            "{native}"
        );
        let depth = book.sync.depth(10);
        for (side, best) in [("bid", depth.bids.first()), ("ask", depth.asks.first())] {
            let level = |i: usize| expected[side][i].as_str().unwrap();
            let expected = Level::new(level(0).parse().unwrap(), level(1).parse().unwrap());
            assert_eq!(best, Some(&expected), "{native} {side}");
        }
        let is_image = book.sync.book().bids().len() == 0;
        for (side, len) in [
            ("bid_levels", book.sync.book().bids().len()),
            ("ask_levels", book.sync.book().asks().len()),
        ] {
            let expected = expected[side].as_u64().unwrap() as usize;
            assert!(
                is_image || len == expected,
                "{native} {side} {len} {expected}"
            );
        }
    }
}

/// A pong of the protocol proves a socket, not the venue behind it.
fn falls_silent(spec: &Spec, recording: &Recording) {
    let mut replay = of_recording(spec, &recording.url);
    replay.lines(&recording.lines);
    let live = |replay: &Replay| {
        let books = replay.feed.listener().books().iter();
        books.filter(|b| b.sync.state() == BookState::Live).count()
    };
    assert_eq!(live(&replay), recording.books.len(), "{}", recording.url);
    replay.silence(Nanos::from_millis(4_900));
    assert_eq!(live(&replay), recording.books.len(), "{}", recording.url);
    replay.silence(Nanos::from_millis(200));
    assert_eq!(live(&replay), 0, "{}", recording.url);
}

/// Some messages of each recording, and the samples.
fn messages(fixture: &Fixture) -> Vec<String> {
    let recorded = fixture.recordings.iter().flat_map(|r| &r.lines);
    let small = recorded.map(|l| &l.msg).filter(|m| m.len() < 6_000);
    let samples = fixture.samples.iter().chain(&fixture.others);
    let samples = samples.map(|m| (*m).to_owned());
    samples.chain(small.step_by(5).take(60).cloned()).collect()
}

fn rewritten(fixture: &Fixture) {
    let mut updates = 0;
    for message in messages(fixture) {
        let json = Json::read(&message);
        let expected = decode(fixture.spec, &message);
        updates += expected.1.len();
        for variant in [
            json.write("", &plain),
            json.write(" \r\n\t", &plain),
            json.clone().reversed().write("", &plain),
            json.clone().reversed().write(" ", &plain),
            json.write("", &escaped),
            json.clone().with_unknown_keys().write("", &plain),
            json.with_unknown_keys().reversed().write("\n", &escaped),
        ] {
            assert_eq!(decode(fixture.spec, &variant), expected, "{variant}");
        }
    }
    assert!(updates > 20, "{updates} updates compared");
}

fn truncated(fixture: &Fixture) {
    for message in messages(fixture).iter().step_by(3) {
        // Of a long message every end would take long, and looks like the one before.
        let step = message.len() / 800 + 1;
        let ends = (0..message.len()).step_by(step);
        for end in ends.chain(message.len() - 20..message.len()) {
            let (decoded, updates) = decode(fixture.spec, &message[..end]);
            assert_eq!(updates, [""; 0], "{}", &message[..end]);
            assert!(decoded.is_err(), "{}", &message[..end]);
        }
    }
}

fn classified(fixture: &Fixture) {
    for message in &fixture.samples {
        let (decoded, updates) = decode(fixture.spec, message);
        assert_eq!(decoded, Ok(Decoded::Book), "{message}");
        assert!(!updates.is_empty());
    }
    for message in &fixture.others {
        let (decoded, updates) = decode(fixture.spec, message);
        assert!(
            matches!(decoded, Ok(Decoded::Other { .. })),
            "{message}: {decoded:?}"
        );
        assert!(updates.is_empty());
    }
    for (message, begins) in &fixture.bad {
        let (decoded, updates) = decode(fixture.spec, message);
        let error = decoded.unwrap_err().to_string();
        assert!(error.starts_with(begins), "{message}: {error}");
        assert!(updates.is_empty(), "{message}");
    }
}

fn answered(fixture: &Fixture) {
    let (symbols, all, again) = &fixture.requests;
    let wanted = Subscription::new(symbols.iter().map(|s| sym(s)), 10);
    let mut subscriber = (fixture.spec.subscriber)(&wanted);
    let mut sent = Vec::new();
    subscriber.subscribe(Ask::All, &mut |m| {
        sent.push(String::from_utf8(m.into()).unwrap())
    });
    assert_eq!(sent, *all);
    for text in &sent {
        serde_json::from_str::<Value>(text).unwrap();
    }
    for (message, meaning) in &fixture.answers {
        assert_eq!(
            subscriber.acknowledge(message.as_bytes()),
            *meaning,
            "{message}"
        );
    }
    sent.clear();
    let first = sym(symbols[0]);
    subscriber.subscribe(Ask::Again(first), &mut |m| {
        sent.push(String::from_utf8(m.into()).unwrap());
    });
    assert_eq!(sent, *again);
    for message in fixture.samples.iter().chain(&fixture.others) {
        for end in (0..message.len()).filter(|end| message.is_char_boundary(*end)) {
            let _: dragonfly_core::feed::Ack = subscriber.acknowledge(&message.as_bytes()[..end]);
        }
    }
}

fn named(fixture: &Fixture) {
    for (unified, native, endpoint) in &fixture.names {
        let instrument: Instrument = unified.parse().unwrap();
        let got = (fixture.spec.native)(&instrument);
        if native.is_empty() {
            assert_eq!(got, None, "{unified}");
            continue;
        }
        assert_eq!(got, Some(sym(native)), "{unified}");
        assert_eq!((fixture.spec.endpoint)(&instrument), *endpoint);
        assert_eq!((fixture.spec.unify)(endpoint)(native), sym(unified));
    }
    // What cannot be taken apart stays as it is.
    let unify = (fixture.spec.unify)("wss://example.com");
    assert_eq!(unify("§"), sym("§"));
    assert_eq!(unify(""), Symbol::EMPTY);
    assert!(unify(&"ä".repeat(60)).len() <= 39);
}

#[test]
fn every_venue_is_found_by_its_id_and_listed_once() {
    let ids: Vec<&str> = venue::all().iter().map(|spec| spec.id).collect();
    assert_eq!(
        ids,
        [
            "binance",
            "bitstamp",
            "bybit",
            "coinbase-advanced",
            "kraken"
        ]
    );
    for id in ids {
        assert_eq!(venue::find(id).unwrap().id, id);
        assert!(venue::table().contains(&format!("| {id} |")));
    }
    assert!(venue::find("nasdaq").is_none());
}

#[test]
fn old_kraken_names_are_unified_too() {
    let unify = (venue::find("kraken").unwrap().unify)("");
    assert_eq!(unify("XBT/USD"), sym("BTC-USD"));
    assert_eq!(unify("XDG/XBT"), sym("DOGE-BTC"));
}

#[test]
fn coinbase_serves_usdc_books_under_their_usd_name() {
    let native = venue::find("coinbase-advanced").unwrap().native;
    assert_eq!(native(&"BTC-USDC".parse().unwrap()), Some(sym("BTC-USD")));
}

#[test]
fn a_channel_depth_is_taken_up_to_one_the_venue_offers() {
    let levels = |id: &str, wanted: &Subscription| wanted.levels(venue::find(id).unwrap());
    let ten = Subscription::new([], 10);
    let asked = |n: usize| Subscription::new([], 10).channel_depth(n);
    assert_eq!(levels("kraken", &ten), 10);
    assert_eq!(levels("kraken", &Subscription::new([], 20)), 25);
    assert_eq!(levels("kraken", &asked(101)), 500);
    assert_eq!(levels("kraken", &asked(5_000)), 1000);
    assert_eq!(levels("binance", &ten), 20);
    assert_eq!(levels("binance", &asked(10)), 10);
    assert_eq!(levels("coinbase-advanced", &ten), 0);
}

#[test]
fn the_readme_shows_the_venues_there_are() {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("<!-- venues -->\n").unwrap();
    let (shown, _) = rest.split_once("<!-- /venues -->").unwrap();
    assert_eq!(shown, venue::table(), "paste it into README.md");
}
