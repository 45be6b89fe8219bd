//! Messages shown to a listener while they arrive: whatever the cuts, its books are those of one that
//! waited, and nothing it shows before the end is wrong.

use dragonfly_core::{
    clock::{Nanos, Now, UtcNanos},
    feed::{BookListener, Decoder, Feed, FeedError, Heard, Link, Listener, Verdict},
    market::{BookEvent, BookState, Cause, Symbol},
};
use dragonfly_feeds::venue::{self, Spec, Subscription};
use proptest::prelude::*;

use super::{
    books::bitstamp_images,
    capture::received,
    fixtures,
    fuzz_smoke::{Dice, mutate},
    replay::sym,
};

type Books = BookListener<Box<dyn Decoder>>;

fn listener(spec: &Spec, natives: &[&str]) -> Books {
    let natives: Vec<Symbol> = natives.iter().map(|native| sym(native)).collect();
    let wanted = Subscription::new(natives.iter().copied(), 10);
    let symbols = natives.iter().map(|native| (*native, *native));
    let decoder = (spec.decoder)(&wanted);
    let mut listener = BookListener::new(
        sym(spec.id).as_str().parse().unwrap(),
        decoder,
        (spec.rules)(),
        10,
        symbols,
    );
    listener.on_link(Link::Started, at(0), &mut |_| {});
    listener.on_link(Link::Up, at(0), &mut |_| {});
    listener
}

fn at(n: u64) -> Now {
    Now {
        mono: Nanos::from_millis(n),
        utc: UtcNanos::from_millis(n),
    }
}

type Outcome = (Result<Heard, FeedError>, Vec<BookEvent>);

fn whole(listener: &mut Books, message: &[u8], n: u64) -> Outcome {
    let mut events = Vec::new();
    let heard = listener.on_message(&mut message.to_vec(), at(n), &mut |event| {
        events.push(event)
    });
    (heard, events)
}

/// What comes of the parts that end at `cuts`, without the whole.
fn parts(listener: &mut Books, message: &[u8], cuts: &[usize], n: u64) -> Vec<BookEvent> {
    let mut events = Vec::new();
    for cut in cuts {
        listener.on_part(&message[..*cut], at(n), &mut |event| events.push(event));
    }
    events
}

fn venue_of(id: &str) -> &'static Spec {
    venue::find(id).unwrap()
}

/// Images of one book, as they were sent one after the other.
fn images(pair: &str) -> Vec<String> {
    let channel = format!("order_book_{pair}\"");
    let lines = bitstamp_images().into_iter().map(|line| line.msg);
    lines.filter(|msg| msg.contains(&channel)).collect()
}

#[test]
fn an_image_cut_anywhere_is_shown_once_and_exactly_as_the_whole() {
    let spec = venue_of("bitstamp");
    let images = images("ethusd");
    let [before, message, next] = [0, 5, 6].map(|n: usize| images[n].as_bytes());
    let mut waiting = listener(spec, &["ethusd"]);
    assert!(whole(&mut waiting, before, 1).0.is_ok());
    let expected = whole(&mut waiting, message, 2);
    let after = whole(&mut waiting, next, 3);
    assert_eq!((expected.1.len(), after.1.len()), (1, 1));
    let mut shown = 0;
    for cut in 0..message.len() {
        let mut listener = listener(spec, &["ethusd"]);
        assert!(whole(&mut listener, before, 1).0.is_ok());
        let mut events = parts(&mut listener, message, &[cut], 2);
        shown += events.len();
        let (heard, rest) = whole(&mut listener, message, 2);
        events.extend(rest);
        assert_eq!((heard, events), expected, "{cut}");
        // The next message is read as if nothing had been.
        assert_eq!(whole(&mut listener, next, 3), after, "{cut}");
    }
    assert!(
        shown > message.len() / 4,
        "only {shown} cuts showed the book early"
    );
}

