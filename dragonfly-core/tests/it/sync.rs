//! The synchronisation state machine at its boundaries: what a venue may send, and what becomes of
//! the book.

use dragonfly_core::market::{
    BookRules, BookState, BookSync, BookUpdate, Cause, Level, Outcome, SequenceRule, UpdateKind,
};

fn sync(sequence: SequenceRule) -> BookSync {
    sync_that_keeps(3, sequence)
}

fn sync_that_keeps(sync_buffer: usize, sequence: SequenceRule) -> BookSync {
    let mut sync = BookSync::new(BookRules {
        sequence,
        sync_buffer,
        ..BookRules::default()
    });
    sync.reset(BookState::Syncing, Cause::Subscribed);
    sync
}

fn level(price: u32, qty: u32) -> Level {
    Level::new(
        price.to_string().parse().unwrap(),
        qty.to_string().parse().unwrap(),
    )
}

fn update(kind: UpdateKind, first: u64, last: u64, bid: u32, ask: u32) -> BookUpdate {
    let (bids, asks) = (vec![level(bid, 1)], vec![level(ask, 1)]);
    BookUpdate {
        kind,
        first,
        last,
        bids,
        asks,
        ..BookUpdate::default()
    }
}

fn snapshot(last: u64) -> BookUpdate {
    update(UpdateKind::Snapshot, last, last, 10, 20)
}

fn delta(first: u64, last: u64) -> BookUpdate {
    update(UpdateKind::Delta, first, last, 11, 19)
}

fn best_bid(sync: &BookSync) -> Option<String> {
    sync.depth(1)
        .bids
        .first()
        .map(|level| level.price.to_string())
}

#[test]
fn a_delta_joins_a_snapshot_exactly_at_its_edges() {
    // The snapshot has id 100; which first..=last may follow it?
    for (first, last, outcome) in [
        (90, 99, Outcome::Ignored),
        (90, 100, Outcome::Ignored),
        (100, 100, Outcome::Ignored),
        (90, 101, Outcome::Live),
        (100, 101, Outcome::Live),
        (101, 101, Outcome::Live),
        (101, 150, Outcome::Live),
        (102, 102, Outcome::Renew),
        (150, 160, Outcome::Renew),
    ] {
        let mut book = sync(SequenceRule::Span);
        assert_eq!(book.apply(&snapshot(100)), Outcome::Live);
        assert_eq!(book.apply(&delta(first, last)), outcome, "{first}..={last}");
        let state = if outcome == Outcome::Renew {
            BookState::Gap
        } else {
            BookState::Live
        };
        assert_eq!(book.state(), state);
    }
}

#[test]
fn early_deltas_wait_for_their_snapshot() {
    let mut book = sync(SequenceRule::Span);
    for (first, last) in [(95, 99), (99, 101), (102, 103)] {
        assert_eq!(book.apply(&delta(first, last)), Outcome::Ignored);
    }
    assert_eq!(book.apply(&snapshot(100)), Outcome::Live);
    assert_eq!((book.seq(), best_bid(&book).as_deref()), (103, Some("11")));
    assert_eq!((book.stats().old, book.stats().gaps), (1, 0));
}

#[test]
fn a_snapshot_older_than_the_first_kept_delta_is_asked_for_again() {
    let mut book = sync(SequenceRule::Span);
    assert_eq!(book.apply(&delta(105, 106)), Outcome::Ignored);
    assert_eq!(book.apply(&snapshot(100)), Outcome::Renew);
    assert_eq!(
        (book.state(), book.cause()),
        (BookState::Gap, Cause::SequenceGap)
    );
    assert!(
        book.depth(5).bids.is_empty(),
        "a book that cannot be trusted shows no price"
    );
}

#[test]
fn the_buffer_for_early_deltas_is_bounded() {
    let mut book = sync(SequenceRule::Span);
    let outcomes: Vec<_> = (0..4).map(|i| book.apply(&delta(i, i))).collect();
    assert_eq!(outcomes[3], Outcome::Renew);
    assert_eq!(book.cause(), Cause::BufferOverflow);
}

