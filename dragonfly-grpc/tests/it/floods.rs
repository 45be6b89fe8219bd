//! The server program under floods: it stays small, and a healthy client misses nothing.

use std::{net::SocketAddr, process::Command};

use dragonfly_grpc::proto::v1::{Book, StreamBookRequest, market_data_client::MarketDataClient};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::Streaming;

use super::{
    bench::{run, soon},
    http2::{
        CONTINUATION, END_HEADERS, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, STREAM_BOOK, call,
        call_headers, connect_from, frame, hello,
    },
    scarce::limit_files,
    server_program::{Program, connect},
};

/// What the program may grow by under any of it, in KiB.
const GROWTH_KIB: u64 = 64 * 1024;

/// The demo, and a client that takes every update.
struct Target {
    program: Program,
    address: SocketAddr,
    healthy: Streaming<Book>,
    seq: u64,
    kib: u64,
}

impl Target {
    async fn start(mut program: Program) -> Self {
        let address = program.address();
        program.hears("2 of 2 venues live");
        let mut client = MarketDataClient::new(connect(&address).await);
        let request = StreamBookRequest::default();
        let mut healthy = soon(client.stream_book(request))
            .await
            .unwrap()
            .into_inner();
        let first = soon(healthy.message()).await.unwrap().unwrap();
        Self {
            address: address.parse().unwrap(),
            healthy,
            seq: first.seq,
            kib: program.resident_kib(),
            program,
        }
    }

    /// The healthy client gets so many further updates, one after the other.
    async fn serves(&mut self, updates: u64, after: &str) {
        for _ in 0..updates {
            let book = soon(self.healthy.message()).await.unwrap().unwrap();
            assert_eq!((book.seq, book.skipped), (self.seq + 1, 0), "{after}");
            self.seq = book.seq;
        }
        let grown = self.program.resident_kib().saturating_sub(self.kib);
        assert!(grown < GROWTH_KIB, "{after}: grown by {grown} KiB");
    }

    /// Sends `bytes` over and over, up to `most` in all, from another address, reading nothing; until
    /// the server hangs up or takes no more. Meanwhile the healthy client is served.
    async fn flood(&mut self, what: &str, opening: &[u8], bytes: &[u8], most: usize) {
        let mut socket = connect_from(2, self.address).await;
        soon(socket.write_all(opening)).await.unwrap();
        let block = bytes.repeat((64 * 1024_usize).div_ceil(bytes.len()));
        let mut sent = 0;
        while sent < most && send_some(&mut socket, &block).await {
            sent += block.len();
            self.serves(1, what).await;
        }
        self.serves(3, what).await;
    }
}

/// Whether the server took it, or at least the kernel did. An update comes every few milliseconds: what
/// is not taken within a second is not taken.
async fn send_some(socket: &mut TcpStream, block: &[u8]) -> bool {
    let limit = std::time::Duration::from_secs(1);
    let sent = tokio::time::timeout(limit, socket.write_all(block)).await;
    matches!(sent, Ok(Ok(())))
}

#[test]
fn floods_are_bounded_and_others_served() {
    run(async {
        let mut target = Target::start(Program::start(&["--demo", "--bind", "127.0.0.1:0"])).await;
        let ping = frame(PING, 0, 0, b"12345678");
        target.flood("pings", &hello(0xffff), &ping, 8 << 20).await;
        let settings = frame(SETTINGS, 0, 0, b"\0\x04\0\0\xff\xff");
        target
            .flood("settings", &hello(0xffff), &settings, 8 << 20)
            .await;
        let continued = frame(HEADERS, 0, 1, &call_headers(STREAM_BOOK));
        let continued = [hello(0xffff), continued].concat();
        let more = frame(CONTINUATION, 0, 1, b"\0\x01x\x01x");
        target
            .flood("continuations", &continued, &more, 8 << 20)
            .await;
        let empty = frame(CONTINUATION, 0, 1, b"");
        target
            .flood("empty continuations", &continued, &empty, 8 << 20)
            .await;
        target.flood("garbage", PREFACE, b"\xff", 8 << 20).await;
        target
            .flood("no preface", b"", b"GET / HTTP/1.1\r\n", 1 << 20)
            .await;
    });
}

#[test]
fn rapid_resets_are_bounded_and_others_served() {
    run(async {
        let mut target = Target::start(Program::start(&["--demo", "--bind", "127.0.0.1:0"])).await;
        for _ in 0..50 {
            let mut socket = connect_from(2, target.address).await;
            let reset = |index: u32| {
                let stream = 2 * index + 1;
                let headers = frame(HEADERS, END_HEADERS, stream, &call_headers(STREAM_BOOK));
                [headers, frame(RST_STREAM, 0, stream, b"\0\0\0\x08")].concat()
            };
            let resets: Vec<u8> = (0..1_000).flat_map(reset).collect();
            // The server may hang up in the middle.
            soon(socket.write_all(&[hello(0xffff), resets].concat()))
                .await
                .ok();
            target.serves(1, "rapid resets").await;
        }
        target.serves(3, "rapid resets").await;
    });
}

