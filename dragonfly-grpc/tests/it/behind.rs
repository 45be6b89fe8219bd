//! The client library where its user reads more slowly than views come.

use std::time::Duration;

use dragonfly_core::market::{BookEvent, ConsolidatedBook, Legs};
use dragonfly_grpc::{
    Client, Policy,
    client::{Disconnect, Event, Subscription},
    proto::v1::Book,
};
use tokio::task::yield_now;

use super::bench::{Bench, book, deep, live, run, soon};

const POLICIES: [Policy; 3] = [
    Policy::EveryUpdate,
    Policy::Conflate,
    Policy::AtMost(Policy::MAX_PER_SECOND),
];

/// A subscription that has read view 1 and nothing since.
async fn subscribe(bench: &mut Bench, policy: Policy, depth: usize) -> Subscription<Book> {
    bench.publish(&[deep(1)]);
    let wait = Duration::from_millis(5);
    let client = Client::builder(bench.uri()).backoff(wait, wait);
    let selection = client.build().unwrap().book("").depth(depth);
    let mut books = selection.policy(policy).subscribe();
    assert!(matches!(soon(books.next()).await, Event::Connected));
    match soon(books.next()).await {
        Event::View(view) => assert_eq!((view.seq, view.skipped), (1, 0)),
        other => panic!("no view but {other:?}"),
    }
    books
}

/// Lets everything that is on the way arrive.
async fn settle() {
    for _ in 0..1_000 {
        yield_now().await;
    }
}

/// Publishes views 2 to `last`, each of which the server sends before the next one.
async fn send(bench: &mut Bench, last: u64, view: fn(u64) -> ConsolidatedBook) {
    let stats = bench.server.stats();
    for seq in 2..=last {
        bench.publish(&[view(seq)]);
        soon(async {
            while stats.sent() < seq {
                yield_now().await;
            }
        })
        .await;
    }
    settle().await;
}

/// How many views are handed over up to view `last`.
async fn handed_over(books: &mut Subscription<Book>, last: u64) -> usize {
    let mut count = 0;
    let mut seq = 1;
    while seq < last {
        match soon(books.next()).await {
            Event::View(view) => {
                assert_eq!(view.seq, seq + 1 + view.skipped);
                seq = view.seq;
            }
            other => panic!("no view after {seq} but {other:?}"),
        }
        count += 1;
    }
    count
}

#[test]
fn a_slow_reader_gets_the_newest_and_the_count_of_the_others() {
    for policy in POLICIES {
        run(async {
            let mut bench = Bench::new();
            let mut books = subscribe(&mut bench, policy, 20).await;
            send(&mut bench, 40, deep).await;
            let count = handed_over(&mut books, 40).await;
            let expected = if policy == Policy::EveryUpdate { 39 } else { 1 };
            assert_eq!(count, expected, "{policy:?}");
        });
    }
}

#[test]
fn a_lost_server_is_said_before_what_it_sent_is_read() {
    run(async {
        let mut bench = Bench::new();
        let mut books = subscribe(&mut bench, Policy::Conflate, 20).await;
        send(&mut bench, 40, deep).await;
        drop(bench);
        settle().await;
        let event = soon(books.next()).await;
        assert!(
            matches!(event, Event::Disconnected(Disconnect::Lost(_))),
            "{event:?}"
        );
    });
}

#[test]
fn a_server_that_stops_is_said_before_what_it_sent_is_read() {
    run(async {
        let mut bench = Bench::new();
        let mut books = subscribe(&mut bench, Policy::Conflate, 20).await;
        send(&mut bench, 40, deep).await;
        bench.close().await;
        settle().await;
        let event = soon(books.next()).await;
        assert!(
            matches!(event, Event::Disconnected(Disconnect::Ended)),
            "{event:?}"
        );
    });
}

/// One level a side of one venue: some 130 bytes.
fn small(seq: u64) -> ConsolidatedBook {
    let mut book = book(seq, &[("1", "2", 0)], &[("2", "1", 0)]);
    book.legs = Legs::default();
    book.legs.note(&BookEvent {
        seq: 1,
        ts_venue: None,
        ..live("okx")
    });
    book
}

#[test]
fn a_slow_reader_of_small_views_is_not_cut() {
    run(async {
        let mut bench = Bench::new();
        let mut books = subscribe(&mut bench, Policy::Conflate, 1).await;
        send(&mut bench, 1_500, small).await;
        assert_eq!(handed_over(&mut books, 1_500).await, 1);
    });
}
