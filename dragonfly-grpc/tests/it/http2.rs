//! HTTP/2 written by hand, to send what no library would.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpSocket, TcpStream};

use super::bench::soon;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const STREAM_BOOK: &str = "/dragonfly.v1.MarketData/StreamBook";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// The preface and settings: `initial_window` is what a stream may be sent ahead.
pub(crate) fn hello(initial_window: u32) -> Vec<u8> {
    let setting = [&[0, 4][..], &initial_window.to_be_bytes()].concat();
    [PREFACE, &frame(SETTINGS, 0, 0, &setting)].concat()
}

/// The headers of a call: POST, http, :path, :authority, content-type; literals that no table keeps.
pub(crate) fn call_headers(path: &str) -> Vec<u8> {
    let path = [&[0x04, u8::try_from(path.len()).unwrap()], path.as_bytes()].concat();
    [
        &[0x83, 0x86][..],
        &path,
        b"\x01\x01x",
        b"\x0f\x10\x10application/grpc",
    ]
    .concat()
}

/// A whole call on `stream`.
pub(crate) fn call(stream: u32, path: &str, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let body = [&[0][..], &length, message].concat();
    [
        frame(HEADERS, END_HEADERS, stream, &call_headers(path)),
        frame(DATA, END_STREAM, stream, &body),
    ]
    .concat()
}

/// A connection from another address of this machine, which is another peer.
pub(crate) async fn connect_from(host: u8, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0));
    socket.bind(source).unwrap();
    soon(socket.connect(address)).await.unwrap()
}
