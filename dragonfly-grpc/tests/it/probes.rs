//! `/livez` and `/readyz`, and what they share with the health service.

use std::net::SocketAddr;

use dragonfly_core::market::BookState::{Down, Live};
use dragonfly_core::market::{BookState, Cause, ConsolidatedBook};
use dragonfly_core::stage::Service;
use dragonfly_grpc::proto::v1::{Book, LegCause, LegState, StreamBookRequest};
use dragonfly_grpc::{BindError, Probes, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::Streaming;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::bench::{Bench, book, deep, leg, run, soon};

/// The whole answer to a request.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> String {
    let mut socket = soon(TcpStream::connect(address)).await.unwrap();
    soon(socket.write_all(request.as_bytes())).await.unwrap();
    let mut answer = String::new();
    soon(socket.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// The status and the last line of an answer.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = ask(address, &request).await;
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.lines().last().unwrap().to_owned())
}

/// Answers probes about the server in the background.
fn probed(bench: &Bench) -> SocketAddr {
    let probes = Probes::bind("127.0.0.1:0", false).unwrap();
    let address = probes.local_addr();
    tokio::spawn(probes.serve(bench.server.health()));
    address
}

/// A view of so many legs, in these states.
fn view(seq: u64, states: &[BookState]) -> ConsolidatedBook {
    let mut view = book(seq, &[], &[]);
    for (index, state) in states.iter().enumerate() {
        let venue = ["binance", "bitstamp", "kraken"][index];
        view.legs.note(&leg(venue, *state, Cause::Image));
    }
    view
}

async fn serving(bench: &Bench, service: &str) -> bool {
    let mut client = HealthClient::new(bench.channel().await);
    let service = service.into();
    let answer = soon(client.check(HealthCheckRequest { service })).await;
    answer.unwrap().into_inner().status() == ServingStatus::Serving
}

#[test]
fn ready_is_a_quorum_of_live_books_over_both_ways_of_asking() {
    run(async {
        let mut bench = Bench::new();
        let address = probed(&bench);
        let none = (503, "0 of 0 books live, 1 needed".to_owned());
        assert_eq!(get(address, "/readyz").await, none);
        assert_eq!(get(address, "/livez").await, (200, "running".to_owned()));
        let steps: [(&[BookState], u16, &str); 4] = [
            (&[Live, Live, Live], 200, "3 of 3 books live, 2 needed"),
            (&[Live, Down, Live], 200, "2 of 3 books live, 2 needed"),
            (&[Live, Down, Down], 503, "1 of 3 books live, 2 needed"),
            (&[Down, Live, Live], 200, "2 of 3 books live, 2 needed"),
        ];
        for (seq, (states, status, said)) in steps.into_iter().enumerate() {
            bench.publish(&[view(seq as u64, states)]);
            assert_eq!(get(address, "/readyz").await, (status, said.to_owned()));
            let is_serving = serving(&bench, "dragonfly.v1.MarketData").await;
            assert_eq!(is_serving, status == 200, "{said}");
        }
    });
}

#[test]
fn how_many_are_needed_can_be_said() {
    run(async {
        let server = Server::builder().quorum(1).bind("127.0.0.1:0").unwrap();
        let mut bench = Bench::of(server);
        let address = probed(&bench);
        bench.publish(&[view(1, &[Live, Down, Down])]);
        let enough = (200, "1 of 3 books live, 1 needed".to_owned());
        assert_eq!(get(address, "/readyz").await, enough);
    });
}

#[test]
fn a_stall_is_told_everywhere_until_it_is_over() {
    run(async {
        let mut bench = Bench::new();
        let address = probed(&bench);
        bench.publish(&[view(1, &[Live, Live])]);
        let health = bench.server.health();
        health.set_stalled(Some("stage `bbo` stands still".into()));
        let stands = (503, "stage `bbo` stands still".to_owned());
        assert_eq!(get(address, "/livez").await, stands);
        assert_eq!(get(address, "/readyz").await, stands);
        assert!(!serving(&bench, "").await);
        assert!(!serving(&bench, "orderbook.OrderbookAggregator").await);
        health.set_stalled(None);
        assert_eq!(get(address, "/livez").await.0, 200);
        assert!(serving(&bench, "").await);
    });
}

