//! Recordings whose time stamps cannot be trusted.

use dragonfly_clients::{Replay, capture};
use dragonfly_core::{
    clock::UtcNanos,
    feed::{BookListener, Feed, FeedPolicy},
    market::{BookRules, BookState, Symbol, Venue},
};

use super::{drive::Pair, server::Scratch};

/// The states of a book in a recording of one image with each of these time stamps.
fn states(name: &str, stamps: &[Option<u64>]) -> Vec<BookState> {
    let file = Scratch::new(name);
    let mut writer = capture::Writer::create(&file.0).unwrap();
    for ts in stamps {
        let ts = ts.map(UtcNanos);
        writer
            .write(ts, capture::Direction::In, "wss://x/", b"1 2")
            .unwrap();
    }
    writer.finish().unwrap();
    let symbol = Symbol::new("X-Y").unwrap();
    let venue = Venue::new("pair").unwrap();
    let listener = BookListener::new(venue, Pair, BookRules::default(), 5, [(symbol, symbol)]);
    let mut replay = Replay::new(Feed::new("pair", Pair, listener, FeedPolicy::default()));
    let mut states = Vec::new();
    for record in capture::open(&file.0).unwrap() {
        replay
            .play(record.unwrap(), &mut |event| states.push(event.state))
            .unwrap();
    }
    states
}

#[test]
fn time_begins_with_the_first_message_that_bears_one() {
    use BookState::{Empty, Live, Syncing};
    let late = Some(1_789_457_617_906_487_000);
    let stamps = [None, late, late];
    assert_eq!(
        states("late.jsonl", &stamps),
        [Empty, Syncing, Live, Live, Live]
    );
}

#[test]
fn a_recording_that_jumps_by_centuries_is_played_to_its_end() {
    let states = states("jump.jsonl", &[Some(1), Some(u64::MAX)]);
    assert_eq!(states.last(), Some(&BookState::Live));
    assert!(
        states.contains(&BookState::Stale),
        "the time in between was silent: {states:?}"
    );
}
