//! What clients of the gRPC server may send, over a real connection.

use futures_util::future::join;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::rig;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The longest frame a server takes that has not said otherwise.
const MAX_FRAME: usize = 16 << 10;

/// The kind of the frame that begins an answer.
const HEADERS: u8 = 1;

/// Who can be called, and who cannot.
const PATHS: [&str; 8] = [
    "/orderbook.OrderbookAggregator/BookSummary",
    "/dragonfly.v1.MarketData/StreamBook",
    "/dragonfly.v1.MarketData/StreamLiquidity",
    "/dragonfly.v1.MarketData/ListStreams",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/dragonfly.v1.MarketData/Nothing",
];

/// Sends all but the first byte of `input` behind the preface of HTTP/2, or without it where the
/// first byte is zero, and closes: the server must close, too.
pub(super) fn http2(input: &[u8]) {
    let Some((first, frames)) = input.split_first() else {
        return;
    };
    // A preface that does not end is waited for, which takes time and no code.
    let has_preface = *first != 0 || PREFACE.starts_with(frames);
    let preface = if has_preface { PREFACE } else { b"" };
    let answer = exchange(&[preface, frames].concat(), false);
    if has_preface && !answer.is_empty() {
        assert_eq!(answer.get(3), Some(&4), "a server begins with its settings");
    }
}

/// Calls who is chosen by the first byte of `input` with a body of what follows the second one. The
/// second byte says what is wrong around the body, if anything.
pub(super) fn request(input: &[u8]) {
    let [first, second, body @ ..] = input else {
        return;
    };
    let path = PATHS[usize::from(*first) % PATHS.len()];
    let length = match second % 8 {
        1 => body.len() + 1,
        2 => body.len().saturating_sub(1),
        3 => 0xffff_ffff,
        _ => body.len(),
    };
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let body = [&[u8::from(second % 8 == 4)], &length[..], body].concat();
    let mut bytes = [PREFACE, &frame(4, 0, 0, b""), &headers(path, *second)].concat();
    let mut pieces = body.chunks(MAX_FRAME).peekable();
    while let Some(piece) = pieces.next() {
        let is_last = pieces.peek().is_none() && second % 8 != 5;
        bytes.extend(frame(0, u8::from(is_last), 1, piece));
    }
    // A call of the server's own that is there in whole is answered, if only with a refusal.
    let is_whole = second % 8 != 5 && body.len() <= MAX_FRAME;
    let is_own = PATHS[..4].contains(&path);
    let answer = exchange(&bytes, is_whole && is_own);
    assert_eq!(answer.get(3), Some(&4), "a server begins with its settings");
}

/// The headers of a call, none of them for a table to remember.
fn headers(path: &str, kind: u8) -> Vec<u8> {
    let kind = match kind % 8 {
        6 => "application/json",
        7 => "application/grpc-web+proto",
        _ => "application/grpc",
    };
    let literal = |text: &str| {
        let length = u8::try_from(text.len()).expect("short texts");
        [&[length], text.as_bytes()].concat()
    };
    // POST, http, :path, :authority, content-type.
    let block = [
        &b"\x83\x86\x04"[..],
        &literal(path),
        b"\x01\x01x\x0f\x10",
        &literal(kind),
    ];
    frame(1, 4, 1, &block.concat())
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short frames");
    let [_, length @ ..] = length.to_be_bytes();
    [&length[..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// The kinds of the HTTP/2 frames in `bytes`.
fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, ..] = *bytes {
        kinds.push(kind);
        let length = u32::from_be_bytes([0, a, b, c]);
        let whole = 9 + usize::try_from(length).expect("24 bits");
        bytes = bytes.get(whole..).unwrap_or_default();
    }
    kinds
}

/// Sends `bytes` and closes, with `waits` only after headers have come, without which it never ends;
/// what came back until the server closed.
fn exchange(bytes: &[u8], waits: bool) -> Vec<u8> {
    rig::run(async {
        let socket = TcpStream::connect(rig::server()).await;
        let mut socket = socket.expect("the server takes connections");
        let (mut reader, mut writer) = socket.split();
        let mut answer = Vec::new();
        // The server may have refused it all before it was sent.
        if waits {
            writer.write_all(bytes).await.ok();
            while !kinds(&answer).contains(&HEADERS) {
                let read = reader.read_buf(&mut answer).await;
                let is_open = read.is_ok_and(|count| count > 0);
                assert!(is_open, "the server closed instead of answering");
            }
            writer.shutdown().await.ok();
            reader.read_to_end(&mut answer).await.ok();
        } else {
            let send = async {
                writer.write_all(bytes).await.ok();
                writer.shutdown().await.ok();
            };
            let (_, _) = join(send, reader.read_to_end(&mut answer)).await;
        }
        answer
    })
}
