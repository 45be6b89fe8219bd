//! A venue that misbehaves: whatever it sends, no book is shown that may be wrong, and it is not
//! hammered with requests.

use dragonfly_core::{
    clock::{Nanos, Now},
    feed::{
        BookListener, Budget, Decoded, Decoder, FeedError, FeedPolicy, Heard, Link, Listener as _,
        Verdict,
    },
    market::{BookRules, BookState, BookUpdate, Cause, SequenceRule, Symbol, Venue},
};

use super::feed_bench::{Bench, state};

fn quiet(sequence: SequenceRule) -> BookRules {
    BookRules {
        sequence,
        renew_after: None,
        ..BookRules::default()
    }
}

fn opened(rules: BookRules) -> Bench {
    let mut bench = Bench::new(rules, FeedPolicy::default());
    bench
        .feed
        .on_open(bench.now, &mut |event| bench.events.push(event));
    bench.sent();
    bench.events.clear();
    bench
}

#[test]
fn a_refusal_does_not_hide_a_hole_in_the_connections_count() {
    let mut bench = Bench::open(SequenceRule::Connection);
    bench.hear("snapshot a 0 1 2").unwrap();
    bench.hear("no b").unwrap();
    assert_eq!(
        bench.hear("delta a 5 1.5 2"),
        Ok(Verdict::Close(Cause::SequenceGap))
    );
}

#[test]
fn a_connections_count_that_restarts_does_not_freeze_its_books() {
    let mut bench = Bench::open(SequenceRule::Connection);
    bench.hear("snapshot a 1000 1 2").unwrap();
    assert_eq!(bench.hear("delta a 999 1.5 2"), Ok(Verdict::Continue));
    bench.events.clear();
    let verdicts: Vec<_> = (0..20)
        .map(|n| bench.hear(&format!("delta a {n} 1.5 2")))
        .collect();
    assert!(
        verdicts.contains(&Ok(Verdict::Close(Cause::SequenceGap))),
        "{verdicts:?}"
    );
    assert_eq!(
        bench.states()[0],
        state("a", BookState::Gap, Cause::SequenceGap)
    );
}

/// The message that was passed over as late was the first of a new count: its change is missing.
#[test]
fn a_connections_count_that_restarts_just_below_loses_no_change() {
    let mut bench = Bench::open(SequenceRule::Connection);
    bench.hear("snapshot a 1 1 2").unwrap();
    assert_eq!(bench.hear("delta a 0 1.1 1.9"), Ok(Verdict::Continue));
    assert_eq!(
        bench.hear("delta a 1 1.2 2"),
        Ok(Verdict::Close(Cause::SequenceGap))
    );
    let gap = state("a", BookState::Gap, Cause::SequenceGap);
    assert!(bench.states().contains(&gap));
}

/// Of the new count 0 was passed over as late and 1 could not be read: 2 is not the 2 of before.
#[test]
fn a_restarted_count_that_comes_by_the_last_number_is_not_taken_for_the_same_message() {
    let mut bench = Bench::open(SequenceRule::Connection);
    bench.hear("snapshot a 2 1 2").unwrap();
    bench.hear("count 0").unwrap();
    assert!(bench.hear("bad").is_err());
    assert_eq!(
        bench.hear("delta a 2 1.2 2"),
        Ok(Verdict::Close(Cause::SequenceGap))
    );
    let gap = state("a", BookState::Gap, Cause::SequenceGap);
    assert!(bench.states().contains(&gap));
}

#[test]
fn of_two_changes_in_one_message_the_second_is_shown_too() {
    let mut bench = Bench::open(SequenceRule::Connection);
    bench.hear("snapshot a 5 1 2").unwrap();
    bench.events.clear();
    bench.hear("delta a 6 1.1 2 & delta a 6 1.2 2").unwrap();
    let bids: Vec<_> = bench.events.iter().map(|e| e.depth.bids[0].price).collect();
    assert_eq!(bids, ["1.1", "1.2"].map(|price| price.parse().unwrap()));
}

