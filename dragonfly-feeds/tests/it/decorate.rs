//! The decorators, over a listener that emits what the test says.

use std::collections::VecDeque;

use dragonfly_core::{
    clock::{Nanos, Now, UtcNanos},
    feed::{FeedError, Heard, Link, Listener},
    market::{BookEvent, BookState, Level, Price, Qty},
};
use dragonfly_feeds::{
    decorate::{Changed, Depth, Throttle},
    venue,
};
use proptest::prelude::*;

use super::{
    books::binance_images,
    replay::{of_recording, sym},
};

/// Emits one scripted event a message.
#[derive(Default)]
struct Script(VecDeque<BookEvent>);

impl Listener for Script {
    type Event = BookEvent;

    fn on_message(
        &mut self,
        _: &mut [u8],
        _: Now,
        emit: &mut dyn FnMut(BookEvent),
    ) -> Result<Heard, FeedError> {
        self.0.pop_front().into_iter().for_each(emit);
        Ok(Heard::Data)
    }

    fn on_link(&mut self, _: Link, _: Now, emit: &mut dyn FnMut(BookEvent)) {
        self.0.pop_front().into_iter().for_each(emit);
    }
}

fn event(symbol: &str, state: BookState, bid: i128) -> BookEvent {
    let mut event = BookEvent {
        native_symbol: sym(symbol),
        state,
        epoch: 1,
        ..BookEvent::default()
    };
    if state == BookState::Live {
        let level = |price| Level::new(Price::from_units(price), Qty::from_units(1));
        event.depth.bids = (0..4).map(|i| level(bid - i)).collect();
    }
    event
}

fn live(symbol: &str, bid: i128) -> BookEvent {
    event(symbol, BookState::Live, bid)
}

fn at(ms: u64) -> Now {
    Now {
        mono: Nanos::from_millis(ms),
        utc: UtcNanos::from_millis(ms),
    }
}

/// Sends one event a message through `listener` at the given times; what comes out and when,
/// deadlines included.
fn run<L: Listener<Event = BookEvent>>(
    decorate: impl FnOnce(Script) -> L,
    events: Vec<(u64, BookEvent)>,
    until: u64,
) -> Vec<(u64, BookEvent)> {
    let times: Vec<u64> = events.iter().map(|(ms, _)| *ms).collect();
    let mut listener = decorate(Script(events.into_iter().map(|(_, e)| e).collect()));
    let mut out = Vec::new();
    for ms in 0..=until {
        if listener.deadline().is_some_and(|due| due <= at(ms).mono) {
            assert_eq!(
                listener.on_deadline(at(ms), &mut |e| out.push((ms, e))),
                None
            );
        }
        for _ in times.iter().filter(|t| **t == ms) {
            let heard = listener.on_message(&mut [], at(ms), &mut |e| out.push((ms, e)));
            assert_eq!(heard, Ok(Heard::Data));
        }
    }
    out
}

#[test]
fn changed_compares_levels_not_time_stamps() {
    let later = |mut e: BookEvent| {
        (e.ts_recv, e.seq) = (UtcNanos(9), 9);
        e
    };
    let mut restarted = live("a", 11);
    restarted.epoch = 2;
    let events = vec![
        (0, live("a", 10)),
        (1, later(live("a", 10))),
        (2, live("b", 10)),
        (3, live("a", 11)),
        (4, restarted),
        (5, event("a", BookState::Down, 0)),
        (6, later(event("a", BookState::Down, 0))),
        (7, live("a", 11)),
    ];
    let out = run(Changed::new, events, 10);
    assert_eq!(
        out.iter().map(|(ms, _)| *ms).collect::<Vec<_>>(),
        [0, 2, 3, 4, 5, 7]
    );
}

#[test]
fn changed_lets_the_first_event_pass_whatever_it_is() {
    let out = run(Changed::new, vec![(0, BookEvent::default())], 0);
    assert_eq!(out.len(), 1);
}

#[test]
fn depth_cuts_and_changed_behind_it_sees_only_what_is_left() {
    let mut deep = live("a", 10);
    deep.depth.bids = deep.depth.bids.iter().take(3).copied().collect();
    let events = vec![(0, live("a", 10)), (1, deep)];
    let out = run(|s| Changed::new(Depth::new(s, 2)), events, 5);
    assert_eq!(out.len(), 1, "only a level below the cut has changed");
    assert_eq!(out[0].1.depth.bids.len(), 2);
}

