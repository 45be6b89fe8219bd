//! Requests no library would send.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use dragonfly_grpc::{Server, proto::v1::StreamBookRequest};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::{
    bench::{Bench, deep, run, soon},
    http2::{
        DATA, END_HEADERS, END_STREAM, HEADERS, PING, STREAM_BOOK, WINDOW_UPDATE, call,
        call_headers, connect_from, frame, hello,
    },
};

/// Sends `body` as it is.
async fn post(bench: &Bench, path: &str, kind: &str, body: &'static [u8]) -> Response<Incoming> {
    let socket = TcpStream::connect(bench.server.local_addr()).await.unwrap();
    let (mut send, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!("{}{path}", bench.uri()))
        .header("content-type", kind)
        .header("te", "trailers")
        .body(Full::new(Bytes::from_static(body)))
        .unwrap();
    soon(send.send_request(request)).await.unwrap()
}

#[test]
fn a_malformed_request_is_refused_with_a_status() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        for (path, body, status) in [
            (STREAM_BOOK, &b""[..], "3"),
            (STREAM_BOOK, b"\0\0\0\0", "3"),
            (STREAM_BOOK, b"\0\0\0\0\x05abc", "3"),
            (STREAM_BOOK, b"\0\0\0\0\0\0\0\0\0\0", "3"),
            (STREAM_BOOK, b"\0\xff\xff\xff\xff", "3"),
            (STREAM_BOOK, b"\x01\0\0\0\0", "12"),
            (STREAM_BOOK, b"\0\0\0\0\x03\x0a\x09x", "3"),
            (STREAM_BOOK, b"\0\0\0\0\x03\x0a\x01\xff", "3"),
            ("/dragonfly.v1.MarketData/Nothing", b"\0\0\0\0\0", "12"),
            ("/", b"", "12"),
        ] {
            let answer = post(&bench, path, "application/grpc", body).await;
            assert_eq!(answer.headers()["grpc-status"], status, "{path} {body:?}");
        }
        let web = post(&bench, STREAM_BOOK, "application/json", b"{}").await;
        assert_eq!(web.status(), 415);
        let stats = bench.server.stats();
        assert_eq!((stats.subscribers(), stats.refused()), (0, 8));
    });
}

/// Waits for the end of the answer to the call on stream 1.
async fn end_of_answer(socket: &mut TcpStream) {
    loop {
        let mut head = [0; 9];
        soon(socket.read_exact(&mut head)).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        soon(socket.read_exact(&mut payload)).await.unwrap();
        if (head[3], head[4] & END_STREAM, head[8]) == (HEADERS, END_STREAM, 1) {
            return;
        }
    }
}

#[test]
fn a_request_that_is_not_finished_ends_after_five_seconds_whatever_it_asks() {
    for path in [
        STREAM_BOOK,
        "/dragonfly.v1.MarketData/ListStreams",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ] {
        run(async {
            let bench = Bench::new();
            let mut socket = TcpStream::connect(bench.server.local_addr()).await.unwrap();
            let opening = [
                hello(0xffff),
                frame(HEADERS, END_HEADERS, 1, &call_headers(path)),
                frame(DATA, 0, 1, b"\0\0\0\x03\xe8\x0a"),
            ];
            socket.write_all(&opening.concat()).await.unwrap();
            tokio::time::pause();
            let start = tokio::time::Instant::now();
            end_of_answer(&mut socket).await;
            let waited = start.elapsed().as_secs_f64();
            assert!((4.0..6.0).contains(&waited), "{path}: {waited} s");
        });
    }
}