/// The venue goes on with a count that is behind, once a second: what is shown is out of date, long
/// before sixteen messages show it.
#[test]
fn a_quiet_book_whose_numbers_go_back_is_withdrawn_in_time_and_comes_back() {
    for kind in ["image", "delta"] {
        let rule = match kind {
            "image" => SequenceRule::Increasing,
            _ => SequenceRule::Next { restart: None },
        };
        let mut bench = opened(quiet(rule));
        let first = if kind == "image" { "image" } else { "snapshot" };
        bench.hear(&format!("{first} a 100 1 2")).unwrap();
        bench.events.clear();
        for number in 90..96 {
            bench.hear(&format!("{kind} a {number} 1.5 2")).unwrap();
            assert_eq!(bench.pass(Nanos::from_secs(1)), Verdict::Continue);
        }
        let gap = state("a", BookState::Gap, Cause::SequenceGap);
        assert_eq!(bench.states(), [gap], "{kind}");
        assert!(bench.sent().contains(&"again a".to_owned()), "{kind}");
        for number in 96..108 {
            // Another book keeps the connection alive.
            bench.hear(&format!("{first} b {number} 1 2")).unwrap();
            assert_eq!(bench.pass(Nanos::from_secs(1)), Verdict::Continue);
        }
        bench.events.clear();
        bench.hear(&format!("{first} a 97 1.5 2")).unwrap();
        let live = state("a", BookState::Live, Cause::Image);
        assert_eq!(bench.states(), [live], "{kind}");
    }
}

/// What is late once, or comes twice, is no reason to withdraw a book that goes on.
#[test]
fn a_late_message_is_forgotten_when_the_book_goes_on() {
    for (rule, kind) in [
        (SequenceRule::Increasing, "image"),
        (SequenceRule::Next { restart: None }, "delta"),
    ] {
        let mut bench = opened(quiet(rule));
        let first = if kind == "image" { "image" } else { "snapshot" };
        bench.hear(&format!("{first} a 100 1 2")).unwrap();
        bench.events.clear();
        for number in [99, 101, 101, 102] {
            bench.hear(&format!("{kind} a {number} 1.5 2")).unwrap();
        }
        for _ in 0..20 {
            bench.hear("ok").unwrap();
            assert_eq!(bench.pass(Nanos::from_secs(1)), Verdict::Continue);
        }
        let states = bench.states();
        let of_a = states.iter().filter(|(symbol, ..)| symbol == "a");
        assert!(of_a.clone().count() > 0, "{kind}");
        assert!(of_a.clone().all(|s| s.1 == BookState::Live), "{states:?}");
    }
}

/// Requests wait for the venue's budget: each book waits once, and what has come needs no request.
#[test]
fn what_waits_to_be_asked_for_is_asked_for_once_and_not_in_vain() {
    let policy = FeedPolicy {
        messages: Budget::new(1, Nanos::from_secs(60)),
        ..FeedPolicy::default()
    };
    let mut bench = Bench::new(quiet(SequenceRule::Next { restart: None }), policy);
    bench
        .feed
        .on_open(bench.now, &mut |event| bench.events.push(event));
    assert_eq!(bench.sent(), ["subscribe"]);
    bench.hear("snapshot a 1 1 2").unwrap();
    // `a` has a gap, and its snapshot comes before it could be asked for; `b` never comes.
    bench.hear("delta a 9 1 2").unwrap();
    bench.hear("snapshot a 9 1 2").unwrap();
    let mut sent = Vec::new();
    for second in 10..1_000 {
        bench.hear(&format!("delta a {second} 1 2")).unwrap();
        bench.pass(Nanos::from_secs(1));
        sent.extend(bench.sent());
    }
    assert!(!sent.is_empty(), "`b` is asked for");
    assert!(sent.iter().all(|text| text == "again b"), "{sent:?}");
    // What asks for a sign of life does not wait behind a hundred requests.
    bench.pass(Nanos::from_secs(3));
    sent.clear();
    for second in 1_000..1_150 {
        bench.hear(&format!("delta a {second} 1 2")).unwrap();
        bench.pass(Nanos::from_secs(1));
        sent.extend(bench.sent());
    }
    assert!(sent.contains(&"PING".to_owned()), "{sent:?}");
}

/// The same message twice changes nothing; what follows it goes on from it.
#[test]
fn the_last_message_once_more_disturbs_nothing() {
    let mut bench = Bench::open(SequenceRule::Connection);
    bench.hear("snapshot a 5 1 2").unwrap();
    for message in ["delta a 6 1.1 2", "delta a 6 1.1 2", "delta a 7 1.2 2"] {
        assert_eq!(bench.hear(message), Ok(Verdict::Continue), "{message}");
    }
}

#[test]
fn a_late_message_alone_disturbs_nothing() {
    let mut bench = Bench::open(SequenceRule::Connection);
    bench.hear("snapshot a 5 1 2").unwrap();
    bench.hear("delta a 6 1.1 2").unwrap();
    for message in ["delta a 5 1.5 2", "delta a 7 1.2 2", "delta a 8 1.3 2"] {
        assert_eq!(bench.hear(message), Ok(Verdict::Continue), "{message}");
    }
}

