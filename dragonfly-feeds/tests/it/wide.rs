//! What is read at once is what is read byte by byte: levels, places and faults.

use dragonfly_core::{
    feed::{Decoded, Decoder, FeedError},
    market::{BookUpdate, Level},
};
use dragonfly_feeds::{
    json::{Cursor, Decimals, Fault, simd},
    venue::{self, Spec, Subscription},
};
use proptest::prelude::*;

use super::{
    capture::received,
    fixtures,
    fuzz_smoke::{Dice, corpus, mutate},
};

/// What reading an array of levels came to, and where it ended.
type Read = (Result<(Vec<Level>, Decimals), Fault>, usize);

/// Reads the levels of `text` behind its first `from` bytes. The text is where nothing may be read
/// before or behind it: in an allocation of its own.
fn read(text: &[u8], from: usize, wanted: usize) -> Read {
    let text: Box<[u8]> = text.into();
    let mut cursor = Cursor::new(&text);
    for _ in 0..from {
        // The bytes before are digits, one value each.
        assert!(cursor.skip().is_ok() || cursor.position() == 0);
    }
    let mut levels = Vec::new();
    let decimals = cursor.pairs(&mut levels, wanted);
    (decimals.map(|d| (levels, d)), cursor.position())
}

fn same(before: usize, array: &[u8], wanted: usize) {
    let text = [&b"0".repeat(before)[..], b" ", array].concat();
    let from = usize::from(before > 0);
    let wide = read(&text, from, wanted);
    let plain = simd::plainly(|| read(&text, from, wanted));
    assert_eq!(wide, plain, "{}", String::from_utf8_lossy(&text));
}

/// Numbers of up to 20 digits with a point in every place, or none: all lengths, all forms.
fn numbers() -> Vec<String> {
    let mut numbers = vec![
        String::new(),
        ".".into(),
        "-1".into(),
        "1e5".into(),
        "0".into(),
    ];
    for len in 1..=20 {
        let digits = &"98765432109876543210"[..len];
        numbers.push(digits.to_owned());
        numbers.push("0".repeat(len));
        numbers.extend((0..=len).map(|at| format!("{}.{}", &digits[..at], &digits[at..])));
    }
    numbers
}

