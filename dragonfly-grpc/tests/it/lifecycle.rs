//! Binding, limits, health, reflection and the end.

use std::time::Duration;

use dragonfly_core::stage::Serve;
use dragonfly_core::{
    market::ConsolidatedBook,
    stage::{Service, Work},
};
use dragonfly_grpc::{
    BindError, Server,
    proto::v1::{LegCause, LegState, StreamBookRequest},
};
use futures_util::StreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::pause,
};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::bench::{Bench, dead, deep, run, soon};

#[test]
fn a_port_in_use_is_named_before_anything_starts() {
    let first = Server::bind("127.0.0.1:0").unwrap();
    let address = first.local_addr();
    let error = Server::bind(&address.to_string()).unwrap_err();
    assert!(matches!(error, BindError::InUse(a) if a == address));
    assert_eq!(
        error.to_string(),
        format!("{address} is in use by another process: stop that process or choose another port")
    );
}

#[test]
fn a_public_address_needs_an_explicit_word() {
    let error = Server::bind("0.0.0.0:0").unwrap_err().to_string();
    assert!(
        error.contains("0.0.0.0:0") && error.contains("--insecure"),
        "{error}"
    );
    let server = Server::builder().insecure_public_bind().bind("0.0.0.0:0");
    assert_ne!(server.unwrap().local_addr().port(), 0);
}

#[test]
fn nonsense_is_no_address() {
    for text in ["", "50051", "127.0.0.1", "127.0.0.1:99999", "a b:1"] {
        let error = Server::bind(text).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{text:?}")) && error.contains("HOST:PORT"),
            "{error}"
        );
    }
}

#[test]
fn a_server_that_never_ran_closes_at_once() {
    run(async {
        let mut server = Server::bind("127.0.0.1:0").unwrap();
        server.close();
        assert_eq!(Bench { server }.work(), Work::Done);
    });
}

async fn status(client: &mut HealthClient<Channel>, service: &str) -> ServingStatus {
    let request = HealthCheckRequest {
        service: service.into(),
    };
    soon(client.check(request))
        .await
        .unwrap()
        .into_inner()
        .status()
}

#[test]
fn healthy_while_it_runs_ready_while_a_leg_is_live() {
    use ServingStatus::{NotServing, Serving};
    run(async {
        let mut bench = Bench::new();
        let mut client = HealthClient::new(bench.channel().await);
        let steps: [(Option<ConsolidatedBook>, ServingStatus); 4] = [
            (None, NotServing),
            (Some(deep(1)), Serving),
            (Some(dead(2)), NotServing),
            (Some(deep(3)), Serving),
        ];
        for (book, expected) in steps {
            bench.publish(book.as_slice());
            assert_eq!(status(&mut client, "").await, Serving);
            for service in ["orderbook.OrderbookAggregator", "dragonfly.v1.MarketData"] {
                assert_eq!(status(&mut client, service).await, expected, "{service}");
            }
        }
        Serve::<ConsolidatedBook>::withdraw(&mut bench.server);
        assert_eq!(
            status(&mut client, "orderbook.OrderbookAggregator").await,
            NotServing
        );
    });
}

#[test]
fn a_watch_of_the_health_counts_as_a_subscription_and_a_check_does_not() {
    run(async {
        let server = Server::builder().max_subscriptions_per_peer(2);
        let bench = Bench::of(server.bind("127.0.0.1:0").unwrap());
        let mut client = HealthClient::new(bench.channel().await);
        let request = HealthCheckRequest::default();
        let first = soon(client.watch(request.clone())).await.unwrap();
        let second = soon(client.watch(request.clone())).await.unwrap();
        let third = soon(client.watch(request.clone())).await.unwrap_err();
        assert_eq!(third.code(), Code::ResourceExhausted);
        assert_eq!(status(&mut client, "").await, ServingStatus::Serving);
        drop(first);
        soon(async { while client.watch(request.clone()).await.is_err() {} }).await;
        drop(second);
    });
}

#[test]
fn reflection_names_every_service() {
    run(async {
        let bench = Bench::new();
        let mut client = ServerReflectionClient::new(bench.channel().await);
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let requests = futures_util::stream::iter([request]);
        let mut answers = soon(client.server_reflection_info(requests))
            .await
            .unwrap()
            .into_inner();
        let answer = soon(answers.message()).await.unwrap().unwrap();
        let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
            panic!("{answer:?}");
        };
        let names: Vec<String> = list.service.into_iter().map(|s| s.name).collect();
        for name in [
            "orderbook.OrderbookAggregator",
            "dragonfly.v1.MarketData",
            "grpc.health.v1.Health",
        ] {
            assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
        }
    });
}

#[test]
fn reflection_can_be_asked_again_after_a_pause() {
    run(async {
        let bench = Bench::new();
        let mut client = ServerReflectionClient::new(bench.channel().await);
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let (ask, asked) = tokio::sync::mpsc::channel(1);
        let requests = futures_util::stream::unfold(asked, async |mut asked| {
            asked.recv().await.map(|request| (request, asked))
        });
        let mut answers = soon(client.server_reflection_info(requests))
            .await
            .unwrap()
            .into_inner();
        ask.send(request.clone()).await.unwrap();
        assert!(soon(answers.message()).await.unwrap().is_some());
        pause();
        tokio::time::sleep(Duration::from_secs(20)).await;
        ask.send(request).await.unwrap();
        assert!(soon(answers.message()).await.unwrap().is_some());
    });
}