/// The bad messages are those of `b`, but who could know: `a` goes on and vouches for itself only.
#[test]
fn bad_messages_between_the_good_ones_of_another_book_do_not_leave_a_stale_one_live() {
    let mut bench = opened(quiet(SequenceRule::Increasing));
    bench.hear("image a 1 1 2").unwrap();
    bench.hear("image b 1 1 2").unwrap();
    bench.events.clear();
    for i in 2..60 {
        assert!(bench.hear("bad").is_err());
        bench.hear(&format!("image a {i} 1 2")).unwrap();
        bench.pass(Nanos::from_millis(100));
    }
    let b: Vec<_> = bench.states().into_iter().filter(|s| s.0 == "b").collect();
    assert_eq!(b, [state("b", BookState::Gap, Cause::BadMessages)]);
    assert_eq!(bench.sent(), ["again b", "PING"][..1]);
    bench.hear("image b 2 1 2").unwrap();
    assert_eq!(bench.states(), [state("b", BookState::Live, Cause::Image)]);
}

#[test]
fn a_bad_message_takes_down_at_once_what_could_never_show_that_it_is_missing() {
    let mut bench = opened(quiet(SequenceRule::None));
    bench.hear("snapshot a 0 1 2").unwrap();
    bench.events.clear();
    assert!(bench.hear("bad").is_err());
    assert_eq!(
        bench.states(),
        [state("a", BookState::Gap, Cause::BadMessages)]
    );
    bench.hear("delta a 0 1.5 2").unwrap();
    assert_eq!(bench.states(), []);
}

#[test]
fn a_book_that_fails_whenever_it_comes_is_not_asked_for_as_fast_as_it_fails() {
    let mut bench = opened(quiet(SequenceRule::Next { restart: None }));
    bench.hear("snapshot b 1 1 2").unwrap();
    let (mut asked, mut n) = (0, 1);
    for _ in 0..600 {
        n += 5;
        bench.hear(&format!("snapshot a {n} 1 2")).unwrap();
        bench.hear(&format!("delta a {} 1 2", n + 3)).unwrap();
        let verdict = bench.pass(Nanos::from_millis(100));
        assert_eq!(verdict, Verdict::Continue);
        asked += bench
            .sent()
            .iter()
            .filter(|text| *text == "again a")
            .count();
    }
    assert!((3..=10).contains(&asked), "asked {asked} times in a minute");
}

#[test]
fn an_image_that_is_wrong_each_time_ends_in_a_new_connection_and_not_in_a_heap_of_requests() {
    let mut bench = opened(quiet(SequenceRule::None));
    let mut asked = 0;
    let end = (0..1_000).find_map(|_| {
        bench.hear("scrambled a 0 1 2").unwrap();
        let verdict = bench.pass(Nanos::from_millis(100));
        asked += bench
            .sent()
            .iter()
            .filter(|text| *text == "again a")
            .count();
        (verdict != Verdict::Continue).then_some(verdict)
    });
    assert_eq!(end, Some(Verdict::Close(Cause::Silent)));
    assert!(asked <= 10, "asked {asked} times");
}

#[test]
fn a_venue_that_refuses_again_and_again_does_not_put_off_the_next_try() {
    let mut bench = opened(quiet(SequenceRule::None));
    let end = (1..100).find(|_| {
        bench.hear("no").unwrap();
        let _asked = bench.sent();
        bench.pass(Nanos::from_secs(1)) == Verdict::Close(Cause::Refused)
    });
    assert_eq!(end, Some(30));
}

#[test]
fn a_refused_book_is_asked_for_again_more_and_more_seldom_while_the_others_go_on() {
    let mut bench = opened(quiet(SequenceRule::Increasing));
    bench.hear("no b").unwrap();
    bench.hear("image b 1 1 2").unwrap();
    assert_eq!(
        bench.states(),
        [state("b", BookState::Closed, Cause::Refused)]
    );
    let mut asked = Vec::new();
    for second in 1..=3_010 {
        bench.hear(&format!("image a {second} 1 2")).unwrap();
        assert_eq!(bench.pass(Nanos::from_secs(1)), Verdict::Continue);
        if bench.sent().iter().any(|text| text == "again b") {
            asked.push(second);
            if second < 3_010 {
                bench.hear("no b").unwrap();
            }
        }
    }
    // After twice as long each time, and then every five minutes: a refusal that was a request that
    // got lost is over in ten seconds, and a lasting one is no reason to pester the venue.
    let mut expected = vec![10, 30, 70, 150, 310];
    expected.extend((1..=9).map(|i| 310 + i * 300));
    assert_eq!(asked, expected);
    bench.events.clear();
    bench.hear("image b 2 1 2").unwrap();
    assert_eq!(bench.states(), [state("b", BookState::Live, Cause::Image)]);
}

