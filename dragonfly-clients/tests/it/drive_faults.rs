//! The driver when things go wrong at the same time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use dragonfly_clients::Gate;
use dragonfly_core::{
    client::ClientError,
    clock::Nanos,
    feed::{Ack, Ask, Subscriber},
    market::{BookState, Cause},
    stage::Work,
};

use super::drive::{Bench, DOWN, Incoming, LIVE, Pair, SYNCING, Script, run};

fn connected(times: usize) -> Script {
    Script {
        connects: (0..times).map(|_| Ok(())).collect(),
        ..Script::default()
    }
}

fn lost() -> ClientError {
    ClientError::Closed {
        code: 1006,
        reason: String::new(),
    }
}

#[test]
fn a_book_is_withdrawn_before_the_goodbye_to_a_peer_that_does_not_read() {
    run(async || {
        let mut bench = Bench::new(connected(1));
        bench.settle();
        bench.hear(Incoming::Text("1 2"));
        bench.states();
        bench.script.lock().unwrap().is_stuck = true;
        bench.hear(Incoming::Text("boom"));
        assert_eq!(bench.states(), [(BookState::Down, Cause::Panicked)]);
    });
}

#[test]
fn deadlines_are_kept_while_there_is_always_a_next_message() {
    run(async || {
        let mut bench = Bench::new(connected(1));
        let flood = (0..4_000).map(|_| Ok(Incoming::Text("hello")));
        bench.script.lock().unwrap().incoming.extend(flood);
        for _ in 0..3_000 {
            bench.hand.advance(Nanos::from_millis(5));
            tokio::time::advance(Duration::from_millis(5)).await;
            bench.step();
        }
        // The subscription has not been answered for 15 seconds.
        assert_eq!(
            bench.states().last(),
            Some(&(BookState::Down, Cause::Silent))
        );
        assert!(!bench.script.lock().unwrap().incoming.is_empty());
    });
}

#[test]
fn the_flow_goes_on_between_pings_and_pongs_that_come_in_a_flood() {
    run(async || {
        let mut bench = Bench::new(connected(1));
        let flood = (0..100).map(|i| {
            Ok(if i % 2 == 0 {
                Incoming::Pong
            } else {
                Incoming::Ping(b"")
            })
        });
        bench.script.lock().unwrap().incoming.extend(flood);
        bench.step();
        bench.step();
        assert!(bench.script.lock().unwrap().incoming.len() >= 98);
    });
}

#[test]
fn a_venue_that_asks_for_an_absurd_wait_is_tried_again_after_an_hour() {
    run(async || {
        let wait = ClientError::RetryAfter {
            status: 503,
            seconds: u64::MAX,
        };
        let mut bench = Bench::new(Script {
            connects: [Err(wait), Ok(())].into(),
            ..Script::default()
        });
        bench.settle();
        bench.hand.advance(Nanos::from_secs(3_601));
        tokio::time::advance(Duration::from_secs(3_601)).await;
        bench.settle();
        assert_eq!(bench.script.lock().unwrap().attempts.len(), 2);
    });
}

/// Panics when it is asked to subscribe a second time.
struct Doomed(u32);

impl Subscriber for Doomed {
    fn subscribe(&mut self, _: Ask, _: &mut dyn FnMut(&[u8])) {
        self.0 += 1;
        assert!(self.0 < 2, "a bug in the adapter");
    }
    fn acknowledge(&mut self, _: &[u8]) -> Ack {
        Ack::Waiting
    }
}

#[test]
fn a_stage_that_panics_waits_until_the_full_queue_has_taken_the_word_that_its_leg_is_down() {
    run(async || {
        let mut bench = Bench::with(connected(2), Doomed(0), 4);
        bench.settle();
        bench.hear(Incoming::Text("1 2"));
        bench.hear(Incoming::Text("1 3"));
        bench.script.lock().unwrap().incoming.push_back(Err(lost()));
        bench.settle();
        bench.pass(Duration::from_millis(260)).await;
        assert_eq!(bench.step(), Work::Held, "the queue is full");
        let started = (BookState::Empty, Cause::Started);
        assert_eq!(bench.states(), [started, SYNCING, LIVE, LIVE]);
        let ended = catch_unwind(AssertUnwindSafe(|| bench.step()));
        assert!(ended.is_err(), "the panic is the runner's to report");
        let down = bench.states();
        assert_eq!(down.last().map(|state| state.0), Some(DOWN.0));
    });
}

#[test]
fn a_venue_that_asks_to_be_left_alone_is() {
    run(async || {
        let wait = ClientError::RetryAfter {
            status: 429,
            seconds: 60,
        };
        let connects = [Err(wait), Ok(())].into();
        let mut bench = Bench::new(Script {
            connects,
            ..Script::default()
        });
        bench.settle();
        bench.pass(Duration::from_secs(59)).await;
        assert_eq!(bench.script.lock().unwrap().attempts.len(), 1);
        bench.pass(Duration::from_secs(2)).await;
        assert_eq!(bench.script.lock().unwrap().attempts.len(), 2);
    });
}

