//! Requests no library would send.

use std::time::Duration;

use bytes::Bytes;
use dragonfly_grpc::proto::v1::StreamBookRequest;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::bench::{Bench, deep, run, soon};

const STREAM_BOOK: &str = "/dragonfly.v1.MarketData/StreamBook";

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

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// What a client sends that subscribes to twenty levels and opens its windows as wide as they go.
pub(crate) fn subscription_without_flow_control() -> Vec<u8> {
    let path = [
        &[0x04, u8::try_from(STREAM_BOOK.len()).unwrap()],
        STREAM_BOOK.as_bytes(),
    ]
    .concat();
    let headers = [
        // POST, http, :path, :authority, content-type: literals that no table remembers.
        &[0x83, 0x86][..],
        &path,
        b"\x01\x01x",
        b"\x0f\x10\x10application/grpc",
    ]
    .concat();
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, 0, b"\0\x04\x7f\xff\xff\xff"),
        frame(8, 0, 0, b"\x7f\xff\0\0"),
        frame(1, 4, 1, &headers),
        frame(0, 1, 1, b"\0\0\0\0\x02\x10\x14"),
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
