//! A WebSocket client's whole way in, over a real connection.

use dragonfly_clients::ws;
use dragonfly_core::client::{Client as _, Reader as _};
use futures_util::future::join;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tungstenite::handshake::derive_accept_key;

use super::rig;

/// What stands in an input for the right answer to the client's key.
const ACCEPT: &[u8] = b"{accept}";

/// The longest message that is taken, in bytes.
const LIMIT: usize = 64 << 10;

/// Answers a client's request for an upgrade with `input`, in which `{accept}` stands for the right
/// answer to its key, and closes: the client must come to an error.
pub(super) fn upgrade(input: &[u8]) {
    rig::run(async { join(serve(input), connect()).await });
}

async fn serve(input: &[u8]) {
    let accepted = rig::listener().accept().await;
    let (mut socket, _) = accepted.expect("the client connects");
    let Some(key) = key_of_request(&mut socket).await else {
        return;
    };
    let accept = derive_accept_key(&key);
    let mut answer = Vec::with_capacity(input.len() + 32);
    let mut rest = input;
    while let Some(at) = find(rest, ACCEPT) {
        answer.extend_from_slice(&rest[..at]);
        answer.extend_from_slice(accept.as_bytes());
        rest = &rest[at + ACCEPT.len()..];
    }
    answer.extend_from_slice(rest);
    // The client may have left before it has been sent everything.
    socket.write_all(&answer).await.ok();
    socket.shutdown().await.ok();
    let mut unread = [0; 1024];
    while let Ok(1..) = socket.read(&mut unread).await {}
}

/// The key of a request, which ends with an empty line.
async fn key_of_request(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    while find(&request, b"\r\n\r\n").is_none() {
        let read = socket.read_buf(&mut request).await;
        read.ok().filter(|count| *count > 0)?;
    }
    let lines = request.split(|byte| *byte == b'\n');
    let mut keys = lines.filter_map(|line| {
        let (name, value) = line.split_at_checked(19)?;
        name.eq_ignore_ascii_case(b"Sec-WebSocket-Key: ")
            .then_some(value)
    });
    Some(keys.next()?.trim_ascii().to_vec())
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

async fn connect() {
    let address = rig::listener().local_addr().expect("it is bound");
    let client = ws::Client::builder(format!("ws://{address}/")).max_message(LIMIT);
    let mut client = client.build().expect("a loopback address needs no TLS");
    let Ok((mut reader, writer)) = client.connect().await else {
        return;
    };
    // One part in two is asked for early.
    let mut large = 1;
    while reader.read_early(large).await.is_ok() {
        large = if large == 1 { usize::MAX } else { 1 };
    }
    drop(writer);
}