#[test]
fn an_old_second_snapshot_cannot_turn_the_book_back() {
    let mut book = sync(SequenceRule::Span);
    book.apply(&snapshot(100));
    book.apply(&delta(101, 120));
    assert_eq!(book.apply(&snapshot(110)), Outcome::Ignored);
    assert_eq!((book.seq(), best_bid(&book).as_deref()), (120, Some("11")));
}

#[test]
fn a_new_snapshot_is_a_new_epoch_and_clears_every_level() {
    let mut book = sync(SequenceRule::Next { restart: Some(1) });
    book.apply(&snapshot(5));
    book.apply(&delta(6, 6));
    assert_eq!((book.epoch(), book.book().bids().len()), (1, 2));
    assert_eq!(book.apply(&snapshot(3)), Outcome::Live);
    assert_eq!(
        (book.epoch(), book.seq(), book.book().bids().len()),
        (2, 3, 1)
    );
}

#[test]
fn each_delta_is_the_next_or_a_duplicate_or_a_gap() {
    for (last, outcome) in [
        (4, Outcome::Old),
        (5, Outcome::Ignored),
        (6, Outcome::Live),
        (7, Outcome::Renew),
        (u64::MAX, Outcome::Renew),
    ] {
        let mut book = sync(SequenceRule::Next { restart: Some(1) });
        book.apply(&snapshot(5));
        assert_eq!(book.apply(&delta(last, last)), outcome, "{last}");
    }
}

#[test]
fn a_restart_of_the_venues_count_replaces_the_book_whatever_it_calls_itself() {
    let mut book = sync(SequenceRule::Next { restart: Some(1) });
    book.apply(&snapshot(500));
    assert_eq!(book.apply(&delta(1, 1)), Outcome::Live);
    assert_eq!(
        (book.epoch(), book.seq(), book.book().bids().len()),
        (2, 1, 1)
    );
}

#[test]
fn after_a_restart_nothing_kept_of_the_old_count_is_held_against_the_new_book() {
    let mut book = sync(SequenceRule::Next { restart: Some(1) });
    book.apply(&snapshot(500));
    assert_eq!(book.apply(&delta(502, 502)), Outcome::Renew, "501 is lost");
    book.apply(&delta(503, 503));
    book.apply(&delta(2, 2));
    // Whether 2 follows this restart or was there before it nobody can tell.
    assert_eq!(book.apply(&snapshot(1)), Outcome::Renew);
    book.apply(&delta(7, 7));
    assert_eq!(book.apply(&snapshot(1)), Outcome::Live);
    assert_eq!((book.state(), book.seq()), (BookState::Live, 1));
    assert_eq!(book.apply(&delta(2, 2)), Outcome::Live);
}

#[test]
fn nothing_is_applied_after_a_gap_until_the_next_snapshot() {
    let mut book = sync_that_keeps(10, SequenceRule::Next { restart: None });
    book.apply(&snapshot(5));
    book.apply(&delta(9, 9));
    for last in [6, 9, 10, 11] {
        assert_eq!(book.apply(&delta(last, last)), Outcome::Ignored);
        assert_eq!(book.state(), BookState::Gap);
    }
    assert_eq!(book.stats().gaps, 1);
    assert_eq!(book.apply(&snapshot(20)), Outcome::Live);
    assert_eq!(book.apply(&delta(21, 21)), Outcome::Live);
}

#[test]
fn a_delta_that_names_another_predecessor_is_a_gap() {
    let follows = |prev, last| BookUpdate {
        prev: Some(prev),
        ..delta(last, last)
    };
    let mut book = sync(SequenceRule::Previous);
    book.apply(&snapshot(100));
    assert_eq!(book.apply(&follows(100, 107)), Outcome::Live);
    assert_eq!(book.apply(&follows(107, 110)), Outcome::Live);
    assert_eq!(book.apply(&follows(100, 107)), Outcome::Ignored);
    assert_eq!(book.apply(&follows(109, 112)), Outcome::Renew);
}