#[test]
fn what_health_and_reflection_are_asked_is_small() {
    run(async {
        let bench = Bench::new();
        let check = "/grpc.health.v1.Health/Check";
        // The name of a service of 1,100 bytes.
        let body: &'static [u8] =
            Vec::leak([&[0, 0, 0, 0x04, 0x4f, 0x0a, 0xcc, 0x08][..], &[b'x'; 1_100]].concat());
        let answer = post(&bench, check, "application/grpc", body).await;
        assert_eq!(answer.headers()["grpc-status"], "8");
        let answer = post(&bench, check, "application/grpc", b"\0\0\0\0\0").await;
        let end = soon(answer.into_body().collect()).await.unwrap();
        assert_eq!(end.trailers().unwrap()["grpc-status"], "0");
    });
}

#[test]
fn a_well_formed_request_by_hand_is_answered_with_a_frame() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let path = "/dragonfly.v1.MarketData/ListStreams";
        let answer = post(&bench, path, "application/grpc+proto", b"\0\0\0\0\0").await;
        let body = soon(answer.into_body().collect()).await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        let frame = body.to_bytes();
        let length = u32::from_be_bytes(frame[1..5].try_into().unwrap());
        assert_eq!((frame[0], length as usize), (0, frame.len() - 5));
    });
}

#[test]
fn nonsense_after_the_preface_ends_that_connection_alone() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let mut client = bench.market_data().await;
        let mut stream = soon(client.stream_book(StreamBookRequest::default()))
            .await
            .unwrap()
            .into_inner();
        let mut socket = TcpStream::connect(bench.server.local_addr()).await.unwrap();
        let nonsense = [0xff; 4096];
        socket
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        socket.write_all(&nonsense).await.unwrap();
        let mut rest = Vec::new();
        soon(socket.read_to_end(&mut rest)).await.ok();
        assert_eq!(soon(stream.message()).await.unwrap().unwrap().seq, 1);
        bench.publish(&[deep(2)]);
        assert_eq!(soon(stream.message()).await.unwrap().unwrap().seq, 2);
        assert_eq!(bench.server.stats().connections(), 1);
    });
}

#[test]
fn a_dropped_server_leaves_no_connection_behind() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let mut client = bench.market_data().await;
        let mut stream = soon(client.stream_book(StreamBookRequest::default()))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(soon(stream.message()).await.unwrap().unwrap().seq, 1);
        let stats = bench.server.stats();
        drop(bench);
        assert!(soon(stream.message()).await.is_err());
        assert_eq!((stats.connections(), stats.subscribers()), (0, 0));
    });
}

/// What a client sends that subscribes to twenty levels and opens its windows as wide as they go.
pub(crate) fn subscription_without_flow_control() -> Vec<u8> {
    [
        hello(0x7fff_ffff),
        frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\0\0"),
        call(1, STREAM_BOOK, b"\x10\x14"),
    ]
    .concat()
}

#[test]
fn a_client_with_endless_windows_that_stops_reading_is_bounded_and_cut() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let socket = TcpSocket::new_v4().unwrap();
        // What the client's own kernel takes is not the server's memory.
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let mut socket = socket.connect(bench.server.local_addr()).await.unwrap();
        socket
            .write_all(&subscription_without_flow_control())
            .await
            .unwrap();
        let stats = bench.server.stats();
        soon(async {
            while stats.sent() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        for seq in 2..2_000 {
            bench.publish(&[deep(seq)]);
            tokio::task::yield_now().await;
            assert!(stats.queued_bytes() < 260 * 1024);
        }
        let taken = stats.sent() * 1_400;
        assert!(taken < 1024 * 1024, "the kernel keeps {taken} bytes for it");
        assert!(stats.skipped() > 1_000);
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(17)).await;
        assert_eq!((stats.connections(), stats.queued_bytes()), (0, 0));
    });
}

/// Publishes views until `done`, each of which a healthy client gets.
async fn publish_until(bench: &mut Bench, mut seq: u64, mut done: impl FnMut(u64) -> bool) -> u64 {
    let mut client = bench.market_data().await;
    let stream = client.stream_book(StreamBookRequest::default());
    let mut healthy = soon(stream).await.unwrap().into_inner();
    soon(healthy.message()).await.unwrap().unwrap();
    while !done(seq) {
        seq += 1;
        bench.publish(&[deep(seq)]);
        let book = soon(healthy.message()).await.unwrap().unwrap();
        assert_eq!((book.seq, book.skipped), (seq, 0), "the healthy client");
    }
    seq
}