#[test]
fn a_stall_withdraws_what_is_shown_until_it_is_over() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(7)]);
        let mut books = books(&bench).await;
        let first = next(&mut books).await;
        assert_eq!((first.seq, first.live_legs), (7, 2));
        let health = bench.server.health();
        health.set_stalled(Some("stage `bbo` stands still".into()));
        let doubted = next(&mut books).await;
        assert_eq!((doubted.seq, doubted.skipped), (8, 0));
        assert_eq!((doubted.live_legs, doubted.bids.len()), (0, 0));
        for leg in &doubted.legs {
            assert_eq!(
                (leg.state(), leg.cause()),
                (LegState::Stale, LegCause::Silent)
            );
        }
        // What still moves goes on, but nobody knows about the rest.
        bench.publish(&[deep(8), deep(9), deep(10)]);
        let late = next(&mut self::books(&bench).await).await;
        assert_eq!(
            (late.seq, late.live_legs),
            (8, 0),
            "who comes now is not misled"
        );
        assert!(bench.server.health().ready().is_err());
        health.set_stalled(None);
        let whole = next(&mut books).await;
        assert_eq!((whole.seq, whole.skipped, whole.live_legs), (9, 0, 2));
        assert_eq!(whole.bids.len(), first.bids.len());
        bench.publish(&[deep(11)]);
        let after = next(&mut books).await;
        assert_eq!((after.seq, after.skipped, after.live_legs), (10, 0, 2));
        assert!(bench.server.health().ready().is_ok());
    });
}

/// The thread that stood still is the server's own: when it goes on, what it publishes comes before
/// any other task has heard of the stall, and then that the stall is over.
#[test]
fn what_a_thread_publishes_right_after_its_stall_is_not_shown_as_live() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let mut books = books(&bench).await;
        assert_eq!(next(&mut books).await.live_legs, 2);
        let health = bench.server.health();
        health.set_stalled(Some("stage `bbo` stands still".into()));
        bench.publish(&[deep(2), deep(3)]);
        health.set_stalled(None);
        assert_eq!(next(&mut books).await.live_legs, 0);
        let whole = next(&mut books).await;
        assert_eq!((whole.skipped, whole.live_legs), (0, 2));
    });
}

async fn books(bench: &Bench) -> Streaming<Book> {
    let mut client = bench.market_data().await;
    let books = soon(client.stream_book(StreamBookRequest::default())).await;
    books.unwrap().into_inner()
}

async fn next(books: &mut Streaming<Book>) -> Book {
    soon(books.message()).await.unwrap().unwrap()
}

#[test]
fn a_stall_that_is_found_by_looking_is_told_and_taken_back() {
    run(async {
        let bench = Bench::new();
        let health = bench.server.health();
        tokio::time::pause();
        let mut looks = 0;
        let look = move || {
            looks += 1;
            (looks % 2 == 1).then(|| format!("look {looks}"))
        };
        tokio::spawn(health.clone().watch(look));
        let second = std::time::Duration::from_secs(1);
        tokio::time::sleep(second / 2).await;
        assert_eq!(health.live(), Err("look 1".into()));
        tokio::time::sleep(second).await;
        assert_eq!(health.live(), Ok(()));
        tokio::time::sleep(second).await;
        assert_eq!(health.live(), Err("look 3".into()));
    });
}

#[test]
fn a_server_that_stops_is_alive_and_not_ready() {
    run(async {
        let mut bench = Bench::new();
        let address = probed(&bench);
        bench.publish(&[view(1, &[Live, Live])]);
        bench.server.close();
        let stopping = (503, "the server is stopping".to_owned());
        assert_eq!(get(address, "/readyz").await, stopping);
        assert_eq!(get(address, "/livez").await.0, 200);
    });
}

#[test]
fn other_requests_are_refused_and_none_keeps_others_out() {
    run(async {
        let bench = Bench::new();
        let address = probed(&bench);
        assert_eq!(get(address, "/").await.0, 404);
        let post = "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
        assert!(ask(address, post).await.starts_with("HTTP/1.1 405 "));
        assert!(
            ask(address, "nonsense\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 400 ")
        );
        let huge = format!("GET /livez HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9_000));
        assert!(ask(address, &huge).await.starts_with("HTTP/1.1 431 "));

        // As many as there are places, and they say nothing.
        let mut silent = Vec::new();
        for _ in 0..16 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut late = TcpStream::connect(address).await.unwrap();
        assert_eq!(
            soon(late.read(&mut [0; 8])).await.unwrap_or(0),
            0,
            "no place"
        );
        tokio::time::pause();
        assert_eq!(soon(silent[0].read(&mut [0; 8])).await.unwrap_or(0), 0);
        tokio::time::resume();
        assert_eq!(get(address, "/livez").await.0, 200, "they had five seconds");
    });
}

#[test]
fn a_public_address_for_probes_needs_an_explicit_word_too() {
    let error = Probes::bind("0.0.0.0:0", false).unwrap_err();
    assert!(matches!(error, BindError::Public(_)), "{error}");
    assert!(error.to_string().contains("--insecure"));
    let probes = Probes::bind("0.0.0.0:0", true).unwrap();
    assert_ne!(probes.local_addr().port(), 0);
    let probes = Probes::bind("127.0.0.1:0", false).unwrap();
    let taken = probes.local_addr();
    let error = Probes::bind(&taken.to_string(), false).unwrap_err();
    assert!(
        matches!(error, BindError::InUse(a) if a == taken),
        "{error}"
    );
}