#[test]
fn a_panic_in_the_adapter_takes_its_own_leg_down_and_no_other() {
    let mut bench = Bench::open(SequenceRule::None);
    bench.hear("image a 1 1 2").unwrap();
    bench.events.clear();
    assert_eq!(bench.hear("boom"), Ok(Verdict::Close(Cause::Panicked)));
    bench
        .feed
        .on_down(Cause::Panicked, bench.now, &mut |event| {
            bench.events.push(event)
        });
    assert_eq!(
        bench.states()[0],
        state("a", BookState::Down, Cause::Panicked)
    );
}

#[test]
fn a_panic_in_the_subscriber_takes_the_leg_down_like_one_in_the_listener() {
    let mut bench = Bench::open(SequenceRule::None);
    assert_eq!(
        bench.hear("subscriber panics"),
        Ok(Verdict::Close(Cause::Panicked))
    );
}

#[test]
fn a_book_named_twice_is_one_book() {
    let name = Symbol::new("a").unwrap();
    let mut listener = BookListener::new(
        Venue::new("words").unwrap(),
        super::feed_bench::Words,
        BookRules::default(),
        5,
        [(name, name), (name, name)],
    );
    let mut events = 0;
    listener.on_link(Link::Started, Now::default(), &mut |_| events += 1);
    assert_eq!(events, 1);
}

/// What is due next was found out when all was well: a book that fails since then is due before it.
#[test]
fn a_book_that_fails_is_asked_for_again_in_time_however_long_the_connection_may_be_silent() {
    let rules = BookRules {
        sync_within: Nanos::from_secs(1),
        ..quiet(SequenceRule::Next { restart: None })
    };
    let mut bench = opened(rules);
    bench.hear("snapshot a 1 1 2").unwrap();
    bench.hear("snapshot b 1 1 2").unwrap();
    assert_eq!(bench.pass(Nanos::from_millis(1_500)), Verdict::Continue);
    bench.hear("delta a 5 1 2").unwrap();
    assert_eq!(bench.sent(), ["again a"]);
    assert_eq!(bench.pass(Nanos::from_secs(1)), Verdict::Continue);
    assert!(bench.sent().contains(&"again a".to_owned()));
}

/// Several messages of [`Words`](super::feed_bench::Words) in one.
struct Lines;

impl Decoder for Lines {
    fn decode(
        &mut self,
        message: &mut [u8],
        update: &mut BookUpdate,
        apply: &mut dyn FnMut(&mut BookUpdate),
    ) -> Result<Decoded, FeedError> {
        for line in message.split_mut(|byte| *byte == b'|') {
            update.clear();
            super::feed_bench::Words.decode(line, update, apply)?;
        }
        Ok(Decoded::Book)
    }
}

#[test]
fn every_book_that_fails_in_a_message_is_asked_for_at_once_even_when_the_message_is_bad() {
    let names = ["a", "b"].map(|name| Symbol::new(name).unwrap());
    for (message, ends_well) in [
        ("delta a 5 1 2|delta b 5 1 2", true),
        ("delta a 5 1 2|delta b 5 1 2|bad", false),
        ("delta a 5 1 2|delta b 5 1 2|delta c 1 1 2", false),
    ] {
        let rules = quiet(SequenceRule::Next { restart: None });
        let venue = Venue::new("words").unwrap();
        let named = names.map(|name| (name, name));
        let mut listener = BookListener::new(venue, Lines, rules, 5, named);
        let now = Now::default();
        let hear = |listener: &mut BookListener<Lines>, text: &str| {
            listener.on_message(&mut text.as_bytes().to_vec(), now, &mut |_| {})
        };
        listener.on_link(Link::Up, now, &mut |_| {});
        hear(&mut listener, "snapshot a 1 1 2|snapshot b 1 1 2").unwrap();
        let heard = hear(&mut listener, message);
        assert_eq!(heard.is_ok(), ends_well, "{message}: {heard:?}");
        let mut asked: Vec<Heard> = heard.into_iter().collect();
        while listener.deadline().is_some_and(|due| due <= now.mono) {
            asked.extend(listener.on_deadline(now, &mut |_| {}));
        }
        assert_eq!(asked, names.map(Heard::Renew), "{message}");
    }
}