#[test]
fn every_form_of_a_number_is_read_alike() {
    for (i, number) in numbers().iter().enumerate() {
        for other in ["1", "0.5", "12345678.12345678", "0", number] {
            for (price, qty) in [(number.as_str(), other), (other, number.as_str())] {
                let pair = format!(r#"["{price}","{qty}"]"#);
                same(20 + i % 64, format!("[{pair}]").as_bytes(), 9);
                same(
                    3,
                    format!(r#"[{pair},["1","1"],{pair},["2","2"]]  "#).as_bytes(),
                    3,
                );
            }
        }
    }
}

/// A message may end, and a level may be anything, wherever the processor is about to read.
#[test]
fn every_byte_of_a_level_may_be_another_or_the_last() {
    let array = br#"[["123.45","0.6789"],["9.5","12345678901.5"],["7","8"],["61837.63","0.1"]]"#;
    for at in 0..array.len() {
        same(17, &array[..at], 9);
        for byte in *b"\"[],.:}\\0/: \xff\x00e-" {
            let mut other = array.to_vec();
            other[at] = byte;
            same(at % 40, &other, 9);
            other.extend_from_slice(&b"  ".repeat(at));
            same(at % 40, &other, 9);
        }
    }
}

/// One of the updates a message is decoded into, as text.
type Decode = (Result<Decoded, FeedError>, Vec<String>);

fn decode(decoder: &mut dyn Decoder, bytes: &[u8], wanted: usize) -> Decode {
    let mut update = BookUpdate {
        wanted,
        ..BookUpdate::default()
    };
    let mut updates = Vec::new();
    let mut bytes: Box<[u8]> = bytes.into();
    let decoded = decoder.decode(&mut bytes, &mut update, &mut |u| {
        updates.push(format!("{u:?}"));
        // What the decoder remembers must not be what it has handed out.
        u.bids.clear();
        u.asks.clear();
    });
    (decoded, updates)
}

/// How a decoder is made.
type Make = fn(&Subscription) -> Box<dyn Decoder>;

fn fresh(make: Make) -> Box<dyn Decoder> {
    make(&Subscription::default())
}

/// A decoder that has seen many messages, in wide registers, against one that has seen none and reads
/// byte by byte; and against the general way to read, into which a space before the message forces it.
fn same_message(make: Make, known: &mut dyn Decoder, bytes: &[u8], wanted: usize) {
    let here = decode(known, bytes, wanted);
    let plain = simd::plainly(|| decode(&mut *fresh(make), bytes, wanted));
    let text = || String::from_utf8_lossy(bytes);
    assert_eq!(here, plain, "{}", text());
    let spaced = [b" ", bytes].concat();
    let general = decode(&mut *fresh(make), &spaced, wanted);
    assert_eq!(here.1, general.1, "{}", text());
    assert_eq!(here.0.is_ok(), general.0.is_ok(), "{}", text());
}

/// Every decoder with messages for it.
fn decoders() -> Vec<(&'static str, Make, Vec<String>)> {
    let spec = |spec: &&'static Spec| (spec.id, spec.decoder, corpus(spec));
    let diffs = [
        ("binance", "binance/20211012_ws_4pairs"),
        ("bitstamp", "bitstamp/20220105_ws_10pairs"),
    ];
    let diffs = diffs.map(|(id, recording)| {
        let messages = received(recording).into_iter().map(|line| line.msg);
        let small = messages.filter(|m| m.len() < 8_000).step_by(3).collect();
        let make = venue::find(id).unwrap().diffs.unwrap().decoder;
        ("changes", make, small)
    });
    venue::all().iter().map(spec).chain(diffs).collect()
}

#[test]
fn a_message_is_read_alike_in_every_way() {
    let rounds = std::env::var("DRAGONFLY_FUZZ_ROUNDS").ok();
    let rounds = rounds.map_or(2_000, |n| n.parse::<usize>().unwrap() / 10);
    for (id, make, corpus) in decoders() {
        // What Kraken's decoder learns of the depth shows in what follows.
        let forget = |known: &mut Box<dyn Decoder>| {
            if id == "kraken" {
                *known = fresh(make);
            }
        };
        let (mut known, mut dice) = (fresh(make), Dice(3));
        for message in &corpus {
            same_message(make, &mut *known, message.as_bytes(), 10);
            forget(&mut known);
        }
        for _ in 0..rounds {
            let [seed, other] = [0, 0].map(|_| corpus[dice.below(corpus.len())].as_bytes());
            let wanted = [10, 10, 1, 3, 20, 100][dice.below(6)];
            same_message(make, &mut *known, seed, wanted);
            forget(&mut known);
            let changed = mutate(seed, other, &mut dice);
            same_message(make, &mut *known, &changed, wanted);
            forget(&mut known);
        }
    }
}

/// Images that follow one another: the best levels change, the others, or one side only.
#[test]
fn what_is_remembered_of_an_image_is_what_stands_in_the_next() {
    for id in ["binance", "bitstamp"] {
        let spec = venue::find(id).unwrap();
        let fixture = fixtures::of(id);
        let make = spec.decoder;
        let mut known = fresh(make);
        let mut read_again = 0;
        let mut last = Vec::new();
        let lines = &fixture.recordings[0].lines;
        for line in lines {
            for wanted in [10, 10, 3] {
                let here = decode(&mut *known, line.msg.as_bytes(), wanted);
                let plain = decode(&mut *fresh(make), line.msg.as_bytes(), wanted);
                assert_eq!(here, plain, "{}", line.msg);
                read_again += usize::from(here.1 == last);
                last = here.1;
            }
        }
        assert!(
            read_again >= lines.len(),
            "{id}: only {read_again} were the same"
        );
    }
}

proptest! {
    #[test]
    fn levels_are_read_alike(
        before in 0_usize..80,
        levels in proptest::collection::vec(("[0-9]{1,12}(\\.[0-9]{1,11})?", "[0-9]{1,9}(\\.[0-9]{1,9})?"), 0..90),
        wanted in 1_usize..100,
        behind in "[0-9, \"\\]}:]{0,90}",
        changed in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let pairs = levels.iter().map(|(p, q)| format!(r#"["{p}","{q}"]"#));
        let array = format!("[{}]{behind}", pairs.collect::<Vec<_>>().join(","));
        let mut array = array.into_bytes();
        if let Some((at, byte)) = changed {
            let at = at.index(array.len());
            array[at] = byte;
        }
        if let Some(at) = cut {
            array.truncate(at.index(array.len()));
        }
        same(before, &array, wanted);
    }

    #[test]
    fn objects_are_read_alike(
        levels in proptest::collection::vec(
            ("bid|offer|ask", "[0-9T:.Z-]{0,40}", "[0-9]{1,10}(\\.[0-9]{1,9})?", "[0-9]{1,9}(\\.[0-9]{0,9})?"),
            0..12,
        ),
        changed in proptest::option::of((any::<prop::sample::Index>(), "[\"{}:,\\\\.0-9 ]")),
    ) {
        let coinbase = levels.iter().map(|(side, time, p, q)| {
            format!(r#"{{"side":"{side}","event_time":"{time}","price_level":"{p}","new_quantity":"{q}"}}"#)
        });
        let coinbase = coinbase.collect::<Vec<_>>().join(",");
        let kraken = levels.iter().map(|(_, _, p, q)| format!(r#"{{"price":{p},"qty":{q}}}"#));
        let kraken = kraken.collect::<Vec<_>>().join(",");
        for (id, text) in [
            ("coinbase-advanced", format!(
                r#"{{"channel":"l2_data","timestamp":"2026-08-09T21:05:53.940559165Z","sequence_num":232,"events":[{{"type":"update","product_id":"BTC-USD","updates":[{coinbase}]}}]}}"#
            )),
            ("kraken", format!(
                r#"{{"channel":"book","type":"update","data":[{{"symbol":"BTC/USD","bids":[{kraken}],"asks":[],"checksum":2439117997,"timestamp":"2023-10-06T17:35:55.440295Z"}}]}}"#
            )),
        ] {
            let make = venue::find(id).unwrap().decoder;
            let mut bytes = text.into_bytes();
            same_message(make, &mut *fresh(make), &bytes, 10);
            if let Some((at, byte)) = &changed {
                let at = at.index(bytes.len());
                bytes[at] = byte.as_bytes()[0];
                same_message(make, &mut *fresh(make), &bytes, 10);
            }
        }
    }
}
