//! The client library against a server that goes away and comes back.

use std::time::Duration;

use dragonfly_core::market::{BookState, Cause, Symbol};
use dragonfly_grpc::{
    Client, Policy, Server,
    client::{Disconnect, Event, Stream, Subscription, View},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, pause},
};

use super::bench::{Bench, book, dead, deep, liquidity, run, soon};

fn client(uri: String) -> Client {
    let quick = Duration::from_millis(5);
    Client::builder(uri).backoff(quick, quick).build().unwrap()
}

async fn view<M: Stream>(subscription: &mut Subscription<M>) -> View {
    match soon(subscription.next()).await {
        Event::View(view) => view,
        other => panic!("no view but {other:?}"),
    }
}

#[test]
fn a_view_is_exact_and_knows_its_venues() {
    run(async {
        let mut bench = Bench::new();
        let asks = [("0.068241", "4", 1)];
        bench.publish(&[book(3, &[("0.068240000000000001", "2.5", 0)], &asks)]);
        bench.publish_liquidity(&[liquidity(1)]);
        let client = client(bench.uri());
        let mut books = client
            .book("ethbtc")
            .depth(1)
            .policy(Policy::Conflate)
            .subscribe();
        assert!(matches!(soon(books.next()).await, Event::Connected));
        let view = view(&mut books).await;
        assert_eq!(view.bids[0].price, "0.068240000000000001".parse().unwrap());
        assert_eq!(view.spread(), Some("0.000000999999999999".parse().unwrap()));
        assert_eq!(view.venue(&view.asks[0]), Some("bitstamp"));
        assert!(view.is_live() && !view.crossed);
        bench.publish(&[dead(4)]);
        let view = self::view(&mut books).await;
        assert_eq!((view.is_live(), view.spread()), (false, None));
        assert_eq!(
            (view.legs[1].state, view.legs[1].cause),
            (BookState::Stale, Cause::Silent)
        );
        let mut sums = client.liquidity("").subscribe();
        assert!(matches!(soon(sums.next()).await, Event::Connected));
        assert_eq!(self::view(&mut sums).await.bids[0].leg, None);
    });
}

#[test]
fn a_lost_server_is_said_once_and_found_again() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let address = bench.server.local_addr().to_string();
        let mut books = client(bench.uri()).book("").subscribe();
        assert!(matches!(soon(books.next()).await, Event::Connected));
        assert_eq!(view(&mut books).await.seq, 1);
        bench.close().await;
        assert!(!view(&mut books).await.is_live(), "withdrawn first");
        let event = soon(books.next()).await;
        assert!(
            matches!(event, Event::Disconnected(Disconnect::Ended)),
            "{event:?}"
        );
        // Attempts fail without another word until somebody listens again.
        let quiet = tokio::time::timeout(Duration::from_millis(50), books.next()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        let mut bench = Bench::of(Server::bind(&address).unwrap());
        bench.publish(&[deep(9)]);
        assert!(matches!(soon(books.next()).await, Event::Connected));
        assert_eq!(view(&mut books).await.seq, 9);
    });
}

#[test]
fn no_server_and_a_refusal_are_told_apart() {
    run(async {
        let nobody = Server::bind("127.0.0.1:0").unwrap().local_addr();
        let mut books = client(format!("http://{nobody}")).book("").subscribe();
        match soon(books.next()).await {
            Event::Disconnected(Disconnect::Unreachable(why)) => {
                assert!(why.contains("refused"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        let bench = Bench::new();
        let mut books = client(bench.uri()).book("").depth(99).subscribe();
        match soon(books.next()).await {
            Event::Disconnected(Disconnect::Refused(why)) => assert!(why.contains("depth 99")),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_wrong_uri_is_named_with_what_would_be_right() {
    for uri in [
        "",
        "127.0.0.1:50051",
        "https://h:1",
        "http://",
        "http://h",
        "http://h:99999",
        "ftp://h:1",
        "http://h:1/x",
        "a b",
    ] {
        let error = Client::builder(uri).build().unwrap_err().to_string();
        assert!(
            error.contains(&format!("{uri:?}")) && error.contains("http://127.0.0.1:50051"),
            "{error}"
        );
    }
}

/// Carries bytes between a client and the server at `to` until `frozen` changes; then it keeps the
/// connections and carries nothing, as a broken network does.
async fn carry(listener: TcpListener, to: std::net::SocketAddr, frozen: watch::Receiver<bool>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let mut frozen = frozen.clone();
        tokio::spawn(async move {
            let mut far = TcpStream::connect(to).await.unwrap();
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                _ = frozen.changed() => std::future::pending().await,
            }
        });
    }
}

#[test]
fn a_server_that_freezes_is_lost_within_five_seconds() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let (freeze, frozen) = watch::channel(false);
        tokio::spawn(carry(listener, bench.server.local_addr(), frozen));
        let mut books = client(uri).book("").subscribe();
        assert!(matches!(soon(books.next()).await, Event::Connected));
        assert_eq!(view(&mut books).await.seq, 1);
        pause();
        let start = Instant::now();
        freeze.send(true).unwrap();
        let event = soon(books.next()).await;
        assert!(
            matches!(event, Event::Disconnected(Disconnect::Lost(_))),
            "{event:?}"
        );
        let waited = start.elapsed();
        assert!(waited <= Duration::from_millis(5_100), "{waited:?}");
    });
}

#[test]
fn a_server_that_comes_back_without_the_instrument_is_said() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let address = bench.server.local_addr().to_string();
        let mut books = client(bench.uri()).book("ETH-BTC").subscribe();
        assert!(matches!(soon(books.next()).await, Event::Connected));
        assert_eq!(view(&mut books).await.seq, 1);
        bench.close().await;
        while !matches!(soon(books.next()).await, Event::Disconnected(_)) {}
        let mut bench = Bench::of(Server::bind(&address).unwrap());
        let mut other = deep(2);
        other.symbol = Symbol::new("BTC-USDT").unwrap();
        bench.publish(&[other]);
        match soon(books.next()).await {
            Event::Disconnected(Disconnect::Refused(why)) => {
                assert!(why.contains("ETH-BTC") && why.contains("BTC-USDT"), "{why}");
            }
            other => panic!("{other:?}"),
        }
        let quiet = tokio::time::timeout(Duration::from_millis(50), books.next()).await;
        assert!(quiet.is_err(), "said once: {quiet:?}");
    });
}