#[test]
fn throttle_releases_the_newest_when_the_interval_is_over() {
    let events = vec![
        (0, live("a", 10)),
        (1, live("a", 11)),
        (2, live("b", 20)),
        (3, live("a", 12)),
        (30, live("a", 13)),
    ];
    let out = run(|s| Throttle::new(s, Nanos::from_millis(10)), events, 50);
    let expected = [
        (0, live("a", 10)),
        (2, live("b", 20)),
        (10, live("a", 12)),
        (30, live("a", 13)),
    ];
    assert_eq!(out, expected);
}

#[test]
fn throttle_delays_no_change_of_state_and_drops_what_is_older() {
    let events = vec![
        (0, live("a", 10)),
        (1, live("a", 11)),
        (2, event("a", BookState::Gap, 0)),
        (3, live("a", 12)),
        (4, live("a", 13)),
    ];
    let out = run(|s| Throttle::new(s, Nanos::from_millis(10)), events, 50);
    let expected = [
        (0, live("a", 10)),
        (2, event("a", BookState::Gap, 0)),
        (3, live("a", 12)),
        (13, live("a", 13)),
    ];
    assert_eq!(out, expected);
}

#[test]
fn books_that_a_venue_spells_alike_are_not_taken_for_one() {
    let [spot, perpetual] = ["BTC-USDT", "BTC-USDT-PERP"].map(|symbol| {
        move |state| BookEvent {
            symbol: sym(symbol),
            ..event("BTCUSDT", state, 10)
        }
    });
    let (is_live, is_down) = (BookState::Live, BookState::Down);
    let events = vec![
        (0, spot(is_live)),
        (1, perpetual(is_live)),
        (2, spot(is_down)),
        (3, perpetual(is_live)),
        (4, spot(is_live)),
    ];
    let news = [&events[..3], &events[4..]].concat();
    assert_eq!(run(Changed::new, events.clone(), 5), news);
    // The perpetual's second image waits for its own interval, whatever the spot book does.
    let throttle = |script| Throttle::new(script, Nanos::from_millis(100));
    let out = run(throttle, events.clone(), 110);
    assert_eq!(out, [&news[..], &[(101, events[3].1)]].concat());
}

proptest! {
    /// Whatever comes in: no more often than the interval allows unless the state changes, states
    /// in their order, and in the end the newest of each book.
    #[test]
    fn throttle_keeps_its_promises(
        script in proptest::collection::vec((0_u64..8, 0_usize..2, 0_usize..3, 1_i128..50), 1..60),
        interval in 1_u64..20,
    ) {
        let states = [BookState::Live, BookState::Live, BookState::Down];
        let mut ms = 0;
        let events: Vec<(u64, BookEvent)> = script.iter().map(|&(wait, book, state, bid)| {
            ms += wait;
            (ms, event(["a", "b"][book], states[state], 10 + bid))
        }).collect();
        let out = run(|s| Throttle::new(s, Nanos::from_millis(interval)), events.clone(), ms + 40);
        for symbol in ["a", "b"] {
            let of = |events: &[(u64, BookEvent)]| -> Vec<(u64, BookEvent)> {
                events.iter().filter(|(_, e)| e.native_symbol == *symbol).copied().collect()
            };
            let (sent, got) = (of(&events), of(&out));
            prop_assert_eq!(sent.last().map(|s| s.1), got.last().map(|g| g.1));
            for pair in got.windows(2) {
                let same = pair[0].1.state == pair[1].1.state;
                prop_assert!(!same || pair[1].0 >= pair[0].0 + interval);
            }
            let changes = |events: &[(u64, BookEvent)]| {
                let mut states: Vec<(u64, BookState)> =
                    events.iter().map(|(ms, e)| (*ms, e.state)).collect();
                states.dedup_by_key(|s| s.1);
                states
            };
            prop_assert_eq!(changes(&sent), changes(&got));
        }
    }
}

#[test]
fn a_decorated_feed_gives_the_same_final_books_in_fewer_events() {
    let spec = venue::find("binance").unwrap();
    let lines = binance_images();
    let mut plain = of_recording(spec, "");
    plain.lines(&lines);
    let script = Script(plain.events.iter().copied().collect());
    let mut best = Changed::new(Depth::new(script, 1));
    let mut passed = Vec::new();
    for _ in 0..plain.events.len() {
        let heard = best.on_message(&mut [], at(0), &mut |e| passed.push(e));
        assert_eq!(heard, Ok(Heard::Data));
    }
    assert!(
        passed.len() * 2 < plain.events.len(),
        "{} of {}",
        passed.len(),
        plain.events.len()
    );
    for book in plain.feed.listener().books() {
        let last = passed
            .iter()
            .rev()
            .find(|e| e.native_symbol == book.native_symbol);
        assert_eq!(last.unwrap().depth, book.sync.depth(1));
    }
}
