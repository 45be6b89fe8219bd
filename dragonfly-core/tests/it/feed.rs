//! A feed over a scripted venue: what goes in, what comes out, on a clock moved by hand.

use dragonfly_core::{
    clock::Nanos,
    feed::{Budget, FeedPolicy, Ping, Verdict},
    market::{BookRules, BookState, Cause, SequenceRule},
};

use super::feed_bench::{Bench, state};

#[test]
fn every_instrument_shows_up_before_there_is_a_connection_and_after_it_is_lost() {
    let mut bench = Bench::new(BookRules::default(), FeedPolicy::default());
    let both = |s, c| vec![state("a", s, c), state("b", s, c)];
    assert_eq!(bench.states(), both(BookState::Empty, Cause::Started));
    bench
        .feed
        .on_down(Cause::Disconnected, bench.now, &mut |event| {
            bench.events.push(event)
        });
    assert_eq!(bench.states(), both(BookState::Down, Cause::Disconnected));
    bench
        .feed
        .on_down(Cause::Disconnected, bench.now, &mut |event| {
            bench.events.push(event)
        });
    assert_eq!(
        bench.states(),
        [],
        "a failure is told once per change of state"
    );
    bench
        .feed
        .on_open(bench.now, &mut |event| bench.events.push(event));
    assert_eq!(bench.states(), both(BookState::Syncing, Cause::Subscribed));
}

#[test]
fn a_gap_stops_that_instrument_alone_and_asks_for_it_again() {
    let mut bench = Bench::open(SequenceRule::Next { restart: None });
    for text in ["snapshot a 5 1 2", "snapshot b 7 1 2"] {
        bench.hear(text).unwrap();
    }
    bench.events.clear();
    bench.hear("delta a 7 1 2").unwrap();
    assert_eq!(
        bench.states(),
        [state("a", BookState::Gap, Cause::SequenceGap)]
    );
    assert_eq!(bench.sent(), ["again a"]);
    bench.hear("delta a 8 1 2").unwrap();
    assert_eq!(bench.states(), [], "nothing is applied after a gap");
    bench.hear("delta b 8 1 2").unwrap();
    assert_eq!(bench.states(), [state("b", BookState::Live, Cause::Image)]);
    bench.hear("snapshot a 20 1 2").unwrap();
    assert_eq!(bench.states(), [state("a", BookState::Live, Cause::Image)]);
}

#[test]
fn a_hole_in_the_connections_count_withdraws_every_book_before_anything_is_applied() {
    let mut bench = Bench::open(SequenceRule::Connection);
    for text in ["snapshot a 0 1 2", "snapshot b 1 1 2", "count 2"] {
        assert_eq!(bench.hear(text), Ok(Verdict::Continue));
    }
    bench.events.clear();
    assert_eq!(
        bench.hear("delta a 4 1.5 2"),
        Ok(Verdict::Close(Cause::SequenceGap))
    );
    let gap = |s| state(s, BookState::Gap, Cause::SequenceGap);
    assert_eq!(bench.states(), [gap("a"), gap("b")]);
    let mut bench = Bench::open(SequenceRule::Connection);
    bench.hear("snapshot a 0 1 2").unwrap();
    assert_eq!(
        bench.hear("count 2"),
        Ok(Verdict::Close(Cause::SequenceGap))
    );
}

#[test]
fn silence_is_probed_then_stale_then_a_new_connection() {
    let mut bench = Bench::open(SequenceRule::None);
    bench.hear("image a 1 1 2").unwrap();
    bench.events.clear();
    assert_eq!(bench.pass(Nanos::from_millis(1_999)), Verdict::Continue);
    assert_eq!(bench.sent(), Vec::<String>::new());
    assert_eq!(bench.pass(Nanos::from_millis(1)), Verdict::Continue);
    assert_eq!(bench.sent(), ["PING"]);
    assert_eq!(bench.pass(Nanos::from_millis(2_999)), Verdict::Continue);
    assert_eq!(bench.states(), []);
    assert_eq!(
        bench.pass(Nanos::from_millis(1)),
        Verdict::Close(Cause::Silent)
    );
    assert_eq!(
        bench.states(),
        [state("a", BookState::Stale, Cause::Silent)]
    );
}