#[test]
fn an_image_in_many_parts_is_shown_with_the_first_that_has_its_best_levels() {
    let spec = venue_of("bitstamp");
    let message = images("ethusd").swap_remove(3);
    let asks = message.find(r#""asks":["#).unwrap() + 8;
    let tenth = message[asks..].match_indices(']').nth(9).unwrap().0 + asks + 1;
    for step in [1, 7, 64, 1_000] {
        let mut listener = listener(spec, &["ethusd"]);
        let cuts: Vec<usize> = (0..message.len()).step_by(step).collect();
        for cut in cuts {
            let events = parts(&mut listener, message.as_bytes(), &[cut], 1);
            let is_first = cut >= tenth && cut < tenth + step;
            assert_eq!(events.len(), usize::from(is_first), "{cut} of {tenth}");
        }
    }
}

#[test]
fn what_the_end_of_a_message_does_not_bear_out_is_withdrawn() {
    let spec = venue_of("bitstamp");
    let images = images("ethusd");
    let message = &images[5];
    let cut = message.len() - 60;
    let end = |from: &str, to: &str| message.replace(from, to);
    let broken = [
        message[..message.len() - 1].to_owned(),
        format!("{message}x"),
        end("order_book_ethusd", "order_book_btcusd"),
        end("order_book_ethusd", "detail_order_book_ethusd"),
        end(
            r#""event":"data""#,
            r#""event":"bts:subscription_succeeded""#,
        ),
        end(r#"]},"channel""#, r#"],"bids":[["1","1"]]},"channel""#),
        end(r#"]},"channel""#, r#"],"asks":[]},"channel""#),
    ];
    for whole_message in broken {
        let mut listener = listener(spec, &["ethusd"]);
        assert!(whole(&mut listener, images[0].as_bytes(), 1).0.is_ok());
        let shown = parts(&mut listener, message.as_bytes(), &[cut], 2);
        assert_eq!(shown.len(), 1, "{whole_message}");
        let (_, events) = whole(&mut listener, whole_message.as_bytes(), 2);
        let last = events.last().map(|event| (event.state, event.cause));
        assert_eq!(
            last,
            Some((BookState::Gap, Cause::BadMessages)),
            "{whole_message}"
        );
        let (_, events) = whole(&mut listener, images[6].as_bytes(), 3);
        assert_eq!(events[0].state, BookState::Live, "the next image heals it");
    }
}

#[test]
fn a_connection_that_dies_in_a_message_takes_what_was_shown_of_it_with_it() {
    let spec = venue_of("bitstamp");
    let images = images("ethusd");
    let mut listener = listener(spec, &["ethusd"]);
    let cut = images[5].len() - 60;
    assert_eq!(
        parts(&mut listener, images[5].as_bytes(), &[cut], 1).len(),
        1
    );
    let mut events = Vec::new();
    listener.on_link(Link::Down(Cause::Disconnected), at(2), &mut |event| {
        events.push(event)
    });
    assert_eq!(events[0].state, BookState::Down);
    listener.on_link(Link::Up, at(3), &mut |_| {});
    // The same image on the new connection is a new one.
    let (_, events) = whole(&mut listener, images[5].as_bytes(), 4);
    assert_eq!(events[0].state, BookState::Live);
}

#[test]
fn nothing_is_shown_early_of_what_only_the_end_can_tell() {
    let spec = venue_of("bitstamp");
    let images = images("ethusd");
    let message = images[5].as_bytes();
    let cuts: Vec<usize> = (0..message.len()).collect();
    let two = &mut listener(spec, &["ethusd", "btcusd"]);
    assert_eq!(parts(two, message, &cuts, 1), [], "whose book it is");
    let passed = &mut listener(spec, &["ethusd"]);
    assert!(whole(passed, message, 1).0.is_ok());
    assert_eq!(
        parts(passed, message, &cuts, 2),
        [],
        "an image that is known"
    );
    assert_eq!(
        parts(
            passed,
            images[4].as_bytes(),
            &cuts[..images[4].len().min(cuts.len())],
            2
        ),
        []
    );
    let best = r#""asks":[["#;
    let crossed = images[5].replace(best, r#""asks":[["0.01","1"],["#);
    let crossed = crossed.as_bytes();
    let fresh = &mut listener(spec, &["ethusd"]);
    assert_eq!(parts(fresh, crossed, &cuts, 1), [], "a crossed book");
    let unsorted = images[5].replace(best, r#""asks":[["999999","1"],["#);
    let fresh = &mut listener(spec, &["ethusd"]);
    assert_eq!(
        parts(fresh, unsorted.as_bytes(), &cuts, 1),
        [],
        "levels out of order"
    );
}

/// A snapshot of Coinbase with so many levels a side, in no order.
fn snapshot(levels: u64) -> String {
    let level = |side: &str, n: u64| {
        let price = if side == "bid" {
            60_000 - n * 7 % levels
        } else {
            60_001 + n * 11 % levels
        };
        format!(
            r#"{{"side":"{side}","event_time":"2026-08-09T21:05:48.170326Z","price_level":"{price}.{:02}","new_quantity":"{n}.5"}}"#,
            n % 100
        )
    };
    let bids = (1..=levels).map(|n| level("bid", n));
    let asks = (1..=levels).map(|n| level("offer", n));
    let levels: Vec<String> = bids.chain(asks).collect();
    format!(
        r#"{{"channel":"l2_data","client_id":"","timestamp":"2026-08-09T21:05:48.483587501Z","sequence_num":0,"events":[{{"type":"snapshot","product_id":"BTC-USD","updates":[{}]}}]}}"#,
        levels.join(",")
    )
}

/// What came of each message, and the whole book at the end.
type Story = (Vec<Outcome>, Vec<String>);

/// Shows messages to a listener, each in parts that `cuts` chooses.
fn told(
    spec: &Spec,
    native: &str,
    messages: &[String],
    cuts: impl Fn(usize) -> Vec<usize>,
) -> Story {
    let mut listener = listener(spec, &[native]);
    let mut outcomes = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        let early = parts(
            &mut listener,
            message.as_bytes(),
            &cuts(message.len()),
            n as u64,
        );
        let (heard, mut events) = whole(&mut listener, message.as_bytes(), n as u64);
        events.splice(0..0, early);
        outcomes.push((heard, events));
    }
    let book = listener.books()[0].sync.book();
    let levels = book
        .bids()
        .chain(book.asks())
        .map(|level| format!("{level:?}"));
    (outcomes, levels.collect())
}

#[test]
fn a_snapshot_in_parts_of_any_size_gives_the_book_of_the_whole() {
    let spec = venue_of("coinbase-advanced");
    let messages = [snapshot(24)];
    let expected = told(spec, "BTC-USD", &messages, |_| Vec::new());
    assert_eq!(expected.0[0].1.len(), 1);
    assert_eq!(expected.1.len(), 48);
    for step in 1..400 {
        let parted = told(spec, "BTC-USD", &messages, |length| {
            (0..length).step_by(step).collect()
        });
        assert_eq!(parted, expected, "{step}");
    }
    for cut in 0..messages[0].len() {
        assert_eq!(
            told(spec, "BTC-USD", &messages, |_| vec![cut]),
            expected,
            "{cut}"
        );
    }
}

/// A line of a megabit a second: each of two snapshots takes longer than any deadline.
#[test]
fn snapshots_on_a_slow_line_are_waited_for_and_nothing_is_asked_for_meanwhile() {
    let spec = venue_of("coinbase-advanced");
    let natives = ["BTC-USD", "ETH-USD"];
    let wanted = Subscription::new(natives.map(sym), 10);
    let subscriber = (spec.subscriber)(&wanted);
    let books = listener(spec, &natives);
    let mut feed = Feed::new(spec.id, subscriber, books, (spec.policy)());
    let (mut now, mut events) = (0, Vec::new());
    feed.on_open(at(now), &mut |_| {});
    while feed.request(at(now).mono).is_some() {}
    let first = snapshot(400);
    let other = first.replace("BTC-USD", "ETH-USD");
    let other = other.replace(r#""sequence_num":0"#, r#""sequence_num":1"#);
    for message in [&first, &other] {
        for part in 1..200 {
            let so_far = &message.as_bytes()[..message.len() * part / 200];
            now += 200;
            let emit = &mut |event: BookEvent| events.push((event.native_symbol, event.state));
            assert_eq!(feed.on_part(so_far, at(now), emit), Verdict::Continue);
            assert_eq!(feed.on_deadline(at(now), emit), Verdict::Continue);
            assert!(feed.request(at(now).mono).is_none());
        }
        let emit = &mut |event: BookEvent| events.push((event.native_symbol, event.state));
        let mut message = message.clone().into_bytes();
        assert!(feed.on_message(&mut message, at(now), emit).is_ok());
    }
    let [bitcoin, ether] = natives.map(sym);
    use BookState::{Live, Stale};
    assert_eq!(events, [(bitcoin, Live), (bitcoin, Stale), (ether, Live)]);
}

#[test]
fn a_snapshot_that_is_not_written_as_usual_is_read_all_the_same() {
    let spec = venue_of("coinbase-advanced");
    let usual = snapshot(40);
    let event = usual
        .split_once(r#""events":["#)
        .unwrap()
        .1
        .trim_end_matches("]}")
        .to_owned();
    for unusual in [
        usual.replace("},{", "}, {"),
        usual.replace("},{", "},\n{"),
        usual.replace("BTC-USD", r"BTC\u002dUSD"),
        usual.replace(r#""20.5""#, r#""\u0032\u0030.5""#),
        usual.replace(r#""side":"bid""#, r#""note":"},{","side":"bid""#),
        usual.replace(r#"]}]}"#, r#"],"updates":[]}]}"#),
        usual.replace(r#"]}]}"#, &format!("]}},{event}]}}")),
        usual.replace(r#""updates":["#, r#""updates":[],"updates":["#),
        usual.replace(r#"]}]}"#, r#"],"type":"update"}]}"#),
        usual.replace(r#"]}]}"#, r#"],"product_id":"ETH-USD"}]}"#),
        usual.replace(r#"]}]}"#, r#"]}],"sequence_num":9}"#),
        usual.replace(r#"]}]}"#, r#"]}],"channel":"ticker"}"#),
        usual.replace(r#""30.5""#, r#""3o.5""#),
        usual.replace(r#"]}]}"#, r#"]}]"#),
        usual.replace(r#"]}]}"#, r#"]}]}}"#),
    ] {
        let messages = [
            unusual,
            snapshot(3).replace(r#""sequence_num":0"#, r#""sequence_num":1"#),
        ];
        let expected = told(spec, "BTC-USD", &messages, |_| Vec::new());
        for step in [1, 10, 150, 2_000] {
            let parted = told(spec, "BTC-USD", &messages, |length| {
                (0..length).step_by(step).collect()
            });
            assert_eq!(parted, expected, "{step}: {}", messages[0]);
        }
    }
}

#[test]
fn a_snapshot_cut_off_by_a_new_connection_leaves_nothing_in_the_next() {
    let spec = venue_of("coinbase-advanced");
    let (lost, next) = (snapshot(40), snapshot(30));
    let mut expected = listener(spec, &["BTC-USD"]);
    let expected = whole(&mut expected, next.as_bytes(), 1).1[0].depth;
    for is_announced in [true, false] {
        let mut listener = listener(spec, &["BTC-USD"]);
        parts(&mut listener, lost.as_bytes(), &[lost.len() / 2], 1);
        listener.on_link(Link::Down(Cause::Disconnected), at(1), &mut |_| {});
        listener.on_link(Link::Up, at(1), &mut |_| {});
        if is_announced {
            parts(&mut listener, next.as_bytes(), &[next.len() / 3], 1);
        }
        let (_, events) = whole(&mut listener, next.as_bytes(), 1);
        assert_eq!(events[0].depth, expected);
    }
}

#[test]
fn recorded_streams_in_parts_give_the_events_of_the_whole() {
    for (id, native, messages) in streams() {
        let expected = told(venue_of(id), native, &messages, |_| Vec::new());
        let parted = told(venue_of(id), native, &messages, |length| {
            (0..length).step_by(length / 7 + 1).collect()
        });
        assert_eq!(parted, expected, "{id}");
        let live = |(_, events): &&Outcome| events.iter().any(|e| e.state == BookState::Live);
        assert!(expected.0.iter().filter(live).count() > 20, "{id}");
    }
}

/// Recorded messages of a book at each venue that reads messages early.
fn streams() -> Vec<(&'static str, &'static str, Vec<String>)> {
    let coinbase = received("coinbase-advanced/20260809_ws_advanced_btcusd_ethusd");
    let coinbase = coinbase.into_iter().map(|line| line.msg);
    vec![
        ("bitstamp", "ethusd", images("ethusd")),
        ("coinbase-advanced", "ETH-USD", coinbase.take(120).collect()),
    ]
}

/// Broken messages: what a listener shows that read them early is either what the other shows, or
/// withdrawn.
#[test]
fn broken_messages_in_parts_never_show_what_the_whole_does_not() {
    for id in ["bitstamp", "coinbase-advanced"] {
        let spec = venue_of(id);
        let fixture = fixtures::of(&id.replace('-', "_"));
        let native = fixture.requests.0[0];
        let mut corpus: Vec<String> = fixture.samples.iter().map(|m| (*m).to_owned()).collect();
        match id {
            "bitstamp" => corpus.extend(images("ethusd").into_iter().take(3)),
            _ => corpus.push(snapshot(5)),
        }
        let mut dice = Dice(5);
        for _ in 0..3_000 {
            let [seed, other] = [0, 0].map(|_| corpus[dice.below(corpus.len())].as_bytes());
            let message = mutate(seed, other, &mut dice);
            agree(
                spec,
                native,
                &message,
                &[dice.below(message.len()), dice.below(message.len())],
            );
        }
    }
}

fn agree(spec: &Spec, native: &str, message: &[u8], cuts: &[usize]) {
    let [mut plain, mut parted] = [0, 0].map(|_| listener(spec, &[native]));
    let mut cuts = cuts.to_vec();
    cuts.sort_unstable();
    let early = parts(&mut parted, message, &cuts, 1);
    assert!(early.iter().all(|event| event.state == BookState::Live));
    let [plain_heard, parted_heard] = [&mut plain, &mut parted].map(|l| whole(l, message, 1).0);
    let text = String::from_utf8_lossy(message);
    assert_eq!(plain_heard, parted_heard, "{text}");
    let [plain, parted] = [&plain, &parted].map(|listener| &listener.books()[0].sync);
    let is_withdrawn = !early.is_empty() && parted.cause() == Cause::BadMessages;
    let same = plain.state() == parted.state() && plain.depth(10) == parted.depth(10);
    assert!(same || is_withdrawn, "{text}");
}

proptest! {
    #[test]
    fn any_cuts_of_any_bytes_agree(
        head in 0_usize..4,
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        cuts in proptest::collection::vec(0_usize..200, 0..4),
    ) {
        let heads = [r#"{"data":{"microtimestamp":"5","bids":[["1","1"]],"asks":["#, r#"{"channel":"l2_data","sequence_num":1,"events":[{"type":"snapshot","product_id":"BTC-USD","updates":["#, "{", ""];
        let message = [heads[head].as_bytes(), &bytes].concat();
        let cuts: Vec<usize> = cuts.iter().map(|cut| cut % (message.len() + 1)).collect();
        agree(venue_of("bitstamp"), "btcusd", &message, &cuts);
        agree(venue_of("coinbase-advanced"), "BTC-USD", &message, &cuts);
    }
}
