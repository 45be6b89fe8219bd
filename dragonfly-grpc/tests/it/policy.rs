//! Slow clients, conflation and rates.

use std::time::Duration;

use dragonfly_core::stage::Service;
use dragonfly_grpc::proto::v1::{
    AtMost, Book, Conflate, StreamBookRequest, stream_book_request::Policy,
};
use tokio::time::{Instant, advance, pause, sleep};
use tonic::{Code, Streaming};

use super::bench::{Bench, deep, run, soon};

async fn subscribe(bench: &Bench, policy: Option<Policy>) -> Streaming<Book> {
    let request = StreamBookRequest {
        depth: 20,
        policy,
        ..StreamBookRequest::default()
    };
    let mut client = bench.market_data().await;
    soon(client.stream_book(request))
        .await
        .unwrap()
        .into_inner()
}

async fn next(stream: &mut Streaming<Book>) -> Book {
    soon(stream.message()).await.unwrap().unwrap()
}

/// Reads up to the view `last` and checks that what was skipped is said exactly.
async fn read_up_to(stream: &mut Streaming<Book>, last: u64, mut seq: u64) -> u64 {
    let mut skipped = 0;
    while seq < last {
        let book = next(stream).await;
        assert_eq!(book.seq, seq + 1 + book.skipped);
        skipped += book.skipped;
        seq = book.seq;
    }
    skipped
}

#[test]
fn a_client_that_does_not_read_is_bounded_told_and_not_felt() {
    run(async {
        let mut bench = Bench::new();
        let stats = bench.server.stats();
        bench.publish(&[deep(1)]);
        let mut slow = subscribe(&bench, None).await;
        let mut healthy = subscribe(&bench, None).await;
        let views = 8_000;
        for seq in 2..=views {
            bench.publish(&[deep(seq)]);
            assert!(
                stats.queued_bytes() < 260 * 1024,
                "{}",
                stats.queued_bytes()
            );
            if seq == 2 {
                assert_eq!(next(&mut healthy).await.seq, 1);
            }
            let book = next(&mut healthy).await;
            assert_eq!((book.seq, book.skipped), (seq, 0));
        }
        let skipped = read_up_to(&mut slow, views, 0).await;
        assert!(
            skipped > views / 4,
            "it could not have had them all: {skipped}"
        );
        assert_eq!(stats.skipped(), skipped);
        assert_eq!(stats.queued_bytes(), 0);
    });
}

#[test]
fn a_client_that_takes_nothing_for_ten_seconds_is_cut() {
    run(async {
        let mut bench = Bench::new();
        let stats = bench.server.stats();
        bench.publish(&[deep(1)]);
        let mut slow = subscribe(&bench, None).await;
        let mut healthy = subscribe(&bench, None).await;
        for seq in 2..=2_500 {
            bench.publish(&[deep(seq)]);
            next(&mut healthy).await;
        }
        next(&mut healthy).await;
        pause();
        sleep(Duration::from_secs(5)).await;
        assert_eq!((stats.cut(), stats.connections()), (0, 2));
        sleep(Duration::from_secs(7)).await;
        assert_eq!((stats.cut(), stats.connections()), (1, 1));
        assert_eq!((stats.subscribers(), stats.queued_bytes()), (1, 0));
        bench.publish(&[deep(2_501)]);
        assert_eq!(next(&mut healthy).await.seq, 2_501);
        let lost = loop {
            match soon(slow.message()).await {
                Ok(book) => assert!(book.is_some(), "a cut is no orderly end"),
                Err(status) => break status,
            }
        };
        assert_ne!(lost.code(), Code::Ok);
    });
}

#[test]
fn a_conflating_client_gets_the_newest_and_the_count_of_the_others() {
    run(async {
        let mut bench = Bench::new();
        let stats = bench.server.stats();
        bench.publish(&[deep(1)]);
        let mut stream = subscribe(&bench, Some(Policy::Conflate(Conflate {}))).await;
        assert_eq!(next(&mut stream).await.seq, 1);
        bench.publish(&(2..=100).map(deep).collect::<Vec<_>>());
        let newest = next(&mut stream).await;
        assert_eq!((newest.seq, newest.skipped), (100, 98));
        assert_eq!(
            (stats.encoded(), stats.skipped()),
            (2, 98),
            "skipped views are not encoded"
        );
        bench.publish(&[deep(101)]);
        assert_eq!(next(&mut stream).await.skipped, 0);
    });
}

#[test]
fn at_most_ten_a_second_is_at_most_ten_a_second() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let limit = Policy::AtMost(AtMost { per_second: 10 });
        let mut stream = subscribe(&bench, Some(limit)).await;
        assert_eq!(next(&mut stream).await.seq, 1);
        pause();
        let stats = bench.server.stats();
        let before = stats.sent();
        for seq in 2..=1_001 {
            bench.publish(&[deep(seq)]);
            advance(Duration::from_millis(5)).await;
        }
        let sent = stats.sent() - before;
        assert!((40..=51).contains(&sent), "{sent} in 5 s");
        read_up_to(&mut stream, 1_001, 1).await;
    });
}

#[test]
fn no_rate_delays_the_end() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let limit = Policy::AtMost(AtMost { per_second: 1 });
        let mut stream = subscribe(&bench, Some(limit)).await;
        assert_eq!(next(&mut stream).await.seq, 1);
        pause();
        let start = Instant::now();
        bench.server.close();
        assert_eq!(next(&mut stream).await.live_legs, 0);
        assert_eq!(soon(stream.message()).await.unwrap(), None);
        bench.close().await;
        let waited = start.elapsed();
        assert!(waited < Duration::from_millis(100), "{waited:?}");
    });
}

#[test]
fn a_rate_out_of_range_is_refused() {
    run(async {
        let bench = Bench::new();
        let mut client = bench.market_data().await;
        for per_second in [0, 1_001] {
            let request = StreamBookRequest {
                policy: Some(Policy::AtMost(AtMost { per_second })),
                ..StreamBookRequest::default()
            };
            let refusal = soon(client.stream_book(request)).await.unwrap_err();
            assert!(refusal.message().contains("1 to 1000"), "{refusal}");
        }
    });
}