#[test]
fn a_quiet_market_on_a_connection_that_answers_is_no_alarm() {
    let mut bench = Bench::open(SequenceRule::None);
    for symbol in ["a", "b"] {
        bench.hear(&format!("image {symbol} 1 1 2")).unwrap();
    }
    bench.events.clear();
    for _ in 0..1_000 {
        assert_eq!(bench.pass(Nanos::from_secs(2)), Verdict::Continue);
        assert_eq!(bench.sent(), ["PING"]);
        bench.feed.on_alive(bench.now);
    }
    assert_eq!(bench.states(), []);
}

#[test]
fn one_frozen_instrument_is_asked_for_again_while_the_others_go_on() {
    let rules = BookRules {
        renew_after: Some(Nanos::from_secs(60)),
        ..BookRules::default()
    };
    let mut bench = Bench::new(rules, FeedPolicy::default());
    bench
        .feed
        .on_open(bench.now, &mut |event| bench.events.push(event));
    bench.hear("image b 1 1 2").unwrap();
    bench.sent();
    bench.events.clear();
    for i in 2..63 {
        bench.hear(&format!("image a {i} 1 2")).unwrap();
        assert_eq!(bench.pass(Nanos::from_secs(1)), Verdict::Continue);
    }
    assert_eq!(bench.sent(), ["again b"]);
    let b: Vec<_> = bench.states().into_iter().filter(|s| s.0 == "b").collect();
    assert_eq!(b, [state("b", BookState::Stale, Cause::Silent)]);
}

#[test]
fn where_only_its_own_messages_prove_a_book_right_its_silence_makes_it_stale() {
    let rules = BookRules {
        heartbeats_count: false,
        ..BookRules::default()
    };
    let mut bench = Bench::new(rules, FeedPolicy::default());
    bench
        .feed
        .on_open(bench.now, &mut |event| bench.events.push(event));
    bench.hear("image b 1 1 2").unwrap();
    bench.events.clear();
    bench.sent();
    let mut passed = Nanos(0);
    let mut step = |bench: &mut Bench| {
        passed = passed + Nanos::from_millis(500);
        bench.feed.on_alive(bench.now);
        bench.hear("image a 1 1 2").unwrap();
        let verdict = bench.pass(Nanos::from_millis(500));
        (
            passed,
            bench.sent().iter().any(|text| text == "again b"),
            verdict,
        )
    };
    let asked = loop {
        let (passed, asked, verdict) = step(&mut bench);
        assert_eq!(verdict, Verdict::Continue);
        if asked {
            break passed;
        }
    };
    assert_eq!(asked, Nanos::from_secs(5));
    let b: Vec<_> = bench.states().into_iter().filter(|s| s.0 == "b").collect();
    assert_eq!(b, [state("b", BookState::Stale, Cause::Silent)]);
    let again = loop {
        let (passed, asked, verdict) = step(&mut bench);
        assert_eq!(verdict, Verdict::Continue);
        if asked {
            break passed;
        }
    };
    assert_eq!(
        again,
        Nanos::from_secs(15),
        "asked in vain, while the other book is well"
    );
}

#[test]
fn a_socket_that_answers_pings_proves_nothing_about_a_venue_with_heartbeats_of_its_own() {
    for ping in [Ping::Never, Ping::Text("ping")] {
        let policy = FeedPolicy {
            ping,
            ..FeedPolicy::default()
        };
        let mut bench = Bench::new(BookRules::default(), policy);
        bench
            .feed
            .on_open(bench.now, &mut |event| bench.events.push(event));
        bench.hear("image a 1 1 2").unwrap();
        let mut verdicts = (0..6).map(|_| {
            bench.sent();
            bench.feed.on_alive(bench.now);
            bench.pass(Nanos::from_secs(1))
        });
        assert_eq!(
            verdicts.position(|v| v == Verdict::Close(Cause::Silent)),
            Some(4)
        );
    }
}

#[test]
fn a_subscription_that_stays_empty_is_made_again_and_then_the_connection_is() {
    let vain = |hear: Option<&str>| {
        let mut bench = Bench::open(SequenceRule::None);
        bench.hear("ok").unwrap();
        let mut asked = 0;
        for _ in 0..120 {
            bench.feed.on_alive(bench.now);
            hear.map(|text| bench.hear(text).unwrap());
            let verdict = bench.pass(Nanos::from_secs(1));
            asked += bench
                .sent()
                .iter()
                .filter(|text| *text == "again b")
                .count();
            if verdict != Verdict::Continue {
                return (asked, verdict);
            }
        }
        (asked, Verdict::Continue)
    };
    assert_eq!(vain(None), (3, Verdict::Close(Cause::Silent)));
    let (asked, verdict) = vain(Some("image a 1 1 2"));
    assert_eq!(
        verdict,
        Verdict::Continue,
        "a book that is well is not given up for another"
    );
    assert!((8..=12).contains(&asked), "asked {asked} times in 120 s");
}