#[test]
fn a_venue_that_asks_one_connection_to_wait_is_left_alone_by_all() {
    run(async || {
        let wait = ClientError::RetryAfter {
            status: 429,
            seconds: 60,
        };
        let gate = Gate::default();
        let refused = Script {
            connects: [Err(wait), Ok(())].into(),
            ..Script::default()
        };
        let mut first = Bench::behind(&gate, refused, Pair, 64);
        first.settle();
        let mut other = Bench::behind(&gate, connected(1), Pair, 64);
        other.settle();
        other.pass(Duration::from_secs(59)).await;
        assert_eq!(other.script.lock().unwrap().attempts.len(), 0);
        other.pass(Duration::from_secs(2)).await;
        assert_eq!(other.script.lock().unwrap().attempts.len(), 1);
    });
}

/// A bench whose book is Live and has been quiet for longer than it may.
async fn quiet_for_too_long() -> Bench {
    let mut bench = Bench::new(Script {
        connects: [Ok(())].into(),
        ..Script::default()
    });
    bench.settle();
    bench.hear(Incoming::Text("1 2"));
    bench.states();
    bench.hand.advance(Nanos::from_secs(61));
    tokio::time::advance(Duration::from_secs(61)).await;
    bench
}

fn wait(bench: &Bench, texts: &[&'static str]) {
    let texts = texts.iter().map(|text| Ok(Incoming::Text(text)));
    bench.script.lock().unwrap().incoming.extend(texts);
}

#[test]
fn after_a_standstill_what_waits_in_the_socket_is_read_before_silence_is_judged() {
    run(async || {
        let mut bench = quiet_for_too_long().await;
        wait(&bench, &["hello", "1 3"]);
        bench.settle();
        assert_eq!(bench.states(), [LIVE], "never stale, for it was heard of");
        assert_eq!(bench.sent(), ["subscribe"]);

        let mut bench = quiet_for_too_long().await;
        wait(&bench, &["hello", "hello"]);
        bench.settle();
        assert_eq!(bench.states(), [(BookState::Stale, Cause::Silent)]);
    });
}

#[test]
fn a_venue_that_never_pauses_does_not_put_off_that_a_book_is_silent() {
    run(async || {
        let mut bench = quiet_for_too_long().await;
        wait(&bench, &["hello"; 100]);
        let mut waited = 0;
        while bench.states().is_empty() {
            bench.step();
            bench.hand.advance(Nanos::from_millis(5));
            waited += 5;
        }
        assert!((50..=60).contains(&waited), "{waited} ms");
    });
}

/// What arrives of a snapshot at 8 kbit/s, a second at a time.
#[test]
fn a_large_message_on_a_slow_line_is_waited_for_whatever_the_venue() {
    run(async || {
        let mut bench = Bench::new(connected(1));
        bench.settle();
        for _ in 0..30 {
            bench.hear(Incoming::Part("1"));
            bench.pass(Duration::from_secs(1)).await;
        }
        // An image that took so long is out of date; the connection is kept, and the next one is shown.
        bench.hear(Incoming::Text("1 2"));
        assert!(!bench.states().contains(&LIVE));
        bench.hear(Incoming::Text("1 2"));
        assert_eq!(bench.states().last(), Some(&LIVE));
        assert_eq!(bench.script.lock().unwrap().attempts.len(), 1);
    });
}

/// A bench whose book is Live, and a flood of pings and pongs with no end.
fn flooded() -> Bench {
    let mut bench = Bench::new(connected(1));
    bench.settle();
    bench.hear(Incoming::Text("1 2"));
    bench.states();
    bench.sent();
    let pongs = (0..20_000).map(|_| Ok(Incoming::Pong));
    bench.script.lock().unwrap().incoming.extend(pongs);
    bench
}

#[test]
fn a_flood_of_pongs_does_not_switch_the_deadlines_off() {
    run(async || {
        let mut bench = flooded();
        for _ in 0..6_200 {
            bench.hand.advance(Nanos::from_millis(10));
            bench.step();
        }
        // The book itself has not been heard of for a minute.
        let stale = (BookState::Stale, Cause::Silent);
        assert_eq!(bench.states().first(), Some(&stale));
        assert_eq!(bench.sent(), ["subscribe"]);
        assert!(!bench.script.lock().unwrap().incoming.is_empty());
    });
}

/// The runtime has had enough of this stage for this turn: nothing is read and no timer rings.
#[test]
fn a_stage_that_has_used_up_its_turn_keeps_its_deadlines() {
    run(async || {
        let mut bench = Bench::new(connected(1));
        bench.settle();
        bench.hear(Incoming::Text("1 2"));
        bench.states();
        while tokio::task::coop::has_budget_remaining() {
            tokio::task::coop::consume_budget().await;
        }
        let mut waited = 0;
        while bench.states().is_empty() {
            bench.hand.advance(Nanos::from_millis(10));
            bench.step();
            waited += 10;
            assert!(waited < 6_000, "never withdrawn");
        }
        assert!((5_000..=5_100).contains(&waited), "{waited} ms");
    });
}