#[test]
fn a_client_that_opens_no_window_is_bounded_and_cut() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let mut socket = connect_from(2, bench.server.local_addr()).await;
        let opening = [hello(0), call(1, STREAM_BOOK, b"\x10\x14")].concat();
        socket.write_all(&opening).await.unwrap();
        let stats = bench.server.stats();
        publish_until(&mut bench, 1, |seq| {
            assert!(stats.queued_bytes() < 260 * 1024);
            seq == 1_000
        })
        .await;
        assert!(stats.skipped() > 0 && stats.queued_bytes() == 0);
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(17)).await;
        assert_eq!((stats.connections(), stats.subscribers()), (0, 0));
        assert!(stats.cut() > 0);
    });
}

#[test]
fn a_client_that_takes_a_byte_an_update_is_bounded_and_not_felt() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        let mut socket = socket.connect(bench.server.local_addr()).await.unwrap();
        let opening = subscription_without_flow_control();
        socket.write_all(&opening).await.unwrap();
        let stats = bench.server.stats();
        publish_until(&mut bench, 1, |seq| {
            socket.try_read(&mut [0]).ok();
            assert!(stats.queued_bytes() < 260 * 1024);
            seq == 3_000
        })
        .await;
        assert!(stats.skipped() > 1_000, "{}", stats.skipped());
    });
}