#[test]
fn a_refusal_closes_what_it_names_and_an_unanswered_subscription_is_given_up() {
    let mut bench = Bench::open(SequenceRule::None);
    bench.hear("no b").unwrap();
    assert_eq!(
        bench.states(),
        [state("b", BookState::Closed, Cause::Refused)]
    );
    bench.hear("image a 1 1 2").unwrap();
    assert_eq!(bench.states(), [state("a", BookState::Live, Cause::Image)]);
    let mut bench = Bench::open(SequenceRule::None);
    bench.hear("no").unwrap();
    assert_eq!(bench.states().len(), 2);
    let verdict = (0..40).find_map(|_| {
        bench.feed.on_alive(bench.now);
        Some(bench.pass(Nanos::from_secs(1))).filter(|v| *v != Verdict::Continue)
    });
    assert_eq!(verdict, Some(Verdict::Close(Cause::Refused)));
    let mut bench = Bench::open(SequenceRule::None);
    let verdict = (0..40).find_map(|_| {
        bench.feed.on_alive(bench.now);
        Some(bench.pass(Nanos::from_secs(1))).filter(|v| *v != Verdict::Continue)
    });
    assert_eq!(verdict, Some(Verdict::Close(Cause::Silent)));
}

#[test]
fn a_bad_message_is_named_and_counted_and_several_in_a_row_force_a_new_connection() {
    let mut bench = Bench::open(SequenceRule::None);
    bench.hear("image a 1 1 2").unwrap();
    bench.events.clear();
    let error = bench.hear("bad {\"oops").unwrap_err();
    assert_eq!(error.to_string(), "nonsense near byte 0: \"bad {\\\"oops\"");
    bench.hear("image a 2 1 2").unwrap();
    bench.events.clear();
    assert!(bench.hear("bad").is_err() && bench.hear("bad").is_err());
    assert_eq!(bench.hear("bad"), Ok(Verdict::Close(Cause::BadMessages)));
    assert_eq!(
        bench.states()[0],
        state("a", BookState::Gap, Cause::BadMessages)
    );
    assert_eq!(bench.feed.stats().bad.get(), 3);
}

#[test]
fn a_book_nobody_asked_for_is_an_error_and_touches_nothing() {
    let mut bench = Bench::open(SequenceRule::None);
    for _ in 0..10 {
        let error = bench.hear("image zzz 1 1 2").unwrap_err();
        assert_eq!(error.to_string(), "unexpected symbol \"zzz\"");
    }
    assert_eq!(bench.states(), []);
}

#[test]
fn the_venues_budget_paces_what_is_sent() {
    let policy = FeedPolicy {
        messages: Budget::new(1, Nanos::from_millis(300)),
        keep_alive: Some(Nanos::from_secs(20)),
        ping: Ping::Text("ping"),
        ..FeedPolicy::default()
    };
    let rules = BookRules {
        sequence: SequenceRule::Next { restart: None },
        ..BookRules::default()
    };
    let mut bench = Bench::new(rules, policy);
    bench
        .feed
        .on_open(bench.now, &mut |event| bench.events.push(event));
    assert_eq!(bench.sent(), ["subscribe"]);
    for symbol in ["a", "b"] {
        bench.hear(&format!("snapshot {symbol} 5 1 2")).unwrap();
        bench.hear(&format!("delta {symbol} 9 1 2")).unwrap();
    }
    assert_eq!(bench.sent(), Vec::<String>::new());
    let due = bench.feed.deadline().unwrap();
    assert_eq!(due - bench.now.mono, Nanos::from_millis(300));
    bench.now.mono = due;
    assert_eq!(bench.sent(), ["again a"]);
    bench.now.mono = bench.now.mono + Nanos::from_millis(300);
    assert_eq!(bench.sent(), ["again b"]);
    for i in 20..45_u64 {
        for symbol in ["a", "b"] {
            bench.hear(&format!("snapshot {symbol} {i} 1 2")).unwrap();
        }
        bench.pass(Nanos::from_secs(1));
    }
    // Kept alive although the venue is talking.
    assert_eq!(bench.sent(), ["ping"]);
}
