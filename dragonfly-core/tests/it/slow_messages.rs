//! A message that takes long to arrive: it is waited for as long as it grows, and nothing that may
//! be out of date behind it is shown meanwhile.

use dragonfly_core::{
    clock::Nanos,
    feed::Verdict,
    market::{BookState, Cause, SequenceRule},
};

use super::feed_bench::{Bench, state};

const CLOSED: Verdict = Verdict::Close(Cause::Silent);

fn opened() -> Bench {
    Bench::open(SequenceRule::Next { restart: None })
}

impl Bench {
    /// A part comes; nothing but a ping has been asked for since the last one.
    fn part(&mut self) -> Verdict {
        assert_eq!(requests(self), Vec::<String>::new());
        self.feed.on_part(b"snapshot a", self.now, &mut |event| {
            self.events.push(event);
        })
    }

    /// A part comes every second, for so many seconds.
    fn grow(&mut self, seconds: u64) {
        for second in 0..seconds {
            assert_eq!(self.part(), Verdict::Continue);
            assert_eq!(
                self.pass(Nanos::from_secs(1)),
                Verdict::Continue,
                "{second}"
            );
        }
    }
}

fn requests(bench: &mut Bench) -> Vec<String> {
    let mut sent = bench.sent();
    sent.retain(|text| text != "PING");
    sent
}

#[test]
fn a_snapshot_that_arrives_for_longer_than_every_deadline_is_waited_for() {
    let mut bench = opened();
    bench.grow(40);
    assert_eq!(bench.states(), []);
    assert_eq!(requests(&mut bench), Vec::<String>::new());
    bench.hear("snapshot a 1 1 2").unwrap();
    assert_eq!(bench.states(), [state("a", BookState::Live, Cause::Image)]);
}

#[test]
fn the_time_of_the_first_snapshot_does_not_count_for_what_comes_behind_it() {
    let mut bench = opened();
    bench.grow(15);
    bench.hear("snapshot a 1 1 2").unwrap();
    // The answer to the subscription, and the other book, have had no chance to come.
    bench.grow(15);
    bench.hear("snapshot b 1 1 2").unwrap();
    assert_eq!(requests(&mut bench), Vec::<String>::new());
    let live = |s| state(s, BookState::Live, Cause::Image);
    let stale = state("a", BookState::Stale, Cause::Silent);
    assert_eq!(bench.states(), [live("a"), stale, live("b")]);
    bench.hear("delta a 2 1 2").unwrap();
    assert_eq!(bench.states(), [live("a")]);
}

#[test]
fn a_large_message_that_is_no_data_does_not_stop_the_clock_for_ever() {
    let mut bench = opened();
    bench.grow(30);
    bench.hear("hello").unwrap();
    requests(&mut bench);
    let mut waited = 0;
    while bench.pass(Nanos::from_secs(1)) == Verdict::Continue {
        bench.hear("hello").unwrap();
        waited += 1;
        assert!(waited < 20, "never closed");
    }
    assert_eq!(waited, 9, "of the 10 seconds nothing is gone");
}

#[test]
fn a_book_of_which_the_updates_queue_behind_a_message_is_withdrawn_in_time() {
    let mut bench = opened();
    bench.hear("snapshot a 1 1 2").unwrap();
    bench.states();
    bench.pass(Nanos::from_millis(100));
    for _ in 0..48 {
        assert_eq!(bench.part(), Verdict::Continue);
        // What comes between fragments proves the socket alive, and not the book right.
        bench.feed.on_alive(bench.now);
        assert_eq!(bench.pass(Nanos::from_millis(100)), Verdict::Continue);
    }
    assert_eq!(bench.states(), []);
    bench.part();
    bench.pass(Nanos::from_millis(100));
    assert_eq!(
        bench.states(),
        [state("a", BookState::Stale, Cause::Silent)]
    );
    bench.grow(20);
    assert_eq!(requests(&mut bench), Vec::<String>::new());
    bench.hear("delta a 2 1 2").unwrap();
    assert_eq!(bench.states(), [state("a", BookState::Live, Cause::Image)]);
}

#[test]
fn a_message_that_stops_growing_is_given_up_after_the_usual_silence() {
    let mut bench = opened();
    bench.grow(20);
    requests(&mut bench);
    assert_eq!(bench.pass(Nanos::from_millis(3_999)), Verdict::Continue);
    bench.feed.on_alive(bench.now);
    assert_eq!(bench.pass(Nanos::from_millis(1)), CLOSED);
}

#[test]
fn a_message_that_grows_and_grows_is_given_up_after_a_minute() {
    let mut bench = opened();
    bench.grow(59);
    bench.part();
    assert_eq!(bench.pass(Nanos::from_millis(999)), Verdict::Continue);
    bench.part();
    assert_eq!(bench.pass(Nanos::from_millis(1)), CLOSED);
    assert_eq!(bench.part(), Verdict::Continue, "another connection");
}

#[test]
fn what_was_under_way_on_the_last_connection_counts_for_nothing_on_the_next() {
    let mut bench = opened();
    bench.grow(50);
    let Bench {
        feed, now, events, ..
    } = &mut bench;
    feed.on_down(Cause::Disconnected, *now, &mut |event| events.push(event));
    feed.on_open(*now, &mut |event| events.push(event));
    assert_eq!(bench.sent(), ["subscribe"]);
    assert_eq!(bench.pass(Nanos::from_secs(2)), Verdict::Continue);
    assert_eq!(bench.sent(), ["PING"]);
    assert_eq!(bench.pass(Nanos::from_millis(2_999)), Verdict::Continue);
    assert_eq!(bench.pass(Nanos::from_millis(1)), CLOSED);
}