#[test]
fn images_only_grow_and_a_restarted_count_is_noticed_in_the_end() {
    let image = |last| update(UpdateKind::Image, last, last, 10, 20);
    let mut book = sync(SequenceRule::Increasing);
    assert_eq!(book.apply(&image(50)), Outcome::Live);
    assert_eq!(book.apply(&image(49)), Outcome::Old);
    let changed = update(UpdateKind::Image, 50, 50, 11, 20);
    assert_eq!(book.apply(&changed), Outcome::Old);
    assert_eq!(best_bid(&book).as_deref(), Some("10"));
    assert_eq!(book.apply(&image(51)), Outcome::Live);
    let outcomes: Vec<_> = (1..=16).map(|last| book.apply(&image(last))).collect();
    assert_eq!(outcomes[15], Outcome::Renew, "{outcomes:?}");
    assert_eq!(book.apply(&image(17)), Outcome::Live);
    assert_eq!(book.epoch(), 2);
}

#[test]
fn of_a_restarted_count_nothing_older_is_shown_than_what_was_heard() {
    let image = |last| update(UpdateKind::Image, last, last, 10, 20);
    let mut book = sync(SequenceRule::Increasing);
    book.apply(&image(1_000));
    // Two of the sixteen that show the restart have changed places, and the older one comes again.
    let numbers = (1..=14).chain([16, 15, 15]);
    let outcomes: Vec<_> = numbers.map(|last| book.apply(&image(last))).collect();
    assert_eq!(outcomes[15..], [Outcome::Renew, Outcome::Old]);
    assert_eq!(book.state(), BookState::Gap);
    assert_eq!(book.apply(&image(16)), Outcome::Live);
    assert_eq!((book.epoch(), book.seq()), (2, 16));
}

#[test]
fn after_a_broken_image_an_older_one_is_not_shown_on_the_same_connection() {
    let image = |last| update(UpdateKind::Image, last, last, 10, 20);
    let mut unsorted = image(51);
    unsorted.bids = vec![level(9, 1), level(10, 1)];
    let withdrawn = || {
        let mut book = sync(SequenceRule::Increasing);
        assert_eq!(book.apply(&image(50)), Outcome::Live);
        assert_eq!(book.apply(&unsorted), Outcome::Renew);
        book
    };
    let mut book = withdrawn();
    assert_eq!(book.apply(&image(49)), Outcome::Old);
    assert_eq!(book.apply(&image(50)), Outcome::Live);
    // A count that has restarted meanwhile is noticed as it always is.
    let mut book = withdrawn();
    let outcomes: Vec<_> = (1..=16).map(|last| book.apply(&image(last))).collect();
    assert_eq!(outcomes[14..], [Outcome::Old, Outcome::Renew]);
    assert_eq!(book.apply(&image(17)), Outcome::Live);
    // A new connection has a count of its own.
    let mut book = withdrawn();
    book.reset(BookState::Down, Cause::Disconnected);
    book.reset(BookState::Syncing, Cause::Subscribed);
    assert_eq!(book.apply(&image(1)), Outcome::Live);
}

#[test]
fn an_image_out_of_order_is_never_shown() {
    let mut book = sync(SequenceRule::None);
    let mut image = update(UpdateKind::Image, 0, 0, 10, 20);
    assert_eq!(book.apply(&image), Outcome::Live);
    image.bids = vec![level(9, 1), level(10, 1)];
    assert_eq!(book.apply(&image), Outcome::Renew);
    assert_eq!(
        (book.state(), book.cause()),
        (BookState::Gap, Cause::BadMessages)
    );
}