/// Otherwise each call could make the server hold megabytes.
#[test]
fn a_huge_reflection_request_is_not_taken() {
    run(async {
        let bench = Bench::new();
        let mut client = ServerReflectionClient::new(bench.channel().await);
        let huge = ServerReflectionRequest {
            host: "x".repeat(1 << 20),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let requests = futures_util::stream::iter([huge]).chain(futures_util::stream::pending());
        let mut answers = soon(client.server_reflection_info(requests))
            .await
            .unwrap()
            .into_inner();
        let answer = soon(answers.message()).await;
        assert!(!matches!(answer, Ok(Some(_))), "{answer:?}");
    });
}

#[test]
fn closing_tells_every_client_and_ends_in_order() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let mut client = bench.market_data().await;
        let mut stream = soon(client.stream_book(StreamBookRequest::default()))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(soon(stream.message()).await.unwrap().unwrap().live_legs, 2);
        bench.close().await;
        let last = soon(stream.message()).await.unwrap().unwrap();
        assert_eq!(
            (last.live_legs, last.bids.len(), last.asks.len()),
            (0, 0, 0)
        );
        for leg in &last.legs {
            assert_eq!(
                (leg.state(), leg.cause()),
                (LegState::Down, LegCause::Stopped)
            );
        }
        assert_eq!(soon(stream.message()).await.unwrap(), None, "status OK");
        let endpoint = Endpoint::from_shared(bench.uri()).unwrap();
        assert!(
            soon(endpoint.connect()).await.is_err(),
            "nobody listens any more"
        );
    });
}

#[test]
fn a_client_that_takes_nothing_does_not_keep_the_server_from_closing() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let mut client = bench.market_data().await;
        let request = StreamBookRequest {
            depth: 20,
            ..StreamBookRequest::default()
        };
        let stream = soon(client.stream_book(request))
            .await
            .unwrap()
            .into_inner();
        for seq in 2..5_000 {
            bench.publish(&[deep(seq)]);
            tokio::task::yield_now().await;
        }
        pause();
        let start = tokio::time::Instant::now();
        bench.server.close();
        while bench.work() != Work::Done {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{:?}",
            start.elapsed()
        );
        drop(stream);
    });
}

#[test]
fn limits_hold_and_what_is_not_http2_is_closed() {
    run(async {
        let server = Server::builder()
            .max_connections_per_peer(1)
            .bind("127.0.0.1:0");
        let bench = Bench::of(server.unwrap());
        let stats = bench.server.stats();
        let mut web = TcpStream::connect(bench.server.local_addr()).await.unwrap();
        web.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        let read = soon(web.read_to_end(&mut rest)).await;
        assert!(read.is_err() || rest.is_empty());
        assert_eq!((stats.refused(), stats.connections()), (1, 0));
        let open = bench.channel().await;
        let mut second = TcpStream::connect(bench.server.local_addr()).await.unwrap();
        assert_eq!(soon(second.read(&mut [0; 8])).await.unwrap_or(0), 0);
        assert_eq!((stats.refused(), stats.connections()), (2, 1));
        drop(open);
    });
}

#[test]
fn a_connection_that_says_nothing_is_closed_after_five_seconds() {
    run(async {
        let bench = Bench::new();
        pause();
        let start = tokio::time::Instant::now();
        let mut silent = TcpStream::connect(bench.server.local_addr()).await.unwrap();
        silent.write_all(b"PRI * HT").await.unwrap();
        let mut rest = Vec::new();
        let read = silent.read_to_end(&mut rest).await;
        assert!(read.is_err() || rest.is_empty());
        let waited = start.elapsed();
        assert!((4..=6).contains(&waited.as_secs()), "{waited:?}");
        assert_eq!(bench.server.stats().connections(), 0);
    });
}

/// Answers pings as HTTP/2 asks for, until the server has said everything.
async fn read_to_the_end(socket: &mut TcpStream) {
    const PING: u8 = 6;
    let mut head = [0; 9];
    while soon(socket.read_exact(&mut head)).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        soon(socket.read_exact(&mut payload)).await.unwrap();
        if (head[3], head[4]) == (PING, 0) {
            head[4] = 1;
            socket.write_all(&head).await.unwrap();
            socket.write_all(&payload).await.unwrap();
        }
    }
}

/// Otherwise the system resets the connection, and the last image never arrives.
#[test]
fn a_closing_server_still_takes_what_a_client_sends() {
    run(async {
        let mut bench = Bench::new();
        let mut client = TcpStream::connect(bench.server.local_addr()).await.unwrap();
        let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        client.write_all(hello).await.unwrap();
        let mut first = [0; 9];
        soon(client.read_exact(&mut first)).await.unwrap();
        let mut settings = vec![0; usize::from(first[2])];
        soon(client.read_exact(&mut settings)).await.unwrap();
        bench.server.close();
        read_to_the_end(&mut client).await;
        for _ in 0..20 {
            let sent = client.write_all(b"\0\0\0\x04\x01\0\0\0\0").await;
            assert!(sent.is_ok(), "{sent:?}");
            // Every task of the server has its turn: one that closed would have been noticed.
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
        assert_ne!(bench.work(), Work::Done, "it waits for the client to close");
        drop(client);
        soon(async {
            while bench.work() != Work::Done {
                tokio::task::yield_now().await;
            }
        })
        .await;
    });
}