#[test]
fn of_ten_thousand_subscriptions_of_one_peer_256_are_taken() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let stats = bench.server.stats();
        let mut sockets = Vec::new();
        for _ in 0..63 {
            let mut socket = connect_from(2, bench.server.local_addr()).await;
            let taken = (0..32).map(|index| call(2 * index + 1, STREAM_BOOK, b""));
            let headers = call_headers(STREAM_BOOK);
            let begin = |index: u32| frame(HEADERS, END_HEADERS, 2 * index + 1, &headers);
            let calls: Vec<_> = taken.chain((32..159).map(begin)).collect();
            let opening = [hello(0xffff), calls.concat()].concat();
            soon(socket.write_all(&opening)).await.ok();
            sockets.push(socket);
        }
        soon(async {
            while stats.subscribers() < 256 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        publish_until(&mut bench, 1, |seq| {
            assert!(stats.subscribers() <= 257, "{}", stats.subscribers());
            seq == 200
        })
        .await;
        drop(sockets);
        soon(async {
            while stats.subscribers() + stats.connections() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        publish_until(&mut bench, 200, |seq| seq == 201).await;
    });
}

#[test]
fn there_is_a_limit_for_all_peers_together() {
    run(async {
        let server = Server::builder().max_connections(3).bind("127.0.0.1:0");
        let bench = Bench::of(server.unwrap());
        let stats = bench.server.stats();
        let mut open = Vec::new();
        for peer in 2..5 {
            open.push(connect_from(peer, bench.server.local_addr()).await);
        }
        let mut fourth = connect_from(5, bench.server.local_addr()).await;
        assert_eq!(soon(fourth.read(&mut [0; 8])).await.unwrap_or(0), 0);
        assert_eq!((stats.connections(), stats.refused()), (3, 1));
        drop(open);
        soon(async {
            while stats.connections() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop(bench.channel().await);
    });
}

#[test]
fn headers_beyond_eight_kib_are_refused_and_the_connection_goes_on() {
    run(async {
        let bench = Bench::new();
        let list = "/dragonfly.v1.MarketData/ListStreams";
        let socket = TcpStream::connect(bench.server.local_addr()).await.unwrap();
        let (mut send, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
        tokio::spawn(connection);
        for (bytes, status) in [(1_000, 200), (9_000, 431), (7_000, 200)] {
            let request = Request::post(format!("{}{list}", bench.uri()))
                .header("content-type", "application/grpc")
                .header("x-large", "x".repeat(bytes))
                .body(Full::new(Bytes::from_static(b"\0\0\0\0\0")))
                .unwrap();
            let answer = soon(send.send_request(request)).await.unwrap();
            assert_eq!(answer.status(), status, "{bytes} bytes");
        }
    });
}

/// Every kind of flood is of bytes. Of those a connection takes 128 KiB a second.
#[test]
fn a_connection_is_read_so_far_a_second_and_no_further() {
    run(async {
        let bench = Bench::new();
        let socket = connect_from(2, bench.server.local_addr()).await;
        let (mut reads, mut writes) = socket.into_split();
        let pings = 60_000;
        let ping = frame(PING, 0, 0, b"12345678");
        let bytes = [hello(0xffff), ping.repeat(pings)].concat();
        tokio::time::pause();
        let start = tokio::time::Instant::now();
        tokio::spawn(async move {
            writes.write_all(&bytes).await.unwrap();
            std::future::pending::<()>().await;
        });
        let mut answers = vec![0; pings * ping.len()];
        soon(reads.read_exact(&mut answers)).await.unwrap();
        let seconds = start.elapsed().as_secs();
        assert!((6..=9).contains(&seconds), "{seconds} s for a MiB");
    });
}

/// Floods with so many pings and reads their answers.
async fn flood(address: SocketAddr, pings: usize) {
    let (mut reads, mut writes) = connect_from(2, address).await.into_split();
    let ping = frame(PING, 0, 0, b"12345678");
    let bytes = [hello(0xffff), ping.repeat(pings)].concat();
    let mut answers = vec![0; pings * ping.len()];
    let write = async {
        soon(writes.write_all(&bytes)).await.unwrap();
    };
    let read = async {
        soon(reads.read_exact(&mut answers)).await.unwrap();
    };
    tokio::join!(write, read);
}

/// A connection for each part of it, one after the other: what was read of the first ones counts.
#[test]
fn a_peer_that_comes_again_has_no_new_budget() {
    run(async {
        let bench = Bench::new();
        tokio::time::pause();
        let start = tokio::time::Instant::now();
        for _ in 0..20 {
            flood(bench.server.local_addr(), 6_000).await;
        }
        let seconds = start.elapsed().as_secs();
        assert!((3..=6).contains(&seconds), "{seconds} s for 2 MiB");
    });
}

/// Many connections of one address are read no more than four times as far as one is, and one of them
/// that sends little does not wait for the others.
#[test]
fn the_connections_of_a_peer_are_read_so_far_a_second_together() {
    run(async {
        let bench = Bench::new();
        let address = bench.server.local_addr();
        let mut quiet = connect_from(2, address).await;
        quiet.write_all(&hello(0xffff)).await.unwrap();
        // Its settings and the answer to ours.
        soon(quiet.read_exact(&mut [0; 9])).await.unwrap();
        tokio::time::pause();
        let start = tokio::time::Instant::now();
        let floods: Vec<_> = (0..32)
            .map(|_| tokio::spawn(flood(address, 7_500)))
            .collect();
        let mut asked = 0;
        while !floods.iter().all(tokio::task::JoinHandle::is_finished) {
            let ping = frame(PING, 0, 0, b"quietly!");
            let sent = tokio::time::Instant::now();
            quiet.write_all(&ping).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"quietly!") {
                soon(quiet.read_buf(&mut answer)).await.unwrap();
            }
            let waited = sent.elapsed().as_secs_f64();
            assert!(waited < 1.5, "{waited} s for the answer to a ping");
            asked += 1;
        }
        let seconds = start.elapsed().as_secs();
        assert!((7..=10).contains(&seconds), "{seconds} s for 4 MiB");
        assert!(asked > 5, "{asked}");
    });
}