#[test]
fn a_crossed_book_is_withdrawn_and_comes_back_by_itself() {
    let mut book = sync(SequenceRule::None);
    assert_eq!(
        book.apply(&update(UpdateKind::Image, 0, 0, 10, 20)),
        Outcome::Live
    );
    assert_eq!(
        book.apply(&update(UpdateKind::Image, 0, 0, 20, 20)),
        Outcome::Withdrawn
    );
    assert_eq!(
        book.apply(&update(UpdateKind::Image, 0, 0, 21, 20)),
        Outcome::Ignored
    );
    assert_eq!(
        (book.state(), book.cause()),
        (BookState::Crossed, Cause::CrossedBook)
    );
    assert_eq!(
        book.apply(&update(UpdateKind::Image, 0, 0, 10, 20)),
        Outcome::Live
    );
}

#[test]
fn the_book_is_cut_to_the_window_the_venue_keeps() {
    let mut book = sync(SequenceRule::None);
    let bids = (1..=5).rev().map(|price| level(price, 1)).collect();
    let window = Some(5);
    let kind = UpdateKind::Snapshot;
    book.apply(&BookUpdate {
        kind,
        bids,
        window,
        ..BookUpdate::default()
    });
    let bids = vec![level(7, 1)];
    book.apply(&BookUpdate {
        kind: UpdateKind::Delta,
        bids,
        window,
        ..BookUpdate::default()
    });
    let prices: Vec<_> = book.book().bids().map(|l| l.price.to_string()).collect();
    assert_eq!(prices, ["7", "5", "4", "3", "2"]);
}

#[test]
fn a_silent_book_is_stale_and_its_next_update_in_sequence_makes_it_live() {
    let mut book = sync(SequenceRule::Next { restart: None });
    book.apply(&snapshot(5));
    assert!(book.silent() && !book.silent());
    assert_eq!(
        (book.state(), book.cause()),
        (BookState::Stale, Cause::Silent)
    );
    assert_eq!(book.apply(&delta(6, 6)), Outcome::Live);
    book.silent();
    assert_eq!(book.apply(&delta(8, 8)), Outcome::Renew);
}

#[test]
fn a_book_without_connection_takes_nothing() {
    let mut book = sync(SequenceRule::None);
    for state in [BookState::Down, BookState::Closed] {
        book.reset(state, Cause::Disconnected);
        assert_eq!(book.apply(&snapshot(1)), Outcome::Ignored);
        assert_eq!(book.state(), state);
    }
}

#[test]
fn the_same_image_again_proves_a_quiet_book_right() {
    let image = update(UpdateKind::Image, 50, 50, 10, 20);
    let mut book = sync(SequenceRule::Increasing);
    for _ in 0..100 {
        assert_eq!(book.apply(&image), Outcome::Live);
    }
    assert!(book.silent());
    assert_eq!(book.apply(&image), Outcome::Live);
    assert_eq!((book.epoch(), book.stats().gaps), (1, 0));
}

#[test]
fn a_count_of_deltas_that_restarts_below_the_last_one_does_not_freeze_the_book() {
    let mut book = sync(SequenceRule::Next { restart: Some(1) });
    book.apply(&snapshot(500));
    let outcomes: Vec<_> = (10..26)
        .map(|last| book.apply(&delta(last, last)))
        .collect();
    assert_eq!(outcomes[14], Outcome::Old);
    assert_eq!(outcomes[15], Outcome::Renew);
    assert_eq!(book.state(), BookState::Gap);
}

#[test]
fn a_delta_that_may_have_overtaken_the_restart_of_its_count_is_neither_lost_nor_guessed() {
    let mut book = sync(SequenceRule::Next { restart: Some(1) });
    book.apply(&snapshot(500));
    let second = delta(2, 2);
    let first = update(UpdateKind::Snapshot, 1, 1, 10, 20);
    assert_eq!(book.apply(&second), Outcome::Old);
    assert_eq!(book.apply(&first), Outcome::Renew);
    assert_eq!(
        (book.state(), book.cause()),
        (BookState::Gap, Cause::SequenceGap)
    );
    assert_eq!(book.apply(&first), Outcome::Live);
    for number in [2, 3, 4] {
        assert_eq!(book.apply(&delta(number, number)), Outcome::Live);
    }
    // What is of the past stays there.
    assert_eq!(book.apply(&second), Outcome::Old);
    assert_eq!(book.apply(&delta(5, 5)), Outcome::Live);
    assert_eq!(book.apply(&first), Outcome::Live);
    assert_eq!((book.epoch(), book.seq()), (3, 1));
}