#[test]
fn churn_and_unknown_symbols_leave_nothing_behind() {
    run(async {
        let mut target = Target::start(Program::start(&["--demo", "--bind", "127.0.0.1:0"])).await;
        let files = target.program.open_files();
        for round in 0..1_000_u32 {
            let mut socket =
                connect_from(2 + u8::try_from(round % 8).unwrap(), target.address).await;
            // StreamBookRequest { symbol: "NONE-SUCH" }
            let unknown = call(1, STREAM_BOOK, b"\x0a\x09NONE-SUCH");
            let opening = [hello(0xffff), unknown].concat();
            let cut = opening.len() * usize::try_from(round % 5).unwrap() / 4;
            soon(socket.write_all(&opening[..cut])).await.unwrap();
            if round % 20 == 0 {
                target.serves(1, "churn").await;
            }
        }
        target.serves(3, "churn").await;
        soon(async {
            while target.program.open_files() > files {
                target.serves(1, "connections to end").await;
            }
        })
        .await;
    });
}

#[test]
fn the_server_survives_having_no_file_descriptor_left() {
    run(async {
        let mut target = Target::start(Program::start(&["--demo", "--bind", "127.0.0.1:0"])).await;
        // Others of the machine can take them from it, too.
        limit_files(&target.program, target.program.open_files() + 20);
        let mut sockets = Vec::new();
        for index in 0..120 {
            sockets.push(connect_from(2 + index / 40, target.address).await);
        }
        let said = target.program.hears("cannot accept connections; trying on");
        assert!(
            said.contains("WARN") && said.contains("open files"),
            "{said}"
        );
        target.serves(3, "no file descriptors").await;
        drop(sockets);
        let channel = connect(&target.address.to_string()).await;
        let mut client = MarketDataClient::new(channel);
        let stream = soon(client.stream_book(StreamBookRequest::default())).await;
        let book = soon(stream.unwrap().into_inner().message()).await.unwrap();
        assert_eq!(book.unwrap().live_legs, 2, "new clients are served again");
        target.serves(3, "no file descriptors").await;
    });
}

#[test]
fn connections_leave_files_for_venues_where_the_system_allows_few() {
    run(async {
        let script = "ulimit -n 160; exec \"$0\" --demo --bind 127.0.0.1:0";
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_dragonflybot-grpc-server")]);
        let mut target = Target::start(Program::run(command)).await;
        let said = target.program.hears("clients may have 64 connections");
        assert!(said.contains("WARN") && said.contains("160"), "{said}");
        let mut sockets = Vec::new();
        for index in 0..200 {
            sockets.push(connect_from(2 + index / 40, target.address).await);
        }
        // Those that are one too many are closed, the others are not.
        let last = sockets.last_mut().unwrap();
        assert_eq!(soon(last.read(&mut [0; 8])).await.unwrap_or(0), 0);
        target.serves(3, "all places taken").await;
        assert!(target.program.open_files() <= 160 - 32, "room for venues");
        target.program.terminate();
        let (status, _, said) = target.program.finish();
        assert_eq!(status.code(), Some(0));
        let failed = |line: &String| line.contains("cannot accept");
        assert!(!said.iter().any(failed), "{said:#?}");
    });
}

#[test]
fn silent_and_slow_connections_take_no_more_than_their_places() {
    run(async {
        let mut target = Target::start(Program::start(&["--demo", "--bind", "127.0.0.1:0"])).await;
        let mut silent = Vec::new();
        for _ in 0..64 {
            silent.push(connect_from(2, target.address).await);
        }
        let mut one_more = connect_from(2, target.address).await;
        assert_eq!(soon(one_more.read(&mut [0; 8])).await.unwrap_or(0), 0);
        // Slow loris: a byte of the preface an update. After five seconds nobody waits any longer.
        let mut preface = PREFACE.iter();
        let mut gone = 0;
        while gone < silent.len() {
            if let Some(byte) = preface.next() {
                for socket in &mut silent {
                    socket.try_write(std::slice::from_ref(byte)).ok();
                }
            }
            target.serves(1, "slow loris").await;
            let is_closed = |socket: &&TcpStream| matches!(socket.try_read(&mut [0; 64]), Ok(0));
            gone = silent.iter().filter(is_closed).count();
        }
        drop(connect_from(2, target.address).await);
    });
}