#[test]
fn early_deltas_are_bounded_by_their_levels_too() {
    let mut book = sync_that_keeps(10_000, SequenceRule::Next { restart: None });
    let mut large = delta(1, 1);
    large.bids = vec![level(10, 1); 100_000];
    for number in 1..=10 {
        (large.first, large.last) = (number, number);
        assert_eq!(book.apply(&large), Outcome::Ignored, "{number}");
    }
    assert_eq!(book.apply(&large), Outcome::Renew);
    assert_eq!(book.cause(), Cause::BufferOverflow);
}

#[test]
fn epoch_and_sequence_never_go_back_not_even_while_the_book_is_away() {
    let mut book = sync(SequenceRule::Next { restart: None });
    let mut seen = vec![(book.epoch(), book.seq())];
    book.apply(&snapshot(5));
    seen.push((book.epoch(), book.seq()));
    book.apply(&delta(9, 9));
    seen.push((book.epoch(), book.seq()));
    book.reset(BookState::Down, Cause::Disconnected);
    book.reset(BookState::Syncing, Cause::Subscribed);
    seen.push((book.epoch(), book.seq()));
    book.apply(&snapshot(3));
    seen.push((book.epoch(), book.seq()));
    assert_eq!(seen, [(0, 0), (1, 5), (1, 5), (1, 5), (2, 3)]);
}

#[test]
fn deltas_that_come_after_a_gap_join_the_snapshot_that_is_older_than_they_are() {
    let mut book = sync(SequenceRule::Span);
    book.apply(&snapshot(100));
    assert_eq!(book.apply(&delta(105, 106)), Outcome::Renew);
    assert_eq!(book.apply(&delta(107, 108)), Outcome::Ignored);
    assert_eq!(book.apply(&delta(109, 110)), Outcome::Ignored);
    assert_eq!(book.state(), BookState::Gap);
    assert_eq!(book.apply(&snapshot(107)), Outcome::Live);
    assert_eq!((book.state(), book.seq()), (BookState::Live, 110));
}

#[test]
fn a_book_that_its_early_deltas_cross_is_reported_as_crossed() {
    let mut book = sync(SequenceRule::Span);
    for last in [101, 102] {
        book.apply(&update(UpdateKind::Delta, last, last, 30, 25));
    }
    assert_eq!(book.apply(&snapshot(100)), Outcome::Withdrawn);
    assert_eq!(book.state(), BookState::Crossed);
}

#[test]
fn a_delta_that_overtook_its_snapshot_is_not_missing_from_the_book() {
    for (early, state, seq) in [
        // Older than the snapshot, or the next after it, or with one missing in between.
        (vec![3, 4], BookState::Live, 5),
        (vec![5, 6, 7], BookState::Live, 7),
        (vec![7], BookState::Gap, 5),
        (vec![6, 8], BookState::Gap, 6),
    ] {
        let mut book = sync(SequenceRule::Next { restart: Some(1) });
        for last in &early {
            assert_eq!(book.apply(&delta(*last, *last)), Outcome::Ignored);
        }
        book.apply(&snapshot(5));
        assert_eq!((book.state(), book.seq()), (state, seq), "{early:?}");
    }
}

#[test]
fn the_delta_that_showed_a_gap_is_applied_when_only_a_snapshot_came_late() {
    let mut book = sync(SequenceRule::Next { restart: Some(1) });
    book.apply(&snapshot(4));
    assert_eq!(book.apply(&delta(6, 6)), Outcome::Renew);
    assert_eq!(book.state(), BookState::Gap);
    // The venue's own second snapshot, which the delta overtook.
    assert_eq!(book.apply(&snapshot(5)), Outcome::Live);
    assert_eq!((book.seq(), best_bid(&book).as_deref()), (6, Some("11")));
}
